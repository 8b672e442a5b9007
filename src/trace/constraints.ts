/**
 * Typed constraints: the name carries the kind, the first row that fits counts. Each kind knows when a value satisfies it
 * and when another constraint of the same name is as tight. A kind that is not known is never guessed at, and what cannot
 * be compared is unknown, not violated.
 *
 * *X* is looked up by name, as `X` or its plural `Xs`, at every depth; every occurrence counts, and a list or map must satisfy
 * the constraint in every value.
 *
 * | constraint                                              | satisfied when                                   | as tight when            |
 * |---------------------------------------------------------|--------------------------------------------------|--------------------------|
 * | `max_X`, `X_max`                                        | value ≤ bound; amounts not negative unless min_X | bound ≤, same unit       |
 * | `min_X`, `X_min`                                        | value ≥ bound                                    | bound ≥, same unit       |
 * | `X_allowlist`                                           | value in the list                                | a subset                 |
 * | `X_denylist`                                            | value in no listed form (NFKC, case, white space) | a superset               |
 * | `X_prefix`; `X_pattern_must_match` of the form ^literal | value starts so, and goes nowhere else           | begins with the parent's |
 * | `not_before`, `not_after`                               | execution time within                            | a narrower window        |
 * | `X_required`, `X_check`, `X_must_…` = true              | the duty was done before                         | still true               |
 * | the same = false                                        | always: it asks for nothing                      |                          |
 */
import { timeOf } from "../record/time.js";
import { canonicalJson } from "../statement/jcs.js";
import { isJsonObject, type Json, type JsonObject } from "../statement/json.js";
import { addAmounts, type Amount, compareAmounts, parseAmount } from "./amount.js";
import { folded } from "./context.js";

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
  | { readonly kind: "duty"; readonly asked: boolean }
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
  if (/^.+_(?:required|check)$|^.+_must_/.test(name))
    return typeof value === "boolean" ? { kind: "duty", asked: value } : UNKNOWN;
  return UNKNOWN;
}

/** The text that a pattern of the form `^literal` wants at the beginning. Others are never run. */
function literalPrefix(pattern: string): string | undefined {
  return /^\^[^\\^$.*+?()[\]{}|]+$/.test(pattern) ? pattern.slice(1) : undefined;
}

/** From best to worst; `absent`: nothing says what the constraint is about. */
const SATISFACTIONS = ["absent", "satisfied", "unchecked", "unknown", "violated"] as const;
export type Satisfaction = (typeof SATISFACTIONS)[number];

/** The worst of these. */
export function worst(found: readonly Satisfaction[]): Satisfaction {
  return SATISFACTIONS.findLast((one) => found.includes(one)) ?? "absent";
}

/**
 * Does every occurrence of the constraint's subject in `places` (parameters and target) satisfy it? `all`: the constraints
 * beside it.
 */
export function satisfies(
  constraint: Constraint,
  places: readonly JsonObject[],
  all: JsonObject = {},
): Satisfaction {
  if (!("subject" in constraint)) return "absent";
  const { subject } = constraint;
  const groups = places.flatMap((place) => occurrences(place, subject));
  const allowsNegative = ["min_", "_min"].some((part) =>
    Object.hasOwn(all, part.startsWith("_") ? subject + part : part + subject),
  );
  return worst(groups.map((values) => ofGroup(constraint, values, allowsNegative)));
}

/** Is anything of this name in these places? */
export function isStated(subject: string, places: readonly JsonObject[]): boolean {
  return places.some((place) => occurrences(place, subject).length > 0);
}

/**
 * The values of a name, at every depth. Those inside one list, or of the members of one map, belong together, because they add
 * up; and so do `X` and `Xs` beside one another.
 */
function occurrences(place: JsonObject, subject: string): (readonly Json[])[] {
  const groups: Json[][] = [];
  const visit = (value: Json, group: Json[] | null): void => {
    if (typeof value !== "object" || value === null) return;
    const [named, inner] = isList(value) ? [[], value] : membersOf(value, subject);
    if (group !== null) group.push(...named);
    else if (named.length > 0) groups.push(named);
    const own = group ?? [];
    for (const one of inner) visit(one, own);
    if (group === null && own.length > 0) groups.push(own);
  };
  visit(place, null);
  return groups;
}

/** The members of a map that are of this name, and the others. */
function membersOf(value: Json, subject: string): [Json[], readonly Json[]] {
  if (!isJsonObject(value)) return [[], []];
  const isNamed = ([name]: [string, Json]): boolean => name === subject || name === `${subject}s`;
  const all = Object.entries(value);
  return [
    all.filter(isNamed).map(([, member]) => member),
    all.filter((one) => !isNamed(one)).map(([, member]) => member),
  ];
}

