/**
 * Transparent statements (RFC 9943 §7): a signed statement with its receipts, `394: [+ bstr]`, in the unprotected header.
 * What a log hashes is the statement without them, so attaching and taking off changes nothing that was ever signed.
 */
import { concat, sameBytes } from "../format/bytes.js";
import { type CborPair, CborReader, compareBytes, encodeBytes, encodeCbor, head } from "./cbor.js";
import { WritError } from "../errors.js";
import { RECEIPTS } from "./labels.js";
import { formatSign1, MAX_LABELS, readSign1 } from "./sign1.js";

const RECEIPTS_KEY = encodeCbor(RECEIPTS);
const MAX_RECEIPTS = 64;
/** Statements of other services are read too, and nothing demands an order of theirs. What is hashed stays verbatim. */
const ANY = { anyOrder: true } as const;

/**
 * The statement with these receipts beside those that it has; one that it has already is not there twice. Errors as of
 * `splitTransparent`, and ENVELOPE_INVALID when there would be more than 64.
 */
export function attachReceipts(statement: Uint8Array, receipts: readonly Uint8Array[]): Uint8Array {
  const { protected: header, unprotected, payload, signature } = readSign1(statement, ANY);
  const all = [...receiptsIn(unprotected)];
  for (const receipt of receipts) if (!all.some((one) => sameBytes(one, receipt))) all.push(receipt);
  if (all.length > MAX_RECEIPTS) fail(`at most ${MAX_RECEIPTS} receipts, got ${all.length}`);
  const others = unprotected.filter(({ key }) => !sameBytes(key, RECEIPTS_KEY));
  const value = concat(head(4, all.length), ...all.map(encodeBytes));
  const pairs = all.length === 0 ? others : [...others, { key: RECEIPTS_KEY, value }];
  if (pairs.length > MAX_LABELS) fail(`no room beside ${others.length} other labels`);
  return formatSign1(header.bytes, payload, signature, formatPairs(pairs));
}

/** A statement taken apart: what a log hashes, and the receipts that were beside it. */
export interface TransparentStatement {
  /** With an empty unprotected header. */
  readonly statement: Uint8Array;
  readonly receipts: readonly Uint8Array[];
}

/** ENVELOPE_MALFORMED unless it is a COSE_Sign1, ENVELOPE_INVALID when 394 is not 1 to 64 receipts; no signature is judged. */
export function splitTransparent(bytes: Uint8Array): TransparentStatement {
  const { protected: header, unprotected, payload, signature } = readSign1(bytes, ANY);
  return {
    statement: formatSign1(header.bytes, payload, signature),
    receipts: receiptsIn(unprotected),
  };
}

function receiptsIn(unprotected: readonly CborPair[]): Uint8Array[] {
  const found = unprotected.find(({ key }) => sameBytes(key, RECEIPTS_KEY));
  if (found === undefined) return [];
  const reader = new CborReader(found.value, { base: found.valueAt });
  const count = reader.expect(4, "394, an array of receipts");
  if (count === 0 || count > MAX_RECEIPTS) fail(`want 1 to ${MAX_RECEIPTS} receipts, got ${count}`);
  return Array.from({ length: count }, () =>
    reader.byteString("a receipt, a COSE_Sign1 in a byte string").slice(),
  );
}

function formatPairs(pairs: readonly Pick<CborPair, "key" | "value">[]): Uint8Array {
  const sorted = pairs.toSorted((a, b) => compareBytes(a.key, b.key));
  return concat(head(5, sorted.length), ...sorted.flatMap(({ key, value }) => [key, value]));
}

function fail(why: string): never {
  throw new WritError("ENVELOPE_INVALID", `COSE_Sign1, unprotected[394]: ${why}`, {
    path: "unprotected[394]",
  });
}
