/**
 * The two bits of every entry: in memory as they stand, in the store as they became what they are. A change is a row in
 * the commit of the entry that made it; after every few thousand changes the lists that changed are kept whole, so that
 * opening a log and asking about the past read that much and no more. All of it follows from the entries: `fsck` makes
 * the same rows again and compares.
 *
 * What a cascade reaches is apart (`swept`): it is found after the commit that began it, and counts from there on.
 */
import { readUint64, uint64 } from "../../format/bytes.js";
import {
  type Bits,
  BitLists,
  CONSUMED,
  LIST_BYTES,
  LIST_ENTRIES,
  listOf,
  readBits,
  REVOKED,
  VALID,
  writeBits,
} from "../../index/bits.js";
import { allRows, type Row, type Store } from "../../store/contract.js";
import type { Copy } from "../admit/places.js";
import { CopyLists } from "./copy-lists.js";
import { placed } from "../admit/rows.js";

/** Entry `at` gave the entry at `position` these bits, and all copies of it, which stand in these lists. */
export interface BitChange {
  readonly at: number;
  readonly position: number;
  readonly bits: Bits;
  readonly copies?: readonly number[];
}

interface Counts {
  readonly changes: number;
  /** The same without those that made something consumed. */
  readonly urgent: number;
  /** The last entry that changed something. */
  readonly last: number;
  /** The last of those that are urgent. */
  readonly lastUrgent: number;
}

const UNCHANGED: Counts = { changes: 0, urgent: 0, last: -1, lastUrgent: -1 };

/** Changes between two rounds in which lists are kept whole. */
const ROUND = 4096;
const NOTHING = new Uint8Array(0);

export class StatusBits {
  private readonly own = new BitLists();
  private readonly swept = new BitLists();
  private pending: BitChange[] = [];
  private sinceRound = 0;
  private dirty = new Set<number>();
  private readonly counts = new Map<number, Counts>();

  private constructor() {}

  /** Before the first entry. */
  static empty(): StatusBits {
    return new StatusBits();
  }

  /** As a stored log left them. */
  static async open(store: Store): Promise<StatusBits> {
    const bits = new StatusBits();
    const head = await store.head();
    const size = head?.size ?? 0;
    const round = await lastRound(store, size);
    for (let k = 0; k <= listOf(Math.max(0, size - 1)); k++) {
      const kept = await keptList(store, k, size);
      if (kept !== null) bits.own.put(k, kept);
    }
    for await (const change of changesBetween(store, round + 1, size)) bits.count(change);
    bits.apply();
    for await (const { key } of allRows(store, "swept")) bits.swept.set(readUint64(key), REVOKED);
    return bits;
  }

  /** The bits at a position, by everything that was applied. */
  get(position: number): Bits {
    return this.swept.get(position) === REVOKED ? REVOKED : this.own.get(position);
  }

  /** List `k` as it stands: 32 KiB. `copies`: those that stand in it, each as what it is a copy of. */
  list(k: number, copies: readonly Copy[] = []): Uint8Array {
    const [own, swept] = [this.own.copy(k), this.swept.copy(k)];
    for (const { index, first } of copies) {
      writeBits(own, index % LIST_ENTRIES, this.own.get(first));
      if (this.swept.get(first) === REVOKED) writeBits(swept, index % LIST_ENTRIES, REVOKED);
    }
    return overlaid(own, swept);
  }

  /** Pages of sweeps since the log was opened: copies of what they took may stand in any list. */
  sweepPages = 0;

  /** How often list `k` has changed since the log was opened. */
  changesIn(k: number): Counts {
    return this.counts.get(k) ?? UNCHANGED;
  }

  /** Bytes that the bits take up. */
  get bytes(): number {
    return this.own.bytes + this.swept.bytes;
  }

  /** The rows that changes, in log order, are stored as. They show in `get` once they are applied. */
  plan(changes: readonly BitChange[]): Row[] {
    const rows: Row[] = [];
    changes.forEach((change, i) => {
      const { at, position, bits } = change;
      rows.push({ table: "bits", key: placed(uint64(at), position), value: Uint8Array.of(bits) });
      this.count(change);
      const last = changes[i + 1]?.at !== at;
      if (last && this.sinceRound >= ROUND) rows.push(...this.round(at));
    });
    return rows;
  }

  /** What was planned is durable. */
  apply(): void {
    for (const { at, position, bits, copies = [] } of this.pending) {
      for (const k of new Set([listOf(position), ...copies])) this.touch(k, at, bits !== CONSUMED);
      this.own.set(position, bits);
    }
    this.pending = [];
  }

  /** What a cascade has reached, and is durable. */
  sweep(positions: readonly number[], at: number): void {
    this.sweepPages++;
    for (const position of positions) {
      this.swept.set(position, REVOKED);
      this.touch(listOf(position), at, true);
    }
  }

  /** A copy has come into list `k`: what it is a copy of may be anything by now. */
  copied(k: number, at: number): void {
    this.touch(k, at, false);
  }

