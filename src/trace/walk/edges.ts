/** The edges of a trace, walk 2: what each record of an action asks for, downwards and of what bears on it. */
import { pairName, policyLine, sealNames, type Term } from "../../index/terms.js";
import { type LinkMember, idLinksOf, valueLinksOf } from "../../record/links.js";
import { isRecordEntry, type RecordEntry, signersOf, type TraceEntry } from "../entry.js";
import type { Want } from "./rounds.js";

/**
 * How a node is taken in. *leaf*: only what counts about it (its signers' keys, what takes it back, a grant's uses); *twin*: and
 * the grants of a request; *full*: its links are followed, and what names it is fetched. A *stranger* brings its keys alone.
 */
export const MODES = ["stranger", "leaf", "twin", "full"] as const;
export type Mode = (typeof MODES)[number];

export interface Edge {
  readonly want: Want;
  readonly mode: Mode;
  /** Is it asked for in each domain whose word counts? Otherwise as it stands. */
  readonly scoped?: boolean;
  /** Does it lead to what came in something's stead? However often that was done, it is no further away. */
  readonly renews?: boolean;
  /** Which of the entries found are meant. */
  readonly accepts?: (entry: RecordEntry) => boolean;
}

/** What the walk knows of trust domains. */
export interface DomainView {
  readonly origin: string;
  /** The first entry that founded another than the log's own; null where none did, and nothing is kept apart by domain. */
  readonly firstFounding: number | null;
  of(id: string): string;
}

/** Nodes that one trace has at most. */
export const MAX_NODES = 2000;
/** Versions of a policy after the one decided by that are looked at. */
const NEWER_POLICIES = 16;

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
  delegation_hash: "full",
  parent_delegation: "full",
};

export function edgesOf(entry: TraceEntry, mode: Mode, domains: DomainView): Edge[] {
  const keys = keyEdges(entry, domains);
  if (!isRecordEntry(entry) || mode === "stranger") return keys;
  const grants: Edge[] =
    mode === "twin"
      ? [
          {
            ...linked(entry.id, "request_hash", "leaf"),
            accepts: ({ record }) => record.type === "capability-grant",
          },
        ]
      : [];
  return [
    ...(mode === "full" ? fullEdges(entry, domains) : []),
    ...grants,
    ...leafEdges(entry, domains),
    ...keys,
  ];
}

/** The key records of who signed, in the signer's domain and as placed from above; and what founded that domain. */
function keyEdges(entry: TraceEntry, domains: DomainView): Edge[] {
  const { origin } = domains;
  const issuer = entry.record?.issuer;
  const own = issuer === undefined ? origin : domains.of(issuer);
  const named = entry.record?.type === "key" ? entry.record.value["trust_domain"] : undefined;
  const founded = new Set([own, ...(typeof named === "string" ? [named] : [])]);
  founded.delete(origin);
  const edges: Edge[] = [...founded].map((domain) => ({
    want: { ...defined(`domain:${domain}`), domain: origin, first: 1 },
    mode: "leaf",
  }));
  for (const keyId of signersOf(entry))
    for (const domain of new Set([own, origin]))
      edges.push({ want: { ...defined(`key:${keyId}`), domain }, mode: "leaf" });
  return edges;
}

/** What counts about any node. */
function leafEdges({ record, id, index }: RecordEntry, domains: DomainView): Edge[] {
  const { type, value, issuer } = record;
  const edges: Edge[] = [];
  if (type !== "revocation" && type !== "override") edges.push(linked(id, "target", "leaf"));
  if (type === "policy" || type === "fact" || type === "policy-decision")
    edges.push({ ...linked(id, "supersedes", "leaf"), renews: type !== "policy-decision" });
  if (type === "policy")
    edges.push({
      want: {
        ...defined(`policy-line:${policyLine(issuer, value["policy_name"])}`),
        domain: domains.of(issuer),
        after: index,
        first: NEWER_POLICIES,
      },
      mode: "leaf",
    });
  if (type === "capability-grant") {
    edges.push(linked(id, "capability_hash", "leaf"), linked(id, "parent_capability_hash", "leaf"));
    for (const { member, value: to } of idLinksOf(record))
      if (member === "parent_capability_hash" || member === "request_hash")
        edges.push({ want: { id: to, first: 1 }, mode: "leaf" });
  }
  if (type === "boundary-seal") edges.push(...sealedReceipts(record, domains));
  return edges;
}

