/** `DIR/witnesses.json`: what a log keeps of its witnesses between starts, and the newest checkpoint that met the quorum. */
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { fromUtf8, utf8 } from "../format/bytes.js";
import type { WitnessAlarm, WitnessMemory, WitnessRecord } from "../log/witness-memory.js";

export class WitnessFile implements WitnessMemory {
  private readonly path: string;
  private next: WitnessRecord | null = null;
  private writing: Promise<void> | null = null;

  /** `durable`: a checkpoint that meets the quorum is on disk before anybody sees it, so that none is ever taken back. */
  constructor(
    folder: string,
    private readonly durable: boolean,
    private readonly onError: (error: unknown) => void,
  ) {
    this.path = join(folder, "witnesses.json");
  }

  /** What was kept; nothing when there is no file, or not one of ours: it can all be asked for again. */
  async load(): Promise<WitnessRecord> {
    try {
      return recordOf(JSON.parse(await readFile(this.path, "utf8")));
    } catch {
      return recordOf({});
    }
  }

  async keep(record: WitnessRecord, important: boolean): Promise<void> {
    this.next = record;
    this.writing ??= this.writeAll();
    if (!important || !this.durable) return;
    // What is being written may be older than ours; what comes after it is not.
    while (this.next === record) await this.writing;
    await this.writing;
  }

  async settled(): Promise<void> {
    await this.writing;
  }

  private async writeAll(): Promise<void> {
    while (this.next !== null) {
      const record = this.next;
      this.next = null;
      try {
        const file = await open(`${this.path}.new`, "w", 0o644);
        try {
          await file.writeFile(textOf(record));
          if (this.durable) await file.datasync();
        } finally {
          await file.close();
        }
        await rename(`${this.path}.new`, this.path);
      } catch (error) {
        this.onError(error);
      }
    }
    this.writing = null;
  }
}

function textOf({ witnesses, witnessed }: WitnessRecord): string {
  const note = witnessed === null ? null : fromUtf8(witnessed);
  return `${JSON.stringify({ witnesses, witnessed: note }, null, 2)}\n`;
}

function recordOf(value: unknown): WitnessRecord {
  const { witnesses, witnessed } = objectOf(value);
  const list: readonly unknown[] = Array.isArray(witnesses) ? witnesses : [];
  return {
    witnesses: list
      .map(objectOf)
      .flatMap(({ url, size, alarm }) =>
        typeof url === "string" && isSize(size) ? [{ url, size, alarm: alarmOf(objectOf(alarm)) }] : [],
      ),
    witnessed: typeof witnessed === "string" ? utf8(witnessed) : null,
  };
}

function alarmOf({ count, firstAt, lastAt, why }: Readonly<Record<string, unknown>>): WitnessAlarm | null {
  const whole = isSize(count) && isSize(firstAt) && isSize(lastAt) && typeof why === "string";
  return whole ? { count, firstAt, lastAt, why } : null;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
