/**
 * The store on LevelDB. One folder, one process (LevelDB's own lock), one synced write a commit.
 *
 * | key (bytes, big-endian numbers)     | value                                   |
 * |-------------------------------------|-----------------------------------------|
 * | `e` ‖ index (8)                     | an entry                                |
 * | `h` ‖ size (8)                      | root (32) ‖ receivedAt (8)              |
 * | `t` ‖ level (1) ‖ index (8)         | a full tile (10,880)                    |
 * | a table's letter ‖ the row's key    | the row's value                         |
 *
 * Only full tiles are kept: the right edge of the tree lives in memory and comes back from at most 255 entries and as
 * many tiles a level.
 */
import { type ChainedBatch, Level } from "level";
import { Breath } from "../breath.js";
import { WritError } from "../errors.js";
import { readUint64 } from "../format/bytes.js";
import type { Commit, Head, Row, RowRange, Store, Table, TileRef } from "./contract.js";
import { decodeHead, encodeHead, sizeBefore } from "./head.js";

type Database = Level<Uint8Array, Uint8Array>;

const ENTRY = 0x65;
const HEAD = 0x68;
const TILE = 0x74;
const LETTERS: Readonly<Record<Table, number>> = {
  "entry-hash": 0x78,
  "record-id": 0x72,
  copy: 0x59,
  copied: 0x5a,
  term: 0x77,
  "key-event": 0x6b,
  grant: 0x67,
  use: 0x75,
  call: 0x43,
  returned: 0x7a,
  limit: 0x6c,
  state: 0x73,
  early: 0x62,
  awaited: 0x45,
  "waited-for": 0x57,
  touched: 0x64,
  bits: 0x42,
  "bit-list": 0x4c,
  "bit-round": 0x52,
  child: 0x63,
  sweep: 0x53,
  swept: 0x54,
  meta: 0x6d,
};

const CACHE_BYTES = 32 * 1024 * 1024;
const WRITE_BUFFER_BYTES = 32 * 1024 * 1024;
/** Four times LevelDB's own: ten million entries are then fewer files than it keeps open (a thousand). */
const TABLE_FILE_BYTES = 8 * 1024 * 1024;

export class LevelStore implements Store {
  private constructor(
    private readonly db: Database,
    private last: Head | null,
  ) {}

  /**
   * Opens the database in a folder; with `create`, makes it, and refuses one that is there. (LevelDB, left to itself,
   * makes an empty database over a damaged one and deletes what it no longer knows.) STORE_LOCKED when another process
   * has it, STORE_FAILED otherwise.
   */
  static async open(
    folder: string,
    { create = false }: { readonly create?: boolean } = {},
  ): Promise<LevelStore> {
    const db: Database = new Level(folder, {
      createIfMissing: create,
      errorIfExists: create,
      keyEncoding: "view",
      valueEncoding: "view",
      cacheSize: CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
      maxFileSize: TABLE_FILE_BYTES,
    });
    try {
      await db.open();
    } catch (error) {
      throw openError(folder, error);
    }
    const newest = { gte: above(HEAD), lt: above(HEAD + 1), reverse: true, limit: 1 };
    const [last] = await guard(db.iterator(newest).all());
    await demandChain(db);
    return new LevelStore(db, last === undefined ? null : toHead(...last));
  }

  async head(): Promise<Head | null> {
    return this.last;
  }

  async headOver(index: number): Promise<Head | null> {
    const [found] = await guard(
      this.db.iterator({ gt: numbered(HEAD, index), lt: above(HEAD + 1), limit: 1 }).all(),
    );
    return found === undefined ? null : toHead(...found);
  }

  async commit(commit: Commit): Promise<void> {
    const size = this.last?.size ?? 0;
    if (size !== commit.expectedSize) {
      throw new WritError(
        "STORE_CONFLICT",
        `the store has size ${size}, the commit extends ${commit.expectedSize}`,
      );
    }
    let batch: ChainedBatch<Database, Uint8Array, Uint8Array>;
    try {
      batch = this.db.batch();
      const breath = new Breath();
      for (const [i, entry] of commit.entries.entries()) {
        batch.put(numbered(ENTRY, size + i), entry);
        if (breath.isDue) await breath.take();
      }
      for (const { level, index, data } of commit.tiles) batch.put(tileKey(level, index), data);
      // A batch of four thousand entries makes some fifty thousand: 100 ms.
      for (const { table, key, value } of commit.rows) {
        batch.put(rowKey(table, key), value);
        if (breath.isDue) await breath.take();
      }
      batch.put(numbered(HEAD, commit.head.size), encodeHead(commit.head, size));
    } catch (error) {
      throw failed(error);
    }
    // Before this line nothing of the commit exists; after it, all of it, power cut or not.
    await writeSynced(batch);
    this.last = commit.head;
  }

  async entries(start: number, end: number): Promise<Uint8Array[]> {
    const found =
      end - start === 1
        ? [await guard(this.db.get(numbered(ENTRY, start)))].filter((entry) => entry !== undefined)
        : await guard(this.db.values({ gte: numbered(ENTRY, start), lt: numbered(ENTRY, end) }).all());
    if (found.length !== end - start) throw new RangeError(`no entries [${start}, ${end})`);
    return found;
  }

  async entriesAt(indexes: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    return guard(this.db.getMany(indexes.map((index) => numbered(ENTRY, index))));
  }

  async tiles(refs: readonly TileRef[]): Promise<(Uint8Array | undefined)[]> {
    return guard(this.db.getMany(refs.map(({ level, index }) => tileKey(level, index))));
  }

  async lookup(table: Table, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return guard(this.db.getMany(keys.map((key) => rowKey(table, key))));
  }

