/** What a box of a picture says of one entry: who, what, when, and how it stands now. */
import { objectMember, strings } from "../../record/links.js";
import { revocationAction } from "../../record/revocation.js";
import type { Json, JsonObject } from "../../statement/json.js";
import type { TraceVerdict } from "../answer.js";
import { isRecordEntry, type RecordEntry, type TraceEntry } from "../entry.js";
import { type Graph, textMember } from "../graph.js";
import { printable } from "./text.js";

/** What somebody said, at a glance: a no must not look like a yes. */
export type Tone = "plain" | "yes" | "no";

export interface CardText {
  /** The record's type. */
  readonly title: string;
  /** Its decision, outcome or action: the one word that matters. Empty where there is none. */
  readonly word: string;
  readonly tone: Tone;
  readonly what: readonly string[];
  readonly who: string;
  readonly when: string;
  /** How it stands: taken back, used, superseded, how far a fact can be trusted. */
  readonly standing: readonly string[];
}

/** Members of a map that are told. */
const MAX_MEMBERS = 4;
/** Records that every trace has many of: a line each. */
const SMALL: readonly string[] = ["key", "log-policy"];

export function isSmall({ record }: TraceEntry): boolean {
  return record !== null && SMALL.includes(record.type);
}

export function cardText(entry: TraceEntry, graph: Graph, verdict: TraceVerdict): CardText {
  if (!isRecordEntry(entry))
    return {
      title: "foreign content",
      word: "",
      tone: "plain",
      what: [`${entry.stored.length} bytes that are no record of ours`],
      who: "",
      when: whenOf({}, entry),
      standing: [],
    };
  const { type, value, issuer } = entry.record;
  const [word, tone] = wordOf(type, value);
  return {
    title: printable(type),
    word: printable(word),
    tone,
    what: whatOf(type, value).map(printable),
    who: printable(issuer),
    when: whenOf(value, entry),
    standing: standingOf(entry, graph, verdict).map(printable),
  };
}

const NO: readonly string[] = ["deny", "escalate", "reject", "refused", "failed", "revoke", "suspend"];
const YES: readonly string[] = ["allow", "approve", "approved", "executed", "resume"];

function wordOf(type: string, value: JsonObject): [string, Tone] {
  const word =
    textMember(value, "decision") ??
    textMember(value, "outcome") ??
    textMember(value, "approval") ??
    (type === "revocation" ? textMember(value, "action") : undefined) ??
    "";
  return [word, NO.includes(word) ? "no" : YES.includes(word) ? "yes" : "plain"];
}

/** Action, amount and target; else what the record is about. */
function whatOf(type: string, value: JsonObject): string[] {
  const inner = ["permitted_action", "executed_action"].map((name) => objectMember(value, name));
  const source = inner.find((one) => Object.keys(one).length > 0) ?? value;
  const action = textMember(source, "action_type");
  const parameters = membersText(objectMember(source, "parameters"));
  const target = membersText(objectMember(source, "target"));
  const lines = [
    [action, parameters].filter((text) => text !== undefined && text !== "").join(": "),
    target === "" ? "" : `on ${target}`,
    aboutText(type, value),
  ];
  return lines.filter((line) => line !== "");
}

/** Of records that are about no act: the members that say what they are. */
const ABOUT: Readonly<Record<string, readonly string[]>> = {
  key: ["ids", "roles"],
  "log-policy": ["origin", "admission"],
  policy: ["policy_name", "policy_version"],
  "action-type": ["risk_tier"],
  approval: ["approver_role"],
  fact: ["fact_type", "subject", "value"],
  revocation: ["reason"],
  "boundary-seal": ["boundary_id", "first_seq", "last_seq"],
  exception: ["owner", "expires_at", "excuses"],
  delegation: ["delegate_id", "expires_at"],
  mission: ["mission_id"],
  override: ["reason"],
  "policy-decision": ["policy_version"],
};

function aboutText(type: string, value: JsonObject): string {
  return (ABOUT[type] ?? [])
    .flatMap((name) => {
      const member = value[name];
      if (member === undefined) return [];
      const texts = strings(member);
      return [`${name.replaceAll("_", " ")} ${texts.length > 0 ? texts.join(", ") : jsonText(member)}`];
    })
    .join(" · ");
}

function membersText(value: JsonObject): string {
  const all = Object.entries(value);
  const some = all.slice(0, MAX_MEMBERS).map(([name, member]) => `${name} ${jsonText(member)}`);
  return [...some, ...(all.length > MAX_MEMBERS ? [`${all.length - MAX_MEMBERS} more`] : [])].join(", ");
}

function jsonText(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replaceAll(/sha256:([0-9a-f]{6})[0-9a-f]{58}/g, "sha256:$1…");
}

/** What it claims, and the log's own clock. */
function whenOf(value: JsonObject, { receivedAt }: Pick<TraceEntry, "receivedAt">): string {
  const claimed =
    textMember(value, "executed_at") ?? textMember(value, "observed_at") ?? textMember(value, "issued_at");
  const day = claimed?.slice(0, DAY.length);
  const at = receivedAt === null ? "at a time not known" : moment(receivedAt);
  // The day once, where it is the same.
  const logged = `logged ${day !== undefined && at.startsWith(day) ? at.slice(DAY.length + 1) : at}`;
  return claimed === undefined ? logged : printable(`says ${claimed.replace(/\.\d+/, "")}, ${logged}`);
}

const DAY = "2026-05-01";

export function moment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** How a record stands, in words that are not escaped yet: revoked, superseded, used, trusted. */
export function standingOf(entry: RecordEntry, graph: Graph, verdict: TraceVerdict): string[] {
  const { withoutEffect, evidence } = verdict;
  const taking = graph
    .naming(entry.id, "target", "revocation")
    .filter(({ index }) => !withoutEffect.includes(index));
  // What is revoked stays so, whatever is said of it afterwards.
  const last = taking.find(({ record }) => revocationAction(record) === "revoke") ?? taking.at(-1);
  const words = { revoke: "REVOKED", suspend: "SUSPENDED", resume: "resumed" } as const;
  const newer = graph.naming(entry.id, "supersedes");
  const uses = graph.naming(entry.id, "capability_hash", "consumption");
  const most = entry.record.value["max_uses"];
  const trust = evidence.find(({ fact }) => fact === entry.index)?.trust;
  return [
    ...(last === undefined
      ? []
      : [
          `${words[revocationAction(last.record)]} by #${last.index}${uses.some(({ index }) => index < last.index) ? ", after a use" : ""}`,
        ]),
    ...newer.map(({ index }) => `superseded by #${index}`),
    ...(entry.record.type === "capability-grant"
      ? [`consumed ${uses.length} of ${typeof most === "number" ? most : 1}`]
      : []),
    ...(trust === undefined ? [] : [`trust: ${trust}`]),
  ];
}
