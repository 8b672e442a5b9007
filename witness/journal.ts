/**
 * A file that only grows, a batch of records at a time, each batch numbered and chained to the one before by a hash, so
 * that none can be missing, changed or out of place without being seen. It is the whole of a witness's durable state.
 *
 * **Guarantee.** When `append` resolves, the record is on disk and survives a power cut. When it rejects, nobody knows,
 * and the journal takes nothing more. Records that wait while others are being synced are the next batch. When the file
 * has become four times what it needs to be, it is replaced by a short one that says the same.
 *
 * **Damage.** A crash can leave the last batch torn in any way: it was never acknowledged, and is cut off at the next
 * opening. A bad batch with a later one behind it is no such thing: `open` refuses (STATE_CORRUPT), because what was
 * forgotten might be signed twice.
 *
 * **One writer.** Whoever opens it holds the folder's lock (`lock.ts`). Besides, the file is looked at before and after
 * each write: what another process has added or replaced ends this one before anything is acknowledged.
 *
 * A batch on disk: `WRJ1` ‖ number (8) ‖ length of the body (4) ‖ the first 4 bytes of SHA-256 of these 16 ‖
 * SHA-256(chain ‖ those 20 ‖ body) (32) ‖ body. The body is its records, each with its length (4) before it; the chain is
 * the hash of the batch before, 32 zeros for the first. Numbers are big-endian and begin at 1.
 */
import { sha256 } from "#crypto";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { WritError } from "../src/errors.js";
import { concat, sameBytes, uint64, utf8 } from "../src/format/bytes.js";

const MAGIC = utf8("WRJ1");
const LABEL_BYTES = 4 + 8 + 4 + 4;
const HEAD_BYTES = LABEL_BYTES + 32;
const MAX_RECORD_BYTES = 1024 * 1024;
/** Below this a file is not worth replacing. */
const MIN_REWRITE_BYTES = 16 * 1024 * 1024;

interface Waiting {
  readonly body: Uint8Array;
  resolve(): void;
  reject(error: unknown): void;
}

export interface JournalOptions {
  readonly create?: boolean;
  /** Told how many bytes at the end were no whole batch, and were cut off. */
  readonly onCut?: (bytes: number) => void;
}

export class Journal {
  private waiting: Waiting[] = [];
  /** Records that may be lost: they go with the next that may not. */
  private readonly lazy = new Map<string, Uint8Array>();
  private writing: Promise<void> | null = null;
  private broken: unknown;
  private shortest = 0;

  private constructor(
    private readonly path: string,
    private file: FileHandle,
    private chain: Chain,
    private size: number,
    private readonly snapshot: () => Iterable<Uint8Array>,
  ) {}

  /**
   * Opens or makes the journal and tells of every record in it, in order. `snapshot`: the fewest records that say all that
   * was appended. STATE_CORRUPT when the file is damaged, or not there though it has been (`create` makes one).
   */
  static async open(
    path: string,
    onRecord: (body: Uint8Array) => void,
    snapshot: () => Iterable<Uint8Array>,
    { create = false, onCut = () => {} }: JournalOptions = {},
  ): Promise<Journal> {
    // What an interrupted rewrite left is not the journal.
    await rm(`${path}.new`, { force: true });
    if (!create) await demandThere(path);
    const file = await open(path, "a+", 0o600);
    try {
      const bytes = await file.readFile();
      const { chain, end } = readBatches(path, bytes, onRecord);
      if (end < bytes.length) {
        onCut(bytes.length - end);
        await file.truncate(end);
        await file.sync();
      }
      await syncFolder(dirname(path));
      return new Journal(path, file, chain, end, snapshot);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Resolves when the record is on disk. */
  async append(body: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ body, resolve, reject });
      this.writing ??= this.writeAll();
    });
  }

  /** A record that a crash may forget; the last under a name is the one that is written. */
  appendLater(name: string, body: Uint8Array): void {
    this.lazy.set(name, body);
  }

  /** Writes what may be lost too, and lets go of the file. */
  async close(): Promise<void> {
    await this.writing;
    if (this.lazy.size > 0 && this.broken === undefined) await this.write([]);
    await this.file.close();
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const batch = this.waiting;
      this.waiting = [];
      try {
        await this.write(batch.map(({ body }) => body));
        for (const one of batch) one.resolve();
        if (this.size > MIN_REWRITE_BYTES && this.size > 4 * this.shortest) await this.rewrite();
      } catch (error) {
        this.broken ??= error;
        for (const one of batch) one.reject(this.broken);
      }
    }
    this.writing = null;
  }

  private async write(bodies: readonly Uint8Array[]): Promise<void> {
    if (this.broken !== undefined) throw this.broken;
    const { bytes, chain } = batchOf(this.chain, [...this.lazy.values(), ...bodies]);
    this.lazy.clear();
    await this.demandAlone(this.size);
    await this.file.appendFile(bytes);
    await this.file.datasync();
    this.chain = chain;
    this.size += bytes.length;
    await this.demandAlone(this.size);
  }

  /** Is the file at our path still ours, and of the length that we have given it? */
  private async demandAlone(size: number): Promise<void> {
    const [mine, there] = await Promise.all([this.file.stat(), stat(this.path)]);
    if (mine.ino !== there.ino || mine.dev !== there.dev || mine.size !== size)
      throw new WritError("STORE_LOCKED", `another process writes to ${this.path}`);
  }

  /** There is the old file or the new one, whatever interrupts it. */
  private async rewrite(): Promise<void> {
    const { bytes, chain } = batchOf(START, [...this.snapshot()]);
    const fresh = await open(`${this.path}.new`, "ax", 0o600);
    await fresh.appendFile(bytes);
    await fresh.sync();
    await rename(`${this.path}.new`, this.path);
    await syncFolder(dirname(this.path));
    await this.file.close();
    this.file = fresh;
    this.chain = chain;
    this.size = this.shortest = bytes.length;
  }
}

