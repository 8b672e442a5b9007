/**
 * The state of a record as of a size: what the revocations and consumptions below it have made of it, and of a grant, what
 * they have made of the grants above it. Unknown is never called valid.
 */
import { firstPlace } from "../admit/places.js";
import { toHex, uint64 } from "../../format/bytes.js";
import { type GrantFacts, readGrant } from "../../index/grants.js";
import { disownedBy } from "../../index/disowned.js";
import type { KeyTable } from "../../index/keys.js";
import { decodeState, type RecordState, UNTOUCHED } from "../../index/state.js";
import type { Store } from "../../store/contract.js";
import { MAX_ANCESTORS, readEntry } from "./known-states.js";

export type StateWord = "active" | "suspended" | "revoked" | "consumed" | "expired" | "unknown";

export interface RecordStatus {
  readonly state: StateWord;
  /** The entries that decided it; none for a record that nothing was said about. */
  readonly decidedBy: readonly number[];
}

interface Link {
  readonly state: RecordState;
  /** The revocation that took its signer's word from before it. */
  readonly disownedBy: number | null;
  /** Null for a record that is no grant. */
  readonly grant: GrantFacts | null;
}

/**
 * `hash`: of the record, 32 bytes. `keys`: of the same log. `time`: what a grant's expiry is held against, milliseconds
 * since 1970.
 */
export async function statusOf(
  store: Store,
  keys: KeyTable,
  hash: Uint8Array,
  asOf: number,
  time: number,
): Promise<RecordStatus> {
  const first = await firstPlace(store, hash, asOf);
  if (first === undefined) return { state: "unknown", decidedBy: [] };
  const chain = await chainOf(store, keys, hash, first, asOf);
  // A grant above it that is not in the log: nothing can be said of this one.
  if (chain === null) return { state: "unknown", decidedBy: [] };
  return decide(chain, time);
}

/** What is final comes first: a revoked or consumed grant never comes back, a suspended one may. */
function decide(chain: readonly Link[], time: number): RecordStatus {
  const [own] = chain;
  const revoked = chain.flatMap(({ state, disownedBy: by }) => [state.revokedBy ?? [], by ?? []].flat());
  if (revoked.length > 0) return { state: "revoked", decidedBy: distinct(revoked) };
  const spent = chain.filter(({ state, grant }) => grant !== null && state.uses >= grant.maxUses);
  if (spent.length > 0)
    return { state: "consumed", decidedBy: distinct(spent.flatMap(({ state }) => state.lastUse ?? [])) };
  const suspended = chain.flatMap(({ state }) => state.suspendedBy ?? []);
  if (suspended.length > 0) return { state: "suspended", decidedBy: suspended };
  const expired = chain.flatMap(({ grant }) => (grant !== null && time > grant.expiry ? [grant.index] : []));
  if (expired.length > 0) return { state: "expired", decidedBy: expired };
  return { state: own === undefined ? "unknown" : "active", decidedBy: [] };
}

/** The record, and if it is a grant all grants above it; null when one of them is missing. */
async function chainOf(
  store: Store,
  keys: KeyTable,
  hash: Uint8Array,
  index: number,
  asOf: number,
): Promise<Link[] | null> {
  const chain: Link[] = [];
  const seen = new Set<string>();
  for (let next: Uint8Array | null = hash; next !== null; ) {
    const grant: GrantFacts | null = await grantAt(store, next, asOf);
    if ((grant === null && chain.length > 0) || chain.length > MAX_ANCESTORS || seen.has(toHex(next)))
      return null;
    seen.add(toHex(next));
    const [row] = await store.rows("state", next, { to: uint64(asOf), reverse: true, limit: 1 });
    chain.push({
      state: row === undefined ? UNTOUCHED : decodeState(row.value),
      disownedBy: keys.hasBackdated ? await disowned(store, keys, grant?.index ?? index, asOf) : null,
      grant,
    });
    next = grant?.parent ?? null;
  }
  return chain;
}

async function grantAt(store: Store, hash: Uint8Array, asOf: number): Promise<GrantFacts | null> {
  const [row] = await store.lookup("grant", [hash]);
  const grant = row === undefined ? null : readGrant(row);
  return grant !== null && grant.index < asOf ? grant : null;
}

async function disowned(store: Store, keys: KeyTable, index: number, asOf: number): Promise<number | null> {
  const [stored] = await store.entries(index, index + 1);
  if (stored === undefined) return null;
  return disownedBy({ ...readEntry(stored), index }, keys, asOf);
}

function distinct(indexes: readonly number[]): number[] {
  return [...new Set(indexes)];
}

/**
 * The first entry of a record, and for a grant the first entries of all above it, with the time at which the first of them
 * expires: what decides together whether it stands. Null when one of them is missing.
 */
export async function standsOn(
  store: Store,
  hash: Uint8Array,
): Promise<{ readonly positions: readonly number[]; readonly expiry: number } | null> {
  const first = await firstPlace(store, hash);
  if (first === undefined) return null;
  const positions = [first];
  let expiry = Number.POSITIVE_INFINITY;
  for (let next: Uint8Array | null = hash; next !== null; ) {
    const grant: GrantFacts | null = await grantAt(store, next, Number.POSITIVE_INFINITY);
    if (grant === null) return positions.length > 1 || next !== hash ? null : { positions, expiry };
    if (positions.length > MAX_ANCESTORS) return null;
    positions.push(grant.index);
    expiry = Math.min(expiry, grant.expiry);
    next = grant.parent;
  }
  return { positions, expiry };
}
