/**
 * Stage 3, durable and integrated: gives entries their places. There is no timer: a batch is whatever arrived while the
 * one before it was being written. One commit, one sync, one signature and one lookup serve the whole batch.
 *
 * Groups (the statements of one request) are never split: their new entries stand in a row, under one checkpoint.
 */
import type { Hash } from "../../../merkle/index.js";
import { Breath } from "../../breath.js";
import { WritError } from "../../errors.js";
import { readUint64, toHex } from "../../format/bytes.js";
import type { SigningKey } from "../../format/vkey.js";
import type { Row, Store } from "../../store/contract.js";
import type { LogClock } from "../clock.js";
import type { Admitted } from "../admit/admit.js";
import type { BitChange, StatusBits } from "../state/bits.js";
import type { Gate } from "../state/gate.js";
import type { Edge } from "../tree/integrate.js";
import { type Published, publish } from "../tree/publish.js";
import { rowsOf } from "../admit/rows.js";
import type { Sweep } from "../state/sweeps.js";
import type { TileReader } from "../tree/tile-reader.js";
import type { IndexedKeyEvent } from "../admit/verify-protocol.js";

/** Where an entry stands, and whether this submission put it there. */
export interface Placed {
  readonly index: number;
  readonly isNew: boolean;
}

/** A place, or why the entry may not have the one that it would come to. */
export type Placement = Placed | WritError;

export interface Sequenced {
  /** One for each entry of the group, in order. */
  readonly places: readonly Placement[];
  /** A published checkpoint that covers them all. */
  readonly published: Published;
}

interface Group {
  readonly entries: readonly Admitted[];
  resolve(result: Sequenced): void;
  reject(error: unknown): void;
}

/** What is known before a batch is placed: where its statements stand already, and the time for those that stand nowhere. */
interface Seen {
  readonly stored: readonly (Uint8Array | undefined)[];
  readonly time: number;
}

/** What a batch adds, and where each group's entries then stand. */
interface Plan {
  readonly fresh: readonly Admitted[];
  readonly places: readonly (readonly Placement[])[];
  /** What the entries change about one another, beyond the rows of each. */
  readonly rows: readonly Row[];
  readonly keyEvents: readonly IndexedKeyEvent[];
  readonly changes: readonly BitChange[];
  readonly sweeps: readonly Sweep[];
  /** Copies: in which list of bits each stands, and at which place. */
  readonly copies: readonly { readonly list: number; readonly at: number }[];
  /** The log's clock for the whole batch. */
  readonly time: number;
}

export interface SequencerParts {
  readonly store: Store;
  readonly edge: Edge;
  /** Null in a raw log, whose entries have no state. */
  readonly gate: Gate | null;
  readonly bits: StatusBits;
  readonly reader: TileReader;
  readonly key: SigningKey;
  readonly clock: LogClock;
  /** The root of the edge as it stands. */
  readonly root: (size: number) => Promise<Hash>;
  /** Told of every commit, before anybody is answered. */
  readonly onCommit: (
    published: Published,
    keyEvents: readonly IndexedKeyEvent[],
    sweeps: readonly Sweep[],
  ) => void;
  /** Told once, when a commit failed: nobody knows what is on disk, so the process must end. */
  readonly onFatal: (error: WritError) => void;
}

/** Entries in one commit, unless one group alone has more. */
const MAX_COMMIT_ENTRIES = 4096;

export class Sequencer {
  private queue: Group[] = [];
  private running = false;
  private fatal: WritError | undefined;

  constructor(
    private readonly parts: SequencerParts,
    private current: Published,
  ) {}

  /** The newest published checkpoint. */
  get published(): Published {
    return this.current;
  }

