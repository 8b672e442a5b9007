/** Times in records: RFC 3339 in UTC, all of them claims. */
import type { Json } from "../statement/json.js";

/** Milliseconds since 1970 of a checked time; undefined for what is none. */
export function timeOf(value: Json | undefined): number | undefined {
  if (typeof value !== "string") return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}
