/**
 * Questions to a thread, and its answers: the one seam for everything that is worked out beside the main thread. What the other
 * side throws arrives as it was thrown, with its code, its causes and its stack. A thread that dies fails the questions that
 * it was asked, and no others: the next question starts another.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { type ErrorCode, type ErrorFacts, ProofError, WritError } from "./errors.js";

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

type ToThread<Question, News> =
  | { readonly id: number; readonly question: Question }
  | { readonly news: News };
type FromThread<Answer> = { readonly id: number } & (
  | { readonly answer: Answer }
  | { readonly error: Crossing }
);

export interface ThreadOptions {
  /** What a thread is born with, made anew for each. */
  readonly start?: () => unknown;
  /** Told when a thread has died, which no question should make happen. */
  readonly onDeath?: (error: WritError) => void;
}

export class Thread<Question, Answer, News = never> {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting<Answer>>();
  private nextId = 0;

  /** `what`: what the thread is there for, as an error says it. It begins with the first question. */
  constructor(
    private readonly module: URL,
    private readonly what: string,
    private readonly options: ThreadOptions = {},
  ) {}

  /** Questions that are not answered yet. */
  get asked(): number {
    return this.waiting.size;
  }

  /** Begins now, and not with the first question. */
  begin(): void {
    this.running();
  }

  /** Rejects with what was thrown, or INTERNAL when the thread dies over it. */
  async ask(question: Question, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    const worker = this.running();
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      // A thread at work keeps the process alive; an idle one does not.
      worker.ref();
      post(worker, { id, question }, transfer);
    });
  }

  /** What the thread has to know from here on; one that is not running learns it at its start. */
  tell(news: News): void {
    if (this.worker !== undefined) post(this.worker, { news });
  }

  /** Ends the thread; what it was asked fails with `error`. The next question starts another. */
  async stop(error = new WritError("SHUTTING_DOWN", `${this.what} has ended`)): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    this.fail(error);
    await worker?.terminate();
  }

  private fail(error: Error): void {
    const asked = [...this.waiting.values()];
    this.waiting.clear();
    for (const one of asked) one.reject(error);
  }

  private running(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(this.module, { workerData: this.options.start?.() });
    worker.on("message", (message: FromThread<Answer>) => {
      // Of one that was stopped: its questions have failed, and its end is waited for.
      if (this.worker !== worker) return;
      const asked = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (this.waiting.size === 0) worker.unref();
      if ("answer" in message) asked?.resolve(message.answer);
      else asked?.reject(crossed(message.error));
    });
    const die = (cause: unknown): void => {
      // One that was stopped, or has died already.
      if (this.worker !== worker) return;
      this.worker = undefined;
      const error = new WritError("INTERNAL", `${this.what} died; ask again`, {}, { cause });
      this.fail(error);
      this.options.onDeath?.(error);
    };
    worker.on("error", die).on("messageerror", die);
    worker.on("exit", (code) => die(new Error(`exit ${code}`)));
    // After the listeners, which would hold the process again.
    worker.unref();
    this.worker = worker;
    return worker;
  }
}

function post<Question, News>(
  worker: Worker,
  message: ToThread<Question, News>,
  transfer: readonly ArrayBuffer[] = [],
): void {
  worker.postMessage(message, transfer);
}

/** The other side: what this thread was born with. */
export function startOfThread(): unknown {
  return workerData;
}

export interface Answering<Question, Answer, News> {
  readonly answer: (question: Question) => Answer;
  readonly hear?: (news: News) => void;
  /** Buffers of an answer that need not be copied. */
  readonly handOver?: (answer: Answer) => readonly ArrayBuffer[];
}

/** The other side: answers each question, in turn. */
export function answerQuestions<Question, Answer, News = never>({
  answer,
  hear = () => {},
  handOver = () => [],
}: Answering<Question, Answer, News>): void {
  parentPort?.on("message", (message: ToThread<Question, News>) => {
    if ("news" in message) return hear(message.news);
    const { id, question } = message;
    try {
      const made = answer(question);
      parentPort?.postMessage({ id, answer: made } satisfies FromThread<Answer>, handOver(made));
    } catch (error) {
      parentPort?.postMessage({ id, error: crossing(error) } satisfies FromThread<Answer>);
    }
  });
}

/** An error on its way between threads. */
export interface Crossing {
  readonly kind: "writ" | "proof" | "other";
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code?: ErrorCode;
  readonly facts?: ErrorFacts;
  readonly cause?: Crossing;
}

const MAX_CAUSES = 8;

export function crossing(error: unknown, depth = 0): Crossing {
  if (!(error instanceof Error))
    return { kind: "other", name: "Error", message: String(error), stack: undefined };
  const { name, message, stack, cause } = error;
  const deeper = cause === undefined || depth >= MAX_CAUSES ? {} : { cause: crossing(cause, depth + 1) };
  if (error instanceof WritError)
    return { kind: "writ", name, message, stack, code: error.code, facts: error.facts, ...deeper };
  return { kind: error instanceof ProofError ? "proof" : "other", name, message, stack, ...deeper };
}

export function crossed({ kind, name, message, stack, code, facts, cause }: Crossing): Error {
  const options = cause === undefined ? {} : { cause: crossed(cause) };
  const error =
    kind === "writ"
      ? new WritError(code ?? "INTERNAL", message, facts, options)
      : kind === "proof"
        ? new ProofError(message, options)
        : Object.assign(new Error(message, options), { name });
  return Object.assign(error, stack === undefined ? {} : { stack });
}
