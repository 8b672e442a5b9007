/** Digests by their number in the COSE algorithms registry (RFC 9054 §3), their name in in-toto, and their length. */
export const SHA_256 = -16;

export interface DigestKind {
  readonly name: string;
  readonly bytes: number;
}

export const DIGESTS: ReadonlyMap<number, DigestKind> = new Map([
  [SHA_256, { name: "sha256", bytes: 32 }],
  [-43, { name: "sha384", bytes: 48 }],
  [-44, { name: "sha512", bytes: 64 }],
]);
