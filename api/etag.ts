/** Validators (RFC 9110 §8.8): whoever has an answer already need not be sent it again. */
import { sha256 } from "#crypto";
import { toHex } from "../src/format/bytes.js";

/** A strong validator (§8.8.1): the bytes' own hash. */
export function etagOf(body: Uint8Array): string {
  return `"${toHex(sha256(body)).slice(0, 32)}"`;
}

/** Does an If-None-Match header (§13.1.2) name this one? */
export function isKnown(asked: string | undefined, etag: string): boolean {
  if (asked === undefined) return false;
  return asked === "*" || asked.split(",").some((one) => one.trim().replace(/^W\//, "") === etag);
}
