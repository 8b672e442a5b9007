/** The Merkle tree of RFC 6962 (= RFC 9162 §2.1): hashing, planning, proving and checking. Pure; runs anywhere. */
export {
  asHash,
  emptyRoot,
  HASH_BYTES,
  type Hash,
  leafHash,
  nodeHash,
  nodeHashInto,
  sameHash,
} from "./hash.js";
export { bitLength, cover, type Node, power, type Range } from "./math.js";
export { isSubtree, planConsistency, planInclusion, planRun, planSubtreeConsistency } from "./plan.js";
export { ProofError } from "./proof-error.js";
export {
  asRange,
  type CompactRange,
  emptyRange,
  extendRange,
  foldHashes,
  mergeRanges,
  rangeRoot,
} from "./range.js";
export { expandRun, verifyRun } from "./run.js";
export {
  consistencyRoot,
  inclusionRoot,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from "./verify.js";
