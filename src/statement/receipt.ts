/**
 * Receipts (RFC 9942) of the one profile RFC9162_SHA256: a COSE_Sign1 whose payload, the root, is detached, and whose proof
 * stands in the unprotected header. Whoever verifies one computes the root from the proof and checks the signature over it.
 *
 *     18([<<{1: -8, 4: h'6ee4…', 15: {1: "https://log.example", 2: "urn:example:a"}, 395: 1}>>,
 *         {396: {-1: [<<[3, 0, [h'03c3…', h'8552…']]>>]}}, null, h'…64 bytes'])
 *
 * The protected header names the statement's subject, so a signature serves one root *and* one subject: that is all that the
 * format lets receipts share.
 */
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { fromHex, sameBytes, utf8 } from "../format/bytes.js";
import {
  type CborBytes,
  type CborPair,
  CborReader,
  CborWriter,
  encodeCbor,
  headLength,
  stringLength,
} from "./cbor.js";
import { algorithmOf, demandCritical } from "./cose.js";
import { kidOf } from "./cose-key.js";
import type { Algorithm } from "./key.js";
import { ALG, CRIT, CWT_CLAIMS, EDDSA, ISS, KID, SUB, TYP, VDP, VDS } from "./labels.js";
import { formatSign1, openSign1, type Sign1, sigStructure } from "./sign1.js";

export const RECEIPT_MEDIA_TYPE = "application/scitt-receipt+cose";

const RFC9162_SHA256 = 1;
const INCLUSION = Uint8Array.of(0x20);
const CONSISTENCY = Uint8Array.of(0x21);
const VDP_LABEL = encodeCbor(VDP);
/** Without the claims: whoever says that they are critical may mean `exp`, which is not judged here. */
const UNDERSTOOD: ReadonlySet<unknown> = new Set([ALG, CRIT, TYP, KID, VDS]);
const MAX_HASHES = 63;
/** A subject may fill nearly the whole of an entry, and the receipt repeats it. */
const MAX_RECEIPT_BYTES = 2 * 65_536;

export interface InclusionProof {
  readonly size: number;
  readonly index: number;
  /** Leaf to root. */
  readonly hashes: readonly Hash[];
}

export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly hashes: readonly Hash[];
}

/** What was read, and nothing of it believed yet. */
export interface Receipt {
  /** Null when it is one that we cannot verify. */
  readonly algorithm: Algorithm | null;
  /** The name of the key; null when there is none. */
  readonly kid: Uint8Array | null;
  /** The service's URL and the statement's subject, as the receipt has them. */
  readonly issuer: string | null;
  readonly subject: string | null;
  readonly protectedBytes: Uint8Array;
  /** Of one kind, at least one. */
  readonly inclusion: readonly InclusionProof[];
  readonly consistency: readonly ConsistencyProof[];
  /** The root, from services that attach it. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
}

/**
 * The protected headers of one service's receipts, signed by an Ed25519 key (`keyId`: 64 hex digits): all but the subject is
 * encoded once.
 */
export class ReceiptHeaders {
  private readonly before: Uint8Array;
  private readonly after: Uint8Array;

  constructor(keyId: string, issuer: string) {
    const kid = fromHex(keyId);
    if (kid === undefined) throw new RangeError("a key id is hex");
    const whole = encodeCbor(
      new Map<number, unknown>([
        [ALG, EDDSA],
        [KID, kid],
        [
          CWT_CLAIMS,
          new Map<number, unknown>([
            [ISS, issuer],
            [SUB, ""],
          ]),
        ],
        [VDS, RFC9162_SHA256],
      ]),
    );
    // The empty subject is the one byte before the last label and its value.
    const at = whole.length - encodeCbor(VDS).length - 2;
    this.before = whole.slice(0, at);
    this.after = whole.slice(at + 1);
  }

