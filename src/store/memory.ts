/** The store in memory: for tests and throw-away logs. What "disk" means to it is the object itself. */
import { WritError } from "../errors.js";
import { toHex } from "../format/bytes.js";
import type { Commit, Head, Row, Store, Table, TileRef } from "./contract.js";

export class MemoryStore implements Store {
  private readonly heads: Head[] = [];
  private readonly log: Uint8Array[] = [];
  private readonly tileData = new Map<string, Uint8Array>();
  private readonly tables = new Map<Table, Map<string, Row>>();
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
    for (const row of commit.rows) this.table(row.table).set(toHex(row.key), row);
    this.heads.push(commit.head);
  }

  async entries(start: number, end: number): Promise<Uint8Array[]> {
    this.demandOpen();
    const found = this.log.slice(start, end);
    if (found.length !== end - start) throw new RangeError(`no entries [${start}, ${end})`);
    return found;
  }

  async tiles(refs: readonly TileRef[]): Promise<(Uint8Array | undefined)[]> {
    this.demandOpen();
    return refs.map(({ level, index }) => this.tileData.get(`${level}/${index}`));
  }

  async lookup(table: Table, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.demandOpen();
    return keys.map((key) => this.table(table).get(toHex(key))?.value);
  }

  async *scan(table: Table, prefix: Uint8Array, limit = Number.POSITIVE_INFINITY): AsyncGenerator<Row> {
    this.demandOpen();
    const start = toHex(prefix);
    const rows = [...this.table(table)]
      .filter(([key]) => key.startsWith(start))
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [, row] of rows.slice(0, limit)) yield row;
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private table(table: Table): Map<string, Row> {
    const found = this.tables.get(table) ?? new Map<string, Row>();
    this.tables.set(table, found);
    return found;
  }

  private demandOpen(): void {
    if (this.closed) throw new WritError("STORE_FAILED", "the store is closed");
  }
}
