/**
 * Stage 6, witnessed: each new checkpoint goes to all witnesses of the policy, and the cosignatures that come back are
 * kept under it. A checkpoint is sent in a *round*, the same one to everybody, because a quorum is one of cosignatures
 * under one checkpoint. While a round is open newer checkpoints pass by; the next round takes the newest there is then.
 * Nothing queues: a slow witness misses rounds, and a dead one delays nobody once the quorum is there.
 */
import { Agent } from "undici";
import type { Hash } from "../../../merkle/index.js";
import { parseNote, type SignatureLine, withSignatures } from "../../format/note.js";
import { type Policy, type PolicyWitness, quorumMet } from "../../format/policy.js";
import { isLineOf, type SigningKey } from "../../format/vkey.js";
import { askWitness, type WitnessAnswer } from "./ask-witness.js";
import { type CosignThread, cosignThread } from "./cosign-thread.js";
import type { Published } from "../tree/publish.js";
import {
  type Endpoint,
  endpointsOf,
  publishedOf,
  type Round,
  roundOf,
  stillWitnessed,
} from "./witness-round.js";
import { FORGOTTEN, type WitnessAlarm, type WitnessMemory, type WitnessRecord } from "./witness-memory.js";

export interface WitnessingOptions {
  /** Each witness has a URL; a witness with two keys is two lines with one URL. */
  readonly policy: Policy;
  /** The log's own ML-DSA-44 key, whose line goes to the witnesses beside the Ed25519 one. */
  readonly mlDsaKey: SigningKey | null;
  readonly memory?: WitnessMemory;
  /** URLs of those that said nothing when they were asked at the start, with why. */
  readonly silent?: ReadonlyMap<string, string>;
  /** How long one request may take, in milliseconds. */
  readonly timeoutMs?: number;
  /** How old cosignatures of a checkpoint that has no successor get before others are asked for, in milliseconds. */
  readonly renewMs?: number;
  /** Told what an operator should hear: forks above all. */
  readonly onTrouble?: (trouble: WitnessTrouble) => void;
}

export interface WitnessTrouble {
  readonly url: string;
  readonly fork: boolean;
  readonly why: string;
}

/** A witness's standing, for those who ask. */
export interface WitnessStanding {
  readonly witness: PolicyWitness;
  /** The newest size it has cosigned for us, as far as we know. */
  readonly size: number;
  /** Milliseconds since 1970; null: not since the start. */
  readonly cosignedAt: number | null;
  /** Requests that have failed since the last that did not, and why the last one did. */
  readonly failures: number;
  readonly trouble: string | null;
  readonly alarm: WitnessAlarm | null;
}

export interface WitnessingParts {
  readonly now: () => number;
  /** PROOF(from, D[to]) of sizes up to the newest offered. */
  readonly consistency: (from: number, to: number) => Promise<Hash[]>;
  /** Told when a newer checkpoint meets the quorum. Must not throw. */
  readonly onWitnessed?: () => void;
}

const DEFAULT_TIMEOUT_MS = 5_000;
/** So that "nothing new" can be told from "frozen": ten minutes, and never an entry for it. */
export const RENEW_MS = 10 * 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** Times that one request is made again at once because the witness named another size. */
const MAX_STALE = 3;
/** Rounds that nobody waits for begin at most so often: a busy log makes a thousand checkpoints a second. */
const PACE_MS = 250;
/** Those that somebody waits for. Rounds that follow one another more closely take the processor from one another (measured). */
const WAITED_PACE_MS = 8;

interface Waiter {
  readonly size: number;
  resolve(witnessed: Published | null): void;
}

export class Witnessing {
  private readonly endpoints: readonly Endpoint[];
  private readonly agent = new Agent({
    connections: 2,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    keepAliveMaxTimeout: 600_000,
  });
  private readonly stop = new AbortController();
  private readonly thread: CosignThread;
  private readonly memory: WitnessMemory;
  private readonly waiters = new Set<Waiter>();
  private newest: Published | null = null;
  private round: Round | null = null;
  private opening = false;
  private released = false;
  private openedAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private wakeAt = 0;
  private best: Published | null;
  /** The newest checkpoint that met the quorum, from the moment it is handed over to be kept. */
  private keeping: Uint8Array | null;
  private keepingSize: number;

