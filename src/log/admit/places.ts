/**
 * Where a record stands. The first entry that carries it is its place: what it is, and what becomes of it, is kept there once. Every
 * further entry that carries it, in another envelope, is a *copy*, and one row that says of what: however many there are, a
 * change of the record costs one row. Who makes a list of bits reads what the copies in it are copies of.
 */
import { concat, readUint64, uint64 } from "../../format/bytes.js";
import { LIST_ENTRIES, listOf } from "../../index/bits.js";
import type { Row, Store } from "../../store/contract.js";

const NOTHING = new Uint8Array(0);

/** The record (its SHA-256, 32 bytes) stands here first. */
export function firstRow(hash: Uint8Array, index: number): Row {
  return { table: "record-id", key: hash, value: uint64(index) };
}

/** Entry `index` carries it too. `isFirstInList`: no other copy of it is in that list of bits; `isOnly`: nor anywhere. */
export function copyRows(
  hash: Uint8Array,
  index: number,
  first: number,
  { isOnly, isFirstInList }: { readonly isOnly: boolean; readonly isFirstInList: boolean },
): Row[] {
  const rows: Row[] = [
    { table: "record-id", key: concat(hash, uint64(index)), value: NOTHING },
    { table: "copy", key: uint64(index), value: uint64(first) },
  ];
  if (isOnly) rows.push({ table: "copied", key: hash, value: uint64(index) });
  if (isFirstInList)
    rows.push({ table: "copied", key: concat(hash, uint64(listOf(index))), value: uint64(index) });
  return rows;
}

/** Where these records stand first, below `to`; undefined for one that does not. One look-up for all. */
export async function firstPlaces(
  store: Store,
  hashes: readonly Uint8Array[],
  to = Number.POSITIVE_INFINITY,
): Promise<(number | undefined)[]> {
  if (hashes.length === 0) return [];
  const rows = await store.lookup("record-id", hashes);
  return rows.map((row) => {
    const index = row === undefined ? to : readUint64(row);
    return index < to ? index : undefined;
  });
}

export async function firstPlace(store: Store, hash: Uint8Array, to?: number): Promise<number | undefined> {
  const [first] = await firstPlaces(store, [hash], to);
  return first;
}

/** All entries of [from, to) that carry a record, the first `limit` or, in `reverse`, the last. */
export async function placesOf(
  store: Store,
  hash: Uint8Array,
  { from, to, limit, reverse = false }: PlaceSpan,
): Promise<number[]> {
  const first = await firstPlace(store, hash, to);
  if (first === undefined || limit === 0) return [];
  const isIn = first >= from;
  if (limit === 1 && isIn && !reverse) return [first];
  const range = { from: uint64(from), to: uint64(to), reverse, limit };
  const rows = await store.rows("record-id", hash, range);
  const copies = rows.map(({ key }) => readUint64(key, hash.length));
  const all = !isIn ? copies : reverse ? [...copies, first] : [first, ...copies];
  return all.slice(0, limit);
}

export interface PlaceSpan {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly reverse?: boolean;
}

/** In which lists copies of these records stand, below `to`: one look-up for all, and one for each that has any. */
export async function listsOfCopies(
  store: Store,
  hashes: readonly Uint8Array[],
  to: number,
): Promise<readonly (readonly number[])[]> {
  if (hashes.length === 0) return [];
  const copied = await store.lookup("copied", hashes);
  return Promise.all(
    hashes.map(async (hash, i) => {
      const row = copied[i];
      if (row === undefined || readUint64(row) >= to) return [];
      const rows = await store.rows("copied", hash, { from: uint64(0) });
      return rows.flatMap(({ key, value }) => (readUint64(value) < to ? [readUint64(key, hash.length)] : []));
    }),
  );
}

/** An entry that is a copy, and where its record stands. */
export interface Copy {
  readonly index: number;
  readonly first: number;
}

/** The copies in list `k`, from `since` on and below `to`, a page at a time: at the most as many as a list has places. */
export async function* copiesIn(
  store: Store,
  k: number,
  to: number,
  since = k * LIST_ENTRIES,
): AsyncGenerator<readonly Copy[]> {
  const end = Math.min(to, (k + 1) * LIST_ENTRIES);
  for (let from = since; from < end; ) {
    const range = { from: uint64(from), to: uint64(end), limit: PAGE };
    const rows = await store.rows("copy", NOTHING, range);
    yield rows.map(({ key, value }) => ({ index: readUint64(key), first: readUint64(value) }));
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    from = readUint64(last.key) + 1;
  }
}

const PAGE = 4096;
