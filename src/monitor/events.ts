/** What a monitor has to say: findings about the log and its witnesses, and entries that somebody asked to be told of. */
import type { JsonObject } from "../statement/json.js";

export type FindingKind =
  /** Two histories, both signed: the evidence proves it. */
  | "fork"
  /** The log cannot show that it extends what it said, and what it serves is not enough to prove a fork. */
  | "inconsistent"
  /** It shows less than it did. */
  | "rollback"
  /** Somebody else holds a longer history than it shows us. */
  | "withheld"
  /** An entry that its own rules should have kept out. */
  | "entry-invalid"
  /** Entries that are not those of the signed root. */
  | "entries-differ"
  /** Its clock says that entries came before we saw that they were not there. */
  | "backdated"
  /** Its clock goes back, or is ahead of every other. */
  | "clock"
  /** It says of a record what the entries do not. */
  | "status-unjustified"
  /** What it serves as a checkpoint is not signed by its key, or no checkpoint at all. */
  | "checkpoint-invalid"
  /** A witness or mirror serves what this log has not signed, or a cosignature that does not verify. */
  | "peer-invalid"
  /** The quorum of the policy lags behind. */
  | "unwitnessed"
  /** Nothing has been heard of the log, or of a witness, for too long. */
  | "silence";

export interface Finding {
  readonly type: "finding";
  readonly kind: FindingKind;
  readonly log: string;
  /** RFC 3339. */
  readonly at: string;
  readonly detail: string;
  readonly index?: number;
  /** The file that proves it. */
  readonly evidence?: string;
}

export interface Match {
  readonly type: "match";
  /** The filter, as it was given. */
  readonly alert: string;
  readonly log: string;
  readonly at: string;
  readonly index: number;
  readonly entry_hash: string;
  readonly record_id: string | null;
  readonly record: JsonObject | null;
  /** The stored statement, in base64. */
  readonly statement: string;
  /** Its tlog-proof. */
  readonly proof: string;
}

export type MonitorEvent = Finding | Match;

/** A line for people. */
export function eventText(event: MonitorEvent): string {
  if (event.type === "match") {
    const type = event.record?.["type"];
    const what = typeof type === "string" ? type : "foreign content";
    return `${event.at} match ${event.alert}: entry ${event.index}, ${what} ${event.record_id ?? event.entry_hash}`;
  }
  const evidence = event.evidence === undefined ? "" : `\n  evidence: ${event.evidence}`;
  return `${event.at} FINDING ${event.kind}: ${event.detail}${evidence}`;
}
