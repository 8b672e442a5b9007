/**
 * Checks of inclusion and consistency (RFC 9162 §2.1.3.2 and §2.1.4.2, the iterative form of RFC 6962), for trees
 * and for subtrees. All throw ProofError when the proof does not hold and return nothing when it does. Numbers that
 * make no sense are a failed proof too: they come from the same stranger.
 */
import { demandRoot, emptyRoot, type Hash, nodeHash } from "./hash.js";
import { half, isOdd } from "./math.js";
import { isSubtree } from "./plan.js";
import { ProofError } from "./proof-error.js";

/** Is the leaf at `index` of the tree of `size` with this `root`? */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Hash,
  hashes: readonly Hash[],
  root: Hash,
): void {
  demandRoot(inclusionRoot(index, size, leaf, hashes), root, `inclusion of ${index} in ${size}`);
}

/** The root that an inclusion proof leads to. ProofError when the proof has the wrong length for its numbers. */
export function inclusionRoot(index: number, size: number, leaf: Hash, hashes: readonly Hash[]): Hash {
  demandProofNumber(index, "index");
  demandProofNumber(size, "size");
  if (index >= size) throw new ProofError(`index ${index} is not in a tree of ${size}`);
  let fn = index;
  let sn = size - 1;
  let root = leaf;
  for (const hash of hashes) {
    if (sn === 0) throw new ProofError(`inclusion of ${index} in ${size}: more hashes than the path has`);
    if (isOdd(fn) || fn === sn) {
      root = nodeHash(hash, root);
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      root = nodeHash(root, hash);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw new ProofError(`inclusion of ${index} in ${size}: fewer hashes than the path has`);
  return root;
}

/** Is the leaf at `index` part of the subtree [start, end) with this `root`? */
export function verifySubtreeInclusion(
  index: number,
  start: number,
  end: number,
  leaf: Hash,
  hashes: readonly Hash[],
  root: Hash,
): void {
  demandSubtree(start, end, end);
  if (index < start) throw new ProofError(`index ${index} is before the subtree [${start}, ${end})`);
  verifyInclusion(index - start, end - start, leaf, hashes, root);
}

/**
 * Does the tree of `to` extend the tree of `from`? ProofError for from = 0 < to: every tree extends the empty one,
 * so such a proof proves nothing; whoever holds size 0 compares its root with `emptyRoot()` and asks for no proof.
 */
export function verifyConsistency(
  from: number,
  to: number,
  hashes: readonly Hash[],
  fromRoot: Hash,
  toRoot: Hash,
): void {
  demandProofNumber(from, "from");
  demandProofNumber(to, "to");
  if (from > to) throw new ProofError(`consistency wants from ≤ to, got ${from} > ${to}`);
  if (from === 0 && to > 0) throw new ProofError("consistency from the empty tree proves nothing");
  verifySubtreeConsistency(0, from, to, hashes, fromRoot, toRoot);
  if (to === 0) demandRoot(toRoot, emptyRoot(), "the empty tree");
}

/**
 * The root of the tree of `to` that a consistency proof leads to from the root of the tree of `from`: for whoever holds a
 * signature over the newer root, and not the root. ProofError unless 0 < from ≤ to and the proof leads back to `fromRoot`.
 */
export function consistencyRoot(from: number, to: number, hashes: readonly Hash[], fromRoot: Hash): Hash {
  demandSubtree(0, from, to);
  if (from === 0) throw new ProofError("consistency from the empty tree proves nothing");
  const { subtreeSide, treeSide } = climbBoth(0, from, to, hashes, fromRoot);
  demandRoot(subtreeSide, fromRoot, `consistency of ${from} with ${to}, the older side`);
  return treeSide;
}

/**
 * Is the subtree [start, end) with root `subtreeRoot` part of the tree of `size` with root `root`?
 * (draft-ietf-plants-merkle-tree-certs, "Verifying a Subtree Consistency Proof".) The empty subtree is part of
 * every tree that reaches it.
 */
export function verifySubtreeConsistency(
  start: number,
  end: number,
  size: number,
  hashes: readonly Hash[],
  subtreeRoot: Hash,
  root: Hash,
): void {
  const what = `consistency of [${start}, ${end}) with ${size}`;
  demandSubtree(start, end, size);
  if (start === end) {
    if (hashes.length > 0) throw new ProofError(`${what}: want no hashes, got ${hashes.length}`);
    return demandRoot(subtreeRoot, emptyRoot(), what);
  }
  const { subtreeSide, treeSide } = climbBoth(start, end, size, hashes, subtreeRoot);
  demandRoot(subtreeSide, subtreeRoot, `${what}, the older side`);
  demandRoot(treeSide, root, `${what}, the newer side`);
}

/** The two roots that a proof leads to, from the subtree [start, end), which is not empty. */
function climbBoth(
  start: number,
  end: number,
  size: number,
  hashes: readonly Hash[],
  subtreeRoot: Hash,
): { readonly subtreeSide: Hash; readonly treeSide: Hash } {
  const what = `consistency of [${start}, ${end}) with ${size}`;
  // Numbers of the first leaf of the subtree, its last, and the last of the tree, climbing together.
  let climb: Climb = { fn: start, sn: end - 1, tn: size - 1 };
  // Skip the levels at which the subtree is a complete node on its own: no hash is needed there.
  while (climb.sn === climb.tn ? climb.fn !== climb.sn : climb.fn !== climb.sn && isOdd(climb.sn))
    climb = up(climb);

  // The hash that both roots grow from: the subtree itself when it is complete, else the first of the proof.
  const whole = climb.fn === climb.sn;
  const seed = whole ? subtreeRoot : hashes[0];
  if (seed === undefined) throw new ProofError(`${what}: want at least one hash, got none`);
  let subtreeSide = seed;
  let treeSide = seed;
  for (const hash of whole ? hashes : hashes.slice(1)) {
    if (climb.tn === 0) throw new ProofError(`${what}: more hashes than the proof has`);
    if (isOdd(climb.sn) || climb.sn === climb.tn) {
      if (climb.fn < climb.sn) subtreeSide = nodeHash(hash, subtreeSide);
      treeSide = nodeHash(hash, treeSide);
      while (!isOdd(climb.sn) && climb.sn !== 0) climb = up(climb);
    } else {
      treeSide = nodeHash(treeSide, hash);
    }
    climb = up(climb);
  }
  if (climb.tn !== 0) throw new ProofError(`${what}: fewer hashes than the proof has`);
  return { subtreeSide, treeSide };
}

interface Climb {
  readonly fn: number;
  readonly sn: number;
  readonly tn: number;
}

function up({ fn, sn, tn }: Climb): Climb {
  return { fn: half(fn), sn: half(sn), tn: half(tn) };
}

function demandSubtree(start: number, end: number, size: number): void {
  demandProofNumber(start, "start");
  demandProofNumber(end, "end");
  demandProofNumber(size, "size");
  if (start > end || end > size)
    throw new ProofError(`want start ≤ end ≤ size, got ${start}, ${end}, ${size}`);
  if (start < end && !isSubtree(start, end)) throw new ProofError(`[${start}, ${end}) is not a subtree`);
}

/** ProofError unless `n` is a safe integer ≥ 0. */
export function demandProofNumber(n: number, what: string): void {
  if (!Number.isSafeInteger(n) || n < 0) throw new ProofError(`${what} must be a safe integer ≥ 0, got ${n}`);
}
