/**
 * A log's entries and index as a stranger rebuilds them: every entry judged again by the log's own rules at its place, the
 * tree grown from the entries. It holds only what a signed root has been shown to contain.
 */
import { extendRange, type Hash, leafHash, rangeRoot } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import type { VerifierKey } from "../format/vkey.js";
import type { KeyTable } from "../index/keys.js";
import { readStored } from "../log/admit/admit.js";
import { Edge } from "../log/tree/integrate.js";
import { Prover } from "../log/tree/prove.js";
import { type Fault, Replay, type Replayed } from "../log/check/replay.js";
import { indexIsWhole, rowsOf, WHOLE_INDEX } from "../log/admit/rows.js";
import { sweepAll } from "../log/state/sweeps.js";
import { TileReader } from "../log/tree/tile-reader.js";
import type { Row, Store } from "../store/contract.js";

export class Mirror {
  private constructor(
    readonly store: Store,
    private readonly key: VerifierKey,
    private readonly edge: Edge,
    private readonly reader: TileReader,
    private readonly prover: Prover,
    private held: { readonly size: number; readonly receivedAt: number },
    /** Null before entry 0, and for a log whose entry 0 is not its policy. */
    private replay: Replay | null,
  ) {}

  static async open(store: Store, key: VerifierKey): Promise<Mirror> {
    const head = await store.head();
    const size = head?.size ?? 0;
    const edge = await Edge.restore(store, size);
    const reader = new TileReader(store, edge);
    if (size > 0 && !(await indexIsWhole(store)))
      throw new WritError(
        "STATE_CORRUPT",
        "the copy of the log was kept by another version of this program: remove its folder, and it is read again",
      );
    const replay = size === 0 ? null : await resumed(store, key);
    // What was being followed when the last pass ended.
    if (replay !== null) await sweepAll(store, replay.keys);
    const held = { size, receivedAt: head?.receivedAt ?? 0 };
    return new Mirror(store, key, edge, reader, new Prover(reader), held, replay);
  }

  get size(): number {
    return this.held.size;
  }

  /** Who is known, by the entries it holds; null for a log whose entry 0 is not its policy. */
  get keys(): KeyTable | null {
    return this.replay?.keys ?? null;
  }

  /** The log's clock at the last entry, milliseconds since 1970. */
  get receivedAt(): number {
    return this.held.receivedAt;
  }

  /** The root of the first `size` entries. RangeError beyond what is held. */
  async root(size: number): Promise<Hash> {
    return this.prover.root(size);
  }

  async consistency(from: number, to: number): Promise<Hash[]> {
    return this.prover.consistency(from, to);
  }

  async inclusion(index: number, size: number): Promise<Hash[]> {
    return this.prover.inclusion(index, size);
  }

  /** The root that the tree would have with these entries behind it. */
  async rootWith(entries: readonly Uint8Array[]): Promise<Hash> {
    return rangeRoot(extendRange(await this.prover.range(this.size), entries.map(leafHash)));
  }

  /**
   * Judges entries that a signed root contains: what they hold that should not have been admitted, and the step that
   * takes them in. `times`: when the log says that it took each in, never going back; null where it says nothing.
   */
  async judged(
    entries: readonly Uint8Array[],
    told: readonly number[] | null,
  ): Promise<{ readonly faults: readonly Fault[]; readonly commit: () => Promise<void> }> {
    const times = told ?? entries.map(() => this.receivedAt);
    const { rows, faults } = await this.judge(this.size, entries, times, told !== null);
    return {
      faults,
      commit: async () => {
        await this.commit(entries, times, rows);
        if (this.replay !== null) await sweepAll(this.store, this.replay.keys);
      },
    };
  }

  private async commit(
    entries: readonly Uint8Array[],
    times: readonly number[],
    rows: readonly Row[],
  ): Promise<void> {
    const { size } = this.held;
    const finished = this.edge.append(entries.map(leafHash));
    this.reader.hold(finished);
    const next = size + entries.length;
    const receivedAt = times.reduce((most, time) => Math.max(most, time), this.held.receivedAt);
    await this.store.commit({
      expectedSize: size,
      head: { size: next, root: await this.prover.root(next), receivedAt },
      entries,
      tiles: finished.map(({ level, tile }) => ({ level, index: tile.index, data: tile.toStored() })),
      rows: size === 0 ? [...rows, WHOLE_INDEX] : rows,
    });
    this.reader.release();
    this.held = { size: next, receivedAt };
  }

  private async judge(
    start: number,
    entries: readonly Uint8Array[],
    times: readonly number[],
    isTimed: boolean,
  ): Promise<Replayed> {
    const [first] = entries;
    if (start === 0 && first !== undefined) {
      try {
        this.replay = new Replay(this.store, first, this.key, { strict: true });
      } catch (error) {
        if (!(error instanceof ProofError || error instanceof WritError)) throw error;
        // Where nobody answers questions it is a log of another make, with entries and rules of its own.
        const faults = isTimed ? [{ index: 0, why: `it is not the log's policy: ${error.message}` }] : [];
        return { rows: rawRows(start, entries, times), sweeps: [], faults };
      }
    }
    // Without a policy there are no rules to judge by; the tree is checked all the same.
    if (this.replay === null) return { rows: rawRows(start, entries, times), sweeps: [], faults: [] };
    return this.replay.rows(start, entries, times, isTimed);
  }
}

function rawRows(start: number, entries: readonly Uint8Array[], times: readonly number[]) {
  return entries.flatMap((stored, i) => rowsOf(readStored(stored, true), start + i, times[i] ?? 0));
}

async function resumed(store: Store, key: VerifierKey): Promise<Replay | null> {
  try {
    return await Replay.resume(store, key, { strict: true });
  } catch (error) {
    if (error instanceof ProofError || error instanceof WritError) return null;
    throw error;
  }
}
