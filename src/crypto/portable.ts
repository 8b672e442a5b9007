/** The crypto seam for any JavaScript engine: noble-hashes, noble-ed25519 and noble-curves. */
import { p256 } from "@noble/curves/nist.js";
import * as ed from "@noble/ed25519";
import { sha256 as nobleSha256, sha512 } from "@noble/hashes/sha2.js";
import type { Crypto, Verifier } from "./contract.js";
import { es256PublicKey, es256Sign } from "./es256.js";

ed.hashes.sha512 = sha512;
const { Point } = ed;
const ORDER = Point.CURVE().n;

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return new Uint8Array(0);
  }
}

export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

export function sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void {
  out.set(nobleSha256(data), offset);
}

/**
 * libsodium's rule on noble's points: R is recomputed as [S]B − [k]A and compared byte for byte. noble's own
 * `verify`, even with `zip215: false`, multiplies by the cofactor and so accepts signatures libsodium refuses.
 */
export function ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const encodedR = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const a = decodePoint(publicKey);
  const r = decodePoint(encodedR);
  if (s >= ORDER || a === undefined || r === undefined || a.isSmallOrder() || r.isSmallOrder()) return false;
  const k = littleEndian(sha512(concat(encodedR, publicKey, message))) % ORDER;
  const recomputed = multiply(Point.BASE, s).add(multiply(a, k).negate()).toBytes();
  return recomputed.every((byte, i) => byte === encodedR[i]);
}

export function ed25519Sign(message: Uint8Array, seed: Uint8Array): Uint8Array {
  return ed.sign(message, seed);
}

export function ed25519Signer(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  return (message) => ed.sign(message, seed);
}

export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  return ed.getPublicKey(seed);
}

export function ed25519KeyIsSound(publicKey: Uint8Array): boolean {
  const point = publicKey.length === 32 ? decodePoint(publicKey) : undefined;
  return point !== undefined && !point.isSmallOrder() && point.isTorsionFree();
}

export function es256Verifier(publicKey: Uint8Array): Verifier | undefined {
  if (publicKey.length !== 64) return undefined;
  const uncompressed = concat(Uint8Array.of(4), publicKey);
  if (!p256.utils.isValidPublicKey(uncompressed, false)) return undefined;
  return (signature, message) => {
    if (signature.length !== 64) return false;
    try {
      return p256.verify(signature, message, uncompressed, { lowS: false });
    } catch {
      return false; // r or s out of range
    }
  };
}

export { es256PublicKey, es256Sign };

/** The point, or undefined when the encoding is not canonical or not on the curve. */
function decodePoint(encoded: Uint8Array): InstanceType<typeof Point> | undefined {
  try {
    return Point.fromBytes(encoded, false);
  } catch {
    return undefined;
  }
}

/** noble refuses to multiply by zero, a scalar that a hostile signature may well carry. */
function multiply(point: InstanceType<typeof Point>, scalar: bigint): InstanceType<typeof Point> {
  return scalar === 0n ? Point.ZERO : point.multiply(scalar, false);
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

({
  utf8,
  toHex,
  fromHex,
  toBase64,
  fromBase64,
  sha256,
  sha256Into,
  ed25519Verify,
  ed25519Sign,
  ed25519Signer,
  ed25519PublicKey,
  ed25519KeyIsSound,
  es256Verifier,
  es256Sign,
  es256PublicKey,
}) satisfies Crypto;
