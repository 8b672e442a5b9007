/** RFC 8785 (JCS): the one spelling our own writers give a JSON value, so that the same record has the same id. */
import type { Json } from "./json.js";

/** TypeError for what JSON cannot say: NaN, infinities, lone surrogates, undefined. */
export function canonicalJson(value: Json): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`JSON has no ${value}`);
    return JSON.stringify(value);
  }
  if (typeof value === "string") return quote(value);
  if (typeof value === "boolean" || value === null) return String(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new TypeError(`JSON has no ${typeof value}`);
  // Written by hand and not by a sorted clone: an object lists integer-like names first, whatever their order.
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${quote(name)}:${canonicalJson(member)}`).join(",")}}`;
}

function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text)) throw new TypeError("JSON text with a lone surrogate");
  return JSON.stringify(text);
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
