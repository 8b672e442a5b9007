/** The links of an entry, both ways: what it points at, missing ones named, and what points at it. */
import { type LinkMember, LINK_MEMBERS, linksOf, strings } from "../../record/links.js";
import type { Term } from "../../index/terms.js";
import { signersOf, type TraceEntry } from "../../trace/entry.js";
import type { Postings, Span } from "./postings.js";
import { type Cost, inTurns } from "./budget.js";
import { type Library, readPages, sizeOf } from "./bundle.js";

/** An entry by what a link says of it. */
export interface Linked {
  readonly index: number;
  /** Null for foreign content. */
  readonly id: string | null;
  readonly type: string | null;
}

export interface LinkOut {
  readonly member: string;
  readonly kind: string;
  readonly value: string;
  /** The entries meant. */
  readonly to: readonly Linked[];
  /** Is nothing of that name there (so far)? */
  readonly isMissing: boolean;
  /** Are there more than are given? */
  readonly truncated: boolean;
}

export interface LinkIn {
  readonly member: string;
  readonly from: Linked;
}

export interface EntryLinks {
  readonly out: readonly LinkOut[];
  readonly in: readonly LinkIn[];
  /** Were there more of either kind than are given? */
  readonly truncated: boolean;
}

/** Links of one kind that are given at most, entries that one means, and bytes of entries that are read to name them. */
const MAX_LINKS = 1000;
const MAX_TARGETS = 8;
export const MAX_LINKED_BYTES = 8 * 1024 * 1024;
/** Indexes that are read of all lists together: of many lists, a part of each. */
const MAX_INCOMING = 16_000;

/** Costs at worst MAX_INCOMING rows of the index and MAX_LINKED_BYTES of entries, each read once however often it is named. */
export async function linksOfEntry(
  library: Library,
  size: number,
  entry: TraceEntry,
  cost: Cost,
): Promise<EntryLinks> {
  if (entry.record === null || entry.id === null) return { out: [], in: [], truncated: false };
  const { postings } = library;
  const links = linksOf(entry.record);
  const names = new Map(links.map((link) => [nameOf(link), link]));
  const targets = await inTurns([...names], cost, async ([name, link]) => {
    return [name, await meant(postings, size, entry, link)] as const;
  });
  const indexesOf = new Map(targets);
  const wants = incoming(entry);
  const limit = Math.max(MAX_TARGETS, Math.min(MAX_LINKS + 1, Math.floor(MAX_INCOMING / wants.length)));
  const found = await inTurns(wants, cost, async ({ member, term }) => {
    const indexes = await postings.term(term)({ from: 0, to: size, limit });
    return { isCut: indexes.length === limit, links: indexes.map((index) => ({ member, index })) };
  });
  const all = found.flatMap((list) => list.links).filter(({ index }) => index !== entry.index);
  const kept = all.toSorted((a, b) => a.index - b.index).slice(0, MAX_LINKS);
  const named = await namesOf(
    library,
    [
      ...[...indexesOf.values()].flatMap((indexes) => indexes.slice(0, MAX_TARGETS)),
      ...kept.map(({ index }) => index),
    ],
    cost,
  );
  const out = links.map(({ member, kind, value }): LinkOut => {
    const indexes = indexesOf.get(nameOf({ member, kind, value })) ?? [];
    const to = indexes.slice(0, MAX_TARGETS).flatMap((index) => named.get(index) ?? []);
    const isMissing = indexes.length === 0;
    return { member, kind, value, to, isMissing, truncated: indexes.length > to.length };
  });
  const into = kept.flatMap(({ member, index }) => {
    const from = named.get(index);
    return from === undefined ? [] : [{ member, from }];
  });
  const truncated =
    all.length > into.length || found.some(({ isCut }) => isCut) || out.some((link) => link.truncated);
  return { out, in: into, truncated };
}

type Link = { readonly member: string; readonly kind: string; readonly value: string };

/** What a link means, however often it is named; who an issuer is depends on the member. */
function nameOf({ member, kind, value }: Link): string {
  return `${member === "issuer" ? "issuer" : ""} ${kind} ${value}`;
}

/** Entries by name, each read once and let go; as many as there is room for. */
async function namesOf(
  library: Library,
  indexes: readonly number[],
  cost: Cost,
): Promise<ReadonlyMap<number, Linked>> {
  const named = new Map<number, Linked>();
  let bytes = 0;
  for await (const entries of readPages(library, [...new Set(indexes)], cost)) {
    for (const { index, id, record, stored } of entries) {
      bytes += stored.length;
      named.set(index, { index, id, type: record?.type ?? null });
    }
    cost.credit(sizeOf(entries.map(({ stored }) => stored)));
    if (bytes > MAX_LINKED_BYTES) break;
  }
  return named;
}

/** The entries that a link means: one more than are given, when there are more. */
async function meant(
  postings: Postings,
  size: number,
  entry: TraceEntry,
  { member, kind, value }: Link,
): Promise<number[]> {
  const span = { from: 0, to: size, limit: MAX_TARGETS + 1 };
  if (kind === "record") return postings.record(value)(span);
  if (kind === "evidence") return postings.term({ field: "writes", value })(span);
  if (kind === "id" && member === "issuer") return signersKeys(postings, entry, span);
  return postings.term({ field: "defines", value: `${kind}:${value}` })(span);
}

/** An issuer means the registrations of the keys that signed; one without any is a registrar of entry 0, or the log's. */
async function signersKeys(postings: Postings, entry: TraceEntry, span: Span): Promise<number[]> {
  const lists = signersOf(entry).map((keyId) =>
    postings.term({ field: "defines", value: `key:${keyId}` })(span),
  );
  const found = (await Promise.all(lists)).flat();
  return found.length > 0 ? found.toSorted((a, b) => a - b) : [0];
}

/** The terms by which others name this entry, or what it defines. */
function incoming({ record, id }: TraceEntry): { readonly member: string; readonly term: Term }[] {
  if (record === null || id === null) return [];
  const { type, value } = record;
  const links: { member: string; term: Term }[] = LINK_MEMBERS.map((member: LinkMember) => ({
    member,
    term: { field: "link", value: id, member },
  }));
  const add = (member: string, field: Term["field"], name: unknown): void => {
    if (typeof name === "string") links.push({ member, term: { field, value: name } });
  };
  if (type === "fact") add("evidence", "cites", value["value_hash"]);
  if (type === "execution-receipt" && Array.isArray(value["evidence_written"]))
    for (const hash of value["evidence_written"]) add("evidence", "cites", hash);
  if (type === "policy") add("policy_digest", "uses_policy", value["policy_digest"]);
  if (type === "action-type") add("action_type", "action_type", value["action_type"]);
  if (type === "key") {
    add("signer", "signer", value["key_id"]);
    for (const name of strings(value["ids"])) add("audience", "audience", name);
  }
  if (type === "mission") add("mission_id", "mission_id", value["mission_id"]);
  return links;
}
