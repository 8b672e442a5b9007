/** What a monitor remembers between passes, beside the mirror: one small file, replaced whole. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../durable.js";

export interface PeerState {
  /** When it last answered; milliseconds since 1970. */
  heardAt: number;
  /** When the first look since then failed; 0 when none has: nobody is silent while nobody asks. */
  failedSince?: number;
  /** The size that it holds and the log has not shown since then; 0 when there is none. */
  aheadOf: number;
  aheadSince: number;
}

export interface MonitorState {
  /** When a checkpoint with its entries was last had from the log; 0 for never. */
  heardAt: number;
  /** When the first look since then failed; 0 when none has. */
  failedSince: number;
  peers: Record<string, PeerState>;
  /** The newest size that the quorum holds, as far as we see, and since when it has been behind. */
  quorum: { size: number; behindSince: number };
  /** Entries below this were held against the filters. */
  alertedTo: number;
  /** Findings that were reported and still stand, by what they are about. */
  reported: Record<string, string>;
  /** The size that the log showed when it was last asked, and when that was. */
  seen: { size: number; at: number };
  /** Has it ever answered questions, beside showing its tiles? */
  asks: boolean;
  /** How old it said that its cosignatures get, in milliseconds; 0 when it never did. */
  renewedMs: number;
  /** Entries below this were taken in when nobody could be asked when they came. */
  untimedTo: number;
  /** Since when it shows less than it did; 0 when it does not. */
  staleSince: number;
  /** Signed notes of sizes that the mirror has not reached: what the log has said must come true. */
  sightings: { who: string; note: string }[];
}

export function freshState(): MonitorState {
  return {
    heardAt: 0,
    failedSince: 0,
    peers: {},
    quorum: { size: 0, behindSince: 0 },
    alertedTo: 0,
    reported: {},
    seen: { size: 0, at: 0 },
    asks: false,
    renewedMs: 0,
    untimedTo: 0,
    staleSince: 0,
    sightings: [],
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
    if (isMissing(error)) return freshState();
    throw error;
  }
  return { ...freshState(), ...(JSON.parse(text) as Partial<MonitorState>) };
}
