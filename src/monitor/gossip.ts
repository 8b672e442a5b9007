/** What witnesses and mirrors hold for the same origin: all of it has to be one history, and enough of them have to keep up. */
import { Agent } from "undici";
import { ProofError, WritError } from "../errors.js";
import { verifySignatures } from "../format/cosignature.js";
import { parseNote } from "../format/note.js";
import { policyOfKey, quorumMet } from "../format/policy.js";
import type { History } from "./history.js";
import { type MonitorParts, type Seen, timeText } from "./parts.js";
import { askPeer, fetchFromPeer, type Peer, peersOf } from "./peers.js";
import type { Reporter } from "./reporter.js";

export class Gossip {
  private readonly agent = new Agent({ connections: 2 });
  private readonly peers: readonly Peer[];

  constructor(
    private readonly parts: MonitorParts,
    private readonly history: History,
    private readonly reporter: Reporter,
  ) {
    const policy = parts.policy ?? policyOfKey(parts.key);
    this.peers = peersOf(parts.key.name, policy, parts.mirrors, parts.witnessAt);
  }

  /** Witnesses that have cosigned what the log shows, and hold nothing where they were asked: in words, of the last pass. */
  unheard: readonly string[] = [];

  /** `shown`: what the log itself shows now; null when it showed nothing. */
  async ask(shown: Seen | null): Promise<void> {
    const { state, now } = this.parts;
    const answers = await Promise.all(
      this.peers.map(async (peer) => ({ peer, answer: await askPeer(peer, this.agent) })),
    );
    /** By witness of the policy: the largest size that it is seen to have cosigned. */
    const sizes = new Map<string, number>();
    if (shown !== null) this.count(shown, sizes);
    const cosigned = new Set(sizes.keys());
    // Who has cosigned and says that he has nothing was asked at the wrong place: he was not heard.
    const unheard = answers.filter(
      ({ peer, answer }) => answer.kind === "none" && peer.witnesses.some((name) => cosigned.has(name)),
    );
    this.unheard = [
      ...unheard.map(
        ({ peer: { name, url } }) =>
          `${name} (it cosigns, and answers 404 at ${url}; --witness-at NAME=URL says where it shows what it holds)`,
      ),
      ...answers.flatMap(({ peer: { name }, answer }) =>
        answer.kind === "failure" ? [`${name} (${answer.why})`] : [],
      ),
    ];
    for (const { peer, answer } of answers) {
      const known = (state.peers[peer.name] ??= { heardAt: now(), aheadOf: 0, aheadSince: 0 });
      if (answer.kind === "failure" || unheard.some((one) => one.peer === peer)) {
        known.failedSince ??= now();
        continue;
      }
      known.heardAt = now();
      delete known.failedSince;
      const held = answer.kind === "note" ? await this.open(peer, answer.note) : null;
      if (held === null) continue;
      this.count(held, sizes);
      await this.compare(peer, held, shown);
    }
    await this.quorum(sizes);
  }

