/**
 * Checking receipts (RFC 9942 §5.2, §5.3; RFC 9943 §7.1): the root is computed from the statement and the proof, and the
 * signature over it checked by a key that was pinned beforehand. Nothing in a receipt is believed, and nothing is fetched.
 */
import {
  type Hash,
  inclusionRoot,
  leafHash,
  consistencyRoot,
  ProofError,
  sameHash,
} from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { fromHex, sameBytes, toHex } from "../format/bytes.js";
import { parseCoseKeySet, type ServiceKey } from "./cose-key.js";
import { publicKey, verifierOf } from "./key.js";
import { guessForm, parseStatement } from "./parse.js";
import { type InclusionProof, parseReceipt, type Receipt, receiptMessage } from "./receipt.js";
import { splitTransparent } from "./transparent.js";

/** One transparency service as a verifier knows it. */
export interface PinnedService {
  /** What its receipts must call it (`iss`); null when only its keys are pinned. */
  readonly url: string | null;
  readonly keys: readonly ServiceKey[];
}

/** A log of ours, by the Ed25519 key (32 bytes) that signs its checkpoints and its receipts. RangeError when it is not sound. */
export function serviceOfKey(ed25519Key: Uint8Array): PinnedService {
  const key = publicKey("Ed25519", ed25519Key);
  if (key === undefined) throw new RangeError("want a sound Ed25519 key");
  return { url: null, keys: [{ kid: fromHex(key.keyId) ?? null, key }] };
}

/** A service by its key set, or by one key (`/.well-known/scitt-keys`). COSE_KEY_MALFORMED. */
export function serviceOfKeySet(bytes: Uint8Array, url: string | null = null): PinnedService {
  return { url, keys: parseCoseKeySet(bytes) };
}

export interface VerifiedReceipt {
  readonly service: PinnedService;
  /** As the receipt has them: the service's URL, and what the statement is about. */
  readonly issuer: string | null;
  readonly subject: string | null;
  /**
   * The place and the size of the tree, as the receipt counts them. Only the root is signed (RFC 9942 §5.2): a proof can be
   * rewritten to other numbers that lead to the same root. That the statement is under that root is what is proven.
   */
  readonly index: number;
  readonly size: number;
  /** 32 bytes */
  readonly root: Hash;
}

export type ReceiptOutcome =
  | { readonly outcome: "verified"; readonly receipt: VerifiedReceipt }
  /** By a service that is not pinned, or in a form that is not ours to read: it says nothing, for or against. */
  | { readonly outcome: "unknown"; readonly reason: string }
  | { readonly outcome: "invalid"; readonly reason: string };

/**
 * Is the statement in the tree of one of these services, on the word of this receipt? Any accepted form of the statement
 * will do, with or without receipts in it. ProofError when the receipt is by none of the keys, is not of inclusion, or does
 * not hold; RECEIPT_MALFORMED when it is none that is read here.
 */
export function verifyReceipt(
  statement: Uint8Array,
  receipt: Uint8Array,
  services: readonly PinnedService[],
): VerifiedReceipt {
  const judged = judge(statement, parseReceipt(receipt), services);
  if (judged.outcome === "verified") return judged.receipt;
  throw new ProofError(judged.reason);
}

/**
 * The same for whoever holds several receipts, of which some may be by strangers: anybody can attach one, so what cannot be
 * read, or is by nobody who is pinned, is unknown and spoils nothing.
 */
export function judgeReceipt(
  statement: Uint8Array,
  receipt: Uint8Array,
  services: readonly PinnedService[],
): ReceiptOutcome {
  let read: Receipt;
  try {
    read = parseReceipt(receipt);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return { outcome: "unknown", reason: `it is not read here: ${error.message}` };
  }
  return judge(statement, read, services);
}

function judge(statement: Uint8Array, receipt: Receipt, services: readonly PinnedService[]): ReceiptOutcome {
  const [proof] = receipt.inclusion;
  if (proof === undefined) return { outcome: "unknown", reason: "it is not of inclusion" };
  const candidates = candidatesFor(receipt, services);
  let reason = "";
  for (const entry of entryForms(statement)) {
    const root = rootOf(receipt.inclusion, entry);
    if (root instanceof ProofError) {
      reason = root.message;
      continue;
    }
    const found = candidates.find(({ key }) => isSignedBy(receipt, root, key));
    if (found !== undefined) return verified(receipt, proof, root, found.service);
    reason =
      "the signature is not over this statement's root: the receipt is of another statement, or has been changed";
  }
  // Only a kid says whose it would be: without one, a stranger's receipt is told from a broken one by nobody.
  if (candidates.some(({ isNamed }) => isNamed)) return { outcome: "invalid", reason };
  return { outcome: "unknown", reason: `it is by no pinned service: ${signerOf(receipt)}` };
}

