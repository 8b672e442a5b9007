/** Keys that must be apart, and boundaries whose numbers must agree. */
import { type Case, rulesOf } from "../case.js";
import { type Context, domainOf, shareKey, speaksAs, takenBack } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords } from "../graph.js";
import { fails, type Problem, unknown } from "../verdict.js";
import { covers } from "../walk/walk.js";
import { delegationsOf } from "./delegation.js";
import { missionsFor, policiesFor } from "./registration.js";

/**
 * "No key is, in this action, agent and (executor from tier 1 on, engine, authority, approver, owner of its type, policy or
 * exception); nor executor and (authority of the grant that it used, engine, approver)."
 */
export function rolesApart(one: Case): Problem[] {
  const { action, context, grants, decisions, tier, done } = one;
  const agents = action.request === undefined ? [] : [action.request];
  const executors = [...action.receipts, ...action.consumptions];
  const owned = [
    ...rulesOf(one),
    ...decisions.flatMap((decision) => policiesFor(decision, one)),
    ...exceptionsFor(one),
  ];
  const pairs: (readonly [string, readonly RecordEntry[], string, readonly RecordEntry[]])[] = [
    ["agent", agents, "executor", tier >= 1 ? executors : []],
    ["agent", agents, "policy engine", action.decisions],
    ["agent", agents, "authority", grants],
    ["agent", agents, "approver", action.approvals],
    ["agent", agents, "owner of the rules", owned],
    ["executor", executors, "policy engine", action.decisions],
    ["executor", executors, "approver", action.approvals],
  ];
  for (const use of done)
    if (use.grant !== undefined) pairs.push(["executor", use.receipts, "authority", [use.grant]]);
  const problems = pairs.flatMap(([role, entries, other, others]) => {
    const both = entries.flatMap((a) => others.flatMap((b) => (isOneParty(a, b, context) ? [a, b] : [])));
    return both.length === 0
      ? []
      : [
          fails(
            "ROLE_COLLAPSE",
            [...new Set(both)],
            `one party (${both[0]?.record.issuer}) is ${role} and ${other}`,
          ),
        ];
  });
  return [...problems, ...proposerApart(one), ...registeredByAgent(one)];
}

/** The same of whoever is about to act: no receipt of his is there yet. */
function proposerApart({ action, context, decisions, grants, tier }: Case): Problem[] {
  const { proposal, graph } = context;
  if (proposal === null) return [];
  const asker = action.request === undefined || tier < 1 ? [] : [action.request];
  const others = [
    ...asker,
    ...decisions,
    ...action.approvals,
    ...grants.filter(({ id }) => id === proposal.grant),
  ];
  const same = others.filter(
    (entry) => entry.record.issuer === proposal.executor || graph.speakersOf(entry).includes(proposal.signer),
  );
  return same.length === 0
    ? []
    : [
        fails(
          "ROLE_COLLAPSE",
          same,
          `${proposal.executor}, who is about to act, has made ${same.map(({ record, index }) => `the ${record.type} #${index}`).join(", ")}`,
        ),
      ];
}

/** Those of the action's own scope, whether or not they excuse anything. */
function exceptionsFor({ action, registration, context }: Case): RecordEntry[] {
  return context.graph.all("exception").filter(({ record }) => {
    const scope = JSON.stringify(record.value["scope"] ?? {});
    return (
      scope.includes(action.id) ||
      (registration.name !== undefined && scope.includes(JSON.stringify(registration.name)))
    );
  });
}

/** "No key that signed the request registered, itself or through registrars that it registered, the only believed registration of another party." */
function registeredByAgent(one: Case): Problem[] {
  const { action, context, grants, decisions, uses } = one;
  const { request } = action;
  if (request === undefined) return [];
  const { graph, keys, asOf } = context;
  const agents = new Set(graph.speakersOf(request));
  const facts = graph.all("fact");
  const parties = [
    ...decisions,
    ...action.approvals,
    ...grants,
    ...action.receipts,
    ...action.consumptions,
    ...facts,
    ...rulesOf(one),
    ...decisions.flatMap((decision) => policiesFor(decision, one)),
    ...exceptionsFor(one),
    ...delegationsOf(one),
    ...missionsFor(one, Math.max(request.index, ...uses.map(({ index }) => index))),
    ...sealsOf(one),
  ];
  const dependent = distinctRecords(parties).filter((party) =>
    graph
      .speakersOf(party)
      .some(
        (signer) =>
          !agents.has(signer) &&
          keys.restsOn(signer, party.record.issuer, agents, { index: party.index, asOf }),
      ),
  );
  return dependent.length === 0
    ? []
    : [
        fails(
          "ROLE_COLLAPSE",
          [request, ...dependent],
          `the agent's own key made ${[...new Set(dependent.map(({ record }) => record.issuer))].join(", ")} known to the log`,
        ),
      ];
}