  /** Who has said nothing for too long? */
  async listen(): Promise<void> {
    const { state, now, silenceMs } = this.parts;
    for (const { name } of this.peers) {
      const { heardAt = now(), failedSince = now() } = state.peers[name] ?? {};
      // From the first look that failed: between two looks nobody asked.
      if (now() - failedSince > silenceMs)
        await this.reporter.find("silence", name, `${name} has not answered since ${timeText(heardAt)}`);
    }
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** What a peer serves; whatever its own line is worth, what the log has signed in it counts. */
  private async open(peer: Peer, note: Uint8Array): Promise<Seen | null> {
    try {
      const seen = this.history.open(note);
      await this.demandOwnLine(peer, note);
      return seen;
    } catch (error) {
      if (!(error instanceof ProofError || error instanceof WritError)) throw error;
      await this.reporter.find("peer-invalid", peer.name, `${peer.name}: ${error.message}`);
      return null;
    }
  }

  private async demandOwnLine(peer: Peer, note: Uint8Array): Promise<void> {
    const { policy } = this.parts;
    if (policy === null || peer.witnesses.length === 0) return;
    const keys = policy.witnesses.filter(({ name }) => peer.witnesses.includes(name)).map(({ key }) => key);
    let why = "it is not cosigned by the witness that serves it";
    try {
      if (verifySignatures(parseNote(note), keys).length > 0) return;
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      why = error.message;
    }
    await this.reporter.find("peer-invalid", peer.name, `${peer.name}: ${why}`);
  }

  private async compare(peer: Peer, held: Seen, shown: Seen | null): Promise<void> {
    const { mirror } = this.parts;
    if (!(await this.history.agrees(held, peer.name))) return;
    await this.history.remember(held, peer.name);
    if (held.checkpoint.size > mirror.size && peer.tiles !== null && (await this.forks(peer, held))) return;
    await this.withheld(peer, held.checkpoint.size, shown);
  }

  /** A mirror that is ahead has tiles of its own, which may show that it is on another way. */
  private async forks(peer: Peer, held: Seen): Promise<boolean> {
    const tiles = (path: string): Promise<Uint8Array> => fetchFromPeer(`${peer.tiles}/${path}`, this.agent);
    try {
      return !(await this.history.extends(held, peer.name, tiles, false));
    } catch (error) {
      if (error instanceof ProofError || error instanceof WritError) return false;
      throw error;
    }
  }

  /** It may only be quicker than we are; if the log never shows as much, it shows us less than it shows others. */
  private async withheld({ name }: Peer, size: number, shown: Seen | null): Promise<void> {
    const { state, now, silenceMs } = this.parts;
    const known = state.peers[name];
    // A log that shows nothing at all is silent, which is another thing.
    if (known === undefined || shown === null) return this.reporter.keepStanding("withheld");
    const ours = shown.checkpoint.size;
    if (ours >= known.aheadOf) [known.aheadOf, known.aheadSince] = size > ours ? [size, now()] : [0, 0];
    if (known.aheadOf > 0 && now() - known.aheadSince > silenceMs)
      await this.reporter.find(
        "withheld",
        name,
        `${name} holds ${known.aheadOf} entries since ${timeText(known.aheadSince)}, and the log shows us ${ours}`,
      );
  }

  /** Who of the policy's witnesses is seen to have cosigned so much? */
  private count({ note, checkpoint }: Seen, sizes: Map<string, number>): void {
    for (const { name, key } of this.parts.policy?.witnesses ?? [])
      try {
        if (verifySignatures(parseNote(note), [key]).length > 0)
          sizes.set(name, Math.max(sizes.get(name) ?? 0, checkpoint.size));
      } catch (error) {
        // Its line does not hold: it has not cosigned.
        if (!(error instanceof ProofError)) throw error;
      }
  }

  /** How far do witnesses enough for the quorum go? It may lag a little, and not for long. */
  private async quorum(sizes: ReadonlyMap<string, number>): Promise<void> {
    const { policy, state, mirror, now, silenceMs } = this.parts;
    if (policy === null || policy.quorum === null) return;
    const reached = [...new Set(sizes.values())]
      .toSorted((a, b) => b - a)
      .find((size) =>
        quorumMet(policy, new Set([...sizes].filter(([, held]) => held >= size).map(([name]) => name))),
      );
    const { quorum } = state;
    if ((reached ?? 0) > quorum.size) quorum.behindSince = 0;
    quorum.size = Math.max(quorum.size, reached ?? 0);
    if (quorum.size >= mirror.size) quorum.behindSince = 0;
    else if (quorum.behindSince === 0) quorum.behindSince = now();
    if (quorum.behindSince > 0 && now() - quorum.behindSince > silenceMs)
      await this.reporter.find(
        "unwitnessed",
        policy.quorum,
        `the quorum ${policy.quorum} holds ${quorum.size} of ${mirror.size} entries, and has not moved since ${timeText(quorum.behindSince)}`,
      );
  }
}
