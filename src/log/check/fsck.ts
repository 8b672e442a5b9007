/**
 * Checking a stored log from nothing but its entries: every leaf hashed again, every tile and index row rebuilt and
 * compared, every stored head's root recomputed. What the store has beyond that is a fault too.
 */
import {
  type CompactRange,
  emptyRange,
  extendRange,
  leafHash,
  rangeRoot,
  sameHash,
} from "../../../merkle/index.js";
import { WritError } from "../../errors.js";
import { sameBytes, toHex } from "../../format/bytes.js";
import { BitLists, REVOKED, VALID } from "../../index/bits.js";
import { TILE_WIDTH } from "../../format/tile-path.js";
import type { SigningKey } from "../../format/vkey.js";
import { allRows, type Head, type Row, type Store, type Table, TABLES } from "../../store/contract.js";
import { Edge } from "../tree/integrate.js";
import { HeadClock } from "../tree/head-clock.js";
import { Replay } from "./replay.js";
import { indexIsWhole } from "../admit/rows.js";
import { type Sweep, sweptRow, sweptTo, sweptBy } from "../state/sweeps.js";

export interface FsckReport {
  readonly size: number;
  readonly faults: readonly string[];
}

const STEP = 1024;
const MAX_FAULTS = 100;

export async function fsckStore(
  store: Store,
  key: SigningKey,
  progress: (done: number, total: number) => void = () => {},
): Promise<FsckReport> {
  const head = await store.head();
  if (head === null) throw new WritError("LOG_MISSING", "the store holds no log");
  return new Checker(store, key, head, progress).run();
}

class Checker {
  private readonly faults: string[] = [];
  private readonly edge = new Edge();
  private range: CompactRange = emptyRange();
  private replay: Replay | null = null;
  private readonly clock: HeadClock;
  private nextHead: Head | null = null;
  private readonly rowCounts = new Map<Table, number>();
  private readonly swept = new BitLists();
  private sweptTo = -1;
  /** Is there an index of this version? */
  private hasIndex = true;

  constructor(
    private readonly store: Store,
    private readonly key: SigningKey,
    private readonly head: Head,
    private readonly progress: (done: number, total: number) => void,
  ) {
    this.clock = new HeadClock(store);
  }

  async run(): Promise<FsckReport> {
    const { size } = this.head;
    await this.checkPolicy();
    if (this.faults.length > 0) return { size, faults: this.faults };
    if (!(await indexIsWhole(this.store))) {
      // Held against it, every row would be wrong: the entries are what counts.
      this.fault(
        "the index is missing, unfinished or of another version: a start makes it again, and so does writ reindex",
      );
      this.hasIndex = false;
    }
    this.nextHead = await this.store.headOver(0);
    this.sweptTo = await sweptTo(this.store);
    for (let start = 0; start < size; start += STEP) {
      const end = Math.min(size, start + STEP);
      const entries = await this.read(start, end);
      if (entries === null) break;
      await this.checkEntries(start, entries);
      this.progress(end, size);
    }
    if (this.hasIndex) await this.checkRowCounts();
    await this.checkNothingBeyond();
    return { size, faults: this.faults };
  }

  private async checkPolicy(): Promise<void> {
    try {
      const [first = new Uint8Array(0)] = await this.store.entries(0, 1);
      this.replay = new Replay(this.store, first, this.key);
    } catch (error) {
      this.fault(`entry 0: ${messageOf(error)}`);
    }
  }

  private async read(start: number, end: number): Promise<Uint8Array[] | null> {
    try {
      return await this.store.entries(start, end);
    } catch (error) {
      this.fault(`entries [${start}, ${end}): ${messageOf(error)}`);
      return null;
    }
  }

