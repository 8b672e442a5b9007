/** What every picture of a trace shows: nodes with their marks, and which node is drawn under which. */
import { objectMember, strings } from "../../record/links.js";
import type { BundleLink } from "../bundle.js";
import { isRecordEntry, type RecordEntry, type TraceEntry } from "../entry.js";
import { Graph, textMember } from "../graph.js";
import type { Bundle } from "../bundle.js";
import type { TraceVerdict } from "../answer.js";
import { entriesIn } from "../open.js";
import type { Finding, Outcome } from "../verdict.js";

export interface PictureNode {
  readonly index: number;
  /** `action-request wire.transfer` */
  readonly title: string;
  readonly issuer: string;
  /** The worst outcome of a finding about it; PASS when there is none. */
  readonly mark: Outcome;
  /** Findings about it that did not pass. */
  readonly findings: readonly Finding[];
  readonly depth: number;
  /** Nodes drawn under it. */
  readonly children: readonly PictureNode[];
}

export interface Picture {
  readonly heading: string;
  readonly roots: readonly PictureNode[];
  /** Every node, in the order in which they are drawn. */
  readonly nodes: readonly PictureNode[];
  /** Links by record ids, from the record that names to the one named. */
  readonly links: readonly BundleLink[];
  /** Findings that are about no node. */
  readonly general: readonly Finding[];
}

/** A picture from the record asked for downwards, each node once. Keys are left out: they are under everything. */
export function pictureOf(bundle: Bundle, verdict: TraceVerdict): Picture {
  const entries = entriesIn(bundle);
  const graph = new Graph(entries.map((entry) => ({ entry, mode: "leaf" as const })));
  const draw = new Drawing(graph, verdict);
  const subject = entries.find(({ index }) => index === verdict.subjectIndex);
  const roots = subject === undefined ? [] : [draw.node(subject, 0)];
  const rest = graph.entries
    .filter((entry) => !isBackground(entry) && !draw.has(entry))
    .map((entry) => draw.node(entry, 0));
  const shown = new Set(draw.order.map(({ index }) => index));
  return {
    heading: headingOf(verdict),
    roots: [...roots, ...rest],
    nodes: draw.order,
    links: graph.links().filter(({ from, to }) => shown.has(from) && shown.has(to)),
    general: verdict.findings.filter(
      (finding) => isComplaint(finding) && finding.nodes.every((node) => !shown.has(node)),
    ),
  };
}

function headingOf({ verdict, actionType, tier, asOf, log }: TraceVerdict): string {
  const what = actionType === null ? "a record of no action" : `${actionType}, tier ${tier}`;
  return printable(`${verdict}: ${what} (${log}, as of ${asOf} entries)`);
}

export function isComplaint({ outcome }: Finding): boolean {
  return outcome !== "PASS" && outcome !== "NOT_APPLICABLE";
}

class Drawing {
  readonly order: PictureNode[] = [];
  private readonly drawn = new Set<number>();

  constructor(
    private readonly graph: Graph,
    private readonly verdict: TraceVerdict,
  ) {}

  has({ index }: TraceEntry): boolean {
    return this.drawn.has(index);
  }

  node(entry: TraceEntry, depth: number): PictureNode {
    this.drawn.add(entry.index);
    const findings = this.verdict.findings.filter(
      (finding) => isComplaint(finding) && finding.nodes.includes(entry.index),
    );
    const children: PictureNode[] = [];
    const node: PictureNode = {
      index: entry.index,
      title: printable(titleOf(entry)),
      issuer: printable(entry.record?.issuer ?? ""),
      mark: worst(findings),
      findings,
      depth,
      children,
    };
    this.order.push(node);
    if (isRecordEntry(entry) && depth < MAX_DRAWN_DEPTH)
      for (const below of this.below(entry)) if (!this.has(below)) children.push(this.node(below, depth + 1));
    return node;
  }

  /** What a node rests on, and what bears on it, in the order in which it is told. */
  private below(entry: RecordEntry): RecordEntry[] {
    const { graph } = this;
    const { value, type } = entry.record;
    const named = (...members: readonly string[]): RecordEntry[] =>
      members.flatMap((member) => strings(value[member]).flatMap((id) => graph.record(id) ?? []));
    const naming = (member: Parameters<Graph["naming"]>[1], of?: string): readonly RecordEntry[] =>
      graph.naming(entry.id, member, of);
    const defined = (kind: string, member: string, name: unknown): RecordEntry[] =>
      graph.all(kind).filter(({ record }) => record.value[member] === name);
    const evidence = Object.values(objectMember(value, "evidence_hashes")).flatMap((hash) =>
      typeof hash === "string" ? graph.writers(hash).filter(({ record }) => record.type === "fact") : [],
    );
    return [
      ...named(
        "capability_hash",
        "delegation_hash",
        "parent_delegation",
        "decision_hash",
        "parent_capability_hash",
        "request_hash",
        "via_receipt",
        "confirms",
        "target",
      ),
      ...(type === "capability-grant" ? naming("capability_hash", "consumption") : []),
      ...(type === "action-request"
        ? [
            ...naming("request_hash", "approval"),
            ...naming("request_hash", "policy-decision"),
            ...naming("request_hash", "capability-grant"),
            ...naming("request_hash", "consumption"),
            ...naming("request_hash", "execution-receipt"),
            ...defined("action-type", "action_type", value["action_type"]),
            ...evidence,
            ...(value["mission_id"] === undefined
              ? []
              : defined("mission", "mission_id", value["mission_id"])),
          ]
        : []),
      ...(typeof value["policy_digest"] === "string" && type !== "policy"
        ? defined("policy", "policy_digest", value["policy_digest"])
        : []),
      ...naming("confirms"),
      ...naming("supersedes"),
      ...naming("target"),
      ...named("prior_receipts"),
    ];
  }
}

/** Records hold any text; a terminal or a picture gets no control, format or line characters from them. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

const MAX_DRAWN_DEPTH = 40;

/** Keys, and the log's policy. */
function isBackground({ record: { type } }: RecordEntry): boolean {
  return type === "key" || type === "log-policy";
}

/** The type and the one word that says most about it. */
function titleOf({ record }: TraceEntry): string {
  if (record === null) return "foreign content";
  const { value, type } = record;
  const word =
    textMember(value, "action_type") ??
    textMember(objectMember(value, "permitted_action"), "action_type") ??
    textMember(value, "decision") ??
    textMember(value, "outcome") ??
    textMember(value, "approval") ??
    textMember(value, "fact_type") ??
    textMember(value, "policy_version") ??
    textMember(value, "check") ??
    textMember(value, "action") ??
    textMember(value, "boundary_id") ??
    "";
  return `${type} ${word}`.trim();
}

function worst(findings: readonly Finding[]): Outcome {
  const outcomes = findings.map(({ outcome }) => outcome);
  return (
    (["FAIL", "UNKNOWN", "EXCEPTED", "REMARK"] as const).find((outcome) => outcomes.includes(outcome)) ??
    "PASS"
  );
}
