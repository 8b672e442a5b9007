/** The last checkpoint seen of each log: what makes a rollback or a second history show. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha256 } from "#crypto";
import { isMissing } from "../durable.js";
import { toHex, utf8 } from "../format/bytes.js";

export interface CheckpointMemory {
  /** The signed note kept under this name, or null. */
  load(name: string): Promise<Uint8Array | null>;
  save(name: string, note: Uint8Array): Promise<void>;
}

/** Remembers for the life of the process. */
export class ProcessMemory implements CheckpointMemory {
  private readonly notes = new Map<string, Uint8Array>();

  async load(name: string): Promise<Uint8Array | null> {
    return this.notes.get(name) ?? null;
  }

  async save(name: string, note: Uint8Array): Promise<void> {
    this.notes.set(name, note);
  }
}

/** Remembers in a folder, one file a log, replaced whole. */
export class FolderMemory implements CheckpointMemory {
  constructor(private readonly folder: string) {}

  async load(name: string): Promise<Uint8Array | null> {
    try {
      return await readFile(this.file(name));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async save(name: string, note: Uint8Array): Promise<void> {
    const file = this.file(name);
    await mkdir(dirname(file), { recursive: true });
    const temporary = `${file}.${randomUUID()}`;
    try {
      // Synced: half a checkpoint after a power cut would be one that nobody can compare with.
      await writeFile(temporary, note, { flush: true });
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  private file(name: string): string {
    return join(this.folder, `${toHex(sha256(utf8(name))).slice(0, 32)}.checkpoint`);
  }
}
