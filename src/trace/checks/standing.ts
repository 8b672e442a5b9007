/** "What the action's own records name was said by those with standing in it." A stranger's word is neither for nor against. */
import { strings } from "../../record/links.js";
import { type Case, partsOf } from "../case.js";
import { type Context, domainOf } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem } from "../verdict.js";
import { citedFacts } from "./evidence.js";

const NAMED = [
  "capability_hash",
  "decision_hash",
  "parent_capability_hash",
  "delegation_hash",
  "parent_delegation",
  "via_receipt",
] as const;

export function namedByThose(one: Case): Problem[] {
  const { action, context, home, homeRefused } = one;
  const { request } = action;
  const problems: Problem[] = [];
  if (homeRefused && request !== undefined)
    problems.push(
      fails(
        "NO_STANDING",
        [request],
        `the request names ${home} as its home, whose action type does not trust the agent's domain ${domainOf(request, context)}`,
      ),
    );
  const grants = new Set([...one.grants, ...aboveAll(one.grants, context)]);
  // By which of its receipts another organisation wrote a fact that it is trusted for is its own matter.
  for (const part of new Set([...partsOf(one), ...grants, ...citedFacts(one)]))
    for (const member of NAMED)
      if (member !== "via_receipt" || domainOf(part, context) === home)
        for (const id of strings(part.record.value[member]))
          problems.push(...strangers(part, member, id, context));
  for (const grant of one.grants) problems.push(...strangersUses(grant, one));
  problems.push(...strangersProposal(one));
  for (const decision of one.decisions) problems.push(...strangersPolicy(decision, context));
  return problems;
}

/** Grants above these, also where a stranger made one of them. */
function aboveAll(grants: readonly RecordEntry[], { graph }: Context): RecordEntry[] {
  const found = new Set<RecordEntry>();
  const visit = (grant: RecordEntry): void => {
    const parent = graph.record(textMember(grant.record.value, "parent_capability_hash"));
    if (parent === undefined || found.has(parent) || found.size > 64) return;
    found.add(parent);
    visit(parent);
  };
  grants.forEach(visit);
  return [...found];
}

function strangers(
  part: RecordEntry,
  member: string,
  id: string,
  { graph, everything, keys }: Context,
): Problem[] {
  const named = everything.record(id);
  if (named === undefined || graph.record(id) !== undefined) return [];
  const of = keys.domains.of(named.record.issuer);
  return [
    fails(
      "NO_STANDING",
      [part, named],
      `the ${part.record.type} of ${part.record.issuer} names by ${member} the ${named.record.type} of ${named.record.issuer}, of ${of}, whose word does not count here`,
    ),
  ];
}

/** What a grant's own audience said of it, whose word does not count here: it was the grant that named a stranger. */
export function strangersUses(grant: RecordEntry, { context }: Case): Problem[] {
  const audience = textMember(grant.record.value, "audience") ?? "";
  const said = context.everything
    .naming(grant.id, "capability_hash")
    .filter(({ record, id }) => record.issuer === audience && context.graph.record(id) === undefined)
    .filter(
      ({ record, id }) => record.value["outcome"] !== "refused" && id !== context.proposal?.consumption,
    );
  if (said.length === 0) return [];
  const of = context.keys.domains.of(audience);
  return [
    fails(
      "NO_STANDING",
      [grant, ...said],
      `the grant is for ${audience}, of ${of}, who has used it and whose word does not count here`,
    ),
  ];
}

/** The same of a stranger who is about to use it. */
function strangersProposal({ context, home, trusts, grants }: Case): Problem[] {
  const { proposal, keys } = context;
  const grant = grants.find(({ id }) => id === proposal?.grant);
  if (proposal === null || grant === undefined) return [];
  const of = keys.domains.of(proposal.executor);
  if (of === home || trusts["executor"]?.includes(of) === true) return [];
  const why = `${proposal.executor}, who is about to act, is of ${of}, whose word does not count in an action of ${home}`;
  return [fails("NO_STANDING", [grant], why)];
}

/** A policy that only strangers logged. */
function strangersPolicy(decision: RecordEntry, { graph, everything }: Context): Problem[] {
  const { policy_digest: digest } = decision.record.value;
  const ofDigest = ({ record }: RecordEntry): boolean => record.value["policy_digest"] === digest;
  const foreign = everything.all("policy").filter(ofDigest);
  if (foreign.length === 0 || graph.all("policy").some(ofDigest)) return [];
  return [
    fails(
      "NO_STANDING",
      [decision, ...foreign],
      `the policy decided by was logged only by ${foreign[0]?.record.issuer}, whose word does not count here`,
    ),
  ];
}
