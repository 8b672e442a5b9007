/** The same stories, each with one change, and what the judgement must say of it. */
import type { FindingCode, VerdictWord } from "../trace/verdict.js";
import {
  again,
  type Change,
  dated,
  drop,
  edit,
  extra,
  insert,
  move,
  party,
  revoke,
  signedBy,
  subject,
  withhold,
} from "./changes.js";
import type { Stage, Step, Story } from "./stage.js";
import { retentionCampaign, stagingCleanUp, wireTransfer } from "./stories.js";

export interface Twist {
  readonly story: Story;
  readonly title: string;
  /** Codes that must be among the findings; more may follow from the same change. */
  readonly finds: readonly FindingCode[];
  readonly verdict: VerdictWord;
  /** The log itself refuses a step, with this code, and nothing more is judged. */
  readonly refused?: string;
}

function twist(
  story: Story,
  title: string,
  verdict: VerdictWord,
  finds: readonly FindingCode[],
  ...changes: readonly Change[]
): Twist {
  return { story: changes.reduce((changed, change) => change(changed), story), title, verdict, finds };
}

/** A change after which the log itself refuses a step. */
function refusal(story: Story, title: string, refused: string, ...changes: readonly Change[]): Twist {
  return { ...twist(story, title, "NOT_EXECUTED", [], ...changes), refused };
}

const exception = (expires: number, check: FindingCode = "EVIDENCE_STALE"): Step =>
  extra("exception", "exception", "owner", -410, (s) => ({
    scope: { action_type: s.own("wire.transfer"), request_hash: s.ref("action-request", "request") },
    check,
    owner: "user://acme/cfo",
    reason: "the profile was looked at again, by telephone",
    expires_at: s.time(expires),
  }));

const overdue = edit("receipt", (s) => ({ executed_at: s.time(1000) }));
const aged = edit("profile", (s) => ({ observed_at: s.time(-200_000) }));
const rival: Change = party("rival", { id: "user://acme/coo", roles: ["owner"] });
const grantRef = (s: Stage): object => s.ref("capability-grant", "grant");
const inAction = (was: { readonly [name: string]: unknown }, name: string): object => was[name] as object;

/** Both the request's and the grant's constraints, with one more. */
function constrained(name: string, value: unknown): readonly Change[] {
  return [
    edit("request", (_, was) => ({ constraints: { ...inAction(was, "constraints"), [name]: value } })),
    edit("grant", (_, was) => {
      const permitted = was["permitted_action"] as { constraints: object };
      return { permitted_action: { ...permitted, constraints: { ...permitted.constraints, [name]: value } } };
    }),
  ];
}

function amount(value: string): readonly Change[] {
  const parameters = { amount: value, payee: "acme-supplies", invoice: "PO-4812" };
  return [
    edit("request", () => ({ parameters })),
    edit("grant", (_, was) => ({ permitted_action: { ...inAction(was, "permitted_action"), parameters } })),
    edit("receipt", (_, was) => ({ executed_action: { ...inAction(was, "executed_action"), parameters } })),
  ];
}

