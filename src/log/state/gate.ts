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
import { type ErrorCode, WritError } from "../../errors.js";
import { readUint64, toHex, uint64 } from "../../format/bytes.js";
import { type GrantFacts, grantRow, poolOf, readGrant, readUse, type UseFacts } from "../../index/grants.js";
import { keyEventOf, mayBeKeyEvent } from "../../index/key-events.js";
import type { KeyTable } from "../../index/keys.js";
import { bitsOf, REVOKED, VALID } from "../../index/bits.js";
import { bornRevoked, encodeState, givenBack, type RecordState, UNTOUCHED, used } from "../../index/state.js";
import { scopedName, TERM_BYTES } from "../../index/terms.js";
import type { Row, Store } from "../../store/contract.js";
import { type Admitted, demandStillBelieved } from "../admit/admit.js";
import type { BitChange } from "./bits.js";
import { hashBytes, KnownStates, readEntry } from "./known-states.js";
import { placed } from "../admit/rows.js";
import { Revocations } from "./revocations.js";
import { childRow, type Sweep, sweepRow } from "./sweeps.js";
import type { IndexedKeyEvent } from "../admit/verify-protocol.js";

const NOTHING = new Uint8Array(0);

/** A consumption for a tool call. */
interface Call {
  readonly index: number;
  /** In hex: the pool of its request's uses. */
  readonly pool: string;
  readonly signers: readonly string[];
}

/** What an entry changed when it was taken in. */
export interface Taken {
  readonly rows: readonly Row[];
  readonly keyEvent: IndexedKeyEvent | null;
  readonly changes: readonly BitChange[];
  /** What it takes with it, to be found out later. */
  readonly sweeps: readonly Sweep[];
}

export class Gate {
  private readonly known: KnownStates;
  private readonly revocations: Revocations;
  /** What the entry at hand changes. */
  private changes: BitChange[] = [];
  private sweeps: Sweep[] = [];
  /** Of the batch at hand: where its consumptions are logged already, … */
  private usesLogged = new Map<string, number>();
  /** Of the batch at hand: the consumptions that its receipts may give back, by grant and call; null when none may. */
  private calls: Map<string, Call[]> | null = null;
  /** Records that were there before, when trust domains ask for it: a copy has no scoped names. */
  private copies = new Set<string>();

  /** A gate before the first entry; `open` for one over a stored log. */
  constructor(
    private readonly store: Store,
    private readonly keys: KeyTable,
  ) {
    this.known = new KnownStates(store, keys);
    this.revocations = new Revocations(store, keys, this.known, {
      change: (hash, index, state) => this.change(hash, index, state),
      sweep: (sweep) => this.sweeps.push(sweep),
    });
  }

  /** Reads everything that judging these entries will ask for, as it stood before `start`. Changes nothing. */
  async prepare(entries: readonly Admitted[], start: number): Promise<void> {
    this.known.trim();
    const granted = entries.filter(({ type }) => type === "capability-grant");
    const uses = entries.filter(({ type }) => type === "consumption");
    if (granted.length > 0) await this.known.loadGrants(granted.map(hashOf), start);
    if (uses.length > 0) await this.loadUsed(uses, start);
    await this.loadCalls(entries, start);
    await this.loadCopies(entries, start);
    const mayDisown = this.keys.hasBackdated || entries.some(({ type }) => type === "revocation");
    await this.known.loadChains(this.askedAbout(uses, granted), start, mayDisown);
    await this.loadPools(entries, granted, uses, start);
    await this.revocations.prepare(entries, start);
    await this.loadTouched(entries, start);
  }

  /** The grants that are used, those above grants that arrive, and grants of which a further entry comes. */
  private askedAbout(uses: readonly Admitted[], granted: readonly Admitted[]): Uint8Array[] {
    return [
      ...uses.map(({ facts }) => readUse(facts).grant),
      ...granted.flatMap((grant) => this.grantIn(grant, 0).parent ?? []),
      ...granted.map(hashOf).filter((hash) => this.known.grant(toHex(hash)) !== null),
    ];
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
    return entry.type === "consumption" ? this.useRefusal(entry, time) : undefined;
  }

