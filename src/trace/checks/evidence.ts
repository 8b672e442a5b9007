/** What the action rested on: that each piece of evidence is a fact, that fits, stands, and is young enough. Judged as of the grant. */
import { objectMember, strings } from "../../record/links.js";
import { isJsonObject, type Json, type JsonObject } from "../../statement/json.js";
import { type Anchor, anchorsOf, type Case, firstAnchor, rulesOf, smallestRule } from "../case.js";
import { type Context, evaluatedBy, isDigest, permitted, takenBack, time } from "../context.js";
import { readConstraint } from "../constraints.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords, type Graph, textMember } from "../graph.js";
import { Memory } from "../memory.js";
import { BACKDATED_MS } from "../moments.js";
import { fails, type Problem, unknown } from "../verdict.js";

const DAY_MS = 86_400_000;
/** Where neither the action type nor the fact says how old it may be. */
export const OLD_MS = 30 * DAY_MS;

export interface Cited {
  readonly name: string;
  readonly hash: string;
}

/** The evidence that the request names, and what the decisions that count evaluated besides. */
export function citedBy({ action, decisions, grants }: Case): Cited[] {
  const asked = askedFor(action.request);
  // A duty is no evidence: the hash that an engine adds to its outcome is of its own report.
  const constraints = [action.request?.record.value ?? {}, ...grants.map(permitted)].map((source) =>
    objectMember(source, "constraints"),
  );
  const isDuty = (name: string): boolean =>
    constraints.some(
      (one) => Object.hasOwn(one, name) && readConstraint(name, one[name] ?? null).kind === "duty",
    );
  const evaluated = decisions.flatMap((decision) =>
    evaluatedBy(decision).flatMap(({ name, hash }) =>
      hash === undefined || isDuty(name) ? [] : [{ name, hash }],
    ),
  );
  const names = new Set(asked.map(({ name }) => name));
  const hashes = new Set(asked.map(({ hash }) => hash));
  return [
    ...asked,
    ...evaluated.filter(({ name, hash }) => !names.has(name) && !hashes.has(hash) && hashes.add(hash)),
  ];
}

function askedFor(request: RecordEntry | undefined): Cited[] {
  return Object.entries(objectMember(request?.record.value ?? {}, "evidence_hashes")).flatMap(
    ([name, hash]) => (isDigest(hash) ? [{ name, hash }] : []),
  );
}

/** The facts that it rests on, and what confirms them. */
export function citedFacts(one: Case): RecordEntry[] {
  const { context } = one;
  const { index } = firstAnchor(one);
  return citedBy(one).flatMap(({ hash }) =>
    factsFor(hash, index, context).flatMap((fact) => [
      fact,
      ...context.graph.naming(fact.id, "confirms", "fact"),
    ]),
  );
}

/** The facts that wrote a hash down before a place, without those that only confirm one of them. A receipt is no fact. */
export function factsFor(hash: string, before: number, { graph }: Context): RecordEntry[] {
  const facts = distinctRecords(graph.writers(hash)).filter(
    ({ record, index }) => record.type === "fact" && index < before,
  );
  const ids = new Set(facts.map(({ id }) => id));
  return facts.filter(({ record }) => !ids.has(textMember(record.value, "confirms") ?? ""));
}

/** "Every evidence name resolves to a fact of a recorder or agent with standing, that fits, was not taken back, and is young enough." */
export function evidenceStands(one: Case): Problem[] {
  const cited = citedBy(one);
  const required = new Set(rulesOf(one).flatMap(({ record }) => strings(record.value["required_evidence"])));
  const missing = [...required].filter((name) => !cited.some((evidence) => evidence.name === name));
  const malformed = Object.entries(objectMember(one.action.request?.record.value ?? {}, "evidence_hashes"))
    .filter(([, hash]) => !isDigest(hash))
    .map(([name]) => name);
  const problems = anchorsOf(one).flatMap((anchor) =>
    cited.flatMap((evidence) => standing(evidence, anchor, required.has(evidence.name), one)),
  );
  const lacking = (names: readonly string[], why: string): void => {
    if (names.length > 0)
      problems.push(unknown("EVIDENCE_UNRESOLVED", named(one), `${why}: ${names.join(", ")}`));
  };
  lacking(missing, "the action type asks for evidence that the request does not name");
  lacking(malformed, "the request names evidence by what is no digest");
  return problems;
}

