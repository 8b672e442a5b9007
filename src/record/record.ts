/**
 * A record: one JSON object that says one thing, known by the hash of its exact bytes. Nothing here ever writes a
 * record again to check it.
 */
import { sha256 } from "#crypto";
import { type ErrorCode, WritError } from "../errors.js";
import { fromUtf8, toHex } from "../format/bytes.js";
import { isJsonObject, type Json, type JsonObject, parseJson } from "../statement/json.js";
import { RULES_VERSION } from "./registration.js";
import { COMMON, type Members, TYPES, type TypeRules } from "./types.js";

/** The content type of our records; a statement with any other is foreign. */
export const RECORD_MEDIA_TYPE = "application/vnd.writ.record+json";

export interface Record {
  /** SHA-256 of the exact bytes: 32 bytes. */
  readonly hash: Uint8Array;
  readonly value: JsonObject;
  readonly type: string;
  readonly issuer: string;
  readonly traceId: string | null;
  readonly previousTraceHash: string | null;
}

/** `sha256:` and 64 lower-case hex digits, of the record's exact bytes. */
export function recordIdOf(bytes: Uint8Array): string {
  return `sha256:${toHex(sha256(bytes))}`;
}

/** The id of a parsed record. */
export function idOf({ hash }: Pick<Record, "hash">): string {
  return `sha256:${toHex(hash)}`;
}

/** The record in a payload, its common members checked. WritError RECORD_MALFORMED with the member's path. */
export function parseRecord(bytes: Uint8Array): Record {
  const value = parseJson(bytes, "RECORD_MALFORMED");
  if (!isJsonObject(value)) throw new WritError("RECORD_MALFORMED", "record: want an object", { path: "" });
  checkMembers(value, COMMON, "RECORD_MALFORMED");
  return recordOf(bytes, value);
}

/** A record that was read strictly before it was stored: the same, without reading it strictly again. */
export function readStoredRecord(bytes: Uint8Array): Record {
  return recordOf(bytes, JSON.parse(fromUtf8(bytes) ?? "") as JsonObject);
}

function recordOf(bytes: Uint8Array, value: JsonObject): Record {
  return {
    hash: sha256(bytes),
    value,
    type: stringMember(value, "type"),
    issuer: stringMember(value, "issuer"),
    traceId: optionalString(value, "trace_id"),
    previousTraceHash: optionalString(value, "previous_trace_hash"),
  };
}

/** The rules of a record's type. RECORD_MALFORMED for a type that is not one of ours. */
export function rulesOf(record: Record): TypeRules {
  const rules = TYPES.get(record.type);
  if (rules !== undefined) return rules;
  throw new WritError(
    "RECORD_MALFORMED",
    `record, type: want one of ${[...TYPES.keys()].join(", ")}; got ${JSON.stringify(record.type.slice(0, 40))}`,
    {
      path: "type",
    },
  );
}

/**
 * The rules of the record's own type, as they stood in a version of the rules. RECORD_INVALID with the path of the member
 * and what was wanted there, also for a record that is signed as someone else, and for a receipt of a grant for no request.
 */
export function checkRecord(record: Record, version = RULES_VERSION): void {
  const rules = rulesOf(record);
  const { value, issuer } = record;
  checkMembers(value, rules, "RECORD_INVALID");
  if (version >= 2 && rules.optionalSince2 !== undefined)
    checkMembers(value, { required: {}, optional: rules.optionalSince2 }, "RECORD_INVALID");
  const { signsAs } = rules;
  if (signsAs !== undefined && value[signsAs] !== issuer) {
    invalid(signsAs, `the issuer, ${JSON.stringify(issuer)}: nobody signs as someone else`);
  }
  if (value["request_hash"] === null && value["capability_hash"] !== null) {
    invalid("request_hash", "the request's record id: where nobody asked, nothing was granted either");
  }
  if (version < 2 && value["capability_hash"] === null && value["outcome"] !== "refused") {
    invalid("capability_hash", "the grant's record id; null is for outcome refused only");
  }
}

function invalid(path: string, want: string): never {
  throw new WritError("RECORD_INVALID", `record, ${path}: want ${want}`, { path });
}

/** Required members present and right, optional ones right where present, all others ignored. */
export function checkMembers(
  value: JsonObject,
  { required, optional }: { readonly required: Members; readonly optional: Members },
  code: ErrorCode,
): void {
  for (const name in required) {
    const member = value[name];
    if (member === undefined) {
      const want = required[name]?.(NEVER_RIGHT)?.want ?? "a value";
      throw new WritError(code, `record, ${name}: missing; want ${want}`, { path: name });
    }
    checkMember(name, member, required, code);
  }
  for (const name in optional) {
    const member = value[name];
    if (member !== undefined) checkMember(name, member, optional, code);
  }
}

/** What no member may hold, to learn what a check wants. */
const NEVER_RIGHT = -0.5;

function checkMember(name: string, member: Json, members: Members, code: ErrorCode): void {
  const complaint = members[name]?.(member);
  if (complaint === undefined) return;
  const path = name + complaint.path;
  throw new WritError(code, `record, ${path}: want ${complaint.want}`, { path });
}

export function stringMember(value: JsonObject, name: string): string {
  const member = value[name];
  if (typeof member !== "string") throw new RangeError(`${name} was not checked to be text`);
  return member;
}

export function optionalString(value: JsonObject, name: string): string | null {
  const member = value[name];
  return typeof member === "string" ? member : null;
}

export function stringsMember(value: JsonObject, name: string): string[] {
  const member = value[name];
  return Array.isArray(member) ? member.filter((element) => typeof element === "string") : [];
}
