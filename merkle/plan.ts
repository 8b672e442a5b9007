/**
 * What a proof is made of, before anything is read: RFC 6962 §2.1.1 and §2.1.2 as lists of leaf ranges.
 * A reader turns each range into complete subtrees (`cover`), fetches them in one go, and folds.
 */
import { cover, demandRange, demandSize, type Node, type Range, splitPoint } from "./math.js";

/** PATH(index, D[size]): the sibling ranges, leaf to root. RangeError unless index < size. */
export function planInclusion(index: number, size: number): Range[] {
  demandSize(index, "index");
  demandSize(size, "size");
  if (index >= size) throw new RangeError(`index ${index} is not in a tree of ${size}`);
  return pathRanges(index, 0, size);
}

/** PATH(index − start, D[start:end]), in coordinates of the whole tree. */
function pathRanges(index: number, start: number, end: number): Range[] {
  const path: Range[] = [];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
    }
  }
  return path.reverse();
}

/**
 * PROOF(from, D[to]): the ranges of a consistency proof. Empty when from is 0 or equals to.
 * RangeError unless from ≤ to.
 */
export function planConsistency(from: number, to: number): Range[] {
  demandSize(from, "from");
  demandSize(to, "to");
  if (from > to) throw new RangeError(`want from ≤ to, got ${from} > ${to}`);
  return from === 0 || from === to ? [] : planSubtreeConsistency(0, from, to);
}

/**
 * The proof that the subtree [start, end) is part of a tree of `size`: SUBPROOF of RFC 6962 §2.1.2 where the old
 * tree may begin anywhere a subtree may. RangeError unless [start, end) is a valid subtree of that tree.
 */
export function planSubtreeConsistency(start: number, end: number, size: number): Range[] {
  demandRange(start, end);
  demandSize(size, "size");
  if (end > size || !isSubtree(start, end)) {
    throw new RangeError(`[${start}, ${end}) is not a subtree of a tree of ${size}`);
  }
  return subproof(start, end, 0, size, true);
}

function subproof(start: number, end: number, low: number, high: number, known: boolean): Range[] {
  if (start === low && end === high) return known ? [] : [{ start: low, end: high }];
  const middle = low + splitPoint(high - low);
  if (end <= middle) return [...subproof(start, end, low, middle, known), { start: middle, end: high }];
  if (start >= middle) return [...subproof(start, end, middle, high, known), { start: low, end: middle }];
  // The old subtree straddles the split, so it begins at `low`, and its right part is no longer whole on its own.
  return [...subproof(middle, end, middle, high, false), { start: low, end: middle }];
}

/** Is [start, end) a subtree: does start divide by the smallest power of two that holds end − start leaves? */
export function isSubtree(start: number, end: number): boolean {
  const width = end - start;
  const capacity = width === 1 ? 1 : 2 * splitPoint(width);
  return start % capacity === 0;
}

/**
 * What proves the run [start, end) under a tree of `size`: the compact range of [0, start), then the subtrees that
 * complete [0, end). With the run's own leaf hashes between them they fold to the root.
 */
export function planRun(start: number, end: number, size: number): { left: Node[]; right: Node[] } {
  demandRange(start, end);
  demandSize(size, "size");
  if (end > size) throw new RangeError(`the run ends at ${end}, beyond the tree of ${size}`);
  return { left: cover(0, start), right: cover(end, size) };
}
