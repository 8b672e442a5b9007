/** Every type of record: what it must hold, what it may, and what a malformed one is told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { BuiltRecord, buildRecord, RecordRef } from "../../src/record/build.js";
import { checkRecord, parseRecord } from "../../src/record/record.js";
import { TYPES } from "../../src/record/types.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import type { Json, JsonObject } from "../../src/statement/json.js";
import { toJwk } from "../../src/statement/key.js";
import { agent } from "../support/log.js";

const TIME = "2026-05-01T12:00:00Z";
const ID = `sha256:${"ab".repeat(32)}`;
const WHO = "someone://acme";
const window = { from: TIME, to: TIME };

/** A record of each type with every member that its table names. */
const FULL: Readonly<Record<string, JsonObject>> = {
  "action-request": {
    agent_id: WHO,
    delegator_id: "u",
    action_type: "a",
    target: { x: 1 },
    constraints: { max_x: 2 },
    policy_version: "1",
    requested_at: TIME,
    intent: "i",
    parameters: {},
    evidence_hashes: { e: ID },
    required_approvals: [],
    idempotency_key: "k",
    expires_at: TIME,
    parent_request: ID,
  },
  delegation: {
    delegator_id: WHO,
    delegate_id: "agent",
    action_types: ["*"],
    expires_at: TIME,
    constraints: { max_x: 1 },
    not_before: TIME,
    max_tier: 3,
    parent_delegation: ID,
  },
  "policy-decision": {
    request_hash: ID,
    policy_digest: "d",
    decision: "allow",
    decided_at: TIME,
    policy_version: "1",
    required_approvals: [{ role: "r", min: 1 }],
    evaluated_evidence: [{ name: "n", outcome: "pass", hash: ID }],
    reason: "r",
    classified_action_type: "a",
    expires_at: TIME,
    supersedes: ID,
  },
  approval: {
    request_hash: ID,
    approver_id: WHO,
    approver_role: "r",
    approval: "approve",
    approved_at: TIME,
    displayed_hash: ID,
    expires_at: TIME,
  },
  "capability-grant": {
    request_hash: ID,
    decision_hash: ID,
    permitted_action: { action_type: "a", target: {}, constraints: {}, parameters: {} },
    audience: "x",
    nonce: "n",
    expiry: TIME,
    revocation_registry: "log",
    not_before: TIME,
    max_uses: 3,
    parent_capability_hash: ID,
    tool_digest: "t",
  },
  consumption: {
    request_hash: ID,
    capability_hash: ID,
    nonce: "n",
    executor_id: WHO,
    consumed_at: TIME,
    tool_call_hash: ID,
  },
  "execution-receipt": {
    request_hash: ID,
    capability_hash: ID,
    executor_id: WHO,
    tool_call_hash: ID,
    outcome: "executed",
    postcondition_hashes: {},
    executed_at: TIME,
    nonce: "n",
    executed_action: { action_type: "a", target: {}, parameters: {} },
    prior_receipts: [ID],
    evidence_written: [ID],
    boundary_id: "b",
    seq: 0,
  },
  revocation: { target: ID, action: "suspend", reason: "r", effective_index: 3, cascade: true },
  fact: {
    subject: "s",
    fact_type: "f",
    value_hash: ID,
    writer_id: "w",
    writer_class: "sensor",
    control_domain: "c",
    observed_at: TIME,
    via_receipt: ID,
    policy_digest: "p",
    valid_until: TIME,
    supersedes: ID,
    confirms: ID,
  },
  key: {
    key_id: agent.publicKey.keyId,
    public_key: toJwk(agent.publicKey),
    algorithm: "Ed25519",
    roles: ["agent"],
    ids: ["x"],
    control_domain: "c",
    approver_roles: ["r"],
    not_after: TIME,
    replaces: "cd".repeat(32),
    endorsed_by: "e",
  },
  "action-type": {
    action_type: "a",
    version: "1",
    owner: "o",
    escalation_path: ["o"],
    conflict_rule: "c",
    risk_tier: 3,
    test_suite_digest: "t",
    receipt_schema_digest: "r",
    required_approvals: [{ role: "r", min: 2 }],
    required_evidence: ["e"],
    max_grant_lifetime_s: 1,
    max_evidence_age_s: 1,
    independent_confirmation: true,
    incompleteness_rule: "deny",
  },
  policy: {
    policy_digest: "d",
    policy_version: "1",
    owner: "o",
    effective_from: TIME,
    supersedes: ID,
    media_type: "m",
    uri: "u",
  },
  exception: {
    scope: { action_type: "a", request_hash: ID, mission_id: "m" },
    check: "C",
    owner: "o",
    reason: "r",
    expires_at: TIME,
    review_due: TIME,
    conflict_ref: "c",
  },
  mission: {
    objective: "o",
    proxy_metric: "p",
    constraints: ["c"],
    owner: "o",
    counters: ["c"],
    triggers: ["t"],
    starts_at: TIME,
    ends_at: TIME,
  },
  "mission-report": { window, counters: { a: 1 }, cohorts: { a: 1 }, source_digest: "s" },
  "strategy-receipt": {
    objective: "o",
    proxy_metric: "p",
    current_tactic_cluster: ["c"],
    cohorts_affected: ["c"],
    risk_signals: { a: 1 },
    review_status: "r",
    covers: { from_index: 1, to_index: 2 },
    next_review_due: TIME,
  },
  override: { target: ID, reason: "r" },
  "boundary-seal": { boundary_id: "b", window, first_seq: 0, last_seq: 0, count: 1, refused: 0 },
};

