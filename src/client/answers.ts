/** The log's answers, read with suspicion: SERVER_ANSWER_INVALID for anything that is not of the documented shape. */
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { parseBase64, parseBase64Of } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import { isJsonObject, type Json, type JsonObject, parseJson } from "../statement/json.js";

/** An answer may hold a record, which may be as deep as a record may be. */
const MAX_ANSWER_DEPTH = 80;

export function parseObject(bytes: Uint8Array): JsonObject {
  const value = parseJson(bytes, "SERVER_ANSWER_INVALID", MAX_ANSWER_DEPTH);
  return isJsonObject(value) ? value : invalid("an object");
}

export function objectAt(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  return isJsonObject(value) ? value : invalid(`${name}, an object`);
}

export function textAt(object: JsonObject, name: string): string {
  const value = object[name];
  return typeof value === "string" ? value : invalid(`${name}, text`);
}

export function numberAt(object: JsonObject, name: string): number {
  const value = object[name];
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
    ? value
    : invalid(`${name}, a number ≥ 0`);
}

export function listAt(object: JsonObject, name: string): readonly Json[] {
  const value = object[name];
  return Array.isArray(value) ? value : invalid(`${name}, a list`);
}

export function hashesAt(object: JsonObject, name: string): Hash[] {
  return listAt(object, name).map((value) => {
    const bytes = typeof value === "string" ? parseBase64Of(32, value) : undefined;
    return bytes === undefined ? invalid(`${name}, hashes in base64`) : asHash(bytes);
  });
}

export function bytesAt(object: JsonObject, name: string): Uint8Array {
  return parseBase64(textAt(object, name)) ?? invalid(`${name}, base64`);
}

/** The signed note, as bytes. */
export function noteAt(object: JsonObject, name: string): Uint8Array {
  return utf8(textAt(object, name));
}

export function invalid(want: string): never {
  throw new WritError("SERVER_ANSWER_INVALID", `the log's answer lacks ${want}`);
}
