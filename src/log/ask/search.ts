/**
 * Searching: the entries that have every term asked for, in log order either way, a page at a time. Postings are read in
 * stretches and leap past one another, so that a rare term makes a common one cheap; one request does a bounded amount of
 * that and hands back a cursor.
 */
import type { Term } from "../../index/terms.js";
import type { Cost } from "./budget.js";
import type { Posting, Postings } from "./postings.js";

export interface SearchQuery {
  readonly terms: readonly Term[];
  /** Of each list, one term at least. */
  readonly either?: readonly (readonly Term[])[];
  /** A record id: in whichever member. */
  readonly linked?: string;
  /** Indexes [from, to). */
  readonly from?: number;
  readonly to?: number;
  /** The log's clock, milliseconds since 1970: taken in at `since` or later, before `until`. */
  readonly since?: number;
  readonly until?: number;
  readonly order: "asc" | "desc";
  readonly limit: number;
  readonly cursor?: Cursor;
}

export interface Cursor {
  /** Ascending: the first index not yet looked at; descending: the one above it. */
  readonly at: number;
  /** The size of the log when the search began. */
  readonly size: number;
}

export interface SearchPage {
  readonly indexes: readonly number[];
  /** Every match below this size has been, or will be, given. */
  readonly completeTo: number;
  readonly next: Cursor | null;
}

/** Postings read at a time, and how many times, for one page. */
const STRETCH = 256;
const MAX_STRETCHES = 64;

export async function search(
  postings: Postings,
  size: number,
  query: SearchQuery,
  cost: Cost,
): Promise<SearchPage> {
  const { order, limit, cursor } = query;
  const reverse = order === "desc";
  // Upwards the end is open; downwards, what was logged since the search began lies behind it.
  // The cursor is the asker's word: it may say less than is published, never more.
  const completeTo = reverse ? Math.min(cursor?.size ?? size, size) : size;
  const [first, last] = await boundsOf(postings, completeTo, query);
  let [from, to] = reverse
    ? [first, Math.min(last, cursor?.at ?? last)]
    : [Math.max(first, cursor?.at ?? first), last];
  const lists = query.terms.map((term) => postings.term(term));
  for (const terms of query.either ?? []) lists.push(postings.either(terms));
  if (query.linked !== undefined) lists.push(postings.linked(query.linked));
  const found: number[] = [];
  for (let stretch = 0; from < to && found.length < limit && stretch < MAX_STRETCHES; stretch++) {
    await cost.turn();
    const { matches, done } = await intersect(lists, from, to, reverse);
    const taken = matches.slice(0, limit - found.length);
    found.push(...taken);
    // Cut in the middle of a stretch, the next page begins behind the last match given.
    const edge = taken.length < matches.length ? after(taken.at(-1) ?? done, reverse) : done;
    if (reverse) to = edge;
    else from = edge;
  }
  const next = from < to ? { at: reverse ? to : from, size: completeTo } : null;
  return { indexes: found, completeTo, next };
}

async function boundsOf(postings: Postings, size: number, query: SearchQuery): Promise<[number, number]> {
  const since = query.since === undefined ? 0 : await postings.firstSince(query.since, size);
  const until = query.until === undefined ? size : await postings.firstSince(query.until, size);
  return [Math.max(query.from ?? 0, since), Math.min(query.to ?? size, size, until)];
}

/**
 * The indexes that all lists have in common, from one end of [from, to) as far as what was read reaches; `done`: how far
 * that is. No list at all means every index.
 */
async function intersect(
  lists: readonly Posting[],
  from: number,
  to: number,
  reverse: boolean,
): Promise<{ matches: number[]; done: number }> {
  if (lists.length === 0) return everyIndex(from, to, reverse);
  const end = reverse ? from : to;
  const read = await Promise.all(lists.map((list) => list({ from, to, reverse, limit: STRETCH })));
  if (read.some((indexes) => indexes.length === 0)) return { matches: [], done: end };
  // As far as every list was read: one that was read to its end reaches to the end.
  const reaches = read.map((indexes) =>
    indexes.length < STRETCH ? end : after(indexes.at(-1) ?? end, reverse),
  );
  const reach = reverse ? Math.max(...reaches) : Math.min(...reaches);
  // Nothing can match before the list that begins last.
  const firsts = read.map(([index = 0]) => index);
  const start = reverse ? Math.min(...firsts) + 1 : Math.max(...firsts);
  const [shortest = [], ...others] = read.toSorted((a, b) => a.length - b.length);
  const sets = others.map((indexes) => new Set(indexes));
  const matches = shortest.filter(
    (index) => (reverse ? index >= reach : index < reach) && sets.every((set) => set.has(index)),
  );
  const done = reverse ? Math.min(reach, start) : Math.max(reach, start);
  return { matches, done };
}

function everyIndex(from: number, to: number, reverse: boolean): { matches: number[]; done: number } {
  const count = Math.min(STRETCH, to - from);
  return {
    matches: Array.from({ length: count }, (_, i) => (reverse ? to - 1 - i : from + i)),
    done: reverse ? to - count : from + count,
  };
}

/** The bound that leaves this index behind. */
function after(index: number, reverse: boolean): number {
  return reverse ? index : index + 1;
}
