/** The essay's wire transfer with changes: what the stories of verdicts are made of. */
import { type Change, drop, edit, extra, insert, party, revoke, withhold } from "../../src/demo/changes.js";
import { essayWire } from "../../src/demo/essay.js";
import type { Stage, Step, Story } from "../../src/demo/stage.js";
import type { FindingCode, VerdictWord } from "../../src/trace/verdict.js";

export interface VerdictStory {
  readonly name: string;
  readonly story: Story;
  /** Any of these is right. */
  readonly words: readonly VerdictWord[];
  /** Codes that must be among the findings. */
  readonly finds: readonly FindingCode[];
  /** The log itself refuses a step, with this code. */
  readonly refused?: string;
}

export const V: readonly VerdictWord[] = ["VIOLATION", "NOT_ESTABLISHED"];
export const A: readonly VerdictWord[] = ["AUTHORIZED"];
export const NX: readonly VerdictWord[] = ["NOT_EXECUTED"];
export const VIO: readonly VerdictWord[] = ["VIOLATION"];
export const NE: readonly VerdictWord[] = ["NOT_ESTABLISHED"];

export function on(
  base: Story,
  name: string,
  words: readonly VerdictWord[],
  finds: readonly FindingCode[],
  ...changes: readonly Change[]
): VerdictStory {
  return { name, story: changes.reduce((story, change) => change(story), base), words, finds };
}

export const wire = (
  name: string,
  words: readonly VerdictWord[],
  finds: readonly FindingCode[],
  ...changes: readonly Change[]
): VerdictStory => on(essayWire, name, words, finds, ...changes);

export const refused = (name: string, code: string, ...changes: readonly Change[]): VerdictStory => ({
  ...wire(name, V, [], ...changes),
  refused: code,
});

export const tier = (risk_tier: number): Change => edit("type", () => ({ risk_tier }));
export type Was = { readonly [name: string]: unknown };
export const inside = (was: Was, name: string): Was => was[name] as Was;

/** Request, grant and receipt with these parameters. */
export const parameters = (value: object, inReceipt: object = value): Change[] => [
  edit("request", () => ({ parameters: value })),
  edit("grant", (_, was) => ({
    permitted_action: { ...inside(was, "permitted_action"), parameters: value },
  })),
  edit("receipt", (_, was) => ({
    executed_action: { ...inside(was, "executed_action"), parameters: inReceipt },
  })),
];

/** Request and grant with other constraints; undefined takes one away. */
export const constraints = (change: object): Change[] => {
  const changed = (was: Was): object =>
    Object.fromEntries(
      Object.entries({ ...inside(was, "constraints"), ...change }).filter(([, value]) => value !== undefined),
    );
  return [
    edit("request", (_, was) => ({ constraints: changed(was) })),
    edit("grant", (_, was) => {
      const permitted = inside(was, "permitted_action");
      return { permitted_action: { ...permitted, constraints: changed(permitted) } };
    }),
  ];
};

export const receiptAction = (change: (was: Was) => object): Change =>
  edit("receipt", (_, was) => ({
    executed_action: { ...inside(was, "executed_action"), ...change(inside(was, "executed_action")) },
  }));

export const beforeUse = (...steps: readonly Step[]): Change => insert("before", "consumption", ...steps);
export const noDecidedHashes: Change = edit("decision", () => ({
  evaluated_evidence: [
    { name: "po_required", outcome: "pass" },
    { name: "duplicate_invoice_check", outcome: "pass" },
    { name: "payee_must_match_vendor_profile", outcome: "pass" },
  ],
}));
export const nothingGranted: Change = (story) => withhold("grant")(drop("consumption")(story));

