/**
 * What belongs to a trace: from the record asked for down to everything it rests on, and everything that bears on those.
 *
 * The walk goes breadth first, one round of look-ups and one of reads a level, and depends on nothing but the entries: over
 * the same entries it always comes out the same. The server walks it over its index, a stranger over the tiles, and the
 * verifier again over the bundle itself, to see that the bundle is exactly this and nothing else. Walks are numbered: this
 * is 2; the edges of 1 stay for the bundles that were made by it, without scope and without strangers.
 *
 * **Scope.** What names a record is asked for in each trust domain whose word counts here: the subject's, the home of each
 * request that is followed, and those that its action type trusts. Strangers' records are fetched last and apart: the first
 * ten of a link, twenty or 64 KiB in all, with their signers' keys, and they count against no other bound, so that nobody is
 * crowded out. They are there to be seen, not to be weighed: each costs as much as a record that counts, and a flood of them
 * must not make a trace of fifty records dearer by half.
 */
import { isRecordEntry, type RecordEntry, type TraceEntry } from "../entry.js";
import { DOMAINS } from "../../index/terms.js";
import { objectMember, strings } from "../../record/links.js";
import { type DomainView, type Edge, edgesOf, MAX_NODES, type Mode, MODES, sealSpan } from "./edges.js";
import { edgesOf1 } from "./edges-1.js";
import { type Answer, nameOf, type Round, type Want } from "./rounds.js";

export { covers, MAX_NODES } from "./edges.js";
export type { DomainView, Mode } from "./edges.js";

export const WALK = 2;
export type WalkNumber = 1 | 2;
export const MAX_DEPTH = 32;
/** Statements in a trace, all together: what a bundle can carry and a reader can be asked to hold. */
export const MAX_STATEMENT_BYTES = 8 * 1024 * 1024;
/** Strangers' records: of one link, in all, in bytes with their keys; and how many are named besides. */
export const MAX_STRANGERS_A_LINK = 10;
export const MAX_STRANGERS = 20;
export const MAX_STRANGER_BYTES = 64 * 1024;
export const MAX_STRANGERS_NAMED = 1000;
/** Links of which more strangers are named than are carried. */
const MAX_STRANGERS_LISTS = 4;
/** Keys of strangers: entries, and registrars above one another that are followed. */
const MAX_STRANGER_KEYS = 40;
const MAX_STRANGER_DEPTH = 8;
/** Policies of the log itself, each raising its rules. */
const MAX_POLICIES = 16;
/** Entries that carry the record asked for, if it was logged again and again. */
const MAX_SUBJECTS = 16;

export interface TraceNode {
  readonly entry: TraceEntry;
  readonly mode: Mode;
}

export interface Strangers {
  /** The entries that name something in the trace and were said by strangers: the first of them, in log order. */
  readonly indexes: readonly number[];
  /** Were there more? */
  readonly more: boolean;
}

/** Was something left out because there was too much of it, or too far away? */
export interface Bounded {
  readonly nodes: boolean;
  readonly depth: boolean;
}

export interface WalkResult {
  /** In log order. */
  readonly nodes: readonly TraceNode[];
  readonly bounded: Bounded;
  readonly strangers: Strangers;
  /** The trust domains whose records were asked for. */
  readonly scope: readonly string[];
}

export interface WalkOptions {
  readonly domains: DomainView;
  /** 2 unless given. */
  readonly walk?: WalkNumber;
  /** The key that signs the closure statement, where it is not the log's. */
  readonly closureKey?: string;
}

