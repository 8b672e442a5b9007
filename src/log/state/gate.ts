/**
 * The one gate, and the one place where the log's records have a state: single use, revocation, and who is known. The
 * sequencer asks it about each new entry at its very place, in log order; what it answers and what it writes are one
 * step with the append. `fsck` and `reindex` replay it.
 *
 * A `consumption` is refused when, at its place, its grant is unknown, expired or not yet valid, revoked or suspended,
 * used up, or not for that nonce and executor; the same for every grant above it, each made by the issuer or the audience of
 * the one above; or when the request that it names is used up in the trust domain of the grant's issuer. Nothing else is ever
 * refused here but what its signer may no longer say: evidence is not refused for being bad news. Rules are dated: those that
 * the log's policy says at that place (`src/record/registration`).
 */
import { WritError } from "../../errors.js";
import { toHex } from "../../format/bytes.js";
import { keyEventOf, mayBeKeyEvent } from "../../index/key-events.js";
import type { KeyTable } from "../../index/keys.js";
import { listOf, REVOKED, VALID } from "../../index/bits.js";
import { scopedName, TERM_BYTES } from "../../index/terms.js";
import type { Row, Store } from "../../store/contract.js";
import { type Admitted, demandStillBelieved } from "../admit/admit.js";
import type { BitChange } from "./bits.js";
import { KnownStates, readEntry } from "./known-states.js";
import { copyRows, firstRow } from "../admit/places.js";
import { placed } from "../admit/rows.js";
import { Effects } from "./effects.js";
import { hashOf, hexOf } from "./entry-names.js";
import { Grants } from "./grants.js";
import { Uses } from "./uses.js";
import { Revocations } from "./revocations.js";
import { type Sweep, sweepRow } from "./sweeps.js";
import type { IndexedKeyEvent } from "../admit/verify-protocol.js";

const NOTHING = new Uint8Array(0);

/** What an entry changed when it was applied. */
export interface Applied {
  readonly rows: readonly Row[];
  readonly keyEvent: IndexedKeyEvent | null;
  readonly changes: readonly BitChange[];
  /** What it takes with it, to be found out later. */
  readonly sweeps: readonly Sweep[];
  /** The list of bits in which it stands as a copy; null when it is none. */
  readonly copyIn: number | null;
}

export class Gate {
  private readonly known: KnownStates;
  private readonly revocations: Revocations;
  private readonly uses: Uses;
  private readonly grants: Grants;
  private readonly effects: Effects;
  /** The list in which the entry at hand is a copy. */
  private copyIn: number | null = null;
  /** A gate over a store, empty or not: what it has to know of it, it reads before each batch. */
  constructor(
    store: Store,
    private readonly keys: KeyTable,
  ) {
    this.known = new KnownStates(store, keys);
    this.effects = new Effects(this.known);
    this.uses = new Uses(store, keys, this.known, this.effects);
    this.grants = new Grants(keys, this.known, this.uses, this.effects);
    this.revocations = new Revocations(store, keys, this.known, this.effects);
  }

  /** Reads everything that judging these entries will ask for, as it stood before `start`. Changes nothing. */
  async prepare(entries: readonly Admitted[], start: number): Promise<void> {
    this.known.trim();
    const hashes = entries.flatMap(({ recordHash }) => recordHash ?? []);
    // Of most records no copy ever comes: one look-up says so of the whole batch.
    await this.known.loadStates(await this.known.beginBatch(hashes, start), start);
    const granted = entries.filter(({ type }) => type === "capability-grant");
    const uses = entries.filter(({ type }) => type === "consumption");
    if (granted.length > 0) await this.known.loadGrants(granted.map(hashOf), start);
    await this.uses.prepare(entries, uses, start);
    const mayDisown = this.keys.hasBackdated || entries.some(({ type }) => type === "revocation");
    await this.known.loadChains(this.grants.askedAbout(uses, granted), start, mayDisown);
    await this.uses.loadPools(entries, this.grants.among(granted), uses, start);
    await this.revocations.prepare(entries, start);
  }

  /** Why the entry may not stand at the next place, at the log's time (null: not known); undefined when it may. */
  refusal(entry: Admitted, time: number | null): WritError | undefined {
    try {
      if (entry.keyEvents !== this.keys.events) demandStillBelieved(entry.stored, time ?? 0, this.keys);
    } catch (error) {
      if (error instanceof WritError) return error;
      throw error;
    }
    if (entry.type === "revocation") return this.revocations.refusal(entry);
    return entry.type === "consumption" ? this.uses.refusal(entry, time) : undefined;
  }

