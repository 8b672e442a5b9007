/**
 * The public keys that statements are signed with: Ed25519 and P-256 (ES256), as JWK (RFC 7517, RFC 8037), and their
 * name everywhere in the log: the RFC 9679 thumbprint, SHA-256 of the minimal COSE_Key, as lower-case hex.
 */
import { ed25519KeyIsSound, ed25519Verify, es256Verifier, sha256 } from "#crypto";
import type { Verifier } from "../crypto/contract.js";
import { parseBase64url, toBase64url } from "../format/base64.js";
import { concat, toHex } from "../format/bytes.js";
import { isJsonObject, type Json, type JsonObject } from "./json.js";

export type Algorithm = "Ed25519" | "ES256";

export interface PublicKey {
  readonly algorithm: Algorithm;
  /** 32 bytes for Ed25519, x ‖ y (64) for ES256. */
  readonly bytes: Uint8Array;
  /** 64 lower-case hex digits. */
  readonly keyId: string;
}

/**
 * A key from its bytes; undefined when they are no sound key (canonical, on the curve, not of small or mixed order). That costs
 * as much as verifying a signature, and every trace of a log has the same few keys: the last thousand are remembered.
 */
export function publicKey(algorithm: Algorithm, bytes: Uint8Array): PublicKey | undefined {
  const name = toHex(bytes);
  const known = SOUND.get(name);
  if (known?.algorithm === algorithm) return known;
  const sound = algorithm === "Ed25519" ? ed25519KeyIsSound(bytes) : es256Verifier(bytes) !== undefined;
  if (!sound) return undefined;
  const key = { algorithm, bytes: bytes.slice(), keyId: toHex(thumbprint(algorithm, bytes)) };
  if (SOUND.size >= MAX_SOUND) SOUND.delete(SOUND.keys().next().value ?? "");
  SOUND.set(name, key);
  return key;
}

/** By their bytes: 32 of Ed25519 are no 64 of P-256. */
const SOUND = new Map<string, PublicKey>();
const MAX_SOUND = 1024;

/** The verifier of a key; make it once and keep it, since an ES256 key is parsed here. */
export function verifierOf(key: PublicKey): Verifier {
  if (key.algorithm === "Ed25519")
    return (signature, message) => ed25519Verify(signature, message, key.bytes);
  const verifier = es256Verifier(key.bytes);
  if (verifier === undefined) throw new RangeError("not a P-256 key");
  return verifier;
}

/** RFC 9679 §3: 32 bytes. Ed25519 over {1: 1, -1: 6, -2: x}; P-256 over {1: 2, -1: 1, -2: x, -3: y}. */
export function thumbprint(algorithm: Algorithm, bytes: Uint8Array): Uint8Array {
  if (algorithm === "Ed25519") {
    return sha256(concat(Uint8Array.of(0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20), bytes));
  }
  return sha256(
    concat(
      Uint8Array.of(0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20),
      bytes.subarray(0, 32),
      Uint8Array.of(0x22, 0x58, 0x20),
      bytes.subarray(32),
    ),
  );
}

export function toJwk(key: PublicKey): JsonObject {
  if (key.algorithm === "Ed25519") return { kty: "OKP", crv: "Ed25519", x: toBase64url(key.bytes) };
  const [x, y] = [key.bytes.subarray(0, 32), key.bytes.subarray(32)].map(toBase64url);
  return { kty: "EC", crv: "P-256", x: x ?? "", y: y ?? "" };
}

/** The key in a JWK, or undefined when it is not one of the two kinds or not sound. Other members are ignored. */
export function fromJwk(jwk: Json | undefined): PublicKey | undefined {
  if (!isJsonObject(jwk)) return undefined;
  const x = coordinate(jwk["x"]);
  if (jwk["kty"] === "OKP" && jwk["crv"] === "Ed25519") return x && publicKey("Ed25519", x);
  const y = coordinate(jwk["y"]);
  if (jwk["kty"] === "EC" && jwk["crv"] === "P-256") return x && y && publicKey("ES256", concat(x, y));
  return undefined;
}

function coordinate(value: Json | undefined): Uint8Array | undefined {
  const bytes = typeof value === "string" ? parseBase64url(value) : undefined;
  return bytes?.length === 32 ? bytes : undefined;
}