  /** Resolves when every entry of the group is durable and published. LOG_STOPPED once a commit has failed. */
  async sequence(entries: readonly Admitted[]): Promise<Sequenced> {
    return new Promise((resolve, reject) => {
      this.queue.push({ entries, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.queue.length > 0) await this.next(this.takeGroups());
    this.running = false;
  }

  private async next(groups: readonly Group[]): Promise<void> {
    const rejectAll = (error: unknown): void => groups.forEach((group) => group.reject(error));
    if (this.fatal !== undefined) return rejectAll(this.fatal);
    let seen: Seen;
    try {
      seen = await this.look(groups);
    } catch (error) {
      // Nothing was changed yet: a failed read costs these groups their answer and nobody else anything.
      return rejectAll(error);
    }
    let plan: Plan;
    try {
      plan = await this.place(groups, seen);
      await this.commit(plan);
    } catch (error) {
      return rejectAll(this.fail(error));
    }
    const { current: published } = this;
    groups.forEach((group, i) => group.resolve({ places: plan.places[i] ?? [], published }));
  }

  private takeGroups(): Group[] {
    let entries = 0;
    const fits = this.queue.findIndex((group) => (entries += group.entries.length) > MAX_COMMIT_ENTRIES);
    return this.queue.splice(0, fits < 0 ? this.queue.length : Math.max(1, fits));
  }

  private async commit({ fresh, rows, keyEvents, changes, sweeps, copies, time }: Plan): Promise<void> {
    if (fresh.length === 0) return;
    const { store, edge, reader, key, bits } = this.parts;
    const { size: start } = this.current;
    const finished = edge.append(fresh.map((entry) => entry.leafHash));
    reader.hold(finished);
    const size = start + fresh.length;
    const head = { size, root: await this.parts.root(size), receivedAt: time };
    await store.commit({
      expectedSize: start,
      head,
      entries: fresh.map((entry) => entry.stored),
      tiles: finished.map(({ level, tile }) => ({ level, index: tile.index, data: tile.toStored() })),
      rows: rowsOfBatch(fresh, start, time, rows, changes.length === 0 ? [] : bits.plan(changes)),
    });
    // From here on the batch is durable; before, a crash would have forgotten it, and nobody has been answered yet.
    reader.release();
    bits.apply();
    for (const { list, at } of copies) bits.copied(list, at);
    this.parts.clock.committed(time);
    this.current = publish(head, key);
    this.parts.onCommit(this.current, keyEvents, sweeps);
  }

  /** The places that the statements have already; and the gate gets to read what it will be asked about. */
  private async look(groups: readonly Group[]): Promise<Seen> {
    const { store, gate } = this.parts;
    const all = groups.flatMap((group) => group.entries);
    const stored = await store.lookup(
      "entry-hash",
      all.map((entry) => entry.entryHash),
    );
    const unknown = all.filter((_, i) => stored[i] === undefined);
    await gate?.prepare(unknown, this.current.size);
    // A clock that leapt stops nobody from being told where a statement stands already.
    const time = unknown.length === 0 ? this.current.receivedAt : this.parts.clock.next();
    return { stored, time };
  }

  /**
   * The same statement has one place, whether it is stored already or twice in this batch. Each new one is judged by the
   * gate at the very place it would have, with everything before it taken in.
   */
  private async place(groups: readonly Group[], { stored, time }: Seen): Promise<Plan> {
    const { gate } = this.parts;
    const { size: start } = this.current;
    const fresh: Admitted[] = [];
    const rows: Row[] = [];
    const keyEvents: IndexedKeyEvent[] = [];
    const changes: BitChange[] = [];
    const sweeps: Sweep[] = [];
    const copies: Plan["copies"][number][] = [];
    const inBatch = new Map<string, number>();
    const placeNew = (entry: Admitted): Placement => {
      const name = toHex(entry.entryHash);
      const twin = inBatch.get(name);
      if (twin !== undefined) return { index: twin, isNew: false };
      const index = start + fresh.length;
      const refusal = gate?.refusal(entry, time);
      if (refusal !== undefined) return refusal;
      const applied = gate?.apply(entry, index);
      if (applied !== undefined) {
        // Their length is data: never spread into a call.
        for (const row of applied.rows) rows.push(row);
        for (const change of applied.changes) changes.push(change);
        for (const sweep of applied.sweeps) sweeps.push(sweep);
        if (applied.keyEvent !== null) keyEvents.push(applied.keyEvent);
        if (applied.copyIn !== null) copies.push({ list: applied.copyIn, at: index });
      }
      inBatch.set(name, index);
      fresh.push(entry);
      return { index, isNew: true };
    };
    let n = 0;
    const places: Placement[][] = [];
    const breath = new Breath();
    for (const { entries } of groups) {
      const own: Placement[] = [];
      for (const entry of entries) {
        const found = stored[n++];
        own.push(found === undefined ? placeNew(entry) : { index: readUint64(found), isNew: false });
        // Nobody else asks the gate: what it has taken in so far is seen by the next entry of this batch alone.
        if (breath.isDue) await breath.take();
      }
      places.push(own);
    }
    return { fresh, places, rows, keyEvents, changes, sweeps, copies, time };
  }

  private fail(error: unknown): WritError {
    if (this.fatal === undefined) {
      const reason = error instanceof Error ? error.message : String(error);
      this.fatal = new WritError("LOG_STOPPED", `the log has stopped: ${reason}`, {}, { cause: error });
      this.parts.onFatal(this.fatal);
    }
    return this.fatal;
  }
}

/** All rows of a batch, made as the store takes them. */
function* rowsOfBatch(
  fresh: readonly Admitted[],
  start: number,
  time: number,
  ...more: readonly (readonly Row[])[]
): Generator<Row> {
  for (const [i, entry] of fresh.entries()) yield* rowsOf(entry, start + i, time);
  for (const rows of more) yield* rows;
}
