/** Request, decision, grant, receipt: that they are there, in this order, about one request, and unexpired when used. */
import {
  type Case,
  type Context,
  decisionFor,
  decisionOf,
  grantsOf,
  requiredApprovals,
  rulesOf,
  time,
} from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem } from "../verdict.js";
import { approvalShortfall } from "./approvals.js";

export function requestThere({ action }: Case): Problem[] {
  const { request, receipts, id } = action;
  if (request === undefined) return [fails("REQUEST_MISSING", receipts, `the request ${id} is not there`)];
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

export function grantThere({ uses }: Case): Problem[] {
  return uses.flatMap(({ receipt, grant }) => {
    if (grant === undefined)
      return [fails("GRANT_MISSING", [receipt], "the receipt names no grant that is logged")];
    if (grant.index >= receipt.index)
      return [fails("GRANT_AFTER_RECEIPT", [grant, receipt], "the grant was logged after the receipt")];
    const [granted, executed] = [time(grant, "issued_at"), time(receipt, "executed_at")];
    return granted !== undefined && executed !== undefined && executed < granted
      ? [fails("GRANT_AFTER_RECEIPT", [grant, receipt], "the grant says it was issued after the execution")]
      : [];
  });
}

/** "grant → decision that allows, or that requires approvals which are complete" */
export function decisionAllows(one: Case, context: Context): Problem[] {
  return one.action.grants.flatMap((grant) => {
    const decision = decisionFor(grant, context);
    if (decision === undefined)
      return [fails("DECISION_MISSING", [grant], "the decision that the grant names is not there")];
    const { decision: word } = decision.record.value;
    if (word === "allow") return [];
    if (word !== "require-approval")
      return [
        fails(
          "DENIED_BUT_GRANTED",
          [decision, grant],
          `the decision is ${textMember(decision.record.value, "decision")}, and it was granted all the same`,
        ),
      ];
    const asked = requiredApprovals(decision, ...rulesOf(one));
    const lacking = approvalShortfall(asked, grant, one, context);
    return lacking.length === 0
      ? []
      : [
          fails(
            "DENIED_BUT_GRANTED",
            [decision, grant],
            `the decision asks for approvals: ${lacking.join(", ")}`,
          ),
        ];
  });
}

export function stepsInOrder({ action }: Case, context: Context): Problem[] {
  const { request } = action;
  const problems: Problem[] = [];
  for (const decision of action.decisions) {
    if (request === undefined) continue;
    const late =
      request.index > decision.index
        ? "logged"
        : isBefore(decision, "decided_at", request, "requested_at")
          ? "dated"
          : null;
    if (late !== null)
      problems.push(
        fails("DECISION_BEFORE_REQUEST", [request, decision], `the decision is ${late} before the request`),
      );
  }
  for (const grant of action.grants) {
    const decision = decisionOf(grant, context);
    if (decision === undefined) continue;
    const late =
      decision.index > grant.index
        ? "logged"
        : isBefore(grant, "issued_at", decision, "decided_at")
          ? "dated"
          : null;
    if (late !== null)
      problems.push(
        fails("DECISION_AFTER_GRANT", [decision, grant], `the decision is ${late} after the grant`),
      );
  }
  return problems;
}

/** "one request_hash through decision, approvals, grant, consumption, receipt" */
export function oneRequest(one: Case, context: Context): Problem[] {
  const { action } = one;
  const asks = (entry: RecordEntry): string | undefined => textMember(entry.record.value, "request_hash");
  const mismatch = (a: RecordEntry, b: RecordEntry): Problem =>
    fails(
      "REQUEST_MISMATCH",
      [a, b],
      `the ${a.record.type} and the ${b.record.type} name different requests`,
    );
  const problems = [...grantsOf(one)].flatMap((grant) => {
    const decision = decisionOf(grant, context);
    return decision !== undefined && asks(decision) !== asks(grant) ? [mismatch(decision, grant)] : [];
  });
  for (const user of [...action.receipts, ...action.consumptions]) {
    const grant = context.graph.record(textMember(user.record.value, "capability_hash"));
    if (grant !== undefined && asks(grant) !== asks(user)) problems.push(mismatch(grant, user));
  }
  return problems;
}

/** "request, approval and decision unexpired when used" (approvals: `approvals.ts`) */
export function unexpired({ action, uses }: Case, context: Context): Problem[] {
  const problems: Problem[] = [];
  const expired = (entry: RecordEntry, usedAt: number | undefined): boolean => {
    const expiry = time(entry, "expires_at");
    return expiry !== undefined && usedAt !== undefined && usedAt > expiry;
  };
  const { request } = action;
  if (request !== undefined) {
    const users: (readonly [RecordEntry, string])[] = [
      ...action.decisions.map((decision) => [decision, "decided_at"] as const),
      ...action.grants.map((grant) => [grant, "issued_at"] as const),
      ...(action.grants.length === 0 ? uses.map(({ receipt }) => [receipt, "executed_at"] as const) : []),
    ];
    const [late] = users.filter(([user, member]) => expired(request, time(user, member)));
    if (late !== undefined)
      problems.push(
        fails(
          "REQUEST_EXPIRED",
          [request, late[0]],
          `the request had expired when the ${late[0].record.type} used it`,
        ),
      );
  }
  for (const grant of action.grants) {
    const decision = decisionFor(grant, context);
    if (decision !== undefined && expired(decision, time(grant, "issued_at")))
      problems.push(
        fails("DECISION_EXPIRED", [decision, grant], "the decision had expired when it was granted upon"),
      );
  }
  return problems;
}

function isBefore(a: RecordEntry, aMember: string, b: RecordEntry, bMember: string): boolean {
  const [earlier, later] = [time(a, aMember), time(b, bMember)];
  return earlier !== undefined && later !== undefined && earlier < later;
}
