/**
 * Verifier keys (c2sp.org/signed-note, "Verifier keys") and their secret twins, as Go's note package writes them.
 *
 *     example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
 *     PRIVATE+KEY+example.com/foo+530d903a+Ad…
 */
import { ed25519KeyIsSound, ed25519PublicKey, sha256 } from "#crypto";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { WritError } from "../errors.js";
import { parseBase64, toBase64 } from "./base64.js";
import { concat, fromHex, sameBytes, toHex, utf8 } from "./bytes.js";
import { isKeyName } from "./note.js";

/** The assigned signature type bytes that we read. */
export const ED25519 = 0x01;
export const ED25519_COSIGNATURE = 0x04;
export const ML_DSA_44 = 0x06;
export type KeyType = typeof ED25519 | typeof ED25519_COSIGNATURE | typeof ML_DSA_44;

const PUBLIC_KEY_BYTES: Readonly<Record<KeyType, number>> = { 1: 32, 4: 32, 6: 1312 };

export interface VerifierKey {
  readonly name: string;
  /** SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4] */
  readonly keyId: Uint8Array;
  readonly type: KeyType;
  /** 32 bytes, or 1,312 for ML-DSA-44. */
  readonly publicKey: Uint8Array;
}

/**
 * A key with its 32-byte seed: of RFC 8032 for the types 1 and 4, of FIPS 204 (ξ of ML-DSA.KeyGen) for type 6. The key's
 * own text is its only printed form.
 */
export interface SigningKey extends VerifierKey {
  readonly seed: Uint8Array;
}

/** A verifier key from its parts. VKEY_MALFORMED for a bad name or a public key of the wrong length. */
export function verifierKey(name: string, type: KeyType, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) fail(`not a key name: ${JSON.stringify(name)}`);
  if (publicKey.length !== PUBLIC_KEY_BYTES[type]) {
    fail(`type ${type} wants ${PUBLIC_KEY_BYTES[type]} key bytes, got ${publicKey.length}`);
  }
  if (type !== ML_DSA_44 && !ed25519KeyIsSound(publicKey))
    fail("not a sound Ed25519 key (canonical, prime order)");
  const keyId = sha256(concat(utf8(`${name}\n`), Uint8Array.of(type), publicKey)).slice(0, 4);
  return { name, keyId, type, publicKey };
}

export function parseVerifierKey(text: string): VerifierKey {
  const { name, hexId, material } = splitKey(text);
  const key = verifierKey(name, keyType(material[0]), material.subarray(1));
  demandId(key, hexId);
  return key;
}

export function formatVerifierKey(key: VerifierKey): string {
  return `${key.name}+${toHex(key.keyId)}+${toBase64(concat(Uint8Array.of(key.type), key.publicKey))}`;
}

/** A signing key of `name` from 32 secret bytes; a log's or person's Ed25519 key unless the type says otherwise. */
export function signingKey(name: string, seed: Uint8Array, type: KeyType = ED25519): SigningKey {
  const publicKey = type === ML_DSA_44 ? ml_dsa44.keygen(seed).publicKey : ed25519PublicKey(seed);
  return { ...verifierKey(name, type, publicKey), seed };
}

const PRIVATE = "PRIVATE+KEY+";

/** The key in a secret key's text. The text never appears in an error. */
export function parseSigningKey(text: string): SigningKey {
  if (!text.startsWith(PRIVATE)) fail(`a secret key begins with ${PRIVATE}`);
  const { name, hexId, material } = splitKey(text.slice(PRIVATE.length));
  if (material.length !== 33) fail("a secret key has a type byte and a seed of 32 bytes");
  const key = signingKey(name, material.slice(1), keyType(material[0]));
  demandId(key, hexId);
  return key;
}

export function formatSigningKey(key: SigningKey): string {
  return `${PRIVATE}${key.name}+${toHex(key.keyId)}+${toBase64(concat(Uint8Array.of(key.type), key.seed))}`;
}

/** Split at the first two `+`: base64 may hold more of them, a name holds none. */
function splitKey(text: string): { name: string; hexId: string; material: Uint8Array } {
  const first = text.indexOf("+");
  const second = text.indexOf("+", first + 1);
  if (first < 0 || second < 0) fail("want name+hex+base64");
  const hexId = text.slice(first + 1, second);
  const material = parseBase64(text.slice(second + 1));
  if (fromHex(hexId)?.length !== 4) fail("the key id is 8 lower-case hex digits");
  if (material === undefined || material.length < 2) fail("the key material is not canonical base64");
  return { name: text.slice(0, first), hexId, material };
}

function keyType(byte: number | undefined): KeyType {
  if (byte === ED25519 || byte === ED25519_COSIGNATURE || byte === ML_DSA_44) return byte;
  fail(`signature type ${byte} is not one of 1, 4, 6`);
}

function demandId(key: VerifierKey, hexId: string): void {
  if (toHex(key.keyId) !== hexId)
    fail(`the key id of ${key.name} is ${toHex(key.keyId)}, the text says ${hexId}`);
}

/** Do both names and ids agree? Only then is a signature line "ours". */
export function isLineOf(
  key: VerifierKey,
  line: { readonly name: string; readonly keyId: Uint8Array },
): boolean {
  return key.name === line.name && sameBytes(key.keyId, line.keyId);
}

function fail(why: string): never {
  throw new WritError("VKEY_MALFORMED", `verifier key: ${why}`);
}
