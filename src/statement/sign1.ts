/**
 * COSE_Sign1 (RFC 9052 §4.2) as bytes: `d2 84 <protected> <unprotected> <payload> <signature>`, tag 18. What the headers
 * mean is for others to say: a statement (`cose.ts`), a receipt (`receipt.ts`).
 */
import { type ErrorCode, WritError } from "../errors.js";
import { concat, toHex, utf8 } from "../format/bytes.js";
import {
  type CborBytes,
  type CborPair,
  CborReader,
  CborWriter,
  decodeCborMap,
  stringLength,
} from "./cbor.js";

/** The parts of a COSE_Sign1, its protected header not yet looked into. */
export interface Sign1Parts {
  /** What the byte string of the protected header holds, verbatim. */
  readonly protected: CborBytes;
  /** The unprotected header's pairs, in order. */
  readonly unprotected: readonly CborPair[];
  /** Null when it is detached. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
}

export interface Sign1 extends Sign1Parts {
  /** The protected header, decoded. */
  readonly header: ReadonlyMap<unknown, unknown>;
}

export interface Sign1Options {
  /** The code of every error; ENVELOPE_MALFORMED unless given. */
  readonly code?: ErrorCode;
  /** May the keys of maps stand in any order? */
  readonly anyOrder?: boolean;
  /** Is the unprotected header dropped? Then it need only be well-formed; what of it can be read is looked at. */
  readonly dropsUnprotected?: boolean;
}

const TAG_SIGN1 = 18;
const NULL = Uint8Array.of(0xf6);
const OPEN_BRACE = 0x7b;
/** Labels in one header: more say nothing, and cost whoever reads them. */
export const MAX_LABELS = 64;

/** Reads the parts of a COSE_Sign1, deterministic to the last byte but for what its byte strings hold. */
export function readSign1(bytes: Uint8Array, options: Sign1Options = {}): Sign1Parts {
  if (bytes[0] === OPEN_BRACE) notSign1(options, "CBOR with tag 18 (first byte d2), got what begins as JSON");
  const reader = new CborReader(bytes, options);
  if (reader.expect(6, "a COSE_Sign1 (tag 18)") !== TAG_SIGN1) notSign1(options, "tag 18");
  if (reader.expect(4, "an array") !== 4) notSign1(options, "an array of 4");
  const protectedHeader = reader.nested("the protected header, a byte string");
  const what = "the unprotected header, a map";
  const unprotected = options.dropsUnprotected
    ? reader.looseMap(what, MAX_LABELS)
    : reader.map(what, MAX_LABELS);
  const payload = reader.byteStringOrNull("the payload, a byte string or null");
  const signature = reader.byteString("the signature, a byte string");
  reader.end();
  return { protected: protectedHeader, unprotected, payload, signature };
}

/**
 * Reads a COSE_Sign1 and its protected header, deterministic throughout. Labels are integers or text, at most 64 in a header,
 * and no label is in both (RFC 9052 §3). WritError with the offset.
 */
export function openSign1(bytes: Uint8Array, options: Sign1Options = {}): Sign1 {
  const parts = readSign1(bytes, options);
  return { ...parts, header: decodeHeader(parts, options) };
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
function decodeHeader(parts: Sign1Parts, options: Sign1Options): ReadonlyMap<unknown, unknown> {
  const { bytes, at } = parts.protected;
  const { value, pairs } =
    bytes.length === 0
      ? { value: new Map(), pairs: [] }
      : decodeCborMap(bytes, "a map in the protected header", MAX_LABELS, { ...options, base: at });
  demandLabels(pairs, parts.unprotected, options);
  return value;
}

function demandLabels(
  inProtected: readonly CborPair[],
  unprotected: readonly CborPair[],
  options: Sign1Options,
): void {
  if (unprotected.length === 0) return;
  // In deterministic form equal labels have equal bytes.
  const names = new Set(inProtected.map(({ key }) => toHex(key)));
  for (const { key, keyAt } of unprotected) {
    const major = Math.floor((key[0] ?? 0) / 32);
    if (options.dropsUnprotected !== true && major !== 0 && major !== 1 && major !== 3)
      notSign1(options, `labels that are integers or text (at byte ${keyAt})`);
    if (names.has(toHex(key))) notSign1(options, `each label in one header only (at byte ${keyAt})`);
  }
}

function notSign1({ code = "ENVELOPE_MALFORMED" }: Sign1Options, want: string): never {
  throw new WritError(code, `COSE_Sign1: want ${want}`);
}