  private constructor(
    private readonly options: WitnessingOptions,
    private readonly parts: WitnessingParts,
    record: WitnessRecord,
    witnessed: Published | null,
    /** A checkpoint that met the quorum of the policy of its time: it was shown, and stays so. */
    readonly shown: Published | null,
  ) {
    const { policy, mlDsaKey, memory = FORGOTTEN } = options;
    this.memory = memory;
    this.best = witnessed;
    this.keeping = shown?.checkpoint ?? null;
    this.keepingSize = shown?.size ?? 0;
    this.endpoints = endpointsOf(policy, record);
    for (const endpoint of this.endpoints) endpoint.trouble = options.silent?.get(endpoint.url) ?? null;
    this.thread = cosignThread({ key: mlDsaKey, witnesses: policy.witnesses.map(({ key }) => key) });
  }

  /** `reopen`: makes the kept note of a witnessed checkpoint one of this log again, or null. */
  static async open(
    options: WitnessingOptions,
    parts: WitnessingParts,
    reopen: (note: Uint8Array) => Promise<Published | null>,
  ): Promise<Witnessing> {
    const record = await (options.memory ?? FORGOTTEN).load();
    const kept = record.witnessed === null ? null : await reopen(record.witnessed);
    const witnessed = kept === null ? null : stillWitnessed(kept, options.policy);
    return new Witnessing(options, parts, record, witnessed, kept);
  }

  get policy(): Policy {
    return this.options.policy;
  }

  /** The newest checkpoint that meets the quorum, with its cosignatures. */
  get witnessed(): Published | null {
    return this.best;
  }

  /** The checkpoint with the cosignatures it has so far. */
  cosigned(published: Published): Published {
    const { round } = this;
    if (this.best?.size === published.size) return this.best;
    return round?.published.size === published.size ? publishedOf(round, this.options.policy) : published;
  }

  get standings(): WitnessStanding[] {
    return this.endpoints.flatMap(({ witnesses, size, cosignedAt, failures, trouble, alarm }) =>
      witnesses.map((witness) => ({ witness, size, cosignedAt, failures, trouble, alarm })),
    );
  }

  /** A new checkpoint. Never waits, never throws. */
  offer(published: Published): void {
    // A size that we have never signed is one that we have lost: asked from the beginning, the witness will say so.
    if (this.newest === null)
      for (const endpoint of this.endpoints) if (endpoint.size > published.size) endpoint.size = 0;
    this.newest = published;
    this.advance();
  }

  /** A checkpoint of `size` or more that meets the quorum, or null when there was none within the time. */
  async reached(size: number, withinMs: number): Promise<Published | null> {
    if (this.best !== null && this.best.size >= size) return this.best;
    if (this.released) return null;
    return new Promise((resolve) => {
      const waiter: Waiter = {
        size,
        resolve: (witnessed) => {
          clearTimeout(deadline);
          this.waiters.delete(waiter);
          resolve(witnessed);
        },
      };
      const deadline = setTimeout(() => waiter.resolve(null), withinMs);
      this.waiters.add(waiter);
      this.advance();
    });
  }

  /** Nobody waits from here on: who does is told that it has not come. */
  release(): void {
    this.released = true;
    for (const waiter of this.waiters) waiter.resolve(null);
  }

  async close(): Promise<void> {
    this.release();
    this.stop.abort();
    clearTimeout(this.timer);
    await this.agent.destroy();
    await this.thread.stop();
    await this.memory.settled();
  }

