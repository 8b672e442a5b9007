/** What a gateway learns of a grant from its trace: whether the chain holds, what it permits, and whose word it rests on. */
import { WritError } from "../errors.js";
import type { Policy } from "../format/policy.js";
import { objectMember } from "../record/links.js";
import { RecordRef } from "../record/build.js";
import { timeOf } from "../record/time.js";
import type { JsonObject } from "../statement/json.js";
import type { Bundle } from "../trace/bundle.js";
import { isRecordEntry, type RecordEntry, signersOf } from "../trace/entry.js";
import { evaluate } from "../trace/evaluate.js";
import { openBundle } from "../trace/open.js";
import { textMember } from "../trace/graph.js";
import { ancestry, type Profile, PROFILES } from "../trace/context.js";
import { outside, type ProposedAction } from "../trace/fits.js";
import type { Stage } from "./budget.js";
import type { ChainLink } from "./watch.js";

export interface JudgedGrant {
  readonly ref: RecordRef<"capability-grant">;
  readonly request: RecordRef<"action-request">;
  readonly actionType: string;
  /** 0 to 3: how much is waited for. */
  readonly tier: number;
  readonly audience: string;
  readonly nonce: string;
  readonly traceId: string | null;
  /** When it or the first of those above it ends, in milliseconds since 1970. */
  readonly expiry: number;
  /** The grant and all above it, nearest first. */
  readonly chain: readonly ChainLink[];
  /** The size of the log up to which all this is known. */
  readonly asOf: number;
  /** How long each step before the grant took, by the log's clock, in milliseconds. */
  readonly spent: readonly (readonly [Stage, number])[];
  readonly permitted: readonly JsonObject[];
  readonly asked: JsonObject;
}

/** That the witnesses have not come yet is for the consumption to wait for. */
const WAITED_FOR: readonly unknown[] = ["UNWITNESSED"];

/**
 * Judges the trace of a grant by the rules of `writ trace`: nothing in it may fail, and nothing may be unknown. GRANT_UNKNOWN
 * for what is no grant, GRANT_UNJUSTIFIED with the findings.
 */
export function judgeGrant(
  bundle: Bundle,
  policy: Policy,
  now: number,
  profile: Profile = PROFILES[0] as Profile,
): JudgedGrant {
  const opened = openBundle(bundle, policy);
  const { subject, graph } = opened;
  if (!isRecordEntry(subject) || subject.record.type !== "capability-grant")
    throw new WritError("GRANT_UNKNOWN", `${bundle.subject} is no grant`);
  const verdict = evaluate(bundle, policy, { at: now, profile });
  const wrong = verdict.findings.filter(
    ({ outcome, code }) => outcome === "FAIL" || (outcome === "UNKNOWN" && !WAITED_FOR.includes(code)),
  );
  if (wrong.length > 0)
    throw new WritError(
      "GRANT_UNJUSTIFIED",
      `the chain of ${subject.id} does not hold: ${wrong.map(({ code, detail }) => `${String(code)} (${detail})`).join("; ")}`,
      { index: subject.index },
    );
  const { value, traceId } = subject.record;
  const chain = ancestry(subject, graph);
  const request = graph.record(textMember(value, "request_hash"));
  return {
    ref: new RecordRef("capability-grant", subject.id),
    request: new RecordRef("action-request", textMember(value, "request_hash") ?? ""),
    actionType: textMember(objectMember(value, "permitted_action"), "action_type") ?? "",
    tier: verdict.tier ?? 3,
    audience: textMember(value, "audience") ?? "",
    nonce: textMember(value, "nonce") ?? "",
    traceId,
    expiry: Math.min(...chain.map(({ record }) => timeOf(record.value["expiry"]) ?? 0)),
    chain: chain.map((link) => ({ id: link.id, index: link.index, signers: signersOf(link) })),
    asOf: bundle.asOf,
    spent: spentBefore(subject, graph.entries),
    permitted: chain.map((link) => objectMember(link.record.value, "permitted_action")),
    asked: request?.record.value ?? {},
  };
}

/** ACTION_OUTSIDE unless the action is within the grant and all above it; GRANT_MISMATCH when it is for another executor. */
export function demandWithin(
  grant: JudgedGrant,
  action: ProposedAction,
  executor: string,
  now: number,
): void {
  if (grant.audience !== executor)
    throw new WritError("GRANT_MISMATCH", `the grant is for ${grant.audience}, not for ${executor}`);
  const [own] = grant.permitted;
  const found = grant.permitted.flatMap((permitted, i) =>
    outside(action, permitted, grant.asked, now, { above: i > 0 }),
  );
  const problems = [...new Set(found)];
  if (own === undefined || problems.length > 0)
    throw new WritError("ACTION_OUTSIDE", `the action is not what was granted: ${problems.join("; ")}`);
}

/** By when each step was logged: the time since the step before it. */
function spentBefore(grant: RecordEntry, entries: readonly RecordEntry[]): (readonly [Stage, number])[] {
  const id = textMember(grant.record.value, "request_hash");
  const steps = entries.filter(
    (entry) =>
      entry.index <= grant.index &&
      (entry.id === id || (stageOf(entry) !== null && textMember(entry.record.value, "request_hash") === id)),
  );
  const spent: (readonly [Stage, number])[] = [];
  let before = timeOf(steps[0]?.record.value["requested_at"]) ?? null;
  for (const step of steps) {
    const stage = stageOf(step);
    if (stage === null || step.receivedAt === null) continue;
    if (stage === "grant" && step.id !== grant.id) continue;
    if (before !== null) spent.push([stage, step.receivedAt - before]);
    before = step.receivedAt;
  }
  return spent;
}

const STAGE_OF: { readonly [type: string]: Stage | undefined } = {
  "action-request": "proposal",
  "policy-decision": "decision",
  approval: "approval",
  "capability-grant": "grant",
};

function stageOf({ record }: RecordEntry): Stage | null {
  return STAGE_OF[record.type] ?? null;
}
