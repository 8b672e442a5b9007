/**
 * What the gate knows of grants and of the states of records: read from the store before a batch, kept from batch to batch, and
 * changed as entries are taken in. Names are record hashes in hex.
 */
import { fromHex, readUint64, toHex, uint64 } from "../../format/bytes.js";
import { disownedBy, type Signed } from "../../index/disowned.js";
import { type GrantFacts, readGrant } from "../../index/grants.js";
import type { KeyTable } from "../../index/keys.js";
import { decodeState, type RecordState, UNTOUCHED } from "../../index/state.js";
import { parseRecord, type Record } from "../../record/record.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import type { Store } from "../../store/contract.js";

/** Grants above one another that a use is checked through. */
export const MAX_ANCESTORS = 32;
/** Grants and states kept from batch to batch. */
const KEPT = 50_000;

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
  /** Indexes of all entries that carry a record, in log order, of records whose state may change. */
  private readonly places = new Map<string, number[]>();
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
    this.places.set(hash, [grant.index]);
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

  /** How often a grant may be used; null for any other record. */
  maxUses(hash: string): number | null {
    return this.grants.get(hash)?.maxUses ?? null;
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

  /** The entries that carry a record. */
  placesOf(hash: string): readonly number[] {
    return this.places.get(hash) ?? [];
  }

  addPlace(hash: string, index: number): void {
    this.places.get(hash)?.push(index);
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

  async loadStates(hashes: readonly string[], start: number): Promise<void> {
    const unknown = [...new Set(hashes)].filter((hash) => !this.states.has(hash));
    // Most were never changed: one look-up says so of all.
    const touched = await this.store.lookup("touched", unknown.map(hashBytes));
    const changed = unknown.filter((_, i) => touched[i] !== undefined);
    const found = await Promise.all(changed.map((hash) => stateBefore(this.store, hashBytes(hash), start)));
    for (const hash of unknown) this.states.set(hash, UNTOUCHED);
    changed.forEach((hash, i) => this.states.set(hash, found[i] ?? UNTOUCHED));
    const placeless = [...new Set(hashes)].filter((hash) => !this.places.has(hash));
    const places = await Promise.all(placeless.map((hash) => placesOf(this.store, hashBytes(hash), start)));
    placeless.forEach((hash, i) => this.places.set(hash, places[i] ?? []));
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
    for (const kept of [this.grants, this.states, this.places, this.signed, this.limits]) {
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

/** The entries before `size` that carry a record. */
async function placesOf(store: Store, hash: Uint8Array, size: number): Promise<number[]> {
  const rows = await store.rows("record-id", hash, { to: uint64(size) });
  return rows.map(({ key }) => readUint64(key, 32));
}

/** The record in a stored statement, and who signed it. */
export function readEntry(stored: Uint8Array): ReadEntry {
  const known = READ.get(stored);
  if (known !== undefined) return known;
  const { payload, signatures } = parseStatement(stored, guessForm(stored));
  const read = { record: parseRecord(payload), signers: signatures.map(({ keyId }) => keyId) };
  READ.set(stored, read);
  return read;
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