  private async checkEntries(start: number, entries: readonly Uint8Array[]): Promise<void> {
    const leaves = entries.map(leafHash);
    // Heads may fall anywhere in the step: the range stops at each of them to show its root.
    for (let done = 0; done < leaves.length; ) {
      const stop =
        this.nextHead === null ? leaves.length : Math.min(leaves.length, this.nextHead.size - start);
      this.range = extendRange(this.range, leaves.slice(done, stop));
      done = stop;
      if (this.nextHead !== null && this.range.end === this.nextHead.size)
        await this.checkHead(this.nextHead);
    }
    for (const { level, tile } of this.edge.append(leaves)) {
      const [stored] = await this.store.tiles([{ level, index: tile.index }]);
      if (stored === undefined) this.fault(`tile ${level}/${tile.index} is missing`);
      else if (!sameBytes(stored, tile.toStored()))
        this.fault(`tile ${level}/${tile.index} is not that of its entries`);
    }
    if (!this.hasIndex) return;
    const times = await this.clock.times(start, start + entries.length);
    const made = await this.replay?.rows(start, entries, times);
    made?.faults.forEach(({ index, why }) => this.fault(`entry ${index}: ${why}`));
    await this.checkRows(made?.rows ?? []);
    for (const sweep of made?.sweeps ?? []) await this.checkSweep(sweep);
  }

  /** What a sweep took is there, if the log had come to its end. */
  private async checkSweep(sweep: Sweep): Promise<void> {
    if (this.replay === null) return;
    for await (const positions of sweptBy(this.store, this.replay.keys, sweep)) {
      const fresh = [...new Set(positions)].filter((position) => this.swept.get(position) === VALID);
      for (const position of fresh) this.swept.set(position, REVOKED);
      const rows = fresh.map((position) => sweptRow(position, sweep));
      const found = await this.store.lookup(
        "swept",
        rows.map(({ key }) => key),
      );
      const isOver = sweep.at <= this.sweptTo;
      await this.checkRows(rows.filter((_, i) => isOver || found[i] !== undefined));
    }
  }

  private async checkHead(head: Head): Promise<void> {
    if (!sameHash(rangeRoot(this.range), head.root))
      this.fault(`the head of ${head.size} has another root than its entries`);
    const next = await this.store.headOver(head.size);
    if (next !== null && next.receivedAt < head.receivedAt)
      this.fault(`the clock goes back between heads ${head.size} and ${next.size}`);
    this.nextHead = next;
  }

  private async checkRows(rows: readonly Row[]): Promise<void> {
    for (const table of TABLES) {
      const expected = rows.filter((row) => row.table === table);
      if (expected.length === 0) continue;
      this.rowCounts.set(table, (this.rowCounts.get(table) ?? 0) + expected.length);
      const found = await this.store.lookup(
        table,
        expected.map(({ key }) => key),
      );
      expected.forEach(({ key, value }, i) => {
        const stored = found[i];
        if (stored === undefined) this.fault(`${table} row ${toHex(key)} is missing`);
        else if (!sameBytes(stored, value)) this.fault(`${table} row ${toHex(key)} is wrong`);
      });
    }
  }

  /** Every expected row is there; as many rows as expected means there are no others. */
  private async checkRowCounts(): Promise<void> {
    this.rowCounts.set("meta", this.sweptTo < 0 ? 1 : 2);
    for (const table of TABLES) {
      const count = await countRows(this.store, table);
      const want = this.rowCounts.get(table) ?? 0;
      if (count !== want) this.fault(`table ${table} has ${count} rows, its entries make ${want}`);
    }
  }

  /** No entry after the last, no tile after the last of its level. */
  private async checkNothingBeyond(): Promise<void> {
    const { size } = this.head;
    const extra = await this.store.entries(size, size + 1).catch(() => []);
    if (extra.length > 0) this.fault(`entry ${size} is there, beyond the head`);
    for (
      let level = 0, full = Math.floor(size / TILE_WIDTH);
      level < 8;
      level++, full = Math.floor(full / TILE_WIDTH)
    ) {
      const [tile] = await this.store.tiles([{ level, index: full }]);
      if (tile !== undefined) this.fault(`tile ${level}/${full} is there, beyond the head`);
    }
  }

  private fault(what: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(what);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** How many rows a table has. */
async function countRows(store: Store, table: (typeof TABLES)[number]): Promise<number> {
  let count = 0;
  for await (const _ of allRows(store, table)) count++;
  return count;
}
