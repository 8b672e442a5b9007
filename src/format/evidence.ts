/**
 * Proof that a log has two histories, in one file that anyone can check (`src/verify/evidence`). Two checkpoints that the
 * log has signed: of one size with two roots; or of two sizes, with a consistency proof from the newer one which shows that
 * the tree of the older size has another root in it than the log said then.
 *
 *     {"format": "writ-evidence/1", "kind": "fork", "older": "<signed note>", "newer": "<signed note>",
 *      "prefix_root": null or "<base64>", "hashes": ["<base64>", …]}
 */
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { parseBase64Of, toBase64 } from "./base64.js";
import { fromUtf8, utf8 } from "./bytes.js";
import { MAX_NOTE_BYTES } from "./note.js";

export interface Evidence {
  readonly kind: "fork";
  /** Signed notes. */
  readonly older: Uint8Array;
  readonly newer: Uint8Array;
  /** The root that the older size has in the newer tree; null when the sizes are equal. */
  readonly prefixRoot: Hash | null;
  /** The proof that it has. */
  readonly hashes: readonly Hash[];
}

const FORMAT = "writ-evidence/1";
const MAX_HASHES = 128;
/** Two notes, each character of which may be written as two. */
const MAX_EVIDENCE_BYTES = 8 * MAX_NOTE_BYTES;

/** Two notes of one size. */
export function forkEvidence(older: Uint8Array, newer: Uint8Array): Evidence {
  return { kind: "fork", older, newer, prefixRoot: null, hashes: [] };
}

export function formatEvidence({ kind, older, newer, prefixRoot, hashes }: Evidence): Uint8Array {
  const value = {
    format: FORMAT,
    kind,
    older: fromUtf8(older),
    newer: fromUtf8(newer),
    prefix_root: prefixRoot === null ? null : toBase64(prefixRoot),
    hashes: hashes.map(toBase64),
  };
  return utf8(`${JSON.stringify(value, null, 2)}\n`);
}

/** Does a file say that it is evidence? */
export function looksLikeEvidence(bytes: Uint8Array): boolean {
  return bytes.length <= MAX_EVIDENCE_BYTES && objectIn(bytes)?.["format"] === FORMAT;
}

/** WritError EVIDENCE_MALFORMED. Nothing in it is verified. */
export function parseEvidence(bytes: Uint8Array): Evidence {
  const value = bytes.length > MAX_EVIDENCE_BYTES ? undefined : objectIn(bytes);
  if (value?.["format"] !== FORMAT) fail(`want an object with the format ${FORMAT}`);
  if (value["kind"] !== "fork") fail(`want the kind fork, got ${JSON.stringify(value["kind"])}`);
  const { hashes, prefix_root: prefix } = value;
  if (!Array.isArray(hashes) || hashes.length > MAX_HASHES)
    fail(`hashes: want a list of at most ${MAX_HASHES}`);
  return {
    kind: "fork",
    older: noteOf(value["older"], "older"),
    newer: noteOf(value["newer"], "newer"),
    prefixRoot: prefix === null ? null : hashOf(prefix, "prefix_root"),
    hashes: hashes.map((hash) => hashOf(hash, "hashes")),
  };
}

function objectIn(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes) ?? "");
    return typeof value === "object" && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

function noteOf(value: unknown, name: string): Uint8Array {
  return typeof value === "string" ? utf8(value) : fail(`${name}: want a signed note`);
}

function hashOf(value: unknown, name: string): Hash {
  const bytes = typeof value === "string" ? parseBase64Of(32, value) : undefined;
  return bytes === undefined ? fail(`${name}: want base64 of 32 bytes`) : asHash(bytes);
}

function fail(why: string): never {
  throw new WritError("EVIDENCE_MALFORMED", `evidence: ${why}`);
}
