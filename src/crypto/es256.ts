/** ES256 (RFC 7518 §3.4) where both implementations of the seam share code: signing. What we sign has the low s. */
import { p256 } from "@noble/curves/nist.js";

export function es256Sign(message: Uint8Array, secret: Uint8Array): Uint8Array {
  return p256.sign(message, secret, { lowS: true });
}

export function es256PublicKey(secret: Uint8Array): Uint8Array {
  return p256.getPublicKey(secret, false).slice(1);
}
