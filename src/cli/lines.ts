/** Lines from one side, taken one at a time by the other: who pushes waits until the line before was taken. */
import type { ResultLine } from "./command.js";

interface Waiting {
  readonly line: ResultLine;
  taken(): void;
}

export class LineQueue implements AsyncIterable<ResultLine> {
  private readonly waiting: Waiting[] = [];
  private wake: () => void = () => {};
  private ended = false;

  /** Resolves when the line was taken. */
  async push(line: ResultLine): Promise<void> {
    return new Promise((taken) => {
      this.waiting.push({ line, taken });
      this.wake();
    });
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResultLine, void> {
    for (;;) {
      const next = this.waiting.shift();
      if (next !== undefined) {
        yield next.line;
        next.taken();
      } else if (this.ended) return;
      else
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
    }
  }
}
