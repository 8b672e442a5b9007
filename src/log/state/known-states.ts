/**
 * What the gate knows of grants and of the states of records: read from the store before a batch, kept from batch to batch, and
 * changed as entries are taken in. Names are record hashes in hex.
 */
import { fromHex, readUint64, toHex, uint64 } from "../../format/bytes.js";
import { disownedBy, type Signed } from "../../index/disowned.js";
import { type Bits, bitsOf, REVOKED } from "../../index/bits.js";
import { type GrantFacts, readGrant } from "../../index/grants.js";
import type { KeyTable } from "../../index/keys.js";
import { decodeState, type RecordState, UNTOUCHED } from "../../index/state.js";
import { readStoredRecord, type Record } from "../../record/record.js";
import { readStoredDsse } from "../../statement/dsse.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import type { Store } from "../../store/contract.js";
import { firstPlaces, listsOfCopies } from "../admit/places.js";

/** Grants above one another that a use is checked through. */
export const MAX_ANCESTORS = 32;
/** Grants and states kept from batch to batch. */
const KEPT = 50_000;

const NONE: ReadonlySet<number> = new Set();

/** How often something may be used. */
export interface Limit {
  readonly most: number;
  readonly index: number;
}

/** A grant in a chain of grants. */
export interface Link {
  readonly hash: string;
  readonly facts: GrantFacts;
}

export class KnownStates {
  /** Null: known not to be there. */
  private readonly grants = new Map<string, GrantFacts | null>();
  private readonly states = new Map<string, RecordState>();
  /** Where records stand first, and the lists in which copies of them stand: of records whose state may change. */
  private readonly firsts = new Map<string, number>();
  private readonly copies = new Map<string, Set<number>>();
  /** Where the records of the batch at hand stand first, in it or before. */
  private arrived = new Map<string, number>();
  /** Who signed a grant; read only once keys were taken back from the past on. */
  private readonly signed = new Map<string, Signed>();
  /** How often a request, or the pool of its uses, may be used, and which entry says so; null: nothing says so yet. */
  private readonly limits = new Map<string, Limit | null>();

  constructor(
    private readonly store: Store,
    private readonly keys: KeyTable,
  ) {}

  grant(hash: string): GrantFacts | null {
    return this.grants.get(hash) ?? null;
  }

  /** A grant that has just been taken in: nothing can have changed what was not there. */
  addGrant(hash: string, grant: GrantFacts): void {
    this.grants.set(hash, grant);
    this.states.set(hash, UNTOUCHED);
    this.firsts.set(hash, grant.index);
    this.copies.set(hash, new Set());
  }

  addSigned(hash: string, signed: Signed): void {
    this.signed.set(hash, signed);
  }

  /** UNTOUCHED for what was never changed; everything that is asked about has been read before. */
  state(hash: string): RecordState {
    return this.states.get(hash) ?? UNTOUCHED;
  }

  hasState(hash: string): boolean {
    return this.states.has(hash);
  }

  setState(hash: string, state: RecordState): void {
    this.states.set(hash, state);
  }

  /** The bits of a record in this state. Nobody looks further up than MAX_ANCESTORS: a grant below more is never called valid. */
  bits(hash: string, state: RecordState): Bits {
    const grant = this.grants.get(hash) ?? null;
    if (grant !== null && this.isTooDeep(grant)) return REVOKED;
    return bitsOf(state, grant?.maxUses ?? null);
  }

  limit(hash: string): Limit | null {
    return this.limits.get(hash) ?? null;
  }

  setLimit(hash: string, limit: Limit): void {
    this.limits.set(hash, limit);
  }

  /** Reads how often these requests and pools may be used, and the state of the pools: one look-up for all limits. */
  async loadPools(pools: readonly string[], requests: readonly string[], start: number): Promise<void> {
    const unlimited = [...new Set([...pools, ...requests])].filter(
      (hash) => (this.limits.get(hash) ?? null) === null,
    );
    const rows = await this.store.lookup("limit", unlimited.map(hashBytes));
    unlimited.forEach((hash, i) => {
      const row = rows[i];
      const limit = row === undefined ? null : { most: readUint64(row), index: readUint64(row, 8) };
      this.limits.set(hash, limit !== null && limit.index < start ? limit : null);
    });
    // A pool is no record: it stands at no place.
    const fresh = [...new Set(pools)].filter((hash) => !this.states.has(hash));
    const states = await Promise.all(fresh.map((hash) => stateBefore(this.store, hashBytes(hash), start)));
    fresh.forEach((hash, i) => this.states.set(hash, states[i] ?? UNTOUCHED));
  }

