/**
 * Offline verification: a statement that the verifier holds, a proof file, and what the verifier trusts. Nothing is
 * fetched, nothing in the proof is believed; runs in a browser.
 */
import { type Hash, leafHash, verifyInclusion } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { sameBytes } from "../format/bytes.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { type Policy, parsePolicy, policyOfKey } from "../format/policy.js";
import { parseTlogProof, type TlogProof } from "../format/tlog-proof.js";
import { type Cosigner, seeCheckpoint } from "../format/trusted.js";
import { parseVerifierKey } from "../format/vkey.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import { type PinnedService, serviceOfKey } from "../statement/verify-receipt.js";

export { ProofError, WritError } from "../errors.js";
export { parsePolicy, type Policy } from "../format/policy.js";
export type { Cosigner } from "../format/trusted.js";
export { type Bundle, bundleBytes, parseBundleFile } from "../trace/bundle.js";
export { PROFILES, type Profile } from "../trace/context.js";
export { type TraceVerdict, verdictJson } from "../trace/answer.js";
export { evaluate, type EvaluateOptions } from "../trace/evaluate.js";
export type { Finding, FindingCode, Outcome, VerdictWord } from "../trace/verdict.js";
export { type Evidence, looksLikeEvidence, parseEvidence } from "../format/evidence.js";
export { type ProvenFork, verifyEvidence } from "./evidence.js";
export {
  judgeReceipt,
  type PinnedService,
  type ReceiptOutcome,
  serviceOfKeySet,
  type VerifiedReceipt,
  verifyConsistencyReceipt,
  verifyReceipt,
} from "../statement/verify-receipt.js";
export { attachReceipts, splitTransparent, type TransparentStatement } from "../statement/transparent.js";
export {
  type Artifact,
  artifactsOf,
  type DigestAlgorithm,
  matchArtifact,
  verifySignature,
} from "./artifacts.js";
export { parseTlogProof, formatTlogProof, type TlogProof } from "../format/tlog-proof.js";

export interface VerifiedCheckpoint extends Checkpoint {
  readonly cosigners: readonly Cosigner[];
  /** False when the policy asks for no witness: then the operator alone is trusted not to show others another history. */
  readonly witnessed: boolean;
}

export interface VerifiedEntry {
  readonly index: number;
  readonly leafHash: Hash;
  /** The bytes that are in the log: the stored form of what was given. */
  readonly entry: Uint8Array;
  readonly checkpoint: VerifiedCheckpoint;
}

/** Trust in one log's key alone, from its verifier key text; no witnesses. */
export function trustKey(vkey: string): Policy {
  return policyOfKey(parseVerifierKey(vkey.trim()));
}

/** The same for its receipts: a service that is known by its verifier key text. */
export function trustService(vkey: string): PinnedService {
  return serviceOfKey(parseVerifierKey(vkey.trim()).publicKey);
}

/** Trust as a policy file says (c2sp.org/tlog-policy). */
export function trustPolicy(file: Uint8Array): Policy {
  return parsePolicy(file);
}

/**
 * The checkpoint in a signed note, signed by a log of the policy and cosigned by its quorum. ProofError otherwise;
 * WritError when the bytes are no checkpoint at all.
 */
export function verifyCheckpoint(bytes: Uint8Array, policy: Policy): VerifiedCheckpoint {
  const { quorum, ...checkpoint } = seeCheckpoint(bytes, policy);
  if (quorum === false) {
    throw new ProofError(
      `the quorum ${policy.quorum} is not met: cosigned by ${checkpoint.cosigners.map(({ name }) => name).join(", ") || "nobody you trust"}`,
    );
  }
  return { ...checkpoint, witnessed: quorum === true };
}

/**
 * Is this statement in the log? Any accepted form of it will do: it is brought to the stored form first. ProofError when
 * the proof is of something else or does not hold; WritError when it is no proof file.
 */
export function verifyEntry(
  statement: Uint8Array,
  proof: Uint8Array | TlogProof,
  policy: Policy,
): VerifiedEntry {
  const { index, hashes, checkpoint: note } = proof instanceof Uint8Array ? parseTlogProof(proof) : proof;
  const checkpoint = verifyCheckpoint(note, policy);
  let refused: unknown;
  for (const entry of storedForms(statement)) {
    const leaf = leafHash(entry);
    try {
      verifyInclusion(index, checkpoint.size, leaf, hashes, checkpoint.root);
      return { index, leafHash: leaf, entry, checkpoint };
    } catch (error) {
      refused = error;
    }
  }
  throw new ProofError("the proof is not of this statement, or has been changed", { cause: refused });
}

/** The bytes that may be in the log for a statement: its stored form, and (in a raw log) just what was given. */
function storedForms(statement: Uint8Array): Uint8Array[] {
  try {
    const { stored } = parseStatement(statement, guessForm(statement));
    return sameBytes(stored, statement) ? [stored] : [stored, statement];
  } catch (error) {
    if (error instanceof WritError) return [statement];
    throw error;
  }
}