function ofGroup(constraint: Constraint, values: readonly Json[], allowsNegative: boolean): Satisfaction {
  switch (constraint.kind) {
    case "bound":
      return ofBound(constraint, values, allowsNegative);
    case "list":
      return worst(
        values
          // In a map the names are what is listed as much as the values.
          .flatMap((value) => [...leaves(value), ...(constraint.allows ? [] : namesIn(value))])
          .map((leaf) => (isListed(leaf, constraint) === constraint.allows ? "satisfied" : "violated")),
      );
    case "prefix":
      return worst(values.flatMap(leaves).map((leaf) => ofPrefix(constraint.prefix, leaf)));
    default:
      return "absent";
  }
}

function ofBound(
  { side, bound }: Constraint & { kind: "bound" },
  values: readonly Json[],
  allowsNegative: boolean,
): Satisfaction {
  const counted = values.map((value) => {
    const inside = leaves(value);
    const isCollection = typeof value === "object" && value !== null;
    // A list of what is no quantity, under a whole number: how many there are.
    if (isCollection && Number.isInteger(bound) && !inside.some(isQuantity)) return [countOf(value)];
    // An empty list of what is no count says nothing.
    return inside;
  });
  const all = counted.flat();
  const each = worst(all.map((value) => ofValue(value, side, bound, allowsNegative)));
  if (each !== "satisfied" || all.length < 2 || side === "min") return each;
  // What is negative makes nothing else smaller, unless it may be.
  const counting = allowsNegative ? all : all.filter((value) => (sign(value) ?? 1) >= 0);
  const sum = sumOf(counting.length > 0 ? counting : all);
  if (sum === undefined) return "unknown";
  return ofValue(sum, side, bound, allowsNegative) === "satisfied" ? "satisfied" : "unchecked";
}

function ofValue(
  value: Json | Amount,
  side: "max" | "min",
  bound: Json,
  allowsNegative: boolean,
): Satisfaction {
  if (typeof value === "number" && typeof bound === "number")
    return (side === "max" ? value <= bound : value >= bound) ? "satisfied" : "violated";
  const limit = typeof bound === "string" ? parseAmount(bound) : undefined;
  const amount = typeof value === "string" ? parseAmount(value) : isAmount(value) ? value : undefined;
  if (limit === undefined || amount === undefined) return "unknown";
  const order = compareAmounts(amount, limit);
  // Another currency is not within the bound, whatever its number.
  if (order === undefined) return "violated";
  if (side === "max" && amount.digits < 0n && !allowsNegative) return "violated";
  return (side === "max" ? order <= 0 : order >= 0) ? "satisfied" : "violated";
}

function isQuantity(value: Json): boolean {
  return typeof value === "number" || (typeof value === "string" && parseAmount(value) !== undefined);
}

/** How many things a list or map holds: lists inside it open, objects one each. */
function countOf(value: Json): number {
  if (isList(value)) return value.reduce<number>((sum, one) => sum + (isList(one) ? countOf(one) : 1), 0);
  if (isJsonObject(value))
    return Object.values(value).reduce<number>((sum, one) => sum + (isList(one) ? countOf(one) : 1), 0);
  return 1;
}

function isAmount(value: Json | Amount): value is Amount {
  return typeof value === "object" && value !== null && "digits" in value;
}

function sumOf(values: readonly Json[]): number | Amount | undefined {
  if (values.every((value) => typeof value === "number"))
    return values.reduce((sum, value) => sum + value, 0);
  let sum: Amount | undefined;
  for (const value of values) {
    const amount = typeof value === "string" ? parseAmount(value) : undefined;
    if (amount === undefined) return undefined;
    sum = sum === undefined ? amount : addAmounts(sum, amount);
    if (sum === undefined) return undefined;
  }
  return sum;
}

/** In an allowlist to the letter; in a denylist in whatever spelling. */
function isListed(leaf: Json, { list, allows }: Constraint & { kind: "list" }): boolean {
  if (allows || typeof leaf !== "string") return list.some((one) => same(one, leaf));
  return list.some((one) => typeof one === "string" && folded(one) === folded(leaf));
}

/** Begins so, and does not leave again by `..`, an escape, or an empty step. */
function ofPrefix(prefix: string, value: Json): Satisfaction {
  if (typeof value !== "string" || !value.startsWith(prefix)) return "violated";
  const beyond = value.slice(prefix.length);
  if (/[%\\]/.test(beyond)) return "unknown";
  let end = -1;
  const segments = value.split("/");
  const leaving = segments.some((segment, i) => {
    end += segment.length + 1;
    const isLast = i === segments.length - 1;
    const reaches = end > prefix.length;
    return reaches && (segment === "." || segment === ".." || (segment === "" && !isLast));
  });
  return leaving ? "unknown" : "satisfied";
}

