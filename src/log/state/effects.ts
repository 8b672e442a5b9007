/** What an entry changes as it is applied: states of records, the bits of their entries, and what is swept after it. */
import { type Bits, listOf } from "../../index/bits.js";
import { encodeState, type RecordState, UNTOUCHED } from "../../index/state.js";
import type { Row } from "../../store/contract.js";
import { placed } from "../admit/rows.js";
import type { BitChange } from "./bits.js";
import { hashBytes, type KnownStates } from "./known-states.js";
import type { Sweep } from "./sweeps.js";

const NOTHING = new Uint8Array(0);

export class Effects {
  private changes: BitChange[] = [];
  private sweeps: Sweep[] = [];

  constructor(private readonly known: KnownStates) {}

  /** What the entry before changed is forgotten here. */
  begin(): void {
    this.changes = [];
    this.sweeps = [];
  }

  get all(): { readonly changes: readonly BitChange[]; readonly sweeps: readonly Sweep[] } {
    return { changes: this.changes, sweeps: this.sweeps };
  }

  sweep(sweep: Sweep): void {
    this.sweeps.push(sweep);
  }

  /** The bits of an entry that is just being applied. */
  bits(index: number, bits: Bits): void {
    this.changes.push({ at: index, position: index, bits });
  }

  /** A copy of what stands at `first` has come, which has these bits: its list shows something new. */
  copy(index: number, first: number, bits: Bits): void {
    this.changes.push({ at: index, position: first, bits, copies: [listOf(index)] });
  }

  /** A record has another state from entry `index` on, and so have all copies of it. */
  change(hash: string, index: number, state: RecordState): Row[] {
    const before = this.known.state(hash);
    this.known.setState(hash, state);
    const bits = this.known.bits(hash, state);
    const position = this.known.firstOf(hash);
    if (bits !== this.known.bits(hash, before) && position !== undefined)
      this.changes.push({ at: index, position, bits, copies: [...this.known.copyLists(hash)] });
    const rows: Row[] = [{ table: "state", key: placed(hashBytes(hash), index), value: encodeState(state) }];
    if (before === UNTOUCHED) rows.push({ table: "touched", key: hashBytes(hash), value: NOTHING });
    return rows;
  }
}
