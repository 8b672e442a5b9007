/**
 * The verifier threads: as many as the machine has cores, at most two messages in flight to each, and what arrives
 * meanwhile in the next message. The main thread never verifies a signature.
 */
import { WritError } from "../../errors.js";
import type { Form } from "../../statement/statement.js";
import { Thread } from "../../thread.js";
import {
  type FromVerifier,
  type IndexedKeyEvent,
  unpackVerdicts,
  type Verdict,
  type VerifierStart,
  type VerifyQuestion,
} from "./verify-protocol.js";

export interface Submission {
  readonly bytes: Uint8Array;
  readonly form: Form;
}

interface Job extends Submission {
  done(verdict: Verdict): void;
}

type VerifierThread = Thread<VerifyQuestion, FromVerifier, readonly IndexedKeyEvent[]>;

const MAX_IN_FLIGHT = 2;
const MIN_LATER_STATEMENTS = 32;
/** Some 3 ms of work: long enough to drown the crossing, short enough that a thread is not kept from the next. */
const MAX_MESSAGE_STATEMENTS = 64;

export class Verifiers {
  private readonly threads: readonly VerifierThread[];
  private queue: Job[] = [];
  private scheduled = false;
  private closing = false;
  /** Everything that changed who is known: a thread that takes the place of another begins with it. */
  private readonly events: IndexedKeyEvent[];

  /** `onTrouble` is told what no statement should make happen: a thread that dies, and another takes its place; a fault of ours. */
  constructor(
    count: number,
    { roots, events }: VerifierStart,
    private readonly now: () => number,
    private readonly onTrouble: (error: WritError) => void,
  ) {
    this.events = [...events];
    const start = (): VerifierStart => ({ roots, events: this.events });
    this.threads = Array.from({ length: count }, () => {
      const module = new URL("./verify-worker.js", import.meta.url);
      const thread: VerifierThread = new Thread(module, "a verifier thread", {
        start,
        onDeath: onTrouble,
      });
      thread.begin();
      return thread;
    });
  }

  /** The verdict on each statement, in order; INTERNAL for those over which a thread died. Never rejects. */
  async verify(submissions: readonly Submission[]): Promise<Verdict[]> {
    return new Promise((resolve) => {
      const verdicts: Verdict[] = [];
      let open = submissions.length;
      if (open === 0) resolve(verdicts);
      submissions.forEach(({ bytes, form }, i) => {
        const done = (verdict: Verdict): void => {
          verdicts[i] = verdict;
          if (--open === 0) resolve(verdicts);
        };
        this.queue.push({ bytes, form, done });
      });
      this.schedule();
    });
  }

  /** Makes key events known to every thread, before any statement that is verified from now on. */
  tell(events: readonly IndexedKeyEvent[]): void {
    for (const event of events) this.events.push(event);
    for (const thread of this.threads) thread.tell(events);
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }

  /** Once a turn of the event loop, so that requests which arrive together travel together. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.dispatch();
    });
  }

  /**
   * The first thread takes what there is at once; a message that has to wait for it, or another thread, is worth waking
   * only for many statements: on a busy machine the main thread needs the core more (a fifth in throughput, measured).
   */
  private dispatch(): void {
    if (this.closing) return;
    for (const [i, thread] of this.threads.entries()) {
      while (thread.asked < MAX_IN_FLIGHT) {
        const first = i === 0 && thread.asked === 0;
        if (this.queue.length < (first ? 1 : MIN_LATER_STATEMENTS)) return;
        void this.send(thread, this.queue.splice(0, MAX_MESSAGE_STATEMENTS));
      }
    }
  }

  private async send(thread: VerifierThread, jobs: readonly Job[]): Promise<void> {
    // Not from the pool: its memory is handed over.
    const bytes = Buffer.allocUnsafeSlow(jobs.reduce((sum, job) => sum + job.bytes.length, 0));
    let offset = 0;
    for (const job of jobs) {
      bytes.set(job.bytes, offset);
      offset += job.bytes.length;
    }
    const lengths = Uint32Array.from(jobs, (job) => job.bytes.length);
    const forms = jobs.map((job) => job.form);
    try {
      const reply = await thread.ask({ time: this.now(), bytes, lengths, forms }, [bytes.buffer]);
      unpackVerdicts(reply).forEach((verdict, i) => {
        if (verdict instanceof WritError && verdict.code === "INTERNAL") this.onTrouble(verdict);
        jobs[i]?.done(verdict);
      });
    } catch (error) {
      const why =
        error instanceof WritError
          ? error
          : new WritError("INTERNAL", "a verifier thread failed", {}, { cause: error });
      for (const job of jobs) job.done(why);
    }
    this.dispatch();
  }
}