/** Is the child's constraint of the same name as tight as the parent's? */
export function isAsTight(name: string, parent: Json, child: Json): boolean {
  const [over, under] = [readConstraint(name, parent), readConstraint(name, child)];
  if (over.kind === "duty" && !over.asked) return true;
  if (over.kind === "bound" && under.kind === "bound") {
    const order = compare(under.bound, over.bound);
    return order !== undefined && (over.side === "max" ? order <= 0 : order >= 0);
  }
  if (over.kind === "list" && under.kind === "list") {
    const [inner, outer] = over.allows ? [under, over] : [over, under];
    return inner.list.every((one) => isListed(one, outer));
  }
  if (over.kind === "prefix" && under.kind === "prefix") return under.prefix.startsWith(over.prefix);
  if (over.kind === "time" && under.kind === "time")
    return over.side === "not_after" ? under.time <= over.time : under.time >= over.time;
  return same(parent, child);
}

/** What of a parent's constraints a child lacks, or has looser: as sentences. "One that it lacks it has widened." */
export function loosened(parent: JsonObject, child: JsonObject): string[] {
  return Object.entries(parent).flatMap(([name, value]) => {
    const own = memberOf(child, name);
    if (own !== undefined) return isAsTight(name, value, own) ? [] : [`constraint ${name} is not as tight`];
    const constraint = readConstraint(name, value);
    return constraint.kind === "duty" && !constraint.asked ? [] : [`constraint ${name} is gone`];
  });
}

/**
 * Members that the parent fixes and the child does not have equal, or as one of its values. `all`: absent ones too. `isPart`: of
 * something that was done in part, where less is no other.
 */
export function differences(
  what: string,
  parent: JsonObject,
  child: JsonObject,
  all: boolean,
  isPart = false,
): string[] {
  return Object.entries(parent).flatMap(([name, value]) => {
    const own = memberOf(child, name);
    if (own === undefined) return all ? [`${what} ${name} is gone`] : [];
    return narrows(value, own, isPart)
      ? []
      : [`${what} ${name} differs: ${brief(own)} instead of ${brief(value)}`];
  });
}

/** Members that are there beyond what is allowed. */
export function additions(what: string, allowed: (name: string) => boolean, found: JsonObject): string[] {
  return Object.keys(found).flatMap((name) => (allowed(name) ? [] : [`${what} ${name} was added`]));
}

function narrows(parent: Json, child: Json, isPart: boolean): boolean {
  if (same(parent, child)) return true;
  if (isQuantity(parent)) {
    // An amount written with more digits is the same amount.
    const order = compare(child, parent);
    const isLess = isPart && order !== undefined && order < 0 && (sign(child) ?? -1) >= 0;
    return order === 0 || isLess;
  }
  if (isList(parent)) return picks(parent, isList(child) ? child : [child], isPart);
  if (!isJsonObject(parent) || !isJsonObject(child)) return false;
  const names = Object.keys(child);
  return (
    names.every(
      (name) => Object.hasOwn(parent, name) && narrows(parent[name] ?? null, child[name] ?? null, isPart),
    ) &&
    (isPart || names.length === Object.keys(parent).length)
  );
}

/** "A list of some of them": each of them once. */
function picks(parent: readonly Json[], child: readonly Json[], isPart: boolean): boolean {
  const left = [...parent];
  return (
    child.length > 0 &&
    child.every((one) => {
      const equal = left.findIndex((other) => same(other, one));
      const at = equal >= 0 ? equal : left.findIndex((other) => narrows(other, one, isPart));
      if (at >= 0) left.splice(at, 1);
      return at >= 0;
    })
  );
}

/** Of a number or an amount: negative, 0, or positive. */
function sign(value: Json): number | undefined {
  if (typeof value === "number") return Math.sign(value);
  const amount = typeof value === "string" ? parseAmount(value) : undefined;
  return amount === undefined ? undefined : amount.digits < 0n ? -1 : amount.digits > 0n ? 1 : 0;
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

/** The names of the members of maps, however deep. */
function namesIn(value: Json): string[] {
  if (isList(value)) return value.flatMap(namesIn);
  if (!isJsonObject(value)) return [];
  return [...Object.keys(value), ...Object.values(value).flatMap(namesIn)];
}

export function memberOf(value: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

export function same(a: Json, b: Json): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}

/** A value in a sentence. */
export function brief(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
