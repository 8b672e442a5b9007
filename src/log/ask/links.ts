/** The links of an entry, both ways: what it points at, missing ones named, and what points at it. */
import { type LinkMember, LINK_MEMBERS, linksOf, strings } from "../../record/links.js";
import type { Term } from "../../index/terms.js";
import { signersOf, type TraceEntry } from "../../trace/entry.js";
import type { Postings, Span } from "./postings.js";
import { type Library, readEntries } from "./bundle.js";

export interface LinkOut {
  readonly member: string;
  readonly kind: string;
  readonly value: string;
  /** The entries meant; none: it is missing (so far). */
  readonly to: readonly TraceEntry[];
  /** Are there more than are given? */
  readonly truncated: boolean;
}

export interface LinkIn {
  readonly member: string;
  readonly from: TraceEntry;
}

export interface EntryLinks {
  readonly out: readonly LinkOut[];
  readonly in: readonly LinkIn[];
  /** Were there more of either kind than are given? */
  readonly truncated: boolean;
}

/** Links of one kind that are given at most. */
const MAX_LINKS = 1000;
const MAX_TARGETS = 8;

export async function linksOfEntry(library: Library, size: number, entry: TraceEntry): Promise<EntryLinks> {
  if (entry.record === null || entry.id === null) return { out: [], in: [], truncated: false };
  const { postings } = library;
  const out = await Promise.all(
    linksOf(entry.record).map(async ({ member, kind, value }): Promise<LinkOut> => {
      const indexes = await meant(postings, size, entry, { member, kind, value });
      const to = await readEntries(library, indexes.slice(0, MAX_TARGETS));
      return { member, kind, value, to, truncated: indexes.length > MAX_TARGETS };
    }),
  );
  const found = await Promise.all(
    incoming(entry).map(async ({ member, term }) => {
      const indexes = await postings.term(term)({ from: 0, to: size, limit: MAX_LINKS + 1 });
      return indexes.map((index) => ({ member, index }));
    }),
  );
  const all = found.flat().filter(({ index }) => index !== entry.index);
  const kept = all.toSorted((a, b) => a.index - b.index).slice(0, MAX_LINKS);
  const sources = await readEntries(
    library,
    kept.map(({ index }) => index),
  );
  return {
    out,
    in: kept.flatMap(({ member }, i) => {
      const from = sources[i];
      return from === undefined ? [] : [{ member, from }];
    }),
    truncated: all.length > kept.length || out.some(({ truncated }) => truncated),
  };
}

/** The entries that a link means: one more than are given, when there are more. */
async function meant(
  postings: Postings,
  size: number,
  entry: TraceEntry,
  { member, kind, value }: { readonly member: string; readonly kind: string; readonly value: string },
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
