/** Reading what was logged, always below the size that may be shown when asked: entries by any name they have, tiles, proofs. */
import { placesOf } from "../admit/places.js";
import type { Hash } from "../../../merkle/index.js";
import { WritError } from "../../errors.js";
import { formatBundle, MAX_ENTRY_BYTES } from "../../format/bundle.js";
import { fromHex, readUint64 } from "../../format/bytes.js";
import { TILE_WIDTH, type TileId, tileWidth } from "../../format/tile-path.js";
import type { Store } from "../../store/contract.js";
import { type Cost, FREE } from "./budget.js";
import { describeEntry, type LogEntry } from "../admit/entry.js";
import type { Prover } from "../tree/prove.js";
import type { Published } from "../tree/publish.js";
import type { TileReader } from "../tree/tile-reader.js";

/** Entries with one record id that an answer names at most. */
export const MAX_SAME_RECORD = 1000;

export interface ReadingParts {
  readonly store: Store;
  readonly tiles: TileReader;
  readonly prover: Prover;
  readonly raw: boolean;
  /** The newest checkpoint that may be shown. */
  readonly published: () => Published;
  /** Entries that are durable, whether they may be shown or not. */
  readonly durableSize: () => number;
}

export class Reading {
  constructor(private readonly parts: ReadingParts) {}

  /** Inclusion of `index` under the checkpoint of `size`. */
  async inclusion(index: number, size: number): Promise<Hash[]> {
    this.demandPublished(size);
    return this.parts.prover.inclusion(index, size);
  }

  /** The one proof of the neighbours [start, end) under the checkpoint of `size`. */
  async run(start: number, end: number, size: number): Promise<Hash[]> {
    this.demandPublished(size);
    return this.parts.prover.run(start, end, size);
  }

  /** RangeError unless from ≤ to ≤ the published size. */
  async consistency(from: number, to: number): Promise<Hash[]> {
    this.demandPublished(to);
    return this.parts.prover.consistency(from, to);
  }

  /** Does the published tree have this tile or entry bundle, and is it so wide? */
  hasTile(id: TileId): boolean {
    return id.width <= tileWidth(id.kind === "entries" ? 0 : id.level, id.index, this.size);
  }

  /** The bytes of a tile or entry bundle, or null when the published tree has no such one of that width. */
  async tile(id: TileId, cost: Cost = FREE): Promise<Uint8Array | null> {
    if (!this.hasTile(id)) return null;
    const start = id.index * TILE_WIDTH;
    if (id.kind === "entries") {
      cost.charge(id.width * MAX_ENTRY_BYTES);
      return formatBundle(await this.stored(start, start + id.width));
    }
    return (await this.parts.tiles.tile(id.level, id.index)).hashes(id.width);
  }

  /**
   * The indexes that a reference names, in log order: an index, an entry hash, a record id, tried in this order. Empty
   * when nothing published has that name. `unseen`: what is durable and not published yet counts too.
   */
  async find(ref: { readonly index: number } | { readonly hash: string }, unseen = false): Promise<number[]> {
    const size = unseen ? this.parts.durableSize() : this.size;
    if ("index" in ref) return ref.index < size ? [ref.index] : [];
    const hash = fromHex(ref.hash);
    if (hash === undefined) return [];
    const place = await this.placeOf(hash);
    if (place !== null) return [place].filter((index) => index < size);
    return placesOf(this.parts.store, hash, { from: 0, to: size, limit: MAX_SAME_RECORD });
  }

  /** The index of the statement with this SHA-256 (32 bytes), published or not; null when it is not in the log. */
  async placeOf(entryHash: Uint8Array): Promise<number | null> {
    const [found] = await this.parts.store.lookup("entry-hash", [entryHash]);
    return found === undefined ? null : readUint64(found);
  }

  /** RangeError unless index < the published size. */
  async entry(index: number): Promise<LogEntry> {
    if (index >= this.size) throw new RangeError(`no entry ${index}`);
    const [stored] = await this.stored(index, index + 1);
    const head = await this.parts.store.headOver(index);
    if (stored === undefined || head === null)
      throw new WritError("STORE_CORRUPT", `entry ${index} is missing; run writ fsck`);
    return describeEntry(index, stored, head.receivedAt, this.parts.raw);
  }

  /** The stored bytes of an entry. RangeError unless index < the published size. */
  async statement(index: number): Promise<Uint8Array> {
    if (index >= this.size) throw new RangeError(`no entry ${index}`);
    const [stored] = await this.stored(index, index + 1);
    return stored ?? new Uint8Array(0);
  }

  /** The stored bytes of entries below the published size: that one is missing is not the asker's mistake. */
  async stored(start: number, end: number): Promise<Uint8Array[]> {
    try {
      return await this.parts.store.entries(start, end);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new WritError(
        "STORE_CORRUPT",
        `an entry of [${start}, ${end}) is missing; run writ fsck`,
        {},
        { cause: error },
      );
    }
  }

  private get size(): number {
    return this.parts.published().size;
  }

  private demandPublished(size: number): void {
    if (size > this.size) throw new RangeError(`size ${size} is beyond the published ${this.size}`);
  }
}
