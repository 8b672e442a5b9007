/**
 * Stage 5, proof: plan which leaf ranges a proof needs, read the tiles they lie in, fold. What one checkpoint's proofs
 * share, the folded subtrees at its right edge, is folded once.
 */
import {
  cover,
  emptyRoot,
  foldHashes,
  type Hash,
  type Node,
  planConsistency,
  planInclusion,
  planRun,
  type Range,
} from "../../merkle/index.js";
import { TILE_WIDTH } from "../format/tile-path.js";
import { TILE_HEIGHT, type TileNodes } from "./tile-nodes.js";
import type { TileReader } from "./tile-reader.js";

export class Prover {
  /** Folded ranges [start, size) of the size asked about last: at most one for each 1 bit of it. */
  private folded = { size: 0, hashes: new Map<number, Hash>() };

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
    return Promise.all([...left, ...right].map((node) => this.node(node)));
  }

  /** The root of the tree of `size`. */
  async root(size: number): Promise<Hash> {
    const [root = emptyRoot()] = size === 0 ? [] : await this.hashes([{ start: 0, end: size }], size);
    return root;
  }

  private async hashes(ranges: readonly Range[], size: number): Promise<Hash[]> {
    if (this.folded.size !== size) this.folded = { size, hashes: new Map() };
    const { hashes: shared } = this.folded;
    const out: Hash[] = [];
    for (const { start, end } of ranges) {
      const known = end === size ? shared.get(start) : undefined;
      if (known !== undefined) {
        out.push(known);
        continue;
      }
      const parts: Hash[] = [];
      for (const node of cover(start, end)) {
        const { tile, row, position } = this.locate(node);
        parts.push((tile ?? (await this.tile(node))).node(row, position));
      }
      const hash = foldHashes(parts);
      if (end === size) shared.set(start, hash);
      out.push(hash);
    }
    return out;
  }

  private async node(node: Node): Promise<Hash> {
    const { tile, row, position } = this.locate(node);
    return (tile ?? (await this.tile(node))).node(row, position);
  }

  private async tile(node: Node): Promise<TileNodes> {
    const { level, index } = placeOf(node);
    return this.reader.tile(level, index);
  }

  private locate(node: Node): { tile: TileNodes | undefined; row: number; position: number } {
    const { level, index, row, position } = placeOf(node);
    return { tile: this.reader.resident(level, index), row, position };
  }
}

/** In which tile, and where in it, a node of the tree lies. */
function placeOf({ level, index }: Node): { level: number; index: number; row: number; position: number } {
  const row = level % TILE_HEIGHT;
  const width = TILE_WIDTH / 2 ** row;
  return {
    level: (level - row) / TILE_HEIGHT,
    index: Math.floor(index / width),
    row,
    position: index % width,
  };
}
