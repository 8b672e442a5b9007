/**
 * Typed constraints: the name carries the kind, the first row that fits counts. Each kind knows when a value satisfies it
 * and when another constraint of the same name is as tight. A kind that is not known is never guessed at.
 *
 * | constraint                                             | satisfied when          | as tight when            |
 * |--------------------------------------------------------|-------------------------|--------------------------|
 * | `max_X`, `X_max`                                       | value ≤ bound           | bound ≤, same unit       |
 * | `min_X`, `X_min`                                       | value ≥ bound           | bound ≥, same unit       |
 * | `X_allowlist`                                          | value in the list       | a subset                 |
 * | `X_denylist`                                           | value not in the list   | a superset               |
 * | `X_prefix`; `X_pattern_must_match` of the form ^literal | value starts so         | begins with the parent's |
 * | `not_before`, `not_after`                              | execution time within   | a narrower window        |
 * | `X_required`, `X_check`, `X_must_…` = true             | the duty was done       | still true               |
 */
import { timeOf } from "../record/time.js";
import { canonicalJson } from "../statement/jcs.js";
import { isJsonObject, type Json, type JsonObject } from "../statement/json.js";
import { compareAmounts, parseAmount } from "./amount.js";

export type Constraint =
  | { readonly kind: "bound"; readonly subject: string; readonly side: "max" | "min"; readonly bound: Json }
  | {
      readonly kind: "list";
      readonly subject: string;
      readonly allows: boolean;
      readonly list: readonly Json[];
    }
  | { readonly kind: "prefix"; readonly subject: string; readonly prefix: string }
  | { readonly kind: "time"; readonly side: "not_before" | "not_after"; readonly time: number }
  | { readonly kind: "duty" }
  | { readonly kind: "unknown" };

const UNKNOWN = { kind: "unknown" } as const;

/** What a constraint of this name and value asks for. */
export function readConstraint(name: string, value: Json): Constraint {
  const bound = /^(max)_(.+)$|^(.+)_(max)$|^(min)_(.+)$|^(.+)_(min)$/.exec(name);
  if (bound !== null) {
    const [, max, afterMax, beforeMax, , , afterMin, beforeMin] = bound;
    const subject = afterMax ?? beforeMax ?? afterMin ?? beforeMin ?? "";
    const side = max !== undefined || beforeMax !== undefined ? "max" : "min";
    const known =
      typeof value === "number" || (typeof value === "string" && parseAmount(value) !== undefined);
    return known ? { kind: "bound", subject, side, bound: value } : UNKNOWN;
  }
  const list = /^(.+)_(allow|deny)list$/.exec(name);
  if (list !== null) {
    if (!isList(value)) return UNKNOWN;
    return { kind: "list", subject: list[1] ?? "", allows: list[2] === "allow", list: value };
  }
  const prefix = /^(.+)_prefix$/.exec(name);
  if (prefix !== null)
    return typeof value === "string" ? { kind: "prefix", subject: prefix[1] ?? "", prefix: value } : UNKNOWN;
  const pattern = /^(.+)_pattern_must_match$/.exec(name);
  if (pattern !== null) {
    const literal = typeof value === "string" ? literalPrefix(value) : undefined;
    return literal === undefined ? UNKNOWN : { kind: "prefix", subject: pattern[1] ?? "", prefix: literal };
  }
  if (name === "not_before" || name === "not_after") {
    const time = timeOf(value);
    return time === undefined ? UNKNOWN : { kind: "time", side: name, time };
  }
  if (/^.+_(?:required|check)$|^.+_must_/.test(name)) return value === true ? { kind: "duty" } : UNKNOWN;
  return UNKNOWN;
}

/** The text that a pattern of the form `^literal` wants at the beginning. Others are never run. */
function literalPrefix(pattern: string): string | undefined {
  return /^\^[^\\^$.*+?()[\]{}|]+$/.test(pattern) ? pattern.slice(1) : undefined;
}

export type Satisfaction = "satisfied" | "violated" | "absent";

