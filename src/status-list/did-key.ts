/** `did:key` of an Ed25519 key (W3C CCG did:key 0.7, Multikey): the key spelled as an identifier, so that nobody has to look it up. */
import { concat } from "../format/bytes.js";

/** Multicodec `ed25519-pub`, as a varint. */
const ED25519_PUB = Uint8Array.of(0xed, 0x01);
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** `did:key:z6Mk…` of a 32-byte public key. */
export function didKey(publicKey: Uint8Array): string {
  return `did:key:${multikey(publicKey)}`;
}

/** The verification method of that identifier: its one key. */
export function verificationMethod(publicKey: Uint8Array): string {
  return `${didKey(publicKey)}#${multikey(publicKey)}`;
}

function multikey(publicKey: Uint8Array): string {
  return base58btc(concat(ED25519_PUB, publicKey));
}

/** Multibase `z`: base58btc. For keys and signatures: its time grows with the square of the length. */
export function base58btc(bytes: Uint8Array): string {
  const digits: number[] = [];
  for (const byte of bytes) {
    let carry = byte;
    for (let i = 0; i < digits.length; i++) {
      carry += (digits[i] ?? 0) * 256;
      digits[i] = carry % 58;
      carry = Math.floor(carry / 58);
    }
    for (; carry > 0; carry = Math.floor(carry / 58)) digits.push(carry % 58);
  }
  const zeros = bytes.findIndex((byte) => byte !== 0);
  const leading = ALPHABET.charAt(0).repeat(zeros < 0 ? bytes.length : zeros);
  return `z${leading}${digits
    .toReversed()
    .map((digit) => ALPHABET.charAt(digit))
    .join("")}`;
}
