/**
 * `GET /v1/events`: the log as server-sent events (HTML Standard §9.2). The id of an event is the index of its entry;
 * `Last-Event-ID` goes on after it, from any point of the past. Every second a `checkpoint` says how far the stream has
 * come, so silence means that something is wrong.
 *
 * A listener is a place in the log, not a queue: one that reads slowly falls behind and reads the past later, at the cost of
 * the block that it is at; one that takes nothing for a while is dropped, and goes on where it was when it comes back.
 */
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseDecimal, utf8 } from "../src/format/bytes.js";
import { ASKER_SHARE } from "../src/log/ask/budget.js";
import {
  BEARING,
  type Block,
  EVENT_NAMES,
  eventJson,
  type Feed,
  type FeedEvent,
} from "../src/log/feed/feed.js";
import type { Log } from "../src/log/log.js";
import type { Published } from "../src/log/tree/publish.js";
import { type Filter, FILTER_FIELDS, passes } from "../src/trace/filter.js";
import { isRecordId } from "../src/record/links.js";
import { quoteCheckpoint } from "./answers.js";
import { negotiate } from "./negotiate.js";
import { nodeMessages } from "./node.js";
import { query, sizeParam } from "./params.js";
import type { Readers } from "./readers.js";

const HEARTBEAT_MS = 1_000;
/** How long a listener may take nothing before it is dropped. */
const STUCK_MS = 15_000;
const BUFFER_BYTES = 64 * 1024;
/** Ways of filtering one block that are kept: most listeners want one of a few. */
const MAX_WRITTEN = 64;
/** Different wants that are written at once, when there is something new; with more, each waits for its turn. */
const MAX_AT_ONCE = 16;
/** Bytes that are written and not yet taken, of all listeners together: who adds to more is dropped, and comes back later. */
const MAX_PENDING_BYTES = 128 * 1024 * 1024;
export const MAX_LISTENERS = 4_000;

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "access-control-allow-origin": "*",
  // A proxy that collects answers before it passes them on would make every gateway behind it stop.
  "x-accel-buffering": "no",
};

/** What a listener wants to be told. */
interface Wanted {
  readonly filter: Filter;
  /** Null for all. */
  readonly names: ReadonlySet<string> | null;
  /** The same for everybody who wants the same. */
  readonly key: string;
}

/**
 * A listener costs a place, a buffer of 64 KiB, and what of a block he has not taken; 4,000 may listen, a quarter of them from one
 * address. What is past is read in turns with all readers, a block of 512 KiB at a time for all listeners together.
 */
export function eventRoutes(app: Hono, log: Log, readers: Readers): void {
  const hub = new Hub(log.feed, log.policy.admission === "raw", readers);
  // Costs what is said above, for as long as somebody listens.
  app.get("/v1/events", (c) => {
    const members = query(c, [...FILTER_FIELDS, "linked", "events", "from"]);
    negotiate(c.req.header("accept"), ["text/event-stream"]);
    const wanted = wantedOf(members);
    const from = startOf(c, sizeParam(members.from, "from"), log.feed.size);
    // Nobody would read the stream.
    if (c.req.method === "HEAD") return new Response(null, { headers: HEADERS });
    return new Response(hub.stream(c, wanted, from), { headers: HEADERS });
  });
}

/** After the last event that was seen; else where the query says; else what comes from now on. */
function startOf(c: Context, from: number | undefined, size: number): number {
  const last = c.req.header("last-event-id");
  if (last === undefined || last === "") return demandReached(from ?? size, size);
  const index = parseDecimal(last);
  if (index === undefined)
    throw new WritError(
      "QUERY_INVALID",
      `Last-Event-ID: want the index of an entry, got ${JSON.stringify(last.slice(0, 40))}`,
      { path: "Last-Event-ID" },
    );
  return demandReached(index + 1, size);
}

/** A place beyond the end would be silence for somebody who has seen another log than this one. */
function demandReached(start: number, size: number): number {
  if (start <= size) return start;
  throw new WritError("SIZE_UNPUBLISHED", `the log has ${size} entries, and no event ${start - 1} yet`, {
    path: "from",
  });
}

function wantedOf(members: Partial<Record<string, string>>): Wanted {
  const { linked } = members;
  // `type=bearing` is a kind, and no type of record.
  const events = members["type"] === BEARING ? BEARING : members["events"];
  const names = events === undefined ? null : new Set(events.split(","));
  const kinds = [...EVENT_NAMES, BEARING];
  for (const name of names ?? [])
    if (!kinds.includes(name))
      throw new WritError(
        "QUERY_INVALID",
        `events: want ${kinds.join(", ")}, with commas between them; got ${JSON.stringify(name.slice(0, 40))}`,
        { path: "events" },
      );
  if (linked !== undefined && !isRecordId(linked))
    throw new WritError(
      "QUERY_INVALID",
      `linked: want a record id, got ${JSON.stringify(linked.slice(0, 80))}`,
      {
        path: "linked",
      },
    );
  const terms = FILTER_FIELDS.flatMap((field) => {
    const value = members[field];
    return value === undefined || (field === "type" && value === BEARING) ? [] : [{ field, value }];
  });
  const filter = { text: "", terms, linked: linked ?? null };
  return {
    filter,
    names,
    key: JSON.stringify([terms, linked, names === null ? null : [...names].toSorted()]),
  };
}

