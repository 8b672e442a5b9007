/**
 * Stage 2, waiting: what has been taken in and not yet answered, counted in entries and bytes. The counts bound the
 * log's memory under any load: whoever comes when the pool is full is told so at once, not queued.
 */
import { WritError } from "../../errors.js";

export interface PoolLimits {
  readonly entries: number;
  readonly bytes: number;
}

export class Pool {
  private entries = 0;
  private bytes = 0;
  private closed = false;
  private whenEmpty: (() => void)[] = [];

  constructor(readonly limits: PoolLimits) {}

  /** Takes room for a submission; the returned function gives it back, once. POOL_FULL when there is none, SHUTTING_DOWN after `close`. */
  take(entries: number, bytes: number): () => void {
    if (this.closed) throw new WritError("SHUTTING_DOWN", "the log is shutting down");
    // A submission larger than the whole pool still gets in when nothing else is there.
    const full = this.entries + entries > this.limits.entries || this.bytes + bytes > this.limits.bytes;
    if (full && this.entries > 0) {
      throw new WritError(
        "POOL_FULL",
        `${this.entries} entries (${this.bytes} bytes) are waiting, of at most ${this.limits.entries} (${this.limits.bytes} bytes)`,
      );
    }
    this.entries += entries;
    this.bytes += bytes;
    return () => {
      this.entries -= entries;
      this.bytes -= bytes;
      if (this.entries === 0) this.wakeAll();
    };
  }

  /** Is anything waiting? */
  get isWaiting(): boolean {
    return this.entries > 0;
  }

  /** Takes nothing more; resolves when nothing is waiting. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.entries > 0) await new Promise<void>((resolve) => this.whenEmpty.push(resolve));
  }

  private wakeAll(): void {
    const waiting = this.whenEmpty;
    this.whenEmpty = [];
    for (const wake of waiting) wake();
  }
}
