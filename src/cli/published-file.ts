/**
 * `DIR/checkpoint`: the newest checkpoint that the log has published, kept apart from the database. It is written after
 * the commit and without a sync, so it may lag behind; what it can never be is ahead. A database that is behind it has
 * lost acknowledged entries, to a damaged disk or an old backup, and a log that went on from there would sign a second
 * history. So it does not start.
 */
import { access, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing, syncFolder, writeDurably } from "../durable.js";
import { ProofError, WritError } from "../errors.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { openCheckpoint } from "../format/cosignature.js";
import type { SigningKey, VerifierKey } from "../format/vkey.js";
import { rollback } from "../log/check/start.js";
import { type Published, publish } from "../log/tree/publish.js";
import type { Store } from "../store/contract.js";

function fileIn(folder: string): string {
  return join(folder, "checkpoint");
}

/**
 * The checkpoint in the folder; null when there is none, and when a power cut left it empty or torn: that is no claim. What the
 * database holds is whole or not there, and is asked for its own.
 */
export async function lastPublished(folder: string, key: VerifierKey): Promise<Checkpoint | null> {
  try {
    return openCheckpoint(await readFile(fileIn(folder)), key).checkpoint;
  } catch (error) {
    if (isMissing(error) || error instanceof WritError || error instanceof ProofError) return null;
    throw error;
  }
}

/**
 * `DIR/shown`: the newest checkpoint that was shown to anybody before the log demanded witnesses. While it demands them,
 * `DIR/checkpoint` runs ahead of what is shown; so this one is kept apart, and stays as it was.
 */
export async function readShown(folder: string, store: Store, key: SigningKey): Promise<Uint8Array> {
  const shown = join(folder, "shown");
  try {
    return await readFile(shown);
  } catch {
    // The first start that demands witnesses: until now everything that was durable was shown, if anything ever was.
  }
  const wasServed = await access(fileIn(folder)).then(
    () => true,
    () => false,
  );
  const head = wasServed ? await store.head() : null;
  // An empty file says that nothing was.
  const note = head === null ? new Uint8Array(0) : publish(head, key).checkpoint;
  await writeDurably(shown, note, 0o644);
  await syncFolder(folder);
  return note;
}

/** The log shows everything that it signs: what was shown before counts no more. */
export async function forgetShown(folder: string): Promise<void> {
  await rm(join(folder, "shown"), { force: true });
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