  /** The first entry that carries a record; undefined where there is none, or nobody has asked. */
  firstOf(hash: string): number | undefined {
    return this.arrived.get(hash) ?? this.firsts.get(hash);
  }

  /** The lists in which copies of a record stand. */
  copyLists(hash: string): ReadonlySet<number> {
    return this.copies.get(hash) ?? NONE;
  }

  /** A record has arrived. */
  addFirst(hash: string, index: number): void {
    this.arrived.set(hash, index);
  }

  addCopy(hash: string, list: number): void {
    this.copies.set(hash, new Set([...this.copyLists(hash), list]));
  }

  /** A new batch: where its records stand before `start`. One look-up for all. Those that do. */
  async beginBatch(hashes: readonly Uint8Array[], start: number): Promise<readonly string[]> {
    this.arrived = new Map();
    const places = await firstPlaces(this.store, hashes, start);
    hashes.forEach((hash, i) => {
      const first = places[i];
      if (first !== undefined) this.arrived.set(toHex(hash), first);
    });
    return [...this.arrived.keys()];
  }

  /** A grant (32 bytes) and all above it; null when one of them is missing. */
  chain(grant: Uint8Array): Link[] | null {
    const chain: Link[] = [];
    for (let next: Uint8Array | null = grant; next !== null; ) {
      const hash = toHex(next);
      const facts: GrantFacts | null = this.grants.get(hash) ?? null;
      if (facts === null || chain.length > MAX_ANCESTORS) return null;
      chain.push({ hash, facts });
      next = facts.parent;
    }
    return chain;
  }

  /** The revocation that took a grant above this one, and all below that, back before this one came. */
  cascadeAbove({ parent }: GrantFacts): number | null {
    for (let next = parent, depth = 0; next !== null && depth <= MAX_ANCESTORS; depth++) {
      const hash = toHex(next);
      const { cascadeBy } = this.state(hash);
      if (cascadeBy !== null) return cascadeBy;
      next = this.grants.get(hash)?.parent ?? null;
    }
    return null;
  }

  /** Are there more grants above it than are looked through? */
  isTooDeep({ parent }: GrantFacts): boolean {
    let next = parent;
    for (let depth = 0; next !== null && depth < MAX_ANCESTORS; depth++)
      next = this.grants.get(toHex(next))?.parent ?? null;
    return next !== null;
  }

  /** The revocation by which a grant's signer is not believed any more; null where somebody is, or nobody has asked. */
  disownedBy(hash: string): number | null {
    const signed = this.signed.get(hash);
    return signed === undefined ? null : disownedBy(signed, this.keys, Number.POSITIVE_INFINITY);
  }

  /** Reads these grants (32 bytes each) and all above them, as they stood before `start`: what they are, and their state. */
  async loadChains(grants: readonly Uint8Array[], start: number, withSigners: boolean): Promise<void> {
    const chain = new Set<string>();
    let next = [...grants];
    for (let depth = 0; next.length > 0 && depth <= MAX_ANCESTORS; depth++) {
      await this.loadGrants(next, start);
      for (const hash of next) chain.add(toHex(hash));
      next = next
        .flatMap((hash) => this.grants.get(toHex(hash))?.parent ?? [])
        .filter((hash) => !chain.has(toHex(hash)));
    }
    if (chain.size === 0) return;
    await this.loadStates([...chain], start);
    if (withSigners) await this.loadSigned([...chain]);
  }

