/** Reading the index: which entries have a term, carry a record, were taken in at a time. Always below a given size. */
import { sha256 } from "#crypto";
import { concat, fromHex, readUint64, uint64 } from "../../format/bytes.js";
import { scopedName, TERM_BYTES, type Term, termName } from "../../index/terms.js";
import { LINK_MEMBERS, type LinkMember } from "../../record/links.js";
import { placesOf } from "../admit/places.js";
import { type Cost, inTurns } from "./budget.js";
import type { Store } from "../../store/contract.js";
import type { Want } from "../../trace/walk/rounds.js";
import { type DomainView, MAX_NODES } from "../../trace/walk/walk.js";

/** Indexes [from, to), ascending or descending, at most `limit`. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly reverse?: boolean;
  readonly limit: number;
}

/** Where a sequence number stands in its row, after the name of what is numbered. */
const SEQUENCE_AT = 9;
/** Rows of a stretch of numbers that are read at once: whoever fills one number with rows costs one such read. */
const STRETCH_ROWS = 64;

/** A list of indexes that can be read a stretch at a time. */
export type Posting = (span: Span) => Promise<number[]>;

export class Postings {
  /** `domains`: which of the records are whose. */
  constructor(
    private readonly store: Store,
    private readonly domains: DomainView,
  ) {}

  term(term: Term): Posting {
    const name = termName(term);
    return (span) => this.read(name, span);
  }

  /** Links to a record, whichever member they are in. */
  linked(id: string): Posting {
    return this.either(LINK_MEMBERS.map((member) => ({ field: "link", value: id, member })));
  }

  /** Entries that have one of these terms at least. */
  either(terms: readonly Term[]): Posting {
    const lists = terms.map((term) => this.term(term));
    return async (span) => {
      const found = new Set((await Promise.all(lists.map((list) => list(span)))).flat());
      const inOrder = [...found].toSorted((a, b) => (span.reverse === true ? b - a : a - b));
      return inOrder.slice(0, span.limit);
    };
  }

  /** The entries that carry a record. */
  record(id: string): Posting {
    const hash = fromHex(id.slice("sha256:".length)) ?? new Uint8Array(0);
    return (span) => placesOf(this.store, hash, span);
  }

  /**
   * Many wants at once, each ascending and below `to`, at most `limit`. Links to one record are next to one another in the
   * index: as long as there are few of them, one read answers for every member.
   */
  async many(wants: readonly Want[], to: number, limit: number, cost: Cost): Promise<number[][]> {
    const groups = new Map<string, Promise<ReadonlyMap<LinkMember, number[]> | null>>();
    return inTurns(wants, cost, async (want) => {
      if (!isPlainLink(want) || !this.isAlone(want.domain)) return this.want(want, to, limit);
      const { value, member } = want.term;
      const group = groups.get(value) ?? this.linksTo(value, to);
      groups.set(value, group);
      const byMember = await group;
      return byMember === null ? this.want(want, to, limit) : (byMember.get(member) ?? []);
    });
  }

  private async want(want: Want, to: number, limit: number): Promise<number[]> {
    const most = Math.min(limit, ("first" in want ? want.first : undefined) ?? limit);
    if ("id" in want) return this.record(want.id)({ from: 0, to, limit: most });
    if ("boundary" in want) return this.receipts(want, to, most);
    const name = termName(want.term);
    if ("except" in want) return this.strangers(name, want.except, to, most);
    const from = want.after === undefined ? 0 : want.after + 1;
    if (want.domain === undefined) return this.read(name, { from, to, limit: most });
    return this.ofDomain(name, want.domain, { from, to, limit: most });
  }

  /** Is everything of this domain? So it is while no other was founded. */
  private isAlone(domain: string | undefined): boolean {
    return domain === undefined || (this.domains.firstFounding === null && domain === this.domains.origin);
  }

  /** The records of one trust domain. Until the first was founded all were of the log's own, under the plain name alone. */
  private async ofDomain(name: Uint8Array, domain: string, { from, to, limit }: Span): Promise<number[]> {
    if (this.isAlone(domain)) return this.read(name, { from, to, limit });
    const { firstFounding, origin } = this.domains;
    const since = (firstFounding ?? to) + 1;
    const before = domain === origin ? await this.read(name, { from, to: Math.min(to, since), limit }) : [];
    const scoped = scopedName(name, domain);
    if (scoped === undefined || before.length === limit) return before;
    const after = { from: Math.max(from, since), to, limit: limit - before.length };
    return [...before, ...(await this.read(scoped, after))];
  }

