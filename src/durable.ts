/** Files that survive a power cut: whole or not at all. */
import { open, rename } from "node:fs/promises";

/**
 * Writes `path`.new, syncs it, renames it: there is the old file or the new one, never half of it. One writer at a time for
 * a path. That the new one is there after a power cut takes `syncFolder` too.
 */
export async function writeDurably(path: string, content: Uint8Array | string, mode: number): Promise<void> {
  const file = await open(`${path}.new`, "w", mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** A rename or a new file survives a power cut only once its folder is synced. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Did an access fail because no such file is there? */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
