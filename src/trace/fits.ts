/** Is an action that somebody is about to do within a grant? The same questions that a trace asks of it afterwards. */
import { objectMember } from "../record/links.js";
import type { JsonObject } from "../statement/json.js";
import { otherAction } from "./checks/scope.js";
import { differences, readConstraint, same, satisfies } from "./constraints.js";

/** What is about to be done. */
export interface ProposedAction {
  readonly action_type: string;
  readonly target: JsonObject;
  readonly parameters?: JsonObject;
  /** The digest of the tool that does it, for grants that name one. */
  readonly tool_digest?: string;
}

/**
 * Why the action is not within the permitted one of a grant, as sentences. `asked`: the request's own words, for what neither
 * says. `now` in milliseconds since 1970. Nothing may be added to what the grant says; of a grant above it (`above`), which
 * may leave things open, the action has to be one case.
 */
export function outside(
  action: ProposedAction,
  permitted: JsonObject,
  asked: JsonObject,
  now: number,
  { above = false }: { readonly above?: boolean } = {},
): string[] {
  const done: JsonObject = { ...action };
  const places = [done, permitted].map((one) => [
    objectMember(one, "parameters"),
    objectMember(one, "target"),
  ]);
  const fallback = [objectMember(asked, "parameters"), objectMember(asked, "target")];
  const broken = Object.entries(objectMember(permitted, "constraints")).flatMap(([name, value]): string[] => {
    const constraint = readConstraint(name, value);
    if (constraint.kind === "unknown") return [`nobody here knows the constraint ${name}`];
    // Whether a duty was done shows in the decision before and in the receipt after.
    if (constraint.kind === "duty") return [];
    if (constraint.kind === "time") {
      const early = constraint.side === "not_before" && now < constraint.time;
      const late = constraint.side === "not_after" && now > constraint.time;
      return early || late ? [`it is not the time: ${name}`] : [];
    }
    const found = places.map((place) => satisfies(constraint, place));
    if (found.includes("violated")) return [`${name} is not kept`];
    if (found.includes("satisfied") || satisfies(constraint, fallback) === "satisfied") return [];
    return [`nothing says what ${name} is about`];
  });
  const other = above
    ? otherCase(done, permitted)
    : [...otherAction(done, permitted), ...unasked(done, permitted, asked)];
  return [...other, ...broken];
}

/** A trace looks back at what was done; who lets it be done wants every parameter to be somebody's word: fixed, bounded, or asked for. */
function unasked(done: JsonObject, permitted: JsonObject, asked: JsonObject): string[] {
  const constraints = Object.entries(objectMember(permitted, "constraints")).map(([name, value]) =>
    readConstraint(name, value),
  );
  const [fixed, wanted] = [objectMember(permitted, "parameters"), objectMember(asked, "parameters")];
  return Object.entries(objectMember(done, "parameters")).flatMap(([name, value]) => {
    const isBound = constraints.some(
      (one) => "subject" in one && [one.subject, `${one.subject}s`].includes(name),
    );
    if (isBound || Object.hasOwn(fixed, name)) return [];
    const was = Object.hasOwn(wanted, name) ? wanted[name] : undefined;
    return was !== undefined && same(was, value)
      ? []
      : [`parameter ${name} was neither granted nor asked for`];
  });
}

function otherCase(done: JsonObject, permitted: JsonObject): string[] {
  const [own, open] = [done, permitted].map((one) => objectMember(one, "target"));
  const type =
    done["action_type"] === permitted["action_type"] ? [] : ["another action type than granted above"];
  return [...type, ...differences("target", open ?? {}, own ?? {}, true)];
}
