/** What every check may ask: the records, who is believed, what was revoked, which registration was in force. */
import type { KeyTable } from "../index/keys.js";
import { objectMember, objects } from "../record/links.js";
import { mayRevoke, revocationAction } from "../record/revocation.js";
import { timeOf } from "../record/time.js";
import type { JsonObject } from "../statement/json.js";
import { type RecordEntry, signersOf } from "./entry.js";
import { type Action, type Graph, textMember } from "./graph.js";
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
  readonly tier: number;
  readonly registration: Registration;
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
  const name = request === undefined ? undefined : textMember(request.record.value, "action_type");
  const before = request?.index ?? context.asOf;
  const registration = registrationOf(name, before, context);
  const tiers = [
    registration,
    ...classifications(action).map((other) => registrationOf(other, before, context)),
  ].map(tierOf);
  const uses = action.receipts
    .filter(({ record }) => record.value["outcome"] !== "refused")
    .map((receipt) => ({
      receipt,
      grant: grantIn(context.graph, textMember(receipt.record.value, "capability_hash")),
    }));
  return { action, registration, uses, tier: Math.max(context.profile.leastTier, ...tiers) };
}

function grantIn(graph: Graph, id: string | undefined): RecordEntry | undefined {
  const grant = graph.record(id);
  return grant?.record.type === "capability-grant" ? grant : undefined;
}

/** Action types that decisions put the request under instead of its own. */
export function classifications({ decisions }: Action): string[] {
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

/** The last decision in the chain of those that supersede one another, before `index`. */
export function effectiveDecision(decision: RecordEntry, before: number, { graph }: Context): RecordEntry {
  let current = decision;
  for (;;) {
    const next = graph
      .naming(current.id, "supersedes", "policy-decision")
      .find((later) => later.index < before && later.index > current.index);
    if (next === undefined) return current;
    current = next;
  }
}

/** What took a record back, for good or for now, before `index`: the deciding revocation, or undefined. */
export function takenBack(target: RecordEntry, before: number, context: Context): RecordEntry | undefined {
  let suspended: RecordEntry | undefined;
  for (const entry of context.graph.naming(target.id, "target", "revocation")) {
    if (entry.index >= before || !isEntitled(entry, target, context)) continue;
    const action = revocationAction(entry.record);
    if (action === "revoke") return entry;
    suspended = action === "suspend" ? (suspended ?? entry) : undefined;
  }
  return suspended;
}

/** May this revocation take the target back? */
export function isEntitled(revocation: RecordEntry, target: RecordEntry, context: Context): boolean {
  const { graph, keys, asOf } = context;
  const { issuer } = revocation.record;
  const believedAs = (role: string): boolean =>
    signersOf(revocation).some((signer) =>
      keys.believed(signer, issuer, [role], { index: revocation.index, asOf }),
    );
  const request = graph.record(textMember(target.record.value, "request_hash"));
  return mayRevoke(revocation.record, target.record, request?.record ?? null, {
    isRegistrar: believedAs("registrar"),
    isOwner: believedAs("owner"),
  });
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
  const found = [grant];
  for (const one of found)
    for (const child of graph.naming(one.id, "parent_capability_hash", "capability-grant"))
      if (!found.some(({ id }) => id === child.id)) found.push(child);
  return found;
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
      if (typeof role === "string" && typeof min === "number")
        required.set(role, Math.max(min, required.get(role) ?? 0));
  }
  return required;
}

/** Where evidence is cut off: "as of the grant's index, or the receipt's when there is no grant". */
export function evidenceCut({ action, uses }: Case): RecordEntry | undefined {
  return uses.find(({ grant }) => grant !== undefined)?.grant ?? action.grants[0] ?? action.receipts[0];
}
