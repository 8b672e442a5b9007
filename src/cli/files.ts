/** Files as commands read and write them: FILE_UNREADABLE says which and why, secrets are 0600, results replace whole. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { WritError } from "../errors.js";

export async function readBytes(path: string): Promise<Uint8Array> {
  if (path === "-") return readStdin();
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** What `parse` makes of a file. The WritErrors that it throws come out with the file's name before them. */
export async function readAs<T>(path: string, parse: (bytes: Uint8Array) => T): Promise<T> {
  const bytes = await readBytes(path);
  try {
    return parse(bytes);
  } catch (error) {
    throw error instanceof WritError ? new WritError(error.code, `${path}: ${error.message}`) : error;
  }
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}

/**
 * Writes beside the target, syncs, renames: there is the old file or the new one, never half of it. A pipe or a device is
 * written to, not replaced.
 */
export async function writeWhole(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
  if (await isSpecial(path)) return writeInto(path, bytes);
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw unreadable(path, error);
  }
}

/** Is there something at the path that is neither a file nor a folder? */
async function isSpecial(path: string): Promise<boolean> {
  try {
    const found = await stat(path);
    return !found.isFile() && !found.isDirectory();
  } catch {
    return false;
  }
}

async function writeInto(path: string, bytes: Uint8Array | string): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Writes a file that must not exist yet. FILE_UNREADABLE when it does. */
export async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, "wx", mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

export function unreadable(path: string, error: unknown): WritError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "no such file",
    EACCES: "not permitted",
    EISDIR: "is a folder",
    ENOTDIR: "a part of the path is not a folder",
    EEXIST: "exists already and is not overwritten",
    ENOSPC: "the disk is full",
    EROFS: "the file system is read-only",
  };
  const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
  return new WritError("FILE_UNREADABLE", `${path}: ${reason}`, {}, { cause: error });
}
