/**
 * What belongs to a trace: from the record asked for down to everything it rests on, and everything that bears on those.
 *
 * A node is taken in *fully* (its links are followed, and what names it is fetched) or as a *leaf* (only what counts about
 * it: its signers' keys, its revocations, and for a grant its uses). The walk goes breadth first, one round of look-ups
 * and one of reads a level, and depends on nothing but the entries: over the same entries it always comes out the same.
 * The server walks it over its index, a stranger over the tiles, and the verifier again over the bundle itself, to see
 * that the bundle is exactly this and nothing else.
 */
import { pairName, sealNames, sequenceName, type Term } from "../index/terms.js";
import { type LinkMember, idLinksOf, valueLinksOf } from "../record/links.js";
import { isRecordEntry, type RecordEntry, signersOf, type TraceEntry } from "./entry.js";

export const MAX_DEPTH = 32;
export const MAX_NODES = 2000;
/** Statements in a trace, all together: what a bundle can carry and a reader can be asked to hold. */
export const MAX_STATEMENT_BYTES = 8 * 1024 * 1024;

export type Mode = "full" | "leaf";

/** What a walk asks of an index: the entries that carry a record, or that have a term. */
export type Want = { readonly id: string } | { readonly term: Term };

/** A round of the walk: answered with ascending indexes for each want, at most `limit`; or with the entries asked for. */
export type Round =
  | { readonly wants: readonly Want[]; readonly limit: number }
  | { readonly read: readonly number[] };
export type Answer = readonly (readonly number[])[] | readonly TraceEntry[];

export interface TraceNode {
  readonly entry: TraceEntry;
  readonly mode: Mode;
}

export interface ClosureResult {
  /** In log order. */
  readonly nodes: readonly TraceNode[];
  /** Was something left out because there was too much of it, or too far away? */
  readonly bounded: { readonly nodes: boolean; readonly depth: boolean };
}

interface Edge {
  readonly want: Want;
  readonly mode: Mode;
  /** Which of the entries found are meant. */
  readonly accepts?: (entry: RecordEntry) => boolean;
}

/** Walks from these entries. Entry 0, which says who is a registrar, always belongs to it. */
export function* closureOf(subjects: readonly number[]): Generator<Round, ClosureResult, Answer> {
  const walk = new Walk();
  yield* walk.take([
    { indexes: subjects, mode: "full" },
    { indexes: [0], mode: "leaf" },
  ]);
  for (let depth = 0; walk.frontier.length > 0; depth++) {
    const edges = walk.edges();
    if (edges.length > 0 && depth >= MAX_DEPTH) {
      walk.depthBounded = true;
      break;
    }
    const found = yield* lookUp(edges.map(({ want }) => want));
    yield* walk.take(
      edges.map(({ mode, accepts }, i) => ({
        indexes: found[i] ?? [],
        mode,
        ...(accepts === undefined ? {} : { accepts }),
      })),
    );
  }
  return walk.result();
}

interface Found {
  readonly indexes: readonly number[];
  readonly mode: Mode;
  readonly accepts?: (entry: RecordEntry) => boolean;
}

class Walk {
  frontier: { readonly entry: TraceEntry; readonly mode: Mode }[] = [];
  depthBounded = false;
  private nodesBounded = false;
  private bytes = 0;
  private readonly nodes = new Map<number, { readonly entry: TraceEntry; mode: Mode }>();
  /** Read, and not accepted for what it was found as. */
  private readonly rejected = new Map<number, TraceEntry>();
  /** The mode that each want was asked in. */
  private readonly asked = new Map<string, Mode>();

  /** The questions that the frontier raises and that were not asked before. */
  edges(): Edge[] {
    const fresh: Edge[] = [];
    for (const { entry, mode } of this.frontier) {
      for (const edge of edgesOf(entry, mode)) {
        const name =
          edge.accepts === undefined ? nameOf(edge.want) : `${nameOf(edge.want)}\u0000${entry.index}`;
        const before = this.asked.get(name);
        if (before === "full" || before === edge.mode) continue;
        this.asked.set(name, edge.mode);
        fresh.push(edge);
      }
      if (isRecordEntry(entry) && sealSpan(entry) > MAX_NODES) this.nodesBounded = true;
    }
    return fresh;
  }

