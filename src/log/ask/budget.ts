/**
 * The readers' budget: the one object that everything goes through that reads more than one entry. It hands out *bytes* (what is
 * read, and what is held until its asker has taken it) and *turns* (the loop, to one reader at a time), and it is asked before
 * anything is read. What does not fit is refused at once, READERS_BUSY: nobody queues for bytes.
 *
 * Bounds, whoever asks and however often: all readers together hold at most `bytes`, one asker a quarter of that, and every
 * asker has the first FIRST_BYTES of a lease or none. A reader has the loop for SLICE_MS and then waits until everybody else was
 * served: askers take turns, however many leases each has, and between two turns the loop does whatever else there is to do; while
 * statements wait to be logged, that is given time.
 */
import { WritError } from "../../errors.js";

/** What work on an answer costs: given by whoever asks for it, charged by whoever reads. */
export interface Cost {
  /** Takes so many bytes more. READERS_BUSY when there are none. */
  charge(bytes: number): void;
  /** Gives back what is no longer held. */
  credit(bytes: number): void;
  /** To be awaited before each piece of work of a few milliseconds. */
  turn(): Promise<void>;
}

/** For those who ask for themselves, in a process of their own. */
export const FREE: Cost = { charge() {}, credit() {}, async turn() {} };

/** Bytes of all readers together. */
export const READING_BYTES = 128 * 1024 * 1024;
/** What one asker may have of it. */
export const ASKER_SHARE = 1 / 4;
/** What a lease has from the beginning: most answers need no more. */
export const FIRST_BYTES = 1024 * 1024;
/** Milliseconds between two turns while somebody's statements are waiting to be logged. */
const PRESSED_MS = 6;
/** Milliseconds of the loop that a reader has at a time. */
const SLICE_MS = 2;

/** Look-ups of one reader that are under way at once: the store's threads are everybody's, and a commit waits for them, too. */
const LOOKUPS = 8;

/** Reads a few at a time, with a turn before each few. */
export async function inTurns<T, R>(
  all: readonly T[],
  cost: Cost,
  read: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < all.length; at += LOOKUPS) {
    await cost.turn();
    results.push(...(await Promise.all(all.slice(at, at + LOOKUPS).map(read))));
  }
  return results;
}

export class Budget {
  private readonly turns: Turns;
  private readonly held = new Map<string, number>();
  private total = 0;

  /** `bytes`: that all readers together may hold; `isPressed`: is anybody waiting who goes before readers? */
  constructor(
    readonly bytes: number = READING_BYTES,
    isPressed: () => boolean = () => false,
  ) {
    this.turns = new Turns(isPressed);
  }

  /** A lease for one answer. READERS_BUSY when too much is being read, or too much for this asker. */
  lease(asker: string): Lease {
    this.take(asker, FIRST_BYTES);
    return new Lease(this, asker);
  }

  /** Bytes that are held now, of one asker or of all. */
  holds(asker?: string): number {
    return asker === undefined ? this.total : (this.held.get(asker) ?? 0);
  }

  take(asker: string, bytes: number): void {
    const own = this.holds(asker);
    if (own + bytes > this.bytes * ASKER_SHARE)
      throw busy(`you hold ${own} of the ${this.bytes * ASKER_SHARE} bytes that one asker may`);
    if (this.total + bytes > this.bytes) throw busy(`${this.total} of ${this.bytes} bytes are being read`);
    this.held.set(asker, own + bytes);
    this.total += bytes;
  }

  give(asker: string, bytes: number): void {
    const own = this.holds(asker) - bytes;
    if (own > 0) this.held.set(asker, own);
    else this.held.delete(asker);
    this.total -= bytes;
  }

  /** Resolves when it is this asker's turn. */
  turn(asker: string): Promise<void> {
    return this.turns.next(asker);
  }
}

/** What one answer may cost, until it is released. */
export class Lease implements Cost {
  private used = 0;
  private reserved = FIRST_BYTES;
  private since = Number.NEGATIVE_INFINITY;
  private isOver = false;

  constructor(
    private readonly budget: Budget,
    readonly asker: string,
  ) {}

  charge(bytes: number): void {
    if (this.isOver) throw new WritError("READERS_BUSY", "whoever asked is gone");
    const more = this.used + bytes - this.reserved;
    if (more > 0) {
      this.budget.take(this.asker, more);
      this.reserved += more;
    }
    this.used += bytes;
  }

  credit(bytes: number): void {
    if (this.isOver) return;
    this.used -= bytes;
    const spare = this.reserved - Math.max(this.used, FIRST_BYTES);
    if (spare <= 0) return;
    this.budget.give(this.asker, spare);
    this.reserved -= spare;
  }

  /** The work is done: what is held from here on is the answer, of so many bytes. */
  settle(bytes: number): void {
    this.charge(bytes);
    this.credit(this.used - bytes);
  }

  async turn(): Promise<void> {
    if (performance.now() - this.since < SLICE_MS) return;
    await this.budget.turn(this.asker);
    this.since = performance.now();
  }

  /** Gives everything back. */
  release(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.budget.give(this.asker, this.reserved);
  }
}

/** Who waits for the loop: each round of it serves one, and askers in turn; while writers wait, one every few milliseconds. */
class Turns {
  private readonly waiting = new Map<string, (() => void)[]>();
  private isRunning = false;

  constructor(private readonly isPressed: () => boolean) {}

  next(asker: string): Promise<void> {
    return new Promise((resolve) => {
      const queue = this.waiting.get(asker);
      if (queue === undefined) this.waiting.set(asker, [resolve]);
      else queue.push(resolve);
      if (this.isRunning) return;
      this.isRunning = true;
      setImmediate(() => this.serve());
    });
  }

  private serve(): void {
    const [first] = this.waiting;
    if (first === undefined) {
      this.isRunning = false;
      return;
    }
    const [asker, queue] = first;
    // To the end of the line, behind everybody else who asks.
    this.waiting.delete(asker);
    const resolve = queue.shift();
    if (queue.length > 0) this.waiting.set(asker, queue);
    resolve?.();
    if (this.isPressed()) setTimeout(() => this.serve(), PRESSED_MS);
    else setImmediate(() => this.serve());
  }
}

/** What was refused for want of somebody else's room is made again, by whoever still has some. */
export async function unlessBusy<T>(error: unknown, make: () => Promise<T>): Promise<T> {
  if (error instanceof WritError && error.code === "READERS_BUSY") return make();
  throw error;
}

function busy(why: string): WritError {
  return new WritError("READERS_BUSY", `too much is being read at once: ${why}; try again in a moment`);
}
