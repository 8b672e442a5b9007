/**
 * What a witness is asked (c2sp.org/tlog-witness): a head line, the hashes of a proof one a line, an empty line, and a
 * checkpoint. Bytes ⇄ values, nothing is verified.
 *
 *     old 20852014                                      subtree 8 13
 *     PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=      mbsQCg+dEIMGlpqeGgk94JutQwKKS2Lo5IuDhKmDjiU=
 *     …                                                 CD82D2LDm0phY0+xKbHyZfq3Hw21lVkuV7Zis5EFg0k=
 *                                                       …
 *     example.com/behind-the-sofa
 *     20852163                                          example.com/behind-the-sofa
 *     …                                                 …
 */
import { sha256 } from "#crypto";
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { parseBase64Of, toBase64 } from "./base64.js";
import { concat, fromUtf8, parseDecimal, toHex, utf8 } from "./bytes.js";

/** What a witness calls a log by when it is asked what it holds ("monitor retrieval"): SHA-256 of its origin, in hex. */
export function originHash(origin: string): string {
  return toHex(sha256(utf8(origin)));
}

/** Where a witness at this URL has what it holds of a log. */
export function heldCheckpointUrl(url: string, origin: string): string {
  return `${url.replace(/\/+$/, "")}/${originHash(origin)}/checkpoint`;
}

/** The body of `add-checkpoint`. */
export interface AddCheckpoint {
  /** The size that the witness is believed to hold. */
  readonly oldSize: number;
  /** At most 63. */
  readonly hashes: readonly Hash[];
  /** The signed note, verbatim and not parsed. */
  readonly checkpoint: Uint8Array;
}

/** The body of `sign-subtree`. */
export interface SignSubtree {
  readonly start: number;
  readonly end: number;
  readonly hash: Hash;
  readonly hashes: readonly Hash[];
  readonly checkpoint: Uint8Array;
}

/** "The client MUST NOT send more than 63 consistency proof lines." */
export const MAX_PROOF_LINES = 63;

/** The media type of a size: the body of a 409. */
export const SIZE_MEDIA_TYPE = "text/x.tlog.size";

/** WritError REQUEST_MALFORMED unless `formatAddCheckpoint` would write exactly these bytes. */
export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  const { head, lines, checkpoint } = split(bytes);
  const [keyword, size, ...more] = head.split(" ");
  const oldSize = size === undefined ? undefined : parseDecimal(size);
  if (keyword !== "old" || oldSize === undefined || more.length > 0)
    fail("the first line is not `old <size>`");
  return { oldSize, hashes: proofOf(lines), checkpoint };
}

export function formatAddCheckpoint({ oldSize, hashes, checkpoint }: AddCheckpoint): Uint8Array {
  return joined([`old ${oldSize}`, ...hashes.map(toBase64)], checkpoint);
}

/** WritError REQUEST_MALFORMED unless `formatSignSubtree` would write exactly these bytes. */
export function parseSignSubtree(bytes: Uint8Array): SignSubtree {
  const { head, lines, checkpoint } = split(bytes);
  const [keyword, from, to, ...more] = head.split(" ");
  const start = from === undefined ? undefined : parseDecimal(from);
  const end = to === undefined ? undefined : parseDecimal(to);
  if (keyword !== "subtree" || start === undefined || end === undefined || more.length > 0)
    fail("the first line is not `subtree <start> <end>`");
  const [hash, ...hashes] = lines;
  if (hash === undefined) fail("no line with the hash of the subtree");
  return { start, end, hash: hashOf(hash), hashes: proofOf(hashes), checkpoint };
}

export function formatSignSubtree({ start, end, hash, hashes, checkpoint }: SignSubtree): Uint8Array {
  return joined([`subtree ${start} ${end}`, ...[hash, ...hashes].map(toBase64)], checkpoint);
}

/** The size in the body of a 409, or undefined when it is none. */
export function parseSizeBody(bytes: Uint8Array): number | undefined {
  const text = fromUtf8(bytes);
  return text?.endsWith("\n") ? parseDecimal(text.slice(0, -1)) : undefined;
}

function split(bytes: Uint8Array): { head: string; lines: string[]; checkpoint: Uint8Array } {
  const text = fromUtf8(bytes);
  if (text === undefined) fail("not valid UTF-8");
  const gap = text.indexOf("\n\n");
  if (gap < 0) fail("no empty line before the checkpoint");
  const [head = "", ...lines] = text.slice(0, gap).split("\n");
  return { head, lines, checkpoint: utf8(text.slice(gap + 2)) };
}

function joined(lines: readonly string[], checkpoint: Uint8Array): Uint8Array {
  return concat(utf8(`${lines.join("\n")}\n\n`), checkpoint);
}

function proofOf(lines: readonly string[]): Hash[] {
  if (lines.length > MAX_PROOF_LINES) fail(`at most ${MAX_PROOF_LINES} proof lines, got ${lines.length}`);
  return lines.map(hashOf);
}

function hashOf(line: string): Hash {
  return asHash(parseBase64Of(32, line) ?? fail("a hash is not canonical base64 of 32 bytes"));
}

function fail(why: string): never {
  throw new WritError("REQUEST_MALFORMED", `witness request: ${why}`);
}
