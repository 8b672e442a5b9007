/** One action as it is judged: whose home it is, who has standing in it, by which rules, and what was done under it. */
import { objectMember, strings } from "../record/links.js";
import { TYPES } from "../record/types.js";
import {
  type Context,
  decisionFor,
  domainOf,
  effectiveDecision,
  type HandedDown,
  type Registration,
  registrationOf,
  speaksAs,
  takenBack,
  tierOf,
  time,
} from "./context.js";
import type { RecordEntry } from "./entry.js";
import { type Action, actionOf, textMember } from "./graph.js";
import { handedUse, isRefused, isUse, pendingUse, type Use, usesIn } from "./use.js";

export interface Case {
  readonly action: Action;
  /** The trust domain whose action it is. */
  readonly home: string;
  /** Does the request name a home that does not trust its agent? */
  readonly homeRefused: boolean;
  /** The context of this action: its graph holds what has standing in it. */
  readonly context: Context;
  /** The domains that its action type in force trusts, by role. */
  readonly trusts: Readonly<Record<string, readonly string[]>>;
  /** By which it is judged. */
  readonly tier: number;
  /** By which its action types are registered, however strictly it is judged. */
  readonly registeredTier: number;
  /** Of the action type that the request names. */
  readonly registration: Registration;
  /** That one, and those of the types that decisions put the request under. */
  readonly registrations: readonly Registration[];
  /** Everything consumed or receipted, and refusals too: what a boundary refused nobody did. */
  readonly calls: readonly Use[];
  /** Those that were not refused, in log order; and what is pending, while nothing was used. */
  readonly uses: readonly Use[];
  /** Those that say that something was done, or may have been. */
  readonly done: readonly Use[];
  /** The grants given for the request, and those that its receipts used, each once; without those that came to nothing. */
  readonly grants: readonly RecordEntry[];
  /** The decisions that it rests on: of its grants; without a grant, those that stood when it was done. */
  readonly decisions: readonly RecordEntry[];
}

/**
 * `from`: the record through which it was reached, whose domain is the home where the request itself is not there.
 * `handed`: judge it up to that grant, and as used there.
 */
export function caseOf(id: string, outer: Context, from?: RecordEntry, handed?: HandedDown): Case {
  const { everything } = outer;
  const plain = actionOf(everything, id);
  const { home, homeRefused } = homeOf(plain, outer, from);
  const before = plain.request?.index ?? outer.asOf;
  const registration = registrationOf(actionTypeOf(plain), before, home, outer);
  const trusts = trustsOf(registration);
  const counts = (entry: RecordEntry): boolean =>
    entry.id !== outer.proposal?.consumption &&
    hasStanding(entry, home, trusts, outer) &&
    isReliedOn(entry, outer);
  const graph = everything.entries.every(counts) ? everything : everything.within(counts);
  const all = actionOf(graph, id);
  const proposed = all.grants.find((grant) => grant.id === outer.proposal?.grant);
  // What somebody is about to do is done in one action, and in none that this one rests on.
  const context: Context = { ...outer, graph, proposal: proposed === undefined ? null : outer.proposal };
  // The request is what it is about, whoever asked.
  const whole: Action = { ...all, request: plain.request };
  const action: Action =
    handed === undefined ? whole : { ...whole, grants: [handed.grant], consumptions: [], receipts: [] };
  const others = classifications(action).filter((name) => name !== registration.name);
  const registrations = [
    registration,
    ...[...new Set(others)].map((name) => registrationOf(name, before, home, outer)),
  ];
  const registeredTier = Math.max(...registrations.map(tierOf));
  const calls = usesIn(action.consumptions, action.receipts, context);
  const done = calls.filter(isUse);
  const waiting = calls.length > 0 ? [] : action.grants;
  const pending = (proposed === undefined ? waiting : [proposed]).map((grant) => pendingUse(grant, context));
  const used = calls.flatMap(({ grant }) => grant ?? []);
  const given = action.grants.filter(
    (grant) =>
      (done.length === 0 && proposed === undefined) ||
      grant === proposed ||
      used.includes(grant) ||
      isOpen(grant, context),
  );
  const grants = [...new Set([...given, ...used])];
  const granted = grants.flatMap((grant) => decisionFor(grant, context) ?? []);
  return {
    action,
    home,
    homeRefused,
    trusts,
    context,
    tier: Math.max(context.profile.leastTier, registeredTier),
    registeredTier,
    registration,
    registrations,
    calls,
    uses:
      handed === undefined
        ? [...calls.filter((call) => !isRefused(call)), ...pending]
        : [handedUse(handed.grant, handed.use)],
    done,
    grants,
    decisions:
      grants.length === 0 ? standingDecisions(action, done[0]?.index, context) : [...new Set(granted)],
  };
}

/** Not over, and not taken back: what was given and came to nothing is no part of what was done otherwise. */
export function isOpen(grant: RecordEntry, context: Context): boolean {
  return (
    context.at <= (time(grant, "expiry") ?? Number.POSITIVE_INFINITY) &&
    takenBack(grant, context.asOf, context) === undefined
  );
}

/** Those before the act that nothing superseded; one that was taken back only where no other is left. */
function standingDecisions({ decisions }: Action, use: number | undefined, context: Context): RecordEntry[] {
  const before = use ?? context.asOf;
  const last = decisions.filter(
    (decision) => decision.index < before && effectiveDecision(decision, before, context) === decision,
  );
  const good = last.filter((decision) => takenBack(decision, before, context) === undefined);
  return good.length > 0 ? good : last;
}

