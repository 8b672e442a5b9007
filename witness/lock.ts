/**
 * One process a folder. Node has no file locks, and a lock file outlives a process that is killed; LevelDB has one that
 * does not, so an empty database beside the state is held open. Two witnesses with one key would be two memories.
 */
import { Level } from "level";
import { WritError } from "../src/errors.js";

/** Holds the lock until the function it gives is called, or the process ends. STORE_LOCKED when another process has it. */
export async function lockFolder(path: string): Promise<() => Promise<void>> {
  const lock = new Level(path);
  try {
    await lock.open();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!(cause instanceof Error && "code" in cause && cause.code === "LEVEL_LOCKED"))
      throw new WritError(
        "FILE_UNREADABLE",
        `${path} cannot be locked: ${cause instanceof Error ? cause.message : String(error)}`,
        {},
        { cause: error },
      );
    throw new WritError(
      "STORE_LOCKED",
      `another process has ${path}; a witness runs once`,
      {},
      { cause: error },
    );
  }
  return () => lock.close();
}
