/**
 * Following a log as somebody who does not trust it, one pass at a time: its checkpoint against all that was seen before,
 * each new entry against the root and the rules, the same against what witnesses and mirrors hold, and all of it reported.
 */
import { sha256 } from "#crypto";
import { isRefusal } from "../client/transport.js";
import { ProofError } from "../errors.js";
import { toBase64 } from "../format/base64.js";
import { fromUtf8, toHex } from "../format/bytes.js";
import { verifySignatures } from "../format/cosignature.js";
import { parseNote } from "../format/note.js";
import { formatTlogProof } from "../format/tlog-proof.js";
import { readTraceEntry, type TraceEntry } from "../trace/entry.js";
import type { Match } from "./events.js";
import { passes } from "../trace/filter.js";
import type { Policy } from "../format/policy.js";
import { Gossip } from "./gossip.js";
import { History } from "./history.js";
import { Intake } from "./intake.js";
import { unjustifiedLists } from "./lists.js";
import type { AboutLog } from "./log-reader.js";
import { isUnreachable, messageOf, type MonitorParts, type Seen, STALE_MS, timeText } from "./parts.js";
import { Reporter } from "./reporter.js";
import { sampled, unjustified } from "./status.js";

export type { MonitorParts } from "./parts.js";

/** What a log showed. */
export interface Sight {
  readonly size: number;
  /** Names of the policy's witnesses. */
  readonly cosignedBy: readonly string[];
  /** The size that it showed before, where this is less: a copy that lags behind; null where it is not. */
  readonly before: number | null;
}

/** Entries that are held against the filters at a time. */
const STRETCH = 256;

export class Monitor {
  private readonly reporter: Reporter;
  private readonly history: History;
  private readonly intake: Intake;
  private readonly gossip: Gossip;
  private lastSeen: Sight | string = "it was not asked yet";
  private wasHeard = false;
  /** What the log says of itself; null where it answers no questions. */
  private about: AboutLog | null = null;

  constructor(private readonly parts: MonitorParts) {
    this.reporter = new Reporter(parts);
    this.history = new History(parts, this.reporter);
    this.intake = new Intake(parts, this.reporter);
    this.gossip = new Gossip(parts, this.history, this.reporter);
  }

  /** What the last pass saw of the log; why nothing, where nothing could be read. */
  get seen(): Sight | string {
    return this.lastSeen;
  }

  /** What nobody could be asked about in the last pass. */
  get unchecked(): readonly string[] {
    const { about, parts, gossip } = this;
    const { untimedTo } = parts.state;
    const rules = about === null && parts.mirror.keys === null ? ["its rules"] : [];
    const times =
      untimedTo > 0 ? [`times of the ${untimedTo.toLocaleString("en")} entries that came without`] : [];
    return [...rules, ...(about === null ? ["times", "status"] : times), ...gossip.unheard];
  }

  /** Does nothing that was found stand, in this pass or for good? */
  get clean(): boolean {
    return this.reporter.clean;
  }

  /**
   * One look at everything. False when there are more entries to take in than one pass has time for. Throws only what is
   * no fault of the log or of others: our own disk, a bug.
   */
  async pass(): Promise<boolean> {
    const { saveState } = this.parts;
    this.reporter.begin();
    const { shown, done } = await this.follow();
    this.wasHeard = shown !== null && typeof this.lastSeen !== "string";
    await this.gossip.ask(shown);
    await this.history.settle();
    await this.alert();
    await this.status();
    await this.listen();
    this.reporter.end();
    await saveState();
    return done;
  }

  async close(): Promise<void> {
    await this.gossip.close();
  }

  /** The log's own checkpoint: verified, compared with all that was seen, its entries taken in. */
  private async follow(): Promise<{ readonly shown: Seen | null; readonly done: boolean }> {
    const { reader, state, now } = this.parts;
    const askedAt = now();
    const shown = await this.shown();
    if (shown === null) return { shown, done: true };
    await this.demandCosignatures(shown);
    let done = true;
    try {
      // Before it is asked for anything that it could refuse: what it has signed is compared, and kept.
      const agrees = await this.history.agrees(shown, "the log");
      if (agrees) await this.history.remember(shown, "the log");
      this.about = await reader.about();
      await this.demandAnswers();
      await this.demandFresh(shown);
      if (agrees) done = await this.advance(shown, (path) => reader.tile(path));
      await this.demandPolicy();
    } catch (error) {
      // It gave a checkpoint and not what belongs to it: silence, if it goes on; and nothing was seen to be clean.
      if (!isUnreachable(error) && !isRefusal(error)) throw error;
      this.lastSeen = `its checkpoint was had, and not all that belongs to it: ${messageOf(error)}`;
      this.reporter.keepStanding("inconsistent");
      this.reporter.keepStanding("entries-differ");
      return { shown, done };
    }
    state.heardAt = now();
    state.failedSince = 0;
    // What an old copy does not have may have been there long ago.
    if (state.staleSince === 0) state.seen = { size: shown.checkpoint.size, at: askedAt };
    return { shown, done };
  }

