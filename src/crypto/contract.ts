/**
 * The one crypto seam: everything the pure rooms need from the outside. (Base64, hex and UTF-8 are here
 * because browsers and Node share no fast form of them.)
 *
 * Two implementations exist, chosen by the `#crypto` entry of package.json: `node.ts` (libsodium and
 * node:crypto) and `portable.ts` (noble; runs in a browser). They must agree on every input: a signature that
 * one accepts and the other refuses would split the log's readers.
 *
 * The Ed25519 rule is libsodium's, which is stricter than RFC 8032 §5.1.7: the cofactorless equation, canonical
 * S, A and R, and neither A nor R of small order.
 */
export interface Crypto {
  /** UTF-8 of a well-formed text. */
  utf8(text: string): Uint8Array;

  /** Lower-case hex. */
  toHex(bytes: Uint8Array): string;

  /** The bytes of an even number of hex digits; what other text gives is unspecified (`format/bytes.ts` checks). */
  fromHex(text: string): Uint8Array;

  /** Standard base64, padded. */
  toBase64(bytes: Uint8Array): string;

  /** The bytes of standard base64 text; what non-canonical text gives is unspecified (`format/base64.ts` checks). */
  fromBase64(text: string): Uint8Array;

  /** SHA-256 (FIPS 180-4) of `data`: 32 new bytes. */
  sha256(data: Uint8Array): Uint8Array;

  /** SHA-256 of `data`, written to `out` at `offset`; nothing is allocated for the caller. */
  sha256Into(data: Uint8Array, out: Uint8Array, offset: number): void;

  /** Does the 64-byte signature verify over `message` by the 32-byte key? Wrong lengths are false. */
  ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;

  /** Signs with a 32-byte seed (RFC 8032 §5.1.6): 64 bytes. */
  ed25519Sign(message: Uint8Array, seed: Uint8Array): Uint8Array;

  /** The same for many messages: the seed is expanded once. */
  ed25519Signer(seed: Uint8Array): (message: Uint8Array) => Uint8Array;

  /** The 32-byte public key of a 32-byte seed. */
  ed25519PublicKey(seed: Uint8Array): Uint8Array;

  /** May this key be registered? Canonical, on the curve, and in the prime-order subgroup (so not small or mixed order). */
  ed25519KeyIsSound(publicKey: Uint8Array): boolean;

  /**
   * An ES256 (ECDSA P-256, SHA-256) verifier for the key x ‖ y (64 bytes), or undefined when that is not a point
   * of the curve. The key is parsed once. Signatures are r ‖ s (64 bytes), of either s.
   */
  es256Verifier(publicKey: Uint8Array): Verifier | undefined;

  /** Signs with a 32-byte P-256 scalar: r ‖ s, low s. */
  es256Sign(message: Uint8Array, secret: Uint8Array): Uint8Array;

  /** The public key x ‖ y of a 32-byte P-256 scalar. */
  es256PublicKey(secret: Uint8Array): Uint8Array;
}

/** Does `signature` verify over `message`? Never throws. */
export type Verifier = (signature: Uint8Array, message: Uint8Array) => boolean;
