/**
 * The gate's part about use: which consumptions may stand, what each uses up, and what a receipt gives back. One approval, one act:
 * uses are counted for a grant, for all above it, and for the request in the domain of the grant's issuer.
 */
import { type ErrorCode, WritError } from "../../errors.js";
import { readUint64, toHex, uint64 } from "../../format/bytes.js";
import { type GrantFacts, poolOf, readUse, type UseFacts } from "../../index/grants.js";
import type { KeyTable } from "../../index/keys.js";
import { givenBack, type RecordState, used } from "../../index/state.js";
import type { Row, Store } from "../../store/contract.js";
import type { Admitted } from "../admit/admit.js";
import { placed } from "../admit/rows.js";
import type { Effects } from "./effects.js";
import { hashOf, hexOf } from "./entry-names.js";
import { hashBytes, type KnownStates, readEntry } from "./known-states.js";

const NOTHING = new Uint8Array(0);
/** Consumptions for one tool call of one grant that are looked at for a use to give back. */
const MAX_CALLS = 64;

/** A consumption for a tool call. */
interface Call {
  readonly index: number;
  /** In hex: the pool of its request's uses. */
  readonly pool: string;
  readonly signers: readonly string[];
}

export class Uses {
  /** Of the batch at hand: where its consumptions are logged already, … */
  private logged = new Map<string, number>();
  /** … and the consumptions that its receipts may give back, by grant and call; null when none may. */
  private calls: Map<string, Call[]> | null = null;

  constructor(
    private readonly store: Store,
    private readonly keys: KeyTable,
    private readonly known: KnownStates,
    private readonly effects: Effects,
  ) {}

  /** Reads what the consumptions and receipts of a batch will ask for. */
  async prepare(entries: readonly Admitted[], uses: readonly Admitted[], start: number): Promise<void> {
    if (uses.length > 0) await this.loadUsed(uses, start);
    await this.loadCalls(entries, start);
  }

  /** Why a consumption may not stand at its place; undefined when it may. `time`: null where it is not known. */
  refusal(entry: Admitted, time: number | null): WritError | undefined {
    const earlier = this.logged.get(hexOf(entry));
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

  /** A consumption is at its place. */
  apply(entry: Admitted, index: number): Row[] {
    const hash = hexOf(entry);
    this.logged.set(hash, index);
    const use = readUse(entry.facts);
    const rows: Row[] = [{ table: "use", key: hashOf(entry), value: placed(NOTHING, index) }];
    for (const { hash: grant } of this.known.chain(use.grant) ?? [])
      rows.push(...this.effects.change(grant, index, used(this.known.state(grant), index)));
    const grant = this.known.grant(toHex(use.grant));
    if (grant === null) return rows;
    const pool = poolOf(use.request, grant.domain);
    rows.push(...this.effects.change(toHex(pool), index, used(this.known.state(toHex(pool)), index)));
    if (use.call === null) return rows;
    const { calls } = this;
    if (calls !== null) {
      const { signers } = readEntry(entry.stored);
      append(calls, toHex(use.call), { index, pool: toHex(pool), signers });
    }
    return [...rows, { table: "call", key: placed(use.call, index), value: pool }];
  }

  /** A request says how often it may be executed. */
  applyLimit(entry: Admitted, index: number): Row[] {
    return this.limit(hexOf(entry), readUint64(entry.facts), index);
  }

  /** How often a request, or a pool, may be used, if nothing has said so yet. */
  limit(hash: string, most: number, index: number): Row[] {
    if (this.known.limit(hash) !== null) return [];
    this.known.setLimit(hash, { most, index });
    return [{ table: "limit", key: hashBytes(hash), value: placed(uint64(most), index) }];
  }

  /** A receipt that it failed, or was refused, by the key that consumed: one use of the request is given back, once. */
  applyReturn(entry: Admitted, index: number): Row[] {
    const calls = this.calls?.get(toHex(entry.facts)) ?? [];
    const { signers } = readEntry(entry.stored);
    const at = calls.findIndex((call) => call.signers.some((signer) => signers.includes(signer)));
    const [call] = at < 0 ? [] : calls.splice(at, 1);
    if (call === undefined) return [];
    return [
      { table: "returned", key: uint64(call.index), value: uint64(index) },
      ...this.effects.change(call.pool, index, givenBack(this.known.state(call.pool))),
    ];
  }

  private async loadUsed(uses: readonly Admitted[], start: number): Promise<void> {
    const logged = await this.store.lookup("use", uses.map(hashOf));
    this.logged = new Map();
    uses.forEach((use, i) => {
      const row = logged[i];
      if (row !== undefined && readUint64(row) < start) this.logged.set(hexOf(use), readUint64(row));
    });
  }

  /** The requests of what is granted and used, with how often each may be used and was. */
  async loadPools(
    entries: readonly Admitted[],
    fresh: ReadonlyMap<string, GrantFacts>,
    uses: readonly Admitted[],
    start: number,
  ): Promise<void> {
    const limiting = entries.filter(({ type, facts }) => type === "action-request" && facts.length > 0);
    if (limiting.length === 0 && fresh.size === 0 && uses.length === 0 && this.calls === null) return;
    const requests = limiting.map(hexOf);
    const pools: string[] = [...(this.calls?.values() ?? [])].flat().map(({ pool }) => pool);
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
}

function append<T>(lists: Map<string, T[]>, name: string, element: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [element]);
  else list.push(element);
}

function liveRefusal(
  grant: GrantFacts,
  state: RecordState,
  time: number | null,
  which: string,
): WritError | undefined {
  if (state.revokedBy !== null) return refuse("GRANT_REVOKED", `${which} is revoked`, state.revokedBy);
  if (state.suspendedBy !== null)
    return refuse("GRANT_SUSPENDED", `${which} is suspended`, state.suspendedBy);
  if (time !== null && time > grant.expiry)
    return refuse("GRANT_EXPIRED", `${which} expired at ${timeText(grant.expiry)}`, grant.index);
  if (time !== null && time < grant.notBefore)
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
