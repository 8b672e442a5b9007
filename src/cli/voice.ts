/** Standard error, and a progress bar on it when it is a terminal. */
import type { Voice } from "./command.js";

/** Text of records and of other people's servers, without what would move a terminal's cursor or hide a line. */
export function printableLines(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, "\ufffd");
}

const WIDTH = 30;
const REDRAW_MS = 100;

export class TerminalVoice implements Voice {
  private drawn = 0;
  private barOpen = false;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly now: () => number = Date.now,
  ) {}

  say(line: string): void {
    this.write(`writ: ${line}\n`);
  }

  hint(line: string): void {
    this.write(`writ: hint: ${line}\n`);
  }

  error(line: string): void {
    this.write(`writ: error: ${line}\n`);
  }

  progress(what: string, done: number, total: number): void {
    const finished = done >= total;
    if (!this.out.isTTY || (!finished && this.now() - this.drawn < REDRAW_MS)) return;
    this.drawn = this.now();
    const filled = total === 0 ? WIDTH : Math.floor((done / total) * WIDTH);
    this.out.write(`\r${what} [${"#".repeat(filled)}${" ".repeat(WIDTH - filled)}] ${done}/${total}`);
    this.barOpen = !finished;
    if (finished) this.out.write("\n");
  }

  private write(text: string): void {
    if (this.barOpen) this.out.write("\n");
    this.barOpen = false;
    this.out.write(printableLines(text));
  }
}
