/** Exceptions: an owner's word, given in time, that one finding is to be excused within a scope. */
import { objectMember, strings } from "../record/links.js";
import { type Case, firstAnchor, rulesOf } from "./case.js";
import { takenBack, time } from "./context.js";
import type { RecordEntry } from "./entry.js";
import { textMember } from "./graph.js";
import type { FindingCode, Problem } from "./verdict.js";

/** What an owner may excuse: never double use, stolen keys, another's audience, and nothing that is unknown. */
const EXCUSABLE: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "APPROVAL_INSUFFICIENT",
  "APPROVAL_LATE",
  "APPROVAL_EXPIRED",
  "EVIDENCE_STALE",
  "EVIDENCE_SUPERSEDED",
  "CONFIRMATION_MISSING",
  "WEAK_PROVENANCE",
  "REGISTRATION_INCOMPLETE",
  "POLICY_UNREGISTERED",
  "POLICY_STALE",
  "DELEGATION_MISSING",
  "DELEGATION_EXPIRED",
  "POSTCONDITION_MISSING",
]);

const LONGEST_MS = 90 * 86_400_000;

/** The exception that excuses this failure, if there is one. */
export function exceptionFor(problem: Problem, one: Case): RecordEntry | undefined {
  const code = problem.excusedAs ?? problem.code;
  if (problem.outcome !== "FAIL" || !EXCUSABLE.has(code)) return undefined;
  const listed = rulesOf(one).flatMap(({ record }) => strings(record.value["excusable"]));
  if (listed.length > 0 && !listed.includes(code)) return undefined;
  return one.context.graph
    .all("exception")
    .find((entry) => entry.record.value["check"] === code && isValid(entry, one));
}

/**
 * "By the action type's owner (whose key is not the agent's), within scope, logged before the grant (the receipt when there is
 * none), unexpired at execution, at most 90 days long."
 */
function isValid(exception: RecordEntry, one: Case): boolean {
  const { registration, uses, action, context } = one;
  const { graph } = context;
  const owner = registration.inForce?.record.issuer;
  const deadline = firstAnchor(one).index;
  const expiry = time(exception, "expires_at");
  const moments = uses.flatMap((use) => use.time ?? []);
  const agents = action.request === undefined ? [] : graph.speakersOf(action.request);
  const begun = exception.receivedAt ?? time(exception, "issued_at") ?? 0;
  return (
    owner !== undefined &&
    exception.record.issuer === owner &&
    exception.record.value["owner"] === owner &&
    !graph.speakersOf(exception).some((signer) => agents.includes(signer)) &&
    exception.index < deadline &&
    expiry !== undefined &&
    expiry - begun <= LONGEST_MS &&
    (moments.length > 0 ? moments : [context.at]).every((moment) => moment <= expiry) &&
    takenBack(exception, deadline, context) === undefined &&
    covers(objectMember(exception.record.value, "scope"), one)
  );
}

/** Every member of the scope must fit; a mission only when decision *and* grant carry it. */
function covers(scope: { readonly [name: string]: unknown }, one: Case): boolean {
  const { action, registration, grants, decisions } = one;
  const carried = [...decisions, ...grants].map(({ record }) => textMember(record.value, "mission_id"));
  const mission = carried.length > 0 && carried.every((id) => id === carried[0]) ? carried[0] : undefined;
  const actual: Readonly<Record<string, string | undefined>> = {
    action_type: registration.name,
    request_hash: action.id,
    mission_id: mission,
  };
  return Object.entries(scope).every(([name, value]) => value !== undefined && value === actual[name]);
}
