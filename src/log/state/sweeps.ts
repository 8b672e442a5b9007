/**
 * Sweeps: what one revocation takes with it. A grant revoked with `cascade` takes every grant below it; a stolen key's
 * `effective_index` takes what it signed from there on. Whoever asks about one of those, or uses it, is told at once,
 * because the gate looks up the chain and at the keys; the bits in the lists are written out here, behind the sequencer,
 * a page at a time, so that an ancestor of a hundred thousand grants delays nobody.
 *
 * A sweep is about the entries before the one that began it. What comes later is judged when it comes. What a stolen key's own
 * revocations have done to others stands: whoever doubts a resumption suspends again.
 */
import { fromHex, readUint64, toHex, uint64 } from "../../format/bytes.js";
import { disownedBy } from "../../index/disowned.js";
import type { KeyTable } from "../../index/keys.js";
import { termName } from "../../index/terms.js";
import { parseRecord, RECORD_MEDIA_TYPE } from "../../record/record.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import { allRows, type Row, type Store } from "../../store/contract.js";
import { placed } from "../admit/rows.js";

export interface Sweep {
  /** The entry that began it. */
  readonly at: number;
  /** A grant whose descendants it takes, or a key whose entries. */
  readonly kind: "grants-below" | "signed-by";
  /** The grant's record hash, or the key id: 64 hex digits. */
  readonly of: string;
  /** The first entry that it is about. */
  readonly from: number;
}

const KINDS = ["grants-below", "signed-by"] as const;
const PAGE = 1000;
/** Grants whose children are read at once: with more, the sequencer's writes wait behind those reads (measured). */
const TOGETHER = 2;
const NOTHING = new Uint8Array(0);
const DONE_KEY = Buffer.from("swept-to");

/** at (8) ‖ kind (1) ‖ hash (32) → from (8) */
export function sweepRow({ at, kind, of, from }: Sweep): Row {
  const key = new Uint8Array(41);
  key.set(uint64(at));
  key[8] = KINDS.indexOf(kind);
  key.set(fromHex(of) ?? NOTHING, 9);
  return { table: "sweep", key, value: uint64(from) };
}

export function readSweep({ key, value }: Row): Sweep {
  const kind = KINDS[key[8] ?? 0] ?? "grants-below";
  return { at: readUint64(key), kind, of: toHex(key.subarray(9)), from: readUint64(value) };
}

/** The entries that a sweep takes, a page at a time; an earlier sweep may have taken some of them. */
export function sweptBy(store: Store, keys: KeyTable, sweep: Sweep): AsyncGenerator<number[]> {
  return sweep.kind === "grants-below" ? below(store, sweep) : signedBy(store, keys, sweep);
}

/** The first sweep that takes an entry is the one that is written down. */
export function sweptRow(position: number, { at }: Sweep): Row {
  return { table: "swept", key: uint64(position), value: uint64(at) };
}

/** Works off every sweep in the store that is not done. */
export async function sweepAll(store: Store, keys: KeyTable): Promise<void> {
  await (await Sweeps.open(store, keys, () => {})).run();
}

/** The entries of all grants below one, a generation after another. */
async function* below(store: Store, { at, of }: Sweep): AsyncGenerator<number[]> {
  let generation = [fromHex(of) ?? NOTHING];
  while (generation.length > 0) {
    const next = new Map<string, Uint8Array>();
    for (let start = 0; start < generation.length; start += TOGETHER) {
      const parents = generation.slice(start, start + TOGETHER);
      const pages = await Promise.all(parents.map((parent) => childrenOf(store, parent, 0, at)));
      for (const [i, first] of pages.entries()) {
        const parent = parents[i] ?? NOTHING;
        // Most have none, or a few.
        for (let page = first; page.length > 0; ) {
          yield page.map(({ index }) => index);
          for (const { hash } of page) next.set(toHex(hash), hash);
          page = page.length < PAGE ? [] : await childrenOf(store, parent, (page.at(-1)?.index ?? 0) + 1, at);
        }
      }
    }
    generation = [...next.values()];
  }
}

/** A page of the entries right below a grant. */
async function childrenOf(
  store: Store,
  parent: Uint8Array,
  from: number,
  to: number,
): Promise<{ readonly index: number; readonly hash: Uint8Array }[]> {
  const rows = await store.rows("child", parent, { from: uint64(from), to: uint64(to), limit: PAGE });
  return rows.map(({ key, value }) => ({ index: readUint64(key, 32), hash: value }));
}

