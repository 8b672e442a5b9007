/** Approvals: enough, of the right role, by distinct people with distinct keys, not by the agent, before the grant. */
import {
  type Case,
  type Context,
  decisionFor,
  requiredApprovals,
  rulesOf,
  takenBack,
  time,
} from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem } from "../verdict.js";

export function approvals(one: Case, context: Context): Problem[] {
  const { action, tier } = one;
  return action.grants.flatMap((grant) => {
    const asked = requiredApprovals(...rulesOf(one), decisionFor(grant, context), action.request);
    // Tier 3 asks for approval even where nobody wrote down how much.
    if (asked.size === 0 && tier >= 3) asked.set(ANY_ROLE, 1);
    const problems = selfApprovals(grant, one, context);
    const lacking = approvalShortfall(asked, grant, one, context);
    if (lacking.length === 0) return problems;
    const wanted = action.approvals.filter(
      (approval) => !isRejection(approval) && !isSelf(approval, one, context),
    );
    const late = wanted.filter((approval) => isLate(approval, grant));
    const expired = wanted.filter((approval) => !isLate(approval, grant) && isExpired(approval, grant));
    if (late.length > 0)
      problems.push(fails("APPROVAL_LATE", [...late, grant], "approved only after the grant"));
    if (expired.length > 0)
      problems.push(
        fails("APPROVAL_EXPIRED", [...expired, grant], "the approval had expired when it was granted upon"),
      );
    problems.push(fails("APPROVAL_INSUFFICIENT", [grant], `lacking before the grant: ${lacking.join(", ")}`));
    return problems;
  });
}

const ANY_ROLE = "any role";

/** What is still lacking for this grant, as words; empty when it is complete. */
export function approvalShortfall(
  asked: ReadonlyMap<string, number>,
  grant: RecordEntry,
  one: Case,
  context: Context,
): string[] {
  const required = asked.size === 0 ? new Map([[ANY_ROLE, 1]]) : asked;
  const people = distinctPeople(countedApprovals(grant, one, context), context);
  const seats = [...required].flatMap(([role, min]) =>
    Array.from({ length: Math.min(min, MAX_SEATS) }, () => role),
  );
  const filled = seatPeople(seats, people);
  return [...required].flatMap(([role, min]) => {
    const got = filled.filter((seat) => seats[seat] === role).length;
    return got >= min ? [] : [`${min - got} of ${min} by ${role}`];
  });
}

/** More approvals than this for one role are not to be had. */
const MAX_SEATS = 100;

/** Which seats can be filled at once, each by another person of its role: augmenting paths. */
function seatPeople(seats: readonly string[], people: readonly ReadonlySet<string>[]): number[] {
  const seatOf = new Map<number, number>();
  const fill = (seat: number, tried: Set<number>): boolean =>
    people.some((roles, person) => {
      if (tried.has(person) || !(seats[seat] === ANY_ROLE || roles.has(seats[seat] ?? ""))) return false;
      tried.add(person);
      const held = seatOf.get(person);
      if (held !== undefined && !fill(held, tried)) return false;
      seatOf.set(person, seat);
      return true;
    });
  seats.forEach((_, seat) => fill(seat, new Set()));
  return [...seatOf.values()];
}

/** The approvals that count for a grant. */
export function countedApprovals(grant: RecordEntry, one: Case, context: Context): RecordEntry[] {
  return one.action.approvals.filter((approval) => counts(approval, grant, one, context));
}

function counts(approval: RecordEntry, grant: RecordEntry, one: Case, context: Context): boolean {
  return (
    !isRejection(approval) &&
    !isLate(approval, grant) &&
    !isExpired(approval, grant) &&
    !isSelf(approval, one, context) &&
    hasRole(approval, context) &&
    !isTakenBack(approval, grant, one, context)
  );
}

/** "An approval counts when its approver_role is among the approver_roles of its signer's key record." */
function hasRole(approval: RecordEntry, { graph, keys, asOf }: Context): boolean {
  const claimed = textMember(approval.record.value, "approver_role") ?? "";
  return graph
    .speakersOf(approval)
    .some((signer) =>
      keys
        .registrations(signer, { index: approval.index, asOf })
        .some(
          ({ approverRoles, ids }) => approverRoles.includes(claimed) && ids.includes(approval.record.issuer),
        ),
    );
}

/** "A later `reject` by the same person takes the approval back if it is before the grant." So does a revocation. */
function isTakenBack(approval: RecordEntry, grant: RecordEntry, { action }: Case, context: Context): boolean {
  const rejected = action.approvals.some(
    (later) =>
      isRejection(later) &&
      later.record.issuer === approval.record.issuer &&
      later.index > approval.index &&
      later.index < grant.index,
  );
  return rejected || takenBack(approval, grant.index, context) !== undefined;
}

/** "Distinct people are distinct `approver_id` and distinct keys": the roles that each of them approved in. */
function distinctPeople(counted: readonly RecordEntry[], { graph }: Context): ReadonlySet<string>[] {
  const people = new Map<string, Set<string>>();
  const holders = new Map<string, string>();
  for (const approval of counted) {
    const { issuer, value } = approval.record;
    const signers = graph.speakersOf(approval);
    if (signers.some((signer) => (holders.get(signer) ?? issuer) !== issuer)) continue;
    for (const signer of signers) holders.set(signer, issuer);
    const roles = people.get(issuer) ?? new Set<string>();
    people.set(issuer, roles.add(textMember(value, "approver_role") ?? ""));
  }
  return [...people.values()];
}

function selfApprovals(grant: RecordEntry, one: Case, context: Context): Problem[] {
  const own = one.action.approvals.filter(
    (approval) => !isRejection(approval) && approval.index < grant.index && isSelf(approval, one, context),
  );
  return own.length === 0
    ? []
    : [fails("APPROVAL_SELF", own, "approved by the agent, or by the key that asked")];
}

/** "not the agent or the request's signer (its delegator may)" */
function isSelf(approval: RecordEntry, { action: { request } }: Case, { graph }: Context): boolean {
  if (request === undefined) return false;
  const signers = graph.speakersOf(request);
  return (
    approval.record.issuer === request.record.value["agent_id"] ||
    graph.speakersOf(approval).some((signer) => signers.includes(signer))
  );
}

function isRejection({ record }: RecordEntry): boolean {
  return record.value["approval"] !== "approve";
}

/** In the log, or by its own date. */
function isLate(approval: RecordEntry, grant: RecordEntry): boolean {
  const [approved, granted] = [time(approval, "approved_at"), time(grant, "issued_at")];
  return (
    approval.index > grant.index || (approved !== undefined && granted !== undefined && approved > granted)
  );
}

function isExpired(approval: RecordEntry, grant: RecordEntry): boolean {
  const [expiry, granted] = [time(approval, "expires_at"), time(grant, "issued_at")];
  return expiry !== undefined && granted !== undefined && granted > expiry;
}
