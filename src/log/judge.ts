/**
 * The server's own verdicts, in a thread of their own: judging a trace of two thousand records verifies as many
 * signatures, and nobody's submission should wait for that.
 */
import { Worker } from "node:worker_threads";
import { WritError } from "../errors.js";
import { formatPolicy, type Policy } from "../format/policy.js";
import type { Bundle } from "../trace/bundle.js";
import type { Profile } from "../trace/context.js";

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
const MAX_WAITING = 32;

export class Judge {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, { resolve(json: string): void; reject(error: Error): void }>();
  private nextId = 0;

  private readonly policy: Uint8Array;

  /** `policy`: what the log trusts. */
  constructor(policy: Policy) {
    this.policy = formatPolicy(policy);
  }

  /** The verdict as JSON. POOL_FULL when too many are waiting. */
  async verdict(
    bundle: Bundle,
    { at, profile }: { readonly at: number; readonly profile: Profile },
  ): Promise<string> {
    if (this.waiting.size >= MAX_WAITING)
      throw new WritError(
        "POOL_FULL",
        `${MAX_WAITING} verdicts are being worked out; try again, or judge the bundle yourself`,
      );
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.thread().postMessage({ id, bundle, policy: this.policy, at, profile } satisfies JudgeQuestion);
    });
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(new URL("./judge-worker.js", import.meta.url));
    worker.unref();
    worker.on("message", (answer: JudgeAnswer) => {
      const asked = this.waiting.get(answer.id);
      this.waiting.delete(answer.id);
      if ("json" in answer) asked?.resolve(answer.json);
      else
        asked?.reject(
          new WritError("INTERNAL", "the trace could not be judged", {}, { cause: answer.error }),
        );
    });
    // A thread that dies takes its questions with it; the next question starts another.
    const die = (): void => {
      this.worker = undefined;
      for (const asked of this.waiting.values())
        asked.reject(new WritError("INTERNAL", "the trace could not be judged"));
      this.waiting.clear();
    };
    worker.on("error", die).on("exit", die);
    this.worker = worker;
    return worker;
  }
}