function isOfKind({ name, bearsOn }: FeedEvent, names: ReadonlySet<string> | null): boolean {
  return names === null || names.has(name) || (bearsOn !== null && names.has(BEARING));
}

/** Everybody who listens, one heart for all of them, and what has been written for one is there for all who want the same. */
class Hub {
  /** Different wants, and how many have each. */
  private readonly wants = new Map<string, number>();
  /** Bytes that listeners hold, beyond their buffers: of each asker, and of all. */
  private readonly pending = new Map<string, number>();
  private pendingOfAll = 0;
  /** Events as they are sent, whoever wants them. */
  private readonly texts = new WeakMap<FeedEvent, string>();
  private readonly listeners = new Set<Listener>();
  private readonly written = new WeakMap<Block, Map<string, Uint8Array>>();
  private heart: NodeJS.Timeout | undefined;
  private beat: {
    readonly published: Published;
    readonly witnessed: Published | null;
    readonly bytes: Uint8Array;
  } | null = null;

  constructor(
    readonly feed: Feed,
    private readonly raw: boolean,
    private readonly readers: Readers,
  ) {
    feed.listen(() => this.each((listener) => listener.pump()));
  }

  stream(c: Context, wanted: Wanted, from: number): ReadableStream<Uint8Array> {
    if (this.listeners.size >= MAX_LISTENERS)
      throw new WritError("READERS_BUSY", `${MAX_LISTENERS} are listening, of at most ${MAX_LISTENERS}`);
    const asker = this.readers.askerOf(c);
    const own = [...this.listeners].filter((one) => one.asker === asker).length;
    if (own >= MAX_LISTENERS * ASKER_SHARE)
      throw new WritError(
        "READERS_BUSY",
        `${own} listeners are yours, of at most ${MAX_LISTENERS * ASKER_SHARE} of one asker`,
      );
    const { outgoing } = nodeMessages(c);
    const listener = new Listener(this, wanted, from, asker, () => outgoing?.destroy());
    return new ReadableStream(
      {
        start: (controller) => {
          this.listeners.add(listener);
          this.count(wanted.key, 1);
          this.heart ??= setInterval(() => this.each((one) => one.onBeat()), HEARTBEAT_MS).unref();
          listener.open(controller);
        },
        pull: () => listener.pump(),
        cancel: () => this.leave(listener),
      },
      { highWaterMark: BUFFER_BYTES, size: (chunk) => chunk?.length ?? 0 },
    );
  }

  private count(key: string, more: 1 | -1): void {
    const many = (this.wants.get(key) ?? 0) + more;
    if (many > 0) this.wants.set(key, many);
    else this.wants.delete(key);
  }

  hasRoom(asker: string, more: number): boolean {
    const own = (this.pending.get(asker) ?? 0) + more;
    return own <= MAX_PENDING_BYTES * ASKER_SHARE && this.pendingOfAll + more <= MAX_PENDING_BYTES;
  }

  hold(asker: string, more: number): void {
    const own = (this.pending.get(asker) ?? 0) + more;
    if (own > 0) this.pending.set(asker, own);
    else this.pending.delete(asker);
    this.pendingOfAll += more;
  }

  /** Must this be written, and so much else as well that it has to be done in turns? */
  isDear(block: Block, { key }: Wanted): boolean {
    return this.wants.size > MAX_AT_ONCE && this.written.get(block)?.has(key) !== true;
  }

  turn(asker: string): Promise<void> {
    return this.readers.budget.turn(asker);
  }

  leave(listener: Listener): void {
    listener.release();
    if (this.listeners.delete(listener)) this.count(listener.wanted.key, -1);
    if (this.listeners.size > 0) return;
    clearInterval(this.heart);
    this.heart = undefined;
  }

  /** The events of a block that are wanted, as they are sent. */
  textOf(block: Block, { filter, names, key }: Wanted): Uint8Array {
    const known = this.written.get(block) ?? new Map<string, Uint8Array>();
    this.written.set(block, known);
    const found = known.get(key);
    if (found !== undefined) return found;
    const text = block.events
      .filter((event) => isOfKind(event, names) && passes(filter, event.entry))
      .map((event) => this.eventText(event))
      .join("");
    const bytes = utf8(text);
    if (known.size < MAX_WRITTEN) known.set(key, bytes);
    return bytes;
  }

