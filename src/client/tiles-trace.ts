/**
 * A trace bundle made by a stranger: the whole log read from its tiles, every leaf hashed, the root compared with the
 * checkpoint, and the index that the walk needs built on the way. Nobody's index is trusted, so nothing that bears on the
 * record can have been withheld. It costs one reading of the log, and some 500 bytes of memory an entry.
 */
import { cover, foldHashes, type Hash, nodeHash, planInclusion, power } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { fromUtf8, parseDecimal, sameBytes, toHex } from "../format/bytes.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { parseBundle } from "../format/bundle.js";
import { isRecordId } from "../record/links.js";
import type { Field } from "../index/terms.js";
import { keyEventOf, mayBeKeyEvent } from "../index/key-events.js";
import { KeyTable } from "../index/keys.js";
import { openLogPolicy } from "../record/log-policy.js";
import { idOf } from "../record/record.js";
import { publicKey } from "../statement/key.js";
import { leafHash, sameHash } from "../../merkle/index.js";
import type { Bundle } from "../trace/bundle.js";
import { openClosure } from "../trace/closure-statement.js";
import { isRecordEntry, readTraceEntry, signersOf, type TraceEntry } from "../trace/entry.js";
import { Graph } from "../trace/graph.js";
import { TermIndex } from "../trace/source.js";
import { type Answer, type Round, walkAsync, type Want } from "../trace/walk/rounds.js";
import { WALK, walkFrom } from "../trace/walk/walk.js";
import type { VerifierKey } from "../format/vkey.js";
import { sha256 } from "#crypto";
import type { LogClient } from "./log-client.js";
import { bundlesOf } from "./walk.js";

/** The terms that a walk asks for. */
const WALKED: readonly Field[] = ["link", "writes", "defines", "nonce", "idempotency", "sequence"];

/** A bundle made so, and whether the log has signed when its entries came in. */
export interface TilesTrace {
  readonly bundle: Bundle;
  /** Null, or why the log's own closure statement could not be had or is not of these entries: times are then nobody's word. */
  readonly untimed: string | null;
}

/**
 * ProofError when the entries are not those of the checkpoint; REF_MALFORMED, ENTRY_NOT_FOUND, SIZE_UNPUBLISHED; and
 * whatever the client throws.
 */
export async function traceFromTiles(
  client: LogClient,
  ref: string,
  asOf: number | undefined,
  progress: (done: number, total: number) => void,
): Promise<TilesTrace> {
  const { note, checkpoint } = await client.signedCheckpoint();
  const { size, origin } = checkpoint;
  const to = asOf ?? size;
  if (to < 1 || to > size)
    throw new WritError("SIZE_UNPUBLISHED", `want a size from 1 to ${size}, got ${to}`, { path: "as_of" });
  if (parseDecimal(ref) === undefined && !isRecordId(ref))
    throw new WritError("REF_MALFORMED", `want an index, an entry hash or a record id, got ${ref}`);
  const log = new ReadLog(client, size, client.logKey);
  for await (const { index, entries, leaves } of bundlesOf(client, checkpoint)) {
    entries.forEach((stored, i) => log.add(index * TILE_WIDTH + i, stored, leaves[i] as Hash, to));
    progress(Math.min(size, index * TILE_WIDTH + entries.length), size);
  }
  const subjects = log.named(ref, to);
  const [first] = subjects.length === 0 ? [] : await log.entries(subjects.slice(0, 1));
  if (first === undefined)
    throw new WritError("ENTRY_NOT_FOUND", `nothing in the log of ${to} entries is ${ref}`);
  const subject = first.id ?? `sha256:${toHex(sha256(first.stored))}`;
  const from = first.id === null ? subjects : log.find({ id: first.id });
  const { nodes, bounded } = await walkAsync(walkFrom(from, { domains: log.keys.domains }), (round) =>
    log.answer(round),
  );
  const graph = new Graph(nodes);
  const indexes = nodes.map(({ entry }) => entry.index);
  const { closure, times, untimed } = await log.times(ref, to, indexes, checkpoint.root);
  const bundle: Bundle = {
    walk: WALK,
    log: origin,
    subject,
    asOf: to,
    checkpoint: fromUtf8(note) ?? "",
    bounded,
    entries: nodes.map(({ entry: { index, stored } }) => ({
      index,
      receivedAt: times.get(index) ?? null,
      hashes: log.inclusion(index),
      stored,
    })),
    links: graph.links(),
    notFound: graph.missing(),
    closure,
  };
  return { bundle, untimed };
}

/** What is kept of a log that was read once: leaf hashes, and where the terms are. Entries are fetched again when needed. */
class ReadLog {
  private readonly leaves: Hash[] = [];
  private readonly lists = new Map<string, number[]>();
  private readonly nodes = new Map<string, Hash>();
  private readonly bundles = new Map<number, Promise<readonly Uint8Array[]>>();

  /** Who is known by the entries so far; for a log whose entry 0 is no policy, nobody ever. */
  keys: KeyTable;
  private readonly index: TermIndex;

  constructor(
    private readonly client: LogClient,
    private readonly size: number,
    private readonly logKey: VerifierKey,
  ) {
    this.keys = new KeyTable({
      registrars: [],
      logKey: publicKey("Ed25519", logKey.publicKey) ?? null,
      policyId: "",
      origin: logKey.name,
      rulesVersion: 1,
    });
    const keys = (): KeyTable => this.keys;
    const domains = {
      origin: logKey.name,
      of: (id: string) => keys().domains.of(id),
      get firstFounding() {
        return keys().domains.firstFounding;
      },
    };
    this.index = new TermIndex(domains, WALKED);
  }

