/** Evidence that somebody independent confirmed: another key, another control domain, nobody of the action. */
import { type Anchor, anchorsOf, anyRule, type Case, firstAnchor } from "../case.js";
import { controlDomains, shareKey, takenBack } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { Memory } from "../memory.js";
import { fails, type Problem } from "../verdict.js";
import {
  ageProblem,
  citedBy,
  type Cited,
  factsFor,
  isWrittenAgain,
  named,
  supersederOf,
  takenBackProblem,
} from "./evidence.js";

/** Tier 3 and wherever it is demanded. */
export function wantsConfirmation(one: Case): boolean {
  return one.tier >= 3 || anyRule(one, "independent_confirmation");
}

/** "Independent confirmation at tier 3 and wherever demanded (no evidence named at tier 3: missing)." */
export function confirmed(one: Case): Problem[] {
  const cited = citedBy(one);
  if (cited.length === 0)
    return [fails("CONFIRMATION_MISSING", named(one), "confirmed evidence is asked for, and none is named")];
  return anchorsOf(one).flatMap((anchor) => cited.flatMap((evidence) => confirmation(evidence, anchor, one)));
}

/** It is enough that one fact of the value is independently confirmed. */
function confirmation({ name, hash }: Cited, anchor: Anchor, one: Case): Problem[] {
  const facts = factsFor(hash, anchor.index, one.context);
  // What nothing resolves is unknown, and said so already.
  if (facts.length === 0) return [];
  const all = facts.map((fact) => ({ fact, by: confirmations(fact, anchor, one) }));
  if (all.some(({ fact, by }) => by.some((other) => isIndependent(other, fact, one)))) return [];
  const by = all.flatMap((each) => each.by);
  return by.length === 0
    ? [fails("CONFIRMATION_MISSING", [...named(one), ...facts], `nobody confirmed ${name} before its use`)]
    : [
        fails(
          "SELF_CORROBORATED",
          [...facts, ...by],
          `${name} is confirmed only by those who wrote it, use it or decided on it`,
        ),
      ];
}

/** The facts that confirm this one: after it, before the anchor, of the same value and subject, standing and young enough. */
export function confirmations(fact: RecordEntry, anchor: Anchor, one: Case): readonly RecordEntry[] {
  return CONFIRMATIONS.of(one, `${fact.index} ${anchor.index}`, () => confirming(fact, anchor, one));
}

const CONFIRMATIONS = new Memory<Case, readonly RecordEntry[]>();

function confirming(fact: RecordEntry, anchor: Anchor, one: Case): RecordEntry[] {
  const { context } = one;
  const { value_hash: hash, subject } = fact.record.value;
  return context.graph
    .naming(fact.id, "confirms", "fact")
    .filter(
      (other) =>
        other.index > fact.index &&
        other.index < anchor.index &&
        other.record.value["value_hash"] === hash &&
        other.record.value["subject"] === subject &&
        takenBackProblem("", other, anchor.index, context) === undefined &&
        ageProblem("", other, anchor, one) === undefined,
    );
}

/** When all that confirmed a value at the anchor was taken back before `index`: the last of them, and by what. */
export function confirmationLost(
  hash: string,
  anchor: Anchor,
  index: number,
  one: Case,
): { readonly what: RecordEntry; readonly by: RecordEntry } | undefined {
  const { context } = one;
  const good = factsFor(hash, anchor.index, context).flatMap((fact) =>
    confirmations(fact, anchor, one).filter((other) => isIndependent(other, fact, one)),
  );
  const lost = good.flatMap((what) => {
    const by = takenBack(what, index, context) ?? supersederOf(what, index, context);
    return by === undefined || isWrittenAgain(what, index, context) ? [] : [{ what, by }];
  });
  return good.length > 0 && lost.length === good.length ? lost.at(-1) : undefined;
}

/** "By another key *and* control domain than writer, agent, executor, engine, approvers, authority": as their key records say. */
export function isIndependent(other: RecordEntry, fact: RecordEntry, one: Case): boolean {
  return INDEPENDENT.of(one, `${other.index} ${fact.index}`, () => judgeIndependence(other, fact, one));
}

const INDEPENDENT = new Memory<Case, boolean>();

function judgeIndependence(other: RecordEntry, fact: RecordEntry, one: Case): boolean {
  const { action, done, grants, decisions, context } = one;
  const parties = [
    fact,
    ...(action.request === undefined ? [] : [action.request]),
    ...done.flatMap(({ receipts }) => receipts),
    ...decisions,
    ...action.approvals.filter(({ index }) => index < firstAnchor(one).index || grants.length === 0),
    ...grants,
  ];
  const own = controlDomains(other, context);
  return (
    own.length > 0 &&
    parties.every((party) => {
      const domains = controlDomains(party, context);
      // An absent domain is nobody's, and independent of nobody.
      return (
        domains.length > 0 &&
        !own.some((domain) => domains.includes(domain)) &&
        !shareKey(party, other, context)
      );
    })
  );
}