/** What is wrong with one piece of evidence, as of one anchor. */
function standing({ name, hash }: Cited, anchor: Anchor, isRequired: boolean, one: Case): Problem[] {
  const facts = factsFor(hash, anchor.index, one.context);
  if (facts.length === 0)
    return [
      unknown(
        "EVIDENCE_UNRESOLVED",
        named(one),
        `nobody whose word counts wrote down before what ${name} is`,
      ),
    ];
  const fitting = facts.filter((fact) => fits(name, fact, isRequired, one));
  if (fitting.length === 0)
    return [
      unknown(
        "EVIDENCE_UNRELATED",
        [...named(one), ...facts],
        `${name} is a fact of type ${textMember(facts[0]?.record.value ?? {}, "fact_type")} about ${textMember(facts[0]?.record.value ?? {}, "subject")}`,
      ),
    ];
  // One that was taken back spoils the others of the same value; one that is old does not, if there is a fresher.
  const gone = fitting.flatMap((fact) =>
    isWrittenAgain(fact, anchor.index, one.context)
      ? []
      : (takenBackProblem(name, fact, anchor.index, one.context) ?? []),
  );
  const aged = fitting.map((fact) => ageProblem(name, fact, anchor, one));
  const [old] = aged.includes(undefined) ? [] : aged;
  return [...gone.slice(0, 1), ...(old === undefined ? [] : [old])];
}

export function named({ action: { request } }: Case): RecordEntry[] {
  return request === undefined ? [] : [request];
}

/**
 * "By `evidence_types`; without it, at tier 3 and for `required_evidence`: the name without `_hash`, `-` and `_` alike, is the
 * fact's type, and its subject, whole or after its first `:`, is a string in target or parameters."
 */
function fits(name: string, fact: RecordEntry, isRequired: boolean, one: Case): boolean {
  const { fact_type: type, subject } = fact.record.value;
  const asked = one.action.request?.record.value ?? {};
  const stated = rulesOf(one).flatMap(({ record }) => {
    const types = objectMember(record.value, "evidence_types");
    return Object.hasOwn(types, name) && isJsonObject(types[name] ?? null) ? [objectMember(types, name)] : [];
  });
  if (stated.length > 0)
    return stated.every((want) => {
      const path = textMember(want, "subject");
      const isOf =
        path === undefined || subjectForms(subject).some((form) => textsIn(at(asked, path)).includes(form));
      return want["fact_type"] === type && isOf;
    });
  if (one.tier < 3 && !isRequired) return true;
  const texts = [...textsIn(asked["target"]), ...textsIn(asked["parameters"])];
  return (
    typeof type === "string" &&
    alike(name.replace(/_hash$/, "")) === alike(type) &&
    subjectForms(subject).some((form) => texts.includes(form))
  );
}

function alike(name: string): string {
  return name.replaceAll("-", "_");
}

/** A subject, whole and after its first `:`. */
function subjectForms(subject: Json | undefined): string[] {
  if (typeof subject !== "string") return [];
  const colon = subject.indexOf(":");
  return colon < 0 ? [subject] : [subject, subject.slice(colon + 1)];
}

function at(value: JsonObject, path: string): Json | undefined {
  return path
    .split(".")
    .reduce<Json | undefined>(
      (inner, name) =>
        isJsonObject(inner ?? null) && Object.hasOwn(inner as JsonObject, name)
          ? (inner as JsonObject)[name]
          : undefined,
      value,
    );
}

/** Every string at whatever depth. */
function textsIn(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(textsIn);
  return isJsonObject(value ?? null) ? Object.values(value as JsonObject).flatMap(textsIn) : [];
}

export function takenBackProblem(
  name: string,
  fact: RecordEntry,
  before: number,
  context: Context,
): Problem | undefined {
  const superseder = supersederOf(fact, before, context);
  if (superseder !== undefined)
    return fails("EVIDENCE_SUPERSEDED", [fact, superseder], `${name} was superseded before its use`);
  const revocation = takenBack(fact, before, context);
  return revocation === undefined
    ? undefined
    : fails("EVIDENCE_SUPERSEDED", [fact, revocation], `${name} was revoked before its use`);
}

/** The age is the grant's `issued_at` − `observed_at`; of a grant dated back by more than an hour, the log's clock. */
export function ageProblem(
  name: string,
  fact: RecordEntry,
  { entry, grant }: Anchor,
  one: Case,
): Problem | undefined {
  const { context, tier } = one;
  if (entry === null) return undefined;
  const claimed = time(entry, grant === undefined ? "executed_at" : "issued_at");
  if (claimed === undefined) return undefined;
  const { receivedAt } = entry;
  const used = receivedAt !== null && receivedAt - claimed > BACKDATED_MS ? receivedAt : claimed;
  const stale = (why: string): Problem => fails("EVIDENCE_STALE", [fact, entry], `${name} ${why}`);
  const [observed, until] = [time(fact, "observed_at"), time(fact, "valid_until")];
  const age = observed === undefined ? 0 : used - observed;
  const oldest = smallestRule(one, "max_evidence_age_s");
  const onClaim = (limit: number): Problem | undefined =>
    limit < used - claimed
      ? unknown(
          "BACKDATED",
          [fact, entry],
          `whether ${name} was young enough rests on the date that the ${entry.record.type} gives itself`,
        )
      : undefined;
  if (until !== undefined && claimed > until) return stale("was valid no longer");
  if (until !== undefined && used > until) return onClaim(-1);
  if (age < -context.toleranceMs)
    return unknown(
      "TIME_DISAGREES",
      [fact, entry],
      `${name} is dated ${Math.round(-age / 1000)} s after its use`,
    );
  if (oldest !== undefined && age > oldest * 1000)
    return age - (used - claimed) > oldest * 1000
      ? stale(`was ${Math.round(age / 1000)} s old, and ${oldest} s are allowed`)
      : onClaim(-1);
  return oldest === undefined && until === undefined && tier >= 2 && age > OLD_MS
    ? unknown(
        "EVIDENCE_OLD",
        [fact, entry],
        `${name} was ${Math.round(age / DAY_MS)} days old, and no rule says how old it may be`,
      )
    : undefined;
}

