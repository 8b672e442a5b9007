/**
 * Proof files (c2sp.org/tlog-proof), extension `.tlog-proof`. What is in one is not believed: `writ/verify` checks it
 * against an entry that the verifier holds.
 *
 *     c2sp.org/tlog-proof@v1
 *     index 73894
 *     gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
 *
 *     log.example.org/agents
 *     …
 */
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { parseBase64, parseBase64Of, toBase64 } from "./base64.js";
import { concat, fromUtf8, parseDecimal, utf8 } from "./bytes.js";
import { MAX_NOTE_BYTES } from "./note.js";

export interface TlogProof {
  /** Opaque and never trusted; null when the line is absent. */
  readonly extra: Uint8Array | null;
  readonly index: number;
  /** Leaf to root, at most 63. */
  readonly hashes: readonly Hash[];
  /** The signed note, verbatim. */
  readonly checkpoint: Uint8Array;
}

const MAGIC = "c2sp.org/tlog-proof@v1";
const MAX_HASHES = 63;
const MAX_PROOF_BYTES = MAX_NOTE_BYTES + 65_536;

/** WritError PROOF_MALFORMED unless `formatTlogProof` would write exactly these bytes. The checkpoint is not parsed. */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > MAX_PROOF_BYTES) fail(`at most ${MAX_PROOF_BYTES} bytes, got ${bytes.length}`);
  const text = fromUtf8(bytes);
  if (text === undefined) fail("not valid UTF-8");
  const split = text.indexOf("\n\n");
  if (split < 0) fail("no empty line before the checkpoint");
  const lines = text.slice(0, split).split("\n");
  if (lines.shift() !== MAGIC) fail(`the first line is not ${MAGIC}`);
  const extra = lines[0]?.startsWith("extra ") ? parseExtra(lines.shift() ?? "") : null;
  const index = parseIndex(lines.shift());
  if (lines.length > MAX_HASHES) fail(`at most ${MAX_HASHES} hashes, got ${lines.length}`);
  const checkpoint = utf8(text.slice(split + 2));
  if (checkpoint.length === 0) fail("no checkpoint");
  return { extra, index, hashes: lines.map(parseHash), checkpoint };
}

export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): Uint8Array {
  const extraLine = extra === null ? "" : `extra ${toBase64(extra)}\n`;
  let hashLines = "";
  for (const hash of hashes) hashLines += `${toBase64(hash)}\n`;
  return concat(utf8(`${MAGIC}\n${extraLine}index ${index}\n${hashLines}\n`), checkpoint);
}

function parseExtra(line: string): Uint8Array {
  return parseBase64(line.slice("extra ".length)) ?? fail("extra is not canonical base64");
}

function parseIndex(line: string | undefined): number {
  const index = line?.startsWith("index ") ? parseDecimal(line.slice("index ".length)) : undefined;
  return index ?? fail("no line `index <decimal>`");
}

function parseHash(line: string): Hash {
  return asHash(parseBase64Of(32, line) ?? fail("a hash is not canonical base64 of 32 bytes"));
}

function fail(why: string): never {
  throw new WritError("PROOF_MALFORMED", `tlog-proof: ${why}`);
}
