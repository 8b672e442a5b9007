/** What an approver is shown of a request, and the record that he signs over it: in a terminal and in a page alike. */
import { ProofError, WritError } from "../errors.js";
import { visible } from "../format/visible.js";
import { buildRecord, RecordRef } from "../record/build.js";
import { objectMember } from "../record/links.js";
import type { TraceVerdict } from "../trace/answer.js";
import type { Bundle } from "../trace/bundle.js";
import { standingOf } from "../trace/draw/card.js";
import { printable } from "../trace/draw/text.js";
import { findingText } from "../trace/draw/tree.js";
import type { RecordEntry } from "../trace/entry.js";
import { actionOf, type Graph, textMember } from "../trace/graph.js";

export type Answer = "approve" | "reject";

/** The request that a bundle is about. USAGE; ProofError when it is not proven to be in the log as its signers signed it. */
export function requestIn(
  graph: Graph,
  { subject }: Bundle,
  ref: string,
  verdict: TraceVerdict,
): RecordEntry {
  if (verdict.verdict === "NOT_VERIFIED") {
    const why = verdict.findings.find(isFailed)?.detail ?? "it is not verified";
    throw new ProofError(`what the log shows of it is not sound: ${why}`);
  }
  const request = graph.record(subject);
  if (request === undefined || request.record.type !== "action-request")
    throw new WritError(
      "USAGE",
      `want a request, ${printable(ref)} is ${request === undefined ? "no record" : `of the type ${request.record.type}`}`,
    );
  const forged = verdict.findings.find(
    ({ code, nodes }) => code === "SIGNATURE_INVALID" && nodes.includes(request.index),
  );
  if (forged !== undefined)
    throw new ProofError(`the request is not signed by whom it names: ${forged.detail}`);
  return request;
}

function isFailed({ outcome }: TraceVerdict["findings"][number]): boolean {
  return outcome === "FAIL";
}

/** What is to be known of a record beside what it says: that it counts for nothing, how it stands, what fails of it. */
function besides(entry: RecordEntry, graph: Graph, verdict: TraceVerdict): string {
  const { index } = entry;
  const failed = verdict.findings.filter((one) => isFailed(one) && one.nodes.includes(index));
  const words = [
    ...(verdict.strangers.indexes.includes(index) ? ["BY A STRANGER: it counts for nothing here"] : []),
    ...standingOf(entry, graph, verdict),
    ...failed.flatMap(({ code }) => (code === null ? [] : [`✗ ${code}`])),
  ];
  return words.length === 0 ? "" : ` [${visible([...new Set(words)].join("; "))}]`;
}

/** What is asked, what was said about it, and what it rests on: what counts for nothing, was taken back or fails is marked. */
export function shownOf(graph: Graph, request: RecordEntry, verdict: TraceVerdict): string[] {
  const action = actionOf(graph, request.id);
  const { decisions, approvals, grants } = action;
  const { value } = request.record;
  const evidence = Object.entries(objectMember(value, "evidence_hashes")).flatMap(([name, hash]) => {
    const facts =
      typeof hash === "string" ? graph.writers(hash).filter(({ record }) => record.type === "fact") : [];
    if (facts.length === 0) return [visible(`  ${name}: nothing in the log says what it is`)];
    return facts.flatMap((fact) => [
      `${visible(`  ${name}: #${fact.index}, by ${fact.record.issuer}`)}${besides(fact, graph, verdict)}:`,
      ...JSON.stringify(fact.record.value, null, 2)
        .split("\n")
        .map((line) => `    ${visible(line)}`),
    ]);
  });
  const said = (entry: RecordEntry, word: string): string => {
    const { index, record } = entry;
    const words = `  #${index} ${record.type} by ${record.issuer}: ${textMember(record.value, word) ?? ""} ${textMember(record.value, "reason") ?? textMember(record.value, "approver_role") ?? ""}`;
    return visible(words.trimEnd()) + besides(entry, graph, verdict);
  };
  return [
    `the request, entry ${request.index}, ${request.id}, as ${visible(request.record.issuer)} signed it:`,
    ...JSON.stringify(request.record.value, null, 2).split("\n").map(visible),
    "what was decided:",
    ...(decisions.length === 0 ? ["  nothing yet"] : decisions.map((one) => said(one, "decision"))),
    "approvals so far:",
    ...(approvals.length === 0 ? ["  none"] : approvals.map((one) => said(one, "approval"))),
    "the evidence that it names:",
    ...(evidence.length === 0 ? ["  none"] : evidence),
    "a grant for it may allow no more than its action, target, parameters and constraints above.",
    ...(grants.length === 0 ? [] : ["it was granted already:", ...grants.map((one) => said(one, "nonce"))]),
  ];
}

/** How it stands before the answer: what the rules would say of it now. */
export function judgedOf({ verdict, sentence, findings }: TraceVerdict): string[] {
  const told = findings.filter(
    ({ outcome }) => outcome === "FAIL" || outcome === "UNKNOWN" || outcome === "REMARK",
  );
  return ["", sentence, `as it stands: ${verdict}`, ...told.map((finding) => `  ${findingText(finding)}`)];
}

/** The record to be signed. `expires`: ms from now on that it holds for, null for as long as the request does. */
export function approvalRecord(
  request: RecordEntry,
  answer: Answer,
  {
    approver,
    seat,
    now,
    expires,
  }: {
    readonly approver: string;
    readonly seat: string;
    readonly now: number;
    readonly expires: number | null;
  },
): Uint8Array {
  const at = new Date(now).toISOString();
  return buildRecord("approval", {
    issuer: approver,
    issued_at: at,
    request_hash: new RecordRef("action-request", request.id),
    approver_id: approver,
    approver_role: seat,
    approval: answer,
    approved_at: at,
    displayed_hash: request.id,
    ...(expires === null ? {} : { expires_at: new Date(now + expires).toISOString() }),
  }).bytes;
}