/**
 * A decision or an approval whose signer is not believed (any more) is nobody's word, as long as no grant names it: whoever
 * has stolen a key can convict nobody with it. One that a grant names is a finding of its own.
 */
function isReliedOn(entry: RecordEntry, context: Context): boolean {
  const { type, value } = entry.record;
  if (type !== "policy-decision" && type !== "approval") return true;
  if (speaksAs(entry, TYPES.get(type)?.roles ?? [], context)) return true;
  if (type === "approval") return false;
  const { everything } = context;
  const request = textMember(value, "request_hash");
  return (
    everything.naming(entry.id, "decision_hash", "capability-grant").length > 0 ||
    request === undefined ||
    everything.naming(request, "request_hash", "capability-grant").length === 0
  );
}

/**
 * "An action's home is its agent's domain, or `action_domain` if the request names another whose action type trusts the agent's
 * domain as agent. Without a request it is the executor's."
 */
function homeOf(action: Action, context: Context, from: RecordEntry | undefined) {
  const { request, receipts, consumptions, grants, decisions, approvals } = action;
  if (request === undefined) {
    const [first] = [...receipts, ...consumptions, ...grants, ...decisions, ...approvals];
    const one = from ?? first;
    return { home: one === undefined ? context.origin : domainOf(one, context), homeRefused: false };
  }
  const own = domainOf(request, context);
  const named = textMember(request.record.value, "action_domain") ?? own;
  if (named === own) return { home: own, homeRefused: false };
  const there = registrationOf(
    textMember(request.record.value, "action_type"),
    request.index,
    named,
    context,
  );
  return { home: named, homeRefused: !(trustsOf(there)["agent"] ?? []).includes(own) };
}

function trustsOf({ inForce }: Registration): Readonly<Record<string, readonly string[]>> {
  const trusts = objectMember(inForce?.record.value ?? {}, "trusts");
  return Object.fromEntries(Object.entries(trusts).map(([role, names]) => [role, strings(names)]));
}

/**
 * "A record has standing in an action when it is of the home, or of a domain that the action type in force trusts for that
 * role." What makes keys known, and what takes records back, is judged by itself: by whose domain it is about.
 */
function hasStanding(
  entry: RecordEntry,
  home: string,
  trusts: Readonly<Record<string, readonly string[]>>,
  context: Context,
): boolean {
  const { type } = entry.record;
  if (type === "key" || type === "log-policy" || type === "revocation") return true;
  const domain = domainOf(entry, context);
  const all = TYPES.get(type)?.roles ?? [];
  const isRule = type === "action-type" || type === "exception";
  const trusted = isRule ? [] : all.filter((role) => trusts[role]?.includes(domain) === true);
  const roles = domain === home ? all : trusted;
  if (roles.length === 0) return false;
  // Of a step, who signed it is a finding of its own; anything else counts for nothing once its signer is not believed.
  return STEPS.has(type) || speaksAs(entry, roles, context);
}

const STEPS: ReadonlySet<string> = new Set([
  "action-request",
  "policy-decision",
  "approval",
  "capability-grant",
  "consumption",
  "execution-receipt",
]);

/** What the request asks for; without a request, what its receipts say was done, if they agree. */
function actionTypeOf({ request, receipts }: Action): string | undefined {
  if (request !== undefined) return textMember(request.record.value, "action_type");
  const done = receipts.map(({ record }) =>
    textMember(objectMember(record.value, "executed_action"), "action_type"),
  );
  return done.every((name) => name === done[0]) ? done[0] : undefined;
}

/** Action types that decisions put the request under instead of its own. */
function classifications({ decisions }: Action): string[] {
  return decisions.flatMap(({ record }) => textMember(record.value, "classified_action_type") ?? []);
}

/** The registrations in force that an action stands under. */
export function rulesOf({ registrations }: Pick<Case, "registrations">): RecordEntry[] {
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

/** Does any of them say this? */
export function anyRule(one: Case, member: string): boolean {
  return rulesOf(one).some(({ record }) => record.value[member] === true);
}

/** A place up to which something must have been said: the grant that was used, else the receipt. */
export interface Anchor {
  readonly grant: RecordEntry | undefined;
  /** Null while there is neither. */
  readonly entry: RecordEntry | null;
  readonly index: number;
}

/**
 * Where what was said before is cut off: at each grant; at the first receipt of what was done without one; and nowhere while
 * there is neither.
 */
export function anchorsOf({ grants, done, context }: Case): Anchor[] {
  const anchors: Anchor[] = grants.map((grant) => ({ grant, entry: grant, index: grant.index }));
  for (const { grant, receipts } of done) {
    const [receipt] = receipts;
    if (grant === undefined && receipt !== undefined)
      anchors.push({ grant: undefined, entry: receipt, index: receipt.index });
  }
  return anchors.length > 0 ? anchors : [{ grant: undefined, entry: null, index: context.asOf }];
}

/** The first of them: what was logged before it came before every use. */
export function firstAnchor(one: Case): Anchor {
  const anchors = anchorsOf(one);
  return anchors.reduce((first, anchor) => (anchor.index < first.index ? anchor : first));
}

/** Every entry of an action that has standing in it, its request among them. */
export function partsOf({ action, grants }: Case): RecordEntry[] {
  const { request, decisions, approvals, consumptions, receipts } = action;
  const parts = [
    ...(request === undefined ? [] : [request]),
    ...decisions,
    ...approvals,
    ...grants,
    ...consumptions,
    ...receipts,
  ];
  return [...new Set(parts)];
}
