/**
 * A file that only grows: records, each chained to the one before by a hash, so that none can be missing, changed or out
 * of place without being seen. It is the whole of a witness's durable state.
 *
 * **Guarantee.** When `append` resolves, the records are on disk and survive a power cut. When it rejects, nobody knows,
 * and the journal takes nothing more. Records that wait while others are being synced go into the next sync together.
 * When the file has become four times what it needs to be, it is replaced by a short one that says the same.
 *
 * **Damage.** A crash can leave a torn record at the very end: it was never acknowledged, and is cut off at the next
 * opening. Damage anywhere before makes `open` refuse (STATE_CORRUPT), because what was forgotten might be signed twice.
 *
 * **One writer.** The file is looked at before and after each write: what another process has added or replaced ends this
 * one before anything is acknowledged. (Node has no file locks; a lock file would outlive its process.)
 *
 * A record on disk: u32 length of the body ‖ SHA-256(chain ‖ body), 32 bytes ‖ body. The chain is the hash of the record
 * before, and 32 zeros for the first.
 */
import { sha256 } from "#crypto";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { WritError } from "../src/errors.js";
import { concat, sameBytes } from "../src/format/bytes.js";

const HEAD_BYTES = 4 + 32;
const MAX_BODY_BYTES = 1024 * 1024;
/** Below this a file is not worth replacing. */
const MIN_REWRITE_BYTES = 16 * 1024 * 1024;

interface Waiting {
  readonly body: Uint8Array;
  resolve(): void;
  reject(error: unknown): void;
}

export class Journal {
  private waiting: Waiting[] = [];
  /** Records that may be lost: they go with the next that may not. */
  private lazy: Uint8Array[] = [];
  private writing: Promise<void> | null = null;
  private broken: unknown;
  private shortest = 0;

  private constructor(
    private readonly path: string,
    private file: FileHandle,
    private chain: Uint8Array,
    private size: number,
    private readonly snapshot: () => Iterable<Uint8Array>,
  ) {}

  /**
   * Opens or makes the journal and tells of every record in it, in order. `snapshot`: the fewest records that say all that
   * was appended. STATE_CORRUPT.
   */
  static async open(
    path: string,
    onRecord: (body: Uint8Array) => void,
    snapshot: () => Iterable<Uint8Array>,
  ): Promise<Journal> {
    // What an interrupted rewrite left is not the journal.
    await rm(`${path}.new`, { force: true });
    const file = await open(path, "a+", 0o600);
    try {
      const bytes = await file.readFile();
      const { chain, end } = readRecords(path, bytes, onRecord);
      if (end < bytes.length) {
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

  /** A record that a crash may forget. */
  appendLater(body: Uint8Array): void {
    this.lazy.push(body);
  }

  /** Writes what may be lost too, and lets go of the file. */
  async close(): Promise<void> {
    await this.writing;
    if (this.lazy.length > 0 && this.broken === undefined) await this.write([]);
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
    const { bytes, chain } = recordsOf(this.chain, [...this.lazy, ...bodies]);
    this.lazy = [];
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
    const { bytes, chain } = recordsOf(new Uint8Array(32), this.snapshot());
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

function recordsOf(
  chain: Uint8Array,
  bodies: Iterable<Uint8Array>,
): { readonly bytes: Uint8Array; readonly chain: Uint8Array } {
  const records: Uint8Array[] = [];
  for (const body of bodies) {
    const record = recordOf(chain, body);
    chain = record.subarray(4, HEAD_BYTES);
    records.push(record);
  }
  return { bytes: concat(...records), chain };
}

function recordOf(chain: Uint8Array, body: Uint8Array): Uint8Array {
  if (body.length > MAX_BODY_BYTES) throw new RangeError(`a record has at most ${MAX_BODY_BYTES} bytes`);
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, body.length);
  return concat(head, sha256(concat(chain, body)), body);
}

/** The chain after the last whole record, and where it ends. */
function readRecords(
  path: string,
  bytes: Uint8Array,
  onRecord: (body: Uint8Array) => void,
): { readonly chain: Uint8Array; readonly end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let chain: Uint8Array = new Uint8Array(32);
  let end = 0;
  while (end + HEAD_BYTES <= bytes.length) {
    const length = view.getUint32(end);
    const next = end + HEAD_BYTES + length;
    // A length beyond the end is a torn record if it can be one at all.
    if (next > bytes.length && length <= MAX_BODY_BYTES) break;
    const hash = bytes.subarray(end + 4, end + HEAD_BYTES);
    const body = bytes.subarray(end + HEAD_BYTES, next);
    if (length > MAX_BODY_BYTES || !sameBytes(sha256(concat(chain, body)), hash)) {
      // The last record may be torn in any way: its length is on disk and its body is not, or the other way round.
      if (next >= bytes.length || isBlank(bytes.subarray(end))) break;
      throw new WritError(
        "STATE_CORRUPT",
        `${path} is damaged at byte ${end}: what was cosigned after that is not known. Restore it, or give up this key: a witness that forgets can sign two histories`,
      );
    }
    onRecord(body);
    chain = hash;
    end = next;
  }
  return { chain, end };
}

/** Space that the file system gave before the data came. */
function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
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
