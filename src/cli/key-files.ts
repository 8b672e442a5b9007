/**
 * Keys in files. Ed25519 in signed-note form, as Go's note package writes them (`PRIVATE+KEY+name+id+…`, `name+id+…`; the
 * name is the id the key signs for); PEM (PKCS#8, SPKI) is read as well, for ES256 and for keys from elsewhere.
 */
import { rm } from "node:fs/promises";
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { WritError } from "../errors.js";
import { parseBase64url } from "../format/base64.js";
import { fromUtf8 } from "../format/bytes.js";
import {
  ED25519,
  formatSigningKey,
  formatVerifierKey,
  type KeyType,
  parseSigningKey,
  parseVerifierKey,
  type SigningKey,
  signingKey,
} from "../format/vkey.js";
import { fromJwk, type PublicKey, publicKey } from "../statement/key.js";
import type { JsonObject } from "../statement/json.js";
import { type Signer, secretSigner } from "../statement/sign.js";
import { readBytes, writeNew } from "./files.js";

/** A signer and the id it signs for; null for PEM, which carries no name. */
export interface NamedSigner extends Signer {
  readonly keyName: string | null;
}

export interface NamedPublicKey {
  readonly key: PublicKey;
  readonly keyName: string | null;
}

/** A new key from the system's randomness; Ed25519 unless told otherwise. */
export function newSigningKey(name: string, type: KeyType = ED25519): SigningKey {
  return signingKey(name, new Uint8Array(randomBytes(32)), type);
}

/** Writes FILE (0600) and FILE.pub. Refuses to overwrite either. */
export async function writeKeyPair(file: string, key: SigningKey): Promise<void> {
  await writeNew(`${file}.pub`, `${formatVerifierKey(key)}\n`, 0o644);
  try {
    await writeNew(file, `${formatSigningKey(key)}\n`, 0o600);
  } catch (error) {
    // Half a pair would only be in the way of the next try.
    await rm(`${file}.pub`, { force: true });
    throw error;
  }
}

export async function readSigningKey(file: string): Promise<SigningKey> {
  const text = await readText(file);
  return signed(file, () => parseSigningKey(text.trim()));
}

/** The signer in a secret key file of either kind. Nothing of the secret is in any error. */
export async function readSigner(file: string): Promise<NamedSigner> {
  const text = await readText(file);
  if (!text.includes("-----BEGIN")) {
    const key = signed(file, () => parseSigningKey(text.trim()));
    if (key.type !== ED25519)
      throw malformed(file, "want an Ed25519 key: statements are signed with no other of this form");
    return {
      ...secretSigner(demandSound(file, publicKey("Ed25519", key.publicKey)), key.seed),
      keyName: key.name,
    };
  }
  const jwk = jwkOf(file, () => createPrivateKey(text));
  const secret = parseBase64url(typeof jwk["d"] === "string" ? jwk["d"] : "");
  if (secret?.length !== 32) throw malformed(file, "want an Ed25519 or P-256 private key");
  return { ...secretSigner(demandSound(file, fromJwk(jwk)), secret), keyName: null };
}

/** The key in a public key file of either kind. */
export async function readPublicKey(file: string): Promise<NamedPublicKey> {
  const text = await readText(file);
  if (text.includes("-----BEGIN")) {
    return { key: demandSound(file, fromJwk(jwkOf(file, () => createPublicKey(text)))), keyName: null };
  }
  const vkey = signed(file, () => parseVerifierKey(text.trim()));
  if (vkey.type !== ED25519)
    throw malformed(file, "want an Ed25519 key: statements are signed with no other of this form");
  return { key: demandSound(file, publicKey("Ed25519", vkey.publicKey)), keyName: vkey.name };
}

async function readText(file: string): Promise<string> {
  return fromUtf8(await readBytes(file)) ?? "";
}

function signed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof WritError) throw malformed(file, error.message);
    throw error;
  }
}

function jwkOf(file: string, read: () => KeyObject): JsonObject {
  try {
    return read().export({ format: "jwk" }) as JsonObject;
  } catch {
    throw malformed(file, "want PEM (PKCS#8 or SPKI) of an Ed25519 or P-256 key");
  }
}

function demandSound(file: string, key: PublicKey | undefined): PublicKey {
  if (key === undefined) throw malformed(file, "want a sound Ed25519 or P-256 key");
  return key;
}

function malformed(file: string, why: string): WritError {
  return new WritError("KEY_MALFORMED", `${file}: ${why}`);
}
