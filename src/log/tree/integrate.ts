/**
 * Stage 3, integrated: the right edge of the tree. Leaf hashes go in; the tiles that became full come out, to be
 * committed with the entries. The edge is one growing tile a level.
 *
 * Readers of smaller sizes are not disturbed: a node once complete never changes, and a tile that became full is handed
 * on before its place is taken.
 */
import { type Hash, leafHash } from "../../../merkle/index.js";
import { WritError } from "../../errors.js";
import { TILE_WIDTH } from "../../format/tile-path.js";
import type { Store } from "../../store/contract.js";
import { FullTile, GrowingTile, TILE_HEIGHT } from "./tile-nodes.js";

export interface FinishedTile {
  readonly level: number;
  readonly tile: GrowingTile;
}

export class Edge {
  private readonly tiles: GrowingTile[] = [];
  private leaves = 0;

  get size(): number {
    return this.leaves;
  }

  /** The growing tile of a level, or undefined where the tree does not reach. */
  tile(level: number): GrowingTile | undefined {
    return this.tiles[level];
  }

  /** Appends leaf hashes in log order and returns the tiles that this filled, lower ones first. */
  append(hashes: readonly Hash[]): FinishedTile[] {
    const finished: FinishedTile[] = [];
    for (const hash of hashes) this.push(0, hash, finished);
    this.leaves += hashes.length;
    return finished;
  }

  private push(level: number, hash: Hash, finished: FinishedTile[]): void {
    const tile = this.tiles[level] ?? new GrowingTile(0);
    this.tiles[level] = tile;
    tile.push(hash);
    if (!tile.full) return;
    finished.push({ level, tile });
    this.tiles[level] = new GrowingTile(tile.index + 1);
    this.push(level + 1, tile.node(TILE_HEIGHT, 0), finished);
  }

  /**
   * The edge of a stored tree of `size`: at most 255 entries and 255 tiles a level are read. STORE_CORRUPT when a tile
   * that must be there is not.
   */
  static async restore(store: Store, size: number): Promise<Edge> {
    const edge = new Edge();
    edge.leaves = size;
    for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
      const tile = new GrowingTile(Math.floor(hashes / TILE_WIDTH));
      for (const hash of await rowOf(store, level, tile.index * TILE_WIDTH, hashes)) tile.push(hash);
      edge.tiles[level] = tile;
    }
    return edge;
  }
}

/** The hashes [start, end) of a level: leaf hashes, or the roots of full tiles below. */
async function rowOf(store: Store, level: number, start: number, end: number): Promise<Hash[]> {
  if (start === end) return [];
  if (level === 0) return (await store.entries(start, end)).map(leafHash);
  const below = Array.from({ length: end - start }, (_, i) => ({ level: level - 1, index: start + i }));
  return (await store.tiles(below)).map((data, i) => {
    if (data === undefined)
      throw new WritError("STORE_CORRUPT", `tile ${level - 1}/${start + i} is missing; run writ fsck`);
    return new FullTile(data).node(TILE_HEIGHT, 0);
  });
}
