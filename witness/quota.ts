/** How often a log may ask: `qpd` of the list, spread over the day, with an hour's worth in hand. */
import { WritError } from "../src/errors.js";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Enough for a log that starts, is told a size, and tries again. */
const LEAST_IN_HAND = 10;

export class Quota {
  private readonly most: number;
  private left: number;
  private at: number;

  constructor(
    readonly perDay: number,
    private readonly now: () => number,
  ) {
    this.most = Math.max(LEAST_IN_HAND, perDay / 24);
    this.left = this.most;
    this.at = now();
  }

  /** QUOTA_EXCEEDED when nothing is left. */
  spend(origin: string): void {
    const now = this.now();
    // A clock that jumps back gives nothing and takes nothing.
    this.left = Math.min(this.most, this.left + (Math.max(0, now - this.at) * this.perDay) / DAY_MS);
    this.at = now;
    if (this.left < 1)
      throw new WritError("QUOTA_EXCEEDED", `${origin} may ask ${this.perDay} times a day, and has`);
    this.left--;
  }
}
