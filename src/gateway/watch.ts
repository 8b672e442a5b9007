/** Following the log's events: what was taken back, or bears on what somebody relies on, told the moment it is heard. */
import { setTimeout as rest } from "node:timers/promises";
import type { LogClient } from "../client/log-client.js";
import type { SentEvent } from "../client/event-stream.js";
import { listAt, numberAt, objectAt, parseObject, textAt } from "../client/answers.js";
import { WritError } from "../errors.js";
import { parseDecimal, utf8 } from "../format/bytes.js";
import type { Policy } from "../format/policy.js";
import { seeCheckpoint } from "../format/trusted.js";
import { isJsonObject, type JsonObject } from "../statement/json.js";
import { isUnsound, type Senses } from "./senses.js";

/** A grant or one above it, as far as it can be taken back. */
export interface ChainLink {
  /** Record id. */
  readonly id: string;
  readonly index: number;
  /** Key ids. */
  readonly signers: readonly string[];
}

/** Something that takes grants back. */
export interface Stop {
  /** The entry that did. */
  readonly at: number;
  readonly why: string;
  readonly hits: (link: ChainLink) => boolean;
}

export interface WatchParts {
  readonly client: LogClient;
  readonly policy: Policy;
  readonly senses: Senses;
  /** A stream on which no event came for so long is given up, in milliseconds. */
  readonly silenceMs: number;
  readonly onTrouble: (why: string) => void;
}

/** Something that may change how a grant stands, though it takes no grant back: what it bears on is judged anew. */
interface Bearing {
  readonly at: number;
  readonly on: readonly string[];
}

/** What somebody relies on, and whom to tell. */
export interface Reliance {
  /** The grant and all above it. */
  readonly chain: readonly ChainLink[];
  /** Every record id and name that it rests on. */
  readonly bearing: ReadonlySet<string>;
  readonly onStop: (stop: Stop) => void;
  readonly onBearing: () => void;
}

/** Stops that are remembered, for those who register with what they learnt a moment ago. */
const KEPT_STOPS = 10_000;
const PAUSE_MS = 200;
const EVENTS = "revocation,suspension,resumption,bearing";

export class Watch {
  private readonly ending = new AbortController();
  private readonly watched = new Set<Reliance>();
  private stops: Stop[] = [];
  private bearings: Bearing[] = [];
  /** Stops and bearings at or after this entry are all remembered. */
  private rememberedFrom: number | null = null;
  /** Where the stream goes on. */
  private next: number | undefined;
  /** The same, up to where a sound checkpoint says that it was this log's stream. */
  private confirmed: number | undefined;

  constructor(private readonly parts: WatchParts) {}

