/** Impact: everything that relied on something, nearest first, given as it is found, in bounded memory. */
import type { Term } from "../../index/terms.js";
import type { LinkMember } from "../../record/links.js";
import { type Reliance, reliancesOn, reliancesOnName, relies } from "../../trace/dependants.js";
import type { TraceEntry } from "../../trace/entry.js";
import { type Library, readEntries } from "./bundle.js";

export interface Dependant {
  readonly entry: TraceEntry;
  /** How it relies on the one before it. */
  readonly via: string;
  /** How many steps it is away from what was asked about. */
  readonly depth: number;
  /** Indexes from what was asked about (where that is an entry) down to this one; of a long way, the last part. */
  readonly path: readonly number[];
}

export interface ImpactEnd {
  /** Everything below this size was considered. */
  readonly completeTo: number;
  readonly count: number;
  /** Was there more than is followed? */
  readonly truncated: boolean;
}

/** How many dependants one answer follows, and how much of the way to each is shown. */
const MAX_DEPENDANTS = 100_000;
const MAX_PATH = 32;
const PAGE = 200;

/** The index of what was asked about, where it is no entry. */
const NOWHERE = -1;

/**
 * From the entries that carry a record, or from a bare name when there are none. Yields dependants breadth first, and at
 * the end how complete that was.
 */
export function impactOf(
  library: Library,
  size: number,
  name: string,
  indexes: readonly number[],
): AsyncGenerator<Dependant, ImpactEnd> {
  return new Impact(library, size, indexes).run(name);
}

class Impact {
  /** Each entry met, with the one that it relies on and how far away it is. */
  private readonly trail = new Map<number, { readonly from: number; readonly depth: number }>();
  private found: number[] = [];
  private count = 0;

  constructor(
    private readonly library: Library,
    private readonly size: number,
    private readonly indexes: readonly number[],
  ) {
    for (const index of indexes) this.trail.set(index, { from: NOWHERE, depth: 0 });
  }

  async *run(name: string): AsyncGenerator<Dependant, ImpactEnd> {
    const onName = reliancesOnName(name);
    // A record's hash may be named as evidence as well.
    yield* this.relying(
      NOWHERE,
      this.indexes.length === 0 ? onName : onName.filter(({ via }) => via === "evidence"),
    );
    let level = [...this.indexes, ...this.found];
    while (level.length > 0 && !this.isFull) {
      this.found = [];
      for (let at = 0; at < level.length && !this.isFull; at += PAGE)
        for (const entry of await readEntries(this.library, level.slice(at, at + PAGE)))
          yield* this.relying(entry.index, reliancesOn(entry));
      level = this.found;
    }
    return { completeTo: this.size, count: this.count, truncated: this.isFull };
  }

  private get isFull(): boolean {
    return this.count >= MAX_DEPENDANTS;
  }

  /** What relies on the entry `from` and was not met before. */
  private async *relying(from: number, reliances: readonly Reliance[]): AsyncGenerator<Dependant> {
    const depth = (this.trail.get(from)?.depth ?? 0) + 1;
    const groups = new Map<string, ReadonlyMap<LinkMember, number[]> | null>();
    for (const { term, via, laterOnly } of reliances) {
      const { value, member } = term;
      if (member !== undefined && !groups.has(value))
        groups.set(value, await this.library.postings.linksTo(value, this.size));
      // Few links to one record were read at once, whatever the members; many are read a page at a time.
      const few = member === undefined ? null : groups.get(value);
      const found = few
        ? this.read(few.get(member as LinkMember) ?? [])
        : this.having(term, laterOnly ? from + 1 : 0);
      for await (const entry of found) {
        if (this.isFull) return;
        if (!relies(entry, via) || (laterOnly && entry.index <= from)) continue;
        this.trail.set(entry.index, { from, depth });
        this.found.push(entry.index);
        this.count++;
        yield { entry, via, depth, path: this.pathTo(entry.index) };
      }
    }
  }

  /** The entries that have the term and were not met before, a page at a time. */
  private async *having(term: Term, start: number): AsyncGenerator<TraceEntry> {
    const list = this.library.postings.term(term);
    for (let next = start; next < this.size; ) {
      const page = await list({ from: next, to: this.size, limit: PAGE });
      yield* this.read(page);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      next = last + 1;
    }
  }

  private async *read(indexes: readonly number[]): AsyncGenerator<TraceEntry> {
    const fresh = indexes.filter((index) => !this.trail.has(index));
    if (fresh.length > 0) yield* await readEntries(this.library, fresh);
  }

  private pathTo(index: number): number[] {
    const path: number[] = [];
    for (let at = index; at !== NOWHERE && path.length < MAX_PATH; at = this.trail.get(at)?.from ?? NOWHERE)
      path.unshift(at);
    return path;
  }
}
