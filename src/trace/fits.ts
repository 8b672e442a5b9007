/** Is an action that somebody is about to do within a grant? The same questions that a trace asks of it afterwards. */
import { objectMember } from "../record/links.js";
import type { JsonObject } from "../statement/json.js";
import { otherAction } from "./checks/scope.js";
import { readConstraint, satisfies } from "./constraints.js";

/** What is about to be done. */
export interface ProposedAction {
  readonly action_type: string;
  readonly target: JsonObject;
  readonly parameters?: JsonObject;
}

/**
 * Why the action is not within the permitted one of a grant, or of one above it, as sentences. `asked`: the request's own
 * words, for what neither says. `now` in milliseconds since 1970.
 */
export function outside(
  action: ProposedAction,
  permitted: JsonObject,
  asked: JsonObject,
  now: number,
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
  return [...otherAction(done, permitted), ...broken];
}
