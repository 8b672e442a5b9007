/** Exceptions: an owner's word, given in time, that one finding is to be excused within a scope. */
import { objectMember } from "../record/links.js";
import { type Case, type Context, firstCut, speaksAs, takenBack, time } from "./context.js";
import type { RecordEntry } from "./entry.js";
import { textMember } from "./graph.js";
import type { FindingCode, Problem } from "./verdict.js";

/** No owner can excuse that a record is not there, or not by whom it says. */
const NEVER_EXCUSED: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "NOT_INCLUDED",
  "CHECKPOINT_INVALID",
  "SIGNATURE_INVALID",
  "KEY_UNKNOWN",
  "ROLE_MISSING",
]);

/** The exception that excuses this failure, if there is one. */
export function exceptionFor(
  { code, outcome }: Problem,
  one: Case,
  context: Context,
): RecordEntry | undefined {
  if (outcome !== "FAIL" || NEVER_EXCUSED.has(code)) return undefined;
  return context.graph
    .all("exception")
    .find((entry) => entry.record.value["check"] === code && isValid(entry, one, context));
}

/**
 * "Signed by the action type's owner, logged before the grant (before the receipt when there is no grant), and unexpired
 * at execution. Anything else in it that does not fit makes it no exception."
 */
function isValid(exception: RecordEntry, one: Case, context: Context): boolean {
  const { registration, uses } = one;
  const owner = registration.inForce?.record.issuer;
  const deadline = firstCut(one)?.index ?? context.asOf;
  const expiry = time(exception, "expires_at");
  const executions = uses.flatMap(({ receipt }) => time(receipt, "executed_at") ?? []);
  const moments = executions.length > 0 ? executions : [context.at];
  return (
    owner !== undefined &&
    exception.record.issuer === owner &&
    exception.record.value["owner"] === owner &&
    speaksAs(exception, ["owner"], context) &&
    exception.index < deadline &&
    expiry !== undefined &&
    moments.every((moment) => moment <= expiry) &&
    takenBack(exception, deadline, context) === undefined &&
    covers(objectMember(exception.record.value, "scope"), one)
  );
}

/** Every member of the scope must fit. */
function covers(scope: { readonly [name: string]: unknown }, { action, registration }: Case): boolean {
  const actual: Readonly<Record<string, string | undefined>> = {
    action_type: registration.name,
    request_hash: action.id,
    mission_id: textMember(action.request?.record.value ?? {}, "mission_id"),
  };
  return Object.entries(scope).every(([name, value]) => value === actual[name]);
}
