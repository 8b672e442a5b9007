/**
 * Offline verification: a statement that the verifier holds, a proof file, and what the verifier trusts. Nothing is
 * fetched, nothing in the proof is believed; runs in a browser.
 */
import { type Hash, leafHash, verifyInclusion } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { sameBytes } from "../format/bytes.js";
import { type Checkpoint, parseCheckpoint } from "../format/checkpoint.js";
import { verifySignatures } from "../format/cosignature.js";
import { parseNote } from "../format/note.js";
import { type Policy, parsePolicy, policyOfKey, quorumMet } from "../format/policy.js";
import { parseTlogProof, type TlogProof } from "../format/tlog-proof.js";
import { parseVerifierKey } from "../format/vkey.js";
import { guessForm, parseStatement } from "../statement/parse.js";

export { ProofError, WritError } from "../errors.js";
export { parsePolicy, type Policy } from "../format/policy.js";
export { parseTlogProof, formatTlogProof, type TlogProof } from "../format/tlog-proof.js";

/** A witness of the policy that cosigned, and when it says so (POSIX seconds). */
export interface Cosigner {
  readonly name: string;
  readonly time: bigint;
}

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

/** Trust as a policy file says (c2sp.org/tlog-policy). */
export function trustPolicy(file: Uint8Array): Policy {
  return parsePolicy(file);
}

/**
 * The checkpoint in a signed note, signed by a log of the policy and cosigned by its quorum. ProofError otherwise;
 * WritError when the bytes are no checkpoint at all.
 */
export function verifyCheckpoint(bytes: Uint8Array, policy: Policy): VerifiedCheckpoint {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpoint(note.text);
  const logKeys = policy.logs.map(({ key }) => key).filter((key) => key.name === checkpoint.origin);
  if (logKeys.length === 0) throw new ProofError(`${checkpoint.origin} is not a log that you trust`);
  if (verifySignatures(note, logKeys).length === 0) {
    throw new ProofError(`the checkpoint of ${checkpoint.origin} is not signed by the key that you trust`);
  }
  const cosigned = verifySignatures(
    note,
    policy.witnesses.map(({ key }) => key),
  );
  const cosigners = policy.witnesses.flatMap(({ name, key }) => {
    const time = cosigned.find((verified) => verified.key === key)?.time;
    return time === undefined || time === null ? [] : [{ name, time }];
  });
  if (!quorumMet(policy, new Set(cosigners.map(({ name }) => name)))) {
    throw new ProofError(
      `the quorum ${policy.quorum} is not met: cosigned by ${cosigners.map(({ name }) => name).join(", ") || "nobody you trust"}`,
    );
  }
  return { ...checkpoint, cosigners, witnessed: policy.quorum !== null };
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
