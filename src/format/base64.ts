/** Base64 (RFC 4648 §4) in the one form we write: standard alphabet, padded, zero trailing bits. */
import { fromBase64, toBase64 } from "#crypto";

export { toBase64 };

/** The bytes, or undefined unless encoding them again gives the same text. */
export function parseBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const bytes = fromBase64(text);
  return toBase64(bytes) === text ? bytes : undefined;
}

/** As `parseBase64`, of exactly `length` bytes. */
export function parseBase64Of(length: number, text: string): Uint8Array | undefined {
  const bytes = parseBase64(text);
  return bytes?.length === length ? bytes : undefined;
}

/** Base64url (RFC 4648 §5) without padding, as JWK (RFC 7515 §2) writes it. */
export function toBase64url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of canonical, unpadded base64url, or undefined. */
export function parseBase64url(text: string): Uint8Array | undefined {
  if (/[+/=]/.test(text)) return undefined;
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  return parseBase64(standard + "=".repeat((4 - (standard.length % 4)) % 4));
}
