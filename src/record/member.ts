/**
 * What a member of a record may hold: small checks that say what they want. A check returns undefined when it is
 * content, else the complaint: which path, and what was wanted there.
 */
import { isUtcTime } from "./time.js";
import { fromJwk } from "../statement/key.js";
import { isJsonObject, type Json } from "../statement/json.js";

export interface Complaint {
  /** Appended to the member's own path: "", "[2]", ".crv" … */
  readonly path: string;
  readonly want: string;
}

export type Check = (value: Json) => Complaint | undefined;

/** A check from a predicate and its wish in words. */
export function holds(want: string, predicate: (value: Json) => boolean): Check {
  return (value) => (predicate(value) ? undefined : { path: "", want });
}

export const text = holds("text, not empty", (value) => typeof value === "string" && value !== "");

/** ≤ 128 printable characters: no control, format, private or unassigned ones. */
export const label = holds(
  "1 to 128 printable characters",
  (value) => typeof value === "string" && /^[^\p{C}]{1,128}$/u.test(value),
);

export const recordId = holds(
  "a record id: sha256: and 64 lower-case hex digits",
  (value) => typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value),
);

export const keyId = holds(
  "a key id: 64 lower-case hex digits, the RFC 9679 thumbprint",
  (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
);

export const time = holds(
  "an RFC 3339 time in UTC, such as 2026-05-01T12:00:00Z",
  (value) => typeof value === "string" && isUtcTime(value),
);

export const count = holds(
  "a whole number ≥ 0",
  (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0,
);

export const jwk = holds(
  'a JWK: {"kty":"OKP","crv":"Ed25519","x"} or {"kty":"EC","crv":"P-256","x","y"}, a sound key (canonical, on the curve, prime order)',
  (value) => fromJwk(value) !== undefined,
);

export function oneOf(...words: readonly string[]): Check {
  return holds(words.join(" or "), (value) => typeof value === "string" && words.includes(value));
}

/** A list whose elements all pass; `least` of them at least. */
export function listOf(check: Check, least = 0): Check {
  return (value) => {
    if (!isList(value) || value.length < least)
      return { path: "", want: least ? `a list of at least ${least}` : "a list" };
    for (const [i, element] of value.entries()) {
      const complaint = check(element);
      if (complaint !== undefined) return { path: `[${i}]${complaint.path}`, want: complaint.want };
    }
    return undefined;
  };
}

export const object = holds("an object", isJsonObject);

export const flag = holds("true or false", (value) => typeof value === "boolean");

export const anything: Check = () => undefined;

/** An object whose members, whatever their names, all pass; `least` of them at least. */
export function mapOf(check: Check, least = 0): Check {
  return (value) => {
    if (!isJsonObject(value)) return { path: "", want: "an object" };
    const members = Object.entries(value);
    if (members.length < least) return { path: "", want: "an object with at least one member" };
    for (const [name, member] of members) {
      const complaint = check(member);
      if (complaint !== undefined) return { path: `.${name}${complaint.path}`, want: complaint.want };
    }
    return undefined;
  };
}

/** An object with these members; others are ignored. */
export function objectOf(
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  return (value) => {
    if (!isJsonObject(value)) return { path: "", want: "an object" };
    for (const name in required) {
      const member = value[name];
      if (member === undefined) return { path: `.${name}`, want: "it to be there" };
      const complaint = required[name]?.(member);
      if (complaint !== undefined) return { path: `.${name}${complaint.path}`, want: complaint.want };
    }
    for (const name in optional) {
      const member = value[name];
      const complaint = member === undefined ? undefined : optional[name]?.(member);
      if (complaint !== undefined) return { path: `.${name}${complaint.path}`, want: complaint.want };
    }
    return undefined;
  };
}

/** An object with at least one of these members, each right where present. */
export function someOf(members: Readonly<Record<string, Check>>): Check {
  const check = objectOf({}, members);
  const names = Object.keys(members);
  return (value) =>
    check(value) ??
    (isJsonObject(value) && names.some((name) => value[name] !== undefined)
      ? undefined
      : { path: "", want: `an object with ${names.join(", ")}, or several of them` });
}

export function nullOr(check: Check): Check {
  return (value) => (value === null ? undefined : check(value));
}

export function emptyOr(check: Check): Check {
  return (value) => (value === "" ? undefined : check(value));
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
