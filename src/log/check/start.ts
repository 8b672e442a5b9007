/** What a log makes sure of before it takes anything in: its key, its tree, its index. */
import { sameHash } from "../../../merkle/index.js";
import { ProofError, WritError } from "../../errors.js";
import { openCheckpoint } from "../../format/cosignature.js";
import type { SigningKey } from "../../format/vkey.js";
import { type LogPolicy, openLogPolicy } from "../../record/log-policy.js";
import type { Head, Store } from "../../store/contract.js";
import { indexIsWhole } from "../admit/rows.js";
import type { Prover } from "../tree/prove.js";
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
