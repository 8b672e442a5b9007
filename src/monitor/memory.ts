/** What a monitor remembers between passes, beside the mirror: one small file, replaced whole. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export interface MonitorState {
  /** When a verified checkpoint was last had from the log; milliseconds since 1970, 0 for never. */
  heardAt: number;
  /** Of each peer by name: when it last answered, and what it holds that the log does not show us. */
  peers: Record<string, { heardAt: number; aheadBy: number; aheadSince: number }>;
  /** The newest size that the quorum holds, as far as we see, and since when it has been behind. */
  quorum: { size: number; behindSince: number };
  /** Entries below this were held against the filters. */
  alertedTo: number;
  /** Findings that were reported and still stand, by what they are about. */
  reported: Record<string, string>;
  /** The size that we saw, and when. */
  seen: { size: number; at: number };
}

export function freshState(): MonitorState {
  return {
    heardAt: 0,
    peers: {},
    quorum: { size: 0, behindSince: 0 },
    alertedTo: 0,
    reported: {},
    seen: { size: 0, at: 0 },
  };
}

export function stateFile(folder: string): string {
  return join(folder, "state.json");
}

/** What was remembered; nothing when there is no file. A damaged one is an error of the JSON parser. */
export async function loadState(folder: string): Promise<MonitorState> {
  let text: string;
  try {
    text = await readFile(stateFile(folder), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return freshState();
    throw error;
  }
  return { ...freshState(), ...(JSON.parse(text) as Partial<MonitorState>) };
}
