/**
 * Compact ranges: the fewest complete subtrees that stand for the leaves [start, end). Ranges that touch can be
 * merged, and [0, n) folds to the root of the tree, so a tree can be built, extended and compared in O(log n) space.
 */
import { emptyRoot, type Hash, nodeHash } from "./hash.js";
import { cover, demandSize, isOdd, type Node } from "./math.js";

/** The hashes of `cover(start, end)`, left to right. */
export interface CompactRange {
  readonly start: number;
  readonly end: number;
  readonly hashes: readonly Hash[];
}

/** The range of no leaves at `start`. */
export function emptyRange(start = 0): CompactRange {
  demandSize(start, "start");
  return { start, end: start, hashes: [] };
}

/** A range from hashes someone else made; RangeError when their number is not that of `cover(start, end)`. */
export function asRange(start: number, end: number, hashes: readonly Hash[]): CompactRange {
  const want = cover(start, end).length;
  if (hashes.length !== want) {
    throw new RangeError(`a compact range of [${start}, ${end}) has ${want} hashes, got ${hashes.length}`);
  }
  return { start, end, hashes };
}

/** The range with these leaf hashes appended. */
export function extendRange(range: CompactRange, leaves: readonly Hash[]): CompactRange {
  const stack = new Stack(range);
  leaves.forEach((hash, i) => stack.push({ level: 0, index: range.end + i }, hash));
  return { start: range.start, end: range.end + leaves.length, hashes: stack.hashes };
}

/** The range of two neighbours; RangeError unless `left` ends where `right` begins. */
export function mergeRanges(left: CompactRange, right: CompactRange): CompactRange {
  if (left.end !== right.start) throw new RangeError(`[…, ${left.end}) and [${right.start}, …) do not touch`);
  const stack = new Stack(left);
  cover(right.start, right.end).forEach((node, i) => stack.push(node, at(right.hashes, i)));
  return { start: left.start, end: right.end, hashes: stack.hashes };
}

/** The root of the tree [0, end): right to left, each pair a node. RangeError unless the range starts at 0. */
export function rangeRoot(range: CompactRange): Hash {
  if (range.start !== 0) throw new RangeError(`only a range from 0 has a root, got start ${range.start}`);
  if (range.hashes.length === 0) return emptyRoot();
  return foldHashes(range.hashes);
}

/** The hash of a range whose complete subtrees, left to right, are `hashes` (at least one). */
export function foldHashes(hashes: readonly Hash[]): Hash {
  let root = at(hashes, hashes.length - 1);
  for (let i = hashes.length - 2; i >= 0; i--) root = nodeHash(at(hashes, i), root);
  return root;
}

/** Complete subtrees in a row; two siblings become their parent as soon as both are there. */
class Stack {
  readonly hashes: Hash[];
  private readonly nodes: Node[];

  constructor(range: CompactRange) {
    this.hashes = [...range.hashes];
    this.nodes = cover(range.start, range.end);
  }

  push(node: Node, hash: Hash): void {
    let { level, index } = node;
    let last = this.nodes.at(-1);
    while (isOdd(index) && last?.level === level && last.index === index - 1) {
      this.nodes.pop();
      hash = nodeHash(this.hashes.pop() as Hash, hash);
      level++;
      index = (index - 1) / 2;
      last = this.nodes.at(-1);
    }
    this.nodes.push({ level, index });
    this.hashes.push(hash);
  }
}

function at(hashes: readonly Hash[], i: number): Hash {
  const hash = hashes[i];
  if (hash === undefined) throw new RangeError(`no hash at ${i}`);
  return hash;
}
