/**
 * The index made again from the entries alone: what `fsck` compares with and `reindex` writes. Entries go in in log
 * order, a stretch at a time; each stretch's rows must be in the store before the next is asked about.
 */
import { WritError } from "../errors.js";
import type { VerifierKey } from "../format/vkey.js";
import { KeyTable } from "../index/keys.js";
import { openLogPolicy } from "../record/log-policy.js";
import { allRows, type Head, type Row, type Store, TABLES } from "../store/contract.js";
import { readStored } from "./admit.js";
import { Gate } from "./gate.js";
import { keyRoots } from "./log.js";
import { rowsOf, WHOLE_INDEX } from "./rows.js";

const STEP = 1024;

export interface Replayed {
  readonly rows: readonly Row[];
  /** What the entries hold that should not have been admitted, as sentences. */
  readonly faults: readonly string[];
}

export class Replay {
  private readonly keys: KeyTable;
  private readonly gate: Gate;
  private readonly raw: boolean;

  /** `first`: entry 0. ProofError unless it is the policy that this key signed. */
  constructor(store: Store, first: Uint8Array, key: VerifierKey) {
    const policy = openLogPolicy(first, key);
    this.raw = policy.admission === "raw";
    this.keys = new KeyTable(keyRoots(policy, key));
    this.gate = new Gate(store, this.keys);
  }

  /** The rows of the entries from `start` on; `times`: when the log took each in, milliseconds since 1970. */
  async rows(start: number, entries: readonly Uint8Array[], times: readonly number[]): Promise<Replayed> {
    const rows: Row[] = [];
    const faults: string[] = [];
    const read = entries.flatMap((stored, i) => {
      try {
        return [{ index: start + i, entry: readStored(stored, this.raw && start + i > 0) }];
      } catch (error) {
        faults.push(`entry ${start + i}: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      }
    });
    if (!this.raw)
      await this.gate.prepare(
        read.map(({ entry }) => entry),
        start,
      );
    for (const { index, entry } of read) {
      rows.push(...rowsOf(entry, index, times[index - start] ?? 0));
      if (this.raw) continue;
      // Who was believed was settled when it was admitted, at a moment that is not on record.
      const admitted = { ...entry, keyEvents: this.keys.events };
      const refusal = this.gate.refusal(admitted, times[index - start] ?? 0);
      if (refusal !== undefined) faults.push(`entry ${index} should have been refused: ${refusal.message}`);
      rows.push(...this.gate.take(entry, index).rows);
    }
    return { rows, faults };
  }
}

/** Removes the whole index and makes it again. Interrupted, it leaves a store that refuses to open until it has ended. */
export async function reindex(
  store: Store,
  key: VerifierKey,
  progress: (done: number, total: number) => void = () => {},
): Promise<{ readonly size: number; readonly rows: number }> {
  const head = await store.head();
  if (head === null) throw new WritError("LOG_MISSING", "the store holds no log");
  const [first = new Uint8Array(0)] = await store.entries(0, 1);
  const replay = new Replay(store, first, key);
  // The row that says that the index is whole goes first and comes back last.
  await store.clearRows("meta");
  for (const table of TABLES) await store.clearRows(table);
  let rows = 0;
  const clock = new HeadClock(store);
  for (let start = 0; start < head.size; start += STEP) {
    const end = Math.min(head.size, start + STEP);
    const times = await clock.times(start, end);
    const made = await replay.rows(start, await store.entries(start, end), times);
    await store.putRows(made.rows);
    rows += made.rows.length;
    progress(end, head.size);
  }
  await store.putRows([WHOLE_INDEX]);
  return { size: head.size, rows: rows + 1 };
}

/** When the log took entries in, asked in log order. */
export class HeadClock {
  private head: Head | null = null;

  constructor(private readonly store: Store) {}

  async times(start: number, end: number): Promise<number[]> {
    const times: number[] = [];
    for (let index = start; index < end; index++) {
      if (this.head === null || index >= this.head.size) this.head = await this.store.headOver(index);
      times.push(this.head?.receivedAt ?? 0);
    }
    return times;
  }
}

/** How many rows a table has. */
export async function countRows(store: Store, table: (typeof TABLES)[number]): Promise<number> {
  let count = 0;
  for await (const _ of allRows(store, table)) count++;
  return count;
}
