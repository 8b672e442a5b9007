/**
 * The trace bundle: one self-contained JSON file. Every statement verbatim, with its index and its inclusion proof under
 * one checkpoint; that checkpoint; the links followed, what was looked for and not found, and the log's word that this is all.
 *
 *     {"format": "writ-trace/2", "walk": 2, "log": "log.example.org/agents", "subject": "sha256:…", "as_of": 4711,
 *      "log_checkpoint": "…", "bounded": {"nodes": false, "depth": false},
 *      "entries": [{"index": 17, "received_at": "2026-05-01T12:00:00.000Z", "hashes": ["…"], "statement": "…"}],
 *      "links": [{"from": 17, "member": "request_hash", "to": 12}],
 *      "not_found": [{"from": 17, "member": "prior_receipts", "value": "sha256:…"}],
 *      "closure": "<DSSE in base64, or null>"}
 *
 * Files of the format `writ-trace/1` are read, and judged by the walk that made them.
 *
 * Reading one believes nothing in it: `open.ts` recomputes all that can be.
 */
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { parseBase64, parseBase64Of, toBase64 } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import { timeOf } from "../record/time.js";
import { isJsonObject, type Json, type JsonObject, parseJson } from "../statement/json.js";
import { type Bounded, MAX_NODES, MAX_STRANGERS, type WalkNumber } from "./walk/walk.js";

const FORMATS = { "writ-trace/1": 1, "writ-trace/2": 2 } as const satisfies Record<string, WalkNumber>;
/** Entries of a bundle: the walk's, and strangers' with their keys. */
const MAX_ENTRIES = MAX_NODES + 3 * MAX_STRANGERS;
/** Statements in base64, proofs, links: what the walk's bounds allow, with room to spare. */
export const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;

export interface BundleEntry {
  readonly index: number;
  /** Milliseconds since 1970; null where whoever made the bundle did not know. */
  readonly receivedAt: number | null;
  /** The inclusion proof, leaf to root. */
  readonly hashes: readonly Hash[];
  readonly stored: Uint8Array;
}

export interface BundleLink {
  readonly from: number;
  readonly member: string;
  readonly to: number;
}

export interface MissingLink {
  readonly from: number;
  readonly member: string;
  readonly value: string;
}

export interface Bundle {
  /** The walk that made it. */
  readonly walk: WalkNumber;
  readonly log: string;
  /** The record id, or the entry hash of foreign content, that was asked for. */
  readonly subject: string;
  /** The tree size before which everything in it stands. */
  readonly asOf: number;
  /** The signed note, verbatim. */
  readonly checkpoint: string;
  readonly bounded: Bounded;
  /** In log order, each once. */
  readonly entries: readonly BundleEntry[];
  readonly links: readonly BundleLink[];
  readonly notFound: readonly MissingLink[];
  /** The closure statement, a DSSE as stored; null where there is none. */
  readonly closure: Uint8Array | null;
}

export function formatBundleFile(bundle: Bundle): string {
  return [...bundleLines(bundle)].join("");
}

/** The file piece by piece, an entry each, as often as it is gone through: two thousand are some 16 MiB, and take 20 ms. */
export function bundleLines(bundle: Bundle): Iterable<string> {
  return { [Symbol.iterator]: () => linesOf(bundle) };
}

function* linesOf(bundle: Bundle): Generator<string> {
  const { walk, log, subject, asOf, checkpoint, bounded, links, notFound, closure } = bundle;
  const format = walk === 1 ? { format: "writ-trace/1" } : { format: "writ-trace/2", walk };
  const head = { ...format, log, subject, as_of: asOf, log_checkpoint: checkpoint, bounded };
  yield `${JSON.stringify(head).slice(0, -1)},\n"entries":[`;
  let before = "\n";
  for (const entry of bundle.entries) {
    yield before + entryLine(entry);
    before = ",\n";
  }
  const word = walk === 1 ? "" : `,\n"closure":${closure === null ? "null" : `"${toBase64(closure)}"`}`;
  yield `\n],\n"links":${JSON.stringify(links)},\n"not_found":${JSON.stringify(notFound)}${word}}\n`;
}

function entryLine({ index, receivedAt, hashes, stored }: BundleEntry): string {
  const time = receivedAt === null ? "null" : `"${new Date(receivedAt).toISOString()}"`;
  const proof = hashes.length === 0 ? "" : `"${hashes.map(toBase64).join('","')}"`;
  return `{"index":${index},"received_at":${time},"hashes":[${proof}],"statement":"${toBase64(stored)}"}`;
}