  add(index: number, stored: Uint8Array, leaf: Hash, to: number): void {
    this.leaves.push(leaf);
    if (index >= to) return;
    const entry = readTraceEntry(index, stored, null);
    this.push(`entry:sha256:${toHex(sha256(stored))}`, index);
    if (index === 0) this.begin(stored);
    this.index.add(entry);
    if (!isRecordEntry(entry) || index === 0 || !mayBeKeyEvent(entry.record.type)) return;
    try {
      const event = keyEventOf(entry.record, signersOf(entry), this.keys);
      if (event !== undefined) this.keys.apply(index, event);
    } catch (error) {
      // What no log would have admitted makes nobody known.
      if (!(error instanceof WritError || error instanceof RangeError)) throw error;
    }
  }

  private begin(first: Uint8Array): void {
    const policy = openLogPolicy(first, this.logKey);
    this.keys = new KeyTable({
      registrars: policy.registrars,
      logKey: publicKey("Ed25519", this.logKey.publicKey) ?? null,
      policyId: idOf(policy.record),
      origin: policy.origin,
      rulesVersion: policy.rulesVersion,
    });
  }

  /** When the log says that these entries came in, by its signed word for this very trace. */
  async times(
    ref: string,
    asOf: number,
    indexes: readonly number[],
    root: Uint8Array,
  ): Promise<{ closure: Uint8Array | null; times: ReadonlyMap<number, number>; untimed: string | null }> {
    const none = (untimed: string) => ({ closure: null, times: new Map<number, number>(), untimed });
    const own = publicKey("Ed25519", this.logKey.publicKey);
    let closure: Uint8Array;
    try {
      closure = await this.client.closure(ref, asOf, this.size);
    } catch (error) {
      if (error instanceof WritError) return none(`the log did not say when they came in: ${error.message}`);
      throw error;
    }
    const word = own === undefined ? "no key" : openClosure(closure, own, this.keys, asOf);
    if (typeof word === "string") return none(`the log's closure statement is not good: ${word}`);
    if (!sameBytes(word.root, root)) return none("the log's closure statement is under another root");
    const named = word.entries.map(({ index }) => index);
    const missing = indexes.find((index) => !named.includes(index));
    if (missing !== undefined || named.length !== indexes.length)
      return none(
        missing === undefined
          ? "the log's closure statement names entries that are no part of the trace"
          : `the log's closure statement leaves out entry ${missing}, which is in the log: keep it, it is a signed lie`,
      );
    return {
      closure,
      times: new Map(word.entries.map(({ index, receivedAt }) => [index, receivedAt])),
      untimed: null,
    };
  }

  /** The entries that an index, an entry hash or a record id names. */
  named(ref: string, to: number): readonly number[] {
    if (/^[0-9]+$/.test(ref)) return Number(ref) < to ? [Number(ref)] : [];
    return this.lists.get(`entry:${ref}`) ?? this.index.find({ id: ref });
  }

  find(want: Want): readonly number[] {
    return this.index.find(want);
  }

  async answer(round: Round): Promise<Answer> {
    if ("read" in round) return this.entries(round.read);
    return round.wants.map((want) => this.find(want).slice(0, round.limit));
  }

  async entries(indexes: readonly number[]): Promise<TraceEntry[]> {
    return Promise.all(
      indexes.map(async (index) => {
        const stored = (await this.bundle(Math.floor(index / TILE_WIDTH)))[index % TILE_WIDTH];
        const leaf = this.leaves[index];
        if (stored === undefined || leaf === undefined || !sameHash(leafHash(stored), leaf))
          throw new ProofError(`entry ${index} is another one the second time it is asked for`);
        return readTraceEntry(index, stored, null);
      }),
    );
  }

  /** The inclusion proof of an entry under the whole tree. */
  inclusion(index: number): Hash[] {
    return planInclusion(index, this.size).map(({ start, end }) =>
      foldHashes(cover(start, end).map(({ level, index: at }) => this.node(level, at))),
    );
  }

  private node(level: number, index: number): Hash {
    const name = `${level}/${index}`;
    const known = level === 0 ? this.leaves[index] : this.nodes.get(name);
    if (known !== undefined) return known;
    if (level === 0)
      throw new RangeError(`no leaf ${index} in a tree of ${this.size}, below ${power(level)}`);
    const made = nodeHash(this.node(level - 1, 2 * index), this.node(level - 1, 2 * index + 1));
    this.nodes.set(name, made);
    return made;
  }

  private async bundle(index: number): Promise<readonly Uint8Array[]> {
    const known = this.bundles.get(index);
    if (known !== undefined) return known;
    const width = tileWidth(0, index, this.size);
    const path = formatTilePath({ kind: "entries", index, width });
    const read = this.client.tile(path).then((bytes) => parseBundle(bytes, width));
    if (this.bundles.size >= MAX_BUNDLES) this.bundles.clear();
    this.bundles.set(index, read);
    return read;
  }

  private push(name: string, index: number): void {
    const list = this.lists.get(name);
    if (list === undefined) this.lists.set(name, [index]);
    else list.push(index);
  }
}

/** Entry bundles kept at hand; one may have 16 MiB. */
const MAX_BUNDLES = 16;
