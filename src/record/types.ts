/**
 * The types of records, which roles may sign each, and what each must hold beyond the common members: one table a type,
 * each reading like its row in the specification. Members that no table names are kept and ignored.
 *
 * A required member is never empty, unless that says that nothing is needed: a target, constraints, postconditions; and an
 * `action-type` may be registered incomplete, which the trace judges.
 */
import {
  anything,
  type Check,
  count,
  emptyOr,
  flag,
  holds,
  jwk,
  keyId,
  label,
  listOf,
  mapOf,
  nullOr,
  object,
  objectOf,
  oneOf,
  recordId,
  someOf,
  text,
  time,
} from "./member.js";

export const ROLES = [
  "agent",
  "principal",
  "policy-engine",
  "approver",
  "authority",
  "executor",
  "registrar",
  "owner",
  "recorder",
  "reviewer",
  "gateway",
  "closure",
] as const;
export type Role = (typeof ROLES)[number];

export type Members = Readonly<Record<string, Check>>;

export interface TypeRules {
  /** A key must be registered for one of these to sign the type. */
  readonly roles: readonly Role[];
  readonly required: Members;
  readonly optional: Members;
  /** Optional members that are asked to be right from the second version of the rules on; before it nobody looked. */
  readonly optionalSince2?: Members;
  /** The member that must equal `issuer`: nobody signs as someone else. */
  readonly signsAs?: string;
}

const RISK_TIERS = [0, 1, 2, 3];

/** A hash of something outside the log; its spelling is its owner's. */
const digest = text;
const filled = mapOf(anything, 1);
const nonEmpty = listOf(anything, 1);
const window = objectOf({ from: time, to: time });
const approvals = listOf(objectOf({ role: text, min: count }));
/** A request's demands: `{role, min}`, or a word such as `human:<id>`, `role:<role>`, `policy:<name>`. */
const demands = listOf(anything);
const writerClass = oneOf("human", "agent", "external-system", "sensor");
const positive = holds("a whole number ≥ 1", (value) => count(value) === undefined && value !== 0);
const riskTier = holds("0, 1, 2 or 3", (value) => RISK_TIERS.some((tier) => tier === value));
const version = holds(
  "text or a whole number",
  (value) => text(value) === undefined || count(value) === undefined,
);

const delegation: TypeRules = {
  roles: ["principal"],
  required: { delegator_id: text, delegate_id: text, action_types: listOf(text, 1), expires_at: time },
  optional: { constraints: object, not_before: time, max_tier: riskTier, parent_delegation: recordId },
  signsAs: "delegator_id",
};

const actionRequest: TypeRules = {
  roles: ["agent"],
  required: {
    agent_id: text,
    delegator_id: text,
    action_type: text,
    target: object,
    constraints: object,
    policy_version: text,
    requested_at: time,
  },
  optional: {
    intent: text,
    parameters: object,
    evidence_hashes: mapOf(digest),
    required_approvals: demands,
    idempotency_key: text,
    expires_at: time,
    parent_request: recordId,
  },
  optionalSince2: { delegation_hash: recordId, max_executions: positive, action_domain: label },
  signsAs: "agent_id",
};

const policyDecision: TypeRules = {
  roles: ["policy-engine"],
  required: {
    request_hash: recordId,
    policy_digest: digest,
    decision: oneOf("allow", "deny", "require-approval", "escalate"),
    decided_at: time,
  },
  optional: {
    policy_version: text,
    required_approvals: approvals,
    evaluated_evidence: listOf(objectOf({ name: text, outcome: oneOf("pass", "fail") }, { hash: digest })),
    reason: text,
    classified_action_type: text,
    expires_at: time,
    supersedes: recordId,
  },
};

const approval: TypeRules = {
  roles: ["approver"],
  required: {
    request_hash: recordId,
    approver_id: text,
    approver_role: text,
    approval: oneOf("approve", "reject"),
    approved_at: time,
  },
  optional: { displayed_hash: digest, expires_at: time },
  optionalSince2: { rendering_hash: digest },
  signsAs: "approver_id",
};

const capabilityGrant: TypeRules = {
  roles: ["authority"],
  required: {
    request_hash: recordId,
    decision_hash: recordId,
    permitted_action: objectOf(
      { action_type: text, target: object, constraints: object },
      { parameters: object },
    ),
    audience: text,
    nonce: text,
    expiry: time,
    revocation_registry: text,
  },
  optional: { not_before: time, max_uses: positive, parent_capability_hash: recordId, tool_digest: digest },
};

const consumption: TypeRules = {
  roles: ["executor"],
  required: {
    request_hash: recordId,
    capability_hash: recordId,
    nonce: text,
    executor_id: text,
    consumed_at: time,
  },
  optional: { tool_call_hash: digest },
  signsAs: "executor_id",
};

const executionReceipt: TypeRules = {
  roles: ["executor"],
  required: {
    request_hash: nullOr(recordId),
    capability_hash: nullOr(recordId),
    executor_id: text,
    tool_call_hash: digest,
    outcome: oneOf("executed", "failed", "refused", "partial", "reverted", "unknown"),
    postcondition_hashes: mapOf(digest),
    executed_at: time,
  },
  optional: {
    nonce: text,
    executed_action: objectOf({ action_type: text, target: object }, { parameters: object }),
    prior_receipts: listOf(recordId),
    evidence_written: listOf(digest),
    boundary_id: text,
    seq: count,
  },
  optionalSince2: { tool_digest: digest },
  signsAs: "executor_id",
};

const revocation: TypeRules = {
  roles: ["authority", "registrar", "owner", "principal", "recorder", "policy-engine"],
  required: { target: recordId, action: oneOf("revoke", "suspend", "resume"), reason: text },
  optional: { effective_index: count, cascade: flag },
};