function verified(
  { issuer, subject }: Receipt,
  { index, size }: InclusionProof,
  root: Hash,
  service: PinnedService,
): ReceiptOutcome {
  return { outcome: "verified", receipt: { service, issuer, subject, index, size, root } };
}

/**
 * The newer root that a receipt of consistency vouches for, from the older root that the verifier holds; its size is the
 * receipt's own count, as in `VerifiedReceipt`. ProofError, RECEIPT_MALFORMED.
 */
export function verifyConsistencyReceipt(
  bytes: Uint8Array,
  older: { readonly size: number; readonly root: Hash },
  services: readonly PinnedService[],
): { readonly service: PinnedService; readonly size: number; readonly root: Hash } {
  const receipt = parseReceipt(bytes);
  const proofs = receipt.consistency.filter(({ from }) => from === older.size);
  if (proofs.length === 0)
    throw new ProofError(`the receipt is not of consistency with a tree of ${older.size}`);
  let refused: unknown;
  for (const { from, to, hashes } of proofs) {
    try {
      const root = consistencyRoot(from, to, hashes, older.root);
      const found = candidatesFor(receipt, services).find(({ key }) => isSignedBy(receipt, root, key));
      if (found !== undefined) return { service: found.service, size: to, root };
      refused = new ProofError(`the newer root is signed by no pinned key: ${signerOf(receipt)}`);
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      refused = error;
    }
  }
  throw refused;
}

interface Candidate {
  readonly service: PinnedService;
  readonly key: ServiceKey;
  /** Does the receipt name the key by its kid? */
  readonly isNamed: boolean;
}

/**
 * The pinned keys that a receipt may be by: of its algorithm, of its kid where both have one, and of a service that it calls
 * by its URL where that is pinned.
 */
function candidatesFor({ algorithm, kid, issuer }: Receipt, services: readonly PinnedService[]): Candidate[] {
  return services
    .filter(({ url }) => url === null || (issuer !== null && bare(url) === bare(issuer)))
    .flatMap((service) =>
      service.keys
        .filter(({ key }) => key.algorithm === algorithm)
        .filter((key) => kid === null || key.kid === null || sameBytes(key.kid, kid))
        .map((key) => ({ service, key, isNamed: kid !== null && key.kid !== null })),
    );
}

/** A URL as it names a service: with or without a slash at its end. */
function bare(url: string): string {
  return url.replace(/\/+$/, "");
}

/** All proofs of a receipt lead to the one root that is signed, or none is believed. */
function rootOf(proofs: readonly InclusionProof[], entry: Uint8Array): Hash | ProofError {
  try {
    const leaf = leafHash(entry);
    const [root, ...others] = proofs.map(({ index, size, hashes }) =>
      inclusionRoot(index, size, leaf, hashes),
    );
    if (root !== undefined && others.every((other) => sameHash(other, root))) return root;
    return new ProofError("its proofs lead to different roots");
  } catch (error) {
    if (error instanceof ProofError) return error;
    throw error;
  }
}

function isSignedBy(
  { protectedBytes, payload, signature }: Receipt,
  root: Hash,
  { key }: ServiceKey,
): boolean {
  if (payload !== null && !sameHash(payload, root)) return false;
  return verifierOf(key)(signature, receiptMessage(protectedBytes, root));
}

/**
 * The bytes that may be in a log for a statement: of COSE, with the unprotected header emptied (RFC 9943 §7), whatever else
 * is in it; of DSSE, the stored form; and just what was given.
 */
function entryForms(statement: Uint8Array): Uint8Array[] {
  try {
    const stored = storedForm(statement);
    return sameBytes(stored, statement) ? [stored] : [stored, statement];
  } catch (error) {
    if (error instanceof WritError) return [statement];
    throw error;
  }
}

/** What is hashed of a statement of either form. WritError when it is neither. */
export function storedForm(statement: Uint8Array): Uint8Array {
  if (guessForm(statement) === "cose") return splitTransparent(statement).statement;
  return parseStatement(statement, "dsse").stored;
}

function signerOf({ kid, issuer }: Receipt): string {
  return `its kid is ${kid === null ? "none" : toHex(kid)}, its issuer ${issuer ?? "none"}`;
}