/** Does every value that `places` (parameters and target) hold for the constraint's subject satisfy it? */
export function satisfies(constraint: Constraint, places: readonly JsonObject[]): Satisfaction {
  if (!("subject" in constraint)) return "absent";
  const { subject } = constraint;
  const found = places.flatMap((place) => [memberOf(place, subject), memberOf(place, `${subject}s`)]);
  const values = found.flatMap((value) => (value === undefined ? [] : leaves(value)));
  if (values.length === 0) return "absent";
  return values.every((value) => fits(constraint, value)) ? "satisfied" : "violated";
}

function fits(constraint: Constraint, value: Json): boolean {
  switch (constraint.kind) {
    case "bound": {
      const order = compare(value, constraint.bound);
      if (order === undefined) return false;
      return constraint.side === "max" ? order <= 0 : order >= 0;
    }
    case "list":
      return constraint.list.some((one) => same(one, value)) === constraint.allows;
    case "prefix":
      return typeof value === "string" && value.startsWith(constraint.prefix);
    default:
      return false;
  }
}

/** Is the child's constraint of the same name as tight as the parent's? */
export function isAsTight(name: string, parent: Json, child: Json): boolean {
  const [over, under] = [readConstraint(name, parent), readConstraint(name, child)];
  if (over.kind === "bound" && under.kind === "bound") {
    const order = compare(under.bound, over.bound);
    return order !== undefined && (over.side === "max" ? order <= 0 : order >= 0);
  }
  if (over.kind === "list" && under.kind === "list") {
    const [inner, outer] = over.allows ? [under.list, over.list] : [over.list, under.list];
    return inner.every((one) => outer.some((other) => same(one, other)));
  }
  if (over.kind === "prefix" && under.kind === "prefix") return under.prefix.startsWith(over.prefix);
  if (over.kind === "time" && under.kind === "time")
    return over.side === "not_after" ? under.time <= over.time : under.time >= over.time;
  return same(parent, child);
}

/** What of a parent's terms a child has widened: names of constraints that are gone or looser, and of members that differ. */
export function widenings(
  parent: { readonly constraints: JsonObject; readonly fixed: readonly (readonly [string, JsonObject])[] },
  child: { readonly constraints: JsonObject; readonly fixed: readonly (readonly [string, JsonObject])[] },
): string[] {
  const loose = Object.entries(parent.constraints).flatMap(([name, value]) => {
    const own = memberOf(child.constraints, name);
    if (own === undefined) return [`constraint ${name} is gone`];
    return isAsTight(name, value, own) ? [] : [`constraint ${name} is not as tight`];
  });
  const differing = parent.fixed.flatMap(([what, members], i) =>
    differences(what, members, child.fixed[i]?.[1] ?? {}, true),
  );
  return [...loose, ...differing];
}

/** Members that the parent fixes and the child does not have equal, or as one of its values. `all`: absent ones too. */
export function differences(what: string, parent: JsonObject, child: JsonObject, all: boolean): string[] {
  return Object.entries(parent).flatMap(([name, value]) => {
    const own = memberOf(child, name);
    if (own === undefined) return all ? [`${what} ${name} is gone`] : [];
    return narrows(value, own) ? [] : [`${what} ${name} differs`];
  });
}

function narrows(parent: Json, child: Json): boolean {
  if (same(parent, child)) return true;
  if (!isList(parent)) return false;
  const own = isList(child) ? child : [child];
  return own.length > 0 && own.every((one) => parent.some((other) => same(one, other)));
}

/** Both numbers, or both amounts of one unit; undefined for what cannot be compared. */
function compare(a: Json, b: Json): number | undefined {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== "string" || typeof b !== "string") return undefined;
  const [left, right] = [parseAmount(a), parseAmount(b)];
  return left === undefined || right === undefined ? undefined : compareAmounts(left, right);
}

/** The values of a list or map, however deep; a single value as itself. */
function leaves(value: Json): Json[] {
  if (isList(value)) return value.flatMap(leaves);
  if (isJsonObject(value)) return Object.values(value).flatMap(leaves);
  return [value];
}

/** The object's own member: a record may call one `constructor`. */
function memberOf(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function same(a: Json, b: Json): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
