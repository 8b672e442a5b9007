/**
 * Webhooks for the operator: every event that a hook asks for is posted to it, one after another in log order, at least once.
 * The log itself is the queue; a hook is a place in it. One that fails is tried again with growing pauses, and not any more
 * once it has failed for three days, or says that it is gone (410).
 */
import { setTimeout as rest } from "node:timers/promises";
import { EVENT_NAMES, eventJson, type Feed, type FeedEvent } from "../log/feed/feed.js";
import { WritError } from "../errors.js";
import { parseFilter, passes } from "../trace/filter.js";
import { NotTaken, symmetric, Webhook } from "../webhook/webhook.js";
import { type HookConfig, type HookFolder, type HookState, secretBytes } from "./folder.js";

export interface HooksParts {
  readonly folder: HookFolder;
  readonly feed: Feed;
  readonly origin: string;
  readonly raw: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onTrouble: (hook: string, what: string) => void;
  /** Milliseconds before the first repetition. */
  readonly firstPauseMs?: number;
}

/** How often the folder is looked at. */
const LOOK_MS = 1_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
const LONGEST_ASKED_MS = 86_400_000;
/** A hook that has failed for so long is disabled. */
export const DISABLED_AFTER_MS = 3 * 24 * 3600_000;
/** What a hook has passed over without being told is kept at least so often. */
const KEEP_EVERY = 10_000;
const GONE = 410;

export class Hooks {
  private readonly runners = new Map<string, Runner>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private unlisten: () => void = () => {};

  constructor(private readonly parts: HooksParts) {}

  /** Begins: with the hooks that are there, and those that come. */
  async start(): Promise<void> {
    const look = (): Promise<void> =>
      this.look().catch((error: unknown) => this.parts.onTrouble("hooks", messageOf(error)));
    await look();
    this.unlisten = this.parts.feed.listen(() => this.kick());
    this.timer = setInterval(() => void look(), LOOK_MS);
    this.timer.unref();
  }

  /** Takes in what was added, removed or enabled before it was called; one look at a time. */
  async look(): Promise<void> {
    const mine = this.looking.then(() => this.takeIn());
    this.looking = mine.catch(() => {});
    return mine;
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.unlisten();
    await Promise.all([...this.runners.values()].map((runner) => runner.stop()));
  }

  private kick(): void {
    for (const runner of this.runners.values()) runner.kick();
  }

  private async takeIn(): Promise<void> {
    const configs = await this.parts.folder.list();
    for (const [id, runner] of this.runners)
      if (!configs.some((config) => JSON.stringify(config) === runner.name)) {
        this.runners.delete(id);
        await runner.stop();
      }
    for (const config of configs) {
      if (this.runners.has(config.id)) continue;
      const runner = new Runner(this.parts, config, await this.parts.folder.state(config));
      this.runners.set(config.id, runner);
      runner.kick();
    }
  }
}

class Runner {
  /** A hook that is changed is another one. */
  readonly name: string;
  private readonly ending = new AbortController();
  private readonly wants: (event: FeedEvent) => boolean;
  private readonly webhook: Webhook | null;
  private running: Promise<void> | null = null;
  private more = false;
  private passedOver = 0;

  constructor(
    private readonly parts: HooksParts,
    private readonly config: HookConfig,
    private state: HookState,
  ) {
    this.name = JSON.stringify(config);
    const { wants, webhook } = this.open();
    this.wants = wants;
    this.webhook = webhook;
  }

  kick(): void {
    if (this.webhook === null || this.state.disabledAt !== null || this.ending.signal.aborted) return;
    this.more = true;
    this.running ??= this.run()
      .catch((error: unknown) => this.parts.onTrouble(this.config.id, messageOf(error)))
      .finally(() => {
        this.running = null;
        // There was more while it was ending.
        if (this.more) this.kick();
      });
  }

  async stop(): Promise<void> {
    this.ending.abort();
    await this.running;
    await this.webhook?.close();
  }

  /** A hook that cannot be is told once, and idle. */
  private open(): { wants: (event: FeedEvent) => boolean; webhook: Webhook | null } {
    const { config, parts } = this;
    try {
      const filter = parseFilter(config.filter, "filter");
      const names = namesOf(config.events);
      const { allowPrivate, url } = config;
      return {
        wants: ({ name, entry }) => (names === null || names.has(name)) && passes(filter, entry),
        webhook: new Webhook(url, symmetric(secretBytes(config)), { allowPrivate, option: config.id }),
      };
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      parts.onTrouble(config.id, error.message);
      return { wants: () => false, webhook: null };
    }
  }

