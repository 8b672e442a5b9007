/** The index removed and made again from the entries, in place. */
import { WritError } from "../../errors.js";
import type { VerifierKey } from "../../format/vkey.js";
import { type Store, TABLES } from "../../store/contract.js";
import { WHOLE_INDEX } from "../admit/rows.js";
import { sweepAll } from "../state/sweeps.js";
import { HeadClock } from "../tree/head-clock.js";
import { Replay } from "./replay.js";

/** Entries that are read at once. */
const STEP = 1024;

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
    if (made.sweeps.length > 0) await sweepAll(store, replay.keys);
    progress(end, head.size);
  }
  await store.putRows([WHOLE_INDEX]);
  return { size: head.size, rows: rows + 1 };
}