const fact: TypeRules = {
  roles: ["recorder", "agent"],
  required: {
    subject: text,
    fact_type: text,
    value_hash: digest,
    writer_id: text,
    writer_class: writerClass,
    control_domain: text,
    observed_at: time,
  },
  optional: {
    via_receipt: recordId,
    policy_digest: digest,
    valid_until: time,
    supersedes: recordId,
    confirms: recordId,
  },
};

const key: TypeRules = {
  roles: ["registrar"],
  required: {
    key_id: keyId,
    public_key: jwk,
    algorithm: oneOf("Ed25519", "ES256"),
    roles: listOf(oneOf(...ROLES), 1),
    ids: listOf(text, 1),
    control_domain: text,
  },
  optional: { approver_roles: listOf(text), not_after: time, replaces: keyId, endorsed_by: text },
  optionalSince2: {
    writer_class: writerClass,
    trust_domain: label,
    id_prefixes: listOf(text, 1),
  },
};

const actionType: TypeRules = {
  roles: ["owner"],
  required: {
    action_type: text,
    version,
    owner: emptyOr(text),
    escalation_path: listOf(text),
    conflict_rule: emptyOr(text),
    risk_tier: riskTier,
    test_suite_digest: emptyOr(digest),
    receipt_schema_digest: emptyOr(digest),
  },
  optional: {
    required_approvals: approvals,
    required_evidence: listOf(text),
    max_grant_lifetime_s: count,
    max_evidence_age_s: count,
    independent_confirmation: flag,
    incompleteness_rule: oneOf("deny", "review"),
  },
  optionalSince2: {
    evidence_types: mapOf(objectOf({ fact_type: text }, { subject: text })),
    required_postconditions: listOf(text),
    policy_owners: listOf(text),
    trusts: mapOf(listOf(label)),
    excusable: listOf(text),
    budget: mapOf(count),
  },
};

const policy: TypeRules = {
  roles: ["owner"],
  required: { policy_digest: digest, policy_version: text, owner: text, effective_from: time },
  optional: { supersedes: recordId, media_type: text, uri: text },
  optionalSince2: { policy_name: text },
};

const exception: TypeRules = {
  roles: ["owner"],
  required: {
    scope: someOf({ action_type: text, request_hash: recordId, mission_id: label }),
    check: text,
    owner: text,
    reason: text,
    expires_at: time,
  },
  optional: { review_due: time, conflict_ref: text },
};

const mission: TypeRules = {
  roles: ["owner"],
  required: {
    objective: text,
    proxy_metric: text,
    constraints: nonEmpty,
    owner: text,
    counters: nonEmpty,
    triggers: nonEmpty,
    starts_at: time,
  },
  optional: { ends_at: time },
};

const missionReport: TypeRules = {
  roles: ["recorder"],
  required: { window, counters: filled, cohorts: filled },
  optional: { source_digest: digest },
};

const strategyReceipt: TypeRules = {
  roles: ["reviewer"],
  required: {
    objective: text,
    proxy_metric: text,
    current_tactic_cluster: nonEmpty,
    cohorts_affected: nonEmpty,
    risk_signals: filled,
    review_status: text,
    covers: objectOf({ from_index: count, to_index: count }),
  },
  optional: { next_review_due: time },
};

const override: TypeRules = {
  roles: ["approver"],
  required: { target: recordId, reason: text },
  optional: {},
};

const boundarySeal: TypeRules = {
  roles: ["executor", "gateway"],
  required: { boundary_id: text, window, first_seq: count, last_seq: count, count, refused: count },
  optional: {},
};

/** Every type that can be submitted. (`log-policy` cannot: the log alone says its policy.) */
export const TYPES: ReadonlyMap<string, TypeRules> = new Map<string, TypeRules>([
  ["delegation", delegation],
  ["action-request", actionRequest],
  ["policy-decision", policyDecision],
  ["approval", approval],
  ["capability-grant", capabilityGrant],
  ["consumption", consumption],
  ["execution-receipt", executionReceipt],
  ["revocation", revocation],
  ["fact", fact],
  ["key", key],
  ["action-type", actionType],
  ["policy", policy],
  ["exception", exception],
  ["mission", mission],
  ["mission-report", missionReport],
  ["strategy-receipt", strategyReceipt],
  ["override", override],
  ["boundary-seal", boundarySeal],
]);

/** What every record holds. */
export const COMMON: { readonly required: Members; readonly optional: Members } = {
  required: { type: text, v: oneNumber(1), issuer: text, issued_at: time },
  optional: { trace_id: label, mission_id: label, previous_trace_hash: recordId },
  // `traceparent` (W3C Trace Context) is kept as it is: one that is none is found by nobody.
};

/** Entry 0 of every log. */
export const LOG_POLICY: { readonly required: Members; readonly optional: Members } = {
  required: {
    origin: text,
    admission: oneOf("registered", "raw"),
    registrars: listOf(jwk, 1),
    max_entry_bytes: count,
    leaf: text,
  },
  // Logs made before these were said have an entry 0 without them.
  optional: {
    rules: object,
    rules_version: count,
    clock_tolerance_s: count,
    receipts: text,
    receipt_key: text,
  },
};

/** A later policy of the log's own key: which rules apply from here on, and nothing else. */
export const LATER_POLICY: { readonly required: Members; readonly optional: Members } = {
  required: { origin: text, rules_version: positive },
  optional: { rules: object },
};

function oneNumber(n: number): Check {
  return (value) => (value === n ? undefined : { path: "", want: String(n) });
}
