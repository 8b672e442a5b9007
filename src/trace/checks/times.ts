/**
 * Times are claims, with a tolerance. Log order decides; claims are held against one another and against the log's own clock,
 * and whatever nothing vouches for can only make things worse. Expiries are compared as written, never with a tolerance.
 */
import { type Case, partsOf, smallestRule } from "../case.js";
import { ancestry, type Context, decisionFor, effectiveDecision, iso, shareKey, time } from "../context.js";
import type { RecordEntry } from "../entry.js";
import type { Use } from "../use.js";
import { claimOf, hangsOnClaim, momentsOf } from "../moments.js";
import { type FindingCode, fails, type Problem, unknown } from "../verdict.js";
import { countedApprovals, lackingWithout } from "./approvals.js";
import { delegationsOf } from "./delegation.js";
import { citedFacts } from "./evidence.js";

/** Two claims of one key: it has one clock. */
const ONE_KEY_MS = 5_000;
/** "Claimed times agree with log order, within the tolerance": each step against the one before it. */
export function inClaimedOrder(one: Case): Problem[] {
  const { action, grants, decisions, uses, context } = one;
  const { request } = action;
  const problems: Problem[] = [];
  const after = (a: RecordEntry | undefined, aMember: string, b: RecordEntry, bMember: string): void => {
    if (a === undefined || a.index > b.index) return;
    const [earlier, later] = [time(a, aMember), time(b, bMember)];
    if (earlier === undefined || later === undefined) return;
    const by = earlier - later;
    if (by > (shareKey(a, b, context) ? ONE_KEY_MS : context.toleranceMs))
      problems.push(
        unknown(
          "TIME_DISAGREES",
          [a, b],
          `the ${b.record.type} says ${bMember} ${iso(later)}, ${seconds(by)} before the ${a.record.type} that was logged before it (${aMember} ${iso(earlier)})`,
        ),
      );
  };
  for (const decision of decisions) after(request, "requested_at", decision, "decided_at");
  for (const grant of grants) {
    after(request, "requested_at", grant, "issued_at");
    after(decisionFor(grant, context), "decided_at", grant, "issued_at");
    for (const approval of countedApprovals(grant, one)) {
      after(request, "requested_at", approval, "approved_at");
      after(approval, "approved_at", grant, "issued_at");
    }
  }
  for (const { grant, consumption, receipts } of uses) {
    if (grant !== undefined && consumption !== undefined)
      after(grant, "issued_at", consumption, "consumed_at");
    for (const receipt of receipts) {
      after(grant ?? request, grant === undefined ? "requested_at" : "issued_at", receipt, "executed_at");
      after(consumption, "consumed_at", receipt, "executed_at");
    }
  }
  return problems;
}

const CLAIMS = [
  "issued_at",
  "requested_at",
  "decided_at",
  "approved_at",
  "consumed_at",
  "executed_at",
  "observed_at",
] as const;

/** "A claim later than its own record's `received_at` by more than the tolerance." */
export function notInFuture(one: Case): Problem[] {
  const { toleranceMs } = one.context;
  const parts = [...new Set([...partsOf(one), ...delegationsOf(one), ...citedFacts(one)])];
  const unvouched = parts.filter(({ receivedAt }) => receivedAt === null);
  if (unvouched.length > 0)
    return [unknown("TIME_IN_FUTURE", unvouched, "nothing vouches for when the log took these records in")];
  return parts.flatMap((part) =>
    CLAIMS.flatMap((member): Problem[] => {
      const claimed = time(part, member);
      const by = (claimed ?? 0) - (part.receivedAt ?? 0);
      return claimed === undefined || by <= toleranceMs
        ? []
        : [
            unknown(
              "TIME_IN_FUTURE",
              [part],
              `${member} is ${iso(claimed)}, ${seconds(by)} after the log took the ${part.record.type} in`,
            ),
          ];
    }).slice(0, 1),
  );
}

