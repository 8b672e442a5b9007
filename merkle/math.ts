/**
 * All index arithmetic of the tree. Sizes and indexes are safe integers (< 2^53), so everything here divides and
 * multiplies: JavaScript's bit operators work on 32 bits (1 << 32 is 1) and would be wrong without a sound.
 */

/** A complete subtree: the leaves [index · 2^level, (index + 1) · 2^level). */
export interface Node {
  readonly level: number;
  readonly index: number;
}

/** The leaves [start, end). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** RangeError unless `n` is an integer in [0, 2^53). */
export function demandSize(n: number, what: string): void {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${what} must be a safe integer ≥ 0, got ${n}`);
}

/** RangeError unless 0 ≤ start < end, all safe. */
export function demandRange(start: number, end: number): void {
  demandSize(start, "start");
  demandSize(end, "end");
  if (start >= end) throw new RangeError(`want start < end, got [${start}, ${end})`);
}

/** 2^level, for levels 0 to 53. From a table: `**` is a call to libm, and proofs ask this hundreds of times (measured). */
export function power(level: number): number {
  return POWERS[level] ?? 2 ** level;
}

const POWERS: readonly number[] = Array.from({ length: 54 }, (_, level) => 2 ** level);

/** The largest power of two strictly below n (n ≥ 2): the k of RFC 6962 §2.1. */
export function splitPoint(n: number): number {
  return power(bitLength(n - 1) - 1);
}

/** The number of binary digits of n: 0 for 0. */
export function bitLength(n: number): number {
  const high = Math.floor(n / 4294967296);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(n);
}

export function isOdd(n: number): boolean {
  return n % 2 === 1;
}

export function half(n: number): number {
  return Math.floor(n / 2);
}

/** The level of the largest aligned subtree that begins at n (n > 0): its trailing zeros. */
function alignment(n: number): number {
  let level = 0;
  for (let rest = n; !isOdd(rest); rest = half(rest)) level++;
  return level;
}

/**
 * The aligned complete subtrees that cover [start, end), left to right, each as large as it can be.
 * For start = 0 these are the 1 bits of end, most significant first.
 */
export function cover(start: number, end: number): Node[] {
  const nodes: Node[] = [];
  for (let at = start; at < end; ) {
    const fits = bitLength(end - at) - 1;
    const level = at === 0 ? fits : Math.min(fits, alignment(at));
    nodes.push({ level, index: at / power(level) });
    at += power(level);
  }
  return nodes;
}
