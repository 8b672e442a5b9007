/** Is an action that somebody is about to do within a grant? The same questions that a trace asks of it afterwards. */
import { objectMember } from "../record/links.js";
import type { JsonObject } from "../statement/json.js";
import { otherAction } from "./checks/scope.js";
import { differences, readConstraint, satisfies } from "./constraints.js";

/** What is about to be done. */
export interface ProposedAction {
  readonly action_type: string;
  readonly target: JsonObject;
  readonly parameters?: JsonObject;
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
  return [...(above ? otherCase(done, permitted) : otherAction(done, permitted)), ...broken];
}

function otherCase(done: JsonObject, permitted: JsonObject): string[] {
  const [own, open] = [done, permitted].map((one) => objectMember(one, "target"));
  const type =
    done["action_type"] === permitted["action_type"] ? [] : ["another action type than granted above"];
  return [...type, ...differences("target", open ?? {}, own ?? {}, true)];
}
