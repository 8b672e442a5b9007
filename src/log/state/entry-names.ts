/** The names of an entry's record: 32 bytes, or hex. */
import { toHex } from "../../format/bytes.js";
import type { Admitted } from "../admit/admit.js";

/** RangeError for what carries no record. */
export function hashOf({ recordHash }: Admitted): Uint8Array {
  if (recordHash === null) throw new RangeError("want a record");
  return recordHash;
}

export function hexOf(entry: Admitted): string {
  return toHex(hashOf(entry));
}
