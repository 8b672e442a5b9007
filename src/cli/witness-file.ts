/** `DIR/witnesses.json`: what a log keeps of its witnesses between starts, and the newest checkpoint that met the quorum. */
import { open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isMissing, syncFolder } from "../durable.js";
import { WritError } from "../errors.js";
import { fromUtf8, utf8 } from "../format/bytes.js";
import type { WitnessAlarm, WitnessMemory, WitnessRecord } from "../log/witnessed/witness-memory.js";

/** Sizes that can be asked for again are written at most so often. */
const LAZY_MS = 500;

export class WitnessFile implements WitnessMemory {
  private readonly path: string;
  private newest: WitnessRecord | null = null;
  private writing: Promise<boolean> = Promise.resolve(true);
  private timer: NodeJS.Timeout | undefined;

  /** `durable`: a checkpoint that meets the quorum is on disk before anybody sees it, so that none is ever taken back. */
  constructor(
    folder: string,
    private readonly durable: boolean,
    private readonly onError: (error: unknown) => void,
  ) {
    this.path = join(folder, "witnesses.json");
  }

  /**
   * What was kept; nothing when there is no file. STORE_CORRUPT for one that cannot be read, where it is all that says what
   * was shown; elsewhere it can be asked for again.
   */
  async load(): Promise<WitnessRecord> {
    try {
      return recordOf(JSON.parse(await readFile(this.path, "utf8")));
    } catch (error) {
      const absent = isMissing(error);
      if (!absent && this.durable)
        throw new WritError(
          "STORE_CORRUPT",
          `${this.path} cannot be read, and says what was published; restore it, or remove it and let the published size begin again`,
          {},
          { cause: error },
        );
      return recordOf({});
    }
  }

  async keep(record: WitnessRecord, important: boolean): Promise<boolean> {
    this.newest = record;
    if (important && this.durable) return this.write();
    this.timer ??= setTimeout(() => void this.write(), LAZY_MS).unref();
    return true;
  }

  async settled(): Promise<void> {
    await this.write();
  }

  /** The newest record, once what is being written is. */
  private async write(): Promise<boolean> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.writeNewest());
    return this.writing;
  }

  private async writeNewest(): Promise<boolean> {
    const record = this.newest;
    // What came first has taken the later one with it.
    if (record === null) return true;
    this.newest = null;
    try {
      const file = await open(`${this.path}.new`, "w", 0o644);
      try {
        await file.writeFile(textOf(record));
        if (this.durable) await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${this.path}.new`, this.path);
      if (this.durable) await syncFolder(dirname(this.path));
      return true;
    } catch (error) {
      this.newest ??= record;
      this.onError(error);
      return false;
    }
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
