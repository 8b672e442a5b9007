/** What the action rested on: facts, what confirms them, and earlier actions. Judged as of the grant. */
import { objectMember, objects, strings } from "../../record/links.js";
import { type Case, type Context, evidenceCut, takenBack, time } from "../context.js";
import { type RecordEntry, signersOf } from "../entry.js";
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
export function factsFor(hash: string, cut: RecordEntry | undefined, { graph }: Context): RecordEntry[] {
  const facts = distinctRecords(graph.writers(hash)).filter(
    ({ record, index }) => record.type === "fact" && (cut === undefined || index < cut.index),
  );
  const ids = new Set(facts.map(({ id }) => id));
  return facts.filter(({ record }) => !ids.has(textMember(record.value, "confirms") ?? ""));
}

/** "every evidence hash resolves to a fact; not superseded or revoked before use; young enough" */
export function evidenceStands(one: Case, context: Context): Problem[] {
  const { registration } = one;
  const cut = evidenceCut(one);
  const cited = citedBy(one);
  const problems = cited.flatMap(({ name, hash }): Problem[] => {
    const facts = factsFor(hash, cut, context);
    const receipts = context.graph
      .writers(hash)
      .filter(
        ({ record, index }) =>
          record.type === "execution-receipt" && (cut === undefined || index < cut.index),
      );
    if (facts.length === 0 && receipts.length > 0) return [];
    if (facts.length === 0)
      return [unknown("EVIDENCE_UNRESOLVED", named(one), `nothing logged before says what ${name} is`)];
    // One that was taken back spoils the others of the same value; one that is old does not, if there is a fresher.
    const gone = facts.flatMap((fact) => takenBackProblem(name, fact, cut, context) ?? []);
    const stale = facts.flatMap((fact) => ageProblem(name, fact, cut, one) ?? []);
    return [...gone.slice(0, 1), ...(stale.length === facts.length ? stale.slice(0, 1) : [])];
  });
  const required = strings(registration.inForce?.record.value["required_evidence"]);
  const missing = required.filter((name) => !cited.some((evidence) => evidence.name === name));
  if (missing.length > 0)
    problems.push(
      unknown("EVIDENCE_UNRESOLVED", named(one), `the action type asks for evidence: ${missing.join(", ")}`),
    );
  return problems;
}

function named({ action: { request } }: Case): RecordEntry[] {
  return request === undefined ? [] : [request];
}

function takenBackProblem(
  name: string,
  fact: RecordEntry,
  cut: RecordEntry | undefined,
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
  cut: RecordEntry | undefined,
  { registration }: Case,
): Problem | undefined {
  const used = cut === undefined ? undefined : time(cut, "issued_at");
  if (used === undefined) return undefined;
  const [observed, until] = [time(fact, "observed_at"), time(fact, "valid_until")];
  if (until !== undefined && used > until)
    return fails("EVIDENCE_STALE", [fact], `${name} was valid no longer`);
  const oldest = registration.inForce?.record.value["max_evidence_age_s"];
  const age = observed === undefined ? 0 : (used - observed) / 1000;
  return typeof oldest === "number" && age > oldest
    ? fails("EVIDENCE_STALE", [fact], `${name} was ${Math.round(age)} s old, ${oldest} s are allowed`)
    : undefined;
}

/** Facts that take the place of this one: about the same subject. */
export function superseders(fact: RecordEntry, { graph }: Context): RecordEntry[] {
  return graph
    .naming(fact.id, "supersedes", "fact")
    .filter(({ record }) => record.value["subject"] === fact.record.value["subject"]);
}

/** "another key and another control domain than writer, agent, executor" */
export function confirmed(one: Case, context: Context): Problem[] {
  const cut = evidenceCut(one);
  return citedBy(one).flatMap(({ name, hash }) => {
    const facts = factsFor(hash, cut, context);
    return facts.flatMap((fact): Problem[] => {
      const confirming = confirmations(fact, cut, context);
      if (confirming.length === 0)
        return [fails("CONFIRMATION_MISSING", [fact], `nobody confirmed ${name} before its use`)];
      return confirming.some((other) => isIndependent(other, fact, one, context))
        ? []
        : [
            fails(
              "SELF_CORROBORATED",
              [fact, ...confirming],
              `${name} is confirmed only by those who wrote or use it`,
            ),
          ];
    });
  });
}

