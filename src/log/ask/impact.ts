/**
 * Impact: everything that relied on something, nearest first, given as it is found. Costs at worst the trail of 100,000
 * dependants (12 MiB, charged as it grows) and a page of entries at a time.
 */
import type { Term } from "../../index/terms.js";
import type { LinkMember } from "../../record/links.js";
import { type Reliance, reliancesOn, reliancesOnName, relies } from "../../trace/dependants.js";
import type { TraceEntry } from "../../trace/entry.js";
import { type Cost, inTurns } from "./budget.js";
import { type Library, readPages, sizeOf } from "./bundle.js";

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

/** What a step of the trail takes up in memory, about. */
const TRAIL_BYTES = 128;

/** Links to records, by member; null where there are too many for one read. */
type Groups = ReadonlyMap<string, ReadonlyMap<LinkMember, number[]> | null>;

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
  cost: Cost,
): AsyncGenerator<Dependant, ImpactEnd> {
  return new Impact(library, size, indexes, cost).run(name);
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
    private readonly cost: Cost,
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
      for await (const entries of readPages(this.library, level, this.cost)) {
        if (this.isFull) break;
        const reliances = entries.map(reliancesOn);
        const groups = await this.groupsOf(reliances.flat());
        for (const [i, { index }] of entries.entries())
          yield* this.relying(index, reliances[i] ?? [], groups);
        this.cost.credit(sizeOf(entries.map(({ stored }) => stored)));
      }
      level = this.found;
    }
    return { completeTo: this.size, count: this.count, truncated: this.isFull };
  }

  private get isFull(): boolean {
    return this.count >= MAX_DEPENDANTS;
  }

  /** What relies on the entry `from` and was not met before. */
  private async *relying(
    from: number,
    reliances: readonly Reliance[],
    groups: Groups = new Map(),
  ): AsyncGenerator<Dependant> {
    const depth = (this.trail.get(from)?.depth ?? 0) + 1;
    for (const { term, via, laterOnly } of reliances) {
      const { value, member } = term;
      // Few links to one record were read at once, whatever the members; many are read a page at a time.
      const few = member === undefined ? null : groups.get(value);
      const found = few
        ? this.read(few.get(member as LinkMember) ?? [])
        : this.having(term, laterOnly ? from + 1 : 0);
      for await (const entry of found) {
        if (this.isFull) return;
        await this.cost.turn();
        if (!relies(entry, via) || (laterOnly && entry.index <= from)) continue;
        this.cost.charge(TRAIL_BYTES);
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
    for await (const entries of readPages(this.library, fresh, this.cost)) {
      yield* entries;
      this.cost.credit(sizeOf(entries.map(({ stored }) => stored)));
    }
  }

  /** The links to the records that a page of entries is relied on by: all looked up at once. */
  private async groupsOf(reliances: readonly Reliance[]): Promise<Groups> {
    const linked = reliances.filter(({ term }) => term.member !== undefined);
    const values = [...new Set(linked.map(({ term }) => term.value))];
    const found = await inTurns(values, this.cost, (value) =>
      this.library.postings.linksTo(value, this.size),
    );
    return new Map(values.map((value, i) => [value, found[i] ?? null]));
  }

  private pathTo(index: number): number[] {
    const path: number[] = [];
    for (let at = index; at !== NOWHERE && path.length < MAX_PATH; at = this.trail.get(at)?.from ?? NOWHERE)
      path.unshift(at);
    return path;
  }
}
