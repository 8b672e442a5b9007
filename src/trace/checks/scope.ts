/** What was asked for, granted and done: that each is no more than the one before, and within its constraints. */
import { objectMember } from "../../record/links.js";
import type { JsonObject } from "../../statement/json.js";
import { type Case } from "../case.js";
import {
  additions,
  differences,
  isStated,
  loosened,
  memberOf,
  readConstraint,
  same,
  type Satisfaction,
  satisfies,
  worst,
} from "../constraints.js";
import { ancestry, decisionOf, evaluatedBy, iso, isMadeUnder, permitted } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { claimOf, hangsOnClaim, momentsOf } from "../moments.js";
import { isFinished, type Stated, type Use } from "../use.js";
import { fails, type Problem, unknown } from "../verdict.js";

/** "Grant attenuates the request and adds no member to the request's `parameters` or `target`"; child grants, every step up. */
export function attenuates({ action, grants, context }: Case): Problem[] {
  const { request } = action;
  const problems: Problem[] = [];
  for (const grant of grants.filter((one) => action.grants.includes(one))) {
    if (request === undefined) continue;
    const wider = widerThanRequest(request.record.value, permitted(grant));
    const [asked, given] = [request.record.value["max_executions"], grant.record.value["max_uses"] ?? 1];
    if (typeof asked === "number" && typeof given === "number" && given > asked)
      wider.push(`${given} uses, where ${asked} were asked for`);
    if (wider.length > 0)
      problems.push(fails("SCOPE_WIDENED", [request, grant], `wider than the request: ${wider.join("; ")}`));
  }
  for (const link of new Set(grants.flatMap((grant) => ancestry(grant, context.graph)))) {
    const parentId = textMember(link.record.value, "parent_capability_hash");
    if (parentId !== undefined) problems.push(...attenuatesParent(link, context.graph.record(parentId)));
  }
  return problems;
}

function widerThanRequest(asked: JsonObject, granted: JsonObject): string[] {
  return [
    ...loosened(objectMember(asked, "constraints"), objectMember(granted, "constraints")),
    ...others(granted, [asked]),
    ...[["parameter", "parameters"] as const, ["target", "target"] as const].flatMap(([what, member]) => {
      const [own, given] = [objectMember(asked, member), objectMember(granted, member)];
      return [
        ...differences(what, own, given, true),
        ...additions(what, (name) => Object.hasOwn(own, name), given),
      ];
    }),
  ];
}

/** Members of an action beside those that have a meaning: nothing that none of these has alike. */
function others(action: JsonObject, sources: readonly JsonObject[]): string[] {
  return Object.entries(action).flatMap(([name, value]) =>
    MEANT.has(name) ||
    sources.some((source) => Object.hasOwn(source, name) && same(source[name] ?? null, value))
      ? []
      : [`member ${name} was added`],
  );
}

const MEANT: ReadonlySet<string> = new Set([
  "action_type",
  "target",
  "parameters",
  "constraints",
  "tool_digest",
  "description",
  "rollback_path",
]);

/** "Child grant attenuates its parent and is made by those who may." */
function attenuatesParent(grant: RecordEntry, parent: RecordEntry | undefined): Problem[] {
  if (parent === undefined)
    return [unknown("ATTENUATION_BROKEN", [grant], "the grant above it is not there to compare with")];
  const broken = (why: string): Problem[] => [fails("ATTENUATION_BROKEN", [parent, grant], why)];
  if (parent.record.type !== "capability-grant" || parent.index >= grant.index)
    return broken("what it names as the grant above it is none that was there before");
  if (!isMadeUnder(grant, parent))
    return broken(`${grant.record.issuer} is neither the issuer nor the audience of the grant above`);
  const [own, above] = [permitted(grant), permitted(parent)];
  const wider = loosened(objectMember(above, "constraints"), objectMember(own, "constraints"));
  for (const [what, member] of [
    ["parameter", "parameters"],
    ["target", "target"],
  ] as const) {
    // "A parent grant without `parameters` leaves them to the child's own request."
    if (what === "parameter" && above[member] === undefined) continue;
    const [fixed, given] = [objectMember(above, member), objectMember(own, member)];
    wider.push(...differences(what, fixed, given, true));
    wider.push(...additions(what, (name) => Object.hasOwn(fixed, name), given));
  }
  const [type, typeAbove] = [own, above].map((one) => textMember(one, "action_type"));
  if (type !== typeAbove) wider.push(`action type ${type} instead of ${typeAbove}`);
  return wider.length === 0 ? [] : broken(`wider than the grant above: ${wider.join("; ")}`);
}

