/**
 * The log: what the HTTP room and the commands see. It ties the stages of the journey together and owns nothing else:
 * submit → admitted → waiting → durable → checkpoint → proof → witnessed. `open.ts` puts it together.
 */
import { WritError } from "../errors.js";
import type { LogPolicy } from "../record/log-policy.js";
import type { Store } from "../store/contract.js";
import { type Admitted, admitRaw } from "./admit/admit.js";
import type { Submission, Verifiers } from "./admit/verifiers.js";
import { isAdmitted, type Verdict } from "./admit/verify-protocol.js";
import type { Budget } from "./ask/budget.js";
import type { EntryBundles } from "./ask/entry-bundles.js";
import type { Judge } from "./ask/judge.js";
import type { LogClock } from "./clock.js";
import type { Queries } from "./ask/queries.js";
import type { Reading } from "./ask/reading.js";
import type { Feed } from "./feed/feed.js";
import type { Pool, PoolLimits } from "./sequence/pool.js";
import type { Placed, Placement, Sequencer } from "./sequence/sequencer.js";
import type { Statuses } from "./state/statuses.js";
import type { Sweeps } from "./state/sweeps.js";
import type { Published } from "./tree/publish.js";
import type { View } from "./view.js";
import type { SecondLine } from "./witnessed/second-line.js";
import type { Witnessing } from "./witnessed/witnessing.js";

/** An entry at its place. */
export interface PlacedEntry extends Placed {
  readonly entry: Admitted;
}

/** What a submission became, or why it did not. */
export type Submitted = PlacedEntry | WritError;

export function isPlaced(result: Submitted): result is PlacedEntry {
  return !(result instanceof WritError);
}

export interface SubmittedGroup {
  /** One for each statement, in order. New entries stand in a row. */
  readonly results: readonly Submitted[];
  /** A checkpoint that covers every one of them. The log has signed it; the outside may not see it before it is witnessed. */
  readonly published: Published;
}

/** What a log is put together from. */
export interface LogParts {
  readonly origin: string;
  readonly policy: LogPolicy;
  readonly store: Store;
  readonly pool: Pool;
  readonly clock: LogClock;
  /** Null in a raw log, which takes any bytes. */
  readonly verifiers: Verifiers | null;
  readonly sequencer: Sequencer;
  readonly sweeps: Sweeps | null;
  readonly witnessing: Witnessing | null;
  readonly secondLine: SecondLine | null;
  readonly view: View;
  readonly read: Reading;
  readonly queries: Queries;
  readonly feed: Feed;
  readonly statuses: Statuses;
  readonly judge: Judge;
  readonly readers: Budget;
  readonly bundles: EntryBundles;
}

export class Log {
  constructor(private readonly parts: LogParts) {}

  get origin(): string {
    return this.parts.origin;
  }

  get policy(): LogPolicy {
    return this.parts.policy;
  }

  /** Which checkpoint may be shown, and what waits for witnesses. */
  get view(): View {
    return this.parts.view;
  }

  /** Entries, tiles and proofs. */
  get read(): Reading {
    return this.parts.read;
  }

  /** What the records say: search, links, traces, impact. */
  get queries(): Queries {
    return this.parts.queries;
  }

  /** What every entry was and what it changed, as it comes and from any point on. */
  get feed(): Feed {
    return this.parts.feed;
  }

  /** Where records stand: by one, and in lists. */
  get statuses(): Statuses {
    return this.parts.statuses;
  }

  /** Entry bundles of full tiles. */
  get bundles(): EntryBundles {
    return this.parts.bundles;
  }

  /** What all readers together may take. */
  get readers(): Budget {
    return this.parts.readers;
  }

  /** The log's own verdicts on traces: a convenience, the bundle is the truth. */
  get judge(): Judge {
    return this.parts.judge;
  }

  /** Null when the log has no witnesses. */
  get witnessing(): Witnessing | null {
    return this.parts.witnessing;
  }

  /** The newest checkpoint that the outside may see. */
  get published(): Published {
    return this.view.published;
  }

  /** Entries that are durable, whether the outside may see them or not. */
  get durableSize(): number {
    return this.view.durableSize;
  }

  /** The newest checkpoint that meets the quorum of the log's own witness policy, or null. */
  get witnessed(): Published | null {
    return this.view.witnessed;
  }

  /** The time that every question is answered by. */
  get clock(): LogClock {
    return this.parts.clock;
  }

  get poolLimits(): PoolLimits {
    return this.parts.pool.limits;
  }

  /**
   * Logs statements, all under one checkpoint, and answers when they are durable. Statements that are refused do not
   * spoil the others. POOL_FULL at once when too much is waiting; SHUTTING_DOWN, LOG_STOPPED.
   */
  async submit(statements: readonly Submission[]): Promise<SubmittedGroup> {
    const { verifiers } = this.parts;
    if (verifiers === null) throw new RangeError("a raw log takes bytes, not statements: submitRaw");
    const bytes = statements.map((statement) => statement.bytes);
    return this.submitJudged(bytes, () => verifiers.verify(statements));
  }

  /** The policy `raw`: any bytes. RangeError under another policy. */
  async submitRaw(entries: readonly Uint8Array[]): Promise<SubmittedGroup> {
    if (this.parts.verifiers !== null) throw new RangeError("the log's policy is not raw: submit");
    return this.submitJudged(entries, async () => entries.map(rawVerdict));
  }

  private async submitJudged(
    submitted: readonly Uint8Array[],
    judge: () => Promise<readonly Verdict[]>,
  ): Promise<SubmittedGroup> {
    const { pool, sequencer } = this.parts;
    const size = submitted.reduce((sum, bytes) => sum + bytes.length, 0);
    const giveBack = pool.take(submitted.length, size);
    try {
      const verdicts = await judge();
      const admitted = verdicts.filter(isAdmitted);
      const { places, published } =
        admitted.length === 0
          ? { places: [], published: this.published }
          : await sequencer.sequence(admitted);
      return { results: placeVerdicts(verdicts, places), published };
    } finally {
      giveBack();
    }
  }

  /** Lets those who wait for witnesses go: their entries are safe, and a log that ends has no time to wait. */
  release(): void {
    this.witnessing?.release();
    this.feed.end();
  }

  /** Answers everything that was taken in, takes in nothing more, and lets go of store and threads. */
  async close(): Promise<void> {
    const { pool, verifiers, sweeps, store } = this.parts;
    this.feed.end();
    await pool.close();
    await this.witnessing?.close();
    await this.parts.secondLine?.close();
    await verifiers?.close();
    await sweeps?.stop();
    await this.judge.close();
    await store.close();
  }
}

function rawVerdict(bytes: Uint8Array): Verdict {
  try {
    return admitRaw(bytes);
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
}

/** Puts places and refusals back into the order of submission. */
function placeVerdicts(verdicts: readonly Verdict[], places: readonly Placement[]): Submitted[] {
  let n = 0;
  return verdicts.map((verdict): Submitted => {
    if (verdict instanceof WritError) return verdict;
    const place = places[n++];
    if (place === undefined) throw new RangeError("a place for each entry");
    return place instanceof WritError ? place : { ...place, entry: verdict };
  });
}
