/**
 * Batches, taken apart: NDJSON of DSSE envelopes, or a CBOR sequence (RFC 8742) of COSE statements. Only the borders are
 * found here; each statement is parsed strictly on its own, so a bad one never spoils the others.
 */
import { WritError } from "../src/errors.js";
import { itemEnd } from "../src/statement/well-formed.js";
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
    const end = itemEnd(body, start) ?? body.length;
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
