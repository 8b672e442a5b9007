/**
 * The essay's own worked examples, with its own JSON: a wire transfer and the clean-up of a staging database, by the ceremony
 * that it describes and no more. What its requests call `agent`, `human_delegate`, `amount`, `payee` and `evidence` are our
 * `agent_id`, `delegator_id`, `parameters.amount`, `target.payee` and `evidence_hashes`; where it shortens a digest there is a
 * whole one.
 */
import { type Party, type Stage, step, type Story } from "./stage.js";

const MAYA = "user:maya.cfo";

const parties: Readonly<Record<string, Party>> = {
  agent: { id: "ap-agent:v3.2", roles: ["agent"], domain: "acme-automation" },
  engine: { id: "policy-engine:ap", roles: ["policy-engine"], domain: "acme-risk" },
  cfo: { id: MAYA, roles: ["approver"], domain: "acme-finance", approverRoles: ["cfo"] },
  authority: { id: "authority:payments", roles: ["authority"], domain: "acme-security" },
  executor: { id: "adapter:bank", roles: ["executor"], domain: "acme-treasury" },
  owner: { id: "owner:finance", roles: ["owner"], domain: "acme-finance" },
  erp: { id: "erp:acme", roles: ["recorder"], domain: "acme-erp", writerClass: "external-system" },
  bank: { id: "bank:first", roles: ["recorder"], domain: "first-bank", writerClass: "external-system" },
};

const EVIDENCE = [
  ["invoice", "invoice", "invoice:2026-04"],
  ["po", "purchase-order", "po:4812"],
  ["profile", "vendor-profile", "vendor:acme"],
] as const;

/** Who wrote a document down, and the bank that confirms it. */
const facts = EVIDENCE.flatMap(([name, type, subject]) =>
  (["", "-confirmed"] as const).map((suffix) =>
    step("fact", name + suffix, suffix === "" ? "erp" : "bank", suffix === "" ? -1800 : -1700, (s) => ({
      subject: s.own(subject),
      fact_type: type,
      value_hash: s.hash(name),
      writer_id: suffix === "" ? "erp:acme" : "bank:first",
      writer_class: "external-system",
      control_domain: suffix === "" ? "acme-erp" : "first-bank",
      observed_at: s.time(suffix === "" ? -1800 : -1700),
      ...(suffix === "" ? {} : { confirms: s.ref("fact", name) }),
    })),
  ),
);

const registered = (s: Stage, name: string, tier: 1 | 2 | 3, owner: string) => ({
  action_type: s.own(name),
  version: "1",
  owner,
  escalation_path: [owner],
  conflict_rule: "the owner decides",
  risk_tier: tier,
  test_suite_digest: s.hash("tests"),
  receipt_schema_digest: s.hash("receipt schema"),
});

const wireTarget = (s: Stage) => ({
  payee: { vendor_id: s.own("vendor:acme"), bank_account_fingerprint: s.hash("account") },
});
const wireLimits = {
  max_amount: "50000.00 USD",
  po_required: true,
  duplicate_invoice_check: true,
  payee_must_match_vendor_profile: true,
};