  /** Follows until `close`; starts again whenever the stream ends. */
  async run(): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      // Nobody relies on anything: what went by meanwhile need not be read.
      if (this.watched.size === 0) this.forget();
      try {
        const query = { events: EVENTS };
        const from = this.next === undefined ? {} : { from: this.next };
        await this.follow({ ...from, query });
      } catch (error) {
        if (signal.aborted) return;
        // What no checkpoint has confirmed comes again, if it was this log's.
        const { confirmed = 0 } = this;
        this.next = this.confirmed;
        this.stops = this.stops.filter(({ at }) => at < confirmed);
        this.bearings = this.bearings.filter(({ at }) => at < confirmed);
        this.parts.onTrouble(error instanceof Error ? error.message : String(error));
        // A log that is shorter than what we saw of it is another log, or has lost entries: the checkpoint will tell.
        if (error instanceof WritError && error.facts.refusal === "SIZE_UNPUBLISHED") await this.look();
      }
      await rest(PAUSE_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
    }
  }

  close(): void {
    this.ending.abort();
  }

  /** One connection, for as long as events come. */
  private async follow(asked: { from?: number; query: Readonly<Record<string, string>> }): Promise<void> {
    const attempt = new AbortController();
    const { silenceMs } = this.parts;
    const stop = (): void => attempt.abort();
    const silent = new WritError(
      "SERVER_UNREACHABLE",
      `no heartbeat for ${silenceMs} ms: trying another connection`,
    );
    this.ending.signal.addEventListener("abort", stop, { once: true });
    // A connection that nobody has closed and no heartbeat comes through would be waited on for ever.
    const giveUp = setTimeout(() => attempt.abort(silent), silenceMs);
    try {
      for await (const event of this.parts.client.events(asked, attempt.signal)) {
        // Events alone may be anybody's; a heartbeat is a signed checkpoint.
        if (await this.take(event)) giveUp.refresh();
      }
    } finally {
      clearTimeout(giveUp);
      this.ending.signal.removeEventListener("abort", stop);
    }
  }

  /**
   * Tells when one of the chain is taken back, from the size `knownTo` on, up to which the caller knows better; until the
   * returned function is called. What came in between is told at once. GATEWAY_UNSURE when that is not remembered any more.
   */
  register(watched: Reliance, knownTo: number): () => void {
    const { chain, onStop, onBearing } = watched;
    this.watched.add(watched);
    const missed = this.stops.find((stop) => stop.at >= knownTo && chain.some(stop.hits));
    if (this.bearings.some((bearing) => bearing.at >= knownTo && touches(bearing, watched))) onBearing();
    if (missed !== undefined) onStop(missed);
    else if (this.rememberedFrom === null || this.rememberedFrom > knownTo) {
      // Between what the caller knows and what we heard first, somebody may have been taken back.
      if ((this.next ?? 0) > knownTo) {
        this.watched.delete(watched);
        throw new WritError("GATEWAY_UNSURE", "CONNECTING: what was taken back a moment ago is not known", {
          reason: "CONNECTING",
        });
      }
    }
    return () => this.watched.delete(watched);
  }

  private forget(): void {
    this.next = this.confirmed = undefined;
    this.rememberedFrom = null;
    this.stops = [];
    this.bearings = [];
  }

  /** Takes an event in: true when it was a sound checkpoint. */
  private async take({ id, name, data }: SentEvent): Promise<boolean> {
    const { senses } = this.parts;
    senses.heard();
    const value = parseObject(utf8(data));
    if (name === "checkpoint") {
      // As far as a signed size goes, and no farther: anybody can put a number before an event.
      this.next = await this.takeCheckpoint(value);
      this.confirmed = this.next;
      this.rememberedFrom ??= this.next;
      return true;
    }
    const index = parseDecimal(id);
    if (index === undefined)
      throw new WritError("SERVER_ANSWER_INVALID", "an event without the index of its entry");
    this.takeStop(value);
    this.takeBearing(value, index);
    this.next = Math.max(this.next ?? 0, index + 1);
    return false;
  }

  /** The size that the stream has come to. */
  private async takeCheckpoint(value: JsonObject): Promise<number> {
    const { client, policy, senses } = this.parts;
    const note = textAt(value, "log_checkpoint");
    const time = Date.parse(textAt(value, "time"));
    if (!Number.isFinite(time)) throw new WritError("SERVER_ANSWER_INVALID", "a checkpoint without a time");
    try {
      const { size } = await client.seen(utf8(note));
      const best = await this.witnessedSize(note, value["witnessed_checkpoint"]);
      senses.beat({ size, witnessedSize: policy.quorum === null ? null : best, time });
      // The log itself has shown more: somebody repeats what was, and another connection may tell the truth.
      if (senses.isBehind)
        throw new WritError("SERVER_ANSWER_INVALID", "a stream that tells of the past only");
      return size;
    } catch (error) {
      if (isUnsound(error)) senses.unsound(error.message);
      // Whatever else came on this stream is no better.
      throw error;
    }
  }

  /** The largest of the shown sizes that meets our own quorum, whatever the log says. */
  private async witnessedSize(note: string, witnessed: unknown): Promise<number> {
    const { client, policy } = this.parts;
    const sizes = [0];
    for (const one of [note, witnessed]) {
      if (typeof one !== "string") continue;
      const seen = seeCheckpoint(utf8(one), policy);
      if (seen.quorum !== true) continue;
      await client.seen(utf8(one));
      sizes.push(seen.size);
    }
    return Math.max(...sizes);
  }

  private takeStop(value: JsonObject): void {
    const stop = stopOf(value);
    if (stop === null) return;
    this.stops.push(stop);
    if (this.stops.length > KEPT_STOPS) {
      this.stops = this.stops.slice(KEPT_STOPS / 2);
      this.rememberedFrom = this.stops[0]?.at ?? null;
    }
    for (const { chain, onStop } of this.watched) if (chain.some(stop.hits)) onStop(stop);
  }

  private takeBearing(value: JsonObject, at: number): void {
    if (value["bears_on"] === undefined) return;
    const on = listAt(value, "bears_on").filter((name) => typeof name === "string");
    const bearing = { at, on };
    this.bearings.push(bearing);
    if (this.bearings.length > KEPT_STOPS) {
      this.bearings = this.bearings.slice(KEPT_STOPS / 2);
      this.rememberedFrom = Math.max(this.rememberedFrom ?? 0, this.bearings[0]?.at ?? 0);
    }
    for (const watched of this.watched) if (touches(bearing, watched)) watched.onBearing();
  }

  private async look(): Promise<void> {
    try {
      await this.parts.client.checkpoint();
    } catch (error) {
      if (isUnsound(error)) this.parts.senses.unsound(error.message);
    }
  }
}

function touches({ on }: Bearing, { bearing }: Reliance): boolean {
  return on.some((name) => bearing.has(name));
}

/**
 * What an event takes back: the record that it is about, the entries whose bits it changed for the worse, and what it takes
 * with them. (A grant that is in use is used up already, and its bits stay so when it is suspended.)
 */
function stopOf(value: JsonObject): Stop | null {
  const entry = objectAt(value, "entry");
  const at = numberAt(entry, "index");
  const positions = new Set<number>();
  const taken: ((link: ChainLink) => boolean)[] = [];
  for (const change of listAt(value, "changes"))
    if (isJsonObject(change) && (change["state"] === "revoked" || change["state"] === "suspended"))
      positions.add(numberAt(change, "index"));
  const { record } = entry;
  const target = isJsonObject(record) && record["action"] !== "resume" ? record["target"] : undefined;
  if (value["effect"] === "applied" && typeof target === "string") taken.push(({ id }) => id === target);
  if (positions.size > 0) taken.push(({ index }) => positions.has(index));
  for (const one of Array.isArray(value["takes"]) ? listAt(value, "takes") : []) {
    if (!isJsonObject(one)) continue;
    const { grants_below: grant, signed_by: key, from_index: from } = one;
    if (typeof grant === "string") taken.push(({ id }) => id === grant);
    if (typeof key === "string" && typeof from === "number")
      taken.push(({ signers, index }) => signers.includes(key) && index >= from);
  }
  if (taken.length === 0) return null;
  return { at, why: `entry ${at} took it back`, hits: (link) => taken.some((hits) => hits(link)) };
}