/** Another organisation on the same log: a domain of its own, which the action type does not trust. */
export const FOREIGN = "other.example";
const FOREIGN_ROLES = [
  "agent",
  "principal",
  "policy-engine",
  "authority",
  "executor",
  "owner",
  "recorder",
  "approver",
  "reviewer",
] as const;
export const foreigners: Change = (story) => ({
  ...story,
  parties: {
    ...story.parties,
    stranger: {
      id: "other:registrar",
      roles: ["registrar"],
      domain: "other",
      founds: { domain: FOREIGN, prefixes: ["other:"] },
    },
    ...Object.fromEntries(
      FOREIGN_ROLES.map((role) => [
        `other-${role}`,
        {
          id: `other:${role}`,
          roles: [role],
          domain: "other",
          registeredBy: "stranger",
          ...(role === "approver" ? { approverRoles: ["cfo"] } : {}),
          ...(role === "recorder" ? { writerClass: "external-system" as const } : {}),
        },
      ]),
    ),
  },
});

export const deny = (name: string, by: string, at: number, more: (s: Stage) => object = () => ({})): Step =>
  extra("policy-decision", name, by, at, (s) => ({
    request_hash: s.ref("action-request", "request"),
    policy_digest: s.hash("ap-policy v41"),
    decision: "deny",
    decided_at: s.time(at),
    ...more(s),
  }));

export const mission: readonly Change[] = [
  insert(
    "before",
    "invoice",
    extra("mission", "mission", "owner", -70_000, (s) => ({
      mission_id: s.own("april-run"),
      objective: "pay April's invoices",
      proxy_metric: "invoices paid",
      constraints: ["none twice"],
      owner: "owner:finance",
      counters: ["paid"],
      triggers: ["a complaint"],
      starts_at: s.time(-70_000),
    })),
  ),
  ...["request", "decision", "grant"].map((name) => edit(name, (s) => ({ mission_id: s.own("april-run") }))),
];

export const delegation = (members: (s: Stage) => object = () => ({})): readonly Change[] => [
  party("maya", { id: "user:maya.cfo", roles: ["principal"], domain: "acme-finance" }),
  insert(
    "before",
    "request",
    extra("delegation", "delegation", "maya", -1000, (s) => ({
      delegator_id: "user:maya.cfo",
      delegate_id: "ap-agent:v3.2",
      action_types: [s.own("wire.transfer.request")],
      constraints: { max_amount: "50000.00 USD" },
      expires_at: s.time(3600),
      ...members(s),
    })),
  ),
  edit("request", (s) => ({ delegation_hash: s.ref("delegation", "delegation") })),
];

/** The action a second time, under other names. */
export const secondRound = (name: string, members: (s: Stage) => object): Step => {
  const found = essayWire.steps.find((step) => step.name === name);
  if (found === undefined) throw new RangeError(name);
  return { ...found, name: `${name}-2`, members: (s) => ({ ...found.members(s), ...members(s) }) };
};
export const request2 = (s: Stage): object => ({ request_hash: s.ref("action-request", "request-2") });

export function memberOf(s: Stage, name: string): object {
  const { type: _type, v: _v, issuer: _issuer, issued_at: _issued, ...rest } = s.value(name);
  return rest;
}

export function essayEvaluated(s: Stage): unknown {
  const evaluated = essayWire.steps.find(({ name }) => name === "decision")?.members(s) ?? {};
  const all = (evaluated as { evaluated_evidence: { name: string }[] }).evaluated_evidence;
  return all.filter(({ name }) => name !== "vendor_profile_hash");
}

export function excuse(check: FindingCode): Step {
  return extra("exception", "exception", "owner", -410, (s) => ({
    scope: { action_type: s.own("wire.transfer.request") },
    check,
    owner: "owner:finance",
    reason: "as the owner says",
    expires_at: s.time(86_400),
  }));
}

/** A step once more under another name, later or with other members. */
export const copyOf = (
  name: string,
  as: string,
  at?: number,
  members: (s: Stage) => object = () => ({}),
): Step => {
  const found = essayWire.steps.find((step) => step.name === name);
  if (found === undefined) throw new RangeError(name);
  const dates = (s: Stage, own: object): object =>
    at === undefined
      ? {}
      : Object.fromEntries(
          Object.keys(own)
            .filter((member) => DATES.has(member))
            .map((member) => [member, s.time(at)]),
        );
  return {
    ...found,
    name: as,
    ...(at === undefined ? {} : { at }),
    members: (s) => {
      const own = found.members(s);
      return { ...own, ...dates(s, own), ...members(s) };
    },
  };
};
const DATES: ReadonlySet<string> = new Set([
  "issued_at",
  "requested_at",
  "decided_at",
  "approved_at",
  "consumed_at",
  "executed_at",
  "observed_at",
]);

