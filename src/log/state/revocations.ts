/**
 * The gate's part about revocations: what each changes, and those that came before what they revoke. These wait on disk, found by
 * what they wait for; nothing of them is in memory but what the batch at hand asks for.
 *
 * Bounds (rules 3): 16 of one signer wait for one record, 64 of one trust domain; what comes beyond is refused, and its signer may
 * say it again when the record is there. When that arrives, the waiting ones of the few domains whose word may count are read, no
 * others: a stranger's cost nobody anything.
 */
import { sha256 } from "#crypto";
import { Breath } from "../../breath.js";
import { WritError } from "../../errors.js";
import { concat, readUint64, toHex, uint64, utf8 } from "../../format/bytes.js";
import type { KeyTable } from "../../index/keys.js";
import { acted } from "../../index/state.js";
import { optionalString, type Record, stringMember } from "../../record/record.js";
import { cascades, mayRevoke, revocationAction } from "../../record/revocation.js";
import type { Row, Store } from "../../store/contract.js";
import type { Admitted } from "../admit/admit.js";
import { firstPlaces } from "../admit/places.js";
import { placed } from "../admit/rows.js";
import type { Effects } from "./effects.js";
import { hexOf } from "./entry-names.js";
import { hashBytes, type KnownStates, readEntry } from "./known-states.js";

export const MAX_EARLY_OF_SIGNER = 16;
export const MAX_EARLY_OF_DOMAIN = 64;
/** From these rules on there is a bound. */
const BOUNDED_SINCE = 3;
const NOTHING = new Uint8Array(0);
/** Of the hash of a domain's name, as much as sets domains apart; two that shared it would share a bound. */
const TAG_BYTES = 8;
/** Waiting revocations that are read at once. */
const PAGE = 256;

/** A record that may be revoked, with the request it is for. */
interface Target {
  readonly record: Record;
  readonly request: Record | null;
}

interface Logged {
  readonly index: number;
  /** The hash, in hex, of what it is about. */
  readonly target: string;
  readonly record: Record;
  readonly signers: readonly string[];
}

export class Revocations {
  /** Of the batch at hand: what its revocations are about, where that was there before, … */
  private targets = new Map<string, Target>();
  /** … the requests of grants in it that revocations are about, … */
  private requests = new Map<string, Record | null>();
  /** … its own records, as they are applied; null when no revocation could ask for one, … */
  private applied: Map<string, Uint8Array> | null = null;
  /** … and what waits, by what it waits for: of this batch, and on disk for what arrives in it. */
  private waiting = new Map<string, Logged[]>();

  constructor(
    private readonly store: Store,
    private readonly keys: KeyTable,
    private readonly known: KnownStates,
    private readonly effects: Effects,
  ) {}

  /** Has anything ever waited? In most logs nothing has, and no batch need ask. Null: not looked at yet. */
  private hasWaited: boolean | null = null;

  /** Can anything in this batch be revoked by what is in it, or waits? */
  get isConcerned(): boolean {
    return this.applied !== null;
  }

  /** Reads what the revocations of a batch, and those that wait for something in it, may ask for. */
  async prepare(entries: readonly Admitted[], start: number): Promise<void> {
    this.targets = new Map();
    this.requests = new Map();
    this.waiting = new Map();
    this.applied = null;
    const revocations = entries.filter(({ type }) => type === "revocation");
    const awaited = await this.awaitedAmong(entries, start);
    if (revocations.length === 0 && awaited.length === 0) return;
    this.applied = new Map();
    await this.loadWaiting(awaited, start);
    const about: string[] = [];
    const breath = new Breath();
    for (const { stored } of revocations) {
      about.push(targetOf(readEntry(stored).record));
      if (breath.isDue) await breath.take();
    }
    const named = new Set([...about, ...[...this.waiting.values()].flat().map(({ target }) => target)]);
    // What they are, too: the bits of a grant depend on its uses.
    await this.known.loadChains([...named].map(hashBytes), start, false);
    const records = await this.recordsBefore([...named], start);
    const arriving = entries.filter((entry) => entry.recordHash !== null && named.has(hexOf(entry)));
    const own = arriving.map(({ stored }) => readEntry(stored).record);
    const asked = [...[...named].flatMap((hash) => records.get(hash) ?? []), ...own].flatMap(
      (record) => requestOf(record) ?? [],
    );
    const requests = await this.recordsBefore(asked, start);
    for (const hash of named) {
      const record = records.get(hash);
      if (record !== undefined)
        this.targets.set(hash, { record, request: requests.get(requestOf(record) ?? "") ?? null });
    }
    for (const record of own)
      this.requests.set(requestOf(record) ?? "", requests.get(requestOf(record) ?? "") ?? null);
    const missing = [...about, ...asked].filter((hash) => !this.targets.has(hash) && !requests.has(hash));
    await this.countWaiting(missing, revocations, start);
  }

