/**
 * The types of records, which roles may sign each, and what each must hold beyond the common members. A type whose
 * members are not listed yet is admitted by its common members and its role alone.
 */
import { type Check, count, jwk, keyId, label, listOf, oneOf, recordId, text, time } from "./member.js";

export const ROLES = [
  "agent",
  "policy-engine",
  "approver",
  "authority",
  "executor",
  "registrar",
  "owner",
  "recorder",
  "reviewer",
  "gateway",
] as const;
export type Role = (typeof ROLES)[number];

export type Members = Readonly<Record<string, Check>>;

export interface TypeRules {
  /** A key must be registered for one of these to sign the type. */
  readonly roles: readonly Role[];
  readonly required: Members;
  readonly optional: Members;
}

const commonOnly = { required: {}, optional: {} };

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
};

const policy: TypeRules = {
  roles: ["owner"],
  required: { policy_digest: text, policy_version: text, owner: text, effective_from: time },
  optional: { supersedes: recordId, media_type: text, uri: text },
};

/** Every type that can be submitted. (`log-policy` cannot: it is entry 0 and nothing else.) */
export const TYPES: ReadonlyMap<string, TypeRules> = new Map<string, TypeRules>([
  ["action-request", { roles: ["agent"], ...commonOnly }],
  ["policy-decision", { roles: ["policy-engine"], ...commonOnly }],
  ["approval", { roles: ["approver"], ...commonOnly }],
  ["capability-grant", { roles: ["authority"], ...commonOnly }],
  ["consumption", { roles: ["executor"], ...commonOnly }],
  ["execution-receipt", { roles: ["executor"], ...commonOnly }],
  ["revocation", { roles: ["authority", "registrar", "owner"], ...commonOnly }],
  ["fact", { roles: ["recorder", "agent"], ...commonOnly }],
  ["key", key],
  ["action-type", { roles: ["owner"], ...commonOnly }],
  ["policy", policy],
  ["exception", { roles: ["owner"], ...commonOnly }],
  ["mission", { roles: ["owner"], ...commonOnly }],
  ["mission-report", { roles: ["recorder"], ...commonOnly }],
  ["strategy-receipt", { roles: ["reviewer"], ...commonOnly }],
  ["override", { roles: ["approver"], ...commonOnly }],
  ["boundary-seal", { roles: ["executor", "gateway"], ...commonOnly }],
]);

/** What every record holds. */
export const COMMON: { readonly required: Members; readonly optional: Members } = {
  required: { type: text, v: oneNumber(1), issuer: text, issued_at: time },
  optional: { trace_id: label, mission_id: label, previous_trace_hash: recordId },
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
  optional: {},
};

function oneNumber(n: number): Check {
  return (value) => (value === n ? undefined : { path: "", want: String(n) });
}
