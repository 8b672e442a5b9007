/** RFC 6962 §2.1, its recursion typed in literally: slow, obvious, and what everything else is compared with. */
import { createHash } from "node:crypto";
import { asHash, type Hash } from "../../merkle/index.js";

function sha256(...parts: readonly Uint8Array[]): Hash {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return asHash(new Uint8Array(hash.digest()));
}

/** The largest power of two smaller than n. */
function k(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

export function leaf(entry: Uint8Array): Hash {
  return sha256(Uint8Array.of(0), entry);
}

/** §2.1: MTH */
export function mth(d: readonly Uint8Array[]): Hash {
  const [only] = d;
  if (only === undefined) return sha256();
  if (d.length === 1) return leaf(only);
  const split = k(d.length);
  return sha256(Uint8Array.of(1), mth(d.slice(0, split)), mth(d.slice(split)));
}

/** §2.1.1: PATH(m, D[n]) */
export function path(m: number, d: readonly Uint8Array[]): Hash[] {
  if (d.length === 1) return [];
  const split = k(d.length);
  if (m < split) return [...path(m, d.slice(0, split)), mth(d.slice(split))];
  return [...path(m - split, d.slice(split)), mth(d.slice(0, split))];
}

/** §2.1.2: PROOF(m, D[n]) */
export function proof(m: number, d: readonly Uint8Array[]): Hash[] {
  return subproof(m, d, true);
}

function subproof(m: number, d: readonly Uint8Array[], b: boolean): Hash[] {
  if (m === d.length) return b ? [] : [mth(d)];
  const split = k(d.length);
  if (m <= split) return [...subproof(m, d.slice(0, split), b), mth(d.slice(split))];
  return [...subproof(m - split, d.slice(split), false), mth(d.slice(0, split))];
}

/** Entries that differ: their own numbers as text. */
export function entries(n: number): Uint8Array[] {
  return Array.from({ length: n }, (_, i) => new TextEncoder().encode(`entry ${i}`));
}
