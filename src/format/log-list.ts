/**
 * Log lists (the witness network's log-list format, `logs/v0`): the logs that a witness cosigns for. Each is these lines, in this
 * order; blank ones and those that begin with # are passed over.
 *
 *     logs/v0
 *
 *     # 1st list item: foo's log
 *     vkey tlog.foo.org+53fe8ee5+AZ…
 *     origin something-not-equal-to-the-key-name      (only where it is)
 *     qpd 86400
 *     contact https://tlog.foo.org/contact
 *
 * An origin has one key. (The format allows Ed25519 keys only; a log that has nothing but an ML-DSA-44 key can be listed, too.)
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
  /** How many `add-checkpoint` requests a day it may make: 1 to 2^31 - 1. */
  readonly qpd: number;
  /** For people who want to reach whoever runs the log. */
  readonly contact: string;
}

export const MAX_QPD = 2 ** 31 - 1;
const HEADER = "logs/v0";
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** The logs in a list. WritError LOG_LIST_MALFORMED with the line number. */
export function parseLogList(bytes: Uint8Array): ListedLog[] {
  if (bytes.length > MAX_LIST_BYTES) fail(0, `at most ${MAX_LIST_BYTES} bytes, got ${bytes.length}`);
  const text = fromUtf8(bytes);
  if (text === undefined) fail(0, "not valid UTF-8");
  const lines = text
    .split("\n")
    .map((line, i): Line => ({ number: i + 1, text: line.trim() }))
    .filter((line) => line.text !== "" && !line.text.startsWith("#"));
  const [header, ...rest] = lines;
  if (header === undefined) fail(0, `no ${HEADER} line`);
  if (header.text !== HEADER) fail(header.number, `the first line is not ${HEADER}`);
  const logs: ListedLog[] = [];
  const listed = { origins: new Set<string>(), keys: new Set<string>() };
  for (const reader = new Lines(rest); !reader.isOver; ) {
    const log = readLog(reader);
    const id = `${log.key.name}+${toHex(log.key.publicKey)}`;
    if (listed.keys.has(id)) fail(reader.number, `the key of ${log.key.name} is listed twice`);
    if (listed.origins.has(log.origin))
      fail(reader.number, `the origin ${log.origin} is listed twice: it has one vkey`);
    listed.keys.add(id);
    listed.origins.add(log.origin);
    logs.push(log);
  }
  return logs;
}

interface Line {
  readonly number: number;
  readonly text: string;
}

class Lines {
  private at = 0;

  constructor(private readonly lines: readonly Line[]) {}

  get isOver(): boolean {
    return this.at === this.lines.length;
  }

  /** Of the line that was read last. */
  get number(): number {
    return this.lines[this.at - 1]?.number ?? 0;
  }

  /** The value of the next line, if it is of this keyword. */
  take(keyword: string): string | undefined {
    const text = this.lines[this.at]?.text ?? "";
    const gap = text.search(/[ \t]/);
    if ((gap < 0 ? text : text.slice(0, gap)) !== keyword) return undefined;
    this.at++;
    return gap < 0 ? "" : text.slice(gap).trim();
  }

  /** The same, of a line that has to be there. */
  want(keyword: string, order: string): string {
    const value = this.take(keyword);
    if (value !== undefined) return value;
    const { number, text } = this.lines[this.at] ?? { number: this.number, text: "the end of the list" };
    return fail(number, `want ${order}; got ${JSON.stringify(text.slice(0, 60))}`);
  }
}

function readLog(lines: Lines): ListedLog {
  const key = keyOf(lines.want("vkey", "a vkey line, with which a log begins"), lines.number);
  const other = lines.take("origin");
  const origin = other === undefined ? key.name : originOf(other, lines.number);
  const order =
    "vkey, then origin if it is not the key's name, qpd and contact, in this order; lists of version 0.6 want `qpd 2147483647` and `contact …` added";
  const qpd = qpdOf(lines.want("qpd", `qpd, the requests a day (${order})`), lines.number);
  const contact = lines.want("contact", `contact (${order})`);
  if (contact === "") fail(lines.number, "contact: want how to reach whoever runs the log");
  return { key, origin, qpd, contact };
}

/** An empty list, with what a person needs to know to write one. */
export function formatLogList(logs: readonly ListedLog[]): string {
  return `${HEADER}\n${logs.map((log) => `\n${formatListedLog(log)}`).join("")}`;
}

export function formatListedLog({ key, origin, qpd, contact }: ListedLog): string {
  const named = origin === key.name ? "" : `origin ${origin}\n`;
  return `vkey ${formatVerifierKey(key)}\n${named}qpd ${qpd}\ncontact ${contact}\n`;
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
  const qpd = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  if (qpd < 1 || qpd > MAX_QPD)
    fail(number, `qpd: want a whole number from 1 to ${MAX_QPD}, got ${JSON.stringify(text.slice(0, 40))}`);
  return qpd;
}

function fail(line: number, why: string): never {
  throw new WritError(
    "LOG_LIST_MALFORMED",
    line === 0 ? `log list: ${why}` : `log list line ${line}: ${why}`,
  );
}
