/** The records of a trace, their links both ways, and the actions they belong to. */
import { type LinkMember, idLinksOf, linksOf } from "../record/links.js";
import type { Json } from "../statement/json.js";
import type { BundleLink, MissingLink } from "./bundle.js";
import type { TraceNode } from "./walk/walk.js";
import { isRecordEntry, type RecordEntry, signersOf, type TraceEntry } from "./entry.js";

export class Graph {
  /** Every entry with a record, in log order. */
  readonly entries: readonly RecordEntry[];
  private readonly byId = new Map<string, RecordEntry[]>();
  private readonly incoming = new Map<
    string,
    { readonly member: LinkMember; readonly from: RecordEntry }[]
  >();
  /** Answers of `naming`: checks ask the same again for each of many receipts. */
  private readonly named = new Map<string, readonly RecordEntry[]>();
  private readonly byType = new Map<string, RecordEntry[]>();
  private readonly definitions = new Map<string, RecordEntry[]>();

  /**
   * `speakersOf`: the signers of an entry that count; the others only added their names. All of them, where nobody knows
   * better.
   */
  constructor(
    readonly nodes: readonly TraceNode[],
    readonly speakersOf: (entry: TraceEntry) => readonly string[] = signersOf,
  ) {
    this.entries = nodes.map(({ entry }) => entry).filter(isRecordEntry);
    for (const entry of this.entries) {
      push(this.byId, entry.id, entry);
      push(this.byType, entry.record.type, entry);
      for (const name of writtenBy(entry)) push(this.definitions, name, entry);
      for (const { member, value } of idLinksOf(entry.record))
        push(this.incoming, value, { member, from: entry });
    }
  }

  /** Of entries as they are, without the walk's word on any: to show what they say, not to judge it. */
  static of(entries: readonly TraceEntry[]): Graph {
    return new Graph(entries.map((entry) => ({ entry, mode: "leaf" })));
  }

  /** The same without the records that do not count. */
  within(counts: (entry: RecordEntry) => boolean): Graph {
    return new Graph(
      this.nodes.filter(({ entry }) => isRecordEntry(entry) && counts(entry)),
      this.speakersOf,
    );
  }

  /** The first entry that carries the record. */
  record(id: string | undefined): RecordEntry | undefined {
    return id === undefined ? undefined : this.byId.get(id)?.[0];
  }

  /** The records whose member names this id, in log order; one for each record id and signer. */
  naming(id: string, member: LinkMember, type = ""): readonly RecordEntry[] {
    const name = `${id} ${member} ${type}`;
    const known = this.named.get(name);
    if (known !== undefined) return known;
    const found = (this.incoming.get(id) ?? [])
      .filter((link) => link.member === member && (type === "" || link.from.record.type === type))
      .map(({ from }) => from);
    const distinct = this.distinctBySpeaker(found);
    this.named.set(name, distinct);
    return distinct;
  }

  /** "Whatever is counted is counted by record id and signer, never by entry." */
  distinctBySpeaker(entries: readonly RecordEntry[]): RecordEntry[] {
    const seen = new Set<string>();
    return entries.filter((entry) => {
      const fresh = this.speakersOf(entry).filter((speaker) => !seen.has(`${entry.id}${speaker}`));
      for (const speaker of fresh) seen.add(`${entry.id}${speaker}`);
      return fresh.length > 0;
    });
  }

  all(type: string): readonly RecordEntry[] {
    return this.byType.get(type) ?? [];
  }

  /** The facts and receipts that wrote an evidence hash down. */
  writers(hash: string): readonly RecordEntry[] {
    return this.definitions.get(hash) ?? [];
  }

  /** The id links among the nodes, each to the first entry that carries what is named. */
  links(): BundleLink[] {
    return this.entries.flatMap((entry) =>
      idLinksOf(entry.record).flatMap(({ member, value }) => {
        const to = this.record(value);
        return to === undefined ? [] : [{ from: entry.index, member, to: to.index }];
      }),
    );
  }

  /** The links of fully taken nodes that lead nowhere. */
  missing(): MissingLink[] {
    const missing: MissingLink[] = [];
    for (const { entry, mode } of this.nodes) {
      if (mode !== "full" || !isRecordEntry(entry)) continue;
      for (const { kind, member, value } of linksOf(entry.record))
        if (kind !== "id" && !this.resolves(kind, value)) missing.push({ from: entry.index, member, value });
    }
    return missing;
  }