  /** EARLY_REVOCATIONS when too many wait for the same already. */
  refusal(entry: Admitted): WritError | undefined {
    if (this.keys.rulesAt() < BOUNDED_SINCE || this.known.firstOf(hexOf(entry)) !== undefined)
      return undefined;
    const { record, signers } = readEntry(entry.stored);
    const awaited = this.awaited(targetOf(record));
    if (awaited === null) return undefined;
    const target = this.targetNow(targetOf(record));
    // What counts now need not wait for anything.
    if (target !== null && this.mayAct(record, signers, target, Number.POSITIVE_INFINITY)) return undefined;
    if (!this.isFull(awaited, record, signers)) return undefined;
    const there = this.count(awaited, record.issuer);
    const most = mostOf(there, signers);
    return new WritError(
      "EARLY_REVOCATIONS",
      `sha256:${awaited} is not in the log, and ${there.all} revocations of your domain wait for it already (${most} of this signer, of at most ${MAX_EARLY_OF_SIGNER}): revoke it once it is there`,
    );
  }

  /** A revocation is at its place. */
  apply(entry: Admitted, index: number): readonly Row[] {
    // The same record again, in an envelope with one signature more, would undo what was said since.
    if (this.known.firstOf(hexOf(entry)) !== index) return [];
    const { record, signers } = readEntry(entry.stored);
    const target = targetOf(record);
    const revocation = { index, target, record, signers };
    const awaited = this.awaited(target);
    const changed = awaited === target ? [] : this.act(revocation, index);
    if (awaited === null || changed.length > 0) return changed;
    return [
      ...this.wait(awaited, revocation),
      { table: "early", key: placed(NOTHING, index), value: NOTHING },
    ];
  }

  /** A record has arrived: what waited for it counts from here on. How many did, and what they changed. */
  arrived(entry: Admitted, index: number): { readonly rows: readonly Row[]; readonly count: number } {
    const hash = hexOf(entry);
    this.applied?.set(hash, entry.stored);
    const waiting = this.waiting.get(hash) ?? [];
    this.waiting.delete(hash);
    const rows = waiting.flatMap((revocation): readonly Row[] => {
      const awaited = this.awaited(revocation.target);
      const changed = awaited === revocation.target ? [] : this.act(revocation, index);
      if (awaited === null || changed.length > 0) return changed;
      // It goes on waiting, for the request, if there is room among those that do.
      const { record, signers } = revocation;
      const isBounded = this.keys.rulesAt() >= BOUNDED_SINCE;
      return isBounded && this.isFull(awaited, record, signers) ? [] : this.wait(awaited, revocation);
    });
    return { rows, count: waiting.length };
  }

  /** What must still arrive before it is settled who may revoke a record: it itself, or the request it is for. */
  private awaited(target: string): string | null {
    const found = this.targetNow(target);
    if (found === null) return target;
    const request = requestOf(found.record);
    return request !== null && found.request === null ? request : null;
  }

  private wait(awaited: string, revocation: Logged): Row[] {
    const own = this.waiting.get(awaited);
    if (own === undefined) this.waiting.set(awaited, [revocation]);
    else own.push(revocation);
    const { index, record, signers } = revocation;
    const there = this.count(awaited, record.issuer);
    there.all++;
    for (const signer of signers) there.of.set(signer, (there.of.get(signer) ?? 0) + 1);
    const key = placed(concat(hashBytes(awaited), this.tagOf(record.issuer)), index);
    const rows: Row[] = [{ table: "awaited", key, value: utf8(signers.join(" ")) }];
    if (this.waitedFor.has(awaited)) return rows;
    this.waitedFor.add(awaited);
    this.hasWaited = true;
    return [...rows, { table: "waited-for", key: hashBytes(awaited), value: uint64(index) }];
  }

