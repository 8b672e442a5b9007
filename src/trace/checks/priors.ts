/** Earlier actions that this one rests on: judged as their own, and a grant above as far as it was handed down. */
import { strings } from "../../record/links.js";
import { type Case, firstAnchor } from "../case.js";
import { ancestry, domainOf, time } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import type { Use } from "../use.js";
import { fails, type Problem, unknown } from "../verdict.js";
import { citedFacts } from "./evidence.js";

/** "A receipt named by `via_receipt` wrote that value." */
export function provenanceFits(one: Case): Problem[] {
  const { graph } = one.context;
  return citedFacts(one).flatMap((fact): Problem[] => {
    const receipt = graph.record(textMember(fact.record.value, "via_receipt"));
    if (receipt === undefined || !isOfHome(fact, one) || receipt.record.type !== "execution-receipt")
      return [];
    const { outcome, evidence_written: written } = receipt.record.value;
    const wrote = strings(written).includes(textMember(fact.record.value, "value_hash") ?? "");
    return wrote && (outcome === "executed" || outcome === "partial")
      ? []
      : [
          fails(
            "VIA_UNRELATED",
            [fact, receipt],
            `the receipt that the fact about ${textMember(fact.record.value, "subject")} names did not write that value`,
          ),
        ];
  });
}

/** "Prior receipts resolve, earlier, and their own actions pass": the named ones, those that wrote the evidence, and those of grants above. */
export function priorActions(one: Case): Problem[] {
  const { action, context, grants } = one;
  const first = firstAnchor(one).index;
  const problems: Problem[] = [];
  for (const receipt of action.receipts)
    for (const id of strings(receipt.record.value["prior_receipts"])) {
      const prior = context.graph.record(id);
      if (prior !== undefined && textMember(prior.record.value, "request_hash") === action.id) continue;
      const foreign = prior === undefined ? context.everything.record(id) : undefined;
      if (foreign !== undefined)
        problems.push(
          unknown(
            "PRIOR_UNRESOLVED",
            [receipt, foreign],
            `the prior receipt is of ${domainOf(foreign, context)}, whose actions are not judged here`,
          ),
        );
      else if (prior === undefined || prior.record.type !== "execution-receipt")
        problems.push(unknown("PRIOR_UNRESOLVED", [receipt], `the prior receipt ${id} is not there`));
      else if (prior.index >= Math.min(receipt.index, first))
        problems.push(
          fails(
            "FORWARD_REFERENCE",
            [receipt, prior],
            "what it names as prior was logged later than what it is prior to",
          ),
        );
      else problems.push(...priorVerdict(prior, one));
    }
  for (const fact of citedFacts(one)) problems.push(...writerJudged(fact, one));
  for (const grant of grants)
    for (const above of ancestry(grant, context.graph).slice(1))
      for (const use of usesToLookAt(grant, one)) problems.push(...priorVerdict(above, one, use));
  return problems;
}

function isOfHome(fact: RecordEntry, { context, home }: Case): boolean {
  return domainOf(fact, context) === home;
}

function writerJudged(fact: RecordEntry, one: Case): Problem[] {
  const via = textMember(fact.record.value, "via_receipt");
  // How another organisation, which is trusted for the fact, came to write it is its own matter.
  if (via === undefined || !isOfHome(fact, one)) return [];
  const receipt = one.context.graph.record(via);
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
    : priorVerdict(receipt, one);
}

/** Where what a grant rests on is looked at again: at its first use and at its last; where nobody used it, where it was given. */
function usesToLookAt(grant: RecordEntry, { uses }: Case): Pick<Use, "index" | "time">[] {
  const own = uses.filter((use) => use.grant === grant).toSorted((a, b) => a.index - b.index);
  const [first, last] = [own[0], own.at(-1)];
  if (first === undefined || last === undefined)
    return [{ index: grant.index, time: time(grant, "issued_at") }];
  return first === last ? [first] : [first, last];
}

/**
 * "VIOLATION → PRIOR_VIOLATION; NOT_ESTABLISHED → PRIOR_UNRESOLVED; NOT_EXECUTED → pass for a parent grant; the rest pass." A
 * parent grant is judged up to that grant, as used where the grant below it was: what else was done under it is not its matter.
 */
function priorVerdict(
  prior: RecordEntry,
  { action, context }: Case,
  use?: Pick<Use, "index" | "time">,
): Problem[] {
  const id = textMember(prior.record.value, "request_hash") ?? prior.id;
  if (id === action.id) return [];
  const word = context.supporting(id, use === undefined ? undefined : { grant: prior, use });
  if (word === "VIOLATION")
    return [
      fails(
        "PRIOR_VIOLATION",
        [prior],
        `the action that it rests on (${prior.record.type} #${prior.index}) is a violation itself`,
      ),
    ];
  // A grant above may have been given to be handed down and not to be used.
  if (word === "NOT_EXECUTED" && prior.record.type === "capability-grant") return [];
  if (word !== null && word !== "NOT_EXECUTED" && word !== "NOT_ESTABLISHED" && word !== "NOT_VERIFIED")
    return [];
  const why = word === null ? "rests on this one in turn" : `is ${word}`;
  return [
    unknown(
      "PRIOR_UNRESOLVED",
      [prior],
      `the action that it rests on (${prior.record.type} #${prior.index}) ${why}`,
    ),
  ];
}

export function hasPriors(one: Case): boolean {
  return (
    one.action.receipts.some(({ record }) => strings(record.value["prior_receipts"]).length > 0) ||
    one.grants.some(({ record }) => record.value["parent_capability_hash"] !== undefined) ||
    citedFacts(one).some(({ record }) => record.value["via_receipt"] !== undefined)
  );
}
