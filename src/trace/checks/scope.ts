/** What was asked for, granted and done: that each is no more than the one before, and within its constraints. */
import { objectMember, objects } from "../../record/links.js";
import type { JsonObject } from "../../statement/json.js";
import { differences, readConstraint, satisfies, widenings } from "../constraints.js";
import {
  ancestry,
  grantsOf,
  type Case,
  type Context,
  decisionFor,
  decisionOf,
  permitted,
  time,
} from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem, unknown } from "../verdict.js";

/** A request's, grant's or execution's own words for an action. */
interface Terms {
  readonly constraints: JsonObject;
  readonly fixed: readonly (readonly [string, JsonObject])[];
}

function termsOf(value: JsonObject): Terms {
  return {
    constraints: objectMember(value, "constraints"),
    fixed: [
      ["parameter", objectMember(value, "parameters")],
      ["target", objectMember(value, "target")],
    ],
  };
}

/** "grant attenuates the request; child grant attenuates its parent": every step of the way up */
export function attenuates(one: Case, { graph }: Context): Problem[] {
  const { grants, request } = one.action;
  const problems: Problem[] = [];
  for (const grant of grants) {
    const wider =
      request === undefined ? [] : widenings(termsOf(request.record.value), termsOf(permitted(grant)));
    if (request !== undefined && wider.length > 0)
      problems.push(fails("SCOPE_WIDENED", [request, grant], `wider than the request: ${wider.join("; ")}`));
  }
  for (const link of new Set([...grantsOf(one)].flatMap((grant) => ancestry(grant, graph)))) {
    const parentId = textMember(link.record.value, "parent_capability_hash");
    if (parentId !== undefined) problems.push(...attenuatesParent(link, graph.record(parentId)));
  }
  return problems;
}

function attenuatesParent(grant: RecordEntry, parent: RecordEntry | undefined): Problem[] {
  if (parent === undefined)
    return [unknown("ATTENUATION_BROKEN", [grant], "the grant above it is not there to compare with")];
  if (parent.record.type !== "capability-grant" || parent.index >= grant.index) {
    const why = "what it names as the grant above it is none that was there before";
    return [fails("ATTENUATION_BROKEN", [parent, grant], why)];
  }
  const wider = widenings(termsOf(permitted(parent)), termsOf(permitted(grant)));
  const [own, above] = [grant, parent].map((one) => textMember(permitted(one), "action_type"));
  if (own !== above) wider.push(`action type ${own} instead of ${above}`);
  return wider.length === 0
    ? []
    : [fails("ATTENUATION_BROKEN", [parent, grant], `wider than the grant above: ${wider.join("; ")}`)];
}

/** "the grant's action type and target are the request's (or the decision's classified type); …" */
export function sameAction(one: Case, context: Context): Problem[] {
  const { action, uses } = one;
  const { request } = action;
  const problems: Problem[] = [];
  for (const grant of action.grants) {
    if (request === undefined) continue;
    const allowed = [textMember(request.record.value, "action_type"), ...classifiedFor(grant, context)];
    const granted = permitted(grant);
    if (!allowed.includes(textMember(granted, "action_type")))
      problems.push(
        fails(
          "ACTION_MISMATCH",
          [request, grant],
          `granted ${textMember(granted, "action_type")}, asked for ${allowed.join(" or ")}`,
        ),
      );
    const [asked, given] = [objectMember(request.record.value, "target"), objectMember(granted, "target")];
    const different = [...differences("target", asked, given, true), ...additions("target", asked, given)];
    if (different.length > 0)
      problems.push(
        fails("ACTION_MISMATCH", [request, grant], `another target than asked for: ${different.join("; ")}`),
      );
  }
  for (const { receipt, grant } of uses) {
    const done = receipt.record.value["executed_action"];
    const against = grant === undefined ? request?.record.value : permitted(grant);
    if (done === undefined || against === undefined) continue;
    const other = otherAction(objectMember(receipt.record.value, "executed_action"), against);
    if (other.length > 0)
      problems.push(
        fails(
          "ACTION_MISMATCH",
          grant === undefined ? [receipt] : [grant, receipt],
          `executed something else: ${other.join("; ")}`,
        ),
      );
  }
  return [...problems, ...toolDrift(one, context)];
}

function classifiedFor(grant: RecordEntry, context: Context): string[] {
  const decision = decisionOf(grant, context);
  const name =
    decision === undefined ? undefined : textMember(decision.record.value, "classified_action_type");
  return name === undefined ? [] : [name];
}

/** In what an action is another than the one granted, as sentences; nothing where it is the same or less. */
export function otherAction(done: JsonObject, granted: JsonObject): string[] {
  const type =
    done["action_type"] === granted["action_type"] ? [] : [`action type ${textMember(done, "action_type")}`];
  const [target, hit] = [objectMember(granted, "target"), objectMember(done, "target")];
  const [fixed, used] = [objectMember(granted, "parameters"), objectMember(done, "parameters")];
  return [
    ...type,
    ...differences("target", target, hit, true),
    ...additions("target", target, hit),
    ...differences("parameter", fixed, used, false),
    ...(Object.keys(fixed).length > 0 ? additions("parameter", fixed, used) : []),
  ];
}

