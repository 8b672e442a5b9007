/**
 * The server's own verdicts, in a thread of their own: judging a trace of two thousand records verifies as many
 * signatures, and nobody's submission should wait for that.
 */
import { Worker } from "node:worker_threads";
import { WritError } from "../../errors.js";
import { formatPolicy, type Policy } from "../../format/policy.js";
import type { Bundle } from "../../trace/bundle.js";
import type { Profile } from "../../trace/context.js";

export interface JudgeQuestion {
  readonly id: number;
  readonly bundle: Bundle;
  /** What the log trusts, as a policy file: its own key, and its witnesses. */
  readonly policy: Uint8Array;
  readonly at: number;
  readonly profile: Profile;
}

export type JudgeAnswer = { readonly id: number } & ({ readonly json: string } | { readonly error: string });

/** Questions under way and waiting. */
export const MAX_WAITING = 32;
export const MAX_WAITING_OF_ONE = 8;
/**
 * How long one verdict may take, in milliseconds. The worst bundle that fits the walk's bounds takes about a second here
 * (bench/trace-questions); beyond this somebody has found a worse one, and its thread is stopped so that the others go on.
 */
const MAX_JUDGING_MS = 10_000;

interface Waiting {
  readonly question: JudgeQuestion;
  readonly asker: string;
  resolve(json: string): void;
  reject(error: Error): void;
}

export class Judge {
  private worker: Worker | undefined;
  /** One is asked at a time, the first; the others wait here, and not in the thread. */
  private readonly waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;
  private nextId = 0;

  private readonly policy: Uint8Array;

  /** `policy`: what the log trusts. */
  constructor(
    policy: Policy,
    private readonly maxMs = MAX_JUDGING_MS,
  ) {
    this.policy = formatPolicy(policy);
  }

  /** The verdict as JSON. READERS_BUSY when too many are waiting, or too many of one asker; REQUEST_TIMEOUT when it takes too long. */
  async verdict(
    bundle: Bundle,
    { at, profile }: { readonly at: number; readonly profile: Profile },
    asker = "",
  ): Promise<string> {
    const own = this.waiting.filter((one) => one.asker === asker).length;
    if (own >= MAX_WAITING_OF_ONE)
      throw new WritError(
        "READERS_BUSY",
        `${own} verdicts are being worked out for you; wait for them, or judge the bundle yourself`,
      );
    if (this.waiting.length >= MAX_WAITING)
      throw new WritError(
        "READERS_BUSY",
        `${MAX_WAITING} verdicts are being worked out; try again, or judge the bundle yourself`,
      );
    const question = { id: this.nextId++, bundle, policy: this.policy, at, profile };
    return new Promise((resolve, reject) => {
      this.waiting.push({ question, asker, resolve, reject });
      if (this.waiting.length === 1) this.ask();
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    await this.worker?.terminate();
  }

  private ask(): void {
    const [first] = this.waiting;
    if (first === undefined) return;
    this.thread().postMessage(first.question);
    this.timer = setTimeout(() => this.stop(), this.maxMs).unref();
  }

  /** The first is answered, or given up: the next is asked. */
  private settle(answer: (asked: Waiting) => void): void {
    clearTimeout(this.timer);
    const asked = this.waiting.shift();
    if (asked !== undefined) answer(asked);
    // Askers take turns: the next is the first of somebody else's, if there is one.
    const other = this.waiting.findIndex(({ asker }) => asker !== asked?.asker);
    if (other > 0) this.waiting.unshift(...this.waiting.splice(other, 1));
    this.ask();
  }

  private stop(): void {
    const { worker } = this;
    this.worker = undefined;
    void worker?.terminate();
    this.settle((question) =>
      question.reject(
        new WritError(
          "REQUEST_TIMEOUT",
          `the verdict was not worked out within ${this.maxMs} ms; fetch the bundle and judge it yourself`,
        ),
      ),
    );
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(new URL("./judge-worker.js", import.meta.url));
    worker.unref();
    worker.on("message", (answer: JudgeAnswer) => {
      if (worker !== this.worker || answer.id !== this.waiting[0]?.question.id) return;
      this.settle((question) => {
        if ("json" in answer) question.resolve(answer.json);
        else
          question.reject(
            new WritError("INTERNAL", "the trace could not be judged", {}, { cause: answer.error }),
          );
      });
    });
    // A thread that dies takes its question with it; the next question starts another.
    const die = (): void => {
      if (worker !== this.worker) return;
      this.worker = undefined;
      this.settle((question) => question.reject(new WritError("INTERNAL", "the trace could not be judged")));
    };
    worker.on("error", die).on("exit", die);
    this.worker = worker;
    return worker;
  }
}
