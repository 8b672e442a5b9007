/**
 * Following a log as somebody who does not trust it, one pass at a time: its checkpoint against the last, each new entry
 * against the root and the rules, the same against what witnesses and mirrors hold, and all of it reported once.
 */
import { Agent } from "undici";
import { sha256 } from "#crypto";
import { emptyRoot, type Hash, sameHash, verifyConsistency } from "../../merkle/index.js";
import { prefixProof } from "../client/tile-proof.js";
import { ProofError, WritError } from "../errors.js";
import { toBase64 } from "../format/base64.js";
import { fromUtf8, toHex } from "../format/bytes.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { openCheckpoint, verifySignatures } from "../format/cosignature.js";
import { type Evidence, forkEvidence } from "../format/evidence.js";
import { type Policy, policyOfKey, quorumMet } from "../format/policy.js";
import { formatTlogProof } from "../format/tlog-proof.js";
import type { VerifierKey } from "../format/vkey.js";
import { readTraceEntry } from "../trace/entry.js";
import type { Finding, FindingKind, MonitorEvent } from "./events.js";
import { type Filter, passes } from "./filter.js";
import type { LogReader } from "./log-reader.js";
import type { MonitorState } from "./memory.js";
import type { Mirror } from "./mirror.js";
import { askPeer, type Peer, peersOf } from "./peers.js";
import { unjustified } from "./status.js";

export interface MonitorParts {
  readonly key: VerifierKey;
  readonly policy: Policy | null;
  readonly reader: LogReader;
  readonly mirror: Mirror;
  readonly state: MonitorState;
  readonly mirrors: readonly string[];
  readonly filters: readonly Filter[];
  /** How long nothing may be heard of the log or a witness, or the quorum may lag, in milliseconds. */
  readonly silenceMs: number;
  readonly now: () => number;
  /** The newest checkpoint that was verified and whose entries are in the mirror: a signed note, or null. */
  readonly kept: { load(): Promise<Uint8Array | null>; save(note: Uint8Array): Promise<void> };
  /** Keeps a proof and answers where. */
  readonly keepEvidence: (evidence: Evidence) => Promise<string>;
  /** Takes an event over for good, before the state moves on: the same event twice is one. */
  readonly report: (event: MonitorEvent) => Promise<void>;
  readonly progress?: (done: number, total: number) => void;
}

/** Clocks of different machines. */
const SKEW_MS = 60_000;
/** Entries of one stretch: verified against the root, judged, and committed together. */
const STRETCH = 1024;

interface Seen {
  readonly note: Uint8Array;
  readonly checkpoint: Checkpoint;
}

export class Monitor {
  private readonly agent = new Agent({ connections: 2 });
  private readonly peers: readonly Peer[];
  /** What stands in this pass: what was reported and does not stand any more may be reported again. */
  private standing = new Set<string>();
  private count = 0;

  constructor(private readonly parts: MonitorParts) {
    this.peers = peersOf(parts.key.name, parts.policy ?? policyOfKey(parts.key), parts.mirrors);
  }

  /** Findings since the start, each counted once. */
  get findings(): number {
    return this.count;
  }

