/** What every check may ask: the records, who is believed, what was revoked, which registration was in force. */
import type { KeyTable } from "../index/keys.js";
import { objectMember, objects } from "../record/links.js";
import { mayRevoke, revocationAction } from "../record/revocation.js";
import { timeOf } from "../record/time.js";
import type { JsonObject } from "../statement/json.js";
import type { RecordEntry } from "./entry.js";
import { type Action, distinctRecords, type Graph, textMember } from "./graph.js";
import type { VerdictWord } from "./verdict.js";

/** How strictly to judge: the lowest risk tier that any action is judged by, whatever its registration says. */
export interface Profile {
  readonly name: string;
  readonly leastTier: number;
}

export const PROFILES: readonly Profile[] = [
  { name: "registered", leastTier: 0 },
  { name: "tier-1", leastTier: 1 },
  { name: "tier-2", leastTier: 2 },
  { name: "tier-3", leastTier: 3 },
];

export interface Context {
  readonly graph: Graph;
  readonly keys: KeyTable;
  /** Only what stands before this size is known. */
  readonly asOf: number;
  /** "Now": milliseconds since 1970, passed in. */
  readonly at: number;
  readonly profile: Profile;
  /** Did the witness quorum of the verifier's policy cosign? Null when it asks for none. */
  readonly witnessed: boolean | null;
  /** The verdict on another action, judged once. Null while it is itself being judged: a circle. */
  supporting(actionId: string): VerdictWord | null;
}

/** An action with what most checks want to know of it. */
export interface Case {
  readonly action: Action;
  /** By which it is judged. */
  readonly tier: number;
  /** By which its action types are registered, however strictly it is judged. */
  readonly registeredTier: number;
  /** Of the action type that the request names. */
  readonly registration: Registration;
  /** That one, and those of the types that decisions put the request under. */
  readonly registrations: readonly Registration[];
  /** Receipts that are a use: every outcome but `refused`. */
  readonly uses: readonly Use[];
}

export interface Use {
  readonly receipt: RecordEntry;
  /** The grant that the receipt names, if it is logged. */
  readonly grant: RecordEntry | undefined;
}

/** What stands registered under an action type's name. */
export interface Registration {
  readonly name: string | undefined;
  /** The one in force; undefined when there is none. */
  readonly inForce: RecordEntry | undefined;
  /** Records by others than the owner. */
  readonly contesting: readonly RecordEntry[];
}

export function caseOf(action: Action, context: Context): Case {
  const { request } = action;
  const before = request?.index ?? context.asOf;
  const registration = registrationOf(actionTypeOf(action), before, context);
  const others = classifications(action).filter((name) => name !== registration.name);
  const registrations = [registration, ...others.map((name) => registrationOf(name, before, context))];
  const uses = action.receipts
    .filter(({ record }) => record.value["outcome"] !== "refused")
    .map((receipt) => ({
      receipt,
      grant: grantIn(context.graph, textMember(receipt.record.value, "capability_hash")),
    }));
  const registeredTier = Math.max(...registrations.map(tierOf));
  const tier = Math.max(context.profile.leastTier, registeredTier);
  return { action, registration, registrations, uses, tier, registeredTier };
}

/** What the request asks for; without a request, what its receipts say was done, if they agree (tier 0 has no more). */
function actionTypeOf({ request, receipts }: Action): string | undefined {
  if (request !== undefined) return textMember(request.record.value, "action_type");
  const done = receipts.map(({ record }) =>
    textMember(objectMember(record.value, "executed_action"), "action_type"),
  );
  return done.every((name) => name === done[0]) ? done[0] : undefined;
}

/** The registrations in force that an action stands under. */
export function rulesOf({ registrations }: Case): RecordEntry[] {
  return registrations.flatMap(({ inForce }) => inForce ?? []);
}

/** The smallest number that any of them sets; undefined where none does. */
export function smallestRule(one: Case, member: string): number | undefined {
  const numbers = rulesOf(one).flatMap(({ record }) => {
    const value = record.value[member];
    return typeof value === "number" ? [value] : [];
  });
  return numbers.length === 0 ? undefined : Math.min(...numbers);
}

function grantIn(graph: Graph, id: string | undefined): RecordEntry | undefined {
  const grant = graph.record(id);
  return grant?.record.type === "capability-grant" ? grant : undefined;
}

/** Action types that decisions put the request under instead of its own. */
function classifications({ decisions }: Action): string[] {
  return decisions.flatMap(({ record }) => textMember(record.value, "classified_action_type") ?? []);
}

function tierOf({ inForce }: Registration): number {
  const tier = inForce?.record.value["risk_tier"];
  // "Unregistered action type: treat as tier 3."
  return typeof tier === "number" ? tier : 3;
}

/**
 * "The last `action-type` record for that name before the request, by the owner that registered it first; a record by
 * another owner makes it contested, until one of the two withdraws."
 */
export function registrationOf(name: string | undefined, before: number, context: Context): Registration {
  const standing = context.graph
    .all("action-type")
    .filter(
      (entry) =>
        entry.record.value["action_type"] === name &&
        entry.index < before &&
        takenBack(entry, before, context) === undefined,
    );
  const owner = standing[0]?.record.issuer;
  return {
    name,
    inForce: standing.findLast(({ record }) => record.issuer === owner),
    contesting: standing.filter(({ record }) => record.issuer !== owner),
  };
}

/** The decision that a grant names. */
export function decisionOf(grant: RecordEntry, { graph }: Context): RecordEntry | undefined {
  const decision = graph.record(textMember(grant.record.value, "decision_hash"));
  return decision?.record.type === "policy-decision" ? decision : undefined;
}

