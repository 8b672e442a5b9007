/** The edges of walk 1, as bundles of the format `writ-trace/1` were made: no trust domains, no delegations. Never changed. */
import { pairName, sealNames } from "../../index/terms.js";
import { type LinkMember, idLinksOf, valueLinksOf } from "../../record/links.js";
import { isRecordEntry, type RecordEntry, signersOf, type TraceEntry } from "../entry.js";
import { covers, type Edge, MAX_NODES, type Mode, sealSpan } from "./edges.js";

const DOWN: Readonly<Partial<{ [M in LinkMember]: Mode }>> = {
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

export function edgesOf1(entry: TraceEntry, mode: Mode): Edge[] {
  const keys = signersOf(entry).map((keyId) => defined(`key:${keyId}`));
  if (!isRecordEntry(entry)) return keys;
  return [...(mode === "full" ? fullEdges(entry) : []), ...leafEdges(entry), ...keys];
}

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
  const { boundary_id: boundary, first_seq: from, last_seq: last } = value;
  if (
    type === "boundary-seal" &&
    typeof boundary === "string" &&
    typeof from === "number" &&
    typeof last === "number"
  )
    if (last >= from)
      edges.push({ want: { boundary, from, to: Math.min(last, from + MAX_NODES - 1) }, mode: "leaf" });
  return edges;
}

function fullEdges({ record, id }: RecordEntry): Edge[] {
  const { type, value, issuer } = record;
  const edges: Edge[] = idLinksOf(record).flatMap(({ member, value: to }) => {
    const mode = DOWN[member];
    return mode === undefined ? [] : [{ want: { id: to }, mode }];
  });
  for (const { kind, value: name } of valueLinksOf(record)) {
    if (kind === "evidence") edges.push({ want: { term: { field: "writes", value: name } }, mode: "full" });
    else if (kind !== "id") edges.push(defined(`${kind}:${name}`));
  }
  if (record.previousTraceHash !== null)
    edges.push(linked(record.previousTraceHash, "previous_trace_hash", "leaf"));
  if (type === "action-request") {
    edges.push(linked(id, "request_hash", "full"), linked(id, "scope.request_hash", "leaf"));
    for (const [kind, name] of [
      ["action-type", value["action_type"]],
      ["mission", value["mission_id"]],
    ] as const)
      if (typeof name === "string") edges.push(defined(`exception:${kind}:${name}`));
    edges.push(...ofIssuer("idempotency", issuer, value["idempotency_key"]));
  }
  if (type === "capability-grant") {
    edges.push(linked(id, "capability_hash", "full"));
    edges.push(...ofIssuer("nonce", issuer, value["nonce"]));
  }
  if (type === "fact") edges.push(linked(id, "confirms", "leaf"));
  const { boundary_id: boundary, seq } = value;
  if (type === "execution-receipt" && typeof boundary === "string" && typeof seq === "number")
    for (const name of sealNames(boundary, seq))
      edges.push({
        ...defined(name),
        accepts: (seal) =>
          covers(seal.record.value, boundary, seq) &&
          (seal.record.issuer === issuer || sealSpan(seal) <= MAX_NODES / 2),
      });
  return edges;
}

function ofIssuer(field: "idempotency" | "nonce", issuer: string, name: unknown): Edge[] {
  return typeof name === "string"
    ? [{ want: { term: { field, value: pairName(issuer, name) } }, mode: "leaf" }]
    : [];
}

function defined(name: string): Edge {
  return { want: { term: { field: "defines", value: name } }, mode: "leaf" };
}

function linked(id: string, member: LinkMember, mode: Mode): Edge {
  return { want: { term: { field: "link", value: id, member } }, mode };
}
