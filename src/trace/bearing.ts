/**
 * What bears on what: a decision, an approval, a fact, a policy, an action type, a mission, a key or a revocation may change how
 * everything stands that rests on the records and names that it speaks of. The log's events say these (`bearing`), and a gateway
 * that follows them judges anew what they touch.
 */
import { idLinksOf, strings } from "../record/links.js";
import type { Record } from "../record/record.js";

/** Types whose arrival may take something back, or say no. */
const BEARING: readonly string[] = [
  "policy-decision",
  "approval",
  "fact",
  "policy",
  "action-type",
  "mission",
  "key",
  "revocation",
  "delegation",
];

export function bears(type: string | null): boolean {
  return type !== null && BEARING.includes(type);
}

/** The record ids that such a record names, and the names that it gives a meaning to. */
export function bearsOn(record: Record): string[] {
  return [...new Set([...idLinksOf(record).map(({ value }) => value), ...bearingNames(record)])];
}

/** The names, other than record ids, that a record rests on or gives a meaning to, each with its kind. */
export function bearingNames({ type, value, issuer }: Pick<Record, "type" | "value" | "issuer">): string[] {
  const named = (kind: string, member: string): string[] =>
    strings(value[member]).map((name) => `${kind}:${name}`);
  return [
    ...named("policy", "policy_digest"),
    ...(type === "policy" ? [`policy-of:${issuer}`] : []),
    ...named("action-type", "action_type"),
    ...named("action-type", "classified_action_type"),
    ...named("mission", "mission_id"),
    ...named("key", "key_id"),
    ...named("key", "replaces"),
    ...named("evidence", "value_hash"),
  ];
}