export const TWISTS: readonly Twist[] = [
  // What was done.
  twist(
    stagingCleanUp,
    "production instead of staging",
    "VIOLATION",
    ["ACTION_MISMATCH", "CONSTRAINT_VIOLATED"],
    edit("receipt", (_, was) => ({
      executed_action: {
        ...inAction(was, "executed_action"),
        target: { tables: ["tmp_import_0412"], environment: "production" },
      },
    })),
  ),
  twist(
    wireTransfer,
    "an amount over the limit",
    "VIOLATION",
    ["CONSTRAINT_VIOLATED"],
    ...amount("50000.01 USD"),
  ),
  twist(
    wireTransfer,
    "an amount in another currency",
    "VIOLATION",
    ["CONSTRAINT_VIOLATED"],
    ...amount("41872.14 EUR"),
  ),
  twist(
    wireTransfer,
    "an amount that is none",
    "NOT_ESTABLISHED",
    ["CONSTRAINT_UNKNOWN"],
    ...amount("a lot"),
  ),
  twist(
    wireTransfer,
    "another payee",
    "VIOLATION",
    ["ACTION_MISMATCH", "CONSTRAINT_VIOLATED"],
    edit("receipt", (s) => ({
      executed_action: {
        action_type: s.own("wire.transfer"),
        target: { vendor: "acme-supplies", account: "DE02" },
        parameters: { amount: "41872.14 USD", payee: "shell-company" },
      },
    })),
  ),
  twist(
    wireTransfer,
    "another tool call than was consumed for",
    "VIOLATION",
    ["TOOL_DRIFT"],
    edit("receipt", (s) => ({ tool_call_hash: s.hash("another call") })),
  ),
  twist(
    wireTransfer,
    "another tool than was granted",
    "VIOLATION",
    ["TOOL_DRIFT"],
    edit("receipt", (s) => ({ tool_digest: s.hash("bank connector 4.3") })),
  ),
  twist(
    wireTransfer,
    "no postcondition shown",
    "VIOLATION",
    ["POSTCONDITION_MISSING"],
    edit("receipt", () => ({ postcondition_hashes: {} })),
  ),
  twist(
    wireTransfer,
    "a constraint that nobody knows",
    "NOT_ESTABLISHED",
    ["CONSTRAINT_UNKNOWN"],
    ...constrained("mood", "good"),
  ),
  twist(
    wireTransfer,
    "a pattern that would have to be run",
    "NOT_ESTABLISHED",
    ["CONSTRAINT_UNKNOWN"],
    ...constrained("invoice_pattern_must_match", "^PO-[0-9]+$"),
  ),
  twist(
    wireTransfer,
    "a constraint on something that nobody states",
    "VIOLATION",
    ["CONSTRAINT_UNCHECKED", "EXECUTION_UNSTATED"],
    ...constrained("weekday_allowlist", ["friday"]),
  ),
  twist(
    wireTransfer,
    "a duty that nobody did",
    "NOT_ESTABLISHED",
    ["CONSTRAINT_UNCHECKED"],
    ...constrained("callback_required", true),
  ),
  twist(
    wireTransfer,
    "a duty found undone",
    "VIOLATION",
    ["CONSTRAINT_VIOLATED"],
    edit("decision", () => ({ evaluated_evidence: [{ name: "sanctions_check", outcome: "fail" }] })),
  ),
  twist(
    stagingCleanUp,
    "executed outside not_after",
    "VIOLATION",
    ["CONSTRAINT_VIOLATED"],
    ...["request"].map((name) =>
      edit(name, (s, was) => ({ constraints: { ...inAction(was, "constraints"), not_after: s.time(-550) } })),
    ),
  ),

  // Who did it.
  twist(
    wireTransfer,
    "the wrong executor",
    "VIOLATION",
    ["AUDIENCE_MISMATCH"],
    party("other", { id: "executor://acme/other", roles: ["executor"] }),
    signedBy("receipt", "other"),
    edit("receipt", () => ({ executor_id: "executor://acme/other" })),
  ),
  twist(
    wireTransfer,
    "one key as executor and authority: it grants to itself",
    "VIOLATION",
    ["ROLE_COLLAPSE"],
    party("executor", { id: "executor://acme/payments", roles: ["executor", "authority"] }),
    signedBy("grant", "executor"),
  ),
  twist(
    wireTransfer,
    "the policy engine's key revoked later, believed only until before the decision",
    "VIOLATION",
    ["SIGNER_DISTRUSTED"],
    insert(
      "after",
      "seal",
      revoke(
        "registrar",
        -10,
        (s) => s.ref("key", "key:engine"),
        (s) => ({ effective_index: s.index("request") }),
      ),
    ),
  ),
  twist(
    wireTransfer,
    "the policy engine's key revoked afterwards, for no earlier reason",
    "AUTHORIZED",
    [],
    insert(
      "after",
      "seal",
      revoke("registrar", -10, (s) => s.ref("key", "key:engine")),
    ),
  ),
  refusal(
    wireTransfer,
    "the policy engine's key revoked before it decides",
    "KEY_DISTRUSTED",
    insert(
      "before",
      "decision",
      revoke("registrar", -595, (s) => s.ref("key", "key:engine")),
    ),
  ),
  twist(
    wireTransfer,
    "the agent's key signs for itself in another's trace chain",
    "VIOLATION",
    ["CHAIN_GAP"],
    edit("receipt", (s) => ({ previous_trace_hash: s.ref("action-request", "request") })),
  ),
  twist(
    wireTransfer,
    "two requests under one idempotency key, both granted",
    "VIOLATION",
    ["EQUIVOCATION"],
    again("request", "second-request", () => ({ intent: "pay it again" })),
    again("grant", "second-grant", (s) => ({
      request_hash: s.ref("action-request", "second-request"),
      nonce: s.own("n-4812-again"),
    })),
  ),
  twist(
    wireTransfer,
    "two records after the same one",
    "VIOLATION",
    ["EQUIVOCATION"],
    edit("receipt", (s) => ({ previous_trace_hash: s.ref("consumption", "consumption") })),
    again("receipt", "fork", (s) => ({
      outcome: "refused",
      capability_hash: null,
      executed_at: s.time(-299),
    })),
  ),

  // In which order.
  twist(
    wireTransfer,
    "the approval after the grant",
    "VIOLATION",
    ["APPROVAL_LATE", "APPROVAL_INSUFFICIENT"],
    move("treasury-approval", "after", "grant"),
  ),
  twist(
    wireTransfer,
    "approved by the agent itself",
    "VIOLATION",
    ["APPROVAL_SELF", "APPROVAL_INSUFFICIENT"],
    party("agent", { id: "agent://acme/buyer", roles: ["agent", "approver"], approverRoles: ["treasury"] }),
    signedBy("treasury-approval", "agent"),
    edit("treasury-approval", () => ({ approver_id: "agent://acme/buyer" })),
  ),
  twist(wireTransfer, "an approval short", "VIOLATION", ["APPROVAL_INSUFFICIENT"], drop("treasury-approval")),
  twist(
    wireTransfer,
    "approved by somebody without that role",
    "VIOLATION",
    ["APPROVAL_INSUFFICIENT"],
    edit("treasury-approval", () => ({ approver_role: "finance" })),
  ),
  twist(
    wireTransfer,
    "the approval taken back before the grant",
    "VIOLATION",
    ["APPROVAL_INSUFFICIENT"],
    again("treasury-approval", "rejection", () => ({ approval: "reject" })),
  ),
  twist(
    wireTransfer,
    "an approval that had expired",
    "VIOLATION",
    ["APPROVAL_EXPIRED"],
    edit("finance-approval", (s) => ({ expires_at: s.time(-450) })),
  ),
  twist(
    wireTransfer,
    "a decision before its request",
    "VIOLATION",
    ["DECISION_BEFORE_REQUEST"],
    move("decision", "before", "request"),
  ),
  twist(
    wireTransfer,
    "a decision after its grant",
    "VIOLATION",
    ["DECISION_AFTER_GRANT"],
    move("decision", "after", "grant"),
  ),
  twist(
    wireTransfer,
    "a decision that nobody logged",
    "VIOLATION",
    ["DECISION_MISSING"],
    withhold("decision"),
  ),
  twist(
    wireTransfer,
    "denied, and granted all the same",
    "VIOLATION",
    ["DENIED_BUT_GRANTED"],
    edit("decision", () => ({ decision: "deny" })),
  ),
  twist(
    wireTransfer,
    "allowed, and taken back by a later decision before the grant",
    "VIOLATION",
    ["DENIED_BUT_GRANTED"],
    again("decision", "second-thought", (s) => ({
      decision: "deny",
      supersedes: s.ref("policy-decision", "decision"),
    })),
  ),
  twist(
    wireTransfer,
    "a decision that had expired",
    "VIOLATION",
    ["DECISION_EXPIRED"],
    edit("decision", (s) => ({ expires_at: s.time(-450) })),
  ),
  twist(
    wireTransfer,
    "a request that had expired",
    "VIOLATION",
    ["REQUEST_EXPIRED"],
    edit("request", (s) => ({ expires_at: s.time(-595) })),
  ),
  twist(
    wireTransfer,
    "a receipt for another request",
    "VIOLATION",
    ["REQUEST_MISMATCH"],
    edit("receipt", (s) => ({ request_hash: s.ref("action-request", "onboard-request") })),
  ),
  twist(wireTransfer, "a request that nobody logged", "VIOLATION", ["REQUEST_MISSING"], withhold("request")),

  // By what grant.
  twist(
    wireTransfer,
    "a receipt with no grant",
    "VIOLATION",
    ["GRANT_MISSING"],
    withhold("grant"),
    drop("consumption"),
  ),
  twist(
    wireTransfer,
    "a grant after the receipt",
    "VIOLATION",
    ["GRANT_AFTER_RECEIPT"],
    drop("consumption"),
    move("grant", "after", "receipt"),
  ),
  twist(wireTransfer, "an expired grant", "VIOLATION", ["GRANT_EXPIRED"], overdue),
  twist(
    wireTransfer,
    "a longer lifetime than the action type allows",
    "VIOLATION",
    ["GRANT_EXPIRED"],
    edit("wire-type", () => ({ max_grant_lifetime_s: 60 })),
  ),
  twist(
    wireTransfer,
    "a grant that is not valid yet",
    "VIOLATION",
    ["GRANT_NOT_YET_VALID"],
    edit("grant", (s) => ({ not_before: s.time(-100) })),
    drop("consumption"),
  ),
  twist(
    wireTransfer,
    "a grant wider than the request",
    "VIOLATION",
    ["SCOPE_WIDENED"],
    edit("grant", (_, was) => {
      const permitted = was["permitted_action"] as { constraints: object };
      return {
        permitted_action: {
          ...permitted,
          constraints: { ...permitted.constraints, amount_max: "60000.00 USD" },
        },
      };
    }),
  ),
  twist(
    wireTransfer,
    "a grant for another action",
    "VIOLATION",
    ["ACTION_MISMATCH"],
    edit("grant", (s, was) => ({
      permitted_action: { ...inAction(was, "permitted_action"), action_type: s.own("vendor.onboard") },
    })),
  ),
  twist(
    stagingCleanUp,
    "a widened child grant",
    "VIOLATION",
    ["ATTENUATION_BROKEN"],
    edit("child-grant", (_, was) => {
      const permitted = was["permitted_action"] as { constraints: Record<string, unknown> };
      return {
        permitted_action: { ...permitted, constraints: { ...permitted.constraints, table_prefix: "t" } },
      };
    }),
  ),
  twist(
    wireTransfer,
    "one grant used twice",
    "VIOLATION",
    ["NONCE_REUSED", "EXECUTED_TWICE"],
    again("receipt", "second-receipt", (s) => ({
      seq: 2,
      executed_at: s.time(-250),
      tool_call_hash: s.hash("second call"),
    })),
    edit("seal", () => ({ last_seq: 2, count: 2 })),
  ),
  twist(
    wireTransfer,
    "one nonce in two grants, both used",
    "VIOLATION",
    ["NONCE_REUSED"],
    again("grant", "second-grant", (s) => ({ expiry: s.time(901) })),
    again("receipt", "second-receipt", (s) => ({
      capability_hash: s.ref("capability-grant", "second-grant"),
      tool_call_hash: s.hash("second call"),
      seq: 2,
    })),
    edit("seal", () => ({ last_seq: 2, count: 2 })),
  ),
  twist(
    stagingCleanUp,
    "children used more often than the grant above them",
    "VIOLATION",
    ["NONCE_REUSED"],
    edit("grant", () => ({ max_uses: 1 })),
    again("child-grant", "sibling", (s) => ({ nonce: s.own("n-0414-2") })),
    again("receipt", "second-receipt", (s) => ({
      capability_hash: s.ref("capability-grant", "sibling"),
      tool_call_hash: s.hash("second call"),
    })),
  ),
  twist(
    stagingCleanUp,
    "two terminal receipts for one call",
    "VIOLATION",
    ["TERMINAL_DUPLICATE"],
    edit("child-grant", () => ({ max_uses: 2 })),
    again("receipt", "second-receipt", () => ({ outcome: "failed" })),
  ),
  twist(wireTransfer, "never consumed", "VIOLATION", ["CONSUMPTION_MISSING"], drop("consumption")),
  refusal(
    wireTransfer,
    "consumed a second time",
    "GRANT_USED",
    again("consumption", "second-consumption", (s) => ({ consumed_at: s.time(-305) })),
  ),
  refusal(
    wireTransfer,
    "consumed after it was revoked",
    "GRANT_REVOKED",
    insert("before", "consumption", revoke("authority", -320, grantRef)),
  ),
  twist(
    stagingCleanUp,
    "revoked before the execution",
    "VIOLATION",
    ["WITHDRAWN_BEFORE_USE"],
    drop("consumption"),
    dated("receipt", { loggedAt: 60, members: (s) => ({ executed_at: s.time(60) }) }),
    insert("before", "receipt", revoke("authority", -510, grantRef)),
  ),
  twist(
    stagingCleanUp,
    "suspended, and resumed before the execution",
    "AUTHORIZED",
    [],
    insert(
      "before",
      "consumption",
      revoke("authority", -560, grantRef, () => ({ action: "suspend" })),
      { ...revoke("authority", -550, grantRef, () => ({ action: "resume" })), name: "resumption" },
    ),
  ),
  twist(
    wireTransfer,
    "revoked between consumption and execution",
    "NOT_ESTABLISHED",
    ["WITHDRAWN_DURING_USE"],
    insert("before", "receipt", revoke("owner", -305, grantRef)),
  ),
  twist(
    stagingCleanUp,
    "revoked by somebody who may not",
    "AUTHORIZED",
    [],
    rival,
    insert("before", "consumption", revoke("rival", -560, grantRef)),
  ),
  twist(
    wireTransfer,
    "consumed, expired, and no receipt",
    "NOT_ESTABLISHED",
    ["USE_UNRECEIPTED"],
    drop("receipt", "seal"),
    edit("grant", (s) => ({ expiry: s.time(300) })),
    subject("consumption"),
  ),
  twist(
    wireTransfer,
    "refused at the boundary",
    "NOT_EXECUTED",
    [],
    drop("consumption"),
    edit("receipt", () => ({ outcome: "refused", executed_action: undefined })),
  ),
  twist(
    wireTransfer,
    "still pending",
    "NOT_EXECUTED",
    [],
    drop("grant", "consumption", "receipt", "seal"),
    subject("request"),
  ),
  twist(
    stagingCleanUp,
    "a receipt logged long after the grant's expiry, dated within it",
    "NOT_ESTABLISHED",
    ["BACKDATED"],
    drop("consumption"),
    edit("receipt", (s) => ({ executed_at: s.time(-10_000) })),
    ...["grant", "child-grant"].map((name) => edit(name, (s) => ({ expiry: s.time(-9_000) }))),
    dated("request", { at: -12_000, members: (s) => ({ requested_at: s.time(-12_000) }) }),
    dated("decision", { at: -11_500, members: (s) => ({ decided_at: s.time(-11_500) }) }),
    dated("grant", { at: -11_400 }),
    dated("child-grant", { at: -11_300 }),
  ),

  // Under which rules.
  twist(
    wireTransfer,
    "a policy that nobody logged",
    "VIOLATION",
    ["POLICY_UNREGISTERED"],
    drop("policy"),
    edit("profile", () => ({ policy_digest: undefined })),
  ),
  twist(
    wireTransfer,
    "a policy superseded before the decision",
    "VIOLATION",
    ["POLICY_STALE"],
    insert(
      "before",
      "request",
      extra("policy", "policy-2", "owner", -700, (s) => ({
        policy_digest: s.hash("policy 2026-05"),
        policy_version: "2026-05",
        owner: "user://acme/cfo",
        effective_from: s.time(-700),
        supersedes: s.ref("policy", "policy"),
      })),
    ),
  ),
  twist(
    wireTransfer,
    "a request under another version of the policy",
    "VIOLATION",
    ["POLICY_STALE"],
    edit("request", () => ({ policy_version: "2026-03" })),
  ),
  twist(
    wireTransfer,
    "an unregistered action type",
    "VIOLATION",
    ["ACTION_TYPE_UNREGISTERED"],
    drop("wire-type"),
  ),
  twist(
    wireTransfer,
    "an incomplete registration",
    "VIOLATION",
    ["REGISTRATION_INCOMPLETE"],
    edit("wire-type", () => ({ owner: "", escalation_path: [] })),
  ),
  twist(
    retentionCampaign,
    "an incomplete registration of a lower tier",
    "NOT_ESTABLISHED",
    ["REGISTRATION_INCOMPLETE"],
    edit("offer-type", () => ({ test_suite_digest: "" })),
  ),
  twist(
    wireTransfer,
    "an action type that two owners claim",
    "VIOLATION",
    ["ACTION_TYPE_CONTESTED"],
    rival,
    again("wire-type", "rival-type", () => ({})),
    signedBy("rival-type", "rival"),
  ),
  twist(
    wireTransfer,
    "claimed by two, until one withdrew",
    "AUTHORIZED",
    [],
    rival,
    again("wire-type", "rival-type", () => ({})),
    signedBy("rival-type", "rival"),
    insert(
      "before",
      "request",
      revoke("rival", -650, (s) => s.ref("action-type", "rival-type")),
    ),
  ),
  twist(
    wireTransfer,
    "an exception in force",
    "AUTHORIZED_WITH_EXCEPTION",
    ["EVIDENCE_STALE"],
    aged,
    insert("before", "grant", exception(2000)),
  ),
  twist(
    wireTransfer,
    "an exception that had expired",
    "VIOLATION",
    ["EVIDENCE_STALE"],
    aged,
    insert("before", "grant", exception(-350)),
  ),
  twist(
    wireTransfer,
    "an exception after the fact",
    "VIOLATION",
    ["EVIDENCE_STALE"],
    aged,
    insert("after", "receipt", exception(2000)),
  ),
  twist(
    retentionCampaign,
    "a mission that was over",
    "VIOLATION",
    ["MISSION_MISMATCH"],
    edit("mission", (s) => ({ ends_at: s.time(-1000) })),
  ),
  twist(
    retentionCampaign,
    "a mission that does not exist",
    "VIOLATION",
    ["MISSION_MISMATCH"],
    edit("mission", (s) => ({ mission_id: s.own("retention-q1") })),
  ),

  // On what evidence.
  twist(
    wireTransfer,
    "evidence superseded before the grant",
    "VIOLATION",
    ["EVIDENCE_SUPERSEDED"],
    insert(
      "after",
      "confirmation",
      extra("fact", "correction", "recorder", -1550, (s) => ({
        subject: s.own("vendor:acme-supplies"),
        fact_type: "vendor-profile",
        value_hash: s.hash("a new profile"),
        writer_id: "recorder://acme/vendors",
        writer_class: "human",
        control_domain: "acme-vendors",
        observed_at: s.time(-1550),
        supersedes: s.ref("fact", "profile"),
      })),
    ),
  ),
  twist(
    wireTransfer,
    "evidence that is too old",
    "VIOLATION",
    ["EVIDENCE_STALE"],
    edit("profile", (s) => ({ observed_at: s.time(-200_000) })),
  ),
  twist(
    wireTransfer,
    "evidence that nobody wrote down",
    "NOT_ESTABLISHED",
    ["EVIDENCE_UNRESOLVED"],
    edit("request", (s) => ({
      evidence_hashes: { vendor_profile: s.hash("profile of Acme Supplies"), invoice: s.hash("the invoice") },
    })),
  ),
  twist(
    wireTransfer,
    "a fact confirmed by its own writer",
    "VIOLATION",
    ["SELF_CORROBORATED"],
    signedBy("confirmation", "recorder"),
    edit("confirmation", () => ({ writer_id: "recorder://acme/vendors" })),
  ),
  twist(
    wireTransfer,
    "a fact that nobody confirmed",
    "VIOLATION",
    ["CONFIRMATION_MISSING"],
    drop("confirmation"),
  ),
  twist(
    wireTransfer,
    "the onboarding it rests on was denied",
    "VIOLATION",
    ["PRIOR_VIOLATION"],
    edit("onboard-decision", () => ({ decision: "deny" })),
  ),
  twist(
    wireTransfer,
    "the onboarding's receipt is nowhere",
    "NOT_ESTABLISHED",
    ["PRIOR_UNRESOLVED"],
    withhold("onboard-receipt"),
  ),
  twist(
    wireTransfer,
    "the onboarding's receipt came after the grant",
    "VIOLATION",
    ["FORWARD_REFERENCE"],
    move("onboard-receipt", "after", "grant"),
  ),

  // What somebody might try.
  twist(
    wireTransfer,
    "approvals asked for in the number of none",
    "VIOLATION",
    ["APPROVAL_INSUFFICIENT"],
    edit("request", () => ({ required_approvals: [{ role: "anybody", min: 0 }] })),
    edit("wire-type", () => ({ required_approvals: undefined })),
    edit("decision", () => ({ decision: "allow", required_approvals: undefined })),
    drop("finance-approval", "treasury-approval"),
  ),
  twist(
    wireTransfer,
    "classified as a type that nobody registered",
    "VIOLATION",
    ["ACTION_TYPE_UNREGISTERED"],
    edit("decision", (s) => ({ classified_action_type: s.own("petty.cash") })),
  ),
  twist(
    stagingCleanUp,
    "one more target than was granted",
    "VIOLATION",
    ["ACTION_MISMATCH"],
    edit("receipt", (s) => ({
      executed_action: {
        action_type: s.own("db.drop"),
        target: {
          tables: ["tmp_import_0412", "tmp_import_0413"],
          environment: "staging",
          databases: ["customers"],
        },
      },
    })),
  ),
  twist(
    wireTransfer,
    "a second amount beside the one that is limited",
    "VIOLATION",
    ["ACTION_MISMATCH", "CONSTRAINT_VIOLATED"],
    edit("receipt", (_, was) => {
      const done = was["executed_action"] as { parameters: object };
      return {
        executed_action: { ...done, parameters: { ...done.parameters, amounts: ["9000000.00 USD"] } },
      };
    }),
  ),
  twist(
    stagingCleanUp,
    "another tool than the grant above allows",
    "VIOLATION",
    ["TOOL_DRIFT"],
    edit("grant", () => ({ tool_digest: "A" })),
    edit("receipt", () => ({ tool_digest: "B" })),
  ),
  twist(
    retentionCampaign,
    "a receipt before its request",
    "VIOLATION",
    ["REQUEST_MISSING"],
    move("request", "after", "receipt"),
  ),
  twist(
    wireTransfer,
    "a confirmation that its writer took back",
    "VIOLATION",
    ["CONFIRMATION_MISSING"],
    again("confirmation", "second-look", (s) => ({
      confirms: undefined,
      value_hash: s.hash("not so"),
      supersedes: s.ref("fact", "confirmation"),
    })),
  ),
  twist(
    wireTransfer,
    "no evidence named, where it must be confirmed",
    "VIOLATION",
    ["CONFIRMATION_MISSING"],
    edit("request", () => ({ evidence_hashes: undefined })),
    edit("decision", () => ({ evaluated_evidence: [{ name: "sanctions_check", outcome: "pass" }] })),
    edit("wire-type", () => ({ required_evidence: undefined })),
  ),
  twist(
    wireTransfer,
    "evidence that only rests on its own refused attempt",
    "NOT_ESTABLISHED",
    ["EVIDENCE_UNRESOLVED"],
    withhold("profile"),
    drop("confirmation"),
    edit("onboard-receipt", () => ({ evidence_written: undefined })),
    insert(
      "before",
      "grant",
      extra("execution-receipt", "attempt", "executor", -440, (s) => ({
        request_hash: s.ref("action-request", "request"),
        capability_hash: null,
        executor_id: "executor://acme/payments",
        tool_call_hash: s.hash("attempt"),
        outcome: "refused",
        postcondition_hashes: {},
        evidence_written: [s.hash("profile of Acme Supplies")],
        executed_at: s.time(-440),
      })),
    ),
  ),
  twist(
    wireTransfer,
    "the next policy announced ahead of time",
    "AUTHORIZED",
    [],
    insert(
      "before",
      "request",
      extra("policy", "policy-2", "owner", -700, (s) => ({
        policy_digest: s.hash("policy 2026-05"),
        policy_version: "2026-05",
        owner: "user://acme/cfo",
        effective_from: s.time(86_400),
        supersedes: s.ref("policy", "policy"),
      })),
    ),
  ),
  twist(
    wireTransfer,
    "a stranger's seal over the executor's boundary",
    "AUTHORIZED",
    [],
    party("other", { id: "executor://acme/other", roles: ["executor"] }),
    again("seal", "false-seal", () => ({ last_seq: 9, count: 9 })),
    signedBy("false-seal", "other"),
  ),
  twist(
    retentionCampaign,
    "a light receipt, where no more is asked for",
    "RECORDED",
    [],
    edit("offer-type", () => ({ risk_tier: 0 })),
    edit("receipt", () => ({ request_hash: null, capability_hash: null })),
    withhold("request", "decision", "grant"),
  ),
  twist(
    retentionCampaign,
    "a light receipt that names what nobody logged",
    "VIOLATION",
    ["REQUEST_MISSING", "DECISION_MISSING"],
    edit("offer-type", () => ({ risk_tier: 0 })),
    withhold("request", "decision"),
  ),

  // And what was left out.
  twist(
    wireTransfer,
    "a receipt withheld, found by the boundary seal",
    "VIOLATION",
    ["OMISSION", "SEQ_GAP"],
    edit("seal", () => ({ last_seq: 2, count: 2 })),
  ),
  twist(
    wireTransfer,
    "one sequence number twice",
    "VIOLATION",
    ["SEQ_GAP"],
    again("onboard-receipt", "other-receipt", (s) => ({
      boundary_id: s.own("payments-gateway"),
      seq: 1,
      outcome: "refused",
      capability_hash: null,
    })),
    edit("seal", () => ({ count: 2 })),
  ),
];