/** Walks from these entries. Entry 0, which says who is a registrar, always belongs to it. */
export function* walkFrom(
  subjects: readonly number[],
  options: WalkOptions,
): Generator<Round, WalkResult, Answer> {
  const walk = new Walk(options.domains, options.walk ?? WALK);
  yield* walk.take([
    {
      indexes: options.walk === 1 ? subjects : subjects.slice(0, MAX_SUBJECTS),
      mode: "full",
      isSubject: true,
    },
    { indexes: [0], mode: "leaf" },
  ]);
  // Whether there are trust domains at all, and which rules applied when, must be seen in every bundle.
  if (options.walk !== 1) {
    walk.ask(DOMAINS, 1);
    walk.ask("log-policy", MAX_POLICIES);
  }
  if (options.closureKey !== undefined) walk.ask(`key:${options.closureKey}`);
  for (let depth = 0; ; ) {
    const asked = walk.questions();
    if (asked.length === 0) break;
    if (depth >= MAX_DEPTH) {
      walk.depthBounded = true;
      break;
    }
    const found = yield* lookUp(asked.map(({ want }) => want));
    // A fact that goes on being kept up, or a policy, is not deeper for that: what it costs, the number of nodes bounds.
    const isRenewed = asked.some(({ renews }, i) => renews === true && walk.isNew(found[i] ?? []));
    if (!isRenewed) depth++;
    yield* walk.take(asked.map(({ mode, accepts }, i) => foundBy(found[i] ?? [], mode, accepts)));
  }
  yield* walk.takeStrangers();
  return walk.result();
}

interface Found {
  readonly indexes: readonly number[];
  readonly mode: Mode;
  readonly accepts?: (entry: RecordEntry) => boolean;
  readonly isSubject?: boolean;
}

function foundBy(indexes: readonly number[], mode: Mode, accepts: Found["accepts"]): Found {
  return { indexes, mode, ...(accepts === undefined ? {} : { accepts }) };
}

interface Node {
  readonly entry: TraceEntry;
  mode: Mode;
  /** As which it was found by somebody whose own domain counts: taken in so once its domain does, too. */
  wanted: Mode;
}

class Walk {
  depthBounded = false;
  private frontier: { readonly entry: TraceEntry; readonly mode: Mode }[] = [];
  private nodesBounded = false;
  private bytes = 0;
  private readonly nodes = new Map<number, Node>();
  /** Read, and not accepted for what it was found as. */
  private readonly rejected = new Map<number, TraceEntry>();
  /** The mode that each want was asked in. */
  private readonly asked = new Map<string, Mode>();
  private readonly scope = new Set<string>();
  /** Those of the scope whose action it may be. */
  private readonly homes = new Set<string>();
  /** Domains that have joined and were not asked about yet. */
  private joining: string[] = [];
  /** Everything that is asked for in each domain of the scope. */
  private readonly scoped = new Map<string, Edge>();
  private extra: Edge[] = [];
  private strangers: Strangers = { indexes: [], more: false };

  constructor(
    private readonly domains: DomainView,
    private readonly number: WalkNumber,
  ) {}

  ask(name: string, first?: number): void {
    const want: Want = {
      term: { field: "defines", value: name },
      domain: this.domains.origin,
      ...(first === undefined ? {} : { first }),
    };
    this.extra.push({ want, mode: "leaf" });
  }

  /** What the frontier, and domains that have joined, ask for and was not asked before. */
  questions(): Edge[] {
    const fresh: Edge[] = [];
    const known = [...this.scope].filter((domain) => !this.joining.includes(domain));
    const before = [...this.scoped.values()];
    for (const edge of this.extra.splice(0)) this.question(edge, "", fresh);
    for (const { entry, mode } of this.frontier) {
      for (const edge of this.edgesOf(entry, mode)) {
        const holder = edge.accepts === undefined ? "" : String(entry.index);
        if (edge.scoped !== true) {
          this.question(edge, holder, fresh);
          continue;
        }
        const name = nameOf(edge.want);
        this.scoped.set(`${edge.mode} ${name} ${holder}`, edge);
        for (const domain of [...known, ...this.joining])
          this.question(within(edge, domain), holder, fresh, `${domain.length}:${domain} ${name}`);
      }
      if (isRecordEntry(entry) && sealSpan(entry) > MAX_NODES) this.nodesBounded = true;
    }
    for (const domain of this.joining.splice(0))
      for (const edge of before)
        this.question(within(edge, domain), "", fresh, `${domain.length}:${domain} ${nameOf(edge.want)}`);
    this.frontier = [];
    return fresh;
  }

  private edgesOf(entry: TraceEntry, mode: Mode): Edge[] {
    return this.number === 1 ? edgesOf1(entry, mode) : edgesOf(entry, mode, this.domains);
  }

