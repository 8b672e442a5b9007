/**
 * Log lists (the witness network's tlog-list, `logs/v0`): the logs that a witness cosigns for.
 *
 *     logs/v0
 *
 *     # 1st list item: foo's log
 *     vkey tlog.foo.org+53fe8ee5+AZ…
 *     origin none
 *     qpd 86400
 *     contact https://tlog.foo.org/contact
 *
 * `vkey` begins a log; the lines under it are about that one. An unknown keyword is ignored, as the format may grow;
 * what is known must be right. Two entries of one origin give it two keys.
 */
import { WritError } from "../errors.js";
import { fromUtf8, toHex, utf8 } from "./bytes.js";
import { MAX_ORIGIN_BYTES } from "./checkpoint.js";
import { hasControls } from "./note.js";
import { ED25519_COSIGNATURE, formatVerifierKey, parseVerifierKey, type VerifierKey } from "./vkey.js";

export interface ListedLog {
  readonly key: VerifierKey;
  /** The first line of its checkpoints; the key's name unless the list says otherwise. */
  readonly origin: string;
  /** How many `add-checkpoint` requests a day it may make; null when the list does not say. */
  readonly qpd: number | null;
  readonly contact: string | null;
}

const HEADER = "logs/v0";
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** The logs in a list. WritError LOG_LIST_MALFORMED with the line number. */
export function parseLogList(bytes: Uint8Array): ListedLog[] {
  if (bytes.length > MAX_LIST_BYTES) fail(0, `at most ${MAX_LIST_BYTES} bytes, got ${bytes.length}`);
  const text = fromUtf8(bytes);
  if (text === undefined) fail(0, "not valid UTF-8");
  const logs: ListedLog[] = [];
  const keys = new Set<string>();
  let begun = false;
  for (const [i, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    if (!begun) {
      if (line !== HEADER) fail(i + 1, `the first line is not ${HEADER}`);
      begun = true;
      continue;
    }
    const gap = line.search(/[ \t]/);
    const [keyword, value] = gap < 0 ? [line, ""] : [line.slice(0, gap), line.slice(gap).trim()];
    const last = logs.pop();
    if (keyword === "vkey") {
      if (last !== undefined) logs.push(last);
      const key = keyOf(value, i + 1);
      const id = `${key.name}+${toHex(key.publicKey)}`;
      if (keys.has(id)) fail(i + 1, `the key of ${key.name} is listed twice`);
      keys.add(id);
      logs.push({ key, origin: key.name, qpd: null, contact: null });
    } else if (last === undefined) fail(i + 1, `want a vkey line first, got ${JSON.stringify(keyword)}`);
    else logs.push(withLine(last, keyword, value, i + 1));
  }
  if (!begun) fail(0, `no ${HEADER} line`);
  return logs;
}

/** An empty list, with what a person needs to know to write one. */
export function formatLogList(logs: readonly ListedLog[]): string {
  return `${HEADER}\n${logs.map((log) => `\n${formatListedLog(log)}`).join("")}`;
}

export function formatListedLog({ key, origin, qpd, contact }: ListedLog): string {
  const lines = [`vkey ${formatVerifierKey(key)}`];
  if (origin !== key.name) lines.push(`origin ${origin}`);
  if (qpd !== null) lines.push(`qpd ${qpd}`);
  if (contact !== null) lines.push(`contact ${contact}`);
  return `${lines.join("\n")}\n`;
}

function withLine(log: ListedLog, keyword: string, value: string, number: number): ListedLog {
  if (keyword === "origin") return value === "none" ? log : { ...log, origin: originOf(value, number) };
  if (keyword === "qpd") return { ...log, qpd: qpdOf(value, number) };
  if (keyword === "contact") return { ...log, contact: value };
  return log;
}

function keyOf(text: string, number: number): VerifierKey {
  let key: VerifierKey;
  try {
    key = parseVerifierKey(text);
  } catch (error) {
    if (error instanceof WritError) fail(number, error.message);
    throw error;
  }
  if (key.type === ED25519_COSIGNATURE) fail(number, "a log's key has type 1 or 6, not 4");
  return key;
}

function originOf(text: string, number: number): string {
  // Not a key name: origins with spaces in them are in use.
  if (text === "" || hasControls(text) || utf8(text).length > MAX_ORIGIN_BYTES)
    fail(number, `not an origin: ${JSON.stringify(text.slice(0, 80))}`);
  return text;
}

function qpdOf(text: string, number: number): number {
  const qpd = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : 0;
  if (!(qpd > 0 && qpd <= Number.MAX_SAFE_INTEGER))
    fail(number, `qpd: want a number above 0, got ${JSON.stringify(text.slice(0, 40))}`);
  return qpd;
}

function fail(line: number, why: string): never {
  throw new WritError(
    "LOG_LIST_MALFORMED",
    line === 0 ? `log list: ${why}` : `log list line ${line}: ${why}`,
  );
}
