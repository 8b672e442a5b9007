/** Where commands keep what they have seen between calls (XDG Base Directory Specification, `XDG_STATE_HOME`). */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { type CheckpointMemory, FolderMemory, ProcessMemory } from "../client/index.js";
import type { Voice } from "./command.js";

/** "All paths must be absolute"; "either not set or empty": then `$HOME/.local/state`. */
export function stateFolder(voice: Voice): string {
  const given = process.env["XDG_STATE_HOME"];
  const standard = join(homedir(), ".local", "state");
  if (given === undefined) return join(standard, "writ");
  if (isAbsolute(given)) return join(given, "writ");
  const what = given === "" ? "empty" : `no absolute path (${JSON.stringify(given)})`;
  voice.hint(`XDG_STATE_HOME is ${what}: what is seen of a log is kept in ${join(standard, "writ")}`);
  return join(standard, "writ");
}

/** The folder and those above it, one by one: asked for all at once in /proc, Node tries for ever. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(folder) === folder) throw error;
    await makeFolder(dirname(folder));
    await mkdir(folder);
  }
}

/** What was seen of logs before; where that cannot be kept, it is said before anything is sent, and this call remembers alone. */
export async function rememberedIn(folder: string, voice: Voice): Promise<CheckpointMemory> {
  try {
    await makeFolder(folder);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return new FolderMemory(folder);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    voice.hint(
      `${folder} cannot be written (${why}): nothing is remembered of the log after this call, so a log that goes back behind what it showed would not be noticed; set XDG_STATE_HOME to a folder that can`,
    );
    return new ProcessMemory();
  }
}
