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
import { readUint64, toHex } from "../../format/bytes.js";
import { keyEventOf, mayBeKeyEvent } from "../../index/key-events.js";
import type { KeyTable } from "../../index/keys.js";
import { bitsOf, REVOKED, VALID } from "../../index/bits.js";
import { scopedName, TERM_BYTES } from "../../index/terms.js";
import type { Row, Store } from "../../store/contract.js";
import { type Admitted, demandStillBelieved } from "../admit/admit.js";
import type { BitChange } from "./bits.js";
import { KnownStates, readEntry } from "./known-states.js";
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
}

export class Gate {
  private readonly known: KnownStates;
  private readonly revocations: Revocations;
  private readonly uses: Uses;
  private readonly grants: Grants;
  private readonly effects: Effects;
  /** Records that were there before, when trust domains ask for it: a copy has no scoped names. */
  private copies = new Set<string>();

  /** A gate over a store, empty or not: what it has to know of it, it reads before each batch. */
  constructor(
    private readonly store: Store,
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
    const granted = entries.filter(({ type }) => type === "capability-grant");
    const uses = entries.filter(({ type }) => type === "consumption");
    if (granted.length > 0) await this.known.loadGrants(granted.map(hashOf), start);
    await this.uses.prepare(entries, uses, start);
    await this.loadCopies(entries, start);
    const mayDisown = this.keys.hasBackdated || entries.some(({ type }) => type === "revocation");
    await this.known.loadChains(this.grants.askedAbout(uses, granted), start, mayDisown);
    await this.uses.loadPools(entries, this.grants.among(granted), uses, start);
    await this.revocations.prepare(entries, start);
    await this.loadTouched(entries, start);
  }

  /** Why the entry may not stand at the next place, at the log's time; undefined when it may. */
  refusal(entry: Admitted, time: number): WritError | undefined {
    try {
      if (entry.keyEvents !== this.keys.events) demandStillBelieved(entry.stored, time, this.keys);
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
    if (entry.recordHash !== null) this.applyCopy(hexOf(entry), index);
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
    if (settled < 2) return { rows, keyEvent, changes, sweeps };
    // Several that waited may have said something of one record: what the last made of it is what it is.
    return {
      rows: lastOf(rows, ({ table, key }) => `${table} ${toHex(key)}`),
      keyEvent,
      changes: lastOf(changes, ({ position }) => position),
      sweeps,
    };
  }

  /** Another entry that carries a record has the state that the record has already. */
  private applyCopy(hash: string, index: number): void {
    this.known.addPlace(hash, index);
    const bits = this.isSwept(hash) ? REVOKED : bitsOf(this.known.state(hash), this.known.maxUses(hash));
    if (bits !== VALID) this.effects.bits(index, bits);
  }

  /** Was a grant that is there swept? That is not among its own states. */
  private isSwept(hash: string): boolean {
    const grant = this.known.grant(hash);
    return (
      grant !== null && (this.known.cascadeAbove(grant) !== null || this.known.disownedBy(hash) !== null)
    );
  }

  /** The names of a record among those of its trust domain: only in a log that has others, and of its first entry. */
  private scopedRows({ terms, issuer, recordHash }: Admitted, index: number): Row[] {
    const { domains } = this.keys;
    if (issuer === null || recordHash === null || (domains.firstFounding ?? index) >= index) return [];
    if (this.copies.has(toHex(recordHash))) return [];
    this.copies.add(toHex(recordHash));
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

  /** Which records of the batch are there already; asked only where trust domains are founded. */
  private async loadCopies(entries: readonly Admitted[], start: number): Promise<void> {
    this.copies = new Set();
    const mayFound = entries.some(({ type }) => type === "key");
    if (this.keys.domains.firstFounding === null && !mayFound) return;
    const hashes = entries.flatMap(({ recordHash }) => recordHash ?? []);
    for (let at = 0; at < hashes.length; at += TOGETHER) {
      const some = hashes.slice(at, at + TOGETHER);
      const rows = await Promise.all(some.map((hash) => this.store.rows("record-id", hash, { limit: 1 })));
      for (const [i, [row]] of rows.entries())
        if (row !== undefined && readUint64(row.key, 32) < start) this.copies.add(toHex(some[i] ?? NOTHING));
    }
  }

  /** Records in the batch that have a state already: a further entry that carries one has it too. */
  private async loadTouched(entries: readonly Admitted[], start: number): Promise<void> {
    const hashes = entries.flatMap(({ recordHash }) => recordHash ?? []);
    if (hashes.length === 0) return;
    const touched = await this.store.lookup("touched", hashes);
    const known = hashes.filter((hash, i) => touched[i] !== undefined && !this.known.hasState(toHex(hash)));
    if (known.length > 0) await this.known.loadStates(known.map(toHex), start);
  }
}

/** Look-ups that are under way at once. */
const TOGETHER = 256;

/** The last of those with one name, in the order of their first. */
function lastOf<T>(all: readonly T[], name: (one: T) => string | number): readonly T[] {
  return [...new Map(all.map((one) => [name(one), one])).values()];
}
