/** What somebody might get away with: none of it comes out as authorized, soon after or long after. */
import {
  type Change,
  dated,
  drop,
  edit,
  extra,
  insert,
  party,
  revoke,
  signedBy,
  subject,
  withhold,
} from "../../src/demo/changes.js";
import { essayDrop } from "../../src/demo/essay.js";
import type { Stage, Step } from "../../src/demo/stage.js";
import { ORIGIN } from "../support/log.js";
import {
  type VerdictStory,
  type Was,
  V,
  VIO,
  NE,
  on,
  wire,
  tier,
  inside,
  parameters,
  constraints,
  receiptAction,
  beforeUse,
  FOREIGN,
  foreigners,
  mission,
  delegation,
  memberOf,
  copyOf,
  last,
  atFirst,
  afterReceipt,
  suspend,
  resume,
  cosigned,
  receiptOf,
  refusal,
  lightly,
  withoutEnds,
  underParent,
} from "./verdict-changes.js";

const stricter: Step = extra("action-type", "v2", "owner", -60_000, (s) => ({
  ...memberOf(s, "type"),
  version: "2",
  risk_tier: 3,
  required_approvals: [{ role: "cfo", min: 1 }],
}));
const milder = (by: string): Change[] => [
  atFirst({
    ...extra("action-type", "lowered", "owner", -700, (s) => ({
      ...memberOf(s, "type"),
      version: "2",
      risk_tier: 1,
    })),
    cosigners: [by],
  }),
];
/** Written down again with the same value, and ten seconds later with another. */
const renewedThenReplaced = (at: number): Step[] => [
  extra("fact", "refresh", "erp", at, (s) => ({
    ...memberOf(s, "profile"),
    observed_at: s.time(at),
    supersedes: s.ref("fact", "profile"),
  })),
  extra("fact", "replaced", "erp", at + 10, (s) => ({
    ...memberOf(s, "profile"),
    value_hash: s.hash("another"),
    observed_at: s.time(at + 10),
    supersedes: s.ref("fact", "refresh"),
  })),
];
/** The same, and what is replaced is the first of them. */
const renewedAndReplaced = (at: number): Step[] =>
  renewedThenReplaced(at).map((step) =>
    step.name === "replaced"
      ? { ...step, members: (s) => ({ ...step.members(s), supersedes: s.ref("fact", "profile") }) }
      : step,
  );
/** Tier 2, where nobody asks for approval. */
const unasked: readonly Change[] = [
  tier(2),
  edit("type", () => ({ required_approvals: undefined })),
  edit("request", () => ({ required_approvals: undefined })),
  edit("decision", () => ({ decision: "allow", required_approvals: undefined })),
];
/** Another target throughout: members that are undefined are gone. */
const targets = (change: object): Change[] => {
  const changed = (was: Was): object =>
    Object.fromEntries(
      Object.entries({ ...inside(was, "target"), ...change }).filter(([, value]) => value !== undefined),
    );
  return [
    edit("request", (_, was) => ({ target: changed(was) })),
    edit("grant", (_, was) => {
      const permitted = inside(was, "permitted_action");
      return { permitted_action: { ...permitted, target: changed(permitted) } };
    }),
    receiptAction((was) => ({ target: changed(was) })),
  ];
};
const another = (s: Stage): object => ({
  executed_action: {
    action_type: s.own("wire.transfer.request"),
    parameters: { amount: "900000.00 USD" },
    target: { payee: "mallory" },
  },
});

