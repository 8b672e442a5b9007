/**
 * Building records, typed by type. Links are given as records or references to them, not as bare hashes, so that a
 * decision cannot name a grant where it should name a request: neither in TypeScript nor, checked again, at run time.
 */
import { utf8 } from "../format/bytes.js";
import { canonicalJson } from "../statement/jcs.js";
import type { Json, JsonObject } from "../statement/json.js";
import { isRecordId, LINK_MEMBERS, type LinkMember } from "./links.js";
import { checkRecord, idOf, parseRecord } from "./record.js";
import type { Role } from "./types.js";

/** A record of a known type, by its id. */
export class RecordRef<T extends RecordType = RecordType> {
  constructor(
    readonly type: T,
    /** `sha256:` and 64 lower-case hex digits. */
    readonly id: string,
  ) {
    if (!isRecordId(id)) throw new TypeError(`want a record id, got ${JSON.stringify(id).slice(0, 80)}`);
  }
}

/** A record that is ready to be signed. */
export class BuiltRecord<T extends RecordType = RecordType> extends RecordRef<T> {
  constructor(
    type: T,
    id: string,
    readonly value: JsonObject,
    /** RFC 8785 JSON: what is signed and hashed. */
    readonly bytes: Uint8Array,
  ) {
    super(type, id);
  }
}

interface ApprovalDemand {
  readonly role: string;
  readonly min: number;
}

interface ActionTerms {
  readonly action_type: string;
  readonly target: JsonObject;
  readonly constraints: JsonObject;
  readonly parameters?: JsonObject;
}

