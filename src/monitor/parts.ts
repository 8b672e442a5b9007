/** What the parts of a monitor share: whom it follows, with what it reads and remembers, and where it reports. */
import { ProofError, WritError } from "../errors.js";
import type { Checkpoint } from "../format/checkpoint.js";
import type { Evidence } from "../format/evidence.js";
import type { Policy } from "../format/policy.js";
import type { VerifierKey } from "../format/vkey.js";
import { isRefusal } from "../client/transport.js";
import type { MonitorEvent } from "./events.js";
import type { Filter } from "../trace/filter.js";
import type { LogReader } from "./log-reader.js";
import type { MonitorState } from "./memory.js";
import type { Mirror } from "./mirror.js";

export interface MonitorParts {
  readonly key: VerifierKey;
  readonly policy: Policy | null;
  readonly reader: LogReader;
  readonly mirror: Mirror;
  readonly state: MonitorState;
  /** Keeps `state`. */
  readonly saveState: () => Promise<void>;
  readonly mirrors: readonly string[];
  /** Where witnesses of the policy show what they hold, by name: where that is not where they take checkpoints. */
  readonly witnessAt?: ReadonlyMap<string, string>;
  readonly filters: readonly Filter[];
  /** How long nothing may be heard of the log or a witness, or the quorum may lag, in milliseconds. */
  readonly silenceMs: number;
  /** How long one pass may take new entries in before it looks at everything else. */
  readonly budgetMs: number;
  readonly now: () => number;
  /** The newest checkpoint whose entries are in the mirror: a signed note, or null. */
  readonly kept: { load(): Promise<Uint8Array | null>; save(note: Uint8Array): Promise<void> };
  /** Keeps a proof and answers where. */
  readonly keepEvidence: (evidence: Evidence) => Promise<string>;
  /** Takes events over for good, before the state moves on. */
  readonly report: (events: readonly MonitorEvent[]) => Promise<void>;
  readonly progress?: (done: number, total: number) => void;
}

/** A checkpoint that the log has signed, whoever showed it. */
export interface Seen {
  /** The signed note, verbatim. */
  readonly note: Uint8Array;
  readonly checkpoint: Checkpoint;
}

/** How long a smaller checkpoint than one that was seen may be a copy that lags behind: a cache, a follower. */
export const STALE_MS = 5 * 60_000;

/** Clocks of different machines. */
export const SKEW_MS = 60_000;

/** Nothing came, or nothing that can be read: no fault that could be shown to others, unless it lasts. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof WritError && SILENT.has(error.code) && !isRefusal(error);
}

const SILENT: ReadonlySet<string> = new Set([
  "SERVER_UNREACHABLE",
  "SERVER_REFUSED",
  "SERVER_ANSWER_INVALID",
  "BUNDLE_MALFORMED",
  "TILE_MALFORMED",
]);

/** The message of an expected failure; anything else is thrown on. */
export function messageOf(error: unknown): string {
  if (error instanceof ProofError || error instanceof WritError) return error.message;
  throw error;
}

export function timeText(time: number): string {
  return new Date(time).toISOString();
}
