/**
 * A checkpoint in the eyes of a policy: signed by which of its logs, cosigned by which of its witnesses. Whether that is
 * enough is for the caller to say.
 */
import { ProofError } from "../errors.js";
import { type Checkpoint, parseCheckpoint } from "./checkpoint.js";
import { demandCovered, verifySignatures } from "./cosignature.js";
import { parseNote } from "./note.js";
import { type Policy, quorumMet } from "./policy.js";
import type { VerifierKey } from "./vkey.js";

/** A witness of the policy that cosigned, and when it says so (POSIX seconds). */
export interface Cosigner {
  readonly name: string;
  readonly time: bigint;
}

export interface SeenCheckpoint extends Checkpoint {
  /** The keys of the log, all of the policy, that signed it. */
  readonly logKeys: readonly VerifierKey[];
  readonly cosigners: readonly Cosigner[];
  /** Null when the policy asks for no witness. */
  readonly quorum: boolean | null;
}

/** ProofError unless a log of the policy signed it; WritError when the bytes are no checkpoint at all. */
export function seeCheckpoint(bytes: Uint8Array, policy: Policy): SeenCheckpoint {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpoint(note.text);
  const known = policy.logs.map(({ key }) => key).filter((key) => key.name === checkpoint.origin);
  if (known.length === 0) throw new ProofError(`${checkpoint.origin} is not a log that you trust`);
  const logKeys = verifySignatures(note, known).map(({ key }) => key);
  if (logKeys.length === 0) {
    throw new ProofError(`the checkpoint of ${checkpoint.origin} is not signed by the key that you trust`);
  }
  demandCovered(checkpoint, logKeys);
  const cosigned = verifySignatures(
    note,
    policy.witnesses.map(({ key }) => key),
  );
  const cosigners = policy.witnesses.flatMap(({ name, key }) => {
    const time = cosigned.find((verified) => verified.key === key)?.time;
    return time === undefined || time === null ? [] : [{ name, time }];
  });
  const met = quorumMet(policy, new Set(cosigners.map(({ name }) => name)));
  return { ...checkpoint, logKeys, cosigners, quorum: policy.quorum === null ? null : met };
}
