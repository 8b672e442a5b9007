/** The trace bundle of a record, made from the log's own index. */
import { WritError } from "../../errors.js";
import { MAX_ENTRY_BYTES } from "../../format/bundle.js";
import type { Store } from "../../store/contract.js";
import type { Bundle } from "../../trace/bundle.js";
import { readTraceEntry, type TraceEntry } from "../../trace/entry.js";
import { signClosure } from "../../trace/closure-statement.js";
import { Graph } from "../../trace/graph.js";
import { type Answer, type Round, walkAsync } from "../../trace/walk/rounds.js";
import { type DomainView, WALK, walkFrom, type WalkResult } from "../../trace/walk/walk.js";
import type { Signer } from "../../statement/sign.js";
import type { Cost } from "./budget.js";
import type { Postings } from "./postings.js";
import type { Prover } from "../tree/prove.js";
import type { Published } from "../tree/publish.js";

/** A log's entries and its index. */
export interface Library {
  readonly store: Store;
  readonly postings: Postings;
  /** In a raw log only entry 0 is a statement; the rest is bytes. */
  readonly raw: boolean;
}

export interface TraceParts extends Library {
  readonly prover: Prover;
  readonly origin: string;
  /** Which of the records are whose. */
  readonly domains: DomainView;
  /** Signs that a trace is all there is. */
  readonly signer: Signer;
}

/** The bundle of the record that these entries carry, as it stood at size `asOf` under the checkpoint of `published`. */
export async function makeBundle(
  parts: TraceParts,
  subject: string,
  subjects: readonly number[],
  asOf: number,
  published: Published,
  cost: Cost,
): Promise<Bundle> {
  const walked = await walk(parts, subjects, asOf, cost);
  await cost.turn();
  const { nodes, bounded } = walked;
  const graph = new Graph(nodes);
  const entries = [];
  for (const { entry } of nodes) {
    await cost.turn();
    const hashes = await parts.prover.inclusion(entry.index, published.size);
    entries.push({ index: entry.index, receivedAt: entry.receivedAt, hashes, stored: entry.stored });
  }
  return {
    walk: WALK,
    log: parts.origin,
    subject,
    asOf,
    checkpoint: published.text,
    bounded,
    entries,
    links: graph.links(),
    notFound: graph.missing(),
    closure: statement(parts, walked, subject, asOf, published),
  };
}

/** The closure statement alone: for whoever has read the entries himself, and asks the log when they came in. */
export async function makeClosure(
  parts: TraceParts,
  subject: string,
  subjects: readonly number[],
  asOf: number,
  published: Published,
  cost: Cost,
): Promise<Uint8Array> {
  return statement(parts, await walk(parts, subjects, asOf, cost), subject, asOf, published);
}

async function walk(
  parts: TraceParts,
  subjects: readonly number[],
  asOf: number,
  cost: Cost,
): Promise<WalkResult> {
  const { domains } = parts;
  return walkAsync(walkFrom(subjects, { domains }), (round) => answer(parts, round, asOf, cost));
}

function statement(
  { signer }: TraceParts,
  { nodes, strangers, bounded }: WalkResult,
  subject: string,
  asOf: number,
  { root }: Published,
): Uint8Array {
  const entries = nodes.map(({ entry }) => ({ index: entry.index, receivedAt: entry.receivedAt ?? 0 }));
  return signClosure({ walk: WALK, subject, asOf, root, entries, strangers, bounded }, signer);
}

async function answer(library: Library, round: Round, asOf: number, cost: Cost): Promise<Answer> {
  await cost.turn();
  if ("wants" in round) return library.postings.many(round.wants, asOf, round.limit, cost);
  return readEntries(library, round.read, cost);
}

/** Entries that are read at once: at the most 2 MiB, which is asked for before. */
const TOGETHER = 32;

/** An entry as it is stored, and when it came in. */
export interface StoredEntry {
  readonly index: number;
  readonly stored: Uint8Array;
  readonly receivedAt: number;
}

/** Entries below the published size, as the trace reads them; what they hold stays charged. */
export async function readEntries(
  library: Library,
  indexes: readonly number[],
  cost: Cost,
): Promise<TraceEntry[]> {
  const entries: TraceEntry[] = [];
  for await (const page of readPages(library, indexes, cost)) entries.push(...page);
  return entries;
}

/** The same a page at a time. */
export async function* readPages(
  library: Library,
  indexes: readonly number[],
  cost: Cost,
): AsyncGenerator<readonly TraceEntry[]> {
  for await (const page of readStored(library, indexes, cost)) {
    const entries: TraceEntry[] = [];
    for (const { index, stored, receivedAt } of page) {
      await cost.turn();
      entries.push(readTraceEntry(index, stored, receivedAt, library.raw));
    }
    yield entries;
  }
}

/** Entries below the published size as bytes, a page at a time. */
export async function* readStored(
  { store, postings }: Library,
  indexes: readonly number[],
  cost: Cost,
): AsyncGenerator<readonly StoredEntry[]> {
  for (let at = 0; at < indexes.length; at += TOGETHER) {
    const some = indexes.slice(at, at + TOGETHER);
    const most = some.length * MAX_ENTRY_BYTES;
    cost.charge(most);
    const stored = (await store.entriesAt(some)).map((bytes, i) => bytes ?? missing(some[i]));
    cost.credit(most - sizeOf(stored));
    await cost.turn();
    const times = await postings.receivedAt(stored);
    yield stored.map((bytes, i) => ({ index: some[i] ?? 0, stored: bytes, receivedAt: times[i] ?? 0 }));
  }
}

export function sizeOf(stored: readonly Uint8Array[]): number {
  return stored.reduce((sum, { length }) => sum + length, 0);
}

function missing(index: number | undefined): never {
  throw new WritError("STORE_CORRUPT", `entry ${index} is missing; run writ fsck`);
}
