/**
 * Checkpoints (c2sp.org/tlog-checkpoint): the text a log signs. We write no extension lines; when a checkpoint of
 * somebody else has them, they are kept, because they are part of what was signed.
 *
 *     log.example.org/agents
 *     20852163
 *     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 */
import { asHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { parseBase64Of, toBase64 } from "./base64.js";
import { parseDecimal, utf8 } from "./bytes.js";

export interface Checkpoint {
  /** Not empty, at most 255 bytes: also the name of the log's key. */
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** Opaque, none of them empty. */
  readonly extensions: readonly string[];
}

export const MAX_ORIGIN_BYTES = 255;

/** The checkpoint in a note's text. WritError CHECKPOINT_MALFORMED unless `formatCheckpoint` gives the same text. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split("\n");
  if (lines.pop() !== "") fail("does not end in a newline");
  const [origin, sizeText, rootText, ...extensions] = lines;
  if (origin === undefined || sizeText === undefined || rootText === undefined)
    fail("want at least three lines");
  if (origin === "" || utf8(origin).length > MAX_ORIGIN_BYTES)
    fail(`the origin has 1 to ${MAX_ORIGIN_BYTES} bytes`);
  const size = parseDecimal(sizeText);
  if (size === undefined)
    fail(`the size is not a decimal below 2^53: ${JSON.stringify(sizeText.slice(0, 40))}`);
  const root = parseBase64Of(32, rootText);
  if (root === undefined) fail("the root is not canonical base64 of 32 bytes");
  if (extensions.includes("")) fail("an extension line is empty");
  return { origin, size, root: asHash(root), extensions };
}

export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  return `${[origin, size, toBase64(root), ...extensions].join("\n")}\n`;
}

function fail(why: string): never {
  throw new WritError("CHECKPOINT_MALFORMED", `checkpoint: ${why}`);
}