  async loadGrants(hashes: readonly Uint8Array[], start: number): Promise<void> {
    const unknown = hashes.filter((hash) => (this.grants.get(toHex(hash)) ?? null) === null);
    if (unknown.length === 0) return;
    const rows = await this.store.lookup("grant", unknown);
    unknown.forEach((hash, i) => {
      const row = rows[i];
      const grant = row === undefined ? null : readGrant(row);
      this.grants.set(toHex(hash), grant !== null && grant.index < start ? grant : null);
    });
  }

  /** What has become of these records before `start`, and where they stand. */
  async loadStates(hashes: readonly string[], start: number): Promise<void> {
    await Promise.all([this.loadChanged(hashes, start), this.loadPlaces(hashes, start)]);
  }

  private async loadChanged(hashes: readonly string[], start: number): Promise<void> {
    const unknown = [...new Set(hashes)].filter((hash) => !this.states.has(hash));
    // Most were never changed: one look-up says so of all.
    const touched = await this.store.lookup("touched", unknown.map(hashBytes));
    const changed = unknown.filter((_, i) => touched[i] !== undefined);
    const found = await Promise.all(changed.map((hash) => stateBefore(this.store, hashBytes(hash), start)));
    for (const hash of unknown) this.states.set(hash, UNTOUCHED);
    changed.forEach((hash, i) => this.states.set(hash, found[i] ?? UNTOUCHED));
  }

  /** Where these records stand before `start`, and the lists that their copies stand in. */
  private async loadPlaces(hashes: readonly string[], start: number): Promise<void> {
    const placeless = [...new Set(hashes)].filter((hash) => !this.firsts.has(hash) || !this.copies.has(hash));
    const asked = placeless.map(hashBytes);
    const [firsts, lists] = await Promise.all([
      firstPlaces(this.store, asked, start),
      listsOfCopies(this.store, asked, start),
    ]);
    placeless.forEach((hash, i) => {
      const first = firsts[i];
      if (first === undefined) return;
      this.firsts.set(hash, first);
      this.copies.set(hash, new Set(lists[i]));
    });
  }

  private async loadSigned(hashes: readonly string[]): Promise<void> {
    const unknown = hashes.flatMap((hash) => {
      const grant: GrantFacts | null = this.grants.get(hash) ?? null;
      return grant === null || this.signed.has(hash) ? [] : [{ hash, index: grant.index }];
    });
    const entries = await this.store.entriesAt(unknown.map(({ index }) => index));
    unknown.forEach(({ hash, index }, i) => {
      const stored = entries[i];
      if (stored !== undefined) this.signed.set(hash, { ...readEntry(stored), index });
    });
  }

  /** Forgets the oldest when there are too many. Only between batches. */
  trim(): void {
    for (const kept of [this.grants, this.states, this.firsts, this.copies, this.signed, this.limits]) {
      if (kept.size <= KEPT) continue;
      for (const hash of kept.keys()) {
        if (kept.size <= KEPT / 2) break;
        kept.delete(hash);
      }
    }
  }
}

/** The state that the last entry before `size` left a record in; undefined when none changed it. */
async function stateBefore(store: Store, hash: Uint8Array, size: number): Promise<RecordState | undefined> {
  const [row] = await store.rows("state", hash, { to: uint64(size), reverse: true, limit: 1 });
  return row === undefined ? undefined : decodeState(row.value);
}

/** The record in a stored statement, and who signed it. It was read strictly when it was admitted, and is not again. */
export function readEntry(stored: Uint8Array): ReadEntry {
  const known = READ.get(stored);
  if (known !== undefined) return known;
  const { payload, keyIds } = guessForm(stored) === "dsse" ? readStoredDsse(stored) : coseParts(stored);
  const read = { record: readStoredRecord(payload), signers: keyIds };
  READ.set(stored, read);
  return read;
}

function coseParts(stored: Uint8Array): ReturnType<typeof readStoredDsse> {
  const { payload, signatures } = parseStatement(stored, "cose");
  return { payload, keyIds: signatures.map(({ keyId }) => keyId) };
}

interface ReadEntry {
  readonly record: Record;
  readonly signers: readonly string[];
}

/** Each entry of a batch is asked about a few times, and parsed once. */
const READ = new WeakMap<Uint8Array, ReadEntry>();

export function hashBytes(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array(0);
}
