/**
 * The log's clock, one for every question. It never goes back behind the newest entry, and it does not believe a leap: a reading
 * that is more than a minute further on than a steady clock went since the last commit is somebody's mistake, and what is logged
 * under it can never be taken back. Until the clock is right, or the operator says that it is, nothing is logged: CLOCK_LEAPT.
 */
import { uptime } from "node:os";
import { WritError } from "../errors.js";

/** How far a reading may run ahead, in milliseconds. */
export const LEAP_MS = 60_000;

export interface ClockOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Milliseconds from some moment on, that counts while the machine sleeps; `os.uptime` unless given, or where `now` is given, that. */
  readonly steady?: () => number;
  /** The operator says that it is right. */
  readonly acceptClock?: boolean;
  /** Told once of each time that it leaps, and once when it is right again. */
  readonly onClock?: (leaptByMs: number | null) => void;
}

export class LogClock {
  private readonly now: () => number;
  private readonly steady: () => number;
  /** Readings of both clocks at the last commit, or the start. */
  private base: { readonly wall: number; readonly steady: number };
  private isTold = false;

  /** `newest`: when the newest entry came in. */
  constructor(
    private readonly options: ClockOptions,
    private newest: number,
  ) {
    const { now = Date.now } = options;
    this.now = now;
    this.steady = options.steady ?? (options.now === undefined ? () => uptime() * 1000 : now);
    this.base = { wall: this.now(), steady: this.steady() };
  }

  /** The time of what is logged next. CLOCK_LEAPT. */
  next(): number {
    const leap = this.leap();
    if (leap !== null)
      throw new WritError(
        "CLOCK_LEAPT",
        `the log's clock leapt ahead by ${Math.round(leap / 1000)} s, and nothing is logged under a time that may be wrong; once it is right this goes on by itself, or the operator starts the log with --accept-clock`,
      );
    return Math.max(this.now(), this.newest);
  }

  /** What was logged came in at this time. */
  committed(time: number): void {
    this.newest = time;
    const steady = this.steady();
    // A clock that went back and comes back to where it would be has not leapt.
    const wall = Math.max(this.now(), this.base.wall + steady - this.base.steady);
    this.base = { wall, steady };
  }

  /** The time that every question is answered by: of a leap, what the steady clock makes of it. */
  get time(): number {
    const wall = this.leap() === null ? this.now() : this.base.wall + this.steady() - this.base.steady;
    return Math.max(wall, this.newest);
  }

  /** How far the newest entry is ahead of the clock, in milliseconds; negative when it is behind, as it should be. */
  get ahead(): number {
    return this.newest - this.now();
  }

  /** By how much it leapt; null when it did not. */
  private leap(): number | null {
    const { acceptClock, onClock } = this.options;
    if (acceptClock === true) return null;
    const leap = this.now() - this.base.wall - (this.steady() - this.base.steady);
    const isLeap = leap > LEAP_MS;
    if (isLeap !== this.isTold) {
      this.isTold = isLeap;
      onClock?.(isLeap ? leap : null);
    }
    return isLeap ? leap : null;
  }
}

/** CLOCK_BEHIND when the newest entry came in more than a minute after now: nothing could be told apart from the future. */
export function demandClock(newest: number, { now = Date.now, acceptClock = false }: ClockOptions): void {
  const ahead = newest - now();
  if (acceptClock || ahead <= LEAP_MS) return;
  throw new WritError(
    "CLOCK_BEHIND",
    `the newest entry came in at ${new Date(newest).toISOString()}, ${Math.round(ahead / 1000)} s after what the clock says now: either the clock is wrong now, or it was then. What is logged from here on would have that time until the clock comes up to it, and grants may have ended by it. Set the clock; or start with --accept-clock`,
  );
}