/** What is granted, and what is stated to have been done, is what was asked for: compared at every tier. */
export function sameAction({ action, grants, uses, context }: Case): Problem[] {
  const { request } = action;
  const problems: Problem[] = [];
  for (const grant of grants.filter((one) => action.grants.includes(one))) {
    if (request === undefined) continue;
    const decision = decisionOf(grant, context);
    const classified = decision && textMember(decision.record.value, "classified_action_type");
    const allowed = [
      textMember(request.record.value, "action_type"),
      ...(classified === undefined ? [] : [classified]),
    ];
    const type = textMember(permitted(grant), "action_type");
    if (!allowed.includes(type))
      problems.push(
        fails("ACTION_MISMATCH", [request, grant], `granted ${type}, asked for ${allowed.join(" or ")}`),
      );
  }
  for (const use of uses) {
    // Where nobody asked and nobody granted there is nothing to compare it with.
    if (use.grant === undefined && request === undefined) continue;
    const other = [...new Set(use.stated.flatMap((done) => otherThanGranted(done, use, request)))];
    const nodes = [...(use.grant === undefined ? [] : [use.grant]), ...use.receipts];
    if (other.length > 0)
      problems.push(
        fails(
          "ACTION_MISMATCH",
          nodes,
          `${use.pending ? "another action" : "executed something else"}: ${other.join("; ")}`,
        ),
      );
  }
  return problems;
}

/** In what an action is another than what was granted, and asked for, as sentences. */
function otherThanGranted(
  { action: done, isPart }: Stated,
  { grant }: Use,
  request: RecordEntry | undefined,
): string[] {
  const asked = request?.record.value ?? {};
  const granted = grant === undefined ? asked : permitted(grant);
  const found = others(done, [granted, asked]);
  if (done["action_type"] !== granted["action_type"])
    found.push(
      `action type ${textMember(done, "action_type")} instead of ${textMember(granted, "action_type")}`,
    );
  // Something that is bounded and fixed nowhere may be stated; beside what is fixed it would be a second one.
  const isFixed = (subject: string): boolean =>
    [asked, granted].some((one) =>
      placesOf(one).some((place) => Object.keys(place).some((name) => isNamed(name, subject))),
    );
  const bounded = subjectsOf(asked, granted).filter((subject) => !isFixed(subject));
  for (const [what, member] of [
    ["parameter", "parameters"],
    ["target", "target"],
  ] as const) {
    const [fixed, wanted, stated] = [granted, asked, done].map((one) => objectMember(one, member)) as [
      JsonObject,
      JsonObject,
      JsonObject,
    ];
    found.push(...differences(what, fixed, stated, false, isPart));
    const left = Object.fromEntries(Object.entries(wanted).filter(([name]) => !Object.hasOwn(fixed, name)));
    found.push(...differences(what, left, stated, false, isPart));
    const isKnown = (name: string): boolean =>
      Object.hasOwn(fixed, name) ||
      Object.hasOwn(wanted, name) ||
      bounded.some((subject) => isNamed(name, subject));
    found.push(...additions(what, isKnown, stated));
  }
  return found;
}

/** What the constraints of request and grant are about. */
function subjectsOf(...sources: readonly JsonObject[]): string[] {
  return sources.flatMap((source) =>
    Object.entries(objectMember(source, "constraints")).flatMap(([name, value]) => {
      const constraint = readConstraint(name, value);
      return "subject" in constraint ? [constraint.subject] : [];
    }),
  );
}

function isNamed(name: string, subject: string): boolean {
  return name === subject || name === `${subject}s`;
}

/**
 * "`executed_action` of a receipt executed, partial or reverted states the type, the target and every parameter that request or
 * grant fix or bound, and the grant's `tool_digest`": unknown at tier 2, a failure at tier 3.
 */