  private question(edge: Edge, holder: string, fresh: Edge[], asked = nameOf(edge.want)): void {
    const name = `${asked} ${holder}`;
    const before = this.asked.get(name);
    if (before !== undefined && rank(before) >= rank(edge.mode)) return;
    this.asked.set(name, edge.mode);
    fresh.push(edge);
  }

  /** Takes in what was found, in order, as far as there is room; what is new or more than it was is the next frontier. */
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
    for (const one of found) for (const index of one.indexes) this.place(index, one);
  }

  isNew(indexes: readonly number[]): boolean {
    return indexes.some((index) => !this.nodes.has(index));
  }

  private place(index: number, { mode, accepts, isSubject = false }: Found): void {
    const node = this.nodes.get(index);
    const entry = node?.entry ?? this.rejected.get(index);
    if (entry === undefined) {
      this.nodesBounded = true;
      return;
    }
    if (accepts !== undefined && !(isRecordEntry(entry) && accepts(entry))) return;
    if (isSubject) this.joinHome(this.domainOf(entry));
    if (node === undefined) {
      if (this.nodes.size >= MAX_NODES || this.bytes + entry.stored.length > MAX_STATEMENT_BYTES) {
        this.nodesBounded = true;
        return;
      }
      this.bytes += entry.stored.length;
      this.rejected.delete(index);
      const fresh: Node = { entry, mode: this.allowed(entry, mode), wanted: mode };
      this.nodes.set(index, fresh);
      this.reached(fresh);
      return;
    }
    if (rank(mode) > rank(node.wanted)) node.wanted = mode;
    this.raise(node);
  }

  /** A node may be more now than it was. */
  private raise(node: Node): void {
    const allowed = this.allowed(node.entry, node.wanted);
    if (rank(allowed) <= rank(node.mode)) return;
    node.mode = allowed;
    this.reached(node);
  }

  private reached({ entry, mode }: Node): void {
    this.frontier.push({ entry, mode });
    if (!isRecordEntry(entry)) return;
    const { type, value } = entry.record;
    if (type === "action-request" && mode === "full") {
      this.joinHome(this.domainOf(entry));
      if (typeof value["action_domain"] === "string") this.joinHome(value["action_domain"]);
    }
    if (type === "action-type" && this.homes.has(this.domainOf(entry)))
      for (const domain of trustedBy(value)) this.join(domain);
  }

  /** A record of a domain that does not count is only looked at, unless it is a request: that says whose word counts. */
  private allowed(entry: TraceEntry, mode: Mode): Mode {
    if (this.number === 1 || (mode !== "full" && mode !== "twin")) return mode;
    if (entry.record === null || entry.record.type === "action-request") return mode;
    return this.scope.has(this.domainOf(entry)) ? mode : "leaf";
  }

  private join(domain: string): void {
    if (this.scope.has(domain)) return;
    this.scope.add(domain);
    this.joining.push(domain);
    for (const node of [...this.nodes.values()]) if (this.domainOf(node.entry) === domain) this.raise(node);
  }

  /** Whose action it may be: whom its action types trust has a say, too, and nobody whom those trust in turn. */
  private joinHome(domain: string): void {
    this.join(domain);
    if (this.homes.has(domain)) return;
    this.homes.add(domain);
    for (const { entry } of [...this.nodes.values()])
      if (entry.record?.type === "action-type" && this.domainOf(entry) === domain)
        for (const other of trustedBy(entry.record.value)) this.join(other);
  }

  private domainOf({ record }: TraceEntry): string {
    return record === null ? this.domains.origin : this.domains.of(record.issuer);
  }

  /** Strangers' records that name something here: by then it is settled who is one. */
  *takeStrangers(): Generator<Round, void, Answer> {
    // While no domain was founded nobody is a stranger: half of all questions need not be asked.
    if (this.number === 1 || this.domains.firstFounding === null) return;
    const except = [...this.scope].toSorted();
    const first = MAX_STRANGERS_A_LINK + 1;
    const wants = distinct(
      [...this.scoped.values()].flatMap(({ want }): Want[] =>
        "term" in want && want.term.field === "link" ? [{ term: want.term, except, first }] : [],
      ),
    );
    const lists = yield* lookUp(wants, first);
    this.strangers = yield* this.nameStrangers(wants, lists);
    const few = lists.flatMap((list) =>
      list.filter((index) => !this.nodes.has(index)).slice(0, MAX_STRANGERS_A_LINK),
    );
    const room = { entries: MAX_STRANGERS, bytes: MAX_STRANGER_BYTES };
    let frontier = yield* this.takeApart(sorted(few), room);
    room.entries = MAX_STRANGER_KEYS;
    for (let depth = 0; frontier.length > 0 && depth < MAX_STRANGER_DEPTH; depth++) {
      const fresh: Edge[] = [];
      for (const entry of frontier)
        for (const edge of edgesOf(entry, "stranger", this.domains)) this.question(edge, "", fresh);
      const found = yield* lookUp(
        fresh.map(({ want }) => want),
        MAX_STRANGERS_A_LINK,
      );
      frontier = yield* this.takeApart(sorted(found.flat()), room);
    }
  }

  /** Names the strangers' records that were found; where a link has more than are carried, more of those, of a few links. */
  private *nameStrangers(
    wants: readonly Want[],
    lists: readonly (readonly number[])[],
  ): Generator<Round, Strangers, Answer> {
    const seen = new Set(lists.flat().filter((index) => !this.nodes.has(index)));
    const full = wants.filter((_, i) => (lists[i]?.length ?? 0) > MAX_STRANGERS_A_LINK);
    const asked = full.slice(0, MAX_STRANGERS_LISTS);
    const first = MAX_STRANGERS_NAMED + 1;
    for (const want of asked) {
      if (seen.size > MAX_STRANGERS_NAMED) break;
      const [list = []] = yield* lookUp([{ ...want, first }], first);
      for (const index of list) if (!this.nodes.has(index)) seen.add(index);
    }
    const indexes = sorted([...seen]);
    return {
      indexes: indexes.slice(0, MAX_STRANGERS_NAMED),
      more: indexes.length > MAX_STRANGERS_NAMED || full.length > asked.length,
    };
  }

  /** The first of these, as far as there is room apart from everything else. */
  private *takeApart(
    indexes: readonly number[],
    room: { entries: number; bytes: number },
  ): Generator<Round, readonly TraceEntry[], Answer> {
    const unread = indexes.filter((index) => !this.nodes.has(index)).slice(0, room.entries);
    const taken: TraceEntry[] = [];
    for (const entry of yield* readEntries(unread)) {
      if (entry.stored.length > room.bytes) break;
      room.entries--;
      room.bytes -= entry.stored.length;
      this.nodes.set(entry.index, { entry, mode: "stranger", wanted: "stranger" });
      taken.push(entry);
    }
    return taken;
  }

  result(): WalkResult {
    const nodes = [...this.nodes.values()].toSorted((a, b) => a.entry.index - b.entry.index);
    return {
      nodes: nodes.map(({ entry, mode }) => ({ entry, mode })),
      bounded: { nodes: this.nodesBounded, depth: this.depthBounded },
      strangers: this.strangers,
      scope: [...this.scope].toSorted(),
    };
  }
}

/** Read beyond what there is room for. */
const SPARE = 256;

function rank(mode: Mode): number {
  return MODES.indexOf(mode);
}

function within(edge: Edge, domain: string): Edge {
  return "term" in edge.want && !("except" in edge.want) ? { ...edge, want: { ...edge.want, domain } } : edge;
}

/** The domains that an action type trusts, in whatever role. */
function trustedBy(value: RecordEntry["record"]["value"]): string[] {
  return Object.values(objectMember(value, "trusts")).flatMap((names) => strings(names));
}

function distinct(wants: readonly Want[]): Want[] {
  return [...new Map(wants.map((want) => [nameOf(want), want])).values()];
}

function sorted(indexes: readonly number[]): number[] {
  return [...new Set(indexes)].toSorted((a, b) => a - b);
}

function* lookUp(
  wants: readonly Want[],
  limit = MAX_NODES + 1,
): Generator<Round, readonly (readonly number[])[], Answer> {
  if (wants.length === 0) return [];
  return (yield { wants, limit }) as readonly (readonly number[])[];
}

function* readEntries(indexes: readonly number[]): Generator<Round, readonly TraceEntry[], Answer> {
  if (indexes.length === 0) return [];
  return (yield { read: indexes }) as readonly TraceEntry[];
}