/** "Request, approval, decision, delegation unexpired at the use." */
export function unexpired(one: Case): Problem[] {
  const { action, context, uses } = one;
  return uses.flatMap((use) => {
    const { grant } = use;
    const decisions = grant === undefined ? one.decisions : [decisionAtUse(grant, use.index, context)];
    const anchor = { grant, index: grant?.index ?? use.index };
    const counted = countedApprovals(anchor, one);
    const ended = counted.filter(
      (approval) => expired(approval, "expires_at", use, "APPROVAL_EXPIRED").length > 0,
    );
    // One that nobody asked for, or that was given again, may end.
    const approvals = lackingWithout(ended, anchor, use.index, one) ? ended : [];
    const of = (entries: readonly (RecordEntry | undefined)[], code: FindingCode): Problem[] =>
      entries.flatMap((entry) => (entry === undefined ? [] : expired(entry, "expires_at", use, code)));
    return [
      ...of([action.request], "REQUEST_EXPIRED"),
      ...of(decisions, "DECISION_EXPIRED"),
      ...of(approvals, "APPROVAL_EXPIRED"),
      ...of(delegationsOf(one), "DELEGATION_EXPIRED"),
    ];
  });
}

/** The decision that counts for a grant; renewed with the same outcome before the use, as it was then. */
function decisionAtUse(grant: RecordEntry, index: number, context: Context): RecordEntry | undefined {
  const decision = decisionFor(grant, context);
  if (decision === undefined) return undefined;
  const renewed = effectiveDecision(decision, index, context);
  return renewed.record.value["decision"] === decision.record.value["decision"] ? renewed : decision;
}

function expired(entry: RecordEntry, member: string, use: Use, code: FindingCode): Problem[] {
  const expiry = time(entry, member);
  if (expiry === undefined || use.time === undefined) return [];
  const nodes = [entry, ...use.receipts.slice(0, 1)];
  const what = `the ${entry.record.type} of ${entry.record.issuer} ended at ${iso(expiry)}`;
  if (use.time > expiry) return [fails(code, nodes, `${what}, and it was used at ${iso(use.time)}`)];
  return hangsOnClaim(use, (moment) => moment > expiry)
    ? [unknown("BACKDATED", nodes, `${what}; that it was used before rests on ${claimOf(use)}`)]
    : [];
}

/** "not_before ≤ executed_at ≤ expiry", of the grant and of every grant above it. */
export function withinWindow(one: Case): Problem[] {
  const { context } = one;
  return one.uses.flatMap((use) => {
    const { grant, receipts } = use;
    if (grant === undefined) return [];
    const moments = momentsOf(use);
    const last = Math.max(...moments);
    if (moments.length === 0) return [];
    return ancestry(grant, context.graph).flatMap((link): Problem[] => {
      const opens = time(link, "not_before");
      const closes = link === grant ? lifetimeEnd(link, one) : time(link, "expiry");
      const nodes = [link, ...receipts.slice(-1)];
      // Where the log's clock says when it was used, the executor's may have been behind.
      const begun = use.claimed ? Math.min(...moments) : (use.time ?? last);
      if (closes !== undefined && last > closes)
        return [
          fails("GRANT_EXPIRED", nodes, `executed at ${iso(last)}, after the grant's end at ${iso(closes)}`),
        ];
      if (opens !== undefined && begun < opens)
        return [
          fails(
            "GRANT_NOT_YET_VALID",
            nodes,
            `executed at ${iso(begun)}, before the grant's beginning at ${iso(opens)}`,
          ),
        ];
      return closes !== undefined && hangsOnClaim(use, (at) => at > closes)
        ? [
            unknown(
              "BACKDATED",
              nodes,
              `the grant ended at ${iso(closes)}; that it was executed before rests on ${claimOf(use)}`,
            ),
          ]
        : [];
    });
  });
}

/** The expiry, or what the action type's longest lifetime leaves of it. */
function lifetimeEnd(grant: RecordEntry, one: Case): number | undefined {
  const longest = smallestRule(one, "max_grant_lifetime_s");
  const [expiry, granted] = [time(grant, "expiry"), time(grant, "issued_at")];
  if (longest === undefined || granted === undefined || expiry === undefined) return expiry;
  return Math.min(expiry, granted + longest * 1000);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