  private resolves(kind: string, value: string): boolean {
    if (kind === "record") return this.byId.has(value);
    if (kind === "evidence") return this.definitions.has(value);
    return this.all(kind).some(({ record }) => nameDefined(record.type, record.value) === value);
  }
}

/** One action: a request, and every decision, approval, grant, consumption and receipt that names it or a grant of it. */
export interface Action {
  /** The record id of the request, logged or not. */
  readonly id: string;
  readonly request: RecordEntry | undefined;
  readonly decisions: readonly RecordEntry[];
  readonly approvals: readonly RecordEntry[];
  readonly grants: readonly RecordEntry[];
  readonly consumptions: readonly RecordEntry[];
  readonly receipts: readonly RecordEntry[];
}

export function actionOf(graph: Graph, id: string): Action {
  const first = graph.record(id);
  // A receipt that names no request is an action of its own.
  if (first?.record.type === "execution-receipt") return unasked(id, first);
  const naming = (type: string): readonly RecordEntry[] => graph.naming(id, "request_hash", type);
  const grants = naming("capability-grant");
  const ofGrants = (type: string): RecordEntry[] =>
    inLogOrder([
      ...naming(type),
      ...grants.flatMap((grant) => graph.naming(grant.id, "capability_hash", type)),
    ]);
  return {
    id,
    request: first?.record.type === "action-request" ? first : undefined,
    decisions: distinctRecords(naming("policy-decision")),
    // An approval said again later, with one signature more, would outlive its own withdrawal.
    approvals: distinctRecords(naming("approval")),
    grants: distinctRecords(grants),
    consumptions: ofGrants("consumption"),
    receipts: ofGrants("execution-receipt"),
  };
}

function unasked(id: string, receipt: RecordEntry): Action {
  const none: readonly RecordEntry[] = [];
  return {
    id,
    request: undefined,
    decisions: none,
    approvals: none,
    grants: none,
    consumptions: none,
    receipts: [receipt],
  };
}

/** The id of the request whose action a record belongs to (a receipt's own where nobody asked); null when it belongs to none. */
export function actionIdOf(graph: Graph, { record, id }: RecordEntry, seen = 0): string | null {
  if (record.type === "action-request") return id;
  if (STEPS.includes(record.type))
    return textMember(record.value, "request_hash") ?? (record.type === "execution-receipt" ? id : null);
  const through =
    record.type === "revocation" || record.type === "override"
      ? textMember(record.value, "target")
      : undefined;
  const next = graph.record(through);
  return next === undefined || seen > MAX_HOPS ? null : actionIdOf(graph, next, seen + 1);
}

const MAX_HOPS = 8;
const STEPS: readonly string[] = [
  "policy-decision",
  "approval",
  "capability-grant",
  "consumption",
  "execution-receipt",
];

/** Every entry of an action. */
export function membersOf(action: Action): RecordEntry[] {
  const { request, decisions, approvals, grants, consumptions, receipts } = action;
  return [
    ...(request === undefined ? [] : [request]),
    ...decisions,
    ...approvals,
    ...grants,
    ...consumptions,
    ...receipts,
  ];
}

/** Each record once, as its first entry. */
export function distinctRecords(entries: readonly RecordEntry[]): RecordEntry[] {
  const seen = new Set<string>();
  return entries.filter(({ id }) => !seen.has(id) && seen.add(id));
}

function inLogOrder(entries: readonly RecordEntry[]): RecordEntry[] {
  return [...new Set(entries)].toSorted((a, b) => a.index - b.index);
}

export function textMember(value: { readonly [name: string]: Json }, name: string): string | undefined {
  const member = value[name];
  return typeof member === "string" ? member : undefined;
}

function writtenBy({ record: { type, value } }: RecordEntry): string[] {
  if (type === "fact") return [value["value_hash"]].filter((hash) => typeof hash === "string");
  const written = type === "execution-receipt" ? value["evidence_written"] : undefined;
  return Array.isArray(written) ? written.filter((hash) => typeof hash === "string") : [];
}

function nameDefined(type: string, value: { readonly [name: string]: Json }): Json | undefined {
  if (type === "policy") return value["policy_digest"];
  return type === "action-type" ? value["action_type"] : value["mission_id"];
}

function push<T>(lists: Map<string, T[]>, name: string, element: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [element]);
  else list.push(element);
}
