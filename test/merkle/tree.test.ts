import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asHash,
  asRange,
  cover,
  emptyRange,
  emptyRoot,
  expandRun,
  extendRange,
  foldHashes,
  type Hash,
  leafHash,
  mergeRanges,
  nodeHash,
  planConsistency,
  planInclusion,
  planRun,
  planSubtreeConsistency,
  isSubtree,
  ProofError,
  type Range,
  rangeRoot,
  verifyConsistency,
  verifyInclusion,
  verifyRun,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from "../../merkle/index.js";
import { entries, leaf, mth, path, proof } from "../support/rfc6962.js";

// Hundreds of thousands of refusals are provoked here; their stacks are of no interest.
Error.stackTraceLimit = 0;

const MOST = 64;
const all = entries(MOST);
const leaves = all.map(leafHash);
const roots = Array.from({ length: MOST + 1 }, (_, n) => mth(all.slice(0, n)));

function root(n: number): Hash {
  return roots[n] ?? emptyRoot();
}

/** The hash of a range of leaves, by the reference. */
function hashOf({ start, end }: Range): Hash {
  return mth(all.slice(start, end));
}

function leafAt(i: number): Hash {
  return leaves[i] ?? emptyRoot();
}

/** Hashes as text: a Buffer and a Uint8Array of the same bytes are the same hash. */
function hex(hashes: Hash | readonly Hash[]): string[] {
  return (hashes instanceof Uint8Array ? [hashes] : hashes).map((hash) => Buffer.from(hash).toString("hex"));
}

function flipped(hash: Hash, bit: number): Hash {
  const copy = Uint8Array.from(hash);
  copy[Math.floor(bit / 8)] = (copy[Math.floor(bit / 8)] ?? 0) ^ (1 << (bit % 8));
  return asHash(copy);
}

/** Every single-element corruption of a proof: each hash changed, dropped, doubled, swapped; one more at either end. */
function* corruptions(hashes: readonly Hash[]): Generator<readonly Hash[]> {
  yield [...hashes, leafAt(0)];
  yield [leafAt(0), ...hashes];
  for (const [i, hash] of hashes.entries()) {
    yield hashes.with(i, flipped(hash, (i * 37) % 256));
    yield hashes.toSpliced(i, 1);
    yield hashes.toSpliced(i, 0, hash);
    const next = hashes[i + 1];
    if (next !== undefined) yield hashes.with(i, next).with(i + 1, hash);
  }
}