export const essayWire: Story = {
  name: "essay-wire",
  title: "The essay's wire transfer: pay Acme's April invoice, matched to PO-4812",
  parties,
  subject: "receipt",
  steps: [
    step("action-type", "type", "owner", -80_000, (s) => ({
      ...registered(s, "wire.transfer.request", 3, "owner:finance"),
      required_approvals: [{ role: "cfo", min: 1 }],
      evidence_types: {
        invoice_hash: { fact_type: "invoice" },
        po_hash: { fact_type: "purchase-order" },
        vendor_profile_hash: { fact_type: "vendor-profile", subject: "target.payee.vendor_id" },
      },
      max_evidence_age_s: 86_400,
      independent_confirmation: true,
    })),
    step("policy", "policy", "owner", -79_000, (s) => ({
      policy_digest: s.hash("ap-policy v41"),
      policy_version: "ap-policy:v41",
      policy_name: "ap-under-50k",
      owner: "owner:finance",
      effective_from: s.time(-79_000),
    })),
    ...facts,
    step("action-request", "request", "agent", -600, (s) => ({
      trace_id: s.own("wire-acme-april"),
      agent_id: "ap-agent:v3.2",
      delegator_id: MAYA,
      action_type: s.own("wire.transfer.request"),
      intent: "Pay Acme April invoice matched to PO-4812",
      parameters: { amount: "41872.14 USD" },
      target: wireTarget(s),
      constraints: wireLimits,
      evidence_hashes: {
        invoice_hash: s.hash("invoice"),
        po_hash: s.hash("po"),
        vendor_profile_hash: s.hash("profile"),
      },
      policy_version: "ap-policy:v41",
      required_approvals: ["policy:ap-under-50k", `human:${MAYA}`],
      idempotency_key: s.own("wire-req-2026-05-07-000184"),
      requested_at: s.time(-600),
      expires_at: s.time(3600),
    })),
    step("policy-decision", "decision", "engine", -590, (s) => ({
      trace_id: s.own("wire-acme-april"),
      request_hash: s.ref("action-request", "request"),
      policy_digest: s.hash("ap-policy v41"),
      decision: "require-approval",
      required_approvals: [{ role: "cfo", min: 1 }],
      evaluated_evidence: [
        { name: "po_required", outcome: "pass" },
        { name: "duplicate_invoice_check", outcome: "pass" },
        { name: "payee_must_match_vendor_profile", outcome: "pass" },
        { name: "invoice_hash", outcome: "pass", hash: s.hash("invoice") },
        { name: "vendor_profile_hash", outcome: "pass", hash: s.hash("profile") },
      ],
      decided_at: s.time(-590),
      expires_at: s.time(1800),
    })),
    step("approval", "approval", "cfo", -500, (s) => ({
      trace_id: s.own("wire-acme-april"),
      request_hash: s.ref("action-request", "request"),
      approver_id: MAYA,
      approver_role: "cfo",
      approval: "approve",
      displayed_hash: s.id("request"),
      approved_at: s.time(-500),
      expires_at: s.time(1800),
    })),
    step("capability-grant", "grant", "authority", -400, (s) => ({
      trace_id: s.own("wire-acme-april"),
      request_hash: s.ref("action-request", "request"),
      decision_hash: s.ref("policy-decision", "decision"),
      permitted_action: {
        action_type: s.own("wire.transfer.request"),
        parameters: { amount: "41872.14 USD" },
        target: wireTarget(s),
        constraints: wireLimits,
      },
      audience: "adapter:bank",
      nonce: s.own("n-000184"),
      expiry: s.time(900),
      revocation_registry: s.origin,
    })),
    step("consumption", "consumption", "executor", -310, (s) => ({
      trace_id: s.own("wire-acme-april"),
      request_hash: s.ref("action-request", "request"),
      capability_hash: s.ref("capability-grant", "grant"),
      nonce: s.own("n-000184"),
      executor_id: "adapter:bank",
      tool_call_hash: s.hash("bank call"),
      consumed_at: s.time(-310),
    })),
    step("execution-receipt", "receipt", "executor", -300, (s) => ({
      trace_id: s.own("wire-acme-april"),
      request_hash: s.ref("action-request", "request"),
      capability_hash: s.ref("capability-grant", "grant"),
      executor_id: "adapter:bank",
      tool_call_hash: s.hash("bank call"),
      outcome: "executed",
      executed_action: {
        action_type: s.own("wire.transfer.request"),
        parameters: { amount: "41872.14 USD" },
        target: wireTarget(s),
      },
      postcondition_hashes: { settlement: s.hash("settlement message") },
      executed_at: s.time(-300),
    })),
  ],
};

const dropTarget = {
  environment: "staging",
  database: "staging-pg-04",
  tables: ["tmp_audit_2025_q3", "tmp_audit_2025_q4"],
};
const dropParameters = {
  row_counts: { tmp_audit_2025_q3: 312, tmp_audit_2025_q4: 408 },
  last_write_ages_days: { tmp_audit_2025_q3: 184, tmp_audit_2025_q4: 121 },
};
const dropLimits = {
  environment_allowlist: ["staging"],
  environment_denylist: ["production"],
  table_pattern_must_match: "^tmp_",
  row_count_max: 10000,
  backup_required: true,
};

