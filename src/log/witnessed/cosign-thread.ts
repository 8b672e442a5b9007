/** The main thread's side of `cosign-worker`: questions out, answers back. */
import { Worker } from "node:worker_threads";
import type { SignatureLine } from "../../format/note.js";
import type { CosignStart, FromCosigner, ToCosigner } from "./cosign-protocol.js";

type Question = Omit<ToCosigner & { kind: "sign" }, "id"> | Omit<ToCosigner & { kind: "verify" }, "id">;

export class CosignThread {
  private worker: Worker | undefined;
  private readonly waiting = new Map<
    number,
    { resolve(lines: readonly SignatureLine[]): void; reject(error: Error): void }
  >();
  private nextId = 0;

  constructor(private readonly start: CosignStart) {}

  /** The log's own line of type 6, or none when it has no such key. `time`: POSIX seconds. */
  async sign(text: string, time: bigint): Promise<readonly SignatureLine[]> {
    return this.ask({ kind: "sign", text, time });
  }

  /** Those lines that are by witnesses of the policy. Error when one of them does not verify. */
  async verify(text: string, lines: readonly SignatureLine[]): Promise<readonly SignatureLine[]> {
    return this.ask({ kind: "verify", text, lines });
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private async ask(question: Question): Promise<readonly SignatureLine[]> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.thread().postMessage({ ...question, id } satisfies ToCosigner);
    });
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(new URL("./cosign-worker.js", import.meta.url), { workerData: this.start });
    worker.unref();
    worker.on("message", (answer: FromCosigner) => {
      const asked = this.waiting.get(answer.id);
      this.waiting.delete(answer.id);
      if ("lines" in answer) asked?.resolve(answer.lines);
      else asked?.reject(new Error(answer.error));
    });
    // A thread that dies takes its questions with it; the next question starts another.
    const die = (): void => {
      if (this.worker === worker) this.worker = undefined;
      for (const asked of this.waiting.values()) asked.reject(new Error("the cosigning thread has ended"));
      this.waiting.clear();
    };
    worker.on("error", die).on("exit", die);
    this.worker = worker;
    return worker;
  }
}
