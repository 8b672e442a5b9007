/** Request, decision, grant, receipt: that they are there, in this order, about one request. */
import { type Case, rulesOf } from "../case.js";
import { decisionOf, effectiveDecision, decisionFor, grantIn, takenBack } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem } from "../verdict.js";
import { outcomeOf } from "../use.js";
import { type Demand, demandsOf, shortfall } from "./approvals.js";

/** "What a receipt names is logged, before it (every tier)." From tier 1 on there is a request; without one, tier 0 alone. */
export function requestThere({ action, tier }: Case): Problem[] {
  const { request, receipts, consumptions, id } = action;
  if (request === undefined) {
    const [unasked] = receipts;
    if (unasked !== undefined && unasked.id === id)
      return tier === 0
        ? []
        : [
            fails(
              "REQUEST_MISSING",
              receipts,
              `${unasked.record.issuer} did something of risk tier ${tier} that nobody asked for`,
            ),
          ];
    const users = [...receipts, ...consumptions, ...action.grants];
    return users.length === 0 ? [] : [fails("REQUEST_MISSING", users, `the request ${id} is not in the log`)];
  }
  const early = receipts.filter(({ index }) => index < request.index);
  return early.length === 0
    ? []
    : [
        fails(
          "REQUEST_MISSING",
          [request, ...early],
          "the request was not there yet when the receipt was logged",
        ),
      ];
}

/** "Receipt → exactly one grant from tier 2 on", and what is named is there, before it, at every tier. */
export function grantThere({ action, context, tier }: Case): Problem[] {
  return action.receipts.flatMap((receipt) => {
    const named = textMember(receipt.record.value, "capability_hash");
    if (named === undefined)
      return tier < 2 || outcomeOf(receipt) === "refused"
        ? []
        : [
            fails(
              "GRANT_MISSING",
              [receipt],
              `${receipt.record.issuer} acted (${outcomeOf(receipt)}) without a grant`,
            ),
          ];
    const grant = grantIn(context.graph, named);
    if (grant === undefined)
      return [
        fails("GRANT_MISSING", [receipt], `the receipt names the grant ${named}, which is not in the log`),
      ];
    return grant.index < receipt.index
      ? []
      : [
          fails(
            "GRANT_AFTER_RECEIPT",
            [grant, receipt],
            "the grant was logged after the receipt that used it",
          ),
        ];
  });
}

/** "Grant → decision that allows, or that requires approvals which are complete"; without a grant the same of what was executed. */
export function decisionAllows(one: Case): Problem[] {
  const { context, grants, done, decisions } = one;
  const granted = grants.flatMap((grant): Problem[] => {
    const decision = decisionFor(grant, context);
    if (decision === undefined)
      return [fails("DECISION_MISSING", [grant], "the decision that the grant names is not in the log")];
    const why = refusalOf(decision, { grant, entry: grant, index: grant.index }, one);
    if (why === null) return [];
    const problem = fails(
      "DENIED_BUT_GRANTED",
      [decision, grant],
      `${decision.record.issuer} ${why}, and it was granted all the same`,
    );
    const isLacking = textMember(decision.record.value, "decision") === "require-approval";
    return [isLacking ? { ...problem, excusedAs: "APPROVAL_INSUFFICIENT" } : problem];
  });
  const ungranted = done.flatMap((use): Problem[] => {
    const [receipt] = use.receipts;
    if (use.grant !== undefined || receipt === undefined) return [];
    return decisions.flatMap((decision) => {
      const why = refusalOf(decision, { grant: undefined, entry: receipt, index: use.index }, one);
      return why === null
        ? []
        : [
            fails(
              "DENIED_BUT_EXECUTED",
              [decision, receipt],
              `${decision.record.issuer} ${why}, and it was done all the same`,
            ),
          ];
    });
  });
  return [...granted, ...ungranted];
}

/** Why a decision does not let it happen; null when it does. */
function refusalOf(
  decision: RecordEntry,
  anchor: { grant: RecordEntry | undefined; entry: RecordEntry; index: number },
  one: Case,
): string | null {
  const word = textMember(decision.record.value, "decision");
  if (word === "allow") return null;
  if (word !== "require-approval") return word === "deny" ? "denied it" : "escalated it";
  const asked: Demand = demandsOf([decision, ...rulesOf(one)]);
  const lacking = shortfall(asked, anchor, one);
  return lacking.length === 0 ? null : `asks for approvals that are missing (${lacking.join(", ")})`;
}

