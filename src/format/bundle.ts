/** Entry bundles (c2sp.org/tlog-tiles, "Log entries"): each entry after its length, a big-endian uint16. */
import { WritError } from "../errors.js";

/** The format's own bound, and so the log's. */
export const MAX_ENTRY_BYTES = 65_535;

/** The entries of a bundle of `width`. WritError TILE_MALFORMED unless the bytes hold exactly that many. */
export function parseBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset < bytes.length; ) {
    if (offset + 2 > bytes.length) fail("a length is cut short");
    const end = offset + 2 + view.getUint16(offset);
    if (end > bytes.length) fail(`entry ${entries.length} is cut short`);
    entries.push(bytes.subarray(offset + 2, end));
    offset = end;
  }
  if (entries.length !== width) fail(`want ${width} entries, got ${entries.length}`);
  return entries;
}

/** RangeError for an entry over 65,535 bytes. */
export function formatBundle(entries: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  const view = new DataView(out.buffer);
  let offset = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) throw new RangeError(`an entry has ${entry.length} bytes`);
    view.setUint16(offset, entry.length);
    out.set(entry, offset + 2);
    offset += 2 + entry.length;
  }
  return out;
}

function fail(why: string): never {
  throw new WritError("TILE_MALFORMED", `entry bundle: ${why}`);
}