  private async run(): Promise<void> {
    const { feed } = this.parts;
    while (this.more && !this.isOver) {
      this.more = false;
      while (this.state.next < feed.size && !this.isOver) {
        const { events, end } = await feed.block(this.state.next);
        for (const event of events) {
          if (this.isOver) return;
          if (this.wants(event)) await this.deliver(event);
          else this.state = { ...this.state, next: event.entry.index + 1 };
        }
        this.passedOver += end - (events[0]?.entry.index ?? end);
        if (this.passedOver >= KEEP_EVERY && !this.isOver) await this.keep();
      }
    }
    if (this.passedOver > 0 && !this.ending.signal.aborted) await this.keep();
  }

  private get isOver(): boolean {
    return this.ending.signal.aborted || this.state.disabledAt !== null;
  }

  /** Until it is taken, the hook is disabled, or we stop. */
  private async deliver(event: FeedEvent): Promise<void> {
    const { index } = event.entry;
    const body = this.bodyOf(event);
    while (!this.isOver) {
      try {
        await this.webhook?.post(this.idOf(index), body, this.parts.now(), this.ending.signal);
        const deliveredAt = this.timeText();
        this.state = {
          ...this.state,
          next: index + 1,
          failingSince: null,
          failures: 0,
          lastError: null,
          deliveredAt,
        };
        await this.keep();
        return;
      } catch (error) {
        if (this.ending.signal.aborted) return;
        await this.failed(error);
      }
    }
  }

  private async failed(error: unknown): Promise<void> {
    const { id } = this.config;
    const failingSince = this.state.failingSince ?? this.timeText();
    const failures = this.state.failures + 1;
    const tooLong = this.parts.now() - Date.parse(failingSince) >= DISABLED_AFTER_MS;
    const isGone = error instanceof NotTaken && error.status === GONE;
    const disabledAt = tooLong || isGone ? this.timeText() : null;
    this.state = { ...this.state, failingSince, failures, lastError: messageOf(error), disabledAt };
    if (failures === 1 || disabledAt !== null)
      this.parts.onTrouble(
        id,
        disabledAt === null
          ? `${messageOf(error)}; it is tried again`
          : `${messageOf(error)}; it is disabled (failing since ${failingSince}); writ hooks enable ${id}`,
      );
    await this.keep();
    if (disabledAt !== null) return;
    const first = this.parts.firstPauseMs ?? FIRST_PAUSE_MS;
    const pause = Math.min(LONGEST_PAUSE_MS, first * 2 ** Math.min(failures - 1, 20));
    // The receiver may say how long; not longer than a day, so that a mistake of it is not for ever.
    const asked = error instanceof NotTaken ? Math.min(error.retryAfterMs, LONGEST_ASKED_MS) : 0;
    const { signal } = this.ending;
    await rest(Math.max(asked, pause * (0.5 + Math.random() / 2)), undefined, { signal }).catch(() => {});
  }

  private async keep(): Promise<void> {
    this.passedOver = 0;
    await this.parts.folder.saveState(this.config.id, this.state);
  }

  /** The same event has the same id, however often it is sent. */
  private idOf(index: number): string {
    return `evt_${this.config.id.slice("hook_".length)}_${index}`;
  }

  private bodyOf(event: FeedEvent): string {
    const { receivedAt } = event.entry;
    const head = {
      type: event.name,
      timestamp: new Date(receivedAt ?? 0).toISOString(),
      log: this.parts.origin,
    };
    return `${JSON.stringify(head).slice(0, -1)},"data":${eventJson(event, this.parts.raw)}}`;
  }

  private timeText(): string {
    return new Date(this.parts.now()).toISOString();
  }
}

/** USAGE for a name that no event has. */
export function namesOf(events: string | null): ReadonlySet<string> | null {
  if (events === null) return null;
  const names = events.split(",");
  const unknown = names.find((name) => !EVENT_NAMES.some((known) => known === name));
  if (unknown === undefined) return new Set(names);
  throw new WritError(
    "USAGE",
    `--events: want ${EVENT_NAMES.join(", ")}, with commas between; got ${unknown}`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
