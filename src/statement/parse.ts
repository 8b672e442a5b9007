/** From bytes to a statement, whichever of the two envelopes they are. */
import { WritError } from "../errors.js";
import { parseCose } from "./cose.js";
import { parseDsse } from "./dsse.js";
import type { Form, Statement } from "./statement.js";

/**
 * Parses either form, strictly. WritError ENVELOPE_MALFORMED (not JSON or CBOR as we accept it), ENVELOPE_INVALID (not
 * the shape of the envelope), ALGORITHM_UNSUPPORTED; never anything else, on any bytes.
 */
export function parseStatement(bytes: Uint8Array, form: Form): Statement {
  return form === "dsse" ? parseDsse(bytes) : parseCose(bytes);
}

/** The form that the bytes begin like: `{` is DSSE, a CBOR tag 18 is COSE. ENVELOPE_MALFORMED for anything else. */
export function guessForm(bytes: Uint8Array): Form {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  if (first === 0x7b) return "dsse";
  if (first === 0xd2) return "cose";
  throw new WritError(
    "ENVELOPE_MALFORMED",
    "neither a DSSE envelope (a JSON object) nor a COSE_Sign1 (CBOR tag 18)",
  );
}
