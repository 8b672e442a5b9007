/** What a gateway learns of a grant from its trace: whether the chain holds, what it permits, and whose word it rests on. */
import { WritError } from "../errors.js";
import type { Policy } from "../format/policy.js";
import { RecordRef } from "../record/build.js";
import { objectMember } from "../record/links.js";
import { revocationAction } from "../record/revocation.js";
import { timeOf } from "../record/time.js";
import type { JsonObject } from "../statement/json.js";
import type { Bundle } from "../trace/bundle.js";
import { ancestry, type Context, type Profile, PROFILES, takenBack } from "../trace/context.js";
import { isRecordEntry, type RecordEntry, signersOf } from "../trace/entry.js";
import { evaluateOpened } from "../trace/evaluate.js";
import { outside, type ProposedAction } from "../trace/fits.js";
import { textMember } from "../trace/graph.js";
import { openBundle } from "../trace/open.js";
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
  /** What each of the chain permits. */
  readonly permitted: readonly JsonObject[];
  /** The digests of the tool that the chain names. */
  readonly toolDigests: readonly string[];
  /** The request's own words. */
  readonly asked: JsonObject;
}

/**
 * Request, decision and grant are asked for whatever the risk tier: the tier decides what is waited for, and not whether a
 * denied request goes through.
 */
const LEAST: Profile = PROFILES.find(({ name }) => name === "tier-2") ?? (PROFILES[0] as Profile);

/** Unknown to a trace, and asked elsewhere: the witnesses of the consumption, and the constraints of the action itself. */
const ASKED_ELSEWHERE: readonly unknown[] = ["UNWITNESSED", "CONSTRAINT_UNCHECKED"];

/**
 * Judges the trace of a grant by the rules of `writ trace`, and each of its chain as it stands: nothing may fail, and nothing
 * may be unknown. GRANT_UNKNOWN for what is no grant, GRANT_UNJUSTIFIED with the findings, GRANT_EXPIRED,
 * GRANT_NOT_YET_VALID, GRANT_REVOKED, GRANT_SUSPENDED, GRANT_USED.
 */
export function judgeGrant(bundle: Bundle, grantId: string, policy: Policy, now: number): JudgedGrant {
  const opened = openBundle(bundle, policy);
  const { subject, graph, keys } = opened;
  if (!isRecordEntry(subject) || subject.record.type !== "capability-grant" || subject.id !== grantId)
    throw new WritError("GRANT_UNKNOWN", `${grantId} is no grant`);
  const verdict = evaluateOpened(opened, policy, { at: now, profile: LEAST });
  const wrong = verdict.findings.filter(
    ({ outcome, code }) => outcome === "FAIL" || (outcome === "UNKNOWN" && !ASKED_ELSEWHERE.includes(code)),
  );
  if (wrong.length > 0)
    throw new WritError(
      "GRANT_UNJUSTIFIED",
      `the chain of ${subject.id} does not hold: ${wrong.map(({ code, detail }) => `${String(code)} (${detail})`).join("; ")}`,
      { index: subject.index },
    );
  const chain = ancestry(subject, graph);
  const context = {
    graph,
    keys,
    asOf: bundle.asOf,
    at: now,
    profile: LEAST,
    witnessed: null,
    supporting: () => null,
  };
  // What is final first, wherever in the chain.
  for (const link of chain) demandNotTakenBack(link, context);
  for (const link of chain) demandStanding(link, context);
  const { value, traceId } = subject.record;
  const request = graph.record(textMember(value, "request_hash"));
  return {
    ref: new RecordRef("capability-grant", subject.id),
    request: new RecordRef("action-request", textMember(value, "request_hash") ?? ""),
    actionType: textMember(objectMember(value, "permitted_action"), "action_type") ?? "",
    tier: verdict.registeredTier ?? 3,
    audience: textMember(value, "audience") ?? "",
    nonce: textMember(value, "nonce") ?? "",
    traceId,
    expiry: Math.min(...chain.map(({ record }) => timeOf(record.value["expiry"]) ?? 0)),
    chain: chain.map((link) => ({ id: link.id, index: link.index, signers: signersOf(link) })),
    asOf: bundle.asOf,
    spent: spentBefore(subject, graph.entries),
    permitted: chain.map((link) => objectMember(link.record.value, "permitted_action")),
    toolDigests: chain.flatMap(({ record }) => textMember(record.value, "tool_digest") ?? []),
    asked: request?.record.value ?? {},
  };
}

function demandNotTakenBack(link: RecordEntry, context: Context): void {
  const by = takenBack(link, context.asOf, context);
  if (by === undefined) return;
  const code = revocationAction(by.record) === "suspend" ? "GRANT_SUSPENDED" : "GRANT_REVOKED";
  throw refusal(code, `${link.id} was taken back by entry ${by.index}`, by.index);
}

/** A grant, or one above another, as far as the bundle goes: in its time, and not used up. */
function demandStanding(link: RecordEntry, context: Context): void {
  const { value } = link.record;
  const { index } = link;
  const expiry = timeOf(value["expiry"]) ?? 0;
  const notBefore = timeOf(value["not_before"]) ?? 0;
  if (context.at > expiry) throw refusal("GRANT_EXPIRED", `${link.id} has expired`, index);
  if (context.at < notBefore) throw refusal("GRANT_NOT_YET_VALID", `${link.id} is not valid yet`, index);
  const uses = context.graph.naming(link.id, "capability_hash", "consumption");
  const most = typeof value["max_uses"] === "number" ? value["max_uses"] : 1;
  const last = uses.at(-1);
  if (uses.length >= most && last !== undefined)
    throw refusal("GRANT_USED", `${link.id} has had its uses, the last at entry ${last.index}`, last.index);
}

function refusal(
  code: "GRANT_EXPIRED" | "GRANT_NOT_YET_VALID" | "GRANT_REVOKED" | "GRANT_SUSPENDED" | "GRANT_USED",
  why: string,
  index: number,
): WritError {
  return new WritError(code, why, { index });
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
  const found = grant.permitted.flatMap((permitted, i) =>
    outside(action, permitted, grant.asked, now, { above: i > 0 }),
  );
  if (grant.toolDigests.some((digest) => digest !== action.tool_digest))
    found.push("the tool's digest is not the granted one");
  if (found.length > 0)
    throw new WritError(
      "ACTION_OUTSIDE",
      `the action is not what was granted: ${[...new Set(found)].join("; ")}`,
    );
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
  // Before the request was logged there is only its own word.
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