/** One key, or one id with another key: the same party. */
function isOneParty(a: RecordEntry, b: RecordEntry, context: Context): boolean {
  return a.record.issuer === b.record.issuer || shareKey(a, b, context);
}

/** "Boundary seals agree with the sequence numbers logged; a number that no seal covers, below one that a seal does cover." */
export function boundarySealed(one: Case): Problem[] {
  const seals = sealsOf(one);
  return [
    ...distinctRecords(seals).flatMap((seal) => sealProblems(seal, one.context)),
    ...unsealed(one, seals),
  ];
}

function sealProblems(seal: RecordEntry, context: Context): Problem[] {
  const { boundary_id: boundary, first_seq: first, last_seq: last, count } = seal.record.value;
  if (typeof boundary !== "string" || typeof first !== "number" || typeof last !== "number") return [];
  const domain = domainOf(seal, context);
  const receipts = distinctRecords(context.everything.all("execution-receipt")).filter((receipt) => {
    const { boundary_id: own, seq } = receipt.record.value;
    const isOf = own === boundary && typeof seq === "number" && seq >= first && seq <= last;
    return isOf && domainOf(receipt, context) === domain;
  });
  const problems: Problem[] = [];
  if (receipts.length !== count)
    problems.push(
      fails(
        "OMISSION",
        [seal, ...receipts],
        `the boundary ${boundary} counted ${typeof count === "number" ? count : "?"} receipts, and ${receipts.length} are logged`,
      ),
    );
  const numbers = receipts.map(({ record }) => Number(record.value["seq"]));
  const distinct = new Set(numbers);
  if (distinct.size !== numbers.length)
    problems.push(fails("SEQ_GAP", [seal, ...receipts], "a sequence number is there twice"));
  else if (distinct.size < last - first + 1)
    problems.push(
      fails(
        "SEQ_GAP",
        [seal, ...receipts],
        `of the numbers ${first} to ${last}, ${last - first + 1 - distinct.size} are missing`,
      ),
    );
  return problems;
}

function unsealed({ action, context }: Case, covering: readonly RecordEntry[]): Problem[] {
  return action.receipts.flatMap((receipt): Problem[] => {
    const { boundary_id: boundary, seq } = receipt.record.value;
    if (typeof boundary !== "string" || typeof seq !== "number") return [];
    if (covering.some((seal) => covers(seal.record.value, boundary, seq))) return [];
    const later = context.everything.all("boundary-seal").filter((seal) => {
      const { boundary_id: of, first_seq: first } = seal.record.value;
      return of === boundary && typeof first === "number" && first > seq && maySeal(seal, receipt, context);
    });
    return later.length === 0
      ? []
      : [
          unknown(
            "UNSEALED",
            [receipt, ...later.slice(0, 1)],
            `the boundary ${boundary} has sealed numbers after ${seq}, and not ${seq}`,
          ),
        ];
  });
}

/** The seals of its receipts' boundaries: by the executor that the receipts are from, or by a gateway, of its own domain. */
export function sealsOf({ action, context }: Case): RecordEntry[] {
  // One that was taken back counts nothing: another stands in its place, or the numbers are unsealed.
  const seals = context.everything
    .all("boundary-seal")
    .filter((seal) => takenBack(seal, context.asOf, context) === undefined);
  return seals.filter((seal) =>
    action.receipts.some((receipt) => {
      const { boundary_id: boundary, seq } = receipt.record.value;
      return (
        typeof boundary === "string" &&
        typeof seq === "number" &&
        covers(seal.record.value, boundary, seq) &&
        maySeal(seal, receipt, context)
      );
    }),
  );
}

function maySeal(seal: RecordEntry, receipt: RecordEntry, context: Context): boolean {
  if (domainOf(seal, context) !== domainOf(receipt, context)) return false;
  const isOwn = seal.record.issuer === receipt.record.issuer;
  return speaksAs(seal, isOwn ? ["executor", "gateway"] : ["gateway"], context);
}

export function isNumbered({ action }: Case): boolean {
  return action.receipts.some(({ record }) => record.value["boundary_id"] !== undefined);
}