export function executionStated({ action, uses, tier, context }: Case): Problem[] {
  return uses.flatMap((use): Problem[] => {
    if (!isFinished(use) && !(use.pending && use.stated.length > 0)) return [];
    const missing = unstated(use, action.request, digestsOf(use, context));
    if (missing.length === 0) return [];
    const detail =
      use.stated.length === 0
        ? "the receipt does not say what was executed"
        : `not stated of what was executed: ${missing.join(", ")}`;
    const nodes = [...use.receipts.slice(0, 1), ...(use.grant === undefined ? [] : [use.grant])];
    return [(tier >= 3 ? fails : unknown)("EXECUTION_UNSTATED", nodes, detail)];
  });
}

function unstated(use: Use, request: RecordEntry | undefined, digests: readonly unknown[]): string[] {
  const { stated: all } = use;
  const done = all.at(-1)?.action;
  if (done === undefined) return ["everything"];
  const asked = request?.record.value ?? {};
  const granted = use.grant === undefined ? asked : permitted(use.grant);
  const places = placesOf(done);
  const missing: string[] = [];
  if (textMember(done, "action_type") === undefined) missing.push("the action type");
  for (const member of ["target", "parameters"] as const) {
    const stated = objectMember(done, member);
    const fixed = new Set([asked, granted].flatMap((one) => Object.keys(objectMember(one, member))));
    for (const name of fixed) if (memberOf(stated, name) === undefined) missing.push(`${member}.${name}`);
  }
  for (const subject of new Set(subjectsOf(asked, granted)))
    if (
      !isStated(subject, places) &&
      !missing.some((name) => name.endsWith(`.${subject}`) || name.endsWith(`.${subject}s`))
    )
      missing.push(subject);
  if (digests.length > 0 && toolDigests(use).length === 0) missing.push("the tool's digest");
  return missing;
}

/** The digests of the tool that the grant and those above it name. */
function digestsOf({ grant }: Use, { graph }: Case["context"]): string[] {
  return grant === undefined
    ? []
    : ancestry(grant, graph).flatMap(({ record }) => textMember(record.value, "tool_digest") ?? []);
}

/** Those that are stated of the tool that was used. */
function toolDigests({ receipts, stated }: Use): string[] {
  return [...receipts.map(({ record }) => record.value), ...stated.map(({ action }) => action)].flatMap(
    (value) => textMember(value, "tool_digest") ?? [],
  );
}

/** "Consumption and receipt name one `tool_call_hash`; a stated tool digest is the grant's." */
export function sameTool({ uses, context }: Case): Problem[] {
  return uses.flatMap((use): Problem[] => {
    const { grant, receipts } = use;
    if (grant === undefined) return [];
    const problems: Problem[] = [];
    const calls = context.graph
      .naming(grant.id, "capability_hash", "consumption")
      .filter(({ record }) => record.issuer === use.executor);
    const named = calls.flatMap(({ record }) => textMember(record.value, "tool_call_hash") ?? []);
    for (const receipt of receipts) {
      const call = textMember(receipt.record.value, "tool_call_hash") ?? "";
      if (named.length > 0 && named.length === calls.length && !named.includes(call))
        problems.push(
          fails("TOOL_DRIFT", [grant, receipt], "the receipt names another tool call than was consumed for"),
        );
    }
    const digests = digestsOf(use, context);
    const stated = toolDigests(use);
    if (digests.length > 0 && [...digests, ...stated].some((digest) => digest !== digests[0]))
      problems.push(
        fails("TOOL_DRIFT", [grant, ...receipts.slice(0, 1)], "the tool's digest is not the granted one"),
      );
    return problems;
  });
}

/** "What was asked for, granted and executed satisfies the constraints", of the request and of each grant. */
export function withinConstraints(one: Case): Problem[] {
  const { action, grants } = one;
  const { request } = action;
  return [
    ...(request === undefined
      ? []
      : judgeConstraints(request, objectMember(request.record.value, "constraints"), one)),
    ...grants.flatMap((grant) => judgeConstraints(grant, objectMember(permitted(grant), "constraints"), one)),
  ];
}

function placesOf(value: JsonObject): JsonObject[] {
  return [objectMember(value, "parameters"), objectMember(value, "target")];
}