  /** Do so many wait for this already that one more of this signer, or of this domain, may not? */
  private isFull(awaited: string, { issuer }: Record, signers: readonly string[]): boolean {
    const there = this.count(awaited, issuer);
    return there.all >= MAX_EARLY_OF_DOMAIN || mostOf(there, signers) >= MAX_EARLY_OF_SIGNER;
  }

  /** May it take the target back, by those who are believed before this place? */
  private mayAct(record: Record, signers: readonly string[], target: Target, before: number): boolean {
    const believedAs = (role: string): boolean =>
      signers.some((signer) => this.keys.believed(signer, record.issuer, [role], { index: before }));
    // A key is taken back by the right registrar, after it was known, and by nobody who is it himself.
    const { domains } = this.keys;
    const isOfDomain = domains.of(record.issuer) === domains.of(target.record.issuer);
    const speaks = {
      isRegistrar: (isAboutKeys(target) || isOfDomain) && believedAs("registrar"),
      isOwner: believedAs("owner"),
      isPrincipal: believedAs("principal"),
    };
    return mayRevoke(record, target.record, target.request, speaks);
  }

  private act(revocation: Logged, index: number): readonly Row[] {
    const { record, signers, target: hash } = revocation;
    const target = this.targetNow(hash);
    if (target === null || !this.mayAct(record, signers, target, revocation.index)) return [];
    if (isAboutKeys(target) && !this.keys.hasCutAt(revocation.index)) return [];
    const takesAll = cascades(record);
    const state = this.known.state(hash);
    if (takesAll && target.record.type === "capability-grant" && state.cascadeBy === null)
      this.effects.sweep({ at: index, kind: "grants-below", of: hash, from: 0 });
    return this.effects.change(
      hash,
      index,
      acted(state, revocationAction(record), revocation.index, takesAll),
    );
  }

  /** The record, if it stands before this place: in the store, or in the batch. */
  private targetNow(hash: string): Target | null {
    const stored = this.targets.get(hash);
    const own = this.applied?.get(hash);
    if (stored === undefined && own === undefined) return null;
    const record = stored?.record ?? readEntry(own ?? NOTHING).record;
    const asked = requestOf(record) ?? "";
    const inBatch = this.applied?.get(asked);
    const before = stored?.request ?? this.requests.get(asked) ?? null;
    return { record, request: before ?? (inBatch === undefined ? null : readEntry(inBatch).record) };
  }

  /** Those of a batch for which something waits on disk: one look-up for all. */
  private async awaitedAmong(entries: readonly Admitted[], start: number): Promise<Admitted[]> {
    const records = entries.filter(({ recordHash }) => recordHash !== null);
    this.hasWaited ??= (await this.store.rows("waited-for", NOTHING, { limit: 1 })).length > 0;
    if (records.length === 0 || !this.hasWaited) return [];
    const found = await this.waitedBefore(records.map(hexOf), start);
    // Of a record that is there, another envelope is no arrival: what waited has counted.
    return records.filter(
      (entry) => found.has(hexOf(entry)) && this.known.firstOf(hexOf(entry)) === undefined,
    );
  }

  /** What waits for these, of the domains whose word may count: the record's own, its delegator's, the log's. */
  private async loadWaiting(awaited: readonly Admitted[], start: number): Promise<void> {
    for (const entry of awaited) {
      const { record } = readEntry(entry.stored);
      const delegator = optionalString(record.value, "delegator_id");
      const tagged = [record.issuer, delegator ?? record.issuer].map((id) => this.tagOf(id));
      tagged.push(this.tag(this.keys.domains.origin));
      const tags = new Map(tagged.map((tag) => [toHex(tag), tag]));
      const indexes: number[] = [];
      for (const tag of tags.values()) {
        const rows = await this.rowsOf(hexOf(entry), tag, start);
        for (const { index } of rows) indexes.push(index);
      }
      indexes.sort((a, b) => a - b);
      const waiting: Logged[] = [];
      for (let at = 0; at < indexes.length; at += PAGE) {
        const some = indexes.slice(at, at + PAGE);
        const stored = await this.store.entriesAt(some);
        for (const [i, index] of some.entries()) {
          const bytes = stored[i];
          if (bytes === undefined) continue;
          const { record: said, signers } = readEntry(bytes);
          waiting.push({ index, target: targetOf(said), record: said, signers });
        }
      }
      if (waiting.length > 0) this.waiting.set(hexOf(entry), waiting);
    }
  }

