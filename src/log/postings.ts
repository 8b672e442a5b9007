/** Reading the index: which entries have a term, carry a record, were taken in at a time. Always below a given size. */
import { sha256 } from "#crypto";
import { fromHex, readUint64, uint64 } from "../format/bytes.js";
import { TERM_BYTES, type Term, termName } from "../index/terms.js";
import { LINK_MEMBERS, type LinkMember } from "../record/links.js";
import type { Store } from "../store/contract.js";
import type { Want } from "../trace/closure.js";

/** Indexes [from, to), ascending or descending, at most `limit`. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly reverse?: boolean;
  readonly limit: number;
}

/** A list of indexes that can be read a stretch at a time. */
export type Posting = (span: Span) => Promise<number[]>;

export class Postings {
  constructor(private readonly store: Store) {}

  term(term: Term): Posting {
    const name = termName(term);
    return (span) => this.read("term", name, span);
  }

  /** Links to a record, whichever member they are in. */
  linked(id: string): Posting {
    const lists = LINK_MEMBERS.map((member) => this.term({ field: "link", value: id, member }));
    return async (span) => {
      const found = new Set((await Promise.all(lists.map((list) => list(span)))).flat());
      const inOrder = [...found].toSorted((a, b) => (span.reverse === true ? b - a : a - b));
      return inOrder.slice(0, span.limit);
    };
  }

  /** The entries that carry a record. */
  record(id: string): Posting {
    const hash = fromHex(id.slice("sha256:".length)) ?? new Uint8Array(0);
    return (span) => this.read("record-id", hash, span);
  }

  want(want: Want): Posting {
    return "id" in want ? this.record(want.id) : this.term(want.term);
  }

  /**
   * Many wants at once, each ascending and below `to`. Links to one record are next to one another in the index: as long as
   * there are few of them, one read answers for every member.
   */
  async many(wants: readonly Want[], to: number, limit: number): Promise<number[][]> {
    const groups = new Map<string, Promise<ReadonlyMap<LinkMember, number[]> | null>>();
    const span = { from: 0, to, limit };
    return Promise.all(
      wants.map(async (want) => {
        if (!("term" in want) || want.term.member === undefined) return this.want(want)(span);
        const { value, member } = want.term;
        const group = groups.get(value) ?? this.linksTo(value, to);
        groups.set(value, group);
        const byMember = await group;
        return byMember === null ? this.want(want)(span) : (byMember.get(member) ?? []);
      }),
    );
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

  private async read(
    table: "term" | "record-id",
    name: Uint8Array,
    { from, to, reverse = false, limit }: Span,
  ): Promise<number[]> {
    if (from >= to) return [];
    const rows = await this.store.rows(table, name, { from: uint64(from), to: uint64(to), reverse, limit });
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