/** The entries that a key signed and nobody vouches for now. */
async function* signedBy(store: Store, keys: KeyTable, { at, of, from }: Sweep): AsyncGenerator<number[]> {
  const term = termName({ field: "signer", value: of });
  for (let next = from; ; ) {
    const rows = await store.rows("term", term, { from: uint64(next), to: uint64(at), limit: PAGE });
    const indexes = rows.map(({ key }) => readUint64(key, term.length));
    const [entries, copies] = await Promise.all([
      store.entriesAt(indexes),
      store.lookup("copy", indexes.map(uint64)),
    ]);
    // A copy is what its record is, whoever signed it.
    const taken = indexes.filter(
      (index, i) => copies[i] === undefined && isDisowned(entries[i], index, keys, at + 1),
    );
    if (taken.length > 0) yield taken;
    const last = indexes.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    next = last + 1;
  }
}

function isDisowned(stored: Uint8Array | undefined, index: number, keys: KeyTable, asOf: number): boolean {
  if (stored === undefined) return false;
  const { contentType, payload, signatures } = parseStatement(stored, guessForm(stored));
  if (contentType !== RECORD_MEDIA_TYPE) return false;
  const signers = signatures.map(({ keyId }) => keyId);
  return disownedBy({ record: parseRecord(payload), signers, index }, keys, asOf) !== null;
}

/** The sweeps of a log that is being written to: done in the order in which they began, and picked up again after a restart. */
export class Sweeps {
  private queue: Sweep[] = [];
  private running: Promise<void> | null = null;
  private stopped = false;
  private doneTo: number;

  private constructor(
    private readonly store: Store,
    private readonly keys: KeyTable,
    private readonly onSwept: (positions: readonly number[], at: number) => void,
    doneTo: number,
  ) {
    this.doneTo = doneTo;
  }

  static async open(
    store: Store,
    keys: KeyTable,
    onSwept: (positions: readonly number[], at: number) => void,
  ): Promise<Sweeps> {
    const done = await sweptTo(store);
    const sweeps = new Sweeps(store, keys, onSwept, done);
    for await (const row of allRows(store, "sweep", uint64(done + 1))) sweeps.queue.push(readSweep(row));
    return sweeps;
  }

  /** Sweeps that were committed. They begin when `run` is called. */
  add(sweeps: readonly Sweep[]): void {
    for (const sweep of sweeps) this.queue.push(sweep);
  }

  /** The first entry whose sweep is not over; Infinity when all are: the lists are whole up to there. */
  get pendingFrom(): number {
    return this.queue[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Works off what is there, unless that is going on. Rejects when the store does. */
  async run(): Promise<void> {
    if (this.queue.length > 0 && !this.stopped) this.running ??= this.work();
    return this.running ?? undefined;
  }

  /** Stops after the page at hand; the rest is done after the next start. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running?.catch(() => {});
  }

  private async work(): Promise<void> {
    for (;;) {
      const [sweep] = this.queue;
      if (sweep === undefined || this.stopped) {
        // In one step with having found nothing: what is added from here on begins anew.
        this.running = null;
        return;
      }
      for await (const positions of sweptBy(this.store, this.keys, sweep)) {
        if (this.stopped) return;
        const known = await this.store.lookup("swept", positions.map(uint64));
        const fresh = positions.filter((_, i) => known[i] === undefined);
        if (fresh.length === 0) continue;
        await this.store.putRows(fresh.map((position) => sweptRow(position, sweep)));
        this.onSwept(fresh, sweep.at);
      }
      this.queue.shift();
      // Several may have begun with one entry: it is done when the last of them is.
      if (this.queue[0]?.at !== sweep.at && sweep.at > this.doneTo) {
        await this.store.putRows([{ table: "meta", key: DONE_KEY, value: uint64(sweep.at) }]);
        this.doneTo = sweep.at;
      }
    }
  }
}

/** The last entry whose sweep is over; -1 before the first. */
export async function sweptTo(store: Store): Promise<number> {
  const [row] = await store.lookup("meta", [DONE_KEY]);
  return row === undefined ? -1 : readUint64(row);
}

/** How a child grant is found from the one above it. */
export function childRow(parent: Uint8Array, index: number, hash: Uint8Array): Row {
  return { table: "child", key: placed(parent, index), value: hash };
}