  /** Takes in what was found, in order, as far as there is room; what is new or more than a leaf now is the next frontier. */
  *take(found: readonly Found[]): Generator<Round, void, Answer> {
    const unread = new Set<number>();
    for (const { indexes } of found)
      for (const index of indexes) if (!this.nodes.has(index) && !this.rejected.has(index)) unread.add(index);
    // Some may be read and rejected; a few more than there is room for are read, never many.
    const readable = [...unread].slice(0, MAX_NODES - this.nodes.size + SPARE);
    let { bytes } = this;
    for (let at = 0; at < readable.length && bytes <= MAX_STATEMENT_BYTES; at += SPARE) {
      for (const entry of yield* readEntries(readable.slice(at, at + SPARE))) {
        this.rejected.set(entry.index, entry);
        bytes += entry.stored.length;
      }
    }
    this.frontier = [];
    for (const { indexes, mode, accepts } of found)
      for (const index of indexes) this.place(index, mode, accepts);
  }

  private place(index: number, mode: Mode, accepts: Found["accepts"]): void {
    const node = this.nodes.get(index);
    const entry = node?.entry ?? this.rejected.get(index);
    if (entry === undefined) {
      this.nodesBounded = true;
      return;
    }
    if (accepts !== undefined && !(isRecordEntry(entry) && accepts(entry))) return;
    if (node === undefined) {
      if (this.nodes.size >= MAX_NODES || this.bytes + entry.stored.length > MAX_STATEMENT_BYTES) {
        this.nodesBounded = true;
        return;
      }
      this.bytes += entry.stored.length;
      this.rejected.delete(index);
      this.nodes.set(index, { entry, mode });
    } else if (node.mode === "full" || mode === "leaf") return;
    else node.mode = "full";
    this.frontier.push({ entry, mode });
  }

  result(): ClosureResult {
    const nodes = [...this.nodes.values()].toSorted((a, b) => a.entry.index - b.entry.index);
    return { nodes, bounded: { nodes: this.nodesBounded, depth: this.depthBounded } };
  }
}

const SPARE = 256;

function* lookUp(wants: readonly Want[]): Generator<Round, readonly (readonly number[])[], Answer> {
  if (wants.length === 0) return [];
  return (yield { wants, limit: MAX_NODES + 1 }) as readonly (readonly number[])[];
}

function* readEntries(indexes: readonly number[]): Generator<Round, readonly TraceEntry[], Answer> {
  if (indexes.length === 0) return [];
  return (yield { read: indexes }) as readonly TraceEntry[];
}

function nameOf(want: Want): string {
  if ("id" in want) return want.id;
  const { field, value, member = "" } = want.term;
  return `${field}\u0000${member}\u0000${value}`;
}

/** How a link down is taken: what an action rests on fully, what only has to be compared as a leaf. */
const DOWN: Readonly<{ [M in LinkMember]: Mode }> = {
  request_hash: "full",
  decision_hash: "full",
  capability_hash: "full",
  parent_capability_hash: "full",
  parent_request: "leaf",
  prior_receipts: "full",
  previous_trace_hash: "leaf",
  via_receipt: "full",
  supersedes: "leaf",
  confirms: "leaf",
  target: "full",
  "scope.request_hash": "leaf",
};

function edgesOf(entry: TraceEntry, mode: Mode): Edge[] {
  const keys = signersOf(entry).map((keyId) => defined(`key:${keyId}`, "leaf"));
  if (!isRecordEntry(entry)) return keys;
  return [...(mode === "full" ? fullEdges(entry) : []), ...leafEdges(entry), ...keys];
}

/** What counts about any node. */
function leafEdges({ record, id }: RecordEntry): Edge[] {
  const { type, value } = record;
  const edges: Edge[] = [];
  if (type !== "revocation" && type !== "override") edges.push(linked(id, "target", "leaf"));
  if (type === "policy" || type === "fact" || type === "policy-decision")
    edges.push(linked(id, "supersedes", "leaf"));
  if (type === "capability-grant") {
    edges.push(linked(id, "capability_hash", "leaf"), linked(id, "parent_capability_hash", "leaf"));
    for (const { member, value: to } of idLinksOf(record))
      if (member === "parent_capability_hash" || member === "request_hash")
        edges.push({ want: { id: to }, mode: "leaf" });
  }
  if (type === "boundary-seal") edges.push(...sealedReceipts(value));
  return edges;
}

