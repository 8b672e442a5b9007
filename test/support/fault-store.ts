/** A store with named faults: what goes wrong, and where. Everything else it hands to the store it wraps. */
import { WritError } from "../../src/errors.js";
import type { Commit, Head, Row, RowRange, Store, Table, TileRef } from "../../src/store/contract.js";

export const FAULTS = {
  "before commit": "nothing is written, the commit rejects",
  "during commit": "the commit rejects while its write is still under way, and the write succeeds",
  "after commit": "everything is written, the commit rejects all the same",
  "disk full": "the commit rejects with ENOSPC",
  "read error": "every read rejects",
  closed: "the store was closed under the log",
} as const;
export type Fault = keyof typeof FAULTS;

export class FaultStore implements Store {
  fault: Fault | null = null;
  /** Commits wait for this: races by stalling. */
  gate: Promise<void> = Promise.resolve();
  commits = 0;

  constructor(readonly inner: Store) {}

  async commit(commit: Commit): Promise<void> {
    this.commits++;
    await this.gate;
    if (this.fault === "before commit") throw new WritError("STORE_FAILED", "the write failed");
    if (this.fault === "disk full") throw new WritError("STORE_FAILED", "IO error: No space left on device");
    if (this.fault === "during commit") {
      setImmediate(() => void this.inner.commit(commit));
      throw new WritError("STORE_FAILED", "interrupted");
    }
    await this.inner.commit(commit);
    if (this.fault === "after commit") throw new WritError("STORE_FAILED", "the answer was lost");
  }

  async head(): Promise<Head | null> {
    return this.inner.head();
  }

  async headOver(index: number): Promise<Head | null> {
    this.read();
    return this.inner.headOver(index);
  }

  async entries(start: number, end: number): Promise<Uint8Array[]> {
    this.read();
    return this.inner.entries(start, end);
  }

  async tiles(refs: readonly TileRef[]): Promise<(Uint8Array | undefined)[]> {
    this.read();
    return this.inner.tiles(refs);
  }

  async lookup(table: Table, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    this.read();
    return this.inner.lookup(table, keys);
  }

  async rows(table: Table, prefix: Uint8Array, range?: RowRange): Promise<Row[]> {
    this.read();
    return this.inner.rows(table, prefix, range);
  }

  async entriesAt(indexes: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    this.read();
    return this.inner.entriesAt(indexes);
  }

  async putRows(rows: readonly Row[]): Promise<void> {
    await this.inner.putRows(rows);
  }

  async clearRows(table: Table): Promise<void> {
    await this.inner.clearRows(table);
  }

  async close(): Promise<void> {
    await this.inner.close();
  }

  private read(): void {
    if (this.fault === "read error") throw new WritError("STORE_FAILED", "IO error: input/output error");
  }
}
