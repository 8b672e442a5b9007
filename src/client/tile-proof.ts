/** Proofs made from a log's tiles: nodes are fetched, folded, and verified against a signed root, so no tile is believed. */
import {
  cover,
  emptyRange,
  emptyRoot,
  extendRange,
  foldHashes,
  type Hash,
  planConsistency,
  power,
  rangeRoot,
  verifyConsistency,
} from "../../merkle/index.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { parseTile } from "../format/tile.js";

const TILE_HEIGHT = 8;

export interface PrefixProof {
  /** The root that the tree of `from` has inside the tree of `to`. */
  readonly prefixRoot: Hash;
  readonly hashes: readonly Hash[];
}

/**
 * What the tree of `from` is inside the tree of `to` with this root, and the consistency proof that it is. `tile` fetches
 * a path of the tile interface. ProofError when the tiles are not those of the root; WritError when one is malformed.
 */
export async function prefixProof(
  tile: (path: string) => Promise<Uint8Array>,
  from: number,
  to: number,
  root: Hash,
): Promise<PrefixProof> {
  if (from === 0) return { prefixRoot: emptyRoot(), hashes: [] };
  const nodes = new TileTree(tile, to);
  const hashes: Hash[] = [];
  for (const { start, end } of planConsistency(from, to)) hashes.push(await nodes.range(start, end));
  const prefixRoot = await nodes.range(0, from);
  verifyConsistency(from, to, hashes, prefixRoot, root);
  return { prefixRoot, hashes };
}

class TileTree {
  private readonly tiles = new Map<string, Promise<readonly Hash[]>>();

  constructor(
    private readonly fetch: (path: string) => Promise<Uint8Array>,
    private readonly size: number,
  ) {}

  async range(start: number, end: number): Promise<Hash> {
    return foldHashes(
      await Promise.all(cover(start, end).map(({ level, index }) => this.node(level, index))),
    );
  }

  private async node(level: number, index: number): Promise<Hash> {
    const row = level % TILE_HEIGHT;
    const [width, tileLevel] = [power(row), (level - row) / TILE_HEIGHT];
    const first = index * width;
    const hashes = await this.tile(tileLevel, Math.floor(first / TILE_WIDTH));
    const at = first % TILE_WIDTH;
    return rangeRoot(extendRange(emptyRange(), hashes.slice(at, at + width)));
  }

  private async tile(level: number, index: number): Promise<readonly Hash[]> {
    const width = tileWidth(level, index, this.size);
    const path = formatTilePath({ kind: "hashes", level, index, width });
    const known = this.tiles.get(path) ?? this.fetch(path).then((bytes) => parseTile(bytes, width));
    this.tiles.set(path, known);
    return known;
  }
}
