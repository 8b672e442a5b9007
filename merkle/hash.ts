/**
 * RFC 6962 §2.1 hashing: a leaf and a node can never be mistaken for one another.
 * The one brand of the project lives here: a `Hash` is exactly 32 bytes.
 */
import { sha256, sha256Into, toHex } from "#crypto";
import { ProofError } from "./proof-error.js";

declare const brand: unique symbol;
/** 32 bytes of SHA-256. Made by the functions here, or from foreign bytes by `asHash`. */
export type Hash = Uint8Array & { readonly [brand]: "Hash" };

export const HASH_BYTES = 32;

/** The bytes as a Hash; RangeError unless there are 32. */
export function asHash(bytes: Uint8Array): Hash {
  if (bytes.length !== HASH_BYTES) throw new RangeError(`a hash has 32 bytes, got ${bytes.length}`);
  return bytes as Hash;
}

/** MTH({}) = SHA-256 of nothing: the root of the empty tree. */
export function emptyRoot(): Hash {
  return sha256(new Uint8Array(0)) as Hash;
}

/** SHA-256(0x00 ‖ entry). */
export function leafHash(entry: Uint8Array): Hash {
  const input =
    entry.length < LEAF_INPUT.length
      ? LEAF_INPUT.subarray(0, 1 + entry.length)
      : new Uint8Array(1 + entry.length);
  input.set(entry, 1);
  return sha256(input) as Hash;
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Hash, right: Hash): Hash {
  NODE_INPUT.set(left, 1);
  NODE_INPUT.set(right, 33);
  return sha256(NODE_INPUT) as Hash;
}

/**
 * As `nodeHash`, for hashes that lie side by side in a flat buffer: reads 64 bytes at `from`, writes 32 at `to` of
 * `out`. Building a tile this way allocates nothing but the hash function's own string.
 */
export function nodeHashInto(pairs: Uint8Array, from: number, out: Uint8Array, to: number): void {
  NODE_INPUT.set(pairs.subarray(from, from + 64), 1);
  sha256Into(NODE_INPUT, out, to);
}

/** Constant first byte, rewritten otherwise at every call: scratch space, never state. (Allocating costs as much as hashing.) */
const NODE_INPUT = new Uint8Array(65);
NODE_INPUT[0] = 1;
const LEAF_INPUT = new Uint8Array(65_536);

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Throws ProofError unless the two roots are the same bytes. */
export function demandRoot(got: Hash, want: Hash, what: string): void {
  if (!sameHash(got, want)) throw new ProofError(`${what}: computed root ${toHex(got)}, want ${toHex(want)}`);
}
