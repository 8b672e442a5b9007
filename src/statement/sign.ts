/** Making statements: a payload signed by one key, in either envelope, already in its stored form. */
import { ed25519Sign, es256Sign } from "#crypto";
import { WritError } from "../errors.js";
import { fromHex } from "../format/bytes.js";
import { ED25519, parseSigningKey } from "../format/vkey.js";
import { formatHeader } from "./cose.js";
import { formatDsse, preAuthEncoding } from "./dsse.js";
import { type PublicKey, publicKey } from "./key.js";
import { formatSign1, sigStructure } from "./sign1.js";
import type { HashEnvelope } from "./statement.js";

/** A key that can sign, whatever holds its secret. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** 64 bytes over the message. */
  sign(message: Uint8Array): Uint8Array;
}

/** A signer that holds its 32-byte secret: an Ed25519 seed or a P-256 scalar. */
export function secretSigner(known: PublicKey, secret: Uint8Array): Signer {
  const sign = known.algorithm === "Ed25519" ? ed25519Sign : es256Sign;
  return { publicKey: known, sign: (message) => sign(message, secret) };
}

/** The signer in the text of a key file, with the name that it signs as. WritError for what is no Ed25519 key of that form. */
export function noteSigner(text: string): Signer & { readonly name: string } {
  const key = parseSigningKey(text.trim());
  const known = key.type === ED25519 ? publicKey("Ed25519", key.publicKey) : undefined;
  if (known === undefined)
    throw new WritError(
      "KEY_MALFORMED",
      "want an Ed25519 key: statements are signed with no other of this form",
    );
  return { ...secretSigner(known, key.seed), name: key.name };
}

/** A DSSE envelope by one or several signers. */
export function signDsse(
  payloadType: string,
  payload: Uint8Array,
  ...signers: readonly Signer[]
): Uint8Array {
  const message = preAuthEncoding(payloadType, payload);
  const signatures = signers
    .map((signer) => ({ keyId: signer.publicKey.keyId, signature: signer.sign(message) }))
    .toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1));
  return formatDsse(payloadType, payload, signatures);
}

/**
 * A COSE_Sign1 with the claims that SCITT asks for; `issuedAt` in POSIX seconds. `content`: the payload's media type, or
 * what it is the digest of.
 */
export function signCose(
  content: string | HashEnvelope,
  payload: Uint8Array,
  claims: { readonly issuer: string; readonly subject: string; readonly issuedAt: number },
  signer: Signer,
): Uint8Array {
  const keyId = fromHex(signer.publicKey.keyId);
  if (keyId === undefined) throw new RangeError("a key id is hex");
  const header = formatHeader({ algorithm: signer.publicKey.algorithm, content, keyId, claims });
  return formatSign1(header, payload, signer.sign(sigStructure(header, payload)));
}
