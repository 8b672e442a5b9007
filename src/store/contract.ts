/**
 * The store: where a log keeps what must survive.
 *
 * **Guarantee.** When `commit` resolves, the whole of it is on disk and survives a power cut: entries, tiles, rows and
 * head together. When it rejects, nobody knows what is on disk, so the process stops using the store; opening it again
 * finds either all of the commit or none of it. There is one writer. Readers see whole commits only, and what they see
 * is never changed, only added to.
 *
 * Every implementation passes the suite in `test/store/suite.ts`.
 */
import type { Hash } from "../../merkle/index.js";

/** A tree of the log: how many entries it has, and their root. */
export interface Tree {
  readonly size: number;
  readonly root: Hash;
}

/** The state of the tree after a commit. */
export interface Head extends Tree {
  /** The log's own clock in milliseconds since 1970; never less than in the head before. */
  readonly receivedAt: number;
}

export interface TileRef {
  readonly level: number;
  readonly index: number;
}

/**
 * A full tile: its 256 hashes, then the rows two, four and six levels up (64, 16 and 4 hashes): 10,880 bytes. With every
 * second row kept, a proof hashes once where it would have to fold half a tile, for 10.5 bytes an entry.
 */
export interface StoredTile extends TileRef {
  readonly data: Uint8Array;
}

export const STORED_TILE_BYTES = (256 + 64 + 16 + 4) * 32;

/**
 * Index rows, derived from the entries, checked by `fsck` and rebuilt by `reindex`. Keys sort as bytes; "index" is 8
 * big-endian bytes.
 */
export type Table =
  /** SHA-256 of an entry (32) → its index ‖ the log's clock when it was taken in (8) */
  | "entry-hash"
  /** SHA-256 of a record (32) → index of the first entry that carries it; and that ‖ index of each further one → nothing */
  | "record-id"
  /** index of a further entry that carries a record → index of the first */
  | "copy"
  /** SHA-256 of a record (32) that has copies, and that ‖ number of a status list with one (8) → index of the first copy there */
  | "copied"
  /** term (18, `src/index/terms`) ‖ index of an entry that has it → nothing */
  | "term"
  /** index of an entry that changes who is known → nothing */
  | "key-event"
  /** SHA-256 of a grant's record (32) → what its use is checked against (`src/index/grants`) ‖ its first index */
  | "grant"
  /** SHA-256 of a consumption's record (32) → its index */
  | "use"
  /** a grant's record hash (32) ‖ hash of a tool call (16) ‖ index of the consumption for it → the pool of its request (32) */
  | "call"
  /** index of a consumption whose use of its request was given back → index of the receipt that did */
  | "returned"
  /** a request's record hash, or the pool of its uses in a trust domain (32) → how often it may be used (8) ‖ the entry that says so */
  | "limit"
  /** SHA-256 of a record, or the pool of a request's uses (32) ‖ index of the entry that changed its state → the state from there on */
  | "state"
  /** SHA-256 of a record (32) that has a row in `state` → nothing */
  | "touched"
  /** index of an entry that changed bits ‖ index of the entry whose bits (8) → the bits from there on (1) */
  | "bits"
  /** number of a status list ‖ index of the entry after which it was like this (8) → the list (32 KiB) */
  | "bit-list"
  /** index of the entry after which all lists that had changed were kept → nothing */
  | "bit-round"
  /** SHA-256 of a grant's record (32) ‖ index of an entry that carries a grant below it (8) → that grant's record's SHA-256 */
  | "child"
  /** index of a revocation that takes others with it ‖ what they are found by (33) → first index it is about (8) */
  | "sweep"
  /** index of an entry that was taken along → index of the revocation that took it */
  | "swept"
  /** index of a revocation that came before what it revokes → nothing */
  | "early"
  /** record hash that a revocation waits for (32) ‖ its issuer's domain (8) ‖ its index (8) → its signers */
  | "awaited"
  /** record hash that a revocation waits for, or waited (32) → index of the first that did */
  | "waited-for"
  /** a name → how the rows of the other tables were made */
  | "meta";

export const TABLES: readonly Table[] = [
  "entry-hash",
  "record-id",
  "copy",
  "copied",
  "term",
  "key-event",
  "grant",
  "use",
  "call",
  "returned",
  "limit",
  "state",
  "early",
  "awaited",
  "waited-for",
  "touched",
  "bits",
  "bit-list",
  "bit-round",
  "child",
  "sweep",
  "swept",
  "meta",
];

export interface Row {
  readonly table: Table;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Which of the rows under a prefix. The bounds are on the bytes after the prefix. */
export interface RowRange {
  readonly from?: Uint8Array;
  /** Exclusive. */
  readonly to?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface Commit {
  /** The size this commit extends. Another size in the store rejects it with STORE_CONFLICT and changes nothing. */
  readonly expectedSize: number;
  readonly head: Head;
  /** `head.size − expectedSize` of them, in log order. */
  readonly entries: readonly Uint8Array[];
  /** The tiles that became full. */
  readonly tiles: readonly StoredTile[];
  /** Gone through once: they may be made as they are taken. */
  readonly rows: Iterable<Row>;
}

export interface Store {
  /** The head after the last commit, or null before the first. */
  head(): Promise<Head | null>;

  /** The head whose commit made entry `index` (the first with a larger size), or null. */
  headOver(index: number): Promise<Head | null>;

  commit(commit: Commit): Promise<void>;

  /** The entries [start, end). RangeError when the store does not have them all. */
  entries(start: number, end: number): Promise<Uint8Array[]>;

  /** The entries at these indexes, in the order asked for; undefined where there is none. */
  entriesAt(indexes: readonly number[]): Promise<(Uint8Array | undefined)[]>;

  /** Full tiles, in the order asked for; undefined where there is none. */
  tiles(refs: readonly TileRef[]): Promise<(Uint8Array | undefined)[]>;

  /** The values at these keys, in order. */
  lookup(table: Table, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;

  /** The rows whose keys begin with these bytes, in key order or against it, within the bounds. */
  rows(table: Table, prefix: Uint8Array, range?: RowRange): Promise<Row[]>;

  /**
   * Adds rows beside the log, all or none: for rebuilding a lost index, and for what follows from a commit and takes too
   * long to be part of it. Durable when it resolves.
   */
  putRows(rows: readonly Row[]): Promise<void>;

  /** Removes every row of a table, for the same purpose. */
  clearRows(table: Table): Promise<void>;

  close(): Promise<void>;
}

const PAGE = 1000;

/** All rows of a table in key order, or those from a key on, a page at a time. */
export async function* allRows(
  store: Store,
  table: Table,
  from: Uint8Array = new Uint8Array(0),
): AsyncGenerator<Row> {
  for (;;) {
    const page = await store.rows(table, new Uint8Array(0), { from, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    // The first key after the last one seen.
    from = new Uint8Array(last.key.length + 1);
    from.set(last.key);
  }
}
