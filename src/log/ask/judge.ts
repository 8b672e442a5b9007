/**
 * The server's own verdicts, in a thread of their own: judging a trace of two thousand records verifies as many
 * signatures, and nobody's submission should wait for that.
 */
import { WritError } from "../../errors.js";
import { Thread } from "../../thread.js";
import { formatPolicy, type Policy } from "../../format/policy.js";
import type { Bundle } from "../../trace/bundle.js";
import type { Profile } from "../../trace/context.js";

export interface JudgeQuestion {
  readonly bundle: Bundle;
  /** What the log trusts, as a policy file: its own key, and its witnesses. */
  readonly policy: Uint8Array;
  readonly at: number;
  readonly profile: Profile;
}

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
  private readonly thread = new Thread<JudgeQuestion, string>(
    new URL("./judge-worker.js", import.meta.url),
    "the thread that judges traces",
  );
  /** One is asked at a time, the first; the others wait here, and not in the thread. */
  private readonly waiting: Waiting[] = [];
  private timer: NodeJS.Timeout | undefined;
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
    const question = { bundle, policy: this.policy, at, profile };
    return new Promise((resolve, reject) => {
      this.waiting.push({ question, asker, resolve, reject });
      if (this.waiting.length === 1) this.ask();
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    const over = new WritError("SHUTTING_DOWN", "the log is shutting down");
    for (const asked of this.waiting.splice(0)) asked.reject(over);
    await this.thread.stop();
  }

  private ask(): void {
    const [first] = this.waiting;
    if (first === undefined) return;
    this.timer = setTimeout(() => this.stop(), this.maxMs).unref();
    this.thread.ask(first.question).then(
      (json) => this.settle((asked) => asked.resolve(json)),
      (error: Error) => this.settle((asked) => asked.reject(refused(error))),
    );
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
    const why = `the verdict was not worked out within ${this.maxMs} ms; fetch the bundle and judge it yourself`;
    void this.thread.stop(new WritError("REQUEST_TIMEOUT", why));
  }
}

/** What a judge may say is a verdict, or that it took too long; anything else is a fault of ours. */
function refused(error: Error): Error {
  if (error instanceof WritError && error.code !== "INTERNAL") return error;
  return new WritError("INTERNAL", "the trace could not be judged", {}, { cause: error });
}