  /** Begins the next round if it is time for one, and asks whoever is free and has not been asked in this one. */
  private advance(): void {
    if (this.stop.signal.aborted || this.opening) return;
    const wait = this.untilNext();
    if (wait <= 0) return void this.begin();
    if (wait < Number.POSITIVE_INFINITY) this.wakeIn(wait);
    this.askFree();
  }

  /** Milliseconds until the next round may begin; Infinity while one is under way, or there is nothing to show. */
  private untilNext(): number {
    const { newest, round } = this;
    if (newest === null || newest.size === 0) return Number.POSITIVE_INFINITY;
    const isFree = round === null || round.met || round.pending === 0;
    if (!isFree) return Number.POSITIVE_INFINITY;
    const isNew = round === null || newest.size > round.published.size;
    const pace = isNew ? (this.waiters.size > 0 ? WAITED_PACE_MS : PACE_MS) : this.renewMs;
    return this.openedAt + pace - performance.now();
  }

  /** How old cosignatures get before they are renewed, in milliseconds. */
  get renewMs(): number {
    return this.options.renewMs ?? RENEW_MS;
  }

  private async begin(): Promise<void> {
    const published = this.newest;
    if (published === null) return;
    this.opening = true;
    this.openedAt = performance.now();
    let own: readonly SignatureLine[] = [];
    const { text } = parseNote(published.checkpoint);
    try {
      own = await this.thread.ask({ kind: "sign", text, time: this.seconds() });
    } catch (error) {
      if (this.stop.signal.aborted) return;
      // The Ed25519 line alone is a checkpoint too.
      this.tell(
        "",
        false,
        `the log's ML-DSA-44 line: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.opening = false;
    this.round = roundOf(published, own, this.cosigned(published));
    this.advance();
  }

  private askFree(): void {
    const { round } = this;
    if (round === null) return;
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const endpoint of this.endpoints) {
      if (endpoint.busy || round.asked.has(endpoint) || endpoint.size > round.published.size) continue;
      const wait = endpoint.retryAt - now;
      if (wait > 0) next = Math.min(next, wait);
      else void this.ask(endpoint, round);
    }
    if (next < Number.POSITIVE_INFINITY) this.wakeIn(next);
  }

  /** The earliest wish counts; whoever is woken looks at everything. */
  private wakeIn(ms: number): void {
    const at = performance.now() + ms;
    if (this.timer !== undefined && this.wakeAt <= at) return;
    clearTimeout(this.timer);
    this.wakeAt = at;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.advance();
    }, ms);
    this.timer.unref();
  }

  private async ask(endpoint: Endpoint, round: Round): Promise<void> {
    endpoint.busy = true;
    round.pending++;
    round.asked.add(endpoint);
    try {
      const answer = await this.exchange(endpoint, round);
      if (this.stop.signal.aborted) return;
      const failures = endpoint.failures;
      if (answer.kind === "lines") await this.take(endpoint, round, answer.lines);
      else if (answer.kind === "fork") this.alarm(endpoint, answer.why);
      else if (answer.kind === "failure") this.fail(endpoint, answer.why);
      // Asked again in this round once the pause is over.
      if (endpoint.failures > failures) round.asked.delete(endpoint);
    } catch (error) {
      this.fail(endpoint, error instanceof Error ? error.message : String(error));
      round.asked.delete(endpoint);
    } finally {
      endpoint.busy = false;
      round.pending--;
      this.remember();
      this.advance();
    }
  }

  /** One request, made again from the size that the witness names when it holds another than we thought. */
  private async exchange(endpoint: Endpoint, { published, sent }: Round): Promise<WitnessAnswer> {
    const { size } = published;
    for (let attempt = 0; ; attempt++) {
      const from = endpoint.size;
      const hashes = from === 0 || from === size ? [] : await this.parts.consistency(from, size);
      const question = { oldSize: from, hashes, checkpoint: sent };
      const timeout = this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      const answer = await askWitness(this.agent, endpoint.url, question, timeout, this.stop.signal);
      if (answer.kind !== "stale") return answer;
      const newest = this.newest?.size ?? size;
      if (answer.size > newest)
        return {
          kind: "fork",
          why: "it holds a checkpoint of more entries than this log has ever signed",
        };
      endpoint.size = answer.size;
      // It is ahead of this round; the next is not far.
      if (answer.size > size) return answer;
      if (answer.size === from || attempt >= MAX_STALE)
        return { kind: "failure", why: `409, again and again: it holds ${answer.size}` };
    }
  }

  /** Lines that a witness answered with: those of the policy's keys are kept, if they verify. */
  private async take(endpoint: Endpoint, round: Round, lines: readonly SignatureLine[]): Promise<void> {
    let verified: readonly SignatureLine[];
    try {
      verified = await this.thread.ask({ kind: "verify", text: round.note.text, lines });
    } catch (error) {
      return this.fail(endpoint, `200 with ${error instanceof Error ? error.message : String(error)}`);
    }
    const names = endpoint.witnesses.filter(({ key }) => verified.some((line) => isLineOf(key, line)));
    if (names.length === 0) return this.fail(endpoint, "200 without a line by a key of the policy");
    endpoint.size = Math.max(endpoint.size, round.published.size);
    endpoint.cosignedAt = this.parts.now();
    const missing = endpoint.witnesses.find((one) => !names.includes(one));
    if (missing === undefined) [endpoint.failures, endpoint.trouble] = [0, null];
    else this.fail(endpoint, `200 without a line by ${missing.key.name} of type ${missing.key.type}`);
    round.note = withSignatures(round.note, verified);
    for (const { name } of names) round.signed.add(name);
    const { policy } = this.options;
    round.met ||= policy.quorum === null || quorumMet(policy, round.signed);
    if (round.met && policy.quorum !== null) await this.publish(round);
  }

  private async publish(round: Round): Promise<void> {
    const witnessed = publishedOf(round, this.options.policy);
    // What is on its way to the disk is not overtaken by an older one.
    if (witnessed.size < this.keepingSize) return;
    [this.keeping, this.keepingSize] = [witnessed.checkpoint, witnessed.size];
    if (!(await this.memory.keep(this.record(), true))) {
      this.tell("", false, "a checkpoint that meets the quorum could not be kept, and is not shown");
      return;
    }
    // Another answer may have come meanwhile, with more lines.
    if (
      this.best !== null &&
      this.best.size === witnessed.size &&
      this.best.cosignedBy.length > witnessed.cosignedBy.length
    )
      return;
    if (witnessed.size < (this.best?.size ?? 0)) return;
    this.best = witnessed;
    this.parts.onWitnessed?.();
    for (const waiter of this.waiters) if (waiter.size <= witnessed.size) waiter.resolve(witnessed);
  }

  private fail(endpoint: Endpoint, why: string): void {
    endpoint.failures++;
    if (endpoint.trouble !== why) this.tell(endpoint.url, false, why);
    endpoint.trouble = why;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(endpoint.failures - 1, 20));
    endpoint.retryAt = performance.now() + pause * (0.5 + Math.random() / 2);
  }

  /** Somebody has shown a witness another history under our name, or the witness is wrong: never swallowed. */
  private alarm(endpoint: Endpoint, why: string): void {
    this.tell(endpoint.url, true, why);
    const at = this.parts.now();
    const { count, firstAt } = endpoint.alarm ?? { count: 0, firstAt: at };
    endpoint.alarm = { count: count + 1, firstAt, lastAt: at, why };
    this.fail(endpoint, why);
  }

  private tell(url: string, fork: boolean, why: string): void {
    this.options.onTrouble?.({ url, fork, why });
  }

  private remember(): void {
    void this.memory.keep(this.record(), false);
  }

  private record(): WitnessRecord {
    return {
      witnesses: this.endpoints.map(({ url, size, alarm }) => ({ url, size, alarm })),
      witnessed: this.keeping,
    };
  }

  private seconds(): bigint {
    return BigInt(Math.max(1, Math.floor(this.parts.now() / 1000)));
  }
}
