/**
 * Statements on their way into the log: a file each, synced before whoever handed it over goes on, removed when the log has
 * it. An outage of the log, of the network or of this process loses none; one that is delivered twice has one place. They go
 * in the order in which they came. What the log will not have is kept aside, and told.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import type { LogClient } from "../client/log-client.js";
import { isRefusal } from "../client/transport.js";
import { isLogged, type LoggedEntry, type RefusedEntry } from "../client/results.js";
import { isMissing, syncFolder, writeDurably } from "../durable.js";
import { WritError } from "../errors.js";
import { MAX_ENTRY_BYTES } from "../format/bundle.js";
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
const BATCH_BYTES = 8 * 1024 * 1024;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const SUFFIX = ".dsse";

export class Outbox {
  private readonly waiting = new Map<
    string,
    { resolve: (entry: LoggedEntry) => void; reject: (error: unknown) => void }
  >();
  /** The number that the last file's name begins with: names are in the order in which they came, whatever the clock does. */
  private last = 0;
  private running: Promise<void> | null = null;
  private more = false;
  private readonly ending = new AbortController();

  private constructor(private readonly parts: OutboxParts) {}

  /** Opens the folder, made where it is missing, and begins to deliver what waits in it. */
  static async open(parts: OutboxParts): Promise<Outbox> {
    await mkdir(join(parts.folder, "refused"), { recursive: true, mode: 0o700 });
    // What was being written when the process ended was promised to nobody.
    for (const name of await readdir(parts.folder))
      if (name.endsWith(".new")) await rm(join(parts.folder, name), { force: true });
    const outbox = new Outbox(parts);
    const newest = (await outbox.names()).at(-1);
    outbox.last = Number(/^\d{1,15}/.exec(newest ?? "")?.[0] ?? 0);
    outbox.kick();
    return outbox;
  }

  /** Keeps a DSSE statement; resolves when it is on disk. What the log could never take is refused here: ENTRY_TOO_LARGE, … */
  async put(statement: Uint8Array): Promise<Handed> {
    if (this.closed) throw new WritError("SHUTTING_DOWN", "the outbox is closed");
    const damage = damageOf(statement);
    if (damage !== null) throw damage;
    this.last = Math.max(Date.now(), this.last + 1);
    const name = `${digits(this.last, 15)}-${randomBytes(4).toString("hex")}${SUFFIX}`;
    const path = join(this.parts.folder, name);
    // Before the file is there: from then on it may be delivered.
    const delivered = new Promise<LoggedEntry>((resolve, reject) =>
      this.waiting.set(name, { resolve, reject }),
    );
    // Nobody has to wait for it.
    delivered.catch(() => {});
    try {
      await writeDurably(path, statement, 0o600);
      await syncFolder(this.parts.folder);
    } catch (error) {
      this.waiting.delete(name);
      throw error;
    }
    this.kick();
    return { delivered };
  }

  /** How many statements wait. */
  async size(): Promise<number> {
    return (await this.names()).length;
  }

  /** Stops delivering; what waits is delivered after the next start. */
  async close(): Promise<void> {
    this.ending.abort();
    await this.running?.catch(() => {});
    const error = new WritError("SHUTTING_DOWN", "it is on its way, and is delivered after the next start");
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  private get closed(): boolean {
    return this.ending.signal.aborted;
  }

  private kick(): void {
    this.more = true;
    this.running ??= this.run().finally(() => {
      this.running = null;
      // There was more while it was ending.
      if (this.more && !this.closed) this.kick();
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
        const { signal } = this.ending;
        await rest(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {});
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Delivers the oldest, all in one batch. How many. */
  private async deliver(): Promise<number> {
    const all = (await this.names()).slice(0, BATCH);
    const names: string[] = [];
    const statements: Uint8Array[] = [];
    let [handled, bytes] = [0, 0];
    for (const name of all) {
      if (bytes >= BATCH_BYTES) break;
      handled++;
      const statement = await readIfThere(join(this.parts.folder, name));
      const damage = statement === null ? null : damageOf(statement);
      // One that cannot be sent must not keep the others.
      if (damage !== null)
        await this.settle(name, { code: damage.code, detail: damage.message, retryable: false });
      else if (statement !== null) {
        names.push(name);
        statements.push(statement);
        bytes += statement.length;
      }
    }
    const results = names.length === 0 ? [] : await this.submit(statements);
    for (const [i, name] of names.entries()) {
      const result = results[i];
      if (result === undefined || (!isLogged(result) && result.retryable))
        throw new WritError("SERVER_UNREACHABLE", result?.detail ?? "the log did not answer for all");
      await this.settle(name, result);
    }
    return handled;
  }

  private async submit(statements: readonly Uint8Array[]): Promise<(LoggedEntry | RefusedEntry)[]> {
    const { client } = this.parts;
    const [only] = statements;
    if (only === undefined || statements.length > 1) return client.submitBatch(statements);
    try {
      return [await client.submit(only)];
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return [{ code: error.facts.refusal ?? error.code, detail: error.message, retryable: false }];
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
    await rename(join(folder, name), join(folder, "refused", name)).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
    onTrouble(
      `${result.code}: the log refused ${name}, which is in ${join(folder, "refused")}: ${result.detail}`,
    );
    waiter?.reject(new WritError("SERVER_REFUSED", result.detail, { refusal: result.code }));
  }

  private async names(): Promise<string[]> {
    return (await readdir(this.parts.folder)).filter((name) => name.endsWith(SUFFIX)).toSorted();
  }
}

/** Why these bytes are no statement that a log could take; null when they are one. */
function damageOf(bytes: Uint8Array): WritError | null {
  try {
    const { stored } = parseStatement(bytes, "dsse");
    if (stored.length <= MAX_ENTRY_BYTES) return null;
    return new WritError(
      "ENTRY_TOO_LARGE",
      `an entry has at most ${MAX_ENTRY_BYTES} bytes, got ${stored.length}`,
    );
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
}

/** Null when somebody else has taken it. */
async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function digits(n: number, width: number): string {
  return String(n).padStart(width, "0");
}
