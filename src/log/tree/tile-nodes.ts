/**
 * The nodes of one tile: the 256 hashes of its lowest row and the rows above them, up to its root. Two shapes answer
 * the same question: a tile that grows at the right edge of the tree keeps every node; one from the store has every second
 * row, and a node of another row is one hash away.
 */
import { asHash, HASH_BYTES, type Hash, nodeHash, nodeHashInto } from "../../../merkle/index.js";
import { TILE_WIDTH } from "../../format/tile-path.js";
import { STORED_TILE_BYTES } from "../../store/contract.js";

/** Rows 0 (256 hashes) to 8 (the root). */
export const TILE_HEIGHT = 8;
/** The rows that the store keeps. */
const STORED_ROWS = [0, 2, 4, 6] as const;

export interface TileNodes {
  /** The node at `position` of `row`. Only complete nodes exist; asking for another is a bug. */
  node(row: number, position: number): Hash;

  /** The first `width` hashes of the lowest row: the tile as served. */
  hashes(width: number): Uint8Array;

  /** Bytes of memory held. */
  readonly bytes: number;
}

/** A tile at the right edge: takes hashes until it is full. What is written is never written again. */
export class GrowingTile implements TileNodes {
  private readonly nodes = Buffer.allocUnsafeSlow((2 * TILE_WIDTH - 1) * HASH_BYTES);
  private width = 0;

  constructor(readonly index: number) {}

  get bytes(): number {
    return this.nodes.length;
  }

  get full(): boolean {
    return this.width === TILE_WIDTH;
  }

  push(hash: Hash): void {
    this.nodes.set(hash, this.width * HASH_BYTES);
    let position = this.width++;
    for (let row = 0; row < TILE_HEIGHT && position % 2 === 1; row++) {
      position = (position - 1) / 2;
      nodeHashInto(this.nodes, offset(row, 2 * position), this.nodes, offset(row + 1, position));
    }
  }

  node(row: number, position: number): Hash {
    const start = offset(row, position);
    return asHash(this.nodes.subarray(start, start + HASH_BYTES));
  }

  hashes(width: number): Uint8Array {
    return this.nodes.subarray(0, width * HASH_BYTES);
  }

  /** The full tile as the store keeps it. */
  toStored(): Uint8Array {
    return Buffer.concat(STORED_ROWS.map((row) => this.nodes.subarray(offset(row, 0), offset(row + 1, 0))));
  }
}

/** A full tile from the store. RangeError unless it has 10,880 bytes. */
export class FullTile implements TileNodes {
  constructor(private readonly data: Uint8Array) {
    if (data.length !== STORED_TILE_BYTES)
      throw new RangeError(`a stored tile has ${STORED_TILE_BYTES} bytes, got ${data.length}`);
  }

  get bytes(): number {
    return this.data.length;
  }

  /** One hash of work at most, but for the root, which takes three. */
  node(row: number, position: number): Hash {
    const start = STORED_OFFSETS[row];
    if (start !== undefined) return this.at(start + position * HASH_BYTES);
    return nodeHash(this.node(row - 1, 2 * position), this.node(row - 1, 2 * position + 1));
  }

  hashes(width: number): Uint8Array {
    return this.data.subarray(0, width * HASH_BYTES);
  }

  private at(start: number): Hash {
    return asHash(this.data.subarray(start, start + HASH_BYTES));
  }
}

/** Where each stored row begins in a stored tile, by row; undefined for the rows between. */
const STORED_OFFSETS: readonly (number | undefined)[] = Array.from({ length: TILE_HEIGHT + 1 }, (_, row) => {
  const before = STORED_ROWS.filter((stored) => stored < row).map((stored) => TILE_WIDTH / 2 ** stored);
  return STORED_ROWS.some((stored) => stored === row)
    ? before.reduce((sum, width) => sum + width, 0) * HASH_BYTES
    : undefined;
});

/** Rows lie one after another: row r begins after 256 + 128 + … hashes. */
function offset(row: number, position: number): number {
  return (2 * TILE_WIDTH - (2 * TILE_WIDTH) / 2 ** row + position) * HASH_BYTES;
}
