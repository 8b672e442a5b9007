/**
 * The closure statement: the log's word that a trace is all there is, and when each entry of it came in. A DSSE by the log's
 * own key, or by one that the log's key registered for the role `closure`, over
 *
 *     {"v": 1, "walk": 2, "subject": "sha256:…", "as_of": 4711, "root": "…", "entries": [[17, "2026-05-01T12:00:00.000Z"]],
 *      "strangers": {"indexes": [], "more": false}, "bounded": {"nodes": false, "depth": false}}
 *
 * It says how things were at `as_of`. An entry cut out or a time edited by whoever holds the file breaks it; what the log
 * withheld is a signed lie.
 */
import { sameBytes } from "../format/bytes.js";
import { parseBase64, toBase64 } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import type { KeyTable } from "../index/keys.js";
import { timeOf } from "../record/time.js";
import { parseDsse } from "../statement/dsse.js";
import { isJsonObject, type Json, parseJson } from "../statement/json.js";
import { type PublicKey, verifierOf } from "../statement/key.js";
import { type Signer, signDsse } from "../statement/sign.js";
import { WritError } from "../errors.js";
import type { Bounded, Strangers } from "./walk/walk.js";

export const CLOSURE_MEDIA_TYPE = "application/vnd.writ.closure+json";
const CLOSURE_ROLE = "closure";

export interface Closure {
  readonly walk: number;
  readonly subject: string;
  readonly asOf: number;
  /** The root of the checkpoint that the trace stands under: 32 bytes. */
  readonly root: Uint8Array;
  /** In log order; times in milliseconds since 1970. */
  readonly entries: readonly { readonly index: number; readonly receivedAt: number }[];
  readonly strangers: Strangers;
  /** Was anything left out because the trace is larger or deeper than is followed? Then this is not all. */
  readonly bounded: Bounded;
}

export function signClosure(closure: Closure, signer: Signer): Uint8Array {
  const { walk, subject, asOf, root, entries, strangers, bounded } = closure;
  const payload = {
    v: 1,
    walk,
    subject,
    as_of: asOf,
    root: toBase64(root),
    entries: entries.map(({ index, receivedAt }) => [index, new Date(receivedAt).toISOString()]),
    strangers,
    bounded,
  };
  return signDsse(CLOSURE_MEDIA_TYPE, utf8(JSON.stringify(payload)), signer);
}

/** The id of the key that signed it, as it claims; undefined for what is no such envelope. */
export function closureSigner(statement: Uint8Array): string | undefined {
  try {
    return parseDsse(statement).signatures[0]?.keyId;
  } catch (error) {
    if (error instanceof WritError) return undefined;
    throw error;
  }
}

/** What the log's key, or one that it registered for this, has signed. WritError or a sentence for what is no such thing. */
export function openClosure(
  statement: Uint8Array,
  logKey: PublicKey,
  keys: KeyTable,
  asOf: number,
): Closure | string {
  const { contentType, payload, signatures, signedBytes } = parseDsse(statement);
  if (contentType !== CLOSURE_MEDIA_TYPE) return `it is of the type ${contentType}`;
  const [signature] = signatures;
  if (signature === undefined || signatures.length !== 1) return "want one signature";
  const key = signature.keyId === logKey.keyId ? logKey : closureKey(signature.keyId, logKey, keys, asOf);
  if (key === undefined)
    return "it is signed neither by the log's key nor by one that it registered for this";
  if (!verifierOf(key)(signature.signature, signedBytes)) return "its signature does not verify";
  return readClosure(payload) ?? "it is not of its form";
}

function closureKey(keyId: string, logKey: PublicKey, keys: KeyTable, asOf: number): PublicKey | undefined {
  const fits = keys
    .registrations(keyId, { index: asOf, asOf })
    .some(({ roles, signers }) => roles.includes(CLOSURE_ROLE) && signers.includes(logKey.keyId));
  return fits ? keys.known(keyId)?.key : undefined;
}

function readClosure(payload: Uint8Array): Closure | undefined {
  const value = parseJson(payload, "BUNDLE_MALFORMED", 6);
  if (!isJsonObject(value) || value["v"] !== 1) return undefined;
  const { walk, subject, as_of: asOf, root, entries, strangers, bounded } = value;
  const rootBytes = typeof root === "string" ? parseBase64(root) : undefined;
  if (typeof walk !== "number" || typeof subject !== "string" || typeof asOf !== "number") return undefined;
  if (rootBytes === undefined || !isList(entries)) return undefined;
  if (!isJsonObject(strangers) || !isJsonObject(bounded)) return undefined;
  const read = entries.map((pair) => {
    const [index, time] = isList(pair) ? pair : [];
    const receivedAt = timeOf(time);
    return typeof index === "number" && receivedAt !== undefined ? { index, receivedAt } : undefined;
  });
  const { indexes, more } = strangers;
  const { nodes, depth } = bounded;
  if (typeof nodes !== "boolean" || typeof depth !== "boolean") return undefined;
  if (read.includes(undefined) || !isList(indexes) || typeof more !== "boolean") return undefined;
  return {
    walk,
    subject,
    asOf,
    root: rootBytes,
    entries: read.filter((one) => one !== undefined),
    strangers: { indexes: indexes.filter((index) => typeof index === "number"), more },
    bounded: { nodes, depth },
  };
}

/** In what a statement is not about this trace, as a sentence; null when it is about exactly this. */
export function closureComplaint(closure: Closure, trace: Omit<Closure, "strangers">): string | null {
  if (closure.subject !== trace.subject) return `it is about ${closure.subject}`;
  if (closure.walk !== trace.walk) return `it is of walk ${closure.walk}, the file of walk ${trace.walk}`;
  if (closure.asOf !== trace.asOf) return `it is as of ${closure.asOf}, the file as of ${trace.asOf}`;
  if (closure.bounded.nodes !== trace.bounded.nodes || closure.bounded.depth !== trace.bounded.depth)
    return "it says otherwise than the file whether anything was left out";
  if (!sameBytes(closure.root, trace.root)) return "it is under another root than the checkpoint's";
  const named = new Map(closure.entries.map(({ index, receivedAt }) => [index, receivedAt]));
  for (const { index, receivedAt } of trace.entries) {
    const time = named.get(index);
    if (time === undefined) return `entry ${index} is in the file and not in it`;
    if (time !== receivedAt) return `it gives entry ${index} another time than the file`;
    named.delete(index);
  }
  const [cut] = named.keys();
  return cut === undefined ? null : `it names entry ${cut}, which is not in the file`;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
