/** What the action rested on: facts, what confirms them, and earlier actions. Judged as of the grant. */
import { objectMember, objects, strings } from "../../record/links.js";
import {
  ancestry,
  type Case,
  type Context,
  evidenceCuts,
  firstCut,
  grantsOf,
  rulesOf,
  smallestRule,
  takenBack,
  time,
} from "../context.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords, textMember } from "../graph.js";
import { fails, type Problem, unknown } from "../verdict.js";

export interface Cited {
  readonly name: string;
  readonly hash: string;
}

/** The evidence that request and decisions name. */
export function citedBy({ action }: Case): Cited[] {
  const asked = Object.entries(objectMember(action.request?.record.value ?? {}, "evidence_hashes")).flatMap(
    ([name, hash]) => (typeof hash === "string" ? [{ name, hash }] : []),
  );
  const evaluated = action.decisions.flatMap(({ record }) =>
    objects(record.value["evaluated_evidence"]).flatMap(({ name, hash }) =>
      typeof name === "string" && typeof hash === "string" ? [{ name, hash }] : [],
    ),
  );
  const hashes = new Set(asked.map(({ hash }) => hash));
  return [...asked, ...evaluated.filter(({ hash }) => !hashes.has(hash) && hashes.add(hash))];
}

/** The facts that wrote a hash down before `cut`, without those that only confirm one of them. */
export function factsFor(hash: string, cut: RecordEntry | null, { graph }: Context): RecordEntry[] {
  const facts = distinctRecords(graph.writers(hash)).filter(
    ({ record, index }) => record.type === "fact" && (cut === null || index < cut.index),
  );
  const ids = new Set(facts.map(({ id }) => id));
  return facts.filter(({ record }) => !ids.has(textMember(record.value, "confirms") ?? ""));
}

/** The receipts of other actions that wrote a hash down before `cut`. (An action's own receipts attest it nothing.) */
function receiptsFor(
  hash: string,
  cut: RecordEntry | null,
  { action }: Case,
  { graph }: Context,
): RecordEntry[] {
  return distinctRecords(graph.writers(hash)).filter(
    ({ record: { type, value }, index }) =>
      type === "execution-receipt" &&
      value["outcome"] !== "refused" &&
      value["request_hash"] !== action.id &&
      (cut === null || index < cut.index),
  );
}

/** "every evidence hash resolves to a fact; not superseded or revoked before use; young enough" */
export function evidenceStands(one: Case, context: Context): Problem[] {
  const cited = citedBy(one);
  const required = new Set(rulesOf(one).flatMap(({ record }) => strings(record.value["required_evidence"])));
  const missing = [...required].filter((name) => !cited.some((evidence) => evidence.name === name));
  const problems = evidenceCuts(one).flatMap((cut) =>
    cited.flatMap((evidence) => standing(evidence, cut, one, context)),
  );
  if (missing.length > 0)
    problems.push(
      unknown("EVIDENCE_UNRESOLVED", named(one), `the action type asks for evidence: ${missing.join(", ")}`),
    );
  return problems;
}

/** What is wrong with one piece of evidence, as of one use. */
function standing({ name, hash }: Cited, cut: RecordEntry | null, one: Case, context: Context): Problem[] {
  const facts = factsFor(hash, cut, context);
  if (facts.length === 0)
    return receiptsFor(hash, cut, one, context).length > 0
      ? []
      : [unknown("EVIDENCE_UNRESOLVED", named(one), `nothing logged before says what ${name} is`)];
  // One that was taken back spoils the others of the same value; one that is old does not, if there is a fresher.
  const gone = facts.flatMap((fact) => takenBackProblem(name, fact, cut, context) ?? []);
  const stale = facts.flatMap((fact) => ageProblem(name, fact, cut, one) ?? []);
  return [...gone.slice(0, 1), ...(stale.length === facts.length ? stale.slice(0, 1) : [])];
}

function named({ action: { request } }: Case): RecordEntry[] {
  return request === undefined ? [] : [request];
}

