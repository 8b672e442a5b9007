/** What a gateway learns of a grant from its trace: whether the chain holds, what it permits, and whose word it rests on. */
import { WritError } from "../errors.js";
import type { Policy } from "../format/policy.js";
import { RecordRef } from "../record/build.js";
import { objectMember } from "../record/links.js";
import { revocationAction } from "../record/revocation.js";
import { timeOf } from "../record/time.js";
import type { JsonObject } from "../statement/json.js";
import type { Bundle } from "../trace/bundle.js";
import {
  ancestry,
  type Context,
  type Profile,
  PROFILES,
  type Proposal,
  takenBack,
} from "../trace/context.js";
import { isRecordEntry, type RecordEntry, signersOf } from "../trace/entry.js";
import { bearingNames } from "../trace/bearing.js";
import { type TraceVerdict } from "../trace/answer.js";
import { evaluateOpened } from "../trace/evaluate.js";
import { textMember } from "../trace/graph.js";
import { openBundle, type OpenedBundle } from "../trace/open.js";
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
  /** The record ids and names that it rests on. */
  readonly bearing: ReadonlySet<string>;
}

/** What is about to be done. */
export interface ProposedAction {
  readonly action_type: string;
  readonly target: JsonObject;
  readonly parameters?: JsonObject;
  /** The digest of the tool that does it, for grants that name one. */
  readonly tool_digest?: string;
}

/** What somebody is about to do, and who. */
export interface Intent {
  readonly executor: string;
  /** The id of the executor's key. */
  readonly signer: string;
  readonly action: ProposedAction;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Asked elsewhere: the witnesses, of the consumption. */
const ASKED_ELSEWHERE: readonly unknown[] = ["UNWITNESSED"];
/** What is wrong with the action, and not with the chain behind the grant. */
const OUTSIDE: readonly unknown[] = [
  "ACTION_MISMATCH",
  "EXECUTION_UNSTATED",
  "CONSTRAINT_VIOLATED",
  "CONSTRAINT_UNKNOWN",
  "CONSTRAINT_UNCHECKED",
  "TOOL_DRIFT",
];

/**
 * Judges the trace of a grant by the same function as `writ trace`, as of now and about to be used: nothing may fail, and nothing
 * may be unknown. GRANT_UNKNOWN for what is no grant; GRANT_EXPIRED, GRANT_NOT_YET_VALID, GRANT_REVOKED, GRANT_SUSPENDED,
 * GRANT_USED; GRANT_MISMATCH for another executor's; ACTION_OUTSIDE when what is wrong is the action; GRANT_UNJUSTIFIED with the
 * findings.
 */
export function judgeGrant(bundle: Bundle, grantId: string, policy: Policy, intent: Intent): JudgedGrant {
  const opened = openBundle(bundle, policy);
  const { subject, graph } = opened;
  const { executor, signer, action, now } = intent;
  if (!isRecordEntry(subject) || subject.record.type !== "capability-grant" || subject.id !== grantId)
    throw new WritError("GRANT_UNKNOWN", `${grantId} is no grant`);
  const chain = ancestry(subject, graph);
  const context = contextOf(opened, now);
  // What is final first, wherever in the chain.
  for (const link of chain) demandNotTakenBack(link, context);
  for (const link of chain) demandStanding(link, context);
  const audience = textMember(subject.record.value, "audience") ?? "";
  if (audience !== executor)
    throw new WritError("GRANT_MISMATCH", `the grant is for ${audience}, not for ${executor}`);
  const proposal = {
    grant: grantId,
    executor,
    signer,
    action: { ...action },
    toolDigest: action.tool_digest,
  };
  const verdict = evaluateOpened(opened, policy, { at: now, proposal });
  demandJustified(verdict, subject);
  const { value, traceId } = subject.record;
  return {
    ref: new RecordRef("capability-grant", subject.id),
    request: new RecordRef("action-request", textMember(value, "request_hash") ?? ""),
    actionType: textMember(objectMember(value, "permitted_action"), "action_type") ?? "",
    tier: verdict.registeredTier ?? 3,
    audience,
    nonce: textMember(value, "nonce") ?? "",
    traceId,
    expiry: Math.min(...chain.map(({ record }) => timeOf(record.value["expiry"]) ?? 0)),
    chain: chain.map((link) => ({ id: link.id, index: link.index, signers: signersOf(link) })),
    bearing: bearingOn(opened),
    asOf: bundle.asOf,
    spent: spentBefore(subject, graph.entries),
  };
}

/**
 * Judges the same again while it is under way, by the consumption of this record id: GRANT_REVOKED, GRANT_SUSPENDED,
 * GRANT_EXPIRED, GRANT_UNJUSTIFIED or ACTION_OUTSIDE when it may not go on.
 */
export function judgeRunning(
  bundle: Bundle,
  grantId: string,
  policy: Policy,
  intent: Intent & { readonly consumption: string | null },
): void {
  const opened = openBundle(bundle, policy);
  const { subject, graph } = opened;
  const { executor, signer, action, now, consumption } = intent;
  if (!isRecordEntry(subject)) throw new WritError("GRANT_UNKNOWN", `${grantId} is no grant`);
  const context = contextOf(opened, now);
  for (const link of ancestry(subject, graph)) demandNotTakenBack(link, context);
  const proposal: Proposal = {
    grant: grantId,
    executor,
    signer,
    action: { ...action },
    toolDigest: action.tool_digest,
    ...(consumption === null ? {} : { consumption }),
  };
  demandJustified(evaluateOpened(opened, policy, { at: now, proposal }), subject);
}

function demandJustified(verdict: TraceVerdict, subject: RecordEntry): void {
  const wrong = verdict.findings.filter(
    ({ outcome, code }) => outcome === "FAIL" || (outcome === "UNKNOWN" && !ASKED_ELSEWHERE.includes(code)),
  );
  if (wrong.length === 0 && verdict.verdict !== "NOT_VERIFIED") return;
  const why = wrong.map(({ code, detail }) => `${String(code)} (${detail})`).join("; ");
  if (wrong.every(({ code }) => OUTSIDE.includes(code)) && wrong.length > 0)
    throw new WritError("ACTION_OUTSIDE", `the action is not what was granted: ${why}`, {
      index: subject.index,
    });
  throw new WritError("GRANT_UNJUSTIFIED", `the chain of ${subject.id} does not hold: ${why}`, {
    index: subject.index,
  });
}

function contextOf({ graph, keys, bundle, policy, bounded }: OpenedBundle, now: number): Context {
  return {
    graph,
    everything: graph,
    keys,
    origin: bundle.log,
    asOf: bundle.asOf,
    at: now,
    toleranceMs: policy.clockToleranceS * 1000,
    profile: PROFILES[0] as Profile,
    witnessed: null,
    bounded,
    proposal: null,
    supporting: () => null,
  };
}

/** The record ids, key ids and names that the grant rests on: what is said of any of these is judged anew. */
function bearingOn({ graph }: OpenedBundle): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { entry, mode } of graph.nodes) {
    if (!isRecordEntry(entry) || mode === "stranger") continue;
    names.add(entry.id);
    for (const name of bearingNames(entry.record)) names.add(name);
    for (const keyId of signersOf(entry)) names.add(`key:${keyId}`);
  }
  return names;
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
