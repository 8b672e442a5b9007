/**
 * Stage 5, proof: plan which leaf ranges a proof needs, read the tiles they lie in, fold. What one checkpoint's proofs
 * share, the folded subtrees at its right edge, is folded once.
 */
import {
  asRange,
  bitLength,
  type CompactRange,
  cover,
  emptyRoot,
  foldHashes,
  type Hash,
  type Node,
  planConsistency,
  planInclusion,
  planRun,
  power,
  type Range,
} from "../../../merkle/index.js";
import { TILE_WIDTH } from "../../format/tile-path.js";
import { TILE_HEIGHT, type TileNodes } from "./tile-nodes.js";
import type { TileReader } from "./tile-reader.js";

export class Prover {
  /** Folded ranges [start, size) of the size asked about last: at most one for each 1 bit of it. */
  private folded = { size: 0, hashes: new Map<number, Hash>() };

  private last: { readonly level: number; readonly index: number; readonly tile: TileNodes } | undefined;

  constructor(private readonly reader: TileReader) {}

  /** PATH(index, D[size]). RangeError unless index < size ≤ the tree's size. */
  async inclusion(index: number, size: number): Promise<Hash[]> {
    return this.hashes(planInclusion(index, size), size);
  }

  /** PROOF(from, D[to]); empty when from is 0 or equals to. RangeError unless from ≤ to. */
  async consistency(from: number, to: number): Promise<Hash[]> {
    return this.hashes(planConsistency(from, to), to);
  }

  /** The hashes that prove the run [start, end): `planRun`'s left ones, then its right ones. */
  async run(start: number, end: number, size: number): Promise<Hash[]> {
    const { left, right } = planRun(start, end, size);
    return this.nodes([...left, ...right]);
  }

  /** The root of the tree of `size`. */
  async root(size: number): Promise<Hash> {
    return size === 0 ? emptyRoot() : this.ragged(0, size);
  }

  /** The complete subtrees of the first `size` entries: what more entries are put behind. */
  async range(size: number): Promise<CompactRange> {
    return asRange(0, size, await this.nodes(cover(0, size)));
  }

  private async hashes(ranges: readonly Range[], size: number): Promise<Hash[]> {
    const out: Hash[] = [];
    for (const { start, end } of ranges) {
      if (end === size) out.push(await this.ragged(start, size));
      else {
        // A range that ends before the tree does is one complete subtree.
        const level = bitLength(end - start) - 1;
        const index = start / power(level);
        out.push(this.resident(level, index) ?? (await this.read(level, index)));
      }
    }
    return out;
  }

  /** The hash of [start, size), whose subtrees shrink to the right. */
  private async ragged(start: number, size: number): Promise<Hash> {
    if (this.folded.size !== size) this.folded = { size, hashes: new Map() };
    const { hashes } = this.folded;
    const known = hashes.get(start);
    if (known !== undefined) return known;
    const hash = foldHashes(await this.nodes(cover(start, size)));
    hashes.set(start, hash);
    return hash;
  }

  private async nodes(nodes: readonly Node[]): Promise<Hash[]> {
    const out: Hash[] = [];
    for (const { level, index } of nodes)
      out.push(this.resident(level, index) ?? (await this.read(level, index)));
    return out;
  }

  /** The node, if its tile is at hand. */
  private resident(level: number, index: number): Hash | undefined {
    const row = level % TILE_HEIGHT;
    const width = TILE_WIDTH / power(row);
    return this.tileAtHand((level - row) / TILE_HEIGHT, Math.floor(index / width))?.node(row, index % width);
  }

  /** Most nodes of a proof lie in the tile of the node before. A tile that was found stays right: it only grows. */
  private tileAtHand(level: number, index: number): TileNodes | undefined {
    if (this.last?.level === level && this.last.index === index) return this.last.tile;
    const tile = this.reader.resident(level, index);
    if (tile !== undefined) this.last = { level, index, tile };
    return tile;
  }

  private async read(level: number, index: number): Promise<Hash> {
    const row = level % TILE_HEIGHT;
    const width = TILE_WIDTH / power(row);
    const tile = await this.reader.tile((level - row) / TILE_HEIGHT, Math.floor(index / width));
    return tile.node(row, index % width);
  }
}