  private touch(k: number, at: number, isUrgent: boolean): void {
    const { changes, urgent, last, lastUrgent } = this.changesIn(k);
    this.counts.set(k, {
      changes: changes + 1,
      urgent: urgent + (isUrgent ? 1 : 0),
      last: Math.max(last, at),
      lastUrgent: isUrgent ? Math.max(lastUrgent, at) : lastUrgent,
    });
  }

  private count(change: BitChange): void {
    this.pending.push(change);
    this.dirty.add(listOf(change.position));
    this.sinceRound++;
  }

  private round(at: number): Row[] {
    const rows: Row[] = [...this.dirty]
      .toSorted((a, b) => a - b)
      .map((k) => ({ table: "bit-list", key: placed(uint64(k), at), value: this.planned(k) }));
    rows.push({ table: "bit-round", key: uint64(at), value: NOTHING });
    this.dirty.clear();
    this.sinceRound = 0;
    return rows;
  }

  /** List `k` with what is planned. */
  private planned(k: number): Uint8Array {
    const list = this.own.copy(k);
    for (const { position, bits } of this.pending)
      if (listOf(position) === k) writeBits(list, position % LIST_ENTRIES, bits);
    return list;
  }
}

/**
 * List `k` as it was before size `asOf`: 32 KiB. `swept`: with what revocations took with them, as far as that is known. Copies are
 * what their records were: of each list that these stand in as much is read, and held, as of this one.
 */
export async function listAsOf(
  store: Store,
  k: number,
  asOf: number,
  {
    swept = true,
    copies: known = new CopyLists(store),
  }: { readonly swept?: boolean; readonly copies?: CopyLists } = {},
): Promise<Uint8Array> {
  const copies = await known.below(k, asOf);
  const lists = await ownLists(store, new Set([k, ...copies.map(({ first }) => listOf(first))]), asOf);
  const list = Uint8Array.from(lists.get(k) ?? new Uint8Array(LIST_BYTES));
  for (const { index, first } of copies) {
    const bits = readBits(lists.get(listOf(first)) ?? NOTHING, first % LIST_ENTRIES);
    writeBits(list, index % LIST_ENTRIES, bits);
  }
  if (!swept) return list;
  // What sweeps took, of this list and of those that its copies are of: a range each, of which most are empty.
  const taken = new Set<number>();
  for (const kk of lists.keys()) {
    const range = { from: uint64(kk * LIST_ENTRIES), to: uint64((kk + 1) * LIST_ENTRIES) };
    for (const { key, value } of await store.rows("swept", NOTHING, range))
      if (readUint64(value) < asOf) taken.add(readUint64(key));
  }
  if (taken.size === 0) return list;
  for (const position of taken) if (listOf(position) === k) writeBits(list, position % LIST_ENTRIES, REVOKED);
  for (const { index, first } of copies) if (taken.has(first)) writeBits(list, index % LIST_ENTRIES, REVOKED);
  return list;
}

/** These lists before size `asOf`, by what changed records at their first places: the changes since the last round are read once. */
async function ownLists(
  store: Store,
  ks: ReadonlySet<number>,
  asOf: number,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const round = await lastRound(store, asOf);
  const lists = new Map<number, Uint8Array>();
  for (const k of ks) lists.set(k, (await keptList(store, k, asOf)) ?? new Uint8Array(LIST_BYTES));
  for await (const { position, bits } of changesBetween(store, round + 1, asOf)) {
    const list = lists.get(listOf(position));
    if (list !== undefined) writeBits(list, position % LIST_ENTRIES, bits);
  }
  return lists;
}

/** The changes that the entries [from, to) made, in log order. */
export async function* changesBetween(store: Store, from: number, to: number): AsyncGenerator<BitChange> {
  for (let next = uint64(from); ; ) {
    const page = await store.rows("bits", NOTHING, { from: next, to: uint64(to), limit: PAGE });
    for (const { key, value } of page)
      yield { at: readUint64(key), position: readUint64(key, 8), bits: (value[0] ?? VALID) as Bits };
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    next = Uint8Array.from([...last.key, 0]);
  }
}

const PAGE = 4096;

/** The entry after which the lists that had changed were kept, the last before `size`; -1 when there was none. */
async function lastRound(store: Store, size: number): Promise<number> {
  const [row] = await store.rows("bit-round", NOTHING, { to: uint64(size), reverse: true, limit: 1 });
  return row === undefined ? -1 : readUint64(row.key);
}

async function keptList(store: Store, k: number, size: number): Promise<Uint8Array | null> {
  const [row] = await store.rows("bit-list", uint64(k), { to: uint64(size), reverse: true, limit: 1 });
  return row === undefined ? null : Uint8Array.from(row.value);
}

/** Revoked wherever either says so. */
function overlaid(own: Uint8Array, swept: Uint8Array): Uint8Array {
  for (let i = 0; i < own.length; i++) {
    const byte = swept[i] ?? 0;
    // 01 in a pair of `swept` makes the pair 01.
    if (byte !== 0) own[i] = ((own[i] ?? 0) & ~(byte | (byte << 1))) | byte;
  }
  return own;
}
