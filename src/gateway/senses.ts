/**
 * What a gateway knows of the log at this moment, and whether that is enough to let anybody act. It is not, and every grant
 * is unknown, when the log is silent, shows no sound checkpoint, contradicts itself, lacks its witnesses, or when a clock
 * jumps. Each reason goes by itself when what it is about is well again.
 */
import { ProofError, WritError } from "../errors.js";
import type { Bounds } from "./bounds.js";

export type Reason =
  | "CONNECTING"
  | "STREAM_SILENT"
  | "CHECKPOINT_STALE"
  | "CHECKPOINT_INVALID"
  | "QUORUM_MISSING"
  | "CLOCK_SKEWED"
  | "CLOCK_JUMPED";

export type Health =
  | { readonly live: true }
  | { readonly live: false; readonly reason: Reason; readonly detail: string };

export interface Clocks {
  /** The time of day, milliseconds since 1970: may jump. */
  readonly wall: () => number;
  /** Milliseconds that only grow, at the pace of time. */
  readonly steady: () => number;
}

/** A checkpoint event, verified. */
export interface Beat {
  readonly size: number;
  /** The largest size that met the quorum; null when the policy asks for none. */
  readonly witnessedSize: number | null;
  /** The log's clock, milliseconds since 1970. */
  readonly time: number;
}

export class Senses {
  private heardAt: number | null = null;
  private beatAt: number | null = null;
  private broken: string | null = null;
  private skew = 0;
  private jumped = false;
  /** Wall minus steady: what it was when the two were last compared. */
  private offset: number;
  private witnessedSize = 0;
  /** The smallest size that was shown and is not witnessed yet, and since when. */
  private unwitnessed: { readonly size: number; readonly since: number } | null = null;
  private asksForQuorum = false;
  private streamSize = 0;
  /** The largest size that was seen elsewhere and that the stream has not come to, and since when. */
  private ahead: { readonly size: number; readonly since: number } | null = null;

  constructor(
    private readonly bounds: Bounds,
    private readonly clocks: Clocks,
  ) {
    this.offset = clocks.wall() - clocks.steady();
  }

  /** Something came. */
  heard(): void {
    this.heardAt = this.clocks.steady();
  }

  /** A checkpoint came, and is sound. */
  beat({ size, witnessedSize, time }: Beat): void {
    const { wall, steady } = this.clocks;
    // An old one again says nothing of now.
    if (size < this.streamSize) return;
    this.streamSize = size;
    if (this.ahead !== null && size >= this.ahead.size) this.ahead = null;
    this.beatAt = steady();
    this.broken = null;
    this.skew = wall() - time;
    this.compareClocks();
    // The log's clock agrees with ours: wherever ours has jumped to, it is right now.
    if (Math.abs(this.skew) <= this.bounds.skewMs) {
      this.jumped = false;
      this.offset = wall() - steady();
    }
    if (witnessedSize === null) return;
    this.asksForQuorum = true;
    this.witnessedSize = Math.max(this.witnessedSize, witnessedSize);
    if (this.unwitnessed !== null && this.witnessedSize >= this.unwitnessed.size) this.unwitnessed = null;
    if (size > this.witnessedSize) this.unwitnessed ??= { size, since: steady() };
  }

  /** The log has shown a checkpoint of this size, to whatever question: the stream must come to it, and the witnesses. */
  shown(size: number): void {
    const since = this.clocks.steady();
    if (size > this.streamSize) this.ahead ??= { size, since };
    if (size > this.witnessedSize) this.unwitnessed ??= { size, since };
  }

  /** A checkpoint came, and is not signed, or not consistent with those before. */
  unsound(why: string): void {
    this.broken = why;
  }

  /** Has the stream not come, for longer than its bound, to what the log has shown elsewhere? */
  get isBehind(): boolean {
    return this.ahead !== null && this.clocks.steady() - this.ahead.since > this.bounds.checkpointMs;
  }

  get health(): Health {
    const { silenceMs, checkpointMs, witnessMs, skewMs } = this.bounds;
    this.compareClocks();
    const ago = (at: number): number => this.clocks.steady() - at;
    if (this.heardAt === null || this.beatAt === null)
      return this.broken === null
        ? no("CONNECTING", "nothing has been heard of the log yet")
        : no("CHECKPOINT_INVALID", this.broken);
    if (this.broken !== null) return no("CHECKPOINT_INVALID", this.broken);
    if (ago(this.heardAt) > silenceMs)
      return no("STREAM_SILENT", `nothing was heard of the log for ${Math.round(ago(this.heardAt))} ms`);
    if (ago(this.beatAt) > checkpointMs)
      return no("CHECKPOINT_STALE", `the last sound checkpoint came ${Math.round(ago(this.beatAt))} ms ago`);
    if (this.isBehind)
      return no(
        "CHECKPOINT_STALE",
        `the log has ${this.ahead?.size} entries and its stream tells of ${this.streamSize}`,
      );
    if (this.jumped) return no("CLOCK_JUMPED", "the time of day went another way than the time that passed");
    if (Math.abs(this.skew) > skewMs)
      return no("CLOCK_SKEWED", `our clock and the log's differ by ${Math.round(this.skew)} ms`);
    if (this.asksForQuorum && this.unwitnessed !== null && ago(this.unwitnessed.since) > witnessMs)
      return no(
        "QUORUM_MISSING",
        `the log of ${this.unwitnessed.size} entries is witnessed up to ${this.witnessedSize} only`,
      );
    return { live: true };
  }

  /** GATEWAY_UNSURE unless grants can be judged now. */
  demandLive(): void {
    const { health } = this;
    if (!health.live) throw unsure(health);
  }

  private compareClocks(): void {
    const { wall, steady } = this.clocks;
    if (Math.abs(wall() - steady() - this.offset) > this.bounds.jumpMs) this.jumped = true;
  }
}

/** The error with the reason first, for programs. */
export function unsure({ reason, detail }: Health & { readonly live: false }): WritError {
  return new WritError("GATEWAY_UNSURE", `${reason}: ${detail}; every grant is unknown`, { reason });
}

function no(reason: Reason, detail: string): Health {
  return { live: false, reason, detail };
}

/** What makes a checkpoint unsound, or what it is compared with, rather than unreachable. */
export function isUnsound(error: unknown): error is Error {
  return error instanceof ProofError || (error instanceof WritError && error.code === "STATE_CORRUPT");
}
