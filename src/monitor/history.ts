/**
 * One history: everything that the log has signed, whoever showed it, has to go together with what it shows us. What goes
 * beyond the mirror is kept until the mirror is there.
 */
import { emptyRoot, type Hash, sameHash, verifyConsistency } from "../../merkle/index.js";
import { prefixProof } from "../client/tile-proof.js";
import { isRefusal } from "../client/transport.js";
import { ProofError, WritError } from "../errors.js";
import { fromUtf8, utf8 } from "../format/bytes.js";
import { openCheckpoint } from "../format/cosignature.js";
import { type Evidence, forkEvidence } from "../format/evidence.js";
import { formatNote } from "../format/note.js";
import { isLineOf } from "../format/vkey.js";
import { isUnreachable, type MonitorParts, type Seen } from "./parts.js";
import type { Reporter } from "./reporter.js";

/** Of one showing the oldest are kept: a fork is a fork from its first checkpoint on. */
const MAX_SIGHTINGS = 64;

/** Fetches a path of somebody's tile interface. */
export type Tiles = (path: string) => Promise<Uint8Array>;

export class History {
  constructor(
    private readonly parts: MonitorParts,
    private readonly reporter: Reporter,
  ) {}

  /** The checkpoint in a note that the log has signed; whoever else's lines are under it. ProofError, WritError. */
  open(note: Uint8Array): Seen {
    return { note, checkpoint: openCheckpoint(note, this.parts.key).checkpoint };
  }

  /** The newest checkpoint whose entries are in the mirror; null when it was lost. */
  async kept(): Promise<Seen | null> {
    const note = await this.parts.kept.load();
    return note === null ? null : this.open(note);
  }

  /**
   * Does it go together with all that was seen? What `who` shows is compared with the mirror as far as that reaches, and
   * with what others showed of the same size; a fork is reported. True when nothing speaks against it.
   */
  async agrees(seen: Seen, who: string): Promise<boolean> {
    const { mirror } = this.parts;
    const { size, root } = seen.checkpoint;
    if (size === 0 && !sameHash(root, emptyRoot())) {
      await this.forked(
        who,
        forkEvidence(seen.note, seen.note),
        `${who} shows a root of the empty tree that it cannot have`,
      );
      return false;
    }
    if (size <= mirror.size) return size === 0 || this.agreesWithMirror(seen, who);
    for (const other of this.sightings())
      if (other.checkpoint.size === size && !sameHash(other.checkpoint.root, root)) {
        await this.forked(
          who,
          forkEvidence(other.note, seen.note),
          `${who} shows another tree of ${size} entries than ${other.who}`,
        );
        return false;
      }
    return true;
  }

  /** Remembers what the mirror has not reached, for good, before anything else is asked. */
  async remember({ note, checkpoint }: Seen, who: string): Promise<void> {
    const { mirror, state, saveState } = this.parts;
    if (checkpoint.size <= mirror.size) return;
    const text = fromUtf8(this.bare(note)) ?? "";
    if (state.sightings.some((one) => one.note === text)) return;
    // The newest of those that are there already gives way: the oldest prove the most.
    if (state.sightings.length >= MAX_SIGHTINGS) state.sightings.pop();
    state.sightings.push({ who, note: text });
    await saveState();
  }

  /** Holds what was seen before against the mirror, where that has come so far. */
  async settle(): Promise<void> {
    const { mirror, state } = this.parts;
    const reached = this.sightings().filter(({ checkpoint }) => checkpoint.size <= mirror.size);
    for (const seen of reached) await this.agreesWithMirror(seen, seen.who);
    const left = this.sightings().filter(({ checkpoint }) => checkpoint.size > mirror.size);
    state.sightings = left.map(({ who, note }) => ({ who, note: fromUtf8(note) ?? "" }));
  }

  /**
   * Does a larger tree extend the mirror? By the consistency proof of the log, or by anybody's tiles. False when it does not
   * or cannot be shown to, which is reported; throws when nothing could be asked.
   */
  async extends(seen: Seen, who: string, tiles: Tiles, ask: boolean): Promise<boolean> {
    const { mirror, reader } = this.parts;
    const { size, root } = seen.checkpoint;
    if (mirror.size === 0) return true;
    if (ask)
      try {
        const hashes = await reader.consistency(mirror.size, size);
        verifyConsistency(mirror.size, size, hashes, await mirror.root(mirror.size), root);
        return true;
      } catch (error) {
        if (!(error instanceof ProofError) && !isRefusal(error)) throw error;
      }
    // It could not or would not: do the tiles prove that the older history has no place in the newer?
    const before = await this.kept();
    const from = before?.checkpoint.size ?? mirror.size;
    try {
      const { prefixRoot, hashes } = await prefixProof(tiles, from, size, root);
      if (before !== null && from > 0 && !sameHash(prefixRoot, before.checkpoint.root)) {
        const evidence = { kind: "fork", older: before.note, newer: seen.note, prefixRoot, hashes } as const;
        await this.forked(
          who,
          evidence,
          `${who} shows a tree of ${size} entries that does not begin with that of ${from}`,
        );
        return false;
      }
      // The proof is in the tiles, if not at the path for it.
      if (from === mirror.size && sameHash(prefixRoot, await mirror.root(from))) return true;
    } catch (error) {
      if (!(error instanceof ProofError || error instanceof WritError) || isUnreachable(error)) throw error;
    }
    if (ask)
      await this.reporter.find(
        "inconsistent",
        who,
        `${who} cannot show that its checkpoint of ${size} entries extends that of ${from}`,
      );
    return false;
  }

  private async agreesWithMirror(seen: Seen, who: string): Promise<boolean> {
    const { mirror } = this.parts;
    const { size, root } = seen.checkpoint;
    if (sameHash(await mirror.root(size), root)) return true;
    const before = await this.kept();
    const ours = before?.checkpoint.size ?? 0;
    const what = `${who} shows another tree of ${size} entries than the log showed us`;
    if (before === null || size > ours) await this.reporter.find("inconsistent", who, what);
    else if (size === ours) await this.forked(who, forkEvidence(before.note, seen.note), what);
    else {
      const prefixRoot: Hash = await mirror.root(size);
      const hashes = await mirror.consistency(size, ours);
      await this.forked(
        who,
        { kind: "fork", older: seen.note, newer: before.note, prefixRoot, hashes },
        what,
      );
    }
    return false;
  }

  /** While somebody goes on with a second history the proof would grow; it is one fork all the same. */
  private async forked(who: string, evidence: Evidence, what: string): Promise<void> {
    if (this.reporter.stands("fork", who)) return;
    const { older, newer } = evidence;
    const file = await this.parts.keepEvidence({
      ...evidence,
      older: this.bare(older),
      newer: this.bare(newer),
    });
    await this.reporter.find("fork", who, `${what}; both are signed by the log`, { evidence: file });
  }

  /** The note with the log's own line only: nothing that somebody puts beside it can spoil the proof. */
  private bare(note: Uint8Array): Uint8Array {
    const { key } = this.parts;
    const { text, signatures } = openCheckpoint(note, key).note;
    return formatNote({ text, signatures: signatures.filter((line) => isLineOf(key, line)) });
  }

  private sightings(): (Seen & { readonly who: string })[] {
    return this.parts.state.sightings.map(({ who, note }) => ({ who, ...this.open(utf8(note)) }));
  }
}
