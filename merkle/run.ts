/**
 * One proof for neighbours. A batch that stands in a row needs, besides its own leaf hashes, only the compact range
 * before it and the subtrees after it: at most 2 · log2(size) hashes, however many entries.
 */
import { demandRoot, type Hash, nodeHash } from "./hash.js";
import { cover, type Node } from "./math.js";
import { planInclusion, planRun } from "./plan.js";
import { ProofError } from "./proof-error.js";
import { asRange, type CompactRange, extendRange, foldHashes, mergeRanges, rangeRoot } from "./range.js";
import { demandProofNumber } from "./verify.js";

/**
 * Do the leaves [start, start + leaves.length) stand in a row in the tree of `size` with this `root`? `hashes` are
 * those of `planRun`, left then right. One such proof serves any number of neighbours.
 */
export function verifyRun(
  start: number,
  size: number,
  leaves: readonly Hash[],
  hashes: readonly Hash[],
  root: Hash,
): void {
  const { left, right } = splitRun(start, size, leaves.length, hashes);
  const grown = extendRange(left, leaves);
  demandRoot(rangeRoot(mergeRanges(grown, right)), root, `the run [${start}, ${grown.end}) in ${size}`);
}

/**
 * The inclusion proofs of every leaf of a verified run, in order: what turns one compact proof into ordinary ones.
 * Check the run first (`verifyRun`): this only rearranges hashes.
 */
export function expandRun(
  start: number,
  size: number,
  leaves: readonly Hash[],
  hashes: readonly Hash[],
): Hash[][] {
  const { left, right } = splitRun(start, size, leaves.length, hashes);
  const known = new Map<string, Hash>();
  for (const range of [left, right]) {
    cover(range.start, range.end).forEach((node, i) =>
      known.set(`${node.level}/${node.index}`, range.hashes[i] as Hash),
    );
  }
  leaves.forEach((hash, i) => known.set(`0/${start + i}`, hash));
  const nodeAt = ({ level, index }: Node): Hash => {
    const key = `${level}/${index}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    if (level === 0) throw new ProofError(`the run has no hash for leaf ${index}`);
    const made = nodeHash(
      nodeAt({ level: level - 1, index: 2 * index }),
      nodeAt({ level: level - 1, index: 2 * index + 1 }),
    );
    known.set(key, made);
    return made;
  };
  return leaves.map((_, i) =>
    planInclusion(start + i, size).map((range) => foldHashes(cover(range.start, range.end).map(nodeAt))),
  );
}

function splitRun(
  start: number,
  size: number,
  count: number,
  hashes: readonly Hash[],
): { left: CompactRange; right: CompactRange } {
  demandProofNumber(start, "start");
  demandProofNumber(size, "size");
  const end = start + count;
  if (count === 0 || end > size)
    throw new ProofError(`a run [${start}, ${end}) does not fit a tree of ${size}`);
  const { left, right } = planRun(start, end, size);
  if (hashes.length !== left.length + right.length) {
    throw new ProofError(
      `the run [${start}, ${end}) in ${size} has ${left.length + right.length} hashes, got ${hashes.length}`,
    );
  }
  return {
    left: asRange(0, start, hashes.slice(0, left.length)),
    right: asRange(end, size, hashes.slice(left.length)),
  };
}
