/** Proof of misbehaviour, checked offline: that a log has signed two histories. */
import { emptyRoot, sameHash, verifyConsistency } from "../../merkle/index.js";
import { ProofError } from "../errors.js";
import { type Evidence, parseEvidence } from "../format/evidence.js";
import type { Policy } from "../format/policy.js";
import { type SeenCheckpoint, seeCheckpoint } from "../format/trusted.js";

export interface ProvenFork {
  readonly log: string;
  readonly older: SeenCheckpoint;
  readonly newer: SeenCheckpoint;
}

/**
 * Does the file prove that a log of the policy has two histories? Both checkpoints must be signed by it. Of one size, their
 * roots must differ; of two sizes, the newer tree must be shown to begin with another tree than the older one. ProofError
 * when it proves nothing; EVIDENCE_MALFORMED, NOTE_MALFORMED or CHECKPOINT_MALFORMED when it is no evidence at all.
 */
export function verifyEvidence(file: Uint8Array | Evidence, policy: Policy): ProvenFork {
  const evidence = file instanceof Uint8Array ? parseEvidence(file) : file;
  // What a log has signed it has signed, whoever else's line is under it and whether that holds.
  const logs = { logs: policy.logs, witnesses: [], groups: [], quorum: null };
  const older = seeCheckpoint(evidence.older, logs);
  const newer = seeCheckpoint(evidence.newer, logs);
  if (older.origin !== newer.origin)
    throw new ProofError(`checkpoints of two logs, ${older.origin} and ${newer.origin}, prove nothing`);
  if (older.size > newer.size) throw new ProofError("the older checkpoint is the larger one");
  // There is one empty tree, whatever came later.
  if (older.size === 0 && !sameHash(older.root, emptyRoot())) return { log: older.origin, older, newer };
  const prefix = evidence.prefixRoot;
  if (older.size === newer.size) {
    if (sameHash(older.root, newer.root)) throw new ProofError("both checkpoints are of the same tree");
  } else {
    if (prefix === null)
      throw new ProofError("checkpoints of two sizes prove nothing without the root between them");
    verifyConsistency(older.size, newer.size, evidence.hashes, prefix, newer.root);
    if (sameHash(prefix, older.root)) throw new ProofError("the newer checkpoint extends the older one");
  }
  return { log: older.origin, older, newer };
}