function fullEdges(entry: RecordEntry): Edge[] {
  const { record, id } = entry;
  const { type, value, issuer } = record;
  const edges: Edge[] = idLinksOf(record).map(({ member, value: to }) => ({
    want: { id: to },
    mode: DOWN[member],
  }));
  for (const { kind, value: name } of valueLinksOf(record)) {
    if (kind === "evidence") edges.push({ want: { term: { field: "writes", value: name } }, mode: "full" });
    else if (kind !== "id") edges.push(defined(`${kind}:${name}`, "leaf"));
  }
  if (record.previousTraceHash !== null)
    edges.push(linked(record.previousTraceHash, "previous_trace_hash", "leaf"));
  if (type === "action-request") {
    edges.push(linked(id, "request_hash", "full"), linked(id, "scope.request_hash", "leaf"));
    for (const [kind, name] of [
      ["action-type", value["action_type"]],
      ["mission", value["mission_id"]],
    ] as const)
      if (typeof name === "string") edges.push(defined(`exception:${kind}:${name}`, "leaf"));
    const { idempotency_key: key } = value;
    if (typeof key === "string")
      edges.push({ want: { term: { field: "idempotency", value: pairName(issuer, key) } }, mode: "leaf" });
  }
  if (type === "capability-grant") {
    edges.push(linked(id, "capability_hash", "full"));
    const { nonce } = value;
    if (typeof nonce === "string")
      edges.push({ want: { term: { field: "nonce", value: pairName(issuer, nonce) } }, mode: "leaf" });
  }
  if (type === "fact") edges.push(linked(id, "confirms", "leaf"));
  if (type === "execution-receipt") edges.push(...seals(record));
  return edges;
}

/** The seals that cover a receipt: its issuer's own, or, by whomever, one that can be counted out. */
function seals({ value, issuer }: RecordEntry["record"]): Edge[] {
  const { boundary_id: boundary, seq } = value;
  if (typeof boundary !== "string" || typeof seq !== "number") return [];
  const accepts = (seal: RecordEntry): boolean =>
    covers(seal.record.value, boundary, seq) &&
    (seal.record.issuer === issuer || sealSpan(seal) <= MAX_NODES / 2);
  return sealNames(boundary, seq).map((name) => ({ ...defined(name, "leaf"), accepts }));
}

export function covers(seal: RecordEntry["record"]["value"], boundary: string, seq: number): boolean {
  const { boundary_id: of, first_seq: first, last_seq: last } = seal;
  return (
    of === boundary && typeof first === "number" && typeof last === "number" && first <= seq && seq <= last
  );
}

/** How many sequence numbers a seal covers; 0 for any other record. */
function sealSpan({ record: { type, value } }: RecordEntry): number {
  const { first_seq: first, last_seq: last } = value;
  if (type !== "boundary-seal" || typeof first !== "number" || typeof last !== "number") return 0;
  return Math.max(0, last - first + 1);
}

/** The receipts that a seal counts, as far as there can be room for them. */
function sealedReceipts({
  boundary_id: boundary,
  first_seq: first,
  last_seq: last,
}: RecordEntry["record"]["value"]): Edge[] {
  if (typeof boundary !== "string" || typeof first !== "number" || typeof last !== "number") return [];
  const count = Math.max(0, Math.min(MAX_NODES, last - first + 1));
  return Array.from({ length: count }, (_, i) => ({
    want: { term: { field: "sequence", value: sequenceName(boundary, first + i) } },
    mode: "leaf",
  }));
}

function defined(name: string, mode: Mode): Edge {
  return { want: { term: { field: "defines", value: name } }, mode };
}

function linked(id: string, member: LinkMember, mode: Mode): Edge {
  return { want: { term: { field: "link", value: id, member } }, mode };
}

/** Walks with a source that answers at once. */
export function walkSync(
  walk: Generator<Round, ClosureResult, Answer>,
  answer: (round: Round) => Answer,
): ClosureResult {
  let step = walk.next();
  while (step.done !== true) step = walk.next(answer(step.value));
  return step.value;
}

/** Walks with a source that takes its time. */
export async function walkAsync(
  walk: Generator<Round, ClosureResult, Answer>,
  answer: (round: Round) => Promise<Answer>,
): Promise<ClosureResult> {
  let step = walk.next();
  while (step.done !== true) step = walk.next(await answer(step.value));
  return step.value;
}
