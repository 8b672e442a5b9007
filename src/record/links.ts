/**
 * What a record points at. Two kinds: members that hold record ids, and members whose value another record defines (an
 * evidence hash a fact wrote down, a policy's digest, an action type's name, an id that a key may sign for).
 */
import { isJsonObject, type Json, type JsonObject } from "../statement/json.js";
import type { Record } from "./record.js";

/** Members that hold record ids. The order is part of the stored index: append only. */
export const LINK_MEMBERS = [
  "request_hash",
  "decision_hash",
  "capability_hash",
  "parent_capability_hash",
  "parent_request",
  "prior_receipts",
  "previous_trace_hash",
  "via_receipt",
  "supersedes",
  "confirms",
  "target",
  "scope.request_hash",
  "delegation_hash",
  "parent_delegation",
] as const;
export type LinkMember = (typeof LINK_MEMBERS)[number];

export interface IdLink {
  readonly kind: "record";
  readonly member: LinkMember;
  /** A record id. */
  readonly value: string;
}

export interface ValueLink {
  /** What the value names: something written down as evidence, a policy, an action type, a mission, or who may sign. */
  readonly kind: "evidence" | "policy" | "action-type" | "mission" | "id";
  /** The path of the member. */
  readonly member: string;
  readonly value: string;
}

export type Link = IdLink | ValueLink;

/** The record ids that a record names, each once a member, in the order of LINK_MEMBERS. */
export function idLinksOf({ value }: Pick<Record, "value">): IdLink[] {
  const links: IdLink[] = [];
  // Written as a loop: a trace asks this of every record several times (a tenth of its time as a chain of maps, measured).
  for (const member of LINK_MEMBERS) {
    const named = member === "scope.request_hash" ? scopedRequest(value) : value[member];
    if (named === undefined) continue;
    const ids = typeof named === "string" ? [named] : new Set(strings(named));
    for (const id of ids) if (isRecordId(id)) links.push({ kind: "record", member, value: id });
  }
  return links;
}

function scopedRequest({ scope }: JsonObject): Json | undefined {
  return isJsonObject(scope) ? scope["request_hash"] : undefined;
}

/** The values that a record uses and another defines. */
export function valueLinksOf(record: Pick<Record, "value" | "type">): ValueLink[] {
  const { value, type } = record;
  const links: ValueLink[] = [];
  const add = (kind: ValueLink["kind"], member: string, names: readonly string[]): void => {
    for (const name of names) links.push({ kind, member, value: name });
  };
  add("id", "issuer", strings(value["issuer"]));
  for (const [name, hash] of Object.entries(objectMember(value, "evidence_hashes")))
    add("evidence", `evidence_hashes.${name}`, strings(hash));
  objects(value["evaluated_evidence"]).forEach((one, i) =>
    add("evidence", `evaluated_evidence[${i}].hash`, strings(one["hash"])),
  );
  if (type !== "policy") add("policy", "policy_digest", strings(value["policy_digest"]));
  for (const [member, name] of actionTypesOf(value, type)) add("action-type", member, [name]);
  add("id", "audience", strings(value["audience"]));
  if (type !== "mission") add("mission", "mission_id", strings(value["mission_id"]));
  return links;
}

export function linksOf(record: Pick<Record, "value" | "type">): Link[] {
  return [...idLinksOf(record), ...valueLinksOf(record)];
}

/** Every action type that a record speaks of, with the member that does; an `action-type` record defines its own. */
function actionTypesOf(value: JsonObject, type: string): (readonly [string, string])[] {
  const places: [string, Json | undefined][] = [
    ["action_type", type === "action-type" ? undefined : value["action_type"]],
    ["classified_action_type", value["classified_action_type"]],
    ["permitted_action.action_type", objectMember(value, "permitted_action")["action_type"]],
    ["executed_action.action_type", objectMember(value, "executed_action")["action_type"]],
    ["scope.action_type", objectMember(value, "scope")["action_type"]],
  ];
  return places.flatMap(([member, name]) => (typeof name === "string" ? [[member, name] as const] : []));
}

/** `sha256:` and 64 lower-case hex digits. */
export function isRecordId(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The member, or an object without members where it is none. */
export function objectMember(value: JsonObject, name: string): JsonObject {
  const member = value[name];
  return isJsonObject(member) ? member : {};
}

/** The texts in a member that is a text or a list of texts. */
export function strings(member: Json | undefined): string[] {
  if (typeof member === "string") return [member];
  return isList(member) ? member.filter((element) => typeof element === "string") : [];
}

/** The objects in a member that is a list of them. */
export function objects(member: Json | undefined): JsonObject[] {
  return isList(member) ? member.filter(isJsonObject) : [];
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