export const last =
  (...steps: readonly Step[]): Change =>
  (story) => ({ ...story, steps: [...story.steps, ...steps] });
export const atFirst = (...steps: readonly Step[]): Change => insert("before", "request", ...steps);
export const afterReceipt = (...steps: readonly Step[]): Change => insert("after", "receipt", ...steps);
export const suspend = (by: string, at: number, target: (s: Stage) => object, name = "suspension"): Step => ({
  ...revoke(by, at, target, () => ({ action: "suspend" })),
  name,
});
export const resume = (by: string, at: number, target: (s: Stage) => object, name = "resumption"): Step => ({
  ...revoke(by, at, target, () => ({ action: "resume" })),
  name,
});
export const cosigned =
  (name: string, by: string): Change =>
  (story) => ({
    ...story,
    steps: story.steps.map((step) => (step.name === name ? { ...step, cosigners: [by] } : step)),
  });

/** Another receipt of the same call. */
export const receiptOf = (
  name: string,
  outcome: string,
  at: number,
  more: (s: Stage) => object = () => ({}),
): Step =>
  extra("execution-receipt", name, "executor", at, (s) => ({
    ...memberOf(s, "receipt"),
    outcome,
    executed_at: s.time(at),
    ...more(s),
  }));

/** A boundary refuses another call under the same grant. */
export const refusal = (
  name: string,
  at: number,
  by = "executor",
  more: (s: Stage) => object = () => ({}),
): Step =>
  extra("execution-receipt", name, by, at, (s) => ({
    request_hash: s.ref("action-request", "request"),
    capability_hash: s.ref("capability-grant", "grant"),
    executor_id: "adapter:bank",
    tool_call_hash: s.hash(`another call, ${name}`),
    outcome: "refused",
    postcondition_hashes: {},
    executed_at: s.time(at),
    ...more(s),
  }));

/** Tier 1: nobody is asked, nothing is granted. */
export const lightly: readonly Change[] = [
  tier(1),
  edit("type", () => ({ required_approvals: undefined, independent_confirmation: undefined })),
  edit("request", () => ({ required_approvals: undefined })),
  edit("decision", () => ({ decision: "allow", required_approvals: undefined })),
  drop("approval", "consumption"),
  withhold("grant"),
  edit("receipt", () => ({ capability_hash: null })),
];

/** Nothing ends before the grant, which is long. */
export const withoutEnds: readonly Change[] = [
  ...["request", "decision", "approval"].map((name) => edit(name, () => ({ expires_at: undefined }))),
  edit("grant", (s) => ({ expiry: s.time(90_000) })),
];

/** The grant is one below another, which was given for another request. */
export const underParent: readonly Change[] = [
  atFirst(
    copyOf("request", "p-request", -800, (s) => ({ idempotency_key: s.own("p") })),
    copyOf("decision", "p-decision", -790, (s) => ({ request_hash: s.ref("action-request", "p-request") })),
    copyOf("approval", "p-approval", -780, (s) => ({
      request_hash: s.ref("action-request", "p-request"),
      displayed_hash: s.id("p-request"),
    })),
    copyOf("grant", "p-grant", -770, (s) => ({
      request_hash: s.ref("action-request", "p-request"),
      decision_hash: s.ref("policy-decision", "p-decision"),
      nonce: s.own("p-n"),
      max_uses: 3,
    })),
  ),
  edit("p-request", () => ({ max_executions: 3 })),
  edit("grant", (s) => ({ parent_capability_hash: s.ref("capability-grant", "p-grant") })),
];
