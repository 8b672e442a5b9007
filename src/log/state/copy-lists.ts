/**
 * The copies in lists of bits, kept from one question to the next: a list may be full of them, a hundred thousand rows, and they are only
 * ever added to. A few lists are kept, some 6 MB each at worst: who makes the log read more must have filled more.
 */
import { LIST_ENTRIES } from "../../index/bits.js";
import type { Store } from "../../store/contract.js";
import { copiesIn, type Copy } from "../admit/places.js";

export const MAX_COPY_LISTS = 4;

interface Known {
  readonly copies: Copy[];
  /** All below this are there. */
  to: number;
}

export class CopyLists {
  private readonly lists = new Map<number, Known>();
  /** Readings under way, by list: those who ask meanwhile wait for the same. */
  private readonly reading = new Map<number, Promise<void>>();

  constructor(private readonly store: Store) {}

  /** The copies in list `k`, in log order, below `to`, which is durable. */
  async below(k: number, to: number): Promise<readonly Copy[]> {
    for (;;) {
      const known = this.lists.get(k);
      const end = Math.min(to, (k + 1) * LIST_ENTRIES);
      if (known !== undefined && known.to >= end) return upTo(known.copies, end);
      const reading = this.reading.get(k) ?? this.read(k, end);
      this.reading.set(k, reading);
      await reading;
    }
  }

  private async read(k: number, end: number): Promise<void> {
    try {
      const known = this.lists.get(k) ?? { copies: [], to: k * LIST_ENTRIES };
      const fresh: Copy[] = [];
      for await (const page of copiesIn(this.store, k, end, known.to))
        for (const copy of page) fresh.push(copy);
      for (const copy of fresh) known.copies.push(copy);
      known.to = end;
      // The one asked about last stays longest.
      this.lists.delete(k);
      this.lists.set(k, known);
      if (this.lists.size > MAX_COPY_LISTS) this.lists.delete(this.lists.keys().next().value ?? k);
    } finally {
      this.reading.delete(k);
    }
  }
}

function upTo(copies: readonly Copy[], end: number): readonly Copy[] {
  const last = copies.at(-1);
  return last === undefined || last.index < end ? copies : copies.filter(({ index }) => index < end);
}
