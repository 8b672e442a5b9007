/** What nobody did wrong: all of it comes out as authorized, soon after and long after. */
import {
  type Change,
  dated,
  drop,
  edit,
  extra,
  insert,
  move,
  party,
  revoke,
} from "../../src/demo/changes.js";
import type { Stage, Step } from "../../src/demo/stage.js";
import {
  type VerdictStory,
  A,
  wire,
  tier,
  inside,
  receiptAction,
  beforeUse,
  foreigners,
  deny,
  memberOf,
  copyOf,
  last,
  atFirst,
  afterReceipt,
  suspend,
  cosigned,
  refusal,
  lightly,
  underParent,
  constraints,
  receiptOf,
} from "./verdict-changes.js";

const honest = (name: string, ...changes: readonly Change[]): VerdictStory => wire(name, A, [], ...changes);
const secondCfo: Change = party("cfo2", {
  id: "user:cfo2",
  roles: ["approver"],
  approverRoles: ["cfo"],
  domain: "acme-second",
});
const surplus = (at: number): Step =>
  extra("approval", "surplus", "cfo2", at, (s) => ({
    ...memberOf(s, "approval"),
    approver_id: "user:cfo2",
    approved_at: s.time(at),
  }));
const afterAll = (party_: string): readonly Change[] => [
  last(revoke("registrar", 100, (s) => s.ref("key", `key:${party_}`))),
];
/** A round of the granted kind again, of a grant that came to nothing. */
const grantedAgain = (as: string, at: number, members: (s: Stage) => object = () => ({})): Step =>
  copyOf("grant", as, at, (s) => ({ nonce: s.own(as), ...members(s) }));
const version = (n: number, more: (s: Stage) => object = () => ({})): Step =>
  extra("fact", `version-${n}`, "erp", n, (s) => ({
    ...memberOf(s, "profile"),
    value_hash: s.hash(`version ${n}`),
    observed_at: s.time(n),
    supersedes: s.ref("fact", n === 0 ? "profile" : `version-${n - 1}`),
    ...more(s),
  }));

/** What nobody could tell yet. */
const receiptUnknown = (name: string, at: number): Step =>
  extra("execution-receipt", name, "executor", at, (s) => ({
    request_hash: s.ref("action-request", "request"),
    capability_hash: s.ref("capability-grant", "grant"),
    executor_id: "adapter:bank",
    nonce: s.value("grant")["nonce"],
    tool_call_hash: s.value("consumption")["tool_call_hash"],
    outcome: "unknown",
    postcondition_hashes: {},
    executed_at: s.time(at),
  }));