/** What each type holds beyond the common members. Times are RFC 3339 in UTC. */
export interface RecordMembers {
  delegation: {
    readonly delegator_id: string;
    readonly delegate_id: string;
    /** Names, or `*` for every type. */
    readonly action_types: readonly string[];
    readonly expires_at: string;
    readonly constraints?: JsonObject;
    readonly not_before?: string;
    readonly max_tier?: 0 | 1 | 2 | 3;
    readonly parent_delegation?: RecordRef<"delegation">;
  };
  "action-request": {
    readonly agent_id: string;
    readonly delegator_id: string;
    readonly action_type: string;
    readonly target: JsonObject;
    readonly constraints: JsonObject;
    readonly policy_version: string;
    readonly requested_at: string;
    readonly intent?: string;
    readonly parameters?: JsonObject;
    readonly evidence_hashes?: Readonly<Record<string, string>>;
    /** `{role, min}`, or the words `human:<id>`, `role:<role>`, `policy:<name>`. */
    readonly required_approvals?: readonly (ApprovalDemand | string)[];
    readonly idempotency_key?: string;
    readonly expires_at?: string;
    readonly parent_request?: RecordRef<"action-request">;
    readonly delegation_hash?: RecordRef<"delegation">;
    readonly max_executions?: number;
    readonly action_domain?: string;
  };
  "policy-decision": {
    readonly request_hash: RecordRef<"action-request">;
    readonly policy_digest: string;
    readonly decision: "allow" | "deny" | "require-approval" | "escalate";
    readonly decided_at: string;
    readonly policy_version?: string;
    readonly required_approvals?: readonly ApprovalDemand[];
    readonly evaluated_evidence?: readonly {
      readonly name: string;
      readonly outcome: "pass" | "fail";
      readonly hash?: string;
    }[];
    readonly reason?: string;
    readonly classified_action_type?: string;
    readonly expires_at?: string;
    readonly supersedes?: RecordRef<"policy-decision">;
  };
  approval: {
    readonly request_hash: RecordRef<"action-request">;
    readonly approver_id: string;
    readonly approver_role: string;
    readonly approval: "approve" | "reject";
    readonly approved_at: string;
    /** The record id of what was shown. */
    readonly displayed_hash?: string;
    /** A hash of the screen itself. */
    readonly rendering_hash?: string;
    readonly expires_at?: string;
  };
  "capability-grant": {
    readonly request_hash: RecordRef<"action-request">;
    readonly decision_hash: RecordRef<"policy-decision">;
    readonly permitted_action: ActionTerms;
    readonly audience: string;
    readonly nonce: string;
    readonly expiry: string;
    readonly revocation_registry: string;
    readonly not_before?: string;
    readonly max_uses?: number;
    readonly parent_capability_hash?: RecordRef<"capability-grant">;
    readonly tool_digest?: string;
  };
  consumption: {
    readonly request_hash: RecordRef<"action-request">;
    readonly capability_hash: RecordRef<"capability-grant">;
    readonly nonce: string;
    readonly executor_id: string;
    readonly consumed_at: string;
    readonly tool_call_hash?: string;
  };
  "execution-receipt": {
    /** Null when nobody asked: then nothing was granted either. */
    readonly request_hash: RecordRef<"action-request"> | null;
    /** Null when nothing was granted. */
    readonly capability_hash: RecordRef<"capability-grant"> | null;
    readonly executor_id: string;
    readonly tool_call_hash: string;
    readonly outcome: "executed" | "failed" | "refused" | "partial" | "reverted" | "unknown";
    readonly postcondition_hashes: Readonly<Record<string, string>>;
    readonly executed_at: string;
    readonly nonce?: string;
    readonly tool_digest?: string;
    readonly executed_action?: Omit<ActionTerms, "constraints">;
    readonly prior_receipts?: readonly RecordRef<"execution-receipt">[];
    readonly evidence_written?: readonly string[];
    readonly boundary_id?: string;
    readonly seq?: number;
  };
  revocation: {
    readonly target: RecordRef;
    readonly action: "revoke" | "suspend" | "resume";
    readonly reason: string;
    readonly effective_index?: number;
    readonly cascade?: boolean;
  };
  fact: {
    readonly subject: string;
    readonly fact_type: string;
    readonly value_hash: string;
    readonly writer_id: string;
    readonly writer_class: "human" | "agent" | "external-system" | "sensor";
    readonly control_domain: string;
    readonly observed_at: string;
    readonly via_receipt?: RecordRef<"execution-receipt">;
    readonly policy_digest?: string;
    readonly valid_until?: string;
    readonly supersedes?: RecordRef<"fact">;
    readonly confirms?: RecordRef<"fact">;
  };
  key: {
    readonly key_id: string;
    readonly public_key: JsonObject;
    readonly algorithm: "Ed25519" | "ES256";
    readonly roles: readonly Role[];
    readonly ids: readonly string[];
    readonly control_domain: string;
    readonly approver_roles?: readonly string[];
    readonly not_after?: string;
    readonly replaces?: string;
    readonly endorsed_by?: string;
    readonly writer_class?: "human" | "agent" | "external-system" | "sensor";
    readonly trust_domain?: string;
    readonly id_prefixes?: readonly string[];
  };
  "action-type": {
    readonly action_type: string;
    readonly version: string | number;
    readonly owner: string;
    readonly escalation_path: readonly string[];
    readonly conflict_rule: string;
    readonly risk_tier: 0 | 1 | 2 | 3;
    readonly test_suite_digest: string;
    readonly receipt_schema_digest: string;
    readonly required_approvals?: readonly ApprovalDemand[];
    readonly required_evidence?: readonly string[];
    readonly max_grant_lifetime_s?: number;
    readonly max_evidence_age_s?: number;
    readonly independent_confirmation?: boolean;
    readonly incompleteness_rule?: "deny" | "review";
    readonly evidence_types?: Readonly<
      Record<string, { readonly fact_type: string; readonly subject?: string }>
    >;
    readonly required_postconditions?: readonly string[];
    readonly policy_owners?: readonly string[];
    /** By role, the trust domains whose word counts in it. */
    readonly trusts?: Readonly<Record<string, readonly string[]>>;
    readonly excusable?: readonly string[];
    readonly budget?: Readonly<Record<string, number>>;
  };
  policy: {
    readonly policy_digest: string;
    readonly policy_version: string;
    readonly owner: string;
    readonly effective_from: string;
    readonly policy_name?: string;
    readonly supersedes?: RecordRef<"policy">;
    readonly media_type?: string;
    readonly uri?: string;
  };
  exception: {
    readonly scope: {
      readonly action_type?: string;
      readonly request_hash?: RecordRef<"action-request">;
      readonly mission_id?: string;
    };
    /** The code of the finding that it excuses. */
    readonly check: string;
    readonly owner: string;
    readonly reason: string;
    readonly expires_at: string;
    readonly review_due?: string;
    readonly conflict_ref?: string;
  };
  mission: {
    readonly objective: string;
    readonly proxy_metric: string;
    readonly constraints: readonly Json[];
    readonly owner: string;
    readonly counters: readonly Json[];
    readonly triggers: readonly Json[];
    readonly starts_at: string;
    readonly ends_at?: string;
  };
  "mission-report": {
    readonly window: { readonly from: string; readonly to: string };
    readonly counters: JsonObject;
    readonly cohorts: JsonObject;
    readonly source_digest?: string;
  };
  "strategy-receipt": {
    readonly objective: string;
    readonly proxy_metric: string;
    readonly current_tactic_cluster: readonly Json[];
    readonly cohorts_affected: readonly Json[];
    readonly risk_signals: JsonObject;
    readonly review_status: string;
    readonly covers: { readonly from_index: number; readonly to_index: number };
    readonly next_review_due?: string;
  };
  override: { readonly target: RecordRef; readonly reason: string };
  "boundary-seal": {
    readonly boundary_id: string;
    readonly window: { readonly from: string; readonly to: string };
    readonly first_seq: number;
    readonly last_seq: number;
    readonly count: number;
    readonly refused: number;
  };
}

