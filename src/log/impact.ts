/** Impact: everything that relied on something, nearest first, given as it is found, in bounded memory. */
import type { Store } from "../store/contract.js";
import { type Reliance, reliancesOn, reliancesOnName, relies } from "../trace/dependants.js";
import type { TraceEntry } from "../trace/entry.js";
import type { Postings } from "./postings.js";
import { readEntries } from "./trace.js";

export interface Dependant {
  readonly entry: TraceEntry;
  /** How it relies on the one before it. */
  readonly via: string;
  /** Indexes from the first that relied on it down to this one. */
  readonly path: readonly number[];
}

export interface ImpactEnd {
  /** Everything below this size was considered. */
  readonly completeTo: number;
  readonly count: number;
  /** Was there more than is followed? */
  readonly truncated: boolean;
}

/** How many dependants one answer follows. */
const MAX_DEPENDANTS = 100_000;
const PAGE = 200;

/** How each dependant was come by: the one it relies on, or -1 for what was asked about. */
type Trail = Map<number, number>;

/**
 * From the entries that carry a record, or from a bare name when there are none. Yields dependants breadth first, and at
 * the end how complete that was.
 */
export async function* impactOf(
  store: Store,
  postings: Postings,
  size: number,
  name: string,
  indexes: readonly number[],
): AsyncGenerator<Dependant, ImpactEnd> {
  const trail: Trail = new Map(indexes.map((index) => [index, -1]));
  let count = 0;
  let level = [...indexes];
  const named = level.length === 0 ? reliancesOnName(name) : valueReliances(name);
  const found: number[] = [];
  const yields = async function* (from: number, reliances: readonly Reliance[]): AsyncGenerator<Dependant> {
    for (const reliance of reliances) {
      for await (const entry of dependants(store, postings, size, from, reliance, trail)) {
        if (trail.size >= MAX_DEPENDANTS) return;
        trail.set(entry.index, from);
        found.push(entry.index);
        yield { entry, via: reliance.via, path: pathTo(entry.index, trail) };
      }
    }
  };
  for await (const one of yields(-1, named)) {
    count++;
    yield one;
  }
  level.push(...found.splice(0));
  while (level.length > 0 && trail.size < MAX_DEPENDANTS) {
    for (let at = 0; at < level.length; at += PAGE) {
      for (const entry of await readEntries(store, postings, level.slice(at, at + PAGE))) {
        for await (const one of yields(entry.index, reliancesOn(entry))) {
          count++;
          yield one;
        }
      }
    }
    level = found.splice(0);
  }
  return { completeTo: size, count, truncated: trail.size >= MAX_DEPENDANTS };
}

/** A record's hash may be named as evidence as well. */
function valueReliances(name: string): Reliance[] {
  return name.startsWith("sha256:") ? reliancesOnName(name).filter(({ via }) => via === "evidence") : [];
}

/** What has the term and was not met before, a page at a time. */
async function* dependants(
  store: Store,
  postings: Postings,
  size: number,
  from: number,
  { term, via, laterOnly }: Reliance,
  trail: Trail,
): AsyncGenerator<TraceEntry> {
  const list = postings.term(term);
  for (let next = laterOnly ? from + 1 : 0; next < size; ) {
    const page = await list({ from: next, to: size, limit: PAGE });
    const fresh = page.filter((index) => !trail.has(index) && index !== from);
    for (const entry of fresh.length === 0 ? [] : await readEntries(store, postings, fresh))
      if (relies(entry, via)) yield entry;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    next = last + 1;
  }
}

function pathTo(index: number, trail: Trail): number[] {
  const path = [index];
  for (let at = trail.get(index) ?? -1; at >= 0; at = trail.get(at) ?? -1) path.unshift(at);
  return path;
}
