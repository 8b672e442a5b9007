/** `--set`: members of a record from the command line. */
import { time } from "../record/member.js";
import { TYPES } from "../record/types.js";
import { isJsonObject, type Json, type JsonObject } from "../statement/json.js";
import { usageError } from "./command.js";

/**
 * The record with the settings put in: `name=text`, `name:=JSON`, with dots between the names of members of members. Where
 * the record's type wants a time, `now`, `+600s` and `-600s` are counted from `now` (milliseconds since 1970).
 */
export function setMembers(record: JsonObject, settings: readonly string[], now: number): JsonObject {
  return settings.reduce((made, setting) => {
    const [, name = "", mark, text = ""] = /^([^=]*?)(:?=)([^]*)$/.exec(setting) ?? [];
    if (name === "") throw usageError(`--set: want NAME=TEXT or NAME:=JSON, got ${setting}`);
    const value = mark === ":=" ? jsonOf(name, text) : timeOr(made, name, text, now);
    return put(made, name.split("."), value);
  }, record);
}

function jsonOf(name: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw usageError(`--set ${name}: want JSON after :=, got ${text}`);
  }
}

function timeOr(record: JsonObject, name: string, text: string, now: number): string {
  const relative = /^(?:now|([+-][0-9]{1,9})s)$/.exec(text);
  return relative !== null && isTime(record, name)
    ? new Date(now + Number(relative[1] ?? 0) * 1000).toISOString()
    : text;
}

function isTime({ type }: JsonObject, name: string): boolean {
  const rules = typeof type === "string" ? TYPES.get(type) : undefined;
  return name === "issued_at" || rules?.required[name] === time || rules?.optional[name] === time;
}

function put(object: JsonObject, [name = "", ...rest]: readonly string[], value: Json): JsonObject {
  const inner = object[name];
  return {
    ...object,
    [name]: rest.length === 0 ? value : put(isJsonObject(inner) ? inner : {}, rest, value),
  };
}
