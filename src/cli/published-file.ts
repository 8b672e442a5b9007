/**
 * `DIR/checkpoint`: the newest checkpoint that the log has published, kept apart from the database. It is written after
 * the commit and without a sync, so it may lag behind; what it can never be is ahead. A database that is behind it has
 * lost acknowledged entries, to a damaged disk or an old backup, and a log that went on from there would sign a second
 * history. So it does not start.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../durable.js";
import { sameHash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { openCheckpoint } from "../format/cosignature.js";
import type { VerifierKey } from "../format/vkey.js";
import type { Published } from "../log/tree/publish.js";
import type { Store } from "../store/contract.js";

function fileIn(folder: string): string {
  return join(folder, "checkpoint");
}

/** The checkpoint in the folder, or null when there is none. STORE_CORRUPT when it is not this log's. */
export async function lastPublished(folder: string, key: VerifierKey): Promise<Checkpoint | null> {
  let note: Uint8Array;
  try {
    note = await readFile(fileIn(folder));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return openCheckpoint(note, key).checkpoint;
  } catch (error) {
    throw new WritError(
      "STORE_CORRUPT",
      `${fileIn(folder)} is no checkpoint of this log; if it was damaged, compare with a client's and remove it`,
      {},
      { cause: error },
    );
  }
}

/**
 * `DIR/shown`: the newest checkpoint that was shown to anybody before the log demanded witnesses. While it demands them,
 * `DIR/checkpoint` runs ahead of what is shown; so this one is kept apart, and stays as it was.
 */
export async function readShown(folder: string): Promise<Uint8Array | null> {
  const shown = join(folder, "shown");
  try {
    return await readFile(shown);
  } catch {
    // The first start that demands witnesses: until now everything that was signed was shown.
  }
  const note = await readFile(fileIn(folder)).catch(() => null);
  // An empty file says that nothing was.
  await writeFile(shown, note ?? new Uint8Array(0));
  return note;
}

/** The log shows everything that it signs: what was shown before counts no more. */
export async function forgetShown(folder: string): Promise<void> {
  await rm(join(folder, "shown"), { force: true });
}

/** How the stored log falls short of a checkpoint that it has signed, or null when it does not. */
export async function rollback(store: Store, signed: Checkpoint): Promise<string | null> {
  const head = signed.size === 0 ? null : await store.headOver(signed.size - 1);
  if (head === null) {
    const size = (await store.head())?.size ?? 0;
    return `the log has signed a checkpoint of ${signed.size} entries, and the database holds ${size}`;
  }
  if (head.size === signed.size && sameHash(head.root, signed.root)) return null;
  return `the log has signed another tree of ${signed.size} entries than the database holds`;
}

/** STORE_CORRUPT when the database is behind what the log has signed, or beside it. */
export async function demandNoRollback(folder: string, store: Store, key: VerifierKey): Promise<void> {
  const signed = await lastPublished(folder, key);
  const fault = signed === null ? null : await rollback(store, signed);
  if (fault !== null)
    throw new WritError(
      "STORE_CORRUPT",
      `${fault}; going on would sign a second history. Restore the database`,
    );
}

/** Keeps the newest checkpoint in the folder: one write at a time, and what comes meanwhile in the next. */
export class PublishedFile {
  private next: Published | null = null;
  private writing: Promise<void> | null = null;

  constructor(private readonly folder: string) {}

  keep(published: Published): void {
    this.next = published;
    this.writing ??= this.writeAll();
  }

  /** Resolves when the newest is in the file. */
  async settled(): Promise<void> {
    await this.writing;
  }

  private async writeAll(): Promise<void> {
    const file = fileIn(this.folder);
    while (this.next !== null) {
      const { checkpoint } = this.next;
      this.next = null;
      try {
        await writeFile(`${file}.new`, checkpoint);
        await rename(`${file}.new`, file);
      } catch {
        // A full disk stops the log by its own commit; this file only lags.
      }
    }
    this.writing = null;
  }
}
