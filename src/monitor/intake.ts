/** Taking new entries in: each stretch shown to be under the signed root, judged by the log's own rules, then committed. */
import { type Hash, sameHash, verifyConsistency } from "../../merkle/index.js";
import { prefixProof } from "../client/tile-proof.js";
import { isRefusal } from "../client/transport.js";
import { ProofError } from "../errors.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { seeCheckpoint } from "../format/trusted.js";
import type { AboutLog } from "./log-reader.js";
import { type MonitorParts, type Seen, SKEW_MS, timeText } from "./parts.js";
import type { Reporter } from "./reporter.js";

/** Entries of one stretch. */
const STRETCH = 1024;

export class Intake {
  constructor(
    private readonly parts: MonitorParts,
    private readonly reporter: Reporter,
  ) {}

  /** True when the mirror has all of it; false when the time of this pass is over, or the entries are not those of the root. */
  async takeIn(shown: Seen, about: AboutLog | null): Promise<boolean> {
    const { mirror, kept, progress, budgetMs } = this.parts;
    const { size } = shown.checkpoint;
    const until = performance.now() + budgetMs;
    while (mirror.size < size) {
      const entries = await this.stretch(size);
      if (!(await this.areUnder(entries, shown.checkpoint))) return false;
      await this.judge(entries, shown, about);
      progress?.(mirror.size, size);
      if (mirror.size < size && performance.now() > until) return false;
    }
    if (size === mirror.size) await kept.save(shown.note);
    return true;
  }

  private async stretch(size: number): Promise<Uint8Array[]> {
    const { mirror, reader } = this.parts;
    const entries: Uint8Array[] = [];
    while (entries.length < STRETCH && mirror.size + entries.length < size)
      entries.push(...(await reader.entries(mirror.size + entries.length, size)));
    return entries;
  }

  private async areUnder(entries: readonly Uint8Array[], { size, root }: Checkpoint): Promise<boolean> {
    const { mirror } = this.parts;
    const [start, end] = [mirror.size, mirror.size + entries.length];
    const what = `the entries [${start}, ${end})`;
    const rebuilt = await mirror.rootWith(entries);
    try {
      if (end === size) {
        if (!sameHash(rebuilt, root)) throw new ProofError("another root");
      } else await this.demandPrefix(end, rebuilt, size, root);
      return true;
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
    }
    await this.reporter.find(
      "entries-differ",
      String(start),
      `${what} are not those of its checkpoint of ${size}`,
    );
    return false;
  }

  /** ProofError unless the tree of `size` begins with that of `end`: by the log's own proof, or else by its tiles. */
  private async demandPrefix(end: number, rebuilt: Hash, size: number, root: Hash): Promise<void> {
    const { reader } = this.parts;
    try {
      verifyConsistency(end, size, await reader.consistency(end, size), rebuilt, root);
      return;
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    const { prefixRoot } = await prefixProof((path) => reader.tile(path), end, size, root);
    if (!sameHash(prefixRoot, rebuilt)) throw new ProofError("another root");
  }

  /** `about`: null where nobody can be asked when an entry came. */
  private async judge(entries: readonly Uint8Array[], shown: Seen, about: AboutLog | null): Promise<void> {
    const { mirror, reader } = this.parts;
    const start = mirror.size;
    const told = about === null ? null : await reader.times(start, start + entries.length);
    if (told !== null) await this.judgeClock(start, told, shown, about);
    let last = mirror.receivedAt;
    const times = told?.map((time) => (last = Math.max(last, time))) ?? null;
    const { faults, commit } = await mirror.judged(entries, times);
    // Reported first: a crash between the two reports them again, and never loses them.
    for (const { index, why } of faults)
      await this.reporter.find("entry-invalid", String(index), `entry ${index}: ${why}`, { index });
    if (told === null) this.parts.state.untimedTo = start + entries.length;
    await this.parts.saveState();
    await commit();
  }

  private async judgeClock(
    start: number,
    told: readonly number[],
    shown: Seen,
    about: AboutLog | null,
  ): Promise<void> {
    const { mirror, state, now } = this.parts;
    const at = (i: number): { readonly index: number } => ({ index: start + i });
    const back = told.findIndex((time, i) => time < (i === 0 ? mirror.receivedAt : (told[i - 1] ?? 0)));
    if (back >= 0)
      await this.reporter.find(
        "clock",
        `back/${start + back}`,
        `the log's clock goes back at entry ${start + back}`,
        at(back),
      );
    const ahead = told.findIndex((time) => time > now() + SKEW_MS);
    if (ahead >= 0)
      await this.reporter.find(
        "clock",
        `ahead/${start + ahead}`,
        `entry ${start + ahead} is said to come at ${timeText(told[ahead] ?? 0)}, which has not been yet`,
        at(ahead),
      );
    // What was not there when we looked cannot have been there before we looked.
    const early = told.findIndex((time, i) => start + i >= state.seen.size && time < state.seen.at - SKEW_MS);
    if (early < 0 || state.seen.at === 0) return;
    // A log that shows nothing before it is witnessed takes entries in before it shows them. Its word alone is not enough.
    const excuse = about?.waitsForWitnesses === true;
    if (excuse && this.isWitnessed(shown)) return;
    const word = excuse
      ? " (it says that it shows nothing before its witnesses have come; a policy would tell)"
      : "";
    await this.reporter.find(
      "backdated",
      String(start + early),
      `entry ${start + early} is said to have come at ${timeText(told[early] ?? 0)}, and was not there at ${timeText(state.seen.at)}${word}`,
      at(early),
    );
  }

  private isWitnessed({ note }: Seen): boolean {
    const { policy } = this.parts;
    try {
      return policy !== null && seeCheckpoint(note, policy).quorum === true;
    } catch (error) {
      if (error instanceof ProofError) return false;
      throw error;
    }
  }
}