function check(type: string, members: JsonObject): void {
  checkRecord(parseRecord(utf8(canonicalJson({ type, v: 1, issuer: WHO, issued_at: TIME, ...members }))));
}

/** The path in the refusal; undefined when there is none. */
function refusedAt(type: string, members: JsonObject): string | undefined {
  try {
    check(type, members);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof WritError && error.code === "RECORD_INVALID", String(error));
    assert.match(error.message, /want|missing/, "says what was wanted");
    return error.facts.path;
  }
}

function without(members: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([other]) => other !== name));
}

for (const [type, rules] of TYPES) {
  const full = FULL[type] ?? {};
  test(`${type}: with everything, with the required alone, with members that nobody knows`, () => {
    check(type, full);
    check(type, { ...full, something_else: { deep: [1] } });
    check(type, Object.fromEntries(Object.entries(full).filter(([name]) => name in rules.required)));
    assert.deepEqual(
      Object.keys(full).toSorted(),
      [...Object.keys(rules.required), ...Object.keys(rules.optional)].toSorted(),
    );
  });

  test(`${type}: a member that is missing, empty or of the wrong type is named`, () => {
    for (const name of Object.keys(rules.required)) {
      assert.equal(refusedAt(type, without(full, name)), name, `${name} missing`);
      assert.ok(
        refusedAt(type, { ...full, [name]: wrong(full[name]) })?.startsWith(name),
        `${name} of another type`,
      );
      const empty = emptied(full[name]);
      const mayBeEmpty =
        (type === "action-type" &&
          [
            "owner",
            "escalation_path",
            "conflict_rule",
            "test_suite_digest",
            "receipt_schema_digest",
          ].includes(name)) ||
        name === "postcondition_hashes" ||
        (type === "action-request" && ["target", "constraints"].includes(name));
      if (empty !== undefined)
        assert.equal(refusedAt(type, { ...full, [name]: empty }) === undefined, mayBeEmpty, `${name} empty`);
    }
    for (const name of Object.keys(rules.optional))
      assert.ok(
        refusedAt(type, { ...full, [name]: wrong(full[name]) })?.startsWith(name),
        `${name} of another type`,
      );
  });
}

function wrong(value: Json | undefined): Json {
  return typeof value === "number" || typeof value === "boolean" ? "text" : 7.5;
}

function emptied(value: Json | undefined): Json | undefined {
  if (typeof value === "string") return "";
  if (Array.isArray(value)) return [];
  return typeof value === "object" ? {} : undefined;
}