test("the empty root is SHA-256 of nothing", () => {
  assert.equal(Buffer.from(emptyRoot()).toString("base64"), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  assert.deepEqual(hex(rangeRoot(emptyRange())), hex(emptyRoot()));
});

test("inclusion: every leaf of every size to 64 has the RFC's path, and every corruption of it is refused", () => {
  for (let size = 1; size <= MOST; size++) {
    for (let index = 0; index < size; index++) {
      const hashes = planInclusion(index, size).map(hashOf);
      assert.deepEqual(hex(hashes), hex(path(index, all.slice(0, size))));
      const own = leafAt(index);
      verifyInclusion(index, size, own, hashes, root(size));
      for (const bad of corruptions(hashes)) {
        assert.throws(() => verifyInclusion(index, size, own, bad, root(size)), ProofError);
      }
      assert.throws(() => verifyInclusion(index, size, flipped(own, index), hashes, root(size)), ProofError);
      assert.throws(() => verifyInclusion(index, size, own, hashes, flipped(root(size), index)), ProofError);
      for (let other = 0; other < size; other++) {
        if (other !== index)
          assert.throws(() => verifyInclusion(other, size, own, hashes, root(size)), ProofError);
      }
    }
  }
});

test("inclusion: the same path under another size is refused, unless that size has the same shape there", () => {
  for (let size = 2; size <= MOST; size++) {
    const hashes = planInclusion(size - 1, size).map(hashOf);
    for (let other = size + 1; other <= MOST; other++) {
      assert.throws(
        () => verifyInclusion(size - 1, other, leafAt(size - 1), hashes, root(other)),
        ProofError,
      );
    }
  }
});

test("consistency: every pair of sizes to 64 has the RFC's proof, and every corruption of it is refused", () => {
  for (let to = 1; to <= MOST; to++) {
    for (let from = 1; from <= to; from++) {
      const hashes = planConsistency(from, to).map(hashOf);
      assert.deepEqual(hex(hashes), hex(proof(from, all.slice(0, to))));
      verifyConsistency(from, to, hashes, root(from), root(to));
      for (const bad of corruptions(hashes)) {
        assert.throws(() => verifyConsistency(from, to, bad, root(from), root(to)), ProofError);
      }
      assert.throws(() => verifyConsistency(from, to, hashes, flipped(root(from), to), root(to)), ProofError);
      assert.throws(
        () => verifyConsistency(from, to, hashes, root(from), flipped(root(to), from)),
        ProofError,
      );
    }
  }
});

test("consistency: from the empty tree it proves nothing and is refused; the empty tree is itself", () => {
  verifyConsistency(0, 0, [], emptyRoot(), emptyRoot());
  assert.throws(() => verifyConsistency(0, 5, [], emptyRoot(), root(5)), ProofError);
  assert.throws(() => verifyConsistency(0, 0, [], root(1), root(1)), ProofError);
  assert.throws(() => verifyConsistency(6, 5, [], root(6), root(5)), ProofError);
});

test("subtrees: every subtree of every size to 40 proves its leaves and its place, corruptions refused", () => {
  for (let size = 1; size <= 40; size++) {
    for (let start = 0; start < size; start++) {
      for (let end = start + 1; end <= size; end++) {
        if (!isSubtree(start, end)) {
          assert.throws(() => planSubtreeConsistency(start, end, size), RangeError);
          continue;
        }
        const subRoot = hashOf({ start, end });
        const hashes = planSubtreeConsistency(start, end, size).map(hashOf);
        verifySubtreeConsistency(start, end, size, hashes, subRoot, root(size));
        for (const bad of corruptions(hashes)) {
          assert.throws(
            () => verifySubtreeConsistency(start, end, size, bad, subRoot, root(size)),
            ProofError,
          );
        }
        const last = planInclusion(end - 1 - start, end - start).map((r) =>
          hashOf({ start: r.start + start, end: r.end + start }),
        );
        verifySubtreeInclusion(end - 1, start, end, leafAt(end - 1), last, subRoot);
      }
    }
  }
});

test("compact ranges: built leaf by leaf or merged anywhere, they fold to the same root", () => {
  for (let size = 0; size <= MOST; size++) {
    const whole = extendRange(emptyRange(), leaves.slice(0, size));
    assert.deepEqual(hex(rangeRoot(whole)), hex(root(size)));
    assert.equal(whole.hashes.length, cover(0, size).length);
    for (let cut = 0; cut <= size; cut++) {
      const left = extendRange(emptyRange(), leaves.slice(0, cut));
      const right = extendRange(emptyRange(cut), leaves.slice(cut, size));
      const nodes = cover(cut, size).map(({ level, index }) =>
        hashOf({ start: index * 2 ** level, end: (index + 1) * 2 ** level }),
      );
      assert.deepEqual(hex(right.hashes), hex(nodes));
      assert.deepEqual(hex(mergeRanges(left, right).hashes), hex(whole.hashes));
    }
  }
  assert.throws(() => mergeRanges(emptyRange(1), emptyRange(2)), RangeError);
  assert.throws(() => rangeRoot(emptyRange(1)), RangeError);
  assert.throws(() => asRange(0, 3, leaves.slice(0, 3)), RangeError);
});

test("runs: any neighbours in any tree to 24 verify by one proof that expands into the RFC's paths", () => {
  for (let size = 1; size <= 24; size++) {
    for (let start = 0; start < size; start++) {
      for (let end = start + 1; end <= size; end++) {
        const { left, right } = planRun(start, end, size);
        const hashes = [...left, ...right].map(({ level, index }) =>
          hashOf({ start: index * 2 ** level, end: (index + 1) * 2 ** level }),
        );
        const own = leaves.slice(start, end);
        verifyRun(start, size, own, hashes, root(size));
        assert.ok(hashes.length <= 2 * Math.ceil(Math.log2(size + 1)));
        expandRun(start, size, own, hashes).forEach((expanded, i) => {
          assert.deepEqual(hex(expanded), hex(path(start + i, all.slice(0, size))));
        });
        for (const bad of corruptions(hashes)) {
          assert.throws(() => verifyRun(start, size, own, bad, root(size)), ProofError);
        }
        assert.throws(
          () => verifyRun(start, size, own.with(0, flipped(leafAt(start), 5)), hashes, root(size)),
          ProofError,
        );
        if (start > 0) assert.throws(() => verifyRun(start - 1, size, own, hashes, root(size)), ProofError);
      }
    }
  }
  assert.throws(() => verifyRun(0, 1, [], [], root(1)), ProofError);
});

test("numbers: sizes to 2^53 − 1 are exact, others are refused with the right kind of error", () => {
  const most = Number.MAX_SAFE_INTEGER;
  assert.equal(planInclusion(most - 1, most).length, 53 - 1);
  assert.deepEqual(cover(0, 2 ** 40 + 1), [
    { level: 40, index: 0 },
    { level: 0, index: 2 ** 40 },
  ]);
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => planInclusion(0, bad), RangeError);
    assert.throws(() => planConsistency(bad, 5), RangeError);
    assert.throws(() => verifyInclusion(0, bad, leafAt(0), [], root(1)), ProofError);
    assert.throws(() => verifyConsistency(1, bad, [], root(1), root(1)), ProofError);
  }
  assert.throws(() => planInclusion(5, 5), RangeError);
  assert.throws(() => asHash(new Uint8Array(31)), RangeError);
});

test("a leaf is never a node: the two are hashed apart", () => {
  const [a, b] = [leafAt(0), leafAt(1)];
  assert.notDeepEqual(hex(leafHash(Buffer.concat([a, b]))), hex(nodeHash(a, b)));
  assert.deepEqual(hex(foldHashes([a, b])), hex(root(2)));
  assert.deepEqual(hex(leafHash(new Uint8Array(70_000))), hex(leaf(new Uint8Array(70_000))));
});
