/** The entries whose hash, or whose record's id, begins with some digits: all that is left of one in a cut line or a picture. */
import { fromHex, readUint64 } from "../../format/bytes.js";
import type { Store, Table } from "../../store/contract.js";

/** Digits that it takes at least: with them, hashes that begin alike are somebody's work. */
export const MIN_DIGITS = 8;
/** Hashes of each kind that are told; of more, none is: whoever asks has more digits to give. */
export const MAX_ALIKE = 32;

/** `digits`: 8 to 64, lower-case hex. In log order, below `size`; null when more than 32 of a kind begin so. Costs 66 rows. */
export async function beginningWith(store: Store, digits: string, size: number): Promise<number[] | null> {
  const found = new Set<number>();
  for (const table of ["entry-hash", "record-id"] as const) {
    const indexes = await firstOfEach(store, table, digits);
    if (indexes.length > MAX_ALIKE) return null;
    for (const index of indexes) if (index < size) found.add(index);
  }
  return [...found].toSorted((a, b) => a - b);
}

/** A row a hash: what copies of a record there are comes after its own row, and is passed over. */
async function firstOfEach(store: Store, table: Table, digits: string): Promise<number[]> {
  const whole = fromHex(digits.slice(0, digits.length - (digits.length % 2))) ?? new Uint8Array(0);
  const half = digits.length % 2 === 0 ? null : Number.parseInt(digits.at(-1) ?? "0", 16);
  const to = half === null || half === 15 ? {} : { to: Uint8Array.of((half + 1) << 4) };
  let from: Uint8Array | null = Uint8Array.of(...(half === null ? [] : [half << 4]));
  const indexes: number[] = [];
  while (from !== null && indexes.length <= MAX_ALIKE) {
    const [row] = await store.rows(table, whole, { from, ...to, limit: 1 });
    if (row === undefined) break;
    indexes.push(readUint64(row.value));
    from = after(row.key.subarray(whole.length, 32));
  }
  return indexes;
}

/** The next number of as many bytes; null after the last. */
function after(bytes: Uint8Array): Uint8Array | null {
  const next = Uint8Array.from(bytes);
  for (let i = next.length - 1; i >= 0; i--) {
    const byte = ((next[i] ?? 0) + 1) & 255;
    next[i] = byte;
    if (byte !== 0) return next;
  }
  return null;
}