/**
 * What says something else in a fact's stead, about the same subject, at a place: of all that superseded it, one after the
 * other, one of the last. What superseded it with the same value renews it, however often.
 */
export function supersederOf(fact: RecordEntry, before: number, context: Context): RecordEntry | undefined {
  const { value_hash: hash, subject } = fact.record.value;
  // Facts of one value and subject are asked about together: what one line of them comes to is worked out once.
  const name = JSON.stringify([hash, subject, before]);
  const known = ENDS.of(context.graph, name, () => new Map());
  const open = [fact];
  for (let one = open.at(-1); one !== undefined; one = open.at(-1)) {
    const next = supersedersOf(one, subject, before, context);
    const unknownYet = next.filter(({ id }) => !known.has(id));
    if (known.has(one.id) || unknownYet.length === 0) {
      const ends = next.map(({ id }) => known.get(id) ?? null).find((end) => end !== null) ?? null;
      const isEnd = next.length === 0 && one.record.value["value_hash"] !== hash;
      if (!known.has(one.id)) known.set(one.id, isEnd ? one : ends);
      open.pop();
    } else open.push(...unknownYet);
  }
  return known.get(fact.id) ?? undefined;
}

/** By hash, subject and place: of each fact, an end of its line that says something else; null where none does. */
const ENDS = new Memory<Graph, Map<string, RecordEntry | null>>();

/** Ids are hashes: nobody can supersede what comes after it, and no line goes in a circle. */
function supersedersOf(
  fact: RecordEntry,
  subject: Json | undefined,
  before: number,
  { graph }: Context,
): RecordEntry[] {
  return graph
    .naming(fact.id, "supersedes", "fact")
    .filter(({ index, record }) => index < before && record.value["subject"] === subject);
}

/**
 * Did its writer write the same down again, after it was taken back or in its stead before, and does that stand? Then it was
 * mended, or tidied up.
 */
export function isWrittenAgain(fact: RecordEntry, before: number, context: Context): boolean {
  const by = supersederOf(fact, before, context) ?? takenBack(fact, before, context);
  if (by === undefined) return false;
  const { issuer, value } = fact.record;
  // Revoked by its own writer once it had been renewed; what another revoked is not put right by an earlier word.
  const isTidied = by.record.type === "revocation" && by.record.issuer === issuer;
  return distinctRecords(context.graph.writers(textMember(value, "value_hash") ?? "")).some(
    (other) =>
      other.record.type === "fact" &&
      other.id !== fact.id &&
      other.index < before &&
      (other.index > by.index || (isTidied && other.record.value["supersedes"] === fact.id)) &&
      other.record.issuer === issuer &&
      other.record.value["subject"] === value["subject"] &&
      takenBackProblem("", other, before, context) === undefined,
  );
}

/** "Where the decision gives a hash for a name that the request cites, it is the cited hash"; and what was found to fail. */
export function evaluatedRight({ action, decisions, grants }: Case): Problem[] {
  const { request } = action;
  const cited = objectMember(request?.record.value ?? {}, "evidence_hashes");
  return decisions.flatMap((decision) => {
    const problems: Problem[] = [];
    const allows = decision.record.value["decision"] === "allow";
    for (const { name, outcome, hash } of evaluatedBy(decision)) {
      const isCited = Object.hasOwn(cited, name);
      if (isCited && hash !== undefined && hash !== cited[name])
        problems.push(
          fails(
            "EVALUATED_OTHER",
            [decision, ...(request === undefined ? [] : [request])],
            `${decision.record.issuer} evaluated another ${name} than the request names`,
          ),
        );
      if (outcome === "fail" && (allows || (isCited && grants.length > 0)))
        problems.push(
          fails(
            "EVALUATION_FAILED",
            [decision],
            `${decision.record.issuer} found ${name} to fail, and did not deny`,
          ),
        );
    }
    return problems;
  });
}