  async rows(table: Table, prefix: Uint8Array, range: RowRange = {}): Promise<Row[]> {
    const { from, to, reverse = false, limit = -1 } = range;
    const start = rowKey(table, prefix);
    const found = await guard(
      this.db
        .iterator({
          gte: from === undefined ? start : rowKey(table, prefix, from),
          lt: to === undefined ? keyAfter(start) : rowKey(table, prefix, to),
          reverse,
          limit,
        })
        .all(),
    );
    return found.map(([key, value]) => ({ table, key: key.subarray(1), value }));
  }

  async putRows(rows: readonly Row[]): Promise<void> {
    const batch = this.db.batch();
    for (const { table, key, value } of rows) batch.put(rowKey(table, key), value);
    await writeSynced(batch);
  }

  async clearRows(table: Table): Promise<void> {
    const start = rowKey(table, new Uint8Array(0));
    await guard(this.db.clear({ gte: start, lt: keyAfter(start) }));
  }

  async close(): Promise<void> {
    await this.db.close();
  }
}

/** As many heads as the write-ahead log can hold: older ones are in tables, which have checksums of their own. */
const CHAINED_HEADS = 100_000;

/**
 * Each head names the one before it. LevelDB drops damaged records of its write-ahead log without a word, and with them
 * whole commits from the middle of the log; the gap in the chain shows it. STORE_CORRUPT.
 */
async function demandChain(db: Database): Promise<void> {
  let next: number | undefined;
  const heads = db.iterator({ gte: above(HEAD), lt: above(HEAD + 1), reverse: true, limit: CHAINED_HEADS });
  for await (const [key, value] of guarded(heads)) {
    const size = readUint64(key, 1);
    if (next !== undefined && next !== size) {
      throw new WritError(
        "STORE_CORRUPT",
        `the commit that ended at ${next} entries is gone; restore the database from a backup`,
      );
    }
    next = sizeBefore(value);
  }
}

function toHead(key: Uint8Array, value: Uint8Array): Head {
  return decodeHead(readUint64(key, 1), value);
}

function above(byte: number): Uint8Array {
  return Uint8Array.of(byte);
}

function numbered(byte: number, n: number): Uint8Array {
  const key = Buffer.allocUnsafe(9);
  key[0] = byte;
  writeNumber(key, n, 1);
  return key;
}

function tileKey(level: number, index: number): Uint8Array {
  const key = Buffer.allocUnsafe(10);
  key[0] = TILE;
  key[1] = level;
  writeNumber(key, index, 2);
  return key;
}

function writeNumber(key: Buffer, n: number, offset: number): void {
  key.writeUInt32BE(Math.floor(n / 2 ** 32), offset);
  key.writeUInt32BE(n % 2 ** 32, offset + 4);
}

function rowKey(table: Table, key: Uint8Array, more?: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(1 + key.length + (more?.length ?? 0));
  if (more !== undefined) out.set(more, 1 + key.length);
  out[0] = LETTERS[table];
  out.set(key, 1);
  return out;
}

/** The first key that no longer begins with these bytes (the first of them is a letter, so there is one). */
function keyAfter(start: Uint8Array): Uint8Array {
  const last = start.findLastIndex((byte) => byte < 0xff);
  const end = Uint8Array.from(start.subarray(0, last + 1));
  end[last] = (end[last] ?? 0) + 1;
  return end;
}

/** The one write there is. (LevelDB's own default is not to sync.) */
async function writeSynced(batch: ChainedBatch<Database, Uint8Array, Uint8Array>): Promise<void> {
  await guard(batch.write({ sync: true }));
}

async function guard<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw failed(error);
  }
}

/** The same of what is read one after another. */
async function* guarded<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw error instanceof WritError ? error : failed(error);
  }
}

/** What LevelDB says of files that are cut, gone or changed: the disk answers, and what it answers is wrong. */
const DAMAGE = /corruption|ldb: invalid argument|no such file|checksum|truncated|does not exist/i;
/** A file of the database, in what LevelDB says. */
const FILE = /\S+\/(?:CURRENT|MANIFEST-\d+|\d+\.(?:ldb|sst|log))/;

function damaged(said: string, folder: string | null): WritError {
  const file = FILE.exec(said)?.[0] ?? (folder === null ? "the database" : `the database in ${folder}`);
  return new WritError(
    "STORE_CORRUPT",
    `${file} is damaged or missing (LevelDB: ${said}); stop, keep a copy of the folder as it is, and restore the newest backup: a log must not go on behind what it has signed`,
  );
}

function failed(error: unknown): WritError {
  const said = error instanceof Error ? error.message : String(error);
  if (DAMAGE.test(said)) return damaged(said, null);
  return new WritError(
    "STORE_FAILED",
    `LevelDB: ${error instanceof Error ? error.message : String(error)}`,
    {},
    { cause: error },
  );
}

function openError(folder: string, error: unknown): WritError {
  const cause = error instanceof Error ? error.cause : undefined;
  const reason = cause instanceof Error ? cause : error;
  if (reason instanceof Error && "code" in reason && reason.code === "LEVEL_LOCKED") {
    return new WritError(
      "STORE_LOCKED",
      `another process has the log in ${folder} open; one log, one process`,
      {},
      { cause: error },
    );
  }
  const said = reason instanceof Error ? reason.message : String(reason);
  // That there is none under this name LevelDB says when the file that names its newest state is gone.
  if (DAMAGE.test(said)) return damaged(/does not exist/.test(said) ? `no ${folder}/CURRENT` : said, folder);
  return new WritError(
    "STORE_FAILED",
    `cannot open the database in ${folder}: ${reason instanceof Error ? reason.message : String(reason)}`,
    {},
    { cause: error },
  );
}