export const DECEITS: readonly VerdictStory[] = [
  wire(
    "done in part as granted, then wholly as another",
    VIO,
    ["ACTION_MISMATCH", "CONSTRAINT_VIOLATED"],
    edit("receipt", () => ({ outcome: "partial" })),
    afterReceipt(receiptOf("second", "executed", -200, another)),
  ),
  wire(
    "unknown as granted, then executed as another",
    VIO,
    ["ACTION_MISMATCH", "CONSTRAINT_VIOLATED"],
    edit("receipt", () => ({ outcome: "unknown" })),
    afterReceipt(receiptOf("second", "executed", -200, another)),
  ),
  wire(
    "done in part in time, and the rest after the grant's end",
    VIO,
    ["GRANT_EXPIRED"],
    edit("receipt", () => ({ outcome: "partial" })),
    afterReceipt(receiptOf("second", "executed", 1200)),
  ),
  wire(
    "unknown, the grant revoked, then executed",
    NE,
    ["WITHDRAWN_DURING_USE"],
    insert(
      "before",
      "receipt",
      receiptOf("first", "unknown", -305, () => ({ executed_action: undefined })),
      revoke("authority", -303, (s) => s.ref("capability-grant", "grant")),
    ),
  ),
  wire(
    "unknown, the policy revoked, then executed, nothing consumed",
    V,
    ["WITHDRAWN_DURING_USE"],
    tier(2),
    edit("grant", () => ({ max_uses: 2 })),
    drop("consumption"),
    insert(
      "before",
      "receipt",
      receiptOf("first", "unknown", -305, () => ({ executed_action: undefined })),
      revoke("owner", -303, (s) => s.ref("policy", "policy")),
    ),
  ),
  wire(
    "decided by nobody, unknown and then refused",
    VIO,
    ["TERMINAL_DUPLICATE"],
    ...lightly,
    edit("request", () => ({ constraints: {} })),
    withhold("decision"),
    edit("receipt", () => ({ outcome: "unknown" })),
    afterReceipt(receiptOf("second", "refused", -290)),
  ),
  wire(
    "not consumed, unknown and then refused",
    VIO,
    ["TERMINAL_DUPLICATE"],
    drop("consumption"),
    edit("receipt", () => ({ outcome: "unknown" })),
    afterReceipt(receiptOf("second", "refused", -290)),
  ),
  wire(
    "a grant under one whose decision was a deny, which has ended since",
    VIO,
    ["PRIOR_VIOLATION"],
    ...underParent,
    edit("p-decision", () => ({ decision: "deny" })),
    drop("p-approval"),
  ),
  wire(
    "a grant under one whose decision was a deny, and which another executor refused",
    VIO,
    ["PRIOR_VIOLATION"],
    ...underParent,
    edit("p-decision", () => ({ decision: "deny" })),
    drop("p-approval"),
    party("another", { id: "adapter:two", roles: ["executor"] }),
    last(
      refusal("refusal", -290, "another", (s) => ({
        request_hash: s.ref("action-request", "p-request"),
        capability_hash: s.ref("capability-grant", "p-grant"),
        executor_id: "adapter:two",
      })),
    ),
  ),
  wire(
    "the approval of the grant above is taken back before the use below it",
    VIO,
    ["PRIOR_VIOLATION"],
    ...underParent,
    beforeUse(
      copyOf("approval", "p-rejection", -350, (s) => ({
        request_hash: s.ref("action-request", "p-request"),
        displayed_hash: s.id("p-request"),
        approval: "reject",
      })),
    ),
  ),
  wire(
    "the decision of the grant above is superseded by a deny before the use below it",
    VIO,
    ["PRIOR_VIOLATION"],
    ...underParent,
    beforeUse(
      copyOf("decision", "p-deny", -350, (s) => ({
        request_hash: s.ref("action-request", "p-request"),
        decision: "deny",
        supersedes: s.ref("policy-decision", "p-decision"),
      })),
    ),
  ),
  wire(
    "a stricter registration is suspended, so that an older and milder one would count",
    VIO,
    ["ACTION_TYPE_UNREGISTERED"],
    ...lightly,
    atFirst(
      stricter,
      suspend("owner", -700, (s) => s.ref("action-type", "v2")),
    ),
  ),
  wire(
    "a stricter registration is revoked a minute before the request",
    NE,
    ["TIER_LOWERED"],
    ...lightly,
    atFirst(
      stricter,
      revoke("owner", -700, (s) => s.ref("action-type", "v2")),
    ),
  ),
  wire(
    "the agent's own key delegates to it under another id",
    VIO,
    ["DELEGATION_EXCEEDED"],
    party("alter", { id: "user:alter", roles: ["principal"], keyOf: "agent" }),
    atFirst(
      extra("delegation", "delegation", "alter", -1000, (s) => ({
        delegator_id: "user:alter",
        delegate_id: "ap-agent:v3.2",
        action_types: ["*"],
        expires_at: s.time(3600),
      })),
    ),
    edit("request", (s) => ({
      delegator_id: "user:alter",
      delegation_hash: s.ref("delegation", "delegation"),
    })),
  ),
  wire(
    "a delegation for a mission is used outside it",
    VIO,
    ["DELEGATION_EXCEEDED"],
    ...delegation((s) => ({ mission_id: s.own("april-run") })),
  ),
  wire(
    "an agent that is a registrar has made the owner of type and policy known",
    VIO,
    ["ROLE_COLLAPSE"],
    party("agent", { id: "ap-agent:v3.2", roles: ["agent", "registrar"] }),
    party("owner", {
      id: "owner:finance",
      roles: ["owner"],
      domain: "acme-finance",
      registeredBy: "agent",
    }),
  ),
  wire(
    "an agent that is a registrar has made the principal of its delegation known",
    VIO,
    ["ROLE_COLLAPSE"],
    party("agent", { id: "ap-agent:v3.2", roles: ["agent", "registrar"] }),
    ...delegation(),
    party("maya", { id: "user:boss", roles: ["principal"], registeredBy: "agent" }),
    edit("delegation", () => ({ delegator_id: "user:boss" })),
    edit("request", () => ({ delegator_id: "user:boss" })),
  ),
  wire(
    "the delegator is a stranger, who signed the request",
    VIO,
    ["DELEGATION_MISSING"],
    foreigners,
    edit("request", () => ({ delegator_id: "other:approver" })),
    cosigned("request", "other-approver"),
    last(revoke("other-owner", -100, (s) => s.ref("action-request", "request"))),
  ),
  wire(
    "the tier is lowered, and a stranger's owner signed that too",
    NE,
    ["TIER_LOWERED"],
    foreigners,
    ...milder("other-owner"),
    last(revoke("other-owner", -100, (s) => s.ref("action-type", "lowered"))),
  ),
  wire(
    "the tier is lowered, and signed twice by one owner with two keys",
    NE,
    ["TIER_LOWERED"],
    party("owner2", { id: "owner:finance", roles: ["owner"] }),
    ...milder("owner2"),
  ),
  wire(
    "the key of the delegator who signed the request is suspended before the use",
    VIO,
    ["WITHDRAWN_BEFORE_USE"],
    party("boss", { id: "user:boss", roles: ["principal"] }),
    edit("request", () => ({ delegator_id: "user:boss" })),
    cosigned("request", "boss"),
    beforeUse(suspend("registrar", -350, (s) => s.ref("key", "key:boss"))),
  ),
  wire(
    "a domain that is trusted for its agents supplies the evidence, too",
    V,
    ["EVIDENCE_UNRESOLVED"],
    foreigners,
    party("other-bank", {
      id: "other:bank",
      roles: ["recorder"],
      domain: "other-bank",
      registeredBy: "stranger",
      writerClass: "external-system",
    }),
    edit("type", () => ({ trusts: { agent: [FOREIGN] } })),
    signedBy("request", "other-agent"),
    edit("request", () => ({ agent_id: "other:agent", action_domain: ORIGIN })),
    ...["invoice", "po", "profile"].flatMap((name) => [
      signedBy(name, "other-recorder"),
      signedBy(`${name}-confirmed`, "other-bank"),
    ]),
  ),
  wire(
    "done after the time that the constraints leave, and dated before it",
    V,
    ["CONSTRAINT_VIOLATED"],
    ...constraints({ not_after: "2026-05-01T12:10:00Z" }),
    ...withoutEnds,
    dated("consumption", { loggedAt: 20_000 }),
    dated("receipt", { loggedAt: 20_010 }),
  ),
  wire(
    "consumed after the longest lifetime of a grant, and dated before",
    VIO,
    ["GRANT_EXPIRED"],
    edit("type", () => ({ max_grant_lifetime_s: 600 })),
    ...withoutEnds,
    dated("consumption", { loggedAt: 20_000 }),
    dated("receipt", { loggedAt: 20_010 }),
  ),
  wire(
    "done while the type was suspended, by its own date, and consumed after that",
    V,
    ["WITHDRAWN_BEFORE_USE"],
    ...withoutEnds,
    beforeUse(
      suspend("owner", -350, (s) => s.ref("action-type", "type")),
      resume("owner", 15_000, (s) => s.ref("action-type", "type")),
    ),
    dated("consumption", { loggedAt: 20_000 }),
    dated("receipt", { loggedAt: 20_010 }),
  ),
  wire(
    "decided under an old policy by a decision that dates itself back",
    V,
    ["BACKDATED"],
    dated("request", { at: -9000, members: (s) => ({ requested_at: s.time(-9000) }) }),
    ...["invoice", "po", "profile", "invoice-confirmed", "po-confirmed", "profile-confirmed"].map((name) =>
      dated(name, { at: -9500, members: (s) => ({ observed_at: s.time(-9500) }) }),
    ),
    insert(
      "after",
      "request",
      extra("policy", "v42", "owner", -7000, (s) => ({
        ...memberOf(s, "policy"),
        policy_digest: s.hash("v42"),
        policy_version: "ap-policy:v42",
        effective_from: s.time(-7000),
        supersedes: s.ref("policy", "policy"),
      })),
    ),
    dated("decision", { at: -8000, loggedAt: -590, members: (s) => ({ decided_at: s.time(-8000) }) }),
  ),
  wire(
    "the mission was over, nothing consumed, and the receipt dated back",
    V,
    ["BACKDATED"],
    tier(2),
    ...withoutEnds,
    edit("grant", () => ({ max_uses: 2 })),
    ...mission,
    edit("mission", (s) => ({ ends_at: s.time(0) })),
    drop("consumption"),
    dated("receipt", { loggedAt: 20_000 }),
  ),
  wire(
    "a fact is renewed, and then replaced, before the use",
    VIO,
    ["WITHDRAWN_BEFORE_USE"],
    beforeUse(...renewedThenReplaced(-360)),
  ),
  wire(
    "a fact is renewed, and the first one replaced, before the use",
    VIO,
    ["WITHDRAWN_BEFORE_USE"],
    beforeUse(...renewedAndReplaced(-360)),
  ),
  wire(
    "a fact is renewed, and then replaced, before the grant",
    VIO,
    ["EVIDENCE_SUPERSEDED"],
    insert("before", "grant", ...renewedThenReplaced(-420)),
  ),
  wire(
    "nobody asked for approval; one who may has rejected it, and the agent's side approves",
    VIO,
    ["APPROVAL_INSUFFICIENT"],
    ...unasked,
    party("bot", { id: "user:bot", roles: ["approver"], domain: "acme-automation" }),
    edit("approval", () => ({ approval: "reject" })),
    insert(
      "after",
      "approval",
      extra("approval", "bots", "bot", -490, (s) => ({
        ...memberOf(s, "approval"),
        approver_id: "user:bot",
        approval: "approve",
        approved_at: s.time(-490),
      })),
    ),
  ),
  wire(
    "nobody asked for approval, and one who may rejects it before the use",
    VIO,
    ["APPROVAL_INSUFFICIENT"],
    ...unasked,
    drop("approval"),
    beforeUse(
      extra("approval", "rejection", "cfo", -350, (s) => ({
        request_hash: s.ref("action-request", "request"),
        approver_id: "user:maya.cfo",
        approver_role: "cfo",
        approval: "reject",
        approved_at: s.time(-350),
      })),
    ),
  ),
  wire(
    "one amount granted in a list, done forty times",
    VIO,
    ["ACTION_MISMATCH"],
    ...parameters({ amounts: ["1000.00 USD"] }, { amounts: Array.from({ length: 40 }, () => "1000.00 USD") }),
  ),
  wire(
    "a grant repeats a list's member",
    VIO,
    ["SCOPE_WIDENED"],
    ...parameters({ amounts: ["1000.00 USD"] }),
    edit("grant", (_, was) => ({
      permitted_action: {
        ...inside(was, "permitted_action"),
        parameters: { amounts: ["1000.00 USD", "1000.00 USD"] },
      },
    })),
  ),
  wire(
    "a map of payments, each within, and not together",
    NE,
    ["CONSTRAINT_UNCHECKED"],
    ...parameters({ payments: { a: { amount: "49000.00 USD" }, b: { amount: "49000.00 USD" } } }),
  ),
  wire(
    "an amount beside amounts, each within, and not together",
    NE,
    ["CONSTRAINT_UNCHECKED"],
    ...parameters({ amount: "49000.00 USD", amounts: ["49000.00 USD"] }),
  ),
  on(
    essayDrop,
    "a negative count makes a sum small",
    V,
    [],
    ...parameters({ row_counts: { a: 9000, b: 9000, c: -9000 } }),
  ),
  wire(
    "the receipt states more beside target and parameters",
    VIO,
    ["ACTION_MISMATCH"],
    receiptAction(() => ({ options: { force: true } })),
  ),
  wire(
    "the grant permits more beside target and parameters",
    VIO,
    ["SCOPE_WIDENED"],
    edit("grant", (_, was) => ({
      permitted_action: { ...inside(was, "permitted_action"), options: { force: true } },
    })),
    receiptAction(() => ({ options: { force: true } })),
  ),
  wire(
    "the executor has the agent's id, with another key",
    VIO,
    ["ROLE_COLLAPSE"],
    party("executor", { id: "ap-agent:v3.2", roles: ["executor"] }),
    edit("grant", () => ({ audience: "ap-agent:v3.2" })),
    ...["consumption", "receipt"].map((name) => edit(name, () => ({ executor_id: "ap-agent:v3.2" }))),
  ),
  ...(["escalate", "deny"] as const).map((word) =>
    wire(
      `${word}, settled by a decision about another request`,
      VIO,
      ["DECISION_CONTRADICTED"],
      insert(
        "after",
        "decision",
        copyOf("decision", "no", -580, () => ({ decision: word })),
        copyOf("request", "request-b", -575, (s) => ({ idempotency_key: s.own("b") })),
        copyOf("decision", "decision-b", -570, (s) => ({
          request_hash: s.ref("action-request", "request-b"),
          supersedes: s.ref("policy-decision", "no"),
        })),
      ),
    ),
  ),
  wire(
    "a policy of somebody whose type the engine merely chose besides",
    VIO,
    ["POLICY_UNREGISTERED"],
    party("hr", { id: "owner:hr", roles: ["owner"] }),
    signedBy("policy", "hr"),
    edit("policy", () => ({ owner: "owner:hr" })),
    insert(
      "before",
      "invoice",
      extra("action-type", "note", "hr", -70_000, (s) => ({
        ...memberOf(s, "type"),
        owner: "owner:hr",
        action_type: s.own("hr.note"),
        risk_tier: 0,
        required_approvals: undefined,
        evidence_types: undefined,
        independent_confirmation: undefined,
      })),
    ),
    edit("decision", (s) => ({ classified_action_type: s.own("hr.note") })),
  ),
  wire(
    "the grant is for a stranger, who uses it",
    V,
    ["NO_STANDING"],
    foreigners,
    edit("grant", () => ({ audience: "other:executor" })),
    ...["consumption", "receipt"].flatMap((name) => [
      signedBy(name, "other-executor"),
      edit(name, () => ({ executor_id: "other:executor" })),
    ]),
    subject("grant"),
  ),
  wire(
    "a grant under a deny that stands, and that somebody else refused",
    VIO,
    ["DENIED_BUT_GRANTED"],
    party("another", { id: "adapter:two", roles: ["executor"] }),
    edit("decision", () => ({ decision: "deny" })),
    drop("consumption", "receipt"),
    edit("grant", () => ({ expiry: "2040-01-01T00:00:00Z" })),
    last(refusal("refusal", -300, "another", () => ({ executor_id: "adapter:two" }))),
    subject("grant"),
  ),
  on(
    essayDrop,
    "a denied name is the name of a member",
    V,
    ["CONSTRAINT_VIOLATED"],
    ...targets({ environment: undefined, environments: { production: "staging" } }),
  ),
];
