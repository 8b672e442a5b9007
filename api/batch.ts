/**
 * Batches, taken apart: NDJSON of DSSE envelopes, or a CBOR sequence (RFC 8742) of COSE statements. Only the borders are
 * found here; each statement is parsed strictly on its own, so a bad one never spoils the others.
 */
import { WritError } from "../src/errors.js";
import type { Form } from "../src/statement/statement.js";

export interface BatchItem {
  readonly bytes: Uint8Array;
  readonly form: Form;
}

/** Takes a body apart. BATCH_TOO_LONG as soon as there is one item too many: the rest is not even looked at. */
export type Splitter = (body: Uint8Array, most: number) => BatchItem[];

const NEWLINE = 0x0a;

/** The lines that are not blank. */
export const splitLines: Splitter = (body, most) => {
  const items: BatchItem[] = [];
  for (let start = 0; start < body.length; ) {
    const begin = skipBlank(body, start);
    const found = body.indexOf(NEWLINE, begin);
    const end = found < 0 ? body.length : found;
    if (begin < end) add(items, { bytes: body.subarray(begin, end), form: "dsse" }, most);
    start = end + 1;
  }
  return items;
};

/** Of a raw log: each line as it was sent, without its line feed; empty ones are none. */
export const splitRawLines: Splitter = (body, most) => {
  const items: BatchItem[] = [];
  for (let start = 0; start < body.length; ) {
    const found = body.indexOf(NEWLINE, start);
    const end = found < 0 ? body.length : found;
    if (start < end) add(items, { bytes: body.subarray(start, end), form: "dsse" }, most);
    start = end + 1;
  }
  return items;
};

/** The first byte from `at` on that is not white space, line ends included. */
function skipBlank(body: Uint8Array, at: number): number {
  while (
    at < body.length &&
    (body[at] === 0x20 || body[at] === NEWLINE || body[at] === 0x0d || body[at] === 0x09)
  )
    at++;
  return at;
}

/** The data items of a CBOR sequence. What follows the last whole item is one more, bad, item. */
export const splitSequence: Splitter = (body, most) => {
  const items: BatchItem[] = [];
  for (let start = 0; start < body.length; ) {
    const end = itemEnd(body, start, 0) ?? body.length;
    add(items, { bytes: body.subarray(start, end), form: "cose" }, most);
    start = end;
  }
  return items;
};

function add(items: BatchItem[], item: BatchItem, most: number): void {
  if (items.length === most)
    throw new WritError("BATCH_TOO_LONG", `a batch has at most ${most} statements, got more`);
  items.push(item);
}

const MAX_DEPTH = 32;
const BREAK = 0xff;

/**
 * Where the item at `start` ends, by well-formedness alone (RFC 8949 appendix C): long forms and indefinite lengths are
 * walked over, to be refused later one by one. Undefined when the bytes end first or are not CBOR.
 */
function itemEnd(bytes: Uint8Array, start: number, depth: number): number | undefined {
  const initial = bytes[start];
  if (initial === undefined || depth > MAX_DEPTH) return undefined;
  const major = Math.floor(initial / 32);
  const info = initial % 32;
  if (info > 27 && info < 31) return undefined;
  const width = info < 24 || info === 31 ? 0 : 2 ** (info - 24);
  const content = start + 1 + width;
  if (content > bytes.length) return undefined;
  if (major === 7) return info === 31 ? undefined : content;
  if (major < 2) return info === 31 ? undefined : content;
  if (info === 31) return major === 6 ? undefined : itemsUntilBreak(bytes, content, depth);
  const argument =
    width === 0 ? info : bytes.subarray(start + 1, content).reduce((sum, byte) => sum * 256 + byte, 0);
  if (major < 4) return content + argument <= bytes.length ? content + argument : undefined;
  const children = major === 4 ? argument : major === 5 ? 2 * argument : 1;
  let at: number | undefined = content;
  for (let i = 0; i < children && at !== undefined; i++) at = itemEnd(bytes, at, depth + 1);
  return at;
}

function itemsUntilBreak(bytes: Uint8Array, start: number, depth: number): number | undefined {
  let at: number | undefined = start;
  while (at !== undefined && bytes[at] !== BREAK) at = itemEnd(bytes, at, depth + 1);
  return at === undefined ? undefined : at + 1;
}
