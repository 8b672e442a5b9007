/**
 * Who relied on it: the closure the other way round. From a key, a fact, a grant, a policy, a receipt or an action type,
 * everything that was said or done on its strength, through all levels.
 */
import type { Term } from "../index/terms.js";
import { isRecordId, type LinkMember, strings } from "../record/links.js";
import type { TraceEntry } from "./entry.js";

/** One way in which something relies on an entry. */
export interface Reliance {
  readonly term: Term;
  /** How, in words: the member that names it. */
  readonly via: string;
  /** Only what was logged later: a value can be named before anybody writes it down. */
  readonly laterOnly: boolean;
}

/** Members whose holders rest on what they name. (Who supersedes, revokes or overrides a record does not rely on it.) */
const RESTS_ON: readonly LinkMember[] = [
  "request_hash",
  "decision_hash",
  "capability_hash",
  "parent_capability_hash",
  "parent_request",
  "prior_receipts",
  "via_receipt",
  "confirms",
  "delegation_hash",
  "parent_delegation",
];

/** How others may rely on this entry. */
export function reliancesOn({ record, id }: TraceEntry): Reliance[] {
  if (record === null || id === null) return [];
  const { type, value } = record;
  const found: Reliance[] = RESTS_ON.map((member) => linked(id, member));
  const add = (field: Term["field"], via: string, names: readonly string[]): void => {
    for (const name of names) found.push({ term: { field, value: name }, via, laterOnly: true });
  };
  if (type === "fact") add("cites", "evidence", strings(value["value_hash"]));
  if (type === "execution-receipt") add("cites", "evidence", strings(value["evidence_written"]));
  if (type === "policy") add("uses_policy", "policy_digest", strings(value["policy_digest"]));
  if (type === "action-type") add("action_type", "action_type", strings(value["action_type"]));
  if (type === "key") add("signer", "signature", strings(value["key_id"]));
  if (type === "mission") add("mission_id", "mission_id", strings(value["mission_id"]));
  if (type === "approval") {
    // A grant rests on the approvals of its request.
    const [request] = strings(value["request_hash"]);
    if (request !== undefined)
      found.push({ ...linked(request, "request_hash"), via: "approval", laterOnly: true });
  }
  return found;
}

/** How others may rely on a bare name: a key id, an evidence hash, a policy's digest, an action type. */
export function reliancesOnName(name: string): Reliance[] {
  const on = (field: Term["field"], via: string): Reliance => ({
    term: { field, value: name },
    via,
    laterOnly: false,
  });
  if (/^[0-9a-f]{64}$/.test(name)) return [on("signer", "signature")];
  const byValue = [on("cites", "evidence"), on("uses_policy", "policy_digest")];
  return isRecordId(name) ? byValue : [...byValue, on("action_type", "action_type")];
}

function linked(id: string, member: LinkMember): Reliance {
  return { term: { field: "link", value: id, member }, via: member, laterOnly: false };
}

/** An approval is relied on by grants alone, and a registration does not rely on the name that it registers. */
export function relies({ record }: TraceEntry, via: string): boolean {
  if (via === "approval") return record?.type === "capability-grant";
  return via !== "action_type" || record?.type !== "action-type";
}
