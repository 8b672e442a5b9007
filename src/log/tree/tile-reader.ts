/**
 * Every tile of the tree, wherever it is: at the edge, just filled and not yet committed, remembered, or in the store.
 * Full tiles never change, so what was read once is kept while there is room.
 */
import { WritError } from "../../errors.js";
import type { Store, TileRef } from "../../store/contract.js";
import { ByteLru } from "./byte-lru.js";
import type { Edge, FinishedTile } from "./integrate.js";
import { FullTile, type TileNodes } from "./tile-nodes.js";

interface Wanted extends TileRef {
  readonly resolve: (tile: TileNodes) => void;
  readonly reject: (error: unknown) => void;
}

const CACHE_BYTES = 48 * 1024 * 1024;

export class TileReader {
  /** Full but not known to be on disk. */
  private readonly fresh = new Map<number, TileNodes>();
  private readonly cache = new ByteLru<number, TileNodes>(CACHE_BYTES);
  private readonly reading = new Map<number, Promise<TileNodes>>();
  private wanted: Wanted[] = [];

  constructor(
    private readonly store: Store,
    private readonly edge: Edge,
  ) {}

  /** Keeps tiles readable from the moment they leave the edge. */
  hold(finished: readonly FinishedTile[]): void {
    for (const { level, tile } of finished) this.fresh.set(tileKey(level, tile.index), tile);
  }

  /** The held tiles are on disk now. */
  release(): void {
    for (const [key, tile] of this.fresh) this.cache.set(key, tile, tile.bytes);
    this.fresh.clear();
  }

  /** The tile, if no reading is needed. */
  resident(level: number, index: number): TileNodes | undefined {
    const growing = this.edge.tile(level);
    if (growing?.index === index) return growing;
    const key = tileKey(level, index);
    return this.fresh.get(key) ?? this.cache.get(key);
  }

  /** The tile, read if need be. Those wanted in one turn of the event loop share one read. STORE_CORRUPT if missing. */
  async tile(level: number, index: number): Promise<TileNodes> {
    const resident = this.resident(level, index);
    if (resident !== undefined) return resident;
    const key = tileKey(level, index);
    const under = this.reading.get(key);
    if (under !== undefined) return under;
    const promise = new Promise<TileNodes>((resolve, reject) => {
      // The first of a turn asks for the read that all of them share.
      if (this.wanted.push({ level, index, resolve, reject }) === 1)
        setImmediate(() => void this.readWanted());
    });
    this.reading.set(key, promise);
    return promise;
  }

  private async readWanted(): Promise<void> {
    const wanted = this.wanted;
    this.wanted = [];
    try {
      const found = await this.store.tiles(wanted);
      for (const [i, { level, index, resolve }] of wanted.entries()) {
        const data = found[i];
        if (data === undefined)
          throw new WritError("STORE_CORRUPT", `tile ${level}/${index} is missing; run writ fsck`);
        const tile = new FullTile(data);
        this.cache.set(tileKey(level, index), tile, tile.bytes);
        resolve(tile);
      }
    } catch (error) {
      // Those already resolved are not touched by this.
      for (const { reject } of wanted) reject(error);
    } finally {
      for (const { level, index } of wanted) this.reading.delete(tileKey(level, index));
    }
  }
}

/** One number for both: levels up to 6, indexes below 2^45. */
function tileKey(level: number, index: number): number {
  return level * 2 ** 46 + index;
}
