/**
 * Entry bundles of full tiles (c2sp.org/tlog-tiles): they never change, so each is made once and kept, compressed, in a folder;
 * where there is none, the last ones are kept in memory. Made one at a time, from 2 MiB of entries at a time, whoever asks for
 * how many; read from there in pieces, so that a reader holds a piece and not a bundle, which has up to 16 MiB.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { isMissing } from "../../durable.js";
import { formatBundle, MAX_ENTRY_BYTES } from "../../format/bundle.js";
import { TILE_WIDTH } from "../../format/tile-path.js";
import { ByteLru } from "../tree/byte-lru.js";
import { type Cost, unlessBusy } from "./budget.js";
import { sizeOf } from "./bundle.js";

/** Entries that are read at once. */
const TOGETHER = 32;
/** What is sent leaves in pieces of this size. */
export const PIECE_BYTES = 64 * 1024;
/** Kept in memory where there is no folder. */
const KEPT_BYTES = 16 * 1024 * 1024;
/** The last four bytes of a gzip member are the length of what is in it (RFC 1952 §2.3.1). */
const TRAILER_BYTES = 4;

/** A bundle that is kept: how long it is, either way, and its bytes, from the beginning. */
export interface KeptBundle {
  readonly length: number;
  readonly zippedLength: number;
  pieces(zipped: boolean): AsyncIterable<Uint8Array>;
}

/** The stored bytes of the entries [start, end). */
export type EntriesOf = (start: number, end: number) => Promise<Uint8Array[]>;

export class EntryBundles {
  private readonly making = new Map<number, Promise<KeptBundle>>();
  private readonly inMemory = new ByteLru<number, Uint8Array>(KEPT_BYTES);
  /** One after another. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly entriesOf: EntriesOf,
    private readonly folder: string | null,
  ) {}

  /** The bundle of full tile `index`. */
  async full(index: number, cost: Cost): Promise<KeptBundle> {
    const under = this.making.get(index);
    if (under !== undefined) return this.follow(under, index, cost);
    const known = await this.kept(index);
    if (known !== null) return known;
    // Somebody may have begun while it was looked for.
    const begun = this.making.get(index);
    if (begun !== undefined) return this.follow(begun, index, cost);
    const making = this.last.then(() => this.make(index, cost)).finally(() => this.making.delete(index));
    this.making.set(index, making);
    this.last = making.catch(() => {});
    return making;
  }

  /** Whoever began it may have no room left for it: then it is begun again. */
  private follow(making: Promise<KeptBundle>, index: number, cost: Cost): Promise<KeptBundle> {
    return making.catch((error: unknown) => unlessBusy(error, () => this.full(index, cost)));
  }

  private async kept(index: number): Promise<KeptBundle | null> {
    if (this.folder === null) {
      const bytes = this.inMemory.get(index);
      return bytes === undefined ? null : ofBytes(bytes);
    }
    return openKept(pathOf(this.folder, index));
  }

  private async make(index: number, cost: Cost): Promise<KeptBundle> {
    const source = Readable.from(this.formatted(index * TILE_WIDTH, cost));
    if (this.folder === null) {
      const bytes = Buffer.concat(await collect(zipped(source)));
      this.inMemory.set(index, bytes, bytes.length);
      return ofBytes(bytes);
    }
    const path = pathOf(this.folder, index);
    await mkdir(dirname(path), { recursive: true });
    await writeZipped(path, source);
    const kept = await openKept(path);
    if (kept === null) throw new RangeError("want the bundle that was just written");
    return kept;
  }

  private async *formatted(start: number, cost: Cost): AsyncGenerator<Uint8Array> {
    for (let at = start; at < start + TILE_WIDTH; at += TOGETHER) {
      const most = TOGETHER * MAX_ENTRY_BYTES;
      cost.charge(most);
      const stored = await this.entriesOf(at, at + TOGETHER);
      cost.credit(most - sizeOf(stored));
      await cost.turn();
      yield formatBundle(stored);
      cost.credit(sizeOf(stored));
    }
  }
}

function pathOf(folder: string, index: number): string {
  return join(folder, String(Math.floor(index / 1000)), `${index}.gz`);
}

/** Synced before it has its name: half a bundle is none. */
async function writeZipped(path: string, source: Readable): Promise<void> {
  const file = await open(`${path}.new`, "w", 0o644);
  try {
    for await (const piece of zipped(source)) await file.write(piece as Uint8Array);
    await file.sync();
  } catch (error) {
    await rm(`${path}.new`, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

async function openKept(path: string): Promise<KeptBundle | null> {
  try {
    const file = await open(path, "r");
    try {
      const { size } = await file.stat();
      const trailer = new Uint8Array(TRAILER_BYTES);
      await file.read(trailer, 0, TRAILER_BYTES, Math.max(0, size - TRAILER_BYTES));
      return keptOf(size, lengthIn(trailer), () => createReadStream(path, { highWaterMark: PIECE_BYTES }));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function ofBytes(bytes: Uint8Array): KeptBundle {
  return keptOf(bytes.length, lengthIn(bytes.subarray(-TRAILER_BYTES)), () => Readable.from(piecesOf(bytes)));
}

export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

function keptOf(zippedLength: number, length: number, read: () => Readable): KeptBundle {
  return {
    length,
    zippedLength,
    pieces: (isZipped) =>
      isZipped ? read() : pipeline(read(), createGunzip({ chunkSize: PIECE_BYTES }), () => {}),
  };
}

/** Compressed. What fails on the way in fails here, and whoever stops reading lets go of both. */
function zipped(source: Readable): Readable {
  return pipeline(source, createGzip(), () => {});
}

function lengthIn(trailer: Uint8Array): number {
  return new DataView(trailer.buffer, trailer.byteOffset, TRAILER_BYTES).getUint32(0, true);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return pieces;
}
