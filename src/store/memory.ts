/** The store in memory: for tests and throw-away logs. What "disk" means to it is the object itself. */
import { WritError } from "../errors.js";
import { toHex } from "../format/bytes.js";
import type { Commit, Head, Row, RowRange, Store, Table, TileRef } from "./contract.js";

/** Rows by hex key, and the keys in order once somebody has asked for an order. */
interface MemoryTable {
  readonly rows: Map<string, Row>;
  sorted: string[] | undefined;
}

export class MemoryStore implements Store {
  private readonly heads: Head[] = [];
  private readonly log: Uint8Array[] = [];
  private readonly tileData = new Map<string, Uint8Array>();
  private readonly tables = new Map<Table, MemoryTable>();
  private closed = false;

  async head(): Promise<Head | null> {
    this.demandOpen();
    return this.heads.at(-1) ?? null;
  }

  async headOver(index: number): Promise<Head | null> {
    this.demandOpen();
    return this.heads.find((head) => head.size > index) ?? null;
  }

  async commit(commit: Commit): Promise<void> {
    this.demandOpen();
    const size = this.heads.at(-1)?.size ?? 0;
    if (size !== commit.expectedSize) {
      throw new WritError(
        "STORE_CONFLICT",
        `the store has size ${size}, the commit extends ${commit.expectedSize}`,
      );
    }
    this.log.push(...commit.entries);
    for (const { level, index, data } of commit.tiles) this.tileData.set(`${level}/${index}`, data);
    this.put(commit.rows);
    this.heads.push(commit.head);
  }

  async entries(start: number, end: number): Promise<Uint8Array[]> {
    this.demandOpen();
    const found = this.log.slice(start, end);
    if (found.length !== end - start) throw new RangeError(`no entries [${start}, ${end})`);
    return found;
  }

  async entriesAt(indexes: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    this.demandOpen();
    return indexes.map((index) => this.log[index]);
  }

  async tiles(refs: readonly TileRef[]): Promise<(Uint8Array | undefined)[]> {
    this.demandOpen();
    return refs.map(({ level, index }) => this.tileData.get(`${level}/${index}`));
  }

  async lookup(table: Table, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.demandOpen();
    return keys.map((key) => this.table(table).rows.get(toHex(key))?.value);
  }

  async rows(table: Table, prefix: Uint8Array, range: RowRange = {}): Promise<Row[]> {
    this.demandOpen();
    const { from, to, reverse = false, limit = Number.POSITIVE_INFINITY } = range;
    const start = toHex(prefix);
    const { rows, sorted } = this.inOrder(table);
    const first = lowerBound(sorted, from === undefined ? start : start + toHex(from));
    const end = lowerBound(sorted, to === undefined ? `${start}g` : start + toHex(to));
    const count = limit < 0 ? Number.POSITIVE_INFINITY : limit;
    const keys = reverse
      ? sorted.slice(Math.max(first, end - count), end).toReversed()
      : sorted.slice(first, Math.min(end, first + count));
    return keys.flatMap((key) => rows.get(key) ?? []);
  }

  async putRows(rows: readonly Row[]): Promise<void> {
    this.demandOpen();
    this.put(rows);
  }

  async clearRows(table: Table): Promise<void> {
    this.demandOpen();
    this.tables.delete(table);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private put(rows: Iterable<Row>): void {
    for (const row of rows) {
      const table = this.table(row.table);
      const key = toHex(row.key);
      if (!table.rows.has(key)) table.sorted = undefined;
      table.rows.set(key, row);
    }
  }

  private table(name: Table): MemoryTable {
    const found = this.tables.get(name) ?? { rows: new Map<string, Row>(), sorted: undefined };
    this.tables.set(name, found);
    return found;
  }

  private inOrder(name: Table): { rows: Map<string, Row>; sorted: string[] } {
    const table = this.table(name);
    const sorted = table.sorted ?? [...table.rows.keys()].toSorted();
    table.sorted = sorted;
    return { rows: table.rows, sorted };
  }

  private demandOpen(): void {
    if (this.closed) throw new WritError("STORE_FAILED", "the store is closed");
  }
}

/** The place of the first key that is not less. */
function lowerBound(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