  /** Whoever answered questions once, and does not now, has something to hide, or is ill. */
  private async demandAnswers(): Promise<void> {
    const { state } = this.parts;
    if (this.about === null && state.asks)
      await this.reporter.find(
        "silence",
        "questions",
        "it answered about times and status before, and does not now: there are only its tiles (if this is another server than before, give it a --state of its own)",
      );
    state.asks ||= this.about !== null;
  }

  /** A log of ours begins with its policy. One that answered no questions at first was taken for one of another make. */
  private async demandPolicy(): Promise<void> {
    const { mirror } = this.parts;
    if (this.about !== null && mirror.size > 0 && mirror.keys === null)
      await this.reporter.find(
        "entry-invalid",
        "0",
        "entry 0: it is not the log's policy, though it answers questions as a log of ours does",
        { index: 0 },
      );
  }

  /** A log that renews its cosignatures and shows old ones is frozen, or somebody shows us an old copy of it. */
  private async demandFresh({ note }: Seen): Promise<void> {
    const { policy, now, silenceMs, state } = this.parts;
    // What it said once it is held to: nothing but its own word for it is there.
    state.renewedMs = this.about?.renewedMs ?? state.renewedMs;
    const { renewedMs } = state;
    const newest = Math.max(0, ...cosignedAt(note, policy).values());
    if (renewedMs === 0 || newest === 0 || now() - newest <= renewedMs + silenceMs) return;
    await this.reporter.find(
      "unwitnessed",
      "frozen",
      `its newest cosignature is of ${timeText(newest)}, and it says that it renews them after ${renewedMs / 1000} s: nobody can tell "nothing new" from "frozen"`,
    );
  }

  private async shown(): Promise<Seen | null> {
    let note: Uint8Array;
    try {
      note = await this.parts.reader.checkpoint();
    } catch (error) {
      this.lastSeen = messageOf(error);
      if (isUnreachable(error)) return null;
      await this.reporter.find("checkpoint-invalid", "", messageOf(error));
      return null;
    }
    try {
      const seen = this.history.open(note);
      const { size } = seen.checkpoint;
      const before = (await this.history.kept())?.checkpoint.size ?? 0;
      this.lastSeen = { size, cosignedBy: this.cosignersOf(seen), before: before > size ? before : null };
      return seen;
    } catch (error) {
      this.lastSeen = messageOf(error);
      await this.reporter.find("checkpoint-invalid", "", messageOf(error));
      return null;
    }
  }

  /** The names of the policy's witnesses whose lines are under it, and verify. */
  private cosignersOf({ note }: Seen): string[] {
    const witnesses = this.parts.policy?.witnesses ?? [];
    return witnesses.flatMap(({ name, key }) => {
      try {
        return verifySignatures(parseNote(note), [key]).length > 0 ? [name] : [];
      } catch {
        return [];
      }
    });
  }

  private async advance(shown: Seen, tile: (path: string) => Promise<Uint8Array>): Promise<boolean> {
    const { mirror } = this.parts;
    const { size } = shown.checkpoint;
    if (size > mirror.size)
      return (await this.history.extends(shown, "the log", tile, true)) ? this.takeIn(shown) : true;
    const kept = await this.history.kept();
    if (kept !== null && size < kept.checkpoint.size) await this.wentBack(shown, kept);
    else {
      this.parts.state.staleSince = 0;
      // After a crash the mirror may be ahead of the checkpoint that was kept.
      if (size === mirror.size) await this.parts.kept.save(shown.note);
    }
    return true;
  }