/** BUNDLE_MALFORMED unless the bytes are of the documented shape and within its bounds. */
export function parseBundleFile(bytes: Uint8Array): Bundle {
  if (bytes.length > MAX_BUNDLE_BYTES) fail("", `at most ${MAX_BUNDLE_BYTES} bytes, got ${bytes.length}`);
  const value = parseJson(bytes, "BUNDLE_MALFORMED", 8);
  if (!isJsonObject(value)) fail("", "an object");
  const walk = Object.entries(FORMATS).find(([name]) => name === value["format"])?.[1];
  if (walk === undefined) fail("format", Object.keys(FORMATS).join(" or "));
  if (walk === 2 && value["walk"] !== walk)
    fail("walk", `${walk}: a bundle of a later walk wants a later version of writ`);
  const { closure } = value;
  const bounded = objectAt(value, "bounded");
  const entries = listAt(value, "entries");
  if (entries.length > MAX_ENTRIES) fail("entries", `at most ${MAX_ENTRIES}, got ${entries.length}`);
  const bundle: Bundle = {
    walk: walk ?? 1,
    log: textAt(value, "log"),
    subject: textAt(value, "subject"),
    asOf: numberAt(value, "as_of"),
    checkpoint: textAt(value, "log_checkpoint"),
    bounded: { nodes: bounded["nodes"] === true, depth: bounded["depth"] === true },
    entries: entries.map((entry, i) => entryOf(entry, `entries[${i}]`)),
    links: listAt(value, "links").map((link, i) => ({
      from: numberAt(link, "from", `links[${i}].`),
      member: textAt(link, "member", `links[${i}].`),
      to: numberAt(link, "to", `links[${i}].`),
    })),
    notFound: listAt(value, "not_found").map((link, i) => ({
      from: numberAt(link, "from", `not_found[${i}].`),
      member: textAt(link, "member", `not_found[${i}].`),
      value: textAt(link, "value", `not_found[${i}].`),
    })),
    closure:
      walk === 1 || closure === null || closure === undefined
        ? null
        : (parseBase64(textAt(value, "closure")) ?? fail("closure", "base64 or null")),
  };
  bundle.entries.forEach(({ index }, i) => {
    if (index <= (bundle.entries[i - 1]?.index ?? -1))
      fail(`entries[${i}].index`, "log order, each entry once");
    if (index >= bundle.asOf) fail(`entries[${i}].index`, `an index below as_of, ${bundle.asOf}`);
  });
  return bundle;
}

function entryOf(value: Json, path: string): BundleEntry {
  if (!isJsonObject(value)) fail(path, "an object");
  const received = value["received_at"];
  const receivedAt = received === null ? null : timeOf(received);
  if (receivedAt === undefined) fail(`${path}.received_at`, "a time or null");
  const hashes = listAt(value, "hashes", `${path}.`).map((hash) => {
    const parsed = typeof hash === "string" ? parseBase64Of(32, hash) : undefined;
    return asHash(parsed ?? fail(`${path}.hashes`, "hashes in base64"));
  });
  const stored = parseBase64(textAt(value, "statement", `${path}.`)) ?? fail(`${path}.statement`, "base64");
  return { index: numberAt(value, "index", `${path}.`), receivedAt, hashes, stored };
}

function textAt(value: Json, name: string, prefix = ""): string {
  const member = isJsonObject(value) ? value[name] : undefined;
  return typeof member === "string" ? member : fail(prefix + name, "text");
}

function numberAt(value: Json, name: string, prefix = ""): number {
  const member = isJsonObject(value) ? value[name] : undefined;
  return typeof member === "number" && Number.isSafeInteger(member) && member >= 0
    ? member
    : fail(prefix + name, "a whole number ≥ 0");
}

function listAt(value: JsonObject, name: string, prefix = ""): readonly Json[] {
  const member = value[name];
  return Array.isArray(member) ? (member as readonly Json[]) : fail(prefix + name, "a list");
}

function objectAt(value: JsonObject, name: string): JsonObject {
  const member = value[name];
  return isJsonObject(member) ? member : fail(name, "an object");
}

function fail(path: string, want: string): never {
  throw new WritError("BUNDLE_MALFORMED", `trace bundle${path && `, ${path}`}: want ${want}`, { path });
}

/** The bytes of a bundle. */
export function bundleBytes(bundle: Bundle): Uint8Array {
  return utf8(formatBundleFile(bundle));
}