export type RecordType = keyof RecordMembers;

/** What every record holds; `type` and `v` are filled in. */
export interface CommonMembers {
  readonly issuer: string;
  readonly issued_at: string;
  readonly trace_id?: string;
  readonly mission_id?: string;
  readonly previous_trace_hash?: RecordRef;
}

/** What a link of each name may name; null: any record. */
const LINKED_TYPE: Readonly<Record<LinkMember, RecordType | null>> = {
  request_hash: "action-request",
  decision_hash: "policy-decision",
  capability_hash: "capability-grant",
  parent_capability_hash: "capability-grant",
  parent_request: "action-request",
  prior_receipts: "execution-receipt",
  previous_trace_hash: null,
  via_receipt: "execution-receipt",
  supersedes: null,
  confirms: "fact",
  target: null,
  "scope.request_hash": "action-request",
  delegation_hash: "delegation",
  parent_delegation: "delegation",
};

/**
 * The record of these members, in RFC 8785 form, checked as the log will check it. WritError RECORD_MALFORMED or
 * RECORD_INVALID with the path of the member; TypeError for a link to a record of another type.
 */
export function buildRecord<T extends RecordType>(
  type: T,
  members: CommonMembers & RecordMembers[T],
): BuiltRecord<T> {
  const plain = unlink(members, type);
  const bytes = utf8(canonicalJson({ ...plain, type, v: 1 }));
  const record = parseRecord(bytes);
  checkRecord(record);
  return new BuiltRecord(type, idOf(record), record.value, bytes);
}

/** The members with ids in the place of references, and without those that are undefined. */
function unlink(members: object, type: RecordType, prefix = ""): JsonObject {
  const plain: { [name: string]: Json } = {};
  for (const [name, member] of Object.entries(members) as [string, unknown][]) {
    if (member === undefined) continue;
    plain[name] = plainMember(member, type, prefix + name);
  }
  return plain;
}

function plainMember(member: unknown, type: RecordType, path: string): Json {
  if (member instanceof RecordRef) return linkedId(member, type, path);
  if (Array.isArray(member))
    return member.map((one: unknown) =>
      one instanceof RecordRef ? linkedId(one, type, path) : (one as Json),
    );
  const holdsRefs = typeof member === "object" && member !== null && path === "scope";
  return holdsRefs ? unlink(member, type, "scope.") : (member as Json);
}

function linkedId(ref: RecordRef, type: RecordType, path: string): string {
  const member = LINK_MEMBERS.find((name) => name === path);
  const want = member === "supersedes" ? type : member === undefined ? undefined : LINKED_TYPE[member];
  if (want === undefined) throw new TypeError(`${path} is no link to a record`);
  if (want !== null && want !== ref.type)
    throw new TypeError(`${path} links to a ${want}, got a ${ref.type}`);
  return ref.id;
}
