/** An index in memory, over entries that somebody holds: those of a bundle, or a whole log read from its tiles. */
import { type Term, termsOf } from "../index/terms.js";
import { isRecordEntry, type TraceEntry } from "./entry.js";
import type { DomainView } from "./walk/walk.js";
import type { Answer, Round, Want } from "./walk/rounds.js";

/** What an index in memory keeps of an entry: its place, and whose word it is. */
interface Posting {
  readonly index: number;
  readonly issuer: string | null;
  /** Is it the first entry that carries its record? Only that one stands among its domain's. */
  readonly isFirst: boolean;
}

/** Terms of entries, and what a walk asks of them. Entries are added in log order. */
export class TermIndex {
  private readonly byId = new Map<string, number[]>();
  private readonly byTerm = new Map<string, Posting[]>();
  private readonly bySequence = new Map<string, (Posting & { readonly seq: number })[]>();

  /** `domains`: asked when the walk asks, of whose records it is. `fields`: the terms that are kept; all unless given. */
  constructor(
    private readonly domains: DomainView,
    private readonly fields?: readonly Term["field"][],
  ) {}

  add(entry: TraceEntry): void {
    const { index, id } = entry;
    const isFirst = id === null || !this.byId.has(id);
    if (id !== null) push(this.byId, id, index);
    if (entry.statement === null) return;
    const issuer = entry.record?.issuer ?? null;
    const posting = { index, issuer, isFirst };
    for (const term of termsOf(entry.statement, isRecordEntry(entry) ? entry.record : null)) {
      if (this.fields?.includes(term.field) === false) continue;
      if (term.seq === undefined) push(this.byTerm, nameOf(term), posting);
      else push(this.bySequence, term.value, { ...posting, seq: term.seq });
    }
  }

  /** The entries that a want means, ascending. */
  find(want: Want): readonly number[] {
    if ("id" in want) return (this.byId.get(want.id) ?? []).slice(0, want.first);
    if ("boundary" in want) {
      const { from, to, domain } = want;
      const found = (this.bySequence.get(want.boundary) ?? []).filter(({ seq }) => seq >= from && seq <= to);
      return indexes(domain === undefined ? found : found.filter((one) => this.isOf(one, domain)));
    }
    const list = this.byTerm.get(nameOf(want.term)) ?? [];
    if ("except" in want) {
      const { except, first } = want;
      return indexes(list.filter((one) => !except.some((domain) => this.isOf(one, domain)))).slice(0, first);
    }
    const { domain, after, first } = want;
    const own = domain === undefined ? list : list.filter((one) => this.isOf(one, domain));
    return indexes(after === undefined ? own : own.filter(({ index }) => index > after)).slice(0, first);
  }

  private isOf({ index, issuer, isFirst }: Posting, domain: string): boolean {
    if (issuer === null || this.domains.of(issuer) !== domain) return false;
    // Until there were other domains, nobody kept copies apart.
    return isFirst || index <= (this.domains.firstFounding ?? index);
  }
}

export class MemorySource {
  private readonly entries = new Map<number, TraceEntry>();
  private readonly index: TermIndex;

  constructor(domains: DomainView) {
    this.index = new TermIndex(domains);
  }

  /** Adds an entry. Call in log order. */
  add(entry: TraceEntry): void {
    this.entries.set(entry.index, entry);
    this.index.add(entry);
  }

  answer(round: Round): Answer {
    if ("read" in round) return round.read.flatMap((index) => this.entries.get(index) ?? []);
    return round.wants.map((want) => this.index.find(want).slice(0, round.limit));
  }

  entry(index: number): TraceEntry | undefined {
    return this.entries.get(index);
  }
}

function indexes(postings: readonly Posting[]): number[] {
  return [...new Set(postings.map(({ index }) => index))].toSorted((a, b) => a - b);
}

function nameOf({ field, value, member }: Term): string {
  return `${field}\u0000${member ?? ""}\u0000${value}`;
}

function push<T>(lists: Map<string, T[]>, name: string, element: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [element]);
  else list.push(element);
}