function takenBackProblem(
  name: string,
  fact: RecordEntry,
  cut: RecordEntry | null,
  context: Context,
): Problem | undefined {
  const before = cut?.index ?? context.asOf;
  const superseder = superseders(fact, context).find(({ index }) => index < before);
  if (superseder !== undefined)
    return fails("EVIDENCE_SUPERSEDED", [fact, superseder], `${name} was superseded before its use`);
  const revocation = takenBack(fact, before, context);
  return revocation === undefined
    ? undefined
    : fails("EVIDENCE_SUPERSEDED", [fact, revocation], `${name} was revoked before its use`);
}

function ageProblem(
  name: string,
  fact: RecordEntry,
  cut: RecordEntry | null,
  one: Case,
): Problem | undefined {
  const used = cut === null ? undefined : time(cut, "issued_at");
  if (used === undefined) return undefined;
  const stale = (why: string): Problem => fails("EVIDENCE_STALE", [fact], `${name} ${why}`);
  const [observed, until] = [time(fact, "observed_at"), time(fact, "valid_until")];
  if (until !== undefined && used > until) return stale("was valid no longer");
  const oldest = smallestRule(one, "max_evidence_age_s");
  if (observed === undefined || oldest === undefined) return undefined;
  const age = (used - observed) / 1000;
  if (age < 0) return stale("is dated after its use");
  return age > oldest ? stale(`was ${Math.round(age)} s old, ${oldest} s are allowed`) : undefined;
}

/** Facts that take the place of this one: about the same subject. */
export function superseders(fact: RecordEntry, { graph }: Context): RecordEntry[] {
  return graph
    .naming(fact.id, "supersedes", "fact")
    .filter(({ record }) => record.value["subject"] === fact.record.value["subject"]);
}

/** "another key and another control domain than writer, agent, executor", for every piece of evidence, at every use */
export function confirmed(one: Case, context: Context): Problem[] {
  const cited = citedBy(one);
  if (cited.length === 0)
    return [
      fails("CONFIRMATION_MISSING", named(one), "the action type asks for confirmed evidence, none is named"),
    ];
  return evidenceCuts(one).flatMap((cut) =>
    cited.flatMap((evidence) => confirmation(evidence, cut, one, context)),
  );
}

/** It is enough that one fact of the value is independently confirmed. */
function confirmation(
  { name, hash }: Cited,
  cut: RecordEntry | null,
  one: Case,
  context: Context,
): Problem[] {
  const facts = factsFor(hash, cut, context);
  // What nothing resolves is unknown, and said so already.
  if (facts.length === 0 && receiptsFor(hash, cut, one, context).length === 0) return [];
  const all = facts.map((fact) => ({ fact, by: confirmations(fact, cut, one, context) }));
  if (all.some(({ fact, by }) => by.some((other) => isIndependent(other, fact, one, context)))) return [];
  const by = all.flatMap((each) => each.by);
  return by.length === 0
    ? [fails("CONFIRMATION_MISSING", [...named(one), ...facts], `nobody confirmed ${name} before its use`)]
    : [
        fails(
          "SELF_CORROBORATED",
          [...facts, ...by],
          `${name} is confirmed only by those who wrote or use it`,
        ),
      ];
}

/** The facts that confirm this one, before `cut`, about the same value, standing and young enough themselves. */
export function confirmations(
  fact: RecordEntry,
  cut: RecordEntry | null,
  one: Case,
  context: Context,
): RecordEntry[] {
  const before = cut?.index ?? context.asOf;
  return context.graph
    .naming(fact.id, "confirms", "fact")
    .filter(
      (other) =>
        other.index < before &&
        other.record.value["value_hash"] === fact.record.value["value_hash"] &&
        takenBackProblem("", other, cut, context) === undefined &&
        ageProblem("", other, cut, one) === undefined,
    );
}