function fullEdges(entry: RecordEntry, domains: DomainView): Edge[] {
  const { record, id, index } = entry;
  const { type, value, issuer } = record;
  const edges: Edge[] = idLinksOf(record).map(({ member, value: to }) => ({
    want: { id: to, first: 1 },
    mode: DOWN[member],
  }));
  for (const { kind, value: name } of valueLinksOf(record)) {
    if (kind === "evidence")
      edges.push({ want: { term: { field: "writes", value: name } }, mode: "full", scoped: true });
    else if (kind !== "id") edges.push(definition(`${kind}:${name}`));
  }
  if (record.previousTraceHash !== null)
    edges.push(linked(record.previousTraceHash, "previous_trace_hash", "leaf"));
  if (type === "action-request") {
    edges.push(linked(id, "request_hash", "full"), linked(id, "scope.request_hash", "leaf"));
    for (const [kind, name] of [
      ["action-type", value["action_type"]],
      ["mission", value["mission_id"]],
    ] as const)
      if (typeof name === "string") edges.push(definition(`exception:${kind}:${name}`));
    // Who is named as delegator must be somebody that the home knows.
    if (typeof value["delegator_id"] === "string") edges.push(definition(`id:${value["delegator_id"]}`));
    edges.push(...ofIssuer("idempotency", issuer, value["idempotency_key"], "twin"));
  }
  if (type === "capability-grant") {
    edges.push(linked(id, "capability_hash", "full"));
    edges.push(...ofIssuer("nonce", issuer, value["nonce"], "leaf"));
  }
  if (type === "fact") edges.push(linked(id, "confirms", "leaf"));
  if (type === "execution-receipt") edges.push(...seals(record, index, domains));
  return edges;
}

/** What an issuer said under a name of its own: nobody else can be among it. */
function ofIssuer(field: Term["field"], issuer: string, name: unknown, mode: Mode): Edge[] {
  return typeof name === "string" ? [{ want: { term: { field, value: pairName(issuer, name) } }, mode }] : [];
}

/** The seals that cover a receipt, its issuer's own or one that can be counted out; and the next of the boundary. */
function seals({ value, issuer }: RecordEntry["record"], index: number, domains: DomainView): Edge[] {
  const { boundary_id: boundary, seq } = value;
  if (typeof boundary !== "string" || typeof seq !== "number") return [];
  const domain = domains.of(issuer);
  const accepts = (seal: RecordEntry): boolean =>
    covers(seal.record.value, boundary, seq) &&
    (seal.record.issuer === issuer || sealSpan(seal) <= MAX_NODES / 2);
  const covering = sealNames(boundary, seq).map(
    (name): Edge => ({ want: { ...defined(name), domain }, mode: "leaf", accepts }),
  );
  const next: Want = { ...defined(`boundary:${boundary}`), domain, after: index, first: 1 };
  return [...covering, { want: next, mode: "leaf" }];
}

export function covers(seal: RecordEntry["record"]["value"], boundary: string, seq: number): boolean {
  const { boundary_id: of, first_seq: first, last_seq: last } = seal;
  return (
    of === boundary && typeof first === "number" && typeof last === "number" && first <= seq && seq <= last
  );
}

/** How many sequence numbers a seal covers; 0 for any other record. */
export function sealSpan({ record: { type, value } }: RecordEntry): number {
  const { first_seq: first, last_seq: last } = value;
  if (type !== "boundary-seal" || typeof first !== "number" || typeof last !== "number") return 0;
  return Math.max(0, last - first + 1);
}

/** The receipts that a seal counts, in its own domain, as far as there can be room for them. */
function sealedReceipts({ value, issuer }: RecordEntry["record"], domains: DomainView): Edge[] {
  const { boundary_id: boundary, first_seq: from, last_seq: last } = value;
  if (typeof boundary !== "string" || typeof from !== "number" || typeof last !== "number" || last < from)
    return [];
  const to = Math.min(last, from + MAX_NODES - 1);
  return [{ want: { boundary, from, to, domain: domains.of(issuer) }, mode: "leaf" }];
}

function defined(name: string): { readonly term: Term } {
  return { term: { field: "defines", value: name } };
}

function definition(name: string): Edge {
  return { want: defined(name), mode: "leaf", scoped: true };
}

function linked(id: string, member: LinkMember, mode: Mode): Edge {
  return { want: { term: { field: "link", value: id, member } }, mode, scoped: true };
}