  /** Applies the entry at `index`: the rows that say what it changed, and what it changed about keys. */
  apply(entry: Admitted, index: number): Applied {
    this.effects.begin();
    const rows: Row[] = [];
    // Lists whose length is data are never spread into a call.
    const add = (more: readonly Row[]): void => {
      for (const row of more) rows.push(row);
    };
    // Who is known first: whether a key was taken back is for the key table to say.
    // (What entry 0 says is where the table of keys begins.)
    const keyEvent = index > 0 && mayBeKeyEvent(entry.type) ? this.applyKeyEvent(entry, index) : null;
    if (keyEvent !== null) rows.push({ table: "key-event", key: placed(NOTHING, index), value: NOTHING });
    add(this.scopedRows(entry, index));
    add(this.place(entry, index));
    if (entry.type === "consumption") add(this.uses.apply(entry, index));
    if (entry.type === "capability-grant") add(this.grants.apply(entry, index, this.revocations.isConcerned));
    if (entry.facts.length > 0 && entry.type === "action-request") add(this.uses.applyLimit(entry, index));
    if (entry.facts.length > 0 && entry.type === "execution-receipt")
      add(this.uses.applyReturn(entry, index));
    if (entry.type === "revocation") add(this.revocations.apply(entry, index));
    let settled = 0;
    if (this.revocations.isConcerned && entry.recordHash !== null) {
      const arrived = this.revocations.arrived(entry, index);
      add(arrived.rows);
      settled = arrived.count;
    }
    const { changes, sweeps } = this.effects.all;
    add(sweeps.map(sweepRow));
    const { copyIn } = this;
    if (settled === 0) return { rows, keyEvent, changes, sweeps, copyIn };
    // What waited may have said something of one record several times, or of one that is born taken back: what the last made of it
    // is what it is, and one row.
    return {
      rows: lastOf(rows, ({ table, key }) => `${table} ${toHex(key)}`),
      keyEvent,
      changes: lastOf(changes, ({ position }) => position),
      sweeps,
      copyIn,
    };
  }

  /** The record of an entry is at its place: its first, or a copy, which has the state that the record has already. */
  place(entry: Admitted, index: number): readonly Row[] {
    this.copyIn = null;
    if (entry.recordHash === null) return [];
    const hash = hexOf(entry);
    const first = this.known.firstOf(hash);
    if (first === undefined) {
      this.known.addFirst(hash, index);
      return [firstRow(entry.recordHash, index)];
    }
    const lists = this.known.copyLists(hash);
    const list = listOf(index);
    const bits = this.isSwept(hash) ? REVOKED : this.known.bits(hash, this.known.state(hash));
    if (bits !== VALID) this.effects.copy(index, first, bits);
    this.known.addCopy(hash, list);
    this.copyIn = list;
    const is = { isOnly: lists.size === 0, isFirstInList: !lists.has(list) };
    return copyRows(entry.recordHash, index, first, is);
  }

  /** Was a grant that is there swept? That is not among its own states. */
  private isSwept(hash: string): boolean {
    const { known } = this;
    const grant = known.grant(hash);
    if (grant === null) return false;
    return known.cascadeAbove(grant) !== null || known.disownedBy(hash) !== null;
  }

  /** The names of a record among those of its trust domain: only in a log that has others, and of its first entry. */
  private scopedRows({ terms, issuer, recordHash }: Admitted, index: number): Row[] {
    const { domains } = this.keys;
    if (issuer === null || recordHash === null || (domains.firstFounding ?? index) >= index) return [];
    if (this.known.firstOf(toHex(recordHash)) !== undefined) return [];
    const domain = domains.of(issuer);
    const rows: Row[] = [];
    for (let at = 0; at < terms.length; at += TERM_BYTES) {
      const name = scopedName(terms.subarray(at, at + TERM_BYTES), domain);
      if (name !== undefined) rows.push({ table: "term", key: placed(name, index), value: NOTHING });
    }
    return rows;
  }

  private applyKeyEvent(entry: Admitted, index: number): IndexedKeyEvent | null {
    const { record, signers } = readEntry(entry.stored);
    const event = keyEventOf(record, signers, this.keys);
    if (event === undefined) return null;
    this.keys.apply(index, event);
    if (event.kind === "revoke" && event.revocation.effectiveIndex !== null)
      for (const { keyId, last } of this.keys.revokedAt(index))
        this.effects.sweep({ at: index, kind: "signed-by", of: keyId, from: last + 1 });
    return { index, event };
  }
}

/** The last of those with one name, in the order of their first. */
function lastOf<T>(all: readonly T[], name: (one: T) => string | number): readonly T[] {
  return [...new Map(all.map((one) => [name(one), one])).values()];
}
