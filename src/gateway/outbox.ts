/**
 * Statements on their way into the log: a file each, synced before whoever handed it over goes on, removed when the log has
 * it. An outage of the log, of the network or of this process loses none; one that is delivered twice has one place. They go
 * in the order in which they came. What the log will not have is kept aside, and told.
 */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LogClient } from "../client/log-client.js";
import { isLogged, type LoggedEntry, type RefusedEntry } from "../client/results.js";
import { WritError } from "../errors.js";
import { parseStatement } from "../statement/parse.js";

export interface OutboxParts {
  readonly folder: string;
  readonly client: LogClient;
  readonly onTrouble: (why: string) => void;
}

/** A statement that was handed over: safe from here on. */
export interface Handed {
  /** Resolves when the log has it; rejects with why the log will not have it. Never settles while it is on its way. */
  readonly delivered: Promise<LoggedEntry>;
}

const BATCH = 200;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const SUFFIX = ".dsse";

export class Outbox {
  private readonly waiting = new Map<
    string,
    { resolve: (entry: LoggedEntry) => void; reject: (error: unknown) => void }
  >();
  private order = 0;
  private running: Promise<void> | null = null;
  private more = false;
  private closed = false;
  private wake: (() => void) | null = null;

  private constructor(private readonly parts: OutboxParts) {}

  /** Opens the folder, made where it is missing, and begins to deliver what waits in it. */
  static async open(parts: OutboxParts): Promise<Outbox> {
    await mkdir(join(parts.folder, "refused"), { recursive: true, mode: 0o700 });
    // What was being written when the process ended was promised to nobody.
    for (const name of await readdir(parts.folder))
      if (name.endsWith(".new")) await rm(join(parts.folder, name), { force: true });
    const outbox = new Outbox(parts);
    outbox.kick();
    return outbox;
  }

  /** Keeps a DSSE statement; resolves when it is on disk. */
  async put(statement: Uint8Array): Promise<Handed> {
    const name = `${digits(Date.now(), 15)}-${digits(process.pid, 8)}-${digits(this.order++, 8)}${SUFFIX}`;
    const path = join(this.parts.folder, name);
    const file = await open(`${path}.new`, "wx", 0o600);
    try {
      await file.writeFile(statement);
      await file.sync();
    } finally {
      await file.close();
    }
    const delivered = new Promise<LoggedEntry>((resolve, reject) =>
      this.waiting.set(name, { resolve, reject }),
    );
    // Nobody has to wait for it.
    delivered.catch(() => {});
    await rename(`${path}.new`, path);
    await syncFolder(this.parts.folder);
    this.kick();
    return { delivered };
  }

  /** How many statements wait. */
  async size(): Promise<number> {
    return (await this.names()).length;
  }

  /** Stops delivering; what waits is delivered after the next start. */
  async close(): Promise<void> {
    this.closed = true;
    this.wake?.();
    await this.running?.catch(() => {});
  }

  private kick(): void {
    this.more = true;
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
  }

  private async run(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; this.more && !this.closed; ) {
      this.more = false;
      try {
        while (!this.closed && (await this.deliver()) > 0) pause = FIRST_PAUSE_MS;
      } catch (error) {
        if (this.closed) return;
        this.parts.onTrouble(error instanceof Error ? error.message : String(error));
        this.more = true;
        await this.rest(pause * (0.5 + Math.random() / 2));
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Delivers the oldest, all in one batch. How many. */
  private async deliver(): Promise<number> {
    const all = (await this.names()).slice(0, BATCH);
    const names: string[] = [];
    const statements: Uint8Array[] = [];
    for (const name of all) {
      const bytes = await readFile(join(this.parts.folder, name));
      const damage = damageOf(bytes);
      // One that cannot be sent must not keep the others.
      if (damage !== null) await this.settle(name, damage);
      else {
        names.push(name);
        statements.push(bytes);
      }
    }
    const results = names.length === 0 ? [] : await this.submit(statements);
    for (const [i, name] of names.entries()) {
      const result = results[i];
      if (result === undefined || (!isLogged(result) && result.retryable))
        throw new WritError("SERVER_UNREACHABLE", result?.detail ?? "the log did not answer for all");
      await this.settle(name, result);
    }
    return all.length;
  }

  private async submit(statements: readonly Uint8Array[]): Promise<(LoggedEntry | RefusedEntry)[]> {
    const { client } = this.parts;
    const [only] = statements;
    if (only === undefined || statements.length > 1) return client.submitBatch(statements);
    try {
      return [await client.submit(only)];
    } catch (error) {
      const refusal = error instanceof WritError ? error.facts.refusal : undefined;
      if (refusal === undefined || !(error instanceof WritError)) throw error;
      const retryable = (error.facts.status ?? 0) >= 500;
      return [{ code: refusal, detail: error.message, retryable }];
    }
  }

  private async settle(name: string, result: LoggedEntry | RefusedEntry): Promise<void> {
    const { folder, onTrouble } = this.parts;
    const waiter = this.waiting.get(name);
    this.waiting.delete(name);
    if (isLogged(result)) {
      await rm(join(folder, name), { force: true });
      waiter?.resolve(result);
      return;
    }
    await rename(join(folder, name), join(folder, "refused", name));
    onTrouble(
      `${result.code}: the log refused ${name}, which is in ${join(folder, "refused")}: ${result.detail}`,
    );
    waiter?.reject(new WritError("SERVER_REFUSED", result.detail, { refusal: result.code }));
  }

  private async names(): Promise<string[]> {
    return (await readdir(this.parts.folder)).filter((name) => name.endsWith(SUFFIX)).toSorted();
  }

  private async rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }
}

/** Why these bytes are no statement that could be sent; null when they are one. */
function damageOf(bytes: Uint8Array): RefusedEntry | null {
  try {
    parseStatement(bytes, "dsse");
    return null;
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return { code: error.code, detail: error.message, retryable: false };
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function digits(n: number, width: number): string {
  return String(n).padStart(width, "0");
}