/** Compares what the signers' key records say, never a fact's own claim. */
export function isIndependent(
  other: RecordEntry,
  fact: RecordEntry,
  { action, uses }: Case,
  context: Context,
): boolean {
  const parties = [
    fact,
    ...(action.request === undefined ? [] : [action.request]),
    ...uses.map(({ receipt }) => receipt),
  ];
  const { graph } = context;
  const keys = new Set(parties.flatMap((party) => graph.speakersOf(party)));
  const domains = new Set(parties.flatMap((party) => domainsOf(party, context)));
  const own = domainsOf(other, context);
  return (
    own.length > 0 &&
    !graph.speakersOf(other).some((signer) => keys.has(signer)) &&
    !own.some((domain) => domains.has(domain)) &&
    // An absent domain is nobody's, and independent of nobody.
    !parties.some((party) => domainsOf(party, context).length === 0)
  );
}

function domainsOf(entry: RecordEntry, { graph, keys, asOf }: Context): string[] {
  return graph
    .speakersOf(entry)
    .flatMap((signer) =>
      keys.registrations(signer, { index: entry.index, asOf }).map(({ controlDomain }) => controlDomain),
    );
}

/**
 * "prior receipts resolve, earlier, and their own traces pass": the named ones, those that wrote the evidence, and the
 * actions of other requests that grants above this one's were given for.
 */
export function priorActions(one: Case, context: Context): Problem[] {
  const cut = firstCut(one);
  const problems: Problem[] = [];
  for (const receipt of one.action.receipts) {
    for (const id of strings(receipt.record.value["prior_receipts"])) {
      const prior = context.graph.record(id);
      if (prior === undefined || prior.record.type !== "execution-receipt")
        problems.push(unknown("PRIOR_UNRESOLVED", [receipt], `the prior receipt ${id} is not there`));
      else if (prior.index >= Math.min(receipt.index, cut?.index ?? receipt.index)) {
        const why = "what it names as prior was logged later than what it is prior to";
        problems.push(fails("FORWARD_REFERENCE", [receipt, prior], why));
      } else problems.push(...priorVerdict(prior, one, context));
    }
  }
  for (const { hash } of citedBy(one)) problems.push(...writersJudged(hash, cut, one, context));
  for (const above of new Set([...grantsOf(one)].flatMap((grant) => ancestry(grant, context.graph).slice(1))))
    problems.push(...priorVerdict(above, one, context));
  return problems;
}

function writersJudged(hash: string, cut: RecordEntry | null, one: Case, context: Context): Problem[] {
  const receipts = receiptsFor(hash, cut, one, context).flatMap((receipt) =>
    priorVerdict(receipt, one, context),
  );
  return [
    ...receipts,
    ...factsFor(hash, cut, context).flatMap((fact): Problem[] => {
      const via = textMember(fact.record.value, "via_receipt");
      if (via === undefined) return [];
      const receipt = context.graph.record(via);
      if (receipt === undefined || receipt.record.type !== "execution-receipt")
        return [unknown("PRIOR_UNRESOLVED", [fact], "the receipt that the fact was written by is not there")];
      return receipt.index >= fact.index
        ? [
            fails(
              "FORWARD_REFERENCE",
              [fact, receipt],
              "the fact was logged before the receipt it was written by",
            ),
          ]
        : priorVerdict(receipt, one, context);
    }),
  ];
}

function priorVerdict(prior: RecordEntry, { action }: Case, context: Context): Problem[] {
  const id = textMember(prior.record.value, "request_hash");
  if (id === undefined || id === action.id) return [];
  const word = context.supporting(id);
  if (word === "AUTHORIZED" || word === "AUTHORIZED_WITH_EXCEPTION") return [];
  // A grant above may have been given to be handed down and not to be used.
  if (word === "NOT_EXECUTED" && prior.record.type === "capability-grant") return [];
  if (word === "VIOLATION")
    return [fails("PRIOR_VIOLATION", [prior], "the action it rests on is a violation itself")];
  const why = word === null ? "rests on this one in turn" : `is ${word}`;
  return [unknown("PRIOR_UNRESOLVED", [prior], `the action it rests on ${why}`)];
}

export function hasPriors(one: Case, { graph }: Context): boolean {
  return (
    one.action.receipts.some(({ record }) => strings(record.value["prior_receipts"]).length > 0) ||
    one.action.grants.some(({ record }) => record.value["parent_capability_hash"] !== undefined) ||
    citedBy(one).some(({ hash }) => graph.writers(hash).length > 0)
  );
}
