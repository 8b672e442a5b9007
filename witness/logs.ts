/** The logs that a witness cosigns for: read from a list, and read again when the file changes, without a restart. */
import { type StatWatcher, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { WritError } from "../src/errors.js";
import { type ListedLog, parseLogList } from "../src/format/log-list.js";
import type { VerifierKey } from "../src/format/vkey.js";
import { Quota } from "./quota.js";

const POLL_MS = 500;

interface KnownLog {
  readonly keys: readonly [VerifierKey];
  readonly quota: Quota;
  /** As many questions about subtrees, of which anybody may ask: they take nothing of the log's own. */
  readonly subtrees: Quota;
}

export class Logs {
  private known: ReadonlyMap<string, KnownLog> = new Map();
  private watcher: StatWatcher | undefined;

  constructor(
    private readonly path: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** LOG_LIST_MALFORMED, FILE_UNREADABLE: then the list stays as it was. */
  async reload(): Promise<void> {
    this.known = byOrigin(await readList(this.path), this.known, this.now);
  }

  /** Reloads whenever the file changes; a list that cannot be read is told of, and the one before stays in force. */
  watch(onReload: (count: number) => void, onError: (error: unknown) => void): void {
    this.watcher = watchFile(this.path, { interval: POLL_MS }, () => {
      this.reload().then(() => onReload(this.known.size), onError);
    });
    this.watcher.unref();
  }

  get count(): number {
    return this.known.size;
  }

  get origins(): Iterable<string> {
    return this.known.keys();
  }

  /** The keys of an origin, or undefined when it is not on the list. */
  readonly trusted = (origin: string): readonly VerifierKey[] | undefined => this.known.get(origin)?.keys;

  /** QUOTA_EXCEEDED when the origin has asked as often as it may. Unknown origins are not this one's business. */
  spend(origin: string): void {
    this.known.get(origin)?.quota.spend(origin);
  }

  /** The same for a subtree. */
  spendSubtree(origin: string): void {
    this.known.get(origin)?.subtrees.spend(origin);
  }

  close(): void {
    this.watcher?.removeAllListeners();
    this.watcher?.unref();
  }
}

function byOrigin(
  logs: readonly ListedLog[],
  before: ReadonlyMap<string, KnownLog>,
  now: () => number,
): ReadonlyMap<string, KnownLog> {
  const known = new Map<string, KnownLog>();
  for (const { origin, key, qpd } of logs) {
    const old = before.get(origin);
    // What was spent stays spent when the list is read again.
    const again = (quota: Quota | undefined): Quota => (quota?.perDay === qpd ? quota : new Quota(qpd, now));
    known.set(origin, { keys: [key], quota: again(old?.quota), subtrees: again(old?.subtrees) });
  }
  return known;
}

/** The logs of a list file. LOG_LIST_MALFORMED names file and line; FILE_UNREADABLE. */
export async function readList(path: string): Promise<ListedLog[]> {
  const bytes = await read(path);
  try {
    return parseLogList(bytes);
  } catch (error) {
    if (error instanceof WritError)
      throw new WritError(error.code, `${path}: ${error.message}`, {}, { cause: error });
    throw error;
  }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WritError("FILE_UNREADABLE", `${path}: ${why}`, {}, { cause: error });
  }
}
