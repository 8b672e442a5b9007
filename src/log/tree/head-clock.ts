/** When entries came in: by the heads, each of which says when its batch did. */
import type { Head, Store } from "../../store/contract.js";

/** When the log took entries in, asked in log order. */
export class HeadClock {
  private head: Head | null = null;

  constructor(private readonly store: Store) {}

  async times(start: number, end: number): Promise<number[]> {
    const times: number[] = [];
    for (let index = start; index < end; index++) {
      if (this.head === null || index >= this.head.size) this.head = await this.store.headOver(index);
      times.push(this.head?.receivedAt ?? 0);
    }
    return times;
  }
}