/** Members that are there beyond what was fixed. */
function additions(what: string, fixed: JsonObject, found: JsonObject): string[] {
  return Object.keys(found).flatMap((name) =>
    Object.hasOwn(fixed, name) ? [] : [`${what} ${name} was added`],
  );
}

/** "consumption and receipt name one `tool_call_hash`; `tool_digest` agrees" */
function toolDrift({ uses }: Case, { graph }: Context): Problem[] {
  return uses.flatMap(({ receipt, grant }) => {
    if (grant === undefined) return [];
    const calls = graph
      .naming(grant.id, "capability_hash", "consumption")
      .filter(({ record }) => record.value["executor_id"] === receipt.record.value["executor_id"])
      .flatMap(({ record }) => textMember(record.value, "tool_call_hash") ?? []);
    const call = textMember(receipt.record.value, "tool_call_hash") ?? "";
    if (calls.length > 0 && !calls.includes(call))
      return [
        fails("TOOL_DRIFT", [grant, receipt], "the receipt names another tool call than was consumed for"),
      ];
    const digests = ancestry(grant, graph).flatMap(({ record }) => record.value["tool_digest"] ?? []);
    const [digest] = digests;
    const others = [
      receipt.record.value["tool_digest"],
      objectMember(receipt.record.value, "executed_action")["tool_digest"],
      ...digests,
    ].filter((other) => other !== undefined);
    return digest !== undefined && others.some((other) => other !== digest)
      ? [fails("TOOL_DRIFT", [grant, receipt], "the tool's digest is not the granted one")]
      : [];
  });
}

/** "what was asked for, granted and (where stated) executed satisfies the constraints" */
export function withinConstraints(one: Case, context: Context): Problem[] {
  const { action, uses } = one;
  const { request } = action;
  const asked = request === undefined ? [] : [placesOf(request.record.value)];
  const granted = action.grants.map((grant) => placesOf(permitted(grant)));
  const done = uses.map(({ receipt }) => placesOf(objectMember(receipt.record.value, "executed_action")));
  const problems: Problem[] = [];
  if (request !== undefined)
    problems.push(
      ...judge(
        request,
        objectMember(request.record.value, "constraints"),
        [...asked, ...granted, ...done],
        [],
        one,
        context,
      ),
    );
  for (const grant of action.grants) {
    const own = placesOf(permitted(grant));
    const executed = uses.filter((use) => use.grant?.id === grant.id);
    const places = [
      own,
      ...executed.map(({ receipt }) => placesOf(objectMember(receipt.record.value, "executed_action"))),
    ];
    problems.push(
      ...judge(grant, objectMember(permitted(grant), "constraints"), places, asked, one, context),
    );
  }
  return problems;
}

function placesOf(value: JsonObject): JsonObject[] {
  return [objectMember(value, "parameters"), objectMember(value, "target")];
}

/** Judges constraints on every place that has the subject; on `otherwise` where none has. */
function judge(
  source: RecordEntry,
  constraints: JsonObject,
  places: readonly (readonly JsonObject[])[],
  otherwise: readonly (readonly JsonObject[])[],
  one: Case,
  context: Context,
): Problem[] {
  return Object.entries(constraints).flatMap(([name, value]): Problem[] => {
    const constraint = readConstraint(name, value);
    if (constraint.kind === "unknown")
      return [unknown("CONSTRAINT_UNKNOWN", [source], `nobody here knows the constraint ${name}`)];
    if (constraint.kind === "duty") return duty(name, source, one, context);
    if (constraint.kind === "time") {
      const outside = one.uses.filter(({ receipt }) => {
        const executed = time(receipt, "executed_at");
        if (executed === undefined) return false;
        return constraint.side === "not_before" ? executed < constraint.time : executed > constraint.time;
      });
      return outside.map(({ receipt }) =>
        fails("CONSTRAINT_VIOLATED", [source, receipt], `executed outside ${name}`),
      );
    }
    let found = places.map((place) => satisfies(constraint, place));
    if (found.every((one_) => one_ === "absent"))
      found = otherwise.map((place) => satisfies(constraint, place));
    if (found.includes("violated")) return [fails("CONSTRAINT_VIOLATED", [source], `${name} is not kept`)];
    return found.includes("satisfied")
      ? []
      : [unknown("CONSTRAINT_UNCHECKED", [source], `nothing says what ${name} is about`)];
  });
}

/** Done when the decision that counts checked it with `pass`, or the receipt shows it as a postcondition. */
function duty(name: string, source: RecordEntry, { action, uses }: Case, context: Context): Problem[] {
  const granted = action.grants.flatMap((grant) => decisionFor(grant, context) ?? []);
  const decisions = action.grants.length === 0 ? action.decisions : [...new Set(granted)];
  const checked = decisions.flatMap(({ record }) =>
    objects(record.value["evaluated_evidence"]).filter((evidence) => evidence["name"] === name),
  );
  if (checked.some((evidence) => evidence["outcome"] === "fail"))
    return [fails("CONSTRAINT_VIOLATED", [source, ...decisions], `the decision found ${name} not kept`)];
  if (checked.length > 0 || uses.length === 0) return [];
  const shown = uses.every(
    ({ receipt }) => objectMember(receipt.record.value, "postcondition_hashes")[name] !== undefined,
  );
  return shown
    ? []
    : [unknown("CONSTRAINT_UNCHECKED", [source], `neither decision nor receipt speaks of ${name}`)];
}