test("paths lead to the very member", () => {
  const cases: readonly (readonly [string, JsonObject, string])[] = [
    [
      "capability-grant",
      { permitted_action: { action_type: "", target: {}, constraints: {} } },
      "permitted_action.action_type",
    ],
    [
      "capability-grant",
      { permitted_action: { action_type: "a", constraints: {} } },
      "permitted_action.target",
    ],
    ["capability-grant", { max_uses: 0 }, "max_uses"],
    [
      "policy-decision",
      {
        evaluated_evidence: [
          { name: "n", outcome: "pass" },
          { name: "n", outcome: "maybe" },
        ],
      },
      "evaluated_evidence[1].outcome",
    ],
    ["policy-decision", { required_approvals: [{ role: "r" }] }, "required_approvals[0].min"],
    ["policy-decision", { decision: "perhaps" }, "decision"],
    ["execution-receipt", { prior_receipts: [ID, "sha256:AB"] }, "prior_receipts[1]"],
    ["execution-receipt", { postcondition_hashes: { settled: 5 } }, "postcondition_hashes.settled"],
    ["execution-receipt", { executed_at: "2026-02-30T00:00:00Z" }, "executed_at"],
    ["exception", { scope: {} }, "scope"],
    ["exception", { scope: { request_hash: "x" } }, "scope.request_hash"],
    ["action-type", { risk_tier: 4 }, "risk_tier"],
    ["boundary-seal", { window: { from: TIME } }, "window.to"],
    ["strategy-receipt", { covers: { from_index: 1, to_index: -1 } }, "covers.to_index"],
  ];
  for (const [type, members, path] of cases)
    assert.equal(refusedAt(type, { ...FULL[type], ...members }), path);
});

test("nobody signs as someone else; what was not asked for was not granted either", () => {
  for (const [type, member] of [
    ["delegation", "delegator_id"],
    ["action-request", "agent_id"],
    ["approval", "approver_id"],
    ["consumption", "executor_id"],
    ["execution-receipt", "executor_id"],
  ] as const)
    assert.equal(refusedAt(type, { ...FULL[type], [member]: "someone://else" }), member);
  const receipt = { ...FULL["execution-receipt"], capability_hash: null };
  assert.equal(refusedAt("execution-receipt", receipt), undefined);
  assert.equal(refusedAt("execution-receipt", { ...receipt, request_hash: null }), undefined);
  assert.equal(
    refusedAt("execution-receipt", { ...FULL["execution-receipt"], request_hash: null }),
    "request_hash",
  );
});

test("members that came with the second rules are checked from then on, and passed over before", () => {
  const odd = { ...FULL["action-request"], max_executions: "often", action_domain: 5 };
  assert.equal(refusedAt("action-request", odd), "max_executions");
  const bytes = utf8(canonicalJson({ type: "action-request", v: 1, issuer: WHO, issued_at: TIME, ...odd }));
  checkRecord(parseRecord(bytes), 1);
});

test("builders: the same record twice has one id, and a link to the wrong thing does not come about", () => {
  const common = { issuer: WHO, issued_at: TIME };
  const members = {
    ...common,
    agent_id: WHO,
    delegator_id: "u",
    action_type: "a",
    target: { x: 1 },
    constraints: { max_x: 2 },
    policy_version: "1",
    requested_at: TIME,
  };
  const request = buildRecord("action-request", members);
  assert.ok(request instanceof BuiltRecord);
  assert.equal(buildRecord("action-request", { ...members }).id, request.id);
  assert.equal(parseRecord(request.bytes).type, "action-request");
  const decision = { ...common, policy_digest: "d", decision: "allow", decided_at: TIME } as const;
  const decided = buildRecord("policy-decision", { ...decision, request_hash: request });
  assert.equal(decided.value["request_hash"], request.id);
  assert.throws(
    () => buildRecord("policy-decision", { ...decision, request_hash: decided as never }),
    /request_hash links to a action-request, got a policy-decision/,
  );
  assert.throws(
    () =>
      buildRecord("policy-decision", { ...decision, request_hash: request, supersedes: request as never }),
    /supersedes links to a policy-decision/,
  );
  assert.throws(
    () => buildRecord("policy-decision", { ...decision, request_hash: request, reason: request as never }),
    /reason is no link/,
  );
  assert.throws(() => new RecordRef("fact", "sha256:12"), TypeError);
  assert.throws(
    () => buildRecord("action-request", { ...members, action_type: "" }),
    (error) => error instanceof WritError && error.facts.path === "action_type",
  );
  const scoped = buildRecord("exception", {
    ...common,
    scope: { request_hash: request },
    check: "GRANT_EXPIRED",
    owner: "o",
    reason: "r",
    expires_at: TIME,
  });
  assert.deepEqual(scoped.value["scope"], { request_hash: request.id });
});