/** The facts that confirm this one, before `cut`, about the same value, and not taken back. */
export function confirmations(
  fact: RecordEntry,
  cut: RecordEntry | undefined,
  context: Context,
): RecordEntry[] {
  const before = cut?.index ?? context.asOf;
  return context.graph
    .naming(fact.id, "confirms", "fact")
    .filter(
      (other) =>
        other.index < before &&
        other.record.value["value_hash"] === fact.record.value["value_hash"] &&
        takenBack(other, before, context) === undefined,
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
  const keys = new Set(parties.flatMap(signersOf));
  const domains = new Set(parties.flatMap((party) => domainsOf(party, context)));
  const own = domainsOf(other, context);
  return (
    own.length > 0 &&
    !signersOf(other).some((signer) => keys.has(signer)) &&
    !own.some((domain) => domains.has(domain)) &&
    // An absent domain is nobody's, and independent of nobody.
    !parties.some((party) => domainsOf(party, context).length === 0)
  );
}

function domainsOf(entry: RecordEntry, { keys, asOf }: Context): string[] {
  return signersOf(entry).flatMap((signer) =>
    keys.registrations(signer, { index: entry.index, asOf }).map(({ controlDomain }) => controlDomain),
  );
}

/** "prior receipts resolve, earlier, and their own traces pass": named ones, and those that wrote the evidence. */
export function priorActions(one: Case, context: Context): Problem[] {
  const cut = evidenceCut(one);
  const problems: Problem[] = [];
  for (const receipt of one.action.receipts) {
    for (const id of strings(receipt.record.value["prior_receipts"])) {
      const prior = context.graph.record(id);
      if (prior === undefined || prior.record.type !== "execution-receipt")
        problems.push(unknown("PRIOR_UNRESOLVED", [receipt], `the prior receipt ${id} is not there`));
      else if (prior.index >= Math.min(receipt.index, cut?.index ?? receipt.index))
        problems.push(
          fails(
            "FORWARD_REFERENCE",
            [receipt, prior],
            "what it names as prior was logged later than what it is prior to",
          ),
        );
      else problems.push(...priorVerdict(prior, one, context));
    }
  }
  for (const { hash } of citedBy(one)) problems.push(...writersJudged(hash, cut, one, context));
  return problems;
}

function writersJudged(hash: string, cut: RecordEntry | undefined, one: Case, context: Context): Problem[] {
  const writers = distinctRecords(context.graph.writers(hash)).filter(
    ({ index }) => cut === undefined || index < cut.index,
  );
  return writers.flatMap((writer): Problem[] => {
    if (writer.record.type === "execution-receipt") return priorVerdict(writer, one, context);
    const via = textMember(writer.record.value, "via_receipt");
    if (via === undefined) return [];
    const receipt = context.graph.record(via);
    if (receipt === undefined || receipt.record.type !== "execution-receipt")
      return [unknown("PRIOR_UNRESOLVED", [writer], "the receipt that the fact was written by is not there")];
    return receipt.index >= writer.index
      ? [
          fails(
            "FORWARD_REFERENCE",
            [writer, receipt],
            "the fact was logged before the receipt it was written by",
          ),
        ]
      : priorVerdict(receipt, one, context);
  });
}

function priorVerdict(prior: RecordEntry, { action }: Case, context: Context): Problem[] {
  const id = textMember(prior.record.value, "request_hash");
  if (id === undefined || id === action.id) return [];
  const word = context.supporting(id);
  if (word === "AUTHORIZED" || word === "AUTHORIZED_WITH_EXCEPTION") return [];
  if (word === "VIOLATION")
    return [fails("PRIOR_VIOLATION", [prior], "the action it rests on is a violation itself")];
  const why = word === null ? "rests on this one in turn" : `is ${word}`;
  return [unknown("PRIOR_UNRESOLVED", [prior], `the action it rests on ${why}`)];
}

export function hasPriors(one: Case, { graph }: Context): boolean {
  return (
    one.action.receipts.some(({ record }) => strings(record.value["prior_receipts"]).length > 0) ||
    citedBy(one).some(({ hash }) => graph.writers(hash).length > 0)
  );
}