  /** One look at everything. Throws only what is no fault of the log or of others: our own disk, a bug. */
  async pass(): Promise<void> {
    const { state, now } = this.parts;
    this.standing = new Set();
    const shown = await this.follow();
    await this.gossip(shown);
    await this.alert();
    await this.listen();
    for (const name of Object.keys(state.reported))
      if (!this.standing.has(name) && isPassing(name)) delete state.reported[name];
    if (shown !== null) state.seen = { size: shown.checkpoint.size, at: now() };
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** The log's own checkpoint: verified, compared with the last, its entries taken in. Null when there was none to follow. */
  private async follow(): Promise<Seen | null> {
    const { reader, state, now } = this.parts;
    let shown: Seen;
    try {
      shown = await this.open(await reader.checkpoint());
    } catch (error) {
      if (isUnreachable(error)) return null;
      await this.find("checkpoint-invalid", messageOf(error), {});
      return null;
    }
    try {
      if (await this.extends(shown)) await this.takeIn(shown);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      // It gave a checkpoint and not what belongs to it: silence, if it goes on.
      return shown;
    }
    state.heardAt = now();
    return shown;
  }

  private async open(note: Uint8Array): Promise<Seen> {
    const { checkpoint } = openCheckpoint(note, this.parts.key);
    this.demandCosignatures(note);
    return { note, checkpoint };
  }

  /** ProofError for a line by a known witness that does not verify: such a note is malformed. */
  private demandCosignatures(note: Uint8Array): void {
    const { policy, key } = this.parts;
    if (policy === null) return;
    const witnesses = policy.witnesses.map((witness) => witness.key);
    verifySignatures(openCheckpoint(note, key).note, witnesses);
  }

  /** Does what the log shows now extend what it showed before? Reports when it does not. */
  private async extends(shown: Seen): Promise<boolean> {
    const { mirror } = this.parts;
    const { size, root } = shown.checkpoint;
    if (mirror.size === 0) return true;
    const before = await this.before();
    if (size > mirror.size) return this.extendsBy(shown, before);
    if (!sameHash(await mirror.root(size), root)) {
      await this.fork(shown, before, "it has signed another history than it showed us");
      return false;
    }
    if (before !== null && size < before.checkpoint.size)
      await this.find(
        "rollback",
        `it shows ${size} entries, and showed ${before.checkpoint.size} before`,
        {},
      );
    return true;
  }

  /** The newest checkpoint whose entries are in the mirror; null when it was lost. */
  private async before(): Promise<Seen | null> {
    const note = await this.parts.kept.load();
    return note === null ? null : { note, checkpoint: openCheckpoint(note, this.parts.key).checkpoint };
  }

  private async extendsBy(shown: Seen, before: Seen | null): Promise<boolean> {
    const { mirror, reader } = this.parts;
    const { size, root } = shown.checkpoint;
    try {
      const hashes = await reader.consistency(mirror.size, size);
      verifyConsistency(mirror.size, size, hashes, await mirror.root(mirror.size), root);
      return true;
    } catch (error) {
      if (!(error instanceof ProofError) && !isRefusal(error)) throw error;
    }
    // It could not or would not: do its own tiles prove that the older history has no place in the newer?
    const from = before?.checkpoint.size ?? mirror.size;
    try {
      const { prefixRoot, hashes } = await prefixProof((path) => reader.tile(path), from, size, root);
      if (before !== null && !sameHash(prefixRoot, before.checkpoint.root)) {
        const evidence = { kind: "fork", older: before.note, newer: shown.note, prefixRoot, hashes } as const;
        await this.forked(evidence, "its newer checkpoint does not extend the older one", from, size);
        return false;
      }
      // The proof is in the tiles, if not at the path for it.
      if (from === mirror.size && sameHash(prefixRoot, await mirror.root(from))) return true;
    } catch (error) {
      if (!(error instanceof ProofError || error instanceof WritError)) throw error;
    }
    const what = `it cannot show that its checkpoint of ${size} entries extends that of ${from}`;
    await this.find("inconsistent", what, { name: `${from}` });
    return false;
  }

  /** Takes the new entries in, a stretch at a time, each only once it is shown to be under the signed root. */
  private async takeIn({ note, checkpoint }: Seen): Promise<void> {
    const { mirror, reader, kept, progress } = this.parts;
    const { size } = checkpoint;
    while (mirror.size < size) {
      const entries: Uint8Array[] = [];
      while (entries.length < STRETCH && mirror.size + entries.length < size)
        entries.push(...(await reader.entries(mirror.size + entries.length, size)));
      if (!(await this.areUnder(entries, checkpoint))) {
        await this.find(
          "entries-differ",
          `the entries [${mirror.size}, ${mirror.size + entries.length}) are not those of its checkpoint of ${size}`,
          { name: `${mirror.size}` },
        );
        return;
      }
      await this.judge(entries);
      progress?.(mirror.size, size);
    }
    if (size >= mirror.size) await kept.save(note);
  }

  private async areUnder(entries: readonly Uint8Array[], { size, root }: Checkpoint): Promise<boolean> {
    const { mirror, reader } = this.parts;
    const end = mirror.size + entries.length;
    const rebuilt = await mirror.rootWith(entries);
    if (end === size) return sameHash(rebuilt, root);
    try {
      verifyConsistency(end, size, await reader.consistency(end, size), rebuilt, root);
      return true;
    } catch (error) {
      if (error instanceof ProofError || isRefusal(error)) return false;
      throw error;
    }
  }

  private async judge(entries: readonly Uint8Array[]): Promise<void> {
    const { mirror, reader, state } = this.parts;
    const start = mirror.size;
    const told = await reader.times(start, start + entries.length);
    let last = mirror.receivedAt;
    const times = told.map((time) => (last = Math.max(last, time)));
    const back = told.findIndex((time, i) => time < (i === 0 ? mirror.receivedAt : (told[i - 1] ?? 0)));
    if (back >= 0)
      await this.find("backdated", `the log's clock goes back at entry ${start + back}`, {
        index: start + back,
      });
    // What was not there when we looked cannot have been there before we looked; unless the log shows nothing before its
    // witnesses have come, and says so.
    const early = told.findIndex((time, i) => start + i >= state.seen.size && time < state.seen.at - SKEW_MS);
    if (early >= 0 && state.seen.size > 0 && !(await reader.waitsForWitnesses()))
      await this.find(
        "backdated",
        `entry ${start + early} is said to have come at ${timeText(told[early] ?? 0)}, and was not there at ${timeText(state.seen.at)}`,
        { index: start + early },
      );
    const { faults, commit } = await mirror.judged(entries, times);
    // Reported first: a crash between the two reports them again, and never loses them.
    for (const { index, why } of faults)
      await this.find("entry-invalid", `entry ${index}: ${why}`, { index });
    await commit();
  }

  /** What the others hold for this origin: all of it has to be one history. */
  private async gossip(shown: Seen | null): Promise<void> {
    const { state, now } = this.parts;
    const answers = await Promise.all(
      this.peers.map(async (peer) => ({ peer, answer: await askPeer(peer, this.agent) })),
    );
    const sizes = new Map<string, number>();
    for (const { peer, answer } of answers) {
      const known = (state.peers[peer.name] ??= { heardAt: now(), aheadBy: 0, aheadSince: 0 });
      if (answer.kind === "failure") continue;
      known.heardAt = now();
      if (answer.kind === "none") continue;
      const held = await this.peerCheckpoint(peer, answer.note);
      if (held === null) continue;
      await this.compare(peer, held, shown);
      for (const witness of peer.witnesses) sizes.set(witness, held.checkpoint.size);
    }
    await this.quorum(sizes);
  }

  private async peerCheckpoint(peer: Peer, note: Uint8Array): Promise<Seen | null> {
    const { policy, key } = this.parts;
    try {
      const seen = await this.open(note);
      if (peer.witnesses.length > 0 && policy !== null) {
        const keys = policy.witnesses
          .filter(({ name }) => peer.witnesses.includes(name))
          .map((one) => one.key);
        if (verifySignatures(openCheckpoint(note, key).note, keys).length === 0)
          throw new ProofError("it is not cosigned by the witness that serves it");
      }
      return seen;
    } catch (error) {
      if (!(error instanceof ProofError || error instanceof WritError)) throw error;
      await this.find("peer-invalid", `${peer.name}: ${error.message}`, { name: peer.name });
      return null;
    }
  }

  private async compare(peer: Peer, held: Seen, shown: Seen | null): Promise<void> {
    const { mirror, state, now, silenceMs } = this.parts;
    const { size, root } = held.checkpoint;
    const known = state.peers[peer.name];
    if (known === undefined) return;
    if (size === 0 && sameHash(root, emptyRoot())) return;
    if (size <= mirror.size) {
      known.aheadBy = 0;
      if (sameHash(await mirror.root(size), root)) return;
      return this.fork(held, await this.before(), `${peer.name} holds another history than the log shows us`);
    }
    // It may only be quicker than we are; if the log never shows as much, it shows us less than it shows others.
    if (known.aheadBy === 0) known.aheadSince = now();
    known.aheadBy = size - (shown?.checkpoint.size ?? mirror.size);
    if (now() - known.aheadSince > silenceMs)
      await this.find(
        "withheld",
        `${peer.name} holds ${size} entries, and the log shows us ${shown?.checkpoint.size ?? mirror.size} since ${timeText(known.aheadSince)}`,
        { name: peer.name },
      );
  }

  /** How far do witnesses enough for the quorum go? It may lag a little, and not for long. */
  private async quorum(sizes: ReadonlyMap<string, number>): Promise<void> {
    const { policy, state, mirror, now, silenceMs } = this.parts;
    if (policy === null || policy.quorum === null) return;
    const reached = [...new Set(sizes.values())]
      .sort((a, b) => b - a)
      .find((size) =>
        quorumMet(policy, new Set([...sizes].filter(([, held]) => held >= size).map(([name]) => name))),
      );
    const { quorum } = state;
    if ((reached ?? 0) >= mirror.size || (reached ?? 0) > quorum.size) quorum.behindSince = 0;
    quorum.size = Math.max(quorum.size, reached ?? 0);
    if (quorum.size >= mirror.size) return;
    if (quorum.behindSince === 0) quorum.behindSince = now();
    if (now() - quorum.behindSince > silenceMs)
      await this.find(
        "unwitnessed",
        `the quorum ${policy.quorum} holds ${quorum.size} of ${mirror.size} entries, and has not moved since ${timeText(quorum.behindSince)}`,
        { name: policy.quorum },
      );
  }

  /** New entries held against the filters, each match with its proof; and what the log says of their state. */
  private async alert(): Promise<void> {
    const { mirror, state, filters, kept, key, report, now } = this.parts;
    const note = await kept.load();
    if (note === null) return;
    const { size } = openCheckpoint(note, key).checkpoint;
    while (state.alertedTo < Math.min(size, mirror.size)) {
      const start = state.alertedTo;
      const end = Math.min(start + STRETCH, size);
      const entries = (await mirror.store.entries(start, end)).map((stored, i) =>
        readTraceEntry(start + i, stored, null),
      );
      for (const entry of entries)
        for (const filter of filters.filter((one) => passes(one, entry)))
          await report({
            type: "match",
            alert: filter.text,
            log: key.name,
            at: timeText(now()),
            index: entry.index,
            entry_hash: `sha256:${toHex(sha256(entry.stored))}`,
            record_id: entry.id,
            record: entry.record?.value ?? null,
            statement: toBase64(entry.stored),
            proof: await this.proofOf(entry.index, note, size),
          });
      for (const { name, detail } of await unjustified(this.parts, entries, size))
        await this.find("status-unjustified", detail, { name });
      state.alertedTo = end;
    }
  }

  private async proofOf(index: number, checkpoint: Uint8Array, size: number): Promise<string> {
    const hashes = await this.parts.mirror.inclusion(index, size);
    return fromUtf8(formatTlogProof({ extra: null, index, hashes, checkpoint })) ?? "";
  }

  /** Who has said nothing for too long? */
  private async listen(): Promise<void> {
    const { state, silenceMs, now, key } = this.parts;
    const quiet = (heardAt: number): boolean => now() - heardAt > silenceMs;
    if (state.heardAt === 0) state.heardAt = now();
    if (quiet(state.heardAt))
      await this.find(
        "silence",
        `nothing that verifies has been had from ${key.name} since ${timeText(state.heardAt)}`,
        {},
      );
    for (const { name } of this.peers) {
      const heardAt = state.peers[name]?.heardAt ?? now();
      if (quiet(heardAt))
        await this.find("silence", `${name} has not answered since ${timeText(heardAt)}`, { name });
    }
  }

  /** `one` is not what the mirror holds at its size; `before` is signed for what the mirror holds. */
  private async fork(one: Seen, before: Seen | null, what: string): Promise<void> {
    const { mirror } = this.parts;
    const { size } = one.checkpoint;
    const ours = before?.checkpoint.size ?? 0;
    if (before === null || size > ours) return this.unproven(size, what);
    if (size === ours) return this.forked(forkEvidence(before.note, one.note), what, size, size);
    const prefixRoot: Hash = await mirror.root(size);
    const hashes = await mirror.consistency(size, ours);
    return this.forked(
      { kind: "fork", older: one.note, newer: before.note, prefixRoot, hashes },
      what,
      size,
      ours,
    );
  }

  private async unproven(size: number, what: string): Promise<void> {
    await this.find("inconsistent", `${what}, at ${size} entries`, { name: `${size}` });
  }

  private async forked(evidence: Evidence, what: string, a: number, b: number): Promise<void> {
    // While the log goes on with its second history the proof grows; it is one fork all the same.
    const name = `${what}/${a}`;
    if (this.stands("fork", name)) return;
    const file = await this.parts.keepEvidence(evidence);
    const sizes =
      a === b ? `two trees of ${a} entries` : `trees of ${a} and ${b} entries that do not go together`;
    await this.find("fork", `${what}: ${sizes}, both signed by it`, { evidence: file, name });
  }

  private async find(
    kind: FindingKind,
    detail: string,
    { name = "", ...more }: { readonly name?: string; readonly index?: number; readonly evidence?: string },
  ): Promise<void> {
    const { state, key, now, report } = this.parts;
    const about = String(more.index ?? name);
    if (this.stands(kind, about)) return;
    const finding: Finding = { type: "finding", kind, log: key.name, at: timeText(now()), detail, ...more };
    await report(finding);
    this.count++;
    state.reported[`${kind}/${about}`] = finding.at;
  }

  /** Was it reported already? Either way it stands in this pass. */
  private stands(kind: FindingKind, about: string): boolean {
    this.standing.add(`${kind}/${about}`);
    return this.parts.state.reported[`${kind}/${about}`] !== undefined;
  }
}

/** States that may end and come again, such as silence; what was done once stays reported. */
function isPassing(id: string): boolean {
  return [
    "silence/",
    "withheld/",
    "unwitnessed/",
    "peer-invalid/",
    "checkpoint-invalid/",
    "rollback/",
    "status-unjustified/",
  ].some((kind) => id.startsWith(kind));
}

function isUnreachable(error: unknown): boolean {
  return (
    error instanceof WritError &&
    [
      "SERVER_UNREACHABLE",
      "SERVER_REFUSED",
      "SERVER_ANSWER_INVALID",
      "BUNDLE_MALFORMED",
      "TILE_MALFORMED",
    ].includes(error.code)
  );
}

function isRefusal(error: unknown): boolean {
  return error instanceof WritError && error.code === "SERVER_REFUSED";
}

function messageOf(error: unknown): string {
  if (error instanceof ProofError || error instanceof WritError) return error.message;
  throw error;
}

function timeText(time: number): string {
  return new Date(time).toISOString();
}