  /** Less than it showed before: an old copy, of a cache or a follower; unless it lasts, or was cosigned later than more was. */
  private async wentBack(shown: Seen, kept: Seen): Promise<void> {
    const { state, now, policy } = this.parts;
    if (state.staleSince === 0) state.staleSince = now();
    // One witness, twice: the clocks of two may differ.
    const before = cosignedAt(kept.note, policy);
    const isLater = [...cosignedAt(shown.note, policy)].some(
      ([witness, time]) => time > (before.get(witness) ?? Number.POSITIVE_INFINITY),
    );
    if (!isLater && now() - state.staleSince <= STALE_MS && !this.reporter.stands("rollback", "")) return;
    const sizes = `it shows ${shown.checkpoint.size} entries, and showed ${kept.checkpoint.size} before`;
    const why = isLater
      ? "and this was cosigned after that was"
      : `since ${timeText(state.staleSince)}, too long for a copy that lags behind`;
    await this.reporter.find("rollback", "", `${sizes}, ${why}`);
  }

  private async takeIn(shown: Seen): Promise<boolean> {
    const { mirror } = this.parts;
    const before = mirror.size;
    this.parts.state.staleSince = 0;
    const whole = await this.intake.takeIn(shown, this.about);
    // Without any progress there is nothing to hurry back for.
    return whole || mirror.size === before;
  }

  /** A line by a known witness that does not verify: such a note is malformed. */
  private async demandCosignatures({ note }: Seen): Promise<void> {
    const witnesses = (this.parts.policy?.witnesses ?? []).map(({ key }) => key);
    try {
      verifySignatures(parseNote(note), witnesses);
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      await this.reporter.find("checkpoint-invalid", "cosignature", error.message);
    }
  }

  /** New entries held against the filters, each match with its proof. */
  private async alert(): Promise<void> {
    const { mirror, state, report, saveState } = this.parts;
    const kept = await this.history.kept();
    if (kept === null) return;
    const size = Math.min(kept.checkpoint.size, mirror.size);
    while (state.alertedTo < size) {
      const start = state.alertedTo;
      const end = Math.min(start + STRETCH, size);
      const entries = (await mirror.store.entries(start, end)).map((stored, i) =>
        readTraceEntry(start + i, stored, null),
      );
      await report(await this.matches(entries, kept));
      if (this.about !== null) await this.judgeStatus(await unjustified(this.parts, entries, size));
      state.alertedTo = end;
      await saveState();
    }
  }

  private async matches(entries: readonly TraceEntry[], kept: Seen): Promise<Match[]> {
    const { filters, key, now, mirror } = this.parts;
    const found: Match[] = [];
    for (const entry of entries)
      for (const { text } of filters.filter((filter) => passes(filter, entry))) {
        const hashes = await mirror.inclusion(entry.index, kept.checkpoint.size);
        const proof = formatTlogProof({ extra: null, index: entry.index, hashes, checkpoint: kept.note });
        found.push({
          type: "match",
          alert: text,
          log: key.name,
          at: timeText(now()),
          index: entry.index,
          entry_hash: `sha256:${toHex(sha256(entry.stored))}`,
          record_id: entry.id,
          record: entry.record?.value ?? null,
          statement: toBase64(entry.stored),
          proof: fromUtf8(proof) ?? "",
        });
      }
    return found;
  }

  /** What the log says of some records that are there already: it may have changed its word. */
  private async status(): Promise<void> {
    const kept = await this.history.kept();
    if (kept === null || this.about === null) return;
    const size = Math.min(kept.checkpoint.size, this.parts.mirror.size);
    await this.judgeStatus(await sampled(this.parts, size));
    await this.judgeStatus(await unjustifiedLists(this.parts));
  }

  private async judgeStatus(
    found: readonly { readonly name: string; readonly detail: string }[],
  ): Promise<void> {
    for (const { name, detail } of found) await this.reporter.find("status-unjustified", name, detail);
  }

  private async listen(): Promise<void> {
    const { state, silenceMs, now, key } = this.parts;
    if (state.heardAt === 0) state.heardAt = now();
    if (!this.wasHeard && state.failedSince === 0) state.failedSince = now();
    // From the first look that failed: between two looks nobody asked.
    if (state.failedSince > 0 && now() - state.failedSince > silenceMs)
      await this.reporter.find(
        "silence",
        "log",
        `nothing that verifies has been had from ${key.name} since ${timeText(state.heardAt)}`,
      );
    await this.gossip.listen();
  }
}

/** When each witness of the policy cosigned a note, by its line in the policy: milliseconds since 1970, of the lines that verify. */
function cosignedAt(note: Uint8Array, policy: Policy | null): ReadonlyMap<string, number> {
  const parsed = parseNote(note);
  const times = new Map<string, number>();
  for (const { name, key } of policy?.witnesses ?? [])
    try {
      for (const { time } of verifySignatures(parsed, [key]))
        if (time !== null) times.set(name, Number(time) * 1000);
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
    }
  return times;
}
