/**
 * Long work on the main thread lets everybody else in between: it looks at the time after each piece, and when it has had the loop
 * for BREATH_MS it waits until everything else that is due was done.
 */
export const BREATH_MS = 5;

export class Breath {
  private since = performance.now();

  /** Has the loop been held for long enough? Cheap enough to be asked after every piece of some microseconds. */
  get isDue(): boolean {
    return performance.now() - this.since >= BREATH_MS;
  }

  async take(): Promise<void> {
    await new Promise(setImmediate);
    this.since = performance.now();
  }
}
