/**
 * The feed: what every entry was and what it changed, in log order, from any point on. It is read from the store, so the
 * past and the present are the same stream, and everybody who is at the same place shares one reading.
 */
import { fromHex, uint64 } from "../../format/bytes.js";
import { type Bits, CONSUMED, REVOKED, SUSPENDED, VALID } from "../../index/bits.js";
import { optionalString } from "../../record/record.js";
import { revocationAction } from "../../record/revocation.js";
import type { Store } from "../../store/contract.js";
import { bears, bearsOn } from "../../trace/bearing.js";
import { isRecordEntry, readTraceEntry, type TraceEntry } from "../../trace/entry.js";
import { type BitChange, changesBetween } from "../state/bits.js";
import { describeEntry, entryJson } from "../admit/entry.js";
import type { Published } from "../tree/publish.js";
import { HeadClock } from "../tree/head-clock.js";
import { placed } from "../admit/rows.js";
import { readSweep, type Sweep } from "../state/sweeps.js";

export const EVENT_NAMES = ["entry", "revocation", "suspension", "resumption", "consumption"] as const;
export type EventName = (typeof EVENT_NAMES)[number];
/** A kind to listen for that cuts across the names: whatever may change how others stand. */
export const BEARING = "bearing";

export interface FeedEvent {
  readonly name: EventName;
  readonly entry: TraceEntry;
  /** Which entries' bits it changed, and into what. */
  readonly changes: readonly BitChange[];
  /** What it takes with it, beyond those. */
  readonly sweeps: readonly Sweep[];
  /** Of a revocation: whether it counted, waits for what it is about, or was by somebody who may not. Null for others. */
  readonly effect: "applied" | "pending" | "none" | null;
  /** The record ids and names that it bears on; null for what bears on nothing. */
  readonly bearsOn: readonly string[] | null;
}

/** The events of the entries [start, end). */
export interface Block {
  readonly start: number;
  readonly end: number;
  readonly events: readonly FeedEvent[];
}

/** Entries that are read at once, if they are small. */
const BLOCK = 128;
/** Bytes of entries in one block, unless one entry alone has more. */
const BLOCK_BYTES = 512 * 1024;
/** Blocks that are kept: listeners that are a little behind share what the first one read. */
const KEPT_BLOCKS = 16;

