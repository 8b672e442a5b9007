/**
 * COSE_Sign1 (RFC 9052 §4.2) as bytes: `d2 84 <protected> <unprotected> <payload> <signature>`, tag 18. What the headers
 * mean is for others to say: a statement (`cose.ts`), a receipt (`receipt.ts`).
 */
import { type ErrorCode, WritError } from "../errors.js";
import { concat, utf8 } from "../format/bytes.js";
import { type CborPair, CborReader, CborWriter, decodeCbor, stringLength } from "./cbor.js";

export interface Sign1 {
  /** The protected header, verbatim: what its byte string holds. */
  readonly protectedBytes: Uint8Array;
  /** The same, decoded. */
  readonly header: ReadonlyMap<unknown, unknown>;
  /** The unprotected header's pairs, in order. */
  readonly unprotected: readonly CborPair[];
  /** Null when it is detached. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
}

export interface Sign1Options {
  /** The code of every error; ENVELOPE_MALFORMED unless given. */
  readonly code?: ErrorCode;
  /** May the keys of maps stand in any order? */
  readonly anyOrder?: boolean;
}

const TAG_SIGN1 = 18;
const NULL = Uint8Array.of(0xf6);

/**
 * Reads a COSE_Sign1, deterministic to the last byte. Labels are integers or text, and no label is in both headers (RFC
 * 9052 §3). WritError with the offset.
 */
export function openSign1(bytes: Uint8Array, options: Sign1Options = {}): Sign1 {
  const { code = "ENVELOPE_MALFORMED" } = options;
  const reader = new CborReader(bytes, options);
  if (reader.expect(6, "a COSE_Sign1 (tag 18)") !== TAG_SIGN1) notSign1(code, "tag 18");
  if (reader.expect(4, "an array") !== 4) notSign1(code, "an array of 4");
  const protectedBytes = reader.byteString("the protected header, a byte string");
  const header = decodeHeader(protectedBytes, { ...options, base: reader.offset - protectedBytes.length });
  const unprotectedAt = reader.offset;
  const unprotected = reader.map("the unprotected header, a map");
  demandLabels(unprotected, header, { ...options, base: unprotectedAt });
  const payload = reader.byteStringOrNull("the payload, a byte string or null");
  const signature = reader.byteString("the signature, a byte string");
  reader.end();
  return { protectedBytes, header, unprotected, payload, signature };
}

/** A COSE_Sign1; `unprotected` is the map's own encoding, empty unless given. */
export function formatSign1(
  protectedBytes: Uint8Array,
  payload: Uint8Array | null,
  signature: Uint8Array,
  unprotected: Uint8Array = EMPTY_MAP,
): Uint8Array {
  const payloadLength = payload === null ? 1 : stringLength(payload.length);
  const length =
    2 +
    stringLength(protectedBytes.length) +
    unprotected.length +
    payloadLength +
    stringLength(signature.length);
  const out = new CborWriter(length).head(6, TAG_SIGN1).head(4, 4).bytes(protectedBytes).raw(unprotected);
  return (payload === null ? out.raw(NULL) : out.bytes(payload)).bytes(signature).finish();
}

const EMPTY_MAP = Uint8Array.of(0xa0);

/** Sig_structure (RFC 9052 §4.4): `["Signature1", protected, external_aad = h'', payload]`. */
export function sigStructure(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  const length =
    SIGNATURE1.length + stringLength(protectedBytes.length) + NO_AAD.length + stringLength(payload.length);
  return new CborWriter(length).raw(SIGNATURE1).bytes(protectedBytes).raw(NO_AAD).bytes(payload).finish();
}

const SIGNATURE1 = concat(Uint8Array.of(0x84, 0x6a), utf8("Signature1"));
const NO_AAD = Uint8Array.of(0x40);

/** An empty protected header is an empty byte string (RFC 9052 §3). */
function decodeHeader(
  bytes: Uint8Array,
  options: Sign1Options & { readonly base: number },
): ReadonlyMap<unknown, unknown> {
  const header = bytes.length === 0 ? new Map() : decodeCbor(bytes, options);
  if (header instanceof Map) return header;
  return notSign1(options.code ?? "ENVELOPE_MALFORMED", "a map in the protected header");
}

function demandLabels(
  unprotected: readonly CborPair[],
  header: ReadonlyMap<unknown, unknown>,
  options: Sign1Options & { readonly base: number },
): void {
  for (const { key } of unprotected) {
    const label = decodeCbor(key, options);
    if (typeof label !== "number" && typeof label !== "string" && typeof label !== "bigint")
      notSign1(options.code ?? "ENVELOPE_MALFORMED", "labels that are integers or text");
    if (header.has(label))
      notSign1(
        options.code ?? "ENVELOPE_MALFORMED",
        `each label in one header, ${JSON.stringify(String(label).slice(0, 40))} is in both`,
      );
  }
}

function notSign1(code: ErrorCode, want: string): never {
  throw new WritError(code, `COSE_Sign1: want ${want}`);
}