/** Judges constraints on what was asked for, granted and done; of a grant, on what was done under it. */
export function judgeConstraints(source: RecordEntry, constraints: JsonObject, one: Case): Problem[] {
  const { action, grants, uses } = one;
  const isGrant = source.record.type === "capability-grant";
  const asked = action.request === undefined ? [] : [placesOf(action.request.record.value)];
  const granted = (isGrant ? [source] : grants).map((grant) => placesOf(permitted(grant)));
  const under = uses.filter(({ grant }) => !isGrant || grant?.id === source.id);
  return Object.entries(constraints).flatMap(([name, value]): Problem[] => {
    const constraint = readConstraint(name, value);
    if (constraint.kind === "unknown")
      return [
        unknown("CONSTRAINT_UNKNOWN", [source], `the constraint ${name} is in no form that can be checked`),
      ];
    if (constraint.kind === "duty") return constraint.asked ? duty(name, source, one) : [];
    if (constraint.kind === "time") return under.flatMap((use) => outside(name, constraint, source, use));
    const found: Satisfaction[] = [...asked, ...granted].map((places) =>
      satisfies(constraint, places, constraints),
    );
    const nodes = [source];
    for (const use of under)
      for (const { action: done } of use.stated) {
        const judged = satisfies(constraint, placesOf(done), constraints);
        if (judged !== "satisfied" && judged !== "absent") nodes.push(...use.receipts);
        found.push(judged);
      }
    const silent = under.filter(
      (use) =>
        (isFinished(use) || (use.pending && use.stated.length > 0)) &&
        !isStated(constraint.subject, placesOf(use.stated.at(-1)?.action ?? {})),
    );
    switch (worst(found)) {
      case "violated":
        return [fails("CONSTRAINT_VIOLATED", nodes, `${name} (${JSON.stringify(value)}) is not kept`)];
      case "unknown":
        return [unknown("CONSTRAINT_UNKNOWN", nodes, `what ${name} is about cannot be compared with it`)];
      case "unchecked":
        return [unknown("CONSTRAINT_UNCHECKED", nodes, `each is within ${name}, and all together are not`)];
      case "absent":
        return [unknown("CONSTRAINT_UNCHECKED", nodes, `nothing says what ${name} is about`)];
      default:
        return silent.length === 0
          ? []
          : [
              unknown(
                "CONSTRAINT_UNCHECKED",
                [source, ...silent.flatMap(({ receipts }) => receipts.slice(0, 1))],
                `the receipt does not say whether ${name} was kept`,
              ),
            ];
    }
  });
}

function outside(
  name: string,
  { side, time: limit }: { readonly side: "not_before" | "not_after"; readonly time: number },
  source: RecordEntry,
  use: Use,
): Problem[] {
  const moments = momentsOf(use);
  const isOutside = (moment: number): boolean => (side === "not_before" ? moment < limit : moment > limit);
  // Where the log's clock says when it was used, the executor's may have been behind.
  const judged = side === "not_before" && !use.claimed ? moments.slice(0, 1) : moments;
  const executed = judged.find(isOutside);
  if (executed === undefined)
    return hangsOnClaim(use, isOutside)
      ? [
          unknown(
            "BACKDATED",
            [source, ...use.receipts.slice(-1)],
            `that ${name} was kept rests on ${claimOf(use)}`,
          ),
        ]
      : [];
  return [
    fails(
      "CONSTRAINT_VIOLATED",
      [source, ...use.receipts.slice(0, 1)],
      `executed at ${iso(executed)}, outside ${name}`,
    ),
  ];
}

/** A duty lies before the act: done when the decision that counts evaluated it with `pass`. */
function duty(name: string, source: RecordEntry, { decisions, grants, done }: Case): Problem[] {
  if (grants.length === 0 && done.length === 0) return [];
  const checked = decisions.map((decision) =>
    evaluatedBy(decision).filter((evidence) => evidence.name === name),
  );
  if (checked.flat().some(({ outcome }) => outcome === "fail"))
    return [fails("CONSTRAINT_VIOLATED", [source, ...decisions], `the decision found ${name} not kept`)];
  return checked.length > 0 && checked.every((found) => found.length > 0)
    ? []
    : [unknown("CONSTRAINT_UNCHECKED", [source], `no decision evaluated ${name} with pass`)];
}