export interface FeedParts {
  readonly store: Store;
  readonly raw: boolean;
  readonly published: () => Published;
  /** The newest checkpoint that meets the quorum, or null. */
  readonly witnessed: () => Published | null;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Feed {
  private readonly listeners = new Set<() => void>();
  private readonly blocks = new Map<string, Promise<Block>>();
  private ended = false;

  constructor(private readonly parts: FeedParts) {}

  /** The size that the feed goes to now. */
  get size(): number {
    return this.parts.published().size;
  }

  get published(): Published {
    return this.parts.published();
  }

  get witnessed(): Published | null {
    return this.parts.witnessed();
  }

  /** The log's clock. */
  now(): number {
    return this.parts.now();
  }

  /** True once the log is ending: listeners should go, and come back to another process. */
  get isOver(): boolean {
    return this.ended;
  }

  /** Calls back whenever there may be more, until the returned function is called. The callback must not throw. */
  listen(onMore: () => void): () => void {
    this.listeners.add(onMore);
    return () => this.listeners.delete(onMore);
  }

  /** There is more. */
  notify(): void {
    for (const onMore of this.listeners) onMore();
  }

  /** The log is ending. */
  end(): void {
    this.ended = true;
    this.notify();
  }

  /** Is it so far behind that a whole reading fits before the end? */
  isPast(start: number): boolean {
    return start + BLOCK <= this.size;
  }

  /** The events from `start` on, as far as one reading goes. RangeError unless start < size. */
  async block(start: number): Promise<Block> {
    const { size } = this;
    if (start >= size) throw new RangeError(`nothing at ${start} in a log of ${size} yet`);
    // Readings end where those of others begin, whoever started where.
    const end = Math.min(size, (Math.floor(start / BLOCK) + 1) * BLOCK);
    const name = `${start}-${end}`;
    const known = this.blocks.get(name);
    if (known !== undefined) return known;
    const reading = this.read(start, end);
    this.blocks.set(name, reading);
    reading.catch(() => this.blocks.delete(name));
    for (const oldest of this.blocks.keys()) {
      if (this.blocks.size <= KEPT_BLOCKS) break;
      this.blocks.delete(oldest);
    }
    return reading;
  }

  private async read(start: number, planned: number): Promise<Block> {
    const { store, raw } = this.parts;
    const stored = fitting(await store.entries(start, planned));
    const end = start + stored.length;
    const times = await new HeadClock(store).times(start, end);
    const changes = new Map<number, BitChange[]>();
    for await (const change of changesBetween(store, start, end))
      changes.set(change.at, [...(changes.get(change.at) ?? []), change]);
    const sweeps = new Map<number, Sweep[]>();
    const rows = await store.rows("sweep", new Uint8Array(0), { from: uint64(start), to: uint64(end) });
    for (const sweep of rows.map(readSweep)) sweeps.set(sweep.at, [...(sweeps.get(sweep.at) ?? []), sweep]);
    const events = await Promise.all(
      stored.map(async (bytes, i) => {
        const index = start + i;
        const entry = readTraceEntry(index, bytes, times[i] ?? 0, raw);
        const changed = changes.get(index) ?? [];
        const effect = await effectOf(store, entry);
        return {
          name: nameOf(entry, changed),
          entry,
          changes: changed,
          sweeps: sweeps.get(index) ?? [],
          effect,
          bearsOn: entry.record !== null && bears(entry.record.type) ? bearsOn(entry.record) : null,
        };
      }),
    );
    return { start, end, events };
  }
}

/** The first entries that are no more than a block, at least one. */
function fitting(stored: readonly Uint8Array[]): readonly Uint8Array[] {
  let bytes = 0;
  const tooMany = stored.findIndex((one) => (bytes += one.length) > BLOCK_BYTES);
  return tooMany < 0 ? stored : stored.slice(0, Math.max(1, tooMany));
}

/** What matters most to somebody who acts on grants comes first. */
const BY_CHANGE: readonly (readonly [Bits, EventName])[] = [
  [REVOKED, "revocation"],
  [SUSPENDED, "suspension"],
  [CONSUMED, "consumption"],
  [VALID, "resumption"],
];
const BY_ACTION = { revoke: "revocation", suspend: "suspension", resume: "resumption" } as const;

/** By what the entry did; by what it would have done, where it did nothing. */
function nameOf(entry: TraceEntry, changes: readonly BitChange[]): EventName {
  if (!isRecordEntry(entry)) return "entry";
  const { record } = entry;
  if (record.type === "revocation") return BY_ACTION[revocationAction(record)];
  if (record.type === "consumption") return "consumption";
  const changed = BY_CHANGE.find(([bits]) => changes.some((change) => change.bits === bits));
  return changed?.[1] ?? "entry";
}

async function effectOf(store: Store, entry: TraceEntry): Promise<FeedEvent["effect"]> {
  if (!isRecordEntry(entry) || entry.record.type !== "revocation") return null;
  const target = fromHex(optionalString(entry.record.value, "target")?.slice("sha256:".length) ?? "");
  if (target === undefined) return "none";
  const [state] = await store.lookup("state", [placed(target, entry.index)]);
  if (state !== undefined) return "applied";
  const [waits] = await store.lookup("early", [uint64(entry.index)]);
  return waits === undefined ? "none" : "pending";
}

const STATE_WORDS: Readonly<Record<Bits, string>> = {
  [VALID]: "active",
  [REVOKED]: "revoked",
  [SUSPENDED]: "suspended",
  [CONSUMED]: "consumed",
};

/** An event as JSON: the entry without its statement, the changes by index, and where there is one what it takes and its effect. */
export function eventJson(event: FeedEvent, raw: boolean): string {
  const { entry, changes, sweeps, effect, bearsOn: on } = event;
  const { index, stored, receivedAt } = entry;
  const found = entryJson(describeEntry(index, stored, receivedAt ?? 0, raw), { statement: false });
  const changed = changes.map(({ position, bits }) => ({ index: position, state: STATE_WORDS[bits] }));
  const takes = sweeps.length === 0 ? "" : `,"takes":${JSON.stringify(sweeps.map(sweepWords))}`;
  const counted = effect === null ? "" : `,"effect":"${effect}"`;
  const bearing = on === null ? "" : `,"bears_on":${JSON.stringify(on)}`;
  return `{"entry":${found},"changes":${JSON.stringify(changed)}${takes}${counted}${bearing}}`;
}

function sweepWords({ kind, of, from }: Sweep): object {
  return kind === "grants-below" ? { grants_below: `sha256:${of}` } : { signed_by: of, from_index: from };
}
