/** The rules that an action stands under: its registered type, the policy, the mission. */
import { type Case, type Context, takenBack, time } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { membersOf, textMember } from "../graph.js";
import { fails, type Problem, unknown } from "../verdict.js";

const TO_BE_FILLED = [
  "owner",
  "escalation_path",
  "conflict_rule",
  "test_suite_digest",
  "receipt_schema_digest",
];

/** "action type registered, complete, with one owner, in force at the request": also those that decisions put it under */
export function actionTypeRegistered({ action, registrations, tier }: Case): Problem[] {
  const about = action.request === undefined ? action.receipts : [action.request];
  return registrations.flatMap(({ inForce, contesting, name }) => {
    if (inForce === undefined) {
      const what = name ?? "an action type";
      return [
        fails("ACTION_TYPE_UNREGISTERED", about, `no registration of ${what} was in force at the request`),
      ];
    }
    const problems: Problem[] = [];
    if (contesting.length > 0)
      problems.push(fails("ACTION_TYPE_CONTESTED", [inForce, ...contesting], `several owners claim ${name}`));
    const empty = TO_BE_FILLED.filter((member) => isEmpty(inForce.record.value[member]));
    if (empty.length > 0) {
      const detail = `the registration leaves open: ${empty.join(", ")}`;
      const denies = tier >= 2 || inForce.record.value["incompleteness_rule"] === "deny";
      problems.push((denies ? fails : unknown)("REGISTRATION_INCOMPLETE", [inForce], detail));
    }
    return problems;
  });
}

function isEmpty(member: unknown): boolean {
  return member === "" || (Array.isArray(member) && member.length === 0);
}

/** "policy logged and in force at the decision; request's version agrees" */
export function policyInForce({ action }: Case, context: Context): Problem[] {
  return action.decisions.flatMap((decision) => {
    const logged = context.graph
      .all("policy")
      .filter(
        (policy) =>
          policy.record.value["policy_digest"] === decision.record.value["policy_digest"] &&
          policy.index < decision.index,
      );
    if (logged.length === 0)
      return [
        fails("POLICY_UNREGISTERED", [decision], "no policy of that digest was logged before the decision"),
      ];
    const reasons = logged.map((policy) => staleness(policy, decision, action.request, context));
    return reasons.includes(undefined)
      ? []
      : [fails("POLICY_STALE", [...logged, decision], reasons.join("; "))];
  });
}

/** Why a policy was not the one to decide by; undefined when it was. */
function staleness(
  policy: RecordEntry,
  decision: RecordEntry,
  request: RecordEntry | undefined,
  context: Context,
): string | undefined {
  const [from, decided] = [time(policy, "effective_from"), time(decision, "decided_at")];
  if (from !== undefined && decided !== undefined && decided < from) return "the policy was not in force yet";
  const superseded = context.graph.naming(policy.id, "supersedes", "policy").some((later) => {
    const begins = time(later, "effective_from");
    return (
      later.index < decision.index &&
      later.record.issuer === policy.record.issuer &&
      // Announced ahead of time, it takes over when it says.
      !(begins !== undefined && decided !== undefined && decided < begins) &&
      takenBack(later, decision.index, context) === undefined
    );
  });
  if (superseded) return "the policy was superseded before the decision";
  if (takenBack(policy, decision.index, context) !== undefined)
    return "the policy was revoked before the decision";
  const { policy_version: version } = policy.record.value;
  const named = [request?.record.value["policy_version"], decision.record.value["policy_version"]];
  return named.some((other) => other !== undefined && other !== version)
    ? `request or decision name another version than the policy's ${textMember(policy.record.value, "policy_version")}`
    : undefined;
}

/** "mission exists and was open" */
export function missionOpen({ action }: Case, context: Context): Problem[] {
  const { request } = action;
  const members = membersOf(action);
  const ids = new Set(members.flatMap(({ record }) => textMember(record.value, "mission_id") ?? []));
  if (ids.size > 1) return [fails("MISSION_MISMATCH", members, `one action in ${ids.size} missions`)];
  const [id] = ids;
  const anchor = request ?? members[0];
  if (id === undefined || anchor === undefined) return [];
  const named = context.graph
    .all("mission")
    .filter((mission) => mission.record.value["mission_id"] === id && mission.index < anchor.index);
  // The name is its first owner's: another's mission of that name is another mission.
  const missions = named.filter(({ record }) => record.issuer === named[0]?.record.issuer);
  if (missions.length === 0)
    return [fails("MISSION_MISMATCH", [anchor], `no mission ${id} was logged before`)];
  const asked = time(anchor, request === undefined ? "issued_at" : "requested_at") ?? 0;
  const open = missions.some(
    (mission) =>
      asked >= (time(mission, "starts_at") ?? 0) &&
      asked <= (time(mission, "ends_at") ?? Number.POSITIVE_INFINITY) &&
      takenBack(mission, anchor.index, context) === undefined,
  );
  return open ? [] : [fails("MISSION_MISMATCH", [...missions, anchor], `the mission ${id} was not open`)];
}

export function hasMission({ action }: Case): boolean {
  return membersOf(action).some(({ record }) => record.value["mission_id"] !== undefined);
}