  private async rowsOf(awaited: string, tag: Uint8Array, start: number) {
    const prefix = concat(hashBytes(awaited), tag);
    const rows = await this.store.rows("awaited", prefix);
    return rows
      .map(({ key, value }) => ({ index: readUint64(key, prefix.length), signers: value }))
      .filter(({ index }) => index < start);
  }

  /** How many wait, of a domain and by signer; counted before a batch, and as its own are applied. */
  private counts = new Map<string, Count>();
  /** What something waits for, on disk or in this batch. */
  private waitedFor = new Set<string>();

  private count(awaited: string, issuer: string): Count {
    const name = `${awaited} ${toHex(this.tagOf(issuer))}`;
    const known = this.counts.get(name) ?? { all: 0, of: new Map() };
    this.counts.set(name, known);
    return known;
  }

  private async countWaiting(
    awaited: readonly string[],
    revocations: readonly Admitted[],
    start: number,
  ): Promise<void> {
    this.counts = new Map();
    this.waitedFor = await this.waitedBefore([...new Set(awaited)], start);
    if (this.keys.rulesAt() < BOUNDED_SINCE) return;
    const issuers = new Set([
      ...revocations.flatMap(({ issuer }) => issuer ?? []),
      ...[...this.waiting.values()].flat().map(({ record }) => record.issuer),
    ]);
    const tags = new Map([...issuers].map((id) => [toHex(this.tagOf(id)), { id, tag: this.tagOf(id) }]));
    for (const hash of this.waitedFor)
      for (const { id, tag } of tags.values()) {
        const count = this.count(hash, id);
        for (const { signers } of await this.rowsOf(hash, tag, start)) {
          count.all++;
          for (const signer of new TextDecoder().decode(signers).split(" "))
            count.of.set(signer, (count.of.get(signer) ?? 0) + 1);
        }
      }
  }

  /** Those of these hashes that something waited for before `start`: one look-up for all. */
  private async waitedBefore(hashes: readonly string[], start: number): Promise<Set<string>> {
    const found = await this.store.lookup("waited-for", hashes.map(hashBytes));
    return new Set(
      hashes.filter((_, i) => {
        const row = found[i];
        return row !== undefined && readUint64(row) < start;
      }),
    );
  }

  private tagOf(id: string): Uint8Array {
    return this.tag(this.keys.domains.of(id));
  }

  private tag(domain: string): Uint8Array {
    return sha256(utf8(domain)).subarray(0, TAG_BYTES);
  }

  /** The records of these hashes that stand before `start`: their places at once, then their entries at once. */
  private async recordsBefore(hashes: readonly string[], start: number): Promise<Map<string, Record>> {
    const asked = [...new Set(hashes)];
    const found = new Map<string, Record>();
    const breath = new Breath();
    for (let at = 0; at < asked.length; at += PAGE) {
      const some = asked.slice(at, at + PAGE);
      const unknown = some.filter((hash) => this.known.firstOf(hash) === undefined);
      const looked = await firstPlaces(this.store, unknown.map(hashBytes), start);
      const firsts = new Map(unknown.map((hash, i) => [hash, looked[i]]));
      const places = some.flatMap((hash) => {
        const index = this.known.firstOf(hash) ?? firsts.get(hash);
        return index === undefined ? [] : [{ hash, index }];
      });
      const stored = await this.store.entriesAt(places.map(({ index }) => index));
      for (const [i, { hash }] of places.entries()) {
        const bytes = stored[i];
        if (bytes !== undefined) found.set(hash, readEntry(bytes).record);
        if (breath.isDue) await breath.take();
      }
    }
    return found;
  }
}

function isAboutKeys({ record }: Target): boolean {
  return record.type === "key" || record.type === "log-policy";
}

/** The most that wait of one of these signers; an envelope has 16 at most. */
function mostOf({ of }: Count, signers: readonly string[]): number {
  return Math.max(0, ...signers.slice(0, 16).map((signer) => of.get(signer) ?? 0));
}

interface Count {
  all: number;
  readonly of: Map<string, number>;
}

/** The hash, in hex, of what a revocation is about. */
function targetOf({ value }: Record): string {
  return stringMember(value, "target").slice("sha256:".length);
}

/** The hash, in hex, of the request that a record is for. */
function requestOf({ value }: Record): string | null {
  return optionalString(value, "request_hash")?.slice("sha256:".length) ?? null;
}