export const HONEST: readonly VerdictStory[] = [
  honest("a call made again is refused", afterReceipt(refusal("refusal", -200))),
  honest("another call is refused before the right one is made", beforeUse(refusal("refusal", -350))),
  honest(
    "a wrong amount is refused, which the receipt states, and the right one done",
    beforeUse(
      refusal("refusal", -350, "executor", (s) => ({
        executed_action: {
          action_type: s.own("wire.transfer.request"),
          parameters: { amount: "90000.00 USD" },
          target: inside(s.value("request"), "target"),
        },
      })),
    ),
  ),
  honest(
    "another executor refuses a grant that is not for it",
    party("another", { id: "adapter:other", roles: ["executor"] }),
    beforeUse(refusal("refusal", -350, "another", () => ({ executor_id: "adapter:other" }))),
  ),
  honest(
    "a call made again is refused after the grant's end",
    tier(2),
    edit("grant", () => ({ max_uses: 2 })),
    drop("consumption"),
    afterReceipt(refusal("refusal", 1200)),
  ),
  honest(
    "the grant is revoked after its use, and a call made again refused",
    tier(2),
    edit("grant", () => ({ max_uses: 2 })),
    drop("consumption"),
    afterReceipt(
      revoke("authority", -250, (s) => s.ref("capability-grant", "grant")),
      refusal("refusal", -200),
    ),
  ),
  honest(
    "refused before the grant's beginning, and used in time",
    edit("grant", (s) => ({ not_before: s.time(-340) })),
    beforeUse(refusal("refusal", -350)),
  ),
  honest(
    "a grant is given too early, taken back, and given rightly after the approval",
    insert(
      "before",
      "approval",
      grantedAgain("early", -550),
      revoke("authority", -540, (s) => s.ref("capability-grant", "early")),
    ),
  ),
  honest(
    "a grant is given too wide, taken back, and given rightly",
    insert(
      "before",
      "grant",
      copyOf("grant", "wide", -420, (s) => ({
        nonce: s.own("wide"),
        permitted_action: {
          ...inside(s.value("request"), "permitted_action"),
          action_type: s.own("wire.transfer.request"),
          target: inside(s.value("request"), "target"),
          parameters: { amount: "60000.00 USD" },
          constraints: { ...inside(s.value("request"), "constraints"), max_amount: "60000.00 USD" },
        },
      })),
      revoke("authority", -415, (s) => s.ref("capability-grant", "wide")),
    ),
  ),
  honest("the delegator leaves afterwards, and his key is revoked", ...afterAll("cfo")),
  honest(
    "the evidence goes on being kept up: forty later versions of a fact",
    last(...Array.from({ length: 40 }, (_, n) => version(n))),
  ),
  honest(
    "forty later policies, each in the stead of the one before, under new names",
    last(
      ...Array.from({ length: 40 }, (_, n) =>
        extra("policy", `later-${n}`, "owner", n, (s) => ({
          ...memberOf(s, "policy"),
          policy_digest: s.hash(`later ${n}`),
          policy_version: `later-${n}`,
          policy_name: s.own(`later-${n}`),
          effective_from: s.time(n),
          supersedes: s.ref("policy", n === 0 ? "policy" : `later-${n - 1}`),
        })),
      ),
    ),
  ),
  honest(
    "evidence that was changed by mistake and put right before the request",
    atFirst(
      extra("fact", "mistake", "erp", -1580, (s) => ({
        ...memberOf(s, "profile"),
        value_hash: s.hash("mistaken"),
        observed_at: s.time(-1580),
        supersedes: s.ref("fact", "profile"),
      })),
      extra("fact", "put-right", "erp", -1570, (s) => ({
        ...memberOf(s, "profile"),
        observed_at: s.time(-1570),
        supersedes: s.ref("fact", "mistake"),
      })),
    ),
  ),
  honest(
    "an approval that ended is given again before the grant",
    edit("approval", (s) => ({ expires_at: s.time(-450) })),
    insert(
      "before",
      "grant",
      copyOf("approval", "again", -440, (s) => ({ expires_at: s.time(9000) })),
    ),
  ),
  honest(
    "an approval that ended is given again between grant and use",
    edit("approval", (s) => ({ expires_at: s.time(-350) })),
    beforeUse(copyOf("approval", "again", -345, (s) => ({ expires_at: s.time(9000) }))),
  ),
  honest(
    "an approval that nobody asked for ends before the use",
    secondCfo,
    insert(
      "before",
      "grant",
      extra("approval", "surplus", "cfo2", -440, (s) => ({
        ...memberOf(s, "approval"),
        approver_id: "user:cfo2",
        approved_at: s.time(-440),
        expires_at: s.time(-350),
      })),
    ),
  ),
  honest(
    "the key of an approver whom nobody asked is suspended before the use",
    secondCfo,
    insert("before", "grant", surplus(-440)),
    beforeUse(suspend("registrar", -350, (s) => s.ref("key", "key:cfo2"))),
  ),
  honest(
    "rejected by mistake after the grant, and approved again before the use",
    beforeUse(
      copyOf("approval", "mistaken", -360, () => ({ approval: "reject" })),
      copyOf("approval", "again", -350),
    ),
  ),
  honest(
    "a thief approves with the key of somebody who was not asked, which is found out",
    secondCfo,
    last(
      surplus(-100),
      revoke(
        "registrar",
        -50,
        (s) => s.ref("key", "key:cfo2"),
        (s) => ({ effective_index: s.index("receipt") }),
      ),
    ),
  ),
  honest(
    "the deny of a second engine whose key was stolen by then",
    party("engine2", { id: "policy-engine:two", roles: ["policy-engine"] }),
    insert("after", "decision", deny("no", "engine2", -580)),
    last(
      revoke(
        "registrar",
        -50,
        (s) => s.ref("key", "key:engine2"),
        (s) => ({ effective_index: s.index("decision") }),
      ),
    ),
  ),
  honest(
    "an engine takes its mistaken deny back and decides",
    insert(
      "before",
      "decision",
      deny("no", "engine", -640),
      revoke("engine", -630, (s) => s.ref("policy-decision", "no")),
    ),
  ),
  honest(
    "a decision is renewed before it ends",
    edit("decision", (s) => ({ expires_at: s.time(-350) })),
    beforeUse(
      copyOf("decision", "renewed", -380, (s) => ({
        supersedes: s.ref("policy-decision", "decision"),
        expires_at: s.time(9000),
      })),
    ),
  ),
  honest(
    "the executor's clock is three seconds behind a grant's beginning",
    edit("grant", (s) => ({ not_before: s.time(-312) })),
    edit("receipt", (s) => ({ executed_at: s.time(-313) })),
  ),
  honest(
    "a policy is in force from now, by its owner's clock, which is a minute ahead",
    edit("policy", (s) => ({ effective_from: s.time(-560) })),
    move("policy", "before", "request"),
    dated("policy", { at: -620, members: (s) => ({ effective_from: s.time(-560) }) }),
    edit("decision", (s) => ({ decided_at: s.time(-600) })),
  ),
  honest("paid back long after the grant's end", last(receiptOf("back", "reverted", 3000))),
  honest(
    "the constraints end before it is paid back, in part",
    ...constraints({ not_after: "2026-05-01T12:10:00Z" }),
    last(
      receiptOf("back", "reverted", 3000, (s) => ({
        executed_action: {
          ...inside(s.value("receipt"), "executed_action"),
          parameters: {
            ...inside(inside(s.value("receipt"), "executed_action"), "parameters"),
            amount: "10000.00 USD",
          },
        },
      })),
    ),
  ),
  honest(
    "fraud is found out after the act, the grant revoked, and the payment taken back",
    last(
      revoke("authority", -200, (s) => s.ref("capability-grant", "grant")),
      receiptOf("back", "reverted", -100),
    ),
  ),
  honest(
    "done in part, which says how much, and then wholly",
    edit("receipt", () => ({ outcome: "partial" })),
    receiptAction((was) => ({ parameters: { ...inside(was, "parameters"), amount: "20000.00 USD" } })),
    last(
      receiptOf("rest", "executed", -200, (s) => ({
        executed_action: {
          ...inside(s.value("receipt"), "executed_action"),
          parameters: inside(s.value("request"), "parameters"),
        },
      })),
    ),
  ),
  honest(
    "asked twice whether it was done, and told the second time",
    insert("before", "receipt", receiptUnknown("first", -308), receiptUnknown("second", -306)),
  ),
  honest(
    "evidence is renewed and confirmed, and the older record tidied up before the request",
    atFirst(
      extra("fact", "renewed", "erp", -1580, (s) => ({
        ...memberOf(s, "profile"),
        observed_at: s.time(-1580),
        supersedes: s.ref("fact", "profile"),
      })),
      copyOf("profile-confirmed", "renewed-confirmed", -1570, (s) => ({
        confirms: s.ref("fact", "renewed"),
      })),
      revoke("erp", -1500, (s) => s.ref("fact", "profile")),
    ),
  ),
  honest(
    "evidence is renewed between grant and use, and the older record tidied up",
    beforeUse(
      extra("fact", "renewed", "erp", -360, (s) => ({
        ...memberOf(s, "profile"),
        observed_at: s.time(-360),
        supersedes: s.ref("fact", "profile"),
      })),
      revoke("erp", -350, (s) => s.ref("fact", "profile")),
    ),
  ),
  honest(
    "done in part, and less",
    edit("receipt", () => ({ outcome: "partial" })),
    receiptAction((was) => ({ parameters: { ...inside(was, "parameters"), amount: "20000.00 USD" } })),
  ),
  honest(
    "no grant is asked for: the decision ended, and was given again",
    ...lightly,
    edit("decision", (s) => ({ expires_at: s.time(-500) })),
    insert(
      "after",
      "decision",
      copyOf("decision", "renewed", -450, (s) => ({
        decision: "allow",
        required_approvals: undefined,
        supersedes: s.ref("policy-decision", "decision"),
        expires_at: s.time(9000),
      })),
    ),
  ),
  honest(
    "no grant is asked for: denied first, then allowed instead",
    ...lightly,
    insert("before", "decision", deny("no", "engine", -640)),
    edit("decision", (s) => ({ supersedes: s.ref("policy-decision", "no") })),
  ),
  honest(
    "no grant is asked for: the engine revoked its first decision and decided again",
    ...lightly,
    insert(
      "before",
      "decision",
      copyOf("decision", "withdrawn", -640, () => ({ decision: "allow", required_approvals: undefined })),
      revoke("engine", -630, (s) => s.ref("policy-decision", "withdrawn")),
    ),
  ),
  honest("no grant is asked for: denied after the act", ...lightly, last(deny("no", "engine", -100))),
  honest(
    "a grant under one of which another amount was paid otherwise",
    ...underParent,
    last(
      copyOf("consumption", "p-consumption", -200, (s) => ({
        request_hash: s.ref("action-request", "p-request"),
        capability_hash: s.ref("capability-grant", "p-grant"),
        nonce: s.own("p-n"),
        tool_call_hash: s.hash("p"),
      })),
      copyOf("receipt", "p-receipt", -190, (s) => ({
        request_hash: s.ref("action-request", "p-request"),
        capability_hash: s.ref("capability-grant", "p-grant"),
        nonce: s.own("p-n"),
        tool_call_hash: s.hash("p"),
        executed_action: {
          action_type: s.own("wire.transfer.request"),
          parameters: { amount: "1.00 USD" },
          target: { payee: "mallory" },
        },
      })),
    ),
  ),
  honest(
    "a grant under one of which a use has no receipt yet",
    ...underParent,
    last(
      copyOf("consumption", "p-consumption", -200, (s) => ({
        request_hash: s.ref("action-request", "p-request"),
        capability_hash: s.ref("capability-grant", "p-grant"),
        nonce: s.own("p-n"),
        tool_call_hash: s.hash("p"),
      })),
    ),
  ),
  honest(
    "an engine adds the hash of its own report to a duty",
    edit("decision", (s, was) => ({
      evaluated_evidence: (was["evaluated_evidence"] as { name: string }[]).map((one) =>
        one.name === "duplicate_invoice_check" ? { ...one, hash: s.hash("report") } : one,
      ),
    })),
  ),
  honest("a stranger signs an honest request as well", foreigners, cosigned("request", "other-approver")),
];