  /** How far the stream has come, and under which checkpoint. */
  checkpoint(): Uint8Array {
    const { published, witnessed } = this.feed;
    if (this.beat?.published !== published || this.beat.witnessed !== witnessed) {
      const quorum = witnessed === null ? "null" : quoteCheckpoint(witnessed);
      const data =
        `{"size":${published.size},"log_checkpoint":${quoteCheckpoint(published)},` +
        `"cosigned_by":${JSON.stringify(published.cosignedBy)},"witnessed_checkpoint":${quorum}`;
      this.beat = {
        published,
        witnessed,
        bytes: utf8(
          `${published.size === 0 ? "" : `id: ${published.size - 1}\n`}event: checkpoint\ndata: ${data}`,
        ),
      };
    }
    // The clock is that of this moment; the rest is shared by all beats of one checkpoint.
    return Buffer.concat([
      this.beat.bytes,
      utf8(`,"time":"${new Date(this.feed.now()).toISOString()}"}\n\n`),
    ]);
  }

  private eventText(event: FeedEvent): string {
    const known = this.texts.get(event);
    if (known !== undefined) return known;
    // A record's own bytes may have line ends between its members: each line of the data is a line of its own.
    const data = eventJson(event, this.raw)
      .split(/\r\n|\n|\r/)
      .join("\ndata: ");
    const text = `id: ${event.entry.index}\nevent: ${event.name}\ndata: ${data}\n\n`;
    this.texts.set(event, text);
    return text;
  }

  private each(tell: (listener: Listener) => unknown): void {
    for (const listener of this.listeners) tell(listener);
  }
}

const NOTHING = new Uint8Array(0);
const HELLO = utf8("retry: 1000\n\n");

class Listener {
  isGone = false;
  private controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  private pumping = false;
  private more = false;
  private beatDue = true;
  private stuckSince: number | null = null;
  /** What is written and not sent. */
  private rest: Uint8Array = NOTHING;

  constructor(
    private readonly hub: Hub,
    readonly wanted: Wanted,
    private next: number,
    readonly asker: string,
    private readonly cut: () => void,
  ) {}

  open(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.controller = controller;
    controller.enqueue(HELLO);
    void this.pump();
  }

  /** A second has passed. */
  onBeat(): void {
    this.beatDue = true;
    const now = performance.now();
    if (this.hasRoom) this.stuckSince = null;
    else if (now - (this.stuckSince ??= now) > STUCK_MS) return this.drop();
    void this.pump();
  }

  /** Sends what there is room for. Never rejects. */
  async pump(): Promise<void> {
    this.more = true;
    if (this.pumping || this.isGone) return;
    this.pumping = true;
    try {
      while (this.more && !this.isGone) {
        this.more = false;
        await this.sendAll();
      }
    } catch (error) {
      this.drop(error);
    } finally {
      this.pumping = false;
    }
  }

  private async sendAll(): Promise<void> {
    const { feed } = this.hub;
    while (this.hasRoom && !this.isGone) {
      if (this.rest.length > 0) this.sendSome();
      else if (this.next < feed.size) await this.take();
      else break;
    }
    if (this.isGone) return;
    if (feed.isOver) return this.finish();
    if (this.beatDue && this.next === feed.size && this.rest.length === 0 && this.hasRoom) {
      this.beatDue = false;
      this.controller?.enqueue(this.hub.checkpoint());
    }
  }

  /** The next block, held until it is sent. */
  private async take(): Promise<void> {
    // What is new goes to everybody at once; who reads the past waits for his turn.
    if (this.hub.feed.isPast(this.next)) await this.hub.turn(this.asker);
    if (this.isGone) return;
    const block = await this.hub.feed.block(this.next);
    if (this.isGone) return;
    // Who wants what nobody else does has it written for him in his turn.
    if (this.hub.isDear(block, this.wanted)) await this.hub.turn(this.asker);
    if (this.isGone) return;
    const bytes = this.hub.textOf(block, this.wanted);
    if (!this.hub.hasRoom(this.asker, bytes.length - this.rest.length)) return this.drop();
    this.hold(bytes);
    this.next = block.end;
    // Nothing of it was wanted: that it was looked at is progress all the same.
    if (bytes.length > 0 || !this.beatDue || this.next === this.hub.feed.size) return;
    this.beatDue = false;
    this.controller?.enqueue(utf8(`id: ${this.next - 1}\n\n`));
  }

  /** As much as a buffer takes: who reads slowly is seen to read. */
  private sendSome(): void {
    const part = this.rest.subarray(0, BUFFER_BYTES);
    this.hold(this.rest.subarray(part.length));
    this.controller?.enqueue(part);
  }

  private hold(bytes: Uint8Array): void {
    this.hub.hold(this.asker, bytes.length - this.rest.length);
    this.rest = bytes;
  }

  /** Nothing is held for it any more. */
  release(): void {
    this.isGone = true;
    this.hold(NOTHING);
  }

  private get hasRoom(): boolean {
    return (this.controller?.desiredSize ?? 0) > 0;
  }

  /** The log is ending: the listener comes back by itself, to the next process. */
  private finish(): void {
    const reads = this.hasRoom;
    this.hub.leave(this);
    this.controller?.close();
    if (!reads) this.cut();
  }

  /** Who does not keep up is let go, and comes back where he was; `error`: where it is not his doing. */
  private drop(error?: unknown): void {
    if (this.isGone) return;
    this.hub.leave(this);
    if (error === undefined) this.controller?.close();
    else this.controller?.error(error);
    this.cut();
  }
}