async function demandThere(path: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    throw new WritError(
      "STATE_CORRUPT",
      `${path} is not there: what was cosigned is not known. Restore it, or give up this key: a witness that forgets can sign two histories`,
      {},
      { cause: error },
    );
  }
}

/** Where the chain of batches stands. */
interface Chain {
  readonly number: number;
  readonly hash: Uint8Array;
}

const START: Chain = { number: 0, hash: new Uint8Array(32) };

/** One batch behind the chain, and the chain with it. */
function batchOf(
  { number, hash }: Chain,
  records: readonly Uint8Array[],
): { readonly bytes: Uint8Array; readonly chain: Chain } {
  if (records.some(({ length }) => length > MAX_RECORD_BYTES))
    throw new RangeError(`a record has at most ${MAX_RECORD_BYTES} bytes`);
  const body = concat(...records.flatMap((record) => [uint32(record.length), record]));
  const label = labelOf(number + 1, body.length);
  const next = sha256(concat(hash, label, body));
  return { bytes: concat(label, next, body), chain: { number: number + 1, hash: next } };
}

function labelOf(number: number, length: number): Uint8Array {
  const label = concat(MAGIC, uint64(number), uint32(length));
  return concat(label, sha256(label).subarray(0, 4));
}

/** The chain after the last whole batch, and where that ends. */
function readBatches(
  path: string,
  bytes: Uint8Array,
  onRecord: (body: Uint8Array) => void,
): { readonly chain: Chain; readonly end: number } {
  let chain = START;
  let end = 0;
  for (;;) {
    const batch = batchAt(bytes, end, chain);
    if (batch === null) break;
    batch.records.forEach(onRecord);
    ({ chain, end } = batch);
  }
  if (isFollowed(bytes, end, chain.number + 1))
    throw new WritError(
      "STATE_CORRUPT",
      `${path} is damaged at byte ${end}: what was cosigned there is not known. Restore it, or give up this key: a witness that forgets can sign two histories`,
    );
  return { chain, end };
}

/** The batch that follows the chain at this place; null when there is no whole one. */
function batchAt(
  bytes: Uint8Array,
  start: number,
  chain: Chain,
): { readonly records: readonly Uint8Array[]; readonly chain: Chain; readonly end: number } | null {
  const label = bytes.subarray(start, start + LABEL_BYTES);
  const hash = bytes.subarray(start + LABEL_BYTES, start + HEAD_BYTES);
  if (hash.length < 32) return null;
  const end = start + HEAD_BYTES + view(label).getUint32(12);
  const body = bytes.subarray(start + HEAD_BYTES, end);
  const number = chain.number + 1;
  const whole =
    end <= bytes.length &&
    sameBytes(label, labelOf(number, body.length)) &&
    sameBytes(hash, sha256(concat(chain.hash, label, body)));
  return whole ? { records: recordsIn(body), chain: { number, hash }, end } : null;
}

/** Is there the label of a later batch behind this place? Then what is here was whole once. */
function isFollowed(bytes: Uint8Array, start: number, number: number): boolean {
  for (let at = bytes.indexOf(MAGIC[0] ?? 0, start + 1); at >= 0; at = bytes.indexOf(MAGIC[0] ?? 0, at + 1)) {
    const label = bytes.subarray(at, at + LABEL_BYTES);
    if (label.length < LABEL_BYTES || !sameBytes(label.subarray(0, 4), MAGIC)) continue;
    if (!sameBytes(label.subarray(16), sha256(label.subarray(0, 16)).subarray(0, 4))) continue;
    if (view(label).getBigUint64(4) > BigInt(number)) return true;
  }
  return false;
}

function recordsIn(body: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 4 + view(body).getUint32(at);
    records.push(body.subarray(at + 4, end));
    at = end;
  }
  return records;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function uint32(n: number): Uint8Array {
  const bytes = new Uint8Array(4);
  view(bytes).setUint32(0, n);
  return bytes;
}

/** A new or renamed file survives a power cut only once its folder is synced. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
