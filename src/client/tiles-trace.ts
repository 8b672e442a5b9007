/**
 * A trace bundle made by a stranger: the whole log read from its tiles, every leaf hashed, the root compared with the
 * checkpoint, and the index that the walk needs built on the way. Nobody's index is trusted, so nothing that bears on the
 * record can have been withheld. It costs one reading of the log, and some 500 bytes of memory an entry.
 */
import { cover, foldHashes, type Hash, nodeHash, planInclusion, power } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { fromUtf8, parseDecimal, toHex } from "../format/bytes.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { parseBundle } from "../format/bundle.js";
import { isRecordId } from "../record/links.js";
import { type Field, termName, termsOf } from "../index/terms.js";
import { leafHash, sameHash } from "../../merkle/index.js";
import type { Bundle } from "../trace/bundle.js";
import { type Answer, closureOf, type Round, walkAsync, type Want } from "../trace/closure.js";
import { isRecordEntry, readTraceEntry, type TraceEntry } from "../trace/entry.js";
import { Graph } from "../trace/graph.js";
import { sha256 } from "#crypto";
import type { LogClient } from "./log-client.js";
import { bundlesOf } from "./walk.js";

/** The terms that a walk asks for. */
const WALKED: readonly Field[] = ["link", "writes", "defines", "nonce", "idempotency", "sequence"];

/**
 * ProofError when the entries are not those of the checkpoint; REF_MALFORMED, ENTRY_NOT_FOUND, SIZE_UNPUBLISHED; and
 * whatever the client throws.
 */
export async function traceFromTiles(
  client: LogClient,
  ref: string,
  asOf: number | undefined,
  progress: (done: number, total: number) => void,
): Promise<Bundle> {
  const { note, checkpoint } = await client.signedCheckpoint();
  const { size, origin } = checkpoint;
  const to = asOf ?? size;
  if (to < 1 || to > size)
    throw new WritError("SIZE_UNPUBLISHED", `want a size from 1 to ${size}, got ${to}`, { path: "as_of" });
  if (parseDecimal(ref) === undefined && !isRecordId(ref))
    throw new WritError("REF_MALFORMED", `want an index, an entry hash or a record id, got ${ref}`);
  const log = new ReadLog(client, size);
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
  const { nodes, bounded } = await walkAsync(closureOf(from), (round) => log.answer(round));
  const graph = new Graph(nodes);
  return {
    log: origin,
    subject,
    asOf: to,
    checkpoint: fromUtf8(note) ?? "",
    bounded,
    entries: nodes.map(({ entry: { index, stored } }) => ({
      index,
      receivedAt: null,
      hashes: log.inclusion(index),
      stored,
    })),
    links: graph.links(),
    notFound: graph.missing(),
  };
}

/** What is kept of a log that was read once: leaf hashes, and where the terms are. Entries are fetched again when needed. */
class ReadLog {
  private readonly leaves: Hash[] = [];
  private readonly lists = new Map<string, number[]>();
  private readonly nodes = new Map<string, Hash>();
  private readonly bundles = new Map<number, Promise<readonly Uint8Array[]>>();

  constructor(
    private readonly client: LogClient,
    private readonly size: number,
  ) {}

  add(index: number, stored: Uint8Array, leaf: Hash, to: number): void {
    this.leaves.push(leaf);
    if (index >= to) return;
    const entry = readTraceEntry(index, stored, null);
    this.push(`entry:sha256:${toHex(sha256(stored))}`, index);
    if (entry.id !== null) this.push(`record:${entry.id}`, index);
    if (entry.statement === null) return;
    for (const term of termsOf(entry.statement, isRecordEntry(entry) ? entry.record : null))
      if (WALKED.includes(term.field)) this.push(toHex(termName(term)), index);
  }

  /** The entries that an index, an entry hash or a record id names. */
  named(ref: string, to: number): readonly number[] {
    if (/^[0-9]+$/.test(ref)) return Number(ref) < to ? [Number(ref)] : [];
    return this.lists.get(`entry:${ref}`) ?? this.lists.get(`record:${ref}`) ?? [];
  }

  find(want: Want): readonly number[] {
    return this.lists.get("id" in want ? `record:${want.id}` : toHex(termName(want.term))) ?? [];
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
