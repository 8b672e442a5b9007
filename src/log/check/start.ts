/** What a log makes sure of before it takes anything in: its key, its tree, its index. */
import { sameHash } from "../../../merkle/index.js";
import { ProofError, WritError } from "../../errors.js";
import type { Checkpoint } from "../../format/checkpoint.js";
import { openCheckpoint } from "../../format/cosignature.js";
import { type Policy, quorumMet } from "../../format/policy.js";
import type { SigningKey } from "../../format/vkey.js";
import { type LogPolicy, openLogPolicy } from "../../record/log-policy.js";
import type { Head, Store } from "../../store/contract.js";
import { indexIsWhole } from "../admit/rows.js";
import type { Prover } from "../tree/prove.js";
import type { Holding } from "../witnessed/holdings.js";
import { type Published, publish } from "../tree/publish.js";

/** A kept checkpoint, if it is of this log as it is stored. */
export async function reopen(note: Uint8Array, store: Store, key: SigningKey): Promise<Published | null> {
  try {
    const { checkpoint } = openCheckpoint(note, key);
    const head = checkpoint.size === 0 ? null : await store.headOver(checkpoint.size - 1);
    if (head?.size !== checkpoint.size || !sameHash(head.root, checkpoint.root)) return null;
    return { ...publish(head, key), checkpoint: note, text: new TextDecoder().decode(note) };
  } catch (error) {
    if (error instanceof ProofError || error instanceof WritError) return null;
    throw error;
  }
}

/** How the stored log falls short of a checkpoint that it has signed, as a sentence; null when it does not. */
export async function rollback(store: Store, signed: Checkpoint): Promise<string | null> {
  const head = signed.size === 0 ? null : await store.headOver(signed.size - 1);
  if (signed.size > 0 && head === null) {
    const size = (await store.head())?.size ?? 0;
    return `the log has signed a checkpoint of ${signed.size} entries, and the database holds ${size}`;
  }
  if (head === null || head.size !== signed.size || sameHash(head.root, signed.root)) return null;
  return `the log has signed another tree of ${signed.size} entries than the database holds`;
}

/**
 * LOG_BEHIND when a witness holds more than this log does, or another tree: it is a copy of a log that went on. Who says nothing
 * is told of; WITNESSES_MISSING where nothing is shown without a quorum, and those who answer cannot make one.
 */
export async function demandNotBehind(
  store: Store,
  asked: readonly Holding[],
  policy: Policy,
  isRequired: boolean,
): Promise<void> {
  for (const { witnesses, checkpoint } of asked) {
    const fault = checkpoint === null ? null : await rollback(store, checkpoint);
    if (fault !== null)
      throw new WritError(
        "LOG_BEHIND",
        `the witness ${witnesses.join(" and ")} holds what this log has signed and does not have: ${fault}. This is a copy of a log that went on; starting it would sign a second history. Restore the newest database`,
      );
  }
  const heard = new Set(asked.flatMap(({ silent, witnesses }) => (silent === null ? witnesses : [])));
  if (!isRequired || quorumMet(policy, heard)) return;
  const silent = asked.flatMap(({ silent: why, witnesses }) =>
    why === null ? [] : [`${witnesses.join("+")} (${why})`],
  );
  throw new WritError(
    "WITNESSES_MISSING",
    `nothing may be shown without a quorum of witnesses, and too few of them answer: ${silent.join(", ")}; start again when they do`,
  );
}

export async function loadPolicy(store: Store, key: SigningKey): Promise<LogPolicy> {
  const [first] = await store.entries(0, 1);
  try {
    return openLogPolicy(first ?? new Uint8Array(0), key);
  } catch (error) {
    if (!(error instanceof ProofError)) throw error;
    throw new WritError(
      "LOG_KEY_MISMATCH",
      `the key ${key.name} is not this log's: ${error.message}`,
      {},
      { cause: error },
    );
  }
}

export async function demandStoredRoot(prover: Prover, head: Head): Promise<void> {
  if (sameHash(await prover.root(head.size), head.root)) return;
  throw new WritError(
    "STORE_CORRUPT",
    `the stored tree of ${head.size} does not have the stored root; run writ fsck`,
  );
}

export async function demandIndex(store: Store): Promise<void> {
  if (await indexIsWhole(store)) return;
  throw new WritError(
    "STORE_CORRUPT",
    "the index is missing, unfinished or of another version; writ reindex DIR makes it again from the entries",
  );
}
