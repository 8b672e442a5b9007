/**
 * The verifier threads: as many as the machine has cores, at most two messages in flight to each, and what arrives
 * meanwhile in the next message. The main thread never verifies a signature.
 */
import { Worker } from "node:worker_threads";
import { WritError } from "../../errors.js";
import type { Form } from "../../statement/statement.js";
import {
  type FromVerifier,
  type IndexedKeyEvent,
  type ToVerifier,
  unpackVerdicts,
  type Verdict,
  type VerifierStart,
} from "./verify-protocol.js";

export interface Submission {
  readonly bytes: Uint8Array;
  readonly form: Form;
}

interface Job extends Submission {
  done(verdict: Verdict): void;
}

interface Thread {
  readonly worker: Worker;
  /** Jobs of each message not yet answered, by message id. */
  readonly inFlight: Map<number, readonly Job[]>;
}

const MAX_IN_FLIGHT = 2;
const MIN_LATER_STATEMENTS = 32;
/** Some 3 ms of work: long enough to drown the crossing, short enough that a thread is not kept from the next. */
const MAX_MESSAGE_STATEMENTS = 64;

export class Verifiers {
  private readonly threads: readonly Thread[];
  private queue: Job[] = [];
  private nextId = 0;
  private scheduled = false;
  private closing = false;
  /** Set when a thread has died: nothing is verified any more. */
  private dead: WritError | undefined;

  /** `onFatal` is told when a thread dies, which no statement can make happen: the process should end. */
  constructor(
    count: number,
    start: VerifierStart,
    private readonly now: () => number,
    onFatal: (error: WritError) => void,
  ) {
    this.threads = Array.from({ length: count }, () => {
      const worker = new Worker(new URL("./verify-worker.js", import.meta.url), { workerData: start });
      const thread: Thread = { worker, inFlight: new Map() };
      worker.on("message", (reply: FromVerifier) => this.receive(thread, reply));
      const die = (cause: unknown): void => {
        this.die(new WritError("LOG_STOPPED", "a verifier thread died", {}, { cause }), onFatal);
      };
      worker.on("error", die).on("messageerror", die).on("exit", die);
      worker.unref();
      return thread;
    });
  }

  /** The verdict on each statement, in order. Never rejects. */
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
        if (this.dead === undefined) this.queue.push({ bytes, form, done });
        else done(this.dead);
      });
      this.schedule();
    });
  }

  /** Makes key events known to every thread, before any statement that is verified from now on. */
  tell(events: readonly IndexedKeyEvent[]): void {
    for (const { worker } of this.threads) this.post(worker, { kind: "keys", events });
  }

  /** Nothing is left waiting for a thread that is gone. */
  private die(error: WritError, onFatal: (error: WritError) => void): void {
    if (this.dead !== undefined || this.closing) return;
    this.dead = error;
    const jobs = [...this.queue, ...this.threads.flatMap(({ inFlight }) => [...inFlight.values()].flat())];
    this.queue = [];
    for (const { inFlight } of this.threads) inFlight.clear();
    for (const job of jobs) job.done(error);
    onFatal(error);
  }

  async close(): Promise<void> {
    this.closing = true;
    await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
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
    for (const [i, thread] of this.threads.entries()) {
      while (thread.inFlight.size < MAX_IN_FLIGHT) {
        const first = i === 0 && thread.inFlight.size === 0;
        if (this.queue.length < (first ? 1 : MIN_LATER_STATEMENTS)) return;
        this.send(thread, this.queue.splice(0, MAX_MESSAGE_STATEMENTS));
      }
    }
  }

  private send({ worker, inFlight }: Thread, jobs: readonly Job[]): void {
    // Not from the pool: its memory is handed over.
    const bytes = Buffer.allocUnsafeSlow(jobs.reduce((sum, job) => sum + job.bytes.length, 0));
    let offset = 0;
    for (const job of jobs) {
      bytes.set(job.bytes, offset);
      offset += job.bytes.length;
    }
    const id = this.nextId++;
    inFlight.set(id, jobs);
    const lengths = Uint32Array.from(jobs, (job) => job.bytes.length);
    const forms = jobs.map((job) => job.form);
    this.post(worker, { kind: "verify", id, time: this.now(), bytes, lengths, forms }, [bytes.buffer]);
    // A thread at work keeps the process alive; an idle one does not.
    worker.ref();
  }

  private post(worker: Worker, message: ToVerifier, transfer: ArrayBuffer[] = []): void {
    worker.postMessage(message, transfer);
  }

  private receive(thread: Thread, reply: FromVerifier): void {
    const jobs = thread.inFlight.get(reply.id) ?? [];
    thread.inFlight.delete(reply.id);
    if (thread.inFlight.size === 0) thread.worker.unref();
    unpackVerdicts(reply).forEach((verdict, i) => jobs[i]?.done(verdict));
    this.dispatch();
  }
}