/** Does a decision that allows, or requires approvals that are complete, stand behind what was done? */
export function isDecided(one: Case): boolean {
  const { decisions, done, grants, context, tier } = one;
  return (
    done.length > 0 &&
    done.every((use) => {
      const [receipt] = use.receipts;
      if (use.grant !== undefined) {
        const decision = decisionFor(use.grant, context);
        const anchor = { grant: use.grant, entry: use.grant, index: use.grant.index };
        return decision !== undefined && refusalOf(decision, anchor, one) === null;
      }
      if (tier >= 2 || receipt === undefined || grants.length > 0) return false;
      const anchor = { grant: undefined, entry: receipt, index: use.index };
      return decisions.length > 0 && decisions.every((decision) => refusalOf(decision, anchor, one) === null);
    })
  );
}

/** "No standing deny or escalate of a home engine beside it, logged before the use." */
export function uncontradicted(one: Case): Problem[] {
  const { action, context, uses } = one;
  return uses.flatMap(({ grant, index }) => {
    const counted = grant === undefined ? undefined : decisionFor(grant, context);
    // Without a grant, each decision is judged by itself.
    if (counted === undefined || grant === undefined) return [];
    return action.decisions.flatMap((decision): Problem[] => {
      const word = textMember(decision.record.value, "decision");
      if ((word !== "deny" && word !== "escalate") || decision.index >= index || decision === counted)
        return [];
      const named = decisionOf(grant, context);
      if (named !== undefined && effectiveDecision(named, index, context) === decision) return [];
      if (isSettled(decision, word, index, one)) return [];
      return [
        fails(
          "DECISION_CONTRADICTED",
          [decision, counted],
          `${decision.record.issuer} said ${word} of the same request, and nothing has superseded that`,
        ),
      ];
    });
  });
}

/**
 * "A deny stands until a later decision of the same engine names it in `supersedes`; an escalate until one of any home engine
 * does": about the same request. What the engine itself has taken back it says no more.
 */
function isSettled(decision: RecordEntry, word: string, before: number, { context, action }: Case): boolean {
  const by = takenBack(decision, before, context);
  if (by?.record.issuer === decision.record.issuer) return true;
  return action.decisions.some(
    (later) =>
      later.index > decision.index &&
      later.index < before &&
      later.record.value["supersedes"] === decision.id &&
      (word === "escalate" || later.record.issuer === decision.record.issuer),
  );
}

/** "Request before decision before grant (log order)": of the decisions that count. */
export function stepsInOrder({ action, grants, decisions, context }: Case): Problem[] {
  const { request } = action;
  const problems: Problem[] = [];
  for (const decision of decisions)
    if (request !== undefined && request.index > decision.index)
      problems.push(
        fails(
          "DECISION_BEFORE_REQUEST",
          [request, decision],
          "the decision was logged before the request that it is about",
        ),
      );
  for (const grant of grants) {
    const decision = decisionOf(grant, context);
    if (decision !== undefined && decision.index > grant.index)
      problems.push(
        fails(
          "DECISION_AFTER_GRANT",
          [decision, grant],
          "the decision was logged after the grant that rests on it",
        ),
      );
  }
  return problems;
}

/** "One `request_hash` through decision, approvals, grant, consumption, receipt." */
export function oneRequest({ action, grants, context }: Case): Problem[] {
  const asks = (entry: RecordEntry): string | undefined => textMember(entry.record.value, "request_hash");
  const mismatch = (a: RecordEntry, b: RecordEntry): Problem =>
    fails(
      "REQUEST_MISMATCH",
      [a, b],
      `the ${a.record.type} and the ${b.record.type} name different requests`,
    );
  const problems = grants.flatMap((grant) => {
    const decision = decisionOf(grant, context);
    return decision !== undefined && asks(decision) !== asks(grant) ? [mismatch(decision, grant)] : [];
  });
  for (const user of [...action.receipts, ...action.consumptions]) {
    const grant = grantIn(context.graph, textMember(user.record.value, "capability_hash"));
    if (grant !== undefined && asks(grant) !== asks(user)) problems.push(mismatch(grant, user));
  }
  return problems;
}
