/** The index rows of an entry that follow from the entry alone, the same at admission, in `fsck` and in `reindex`. */
import { TERM_BYTES } from "../../index/terms.js";
import type { Row, Store } from "../../store/contract.js";
import type { Admitted } from "./admit.js";

const NOTHING = new Uint8Array(0);

/** `time`: the log's clock, in milliseconds since 1970. */
export function rowsOf(entry: Pick<Admitted, "entryHash" | "terms">, index: number, time: number): Row[] {
  const rows: Row[] = [
    { table: "entry-hash", key: entry.entryHash, value: placed(placed(NOTHING, index), time) },
  ];
  for (let at = 0; at < entry.terms.length; at += TERM_BYTES)
    rows.push({
      table: "term",
      key: placed(entry.terms.subarray(at, at + TERM_BYTES), index),
      value: NOTHING,
    });
  return rows;
}

/** A name, then the index in 8 big-endian bytes. */
export function placed(name: Uint8Array, index: number): Uint8Array {
  const out = Buffer.allocUnsafe(name.length + 8);
  out.set(name);
  out.writeUInt32BE(Math.floor(index / 2 ** 32), name.length);
  out.writeUInt32BE(index % 2 ** 32, name.length + 4);
  return out;
}

/** How the rows are made: with other rules the number grows, and an index of the old ones is rebuilt. */
const INDEX_VERSION = 7;
const VERSION_KEY = Buffer.from("index-version");

/** The row that says that the index is whole, and by which rules. Written last when an index is rebuilt. */
export const WHOLE_INDEX: Row = { table: "meta", key: VERSION_KEY, value: Uint8Array.of(INDEX_VERSION) };

export async function indexIsWhole(store: Store): Promise<boolean> {
  const [version] = await store.lookup("meta", [VERSION_KEY]);
  return version?.[0] === INDEX_VERSION;
}