/**
 * What the decision that a grant names had become before the grant: the last that supersedes it, by the same engine, for
 * the same request.
 */
function effectiveDecision(decision: RecordEntry, before: number, { graph }: Context): RecordEntry {
  let current = decision;
  for (;;) {
    const { id, index, record } = current;
    const next = graph
      .naming(id, "supersedes", "policy-decision")
      .findLast(
        (later) =>
          later.index < before &&
          later.index > index &&
          later.record.issuer === record.issuer &&
          later.record.value["request_hash"] === record.value["request_hash"],
      );
    if (next === undefined) return current;
    current = next;
  }
}

/** The decision that counts for a grant; undefined when the one it names is not there. */
export function decisionFor(grant: RecordEntry, context: Context): RecordEntry | undefined {
  const named = decisionOf(grant, context);
  return named === undefined ? undefined : effectiveDecision(named, grant.index, context);
}

/** A time during which a record was taken back: for good, or until it was resumed. */
export interface Withdrawal {
  readonly by: RecordEntry;
  /** Null: it was not resumed before the place that was asked about. */
  readonly resumedBy: RecordEntry | null;
}

/** Everything that took a record back before `index`, by those who may, in log order. */
export function withdrawals(target: RecordEntry, before: number, context: Context): Withdrawal[] {
  const found: Withdrawal[] = [];
  let suspended: RecordEntry | undefined;
  for (const entry of distinctRecords(context.graph.naming(target.id, "target", "revocation"))) {
    if (entry.index >= before || !isEntitled(entry, target, context)) continue;
    const action = revocationAction(entry.record);
    if (action === "revoke") found.push({ by: entry, resumedBy: null });
    else if (action === "suspend") suspended ??= entry;
    else if (suspended !== undefined) {
      found.push({ by: suspended, resumedBy: entry });
      suspended = undefined;
    }
  }
  return suspended === undefined ? found : [...found, { by: suspended, resumedBy: null }];
}

/** What took a record back, for good or for now, before `index`: the deciding revocation, or undefined. */
export function takenBack(target: RecordEntry, before: number, context: Context): RecordEntry | undefined {
  return withdrawals(target, before, context).find(({ resumedBy }) => resumedBy === null)?.by;
}

/** May this revocation take the target back? */
export function isEntitled(revocation: RecordEntry, target: RecordEntry, context: Context): boolean {
  const { graph } = context;
  const request = graph.record(textMember(target.record.value, "request_hash"));
  return mayRevoke(revocation.record, target.record, request?.record ?? null, {
    isRegistrar: speaksAs(revocation, ["registrar"], context),
    isOwner: speaksAs(revocation, ["owner"], context),
  });
}

/** Is one of those who signed the entry believed, at its place, for its issuer in one of these roles? */
export function speaksAs(
  entry: RecordEntry,
  roles: readonly string[],
  { graph, keys, asOf }: Context,
): boolean {
  const { record, index } = entry;
  return graph
    .speakersOf(entry)
    .some((signer) => keys.believed(signer, record.issuer, roles, { index, asOf }));
}

/** The grants given for the request, and those that its receipts used, each once. */
export function grantsOf({ action, uses }: Case): Set<RecordEntry> {
  return new Set([...action.grants, ...uses.flatMap(({ grant }) => grant ?? [])]);
}

/** A grant and every grant above it that is there, nearest first. */
export function ancestry(grant: RecordEntry, graph: Graph): RecordEntry[] {
  const chain = [grant];
  for (;;) {
    const parent = grantIn(graph, textMember(chain.at(-1)?.record.value ?? {}, "parent_capability_hash"));
    // Hashes cannot go in circles; the bound is for a depth that the walk would not follow either.
    if (parent === undefined || chain.length > 32) return chain;
    chain.push(parent);
  }
}

/** A grant and every grant below it that is there. */
export function descent(grant: RecordEntry, graph: Graph): RecordEntry[] {
  const found = new Map([[grant.id, grant]]);
  for (const one of found.values())
    for (const child of graph.naming(one.id, "parent_capability_hash", "capability-grant"))
      if (!found.has(child.id)) found.set(child.id, child);
  return [...found.values()];
}

export function time(entry: RecordEntry, member: string): number | undefined {
  return timeOf(entry.record.value[member]);
}

export function permitted(grant: RecordEntry): JsonObject {
  return objectMember(grant.record.value, "permitted_action");
}

/** Approvals that are asked for: `[{role, min}]`, the largest number for each role. */
export function requiredApprovals(...sources: readonly (RecordEntry | undefined)[]): Map<string, number> {
  const required = new Map<string, number>();
  for (const source of sources) {
    for (const { role, min } of objects(source?.record.value["required_approvals"]))
      if (typeof role === "string" && typeof min === "number" && min > 0)
        required.set(role, Math.max(min, required.get(role) ?? 0));
  }
  return required;
}

/**
 * Where evidence is cut off: "as of the grant's index, or the receipt's when there is no grant". Once for each grant that
 * was used; before any use, for each grant that there is; null while there is nothing yet.
 */
export function evidenceCuts({ action, uses }: Case): (RecordEntry | null)[] {
  const used = uses.map(({ grant, receipt }) => grant ?? receipt);
  const cuts = used.length > 0 ? used : action.grants;
  return cuts.length === 0 ? [null] : [...new Set(cuts)];
}

/** The first of them: what was logged before it came before every use. */
export function firstCut(one: Case): RecordEntry | null {
  const cuts = evidenceCuts(one);
  return cuts.reduce(
    (first, cut) => (first === null || (cut !== null && cut.index < first.index) ? cut : first),
    null,
  );
}