  /** The header of a receipt about `subject`. */
  about(subject: string): Uint8Array {
    const text = utf8(subject);
    return new CborWriter(this.before.length + stringLength(text.length) + this.after.length)
      .raw(this.before)
      .head(3, text.length)
      .raw(text)
      .raw(this.after)
      .finish();
  }
}

/** What is signed: the Sig_structure over the detached root. */
export function receiptMessage(header: Uint8Array, root: Hash): Uint8Array {
  return sigStructure(header, root);
}

export function formatInclusionReceipt(
  header: Uint8Array,
  { size, index, hashes }: InclusionProof,
  signature: Uint8Array,
): Uint8Array {
  return formatReceipt(header, INCLUSION, size, index, hashes, signature);
}

/** Signed over the root of the newer tree. */
export function formatConsistencyReceipt(
  header: Uint8Array,
  { from, to, hashes }: ConsistencyProof,
  signature: Uint8Array,
): Uint8Array {
  return formatReceipt(header, CONSISTENCY, from, to, hashes, signature);
}

/** `{396: {kind: [bstr .cbor [a, b, [hashes]]]}}` beside the header and the signature. */
function formatReceipt(
  header: Uint8Array,
  kind: Uint8Array,
  a: number,
  b: number,
  hashes: readonly Hash[],
  signature: Uint8Array,
): Uint8Array {
  const proofLength = 1 + headLength(a) + headLength(b) + headLength(hashes.length) + 34 * hashes.length;
  const out = new CborWriter(1 + VDP_LABEL.length + 3 + stringLength(proofLength));
  out.head(5, 1).raw(VDP_LABEL).head(5, 1).raw(kind).head(4, 1);
  out.head(2, proofLength).head(4, 3).head(0, a).head(0, b).head(4, hashes.length);
  for (const hash of hashes) out.bytes(hash);
  return formatSign1(header, null, signature, out.finish());
}

/**
 * Reads a receipt, of this log or another. Deterministic CBOR, but for the order of map keys: RFC 9942 asks for none, and
 * nobody hashes a receipt. RECEIPT_MALFORMED, also for another profile, and for proofs of both kinds in one.
 */
export function parseReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length > MAX_RECEIPT_BYTES) fail(`at most ${MAX_RECEIPT_BYTES} bytes, got ${bytes.length}`);
  const sign1 = openSign1(bytes, { code: "RECEIPT_MALFORMED", anyOrder: true });
  const { header, payload, signature } = sign1;
  demandCritical(header, UNDERSTOOD, "RECEIPT_MALFORMED");
  if (header.get(VDS) !== RFC9162_SHA256)
    fail("395 (the verifiable data structure): want 1, RFC9162_SHA256, in the protected header");
  if (payload !== null && payload.length !== 32) fail("the payload: want none, or a root of 32 bytes");
  const claims = header.get(CWT_CLAIMS);
  return {
    algorithm: algorithmOf(header.get(ALG)) ?? null,
    kid: kidOf(header.get(KID)),
    issuer: claimOf(claims, ISS),
    subject: claimOf(claims, SUB),
    protectedBytes: sign1.protected.bytes,
    ...proofsOf(sign1),
    payload,
    signature,
  };
}

function claimOf(claims: unknown, label: number): string | null {
  const value: unknown = claims instanceof Map ? claims.get(label) : undefined;
  return typeof value === "string" ? value : null;
}

function proofsOf({ unprotected }: Sign1): Pick<Receipt, "inclusion" | "consistency"> {
  const proofs = unprotected.find(({ key }) => sameBytes(key, VDP_LABEL));
  if (proofs === undefined) fail("396 (the proofs): missing in the unprotected header");
  const pairs = readerOf({ bytes: proofs.value, at: proofs.valueAt }).map("396, a map of proofs");
  const [pair, ...others] = pairs;
  if (pair === undefined || others.length > 0) fail("396: want proofs of one kind");
  if (sameBytes(pair.key, INCLUSION)) {
    const inclusion = proofsIn(pair).map(([size, index, hashes]) => ({ size, index, hashes }));
    return { inclusion, consistency: [] };
  }
  if (!sameBytes(pair.key, CONSISTENCY)) fail("396: want proofs of inclusion (-1) or consistency (-2)");
  return {
    inclusion: [],
    consistency: proofsIn(pair).map(([from, to, hashes]) => ({ from, to, hashes })),
  };
}

/** `[+ bstr .cbor [uint, uint, [* bstr]]]`; a tree of one entry has an empty path. */
function proofsIn({ value, valueAt }: CborPair): (readonly [number, number, Hash[]])[] {
  const reader = readerOf({ bytes: value, at: valueAt });
  const count = reader.expect(4, "an array of proofs");
  if (count === 0 || count > MAX_HASHES) fail(`want 1 to ${MAX_HASHES} proofs, got ${count}`);
  const proofs = Array.from({ length: count }, () =>
    proofIn(reader.nested("a proof, CBOR in a byte string")),
  );
  reader.end();
  return proofs;
}

function proofIn(bytes: CborBytes): readonly [number, number, Hash[]] {
  const reader = readerOf(bytes);
  if (reader.expect(4, "a proof, an array") !== 3) fail("a proof: want an array of 3");
  const a = reader.uint("a number of the proof");
  const b = reader.uint("a number of the proof");
  const length = reader.expect(4, "the path, an array");
  if (length > MAX_HASHES) fail(`a path has at most ${MAX_HASHES} hashes, got ${length}`);
  const hashes = Array.from({ length }, () => {
    const hash = reader.byteString("a hash");
    return hash.length === 32 ? asHash(hash) : fail(`a hash has 32 bytes, got ${hash.length}`);
  });
  reader.end();
  return [a, b, hashes];
}

function readerOf({ bytes, at }: CborBytes): CborReader {
  return new CborReader(bytes, { code: "RECEIPT_MALFORMED", anyOrder: true, base: at });
}

function fail(why: string): never {
  throw new WritError("RECEIPT_MALFORMED", `receipt: ${why}`);
}
