/**
 * ES256 (RFC 7518 §3.4) where both implementations of the seam share code: signing, and the low-s rule.
 * Without the rule anybody could turn a logged statement into a second valid one, by replacing s with n − s.
 */
import { p256 } from "@noble/curves/nist.js";

/** Half the order of P-256, n >> 1, big-endian: an s above it is refused. */
const HALF_ORDER = hex("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8");

/** Is the s of r ‖ s at most half the order? */
export function hasLowS(signature: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) {
    const difference = (signature[32 + i] ?? 0) - (HALF_ORDER[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

export function es256Sign(message: Uint8Array, secret: Uint8Array): Uint8Array {
  return p256.sign(message, secret, { lowS: true });
}

export function es256PublicKey(secret: Uint8Array): Uint8Array {
  return p256.getPublicKey(secret, false).slice(1);
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