  /** What has a term and is of none of these domains: the first of them, found without reading an entry. */
  private async strangers(
    name: Uint8Array,
    except: readonly string[],
    to: number,
    limit: number,
  ): Promise<number[]> {
    if (this.domains.firstFounding === null) return [];
    const span = { from: 0, to, limit: MAX_NODES + 1 };
    const own = new Set(
      (await Promise.all(except.map((domain) => this.ofDomain(name, domain, span)))).flat(),
    );
    const all = await this.read(name, { ...span, limit: own.size + limit });
    return all.filter((index) => !own.has(index)).slice(0, limit);
  }

  /** The receipts of a boundary with sequence numbers in a stretch: one range of rows. */
  private async receipts(
    { boundary, from, to: last, domain }: Extract<Want, { readonly boundary: string }>,
    to: number,
    limit: number,
  ): Promise<number[]> {
    const plain = termName({ field: "sequence", value: boundary, seq: from });
    const founding = this.domains.firstFounding;
    const alone = this.isAlone(domain);
    const lists = [];
    if (alone || domain === this.domains.origin)
      lists.push(this.stretch(plain, from, last, alone ? to : Math.min(to, (founding ?? to) + 1), limit));
    const scoped = alone || domain === undefined ? undefined : scopedName(plain, domain);
    if (scoped !== undefined) lists.push(this.stretch(scoped, from, last, to, limit));
    return (await Promise.all(lists))
      .flat()
      .toSorted((a, b) => a - b)
      .slice(0, limit);
  }

  private async stretch(
    name: Uint8Array,
    from: number,
    last: number,
    to: number,
    limit: number,
  ): Promise<number[]> {
    const found: number[] = [];
    // Rows stand by number, then by index: what came later, or is somebody else's, is passed over number by number.
    for (let cursor = uint64(from); found.length < limit; ) {
      const rows = await this.store.rows("term", name.subarray(0, SEQUENCE_AT), {
        from: cursor,
        to: uint64(last + 1),
        limit: STRETCH_ROWS,
      });
      const indexes = rows.map(({ key }) => readUint64(key, TERM_BYTES));
      found.push(...indexes.filter((index) => index < to));
      const [end, index] = [rows.at(-1), indexes.at(-1)];
      if (rows.length < STRETCH_ROWS || end === undefined || index === undefined) break;
      const seq = readUint64(end.key, SEQUENCE_AT);
      cursor = index < to ? concat(uint64(seq), uint64(index + 1)) : uint64(seq + 1);
    }
    return found.slice(0, limit);
  }

  /** The entries that link to a record, by member; null when there are too many for one read. */
  async linksTo(id: string, to: number): Promise<ReadonlyMap<LinkMember, number[]> | null> {
    const name = termName({ field: "link", value: id }).subarray(0, TERM_BYTES - 1);
    const rows = await this.store.rows("term", name, { limit: FEW_LINKS });
    if (rows.length === FEW_LINKS) return null;
    const byMember = new Map<LinkMember, number[]>();
    for (const { key } of rows) {
      const index = readUint64(key, TERM_BYTES);
      const member = LINK_MEMBERS[(key[TERM_BYTES - 1] ?? 0) - 1];
      if (index < to && member !== undefined) byMember.set(member, [...(byMember.get(member) ?? []), index]);
    }
    return byMember;
  }

  private async read(name: Uint8Array, { from, to, reverse = false, limit }: Span): Promise<number[]> {
    if (from >= to) return [];
    const rows = await this.store.rows("term", name, { from: uint64(from), to: uint64(to), reverse, limit });
    return rows.map(({ key }) => readUint64(key, name.length));
  }

  /** When entries (their bytes as stored) were taken in, in milliseconds since 1970: one read for all. */
  async receivedAt(entries: readonly Uint8Array[]): Promise<number[]> {
    const rows = await this.store.lookup("entry-hash", entries.map(sha256));
    return rows.map((row) => (row === undefined ? 0 : readUint64(row, 8)));
  }

  /** The first index, below `size`, that was taken in at `time` or later; `size` when there is none. */
  async firstSince(time: number, size: number): Promise<number> {
    let [low, high] = [0, size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const head = await this.store.headOver(middle);
      if (head === null || head.receivedAt >= time) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const FEW_LINKS = 65;

function isPlainLink(
  want: Want,
): want is { readonly term: Term & { readonly member: LinkMember }; readonly domain?: string } {
  return "term" in want && !("except" in want) && want.after === undefined && want.term.member !== undefined;
}
