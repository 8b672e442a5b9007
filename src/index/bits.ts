/**
 * Two bits for each entry of the log, at the entry's own index: what a stock client sees of a record's state. The values
 * are those of the IETF Token Status List (§7): VALID, INVALID, SUSPENDED, and one of our own, CONSUMED.
 *
 * Packed as that list is: least significant bits first, four entries a byte, 2^17 entries (32 KiB) a list.
 */
import type { RecordState } from "./state.js";

export const VALID = 0;
export const REVOKED = 1;
export const SUSPENDED = 2;
export const CONSUMED = 3;
export type Bits = typeof VALID | typeof REVOKED | typeof SUSPENDED | typeof CONSUMED;

/** Entries of one list. */
export const LIST_ENTRIES = 2 ** 17;
/** Bytes of one list: two bits an entry. */
export const LIST_BYTES = LIST_ENTRIES / 4;

/** The bits of a state; `maxUses` is null for what is no grant. What is final comes first. */
export function bitsOf(state: RecordState, maxUses: number | null): Bits {
  if (state.revokedBy !== null) return REVOKED;
  if (maxUses !== null && state.uses >= maxUses) return CONSUMED;
  return state.suspendedBy === null ? VALID : SUSPENDED;
}

export function listOf(position: number): number {
  return Math.floor(position / LIST_ENTRIES);
}

/** The bits at a place of one list. */
export function readBits(list: Uint8Array, place: number): Bits {
  return (((list[place >> 2] ?? 0) >> (2 * (place & 3))) & 3) as Bits;
}

export function writeBits(list: Uint8Array, place: number, bits: Bits): void {
  const shift = 2 * (place & 3);
  list[place >> 2] = ((list[place >> 2] ?? 0) & ~(3 << shift)) | (bits << shift);
}

/** The lists of a log, in memory: only those in which something was ever said take room. */
export class BitLists {
  private readonly lists = new Map<number, Uint8Array>();

  get(position: number): Bits {
    const list = this.lists.get(listOf(position));
    return list === undefined ? VALID : readBits(list, position % LIST_ENTRIES);
  }

  set(position: number, bits: Bits): void {
    const k = listOf(position);
    let list = this.lists.get(k);
    if (list === undefined) this.lists.set(k, (list = new Uint8Array(LIST_BYTES)));
    writeBits(list, position % LIST_ENTRIES, bits);
  }

  /** A copy of list `k`: 32 KiB. */
  copy(k: number): Uint8Array {
    return Uint8Array.from(this.lists.get(k) ?? new Uint8Array(LIST_BYTES));
  }

  put(k: number, bytes: Uint8Array): void {
    this.lists.set(k, Uint8Array.from(bytes));
  }

  get bytes(): number {
    return this.lists.size * LIST_BYTES;
  }
}
