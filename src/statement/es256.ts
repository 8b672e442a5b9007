/**
 * The two spellings of an ES256 signature. Of every (r, s) that verifies, (r, n − s) does too, and anybody can turn one into
 * the other. Statements in DSSE have the one with the low s, so that nobody makes a second statement out of a logged one;
 * COSE is taken as other people's libraries write it, with either: its bytes are the submitter's own, and a receipt is of them.
 */
import { fromHex, toHex } from "../format/bytes.js";

/** The order of P-256 (FIPS 186-5; SP 800-186 §3.2.1.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Is the s of r ‖ s (64 bytes) at most half the order? */
export function hasLowS(signature: Uint8Array): boolean {
  return numberOf(signature.subarray(32)) <= ORDER / 2n;
}

/**
 * r ‖ s with the low s, from the DER in which X9.62 writes it (RFC 3279 §2.2.3: SEQUENCE of two INTEGERs), as OpenSSL and
 * most tools for DSSE do. Undefined for anything but DER.
 */
export function fromDer(der: Uint8Array): Uint8Array | undefined {
  if (der[0] !== SEQUENCE || der[1] !== der.length - 2 || der.length > 127) return undefined;
  const r = integerAt(der, 2);
  const s = r && integerAt(der, r.end);
  if (r === undefined || s?.end !== der.length) return undefined;
  const low = s.value > ORDER / 2n && s.value < ORDER ? ORDER - s.value : s.value;
  return fromHex(`${hex32(r.value)}${hex32(low)}`);
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/** A positive INTEGER of at most 32 bytes, in the shortest form. */
function integerAt(
  der: Uint8Array,
  at: number,
): { readonly value: bigint; readonly end: number } | undefined {
  const length = der[at + 1] ?? 0;
  const digits = der.subarray(at + 2, at + 2 + length);
  if (der[at] !== INTEGER || length === 0 || length > 33 || digits.length !== length) return undefined;
  const [first = 0, second = 0] = digits;
  if (first >= 0x80 || (first === 0 && length > 1 && second < 0x80) || (length === 33 && first !== 0))
    return undefined;
  return { value: numberOf(digits), end: at + 2 + length };
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function hex32(value: bigint): string {
  return value.toString(16).padStart(64, "0");
}