export const essayDrop: Story = {
  name: "essay-drop",
  title: "The essay's coding agent: remove orphaned staging tables flagged in an environment audit",
  parties: {
    agent: { id: "coding-agent:v2.1", roles: ["agent"], domain: "acme-automation" },
    engine: { id: "policy-engine:infra", roles: ["policy-engine"], domain: "acme-risk" },
    alex: {
      id: "user:alex.eng",
      roles: ["approver"],
      domain: "acme-engineering",
      approverRoles: ["engineer"],
    },
    authority: { id: "authority:infra", roles: ["authority"], domain: "acme-security" },
    executor: { id: "adapter:database", roles: ["executor"], domain: "acme-platform" },
    owner: { id: "owner:infra", roles: ["owner"], domain: "acme-platform" },
    auditor: {
      id: "audit:environments",
      roles: ["recorder"],
      domain: "acme-audit",
      writerClass: "external-system",
    },
  },
  subject: "receipt",
  steps: [
    step("action-type", "type", "owner", -80_000, (s) => registered(s, "db.drop", 2, "owner:infra")),
    step("policy", "policy", "owner", -79_000, (s) => ({
      policy_digest: s.hash("infra-policy v17"),
      policy_version: "infra-policy:v17",
      policy_name: "staging-cleanup",
      owner: "owner:infra",
      effective_from: s.time(-79_000),
    })),
    step("fact", "audit", "auditor", -1800, (s) => ({
      subject: s.own("environment:staging-pg-04"),
      fact_type: "audit-report",
      value_hash: s.hash("audit report"),
      writer_id: "audit:environments",
      writer_class: "external-system",
      control_domain: "acme-audit",
      observed_at: s.time(-1800),
    })),
    step("action-request", "request", "agent", -600, (s) => ({
      trace_id: s.own("drop-staging"),
      agent_id: "coding-agent:v2.1",
      delegator_id: "user:alex.eng",
      action_type: s.own("db.drop"),
      intent: "Remove orphaned staging tables flagged in environment audit",
      target: dropTarget,
      parameters: dropParameters,
      constraints: dropLimits,
      evidence_hashes: { audit_report_hash: s.hash("audit report") },
      policy_version: "infra-policy:v17",
      required_approvals: ["policy:staging-cleanup", "human:user:alex.eng"],
      idempotency_key: s.own("drop-2026-05-07-staging-001"),
      requested_at: s.time(-600),
      expires_at: s.time(3600),
    })),
    step("policy-decision", "decision", "engine", -590, (s) => ({
      trace_id: s.own("drop-staging"),
      request_hash: s.ref("action-request", "request"),
      policy_digest: s.hash("infra-policy v17"),
      decision: "require-approval",
      required_approvals: [{ role: "engineer", min: 1 }],
      evaluated_evidence: [{ name: "backup_required", outcome: "pass" }],
      decided_at: s.time(-590),
    })),
    step("approval", "approval", "alex", -500, (s) => ({
      trace_id: s.own("drop-staging"),
      request_hash: s.ref("action-request", "request"),
      approver_id: "user:alex.eng",
      approver_role: "engineer",
      approval: "approve",
      displayed_hash: s.id("request"),
      approved_at: s.time(-500),
    })),
    step("capability-grant", "grant", "authority", -400, (s) => ({
      trace_id: s.own("drop-staging"),
      request_hash: s.ref("action-request", "request"),
      decision_hash: s.ref("policy-decision", "decision"),
      permitted_action: {
        action_type: s.own("db.drop"),
        target: dropTarget,
        parameters: dropParameters,
        constraints: dropLimits,
      },
      audience: "adapter:database",
      nonce: s.own("n-drop-001"),
      expiry: s.time(900),
      revocation_registry: s.origin,
    })),
    step("consumption", "consumption", "executor", -310, (s) => ({
      trace_id: s.own("drop-staging"),
      request_hash: s.ref("action-request", "request"),
      capability_hash: s.ref("capability-grant", "grant"),
      nonce: s.own("n-drop-001"),
      executor_id: "adapter:database",
      tool_call_hash: s.hash("drop call"),
      consumed_at: s.time(-310),
    })),
    step("execution-receipt", "receipt", "executor", -300, (s) => ({
      trace_id: s.own("drop-staging"),
      request_hash: s.ref("action-request", "request"),
      capability_hash: s.ref("capability-grant", "grant"),
      executor_id: "adapter:database",
      tool_call_hash: s.hash("drop call"),
      outcome: "executed",
      executed_action: { action_type: s.own("db.drop"), target: dropTarget, parameters: dropParameters },
      postcondition_hashes: { tables_gone: s.hash("catalogue after") },
      executed_at: s.time(-300),
    })),
  ],
};