  /** Takes the entry in at `index`: the rows that say what it changed, and what it changed about keys. */
  take(entry: Admitted, index: number): Taken {
    this.changes = [];
    this.sweeps = [];
    const rows: Row[] = [];
    // Lists whose length is data are never spread into a call.
    const add = (more: readonly Row[]): void => {
      for (const row of more) rows.push(row);
    };
    // Who is known first: whether a key was taken back is for the key table to say.
    // (What entry 0 says is where the table of keys begins.)
    const keyEvent = index > 0 && mayBeKeyEvent(entry.type) ? this.takeKeyEvent(entry, index) : null;
    if (keyEvent !== null) rows.push({ table: "key-event", key: placed(NOTHING, index), value: NOTHING });
    add(this.scopedRows(entry, index));
    if (entry.recordHash !== null) this.takeCopy(hexOf(entry), index);
    if (entry.type === "consumption") add(this.takeUse(entry, index));
    if (entry.type === "capability-grant") add(this.takeGrant(entry, index));
    if (entry.facts.length > 0 && entry.type === "action-request") add(this.takeLimit(entry, index));
    if (entry.facts.length > 0 && entry.type === "execution-receipt") add(this.takeReturn(entry, index));
    if (entry.type === "revocation") add(this.revocations.apply(entry, index));
    let settled = 0;
    if (this.revocations.isConcerned && entry.recordHash !== null) {
      const arrived = this.revocations.arrived(entry, index);
      add(arrived.rows);
      settled = arrived.count;
    }
    add(this.sweeps.map(sweepRow));
    const { changes, sweeps } = this;
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
  private takeCopy(hash: string, index: number): void {
    this.known.addPlace(hash, index);
    const bits = this.isTaken(hash) ? REVOKED : bitsOf(this.known.state(hash), this.known.maxUses(hash));
    if (bits !== VALID) this.changes.push({ at: index, position: index, bits });
  }

  /** Was a grant that is there taken by a sweep? That is not among its own states. */
  private isTaken(hash: string): boolean {
    const grant = this.known.grant(hash);
    return (
      grant !== null && (this.known.cascadeAbove(grant) !== null || this.known.disownedBy(hash) !== null)
    );
  }

  private useRefusal(entry: Admitted, time: number): WritError | undefined {
    const earlier = this.usesLogged.get(hexOf(entry));
    if (earlier !== undefined) {
      return refuse(
        "USE_REPEATED",
        "this record is in the log already, in another envelope: one use is one record",
        earlier,
      );
    }
    const use = readUse(entry.facts);
    const grant = this.known.grant(toHex(use.grant));
    if (grant === null) return refuse("GRANT_UNKNOWN", `no grant sha256:${toHex(use.grant)} is in the log`);
    if (!grant.fits(use)) {
      return refuse(
        "GRANT_MISMATCH",
        "want the grant's nonce, and its audience as the executor",
        grant.index,
      );
    }
    const chain = this.known.chain(use.grant);
    if (chain === null)
      return refuse("GRANT_UNKNOWN", "a grant above this one is not in the log, or too far above");
    const dated = this.keys.rulesAt() >= 2;
    for (const [i, { hash, facts }] of chain.entries()) {
      const above = chain[i + 1];
      if (dated && above !== undefined && !facts.isMadeUnder(above.facts))
        return refuse(
          "GRANT_NOT_DELEGATED",
          "it names a grant above it that is neither of its issuer nor for its issuer",
          above.facts.index,
        );
      const error = liveRefusal(
        facts,
        this.known.state(hash),
        time,
        hash === toHex(use.grant) ? "the grant" : "a grant above it",
      );
      if (error !== undefined) return error;
      const by = this.known.disownedBy(hash);
      if (by !== null)
        return refuse("GRANT_REVOKED", "the key that signed it, or one above it, was taken back", by);
    }
    return dated ? this.requestRefusal(use, grant) : undefined;
  }

  /** One approval, one act: the uses of the request that the consumption names, in the domain of the grant's issuer. */
  private requestRefusal(use: UseFacts, grant: GrantFacts): WritError | undefined {
    const pool = toHex(poolOf(use.request, grant.domain));
    const { uses, lastUse } = this.known.state(pool);
    const most = (this.known.limit(toHex(use.request)) ?? this.known.limit(pool))?.most ?? 1;
    if (uses < most || lastUse === null) return undefined;
    const times = most === 1 ? "once" : `${most} times`;
    return new WritError(
      "REQUEST_USED",
      `the request may be executed ${times}, and was, the last at entry ${lastUse}: ask again, with a new request`,
      { index: lastUse },
    );
  }

  private takeUse(entry: Admitted, index: number): Row[] {
    const hash = hexOf(entry);
    this.usesLogged.set(hash, index);
    const use = readUse(entry.facts);
    const rows: Row[] = [{ table: "use", key: hashOf(entry), value: placed(NOTHING, index) }];
    for (const { hash: grant } of this.known.chain(use.grant) ?? [])
      rows.push(...this.change(grant, index, used(this.known.state(grant), index)));
    const grant = this.known.grant(toHex(use.grant));
    if (grant === null) return rows;
    const pool = poolOf(use.request, grant.domain);
    rows.push(...this.change(toHex(pool), index, used(this.known.state(toHex(pool)), index)));
    if (use.call === null) return rows;
    const { calls } = this;
    if (calls !== null) {
      const { signers } = readEntry(entry.stored);
      append(calls, toHex(use.call), { index, pool: toHex(pool), signers });
    }
    return [...rows, { table: "call", key: placed(use.call, index), value: pool }];
  }

  /** A request says how often it may be executed. */
  private takeLimit(entry: Admitted, index: number): Row[] {
    return this.limit(hexOf(entry), readUint64(entry.facts), index);
  }

  private limit(hash: string, most: number, index: number): Row[] {
    if (this.known.limit(hash) !== null) return [];
    this.known.setLimit(hash, { most, index });
    return [{ table: "limit", key: hashBytes(hash), value: placed(uint64(most), index) }];
  }

  /** A receipt that it failed, or was refused, by the key that consumed: one use of the request is given back, once. */
  private takeReturn(entry: Admitted, index: number): Row[] {
    const calls = this.calls?.get(toHex(entry.facts)) ?? [];
    const { signers } = readEntry(entry.stored);
    const at = calls.findIndex((call) => call.signers.some((signer) => signers.includes(signer)));
    const [call] = at < 0 ? [] : calls.splice(at, 1);
    if (call === undefined) return [];
    return [
      { table: "returned", key: uint64(call.index), value: uint64(index) },
      ...this.change(call.pool, index, givenBack(this.known.state(call.pool))),
    ];
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

  private takeGrant(entry: Admitted, index: number): Row[] {
    const hash = hexOf(entry);
    // The first entry that carries the grant is the grant; the same record by another signer changes nothing.
    const known = this.known.grant(hash);
    const row = this.rowOf(entry, index);
    const grant = known ?? readGrant(row);
    const rows = grant.parent === null ? [] : [childRow(grant.parent, index, hashOf(entry))];
    if (known !== null) return rows;
    this.known.addGrant(hash, grant);
    if (this.revocations.isConcerned) this.known.addSigned(hash, { ...readEntry(entry.stored), index });
    rows.push({ table: "grant", key: hashOf(entry), value: row });
    rows.push(...this.limit(toHex(poolOf(grant.request, grant.domain)), grant.maxUses, index));
    const by = this.known.cascadeAbove(grant);
    if (by === null) {
      // Nobody looks so far up: it cannot be used, and no list may call it valid.
      if (this.known.isTooDeep(grant)) this.changes.push({ at: index, position: index, bits: REVOKED });
      return rows;
    }
    // Those below it may have come before it.
    this.sweeps.push({ at: index, kind: "grants-below", of: hash, from: 0 });
    return [...rows, ...this.change(hash, index, bornRevoked(by))];
  }

  private rowOf({ facts, issuer }: Admitted, index: number): Uint8Array {
    return placed(grantRow(facts, this.keys.domains.of(issuer ?? "")), index);
  }

  private grantIn(entry: Admitted, index: number): GrantFacts {
    return readGrant(this.rowOf(entry, index));
  }

  private change(hash: string, index: number, state: RecordState): Row[] {
    const before = this.known.state(hash);
    this.known.setState(hash, state);
    const maxUses = this.known.maxUses(hash);
    const bits = bitsOf(state, maxUses);
    if (bits !== bitsOf(before, maxUses))
      for (const position of this.known.placesOf(hash)) this.changes.push({ at: index, position, bits });
    const rows: Row[] = [{ table: "state", key: placed(hashBytes(hash), index), value: encodeState(state) }];
    if (before === UNTOUCHED) rows.push({ table: "touched", key: hashBytes(hash), value: NOTHING });
    return rows;
  }

  private takeKeyEvent(entry: Admitted, index: number): IndexedKeyEvent | null {
    const { record, signers } = readEntry(entry.stored);
    const event = keyEventOf(record, signers, this.keys);
    if (event === undefined) return null;
    this.keys.apply(index, event);
    if (event.kind === "revoke" && event.revocation.effectiveIndex !== null)
      for (const { keyId, last } of this.keys.takenBackAt(index))
        this.sweeps.push({ at: index, kind: "signed-by", of: keyId, from: last + 1 });
    return { index, event };
  }

  private async loadUsed(uses: readonly Admitted[], start: number): Promise<void> {
    const logged = await this.store.lookup("use", uses.map(hashOf));
    this.usesLogged = new Map();
    uses.forEach((use, i) => {
      const row = logged[i];
      if (row !== undefined && readUint64(row) < start) this.usesLogged.set(hexOf(use), readUint64(row));
    });
  }

  /** The requests of what is granted and used, with how often each may be used and was. */
  private async loadPools(
    entries: readonly Admitted[],
    granted: readonly Admitted[],
    uses: readonly Admitted[],
    start: number,
  ): Promise<void> {
    const limiting = entries.filter(({ type, facts }) => type === "action-request" && facts.length > 0);
    if (limiting.length === 0 && granted.length === 0 && uses.length === 0 && this.calls === null) return;
    const requests = limiting.map(hexOf);
    const pools: string[] = [...(this.calls?.values() ?? [])].flat().map(({ pool }) => pool);
    const fresh = new Map(granted.map((entry) => [hexOf(entry), this.grantIn(entry, 0)]));
    for (const grant of fresh.values()) pools.push(toHex(poolOf(grant.request, grant.domain)));
    for (const use of uses.map(({ facts }) => readUse(facts))) {
      const grant = this.known.grant(toHex(use.grant)) ?? fresh.get(toHex(use.grant));
      requests.push(toHex(use.request));
      if (grant !== undefined && grant !== null) pools.push(toHex(poolOf(use.request, grant.domain)));
    }
    await this.known.loadPools(pools, requests, start);
  }

  /** The consumptions that receipts of the batch may give back: a read for each such receipt, which are few. */
  private async loadCalls(entries: readonly Admitted[], start: number): Promise<void> {
    const returns = entries.filter(({ type, facts }) => type === "execution-receipt" && facts.length > 0);
    this.calls = returns.length === 0 ? null : new Map();
    for (const call of new Set(returns.map(({ facts }) => toHex(facts)))) {
      const rows = await this.store.rows("call", hashBytes(call), { to: uint64(start), limit: MAX_CALLS });
      const indexes = rows.map(({ key }) => readUint64(key, key.length - 8));
      const returned = await this.store.lookup("returned", indexes.map(uint64));
      const stored = await this.store.entriesAt(indexes);
      rows.forEach(({ value }, i) => {
        const [at, back, index] = [stored[i], returned[i], indexes[i]];
        if (at === undefined || index === undefined) return;
        if (back !== undefined && readUint64(back) < start) return;
        append(this.calls ?? new Map(), call, { index, pool: toHex(value), signers: readEntry(at).signers });
      });
    }
  }

  /** Which records of the batch are there already; asked only where trust domains are founded. */
  private async loadCopies(entries: readonly Admitted[], start: number): Promise<void> {
    this.copies = new Set();
    const mayFound = entries.some(({ type }) => type === "key");
    if (this.keys.domains.firstFounding === null && !mayFound) return;
    for (const { recordHash } of entries) {
      if (recordHash === null) continue;
      const [row] = await this.store.rows("record-id", recordHash, { limit: 1 });
      if (row !== undefined && readUint64(row.key, 32) < start) this.copies.add(toHex(recordHash));
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

/** Consumptions for one tool call of one grant that are looked at for a use to give back. */
const MAX_CALLS = 64;

function append<T>(lists: Map<string, T[]>, name: string, element: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [element]);
  else list.push(element);
}

/** The last of those with one name, in the order of their first. */
function lastOf<T>(all: readonly T[], name: (one: T) => string | number): readonly T[] {
  return [...new Map(all.map((one) => [name(one), one])).values()];
}

function liveRefusal(
  grant: GrantFacts,
  state: RecordState,
  time: number,
  which: string,
): WritError | undefined {
  if (state.revokedBy !== null) return refuse("GRANT_REVOKED", `${which} is revoked`, state.revokedBy);
  if (state.suspendedBy !== null)
    return refuse("GRANT_SUSPENDED", `${which} is suspended`, state.suspendedBy);
  if (time > grant.expiry)
    return refuse("GRANT_EXPIRED", `${which} expired at ${timeText(grant.expiry)}`, grant.index);
  if (time < grant.notBefore)
    return refuse(
      "GRANT_NOT_YET_VALID",
      `${which} is not valid before ${timeText(grant.notBefore)}`,
      grant.index,
    );
  if (state.uses >= grant.maxUses && state.lastUse !== null) {
    const uses = grant.maxUses === 1 ? "its one use" : `its ${grant.maxUses} uses`;
    return refuse(
      "GRANT_USED",
      `${which} has had ${uses}, the last at entry ${state.lastUse}`,
      state.lastUse,
    );
  }
  return undefined;
}

function refuse(code: ErrorCode, why: string, index?: number): WritError {
  return new WritError(code, `the grant cannot be used: ${why}`, index === undefined ? {} : { index });
}

function timeText(time: number): string {
  return new Date(time).toISOString();
}

function hashOf({ recordHash }: Admitted): Uint8Array {
  if (recordHash === null) throw new RangeError("want a record");
  return recordHash;
}

function hexOf(entry: Admitted): string {
  return toHex(hashOf(entry));
}
