/**
 * What every picture of a trace shows: a card for each record in log order with its mark and standing, the lines between them, and,
 * for the tree of the terminal, which node is drawn under which.
 */
import { objectMember, strings } from "../../record/links.js";
import { toBase64 } from "#crypto";
import { isRecordEntry, type RecordEntry, type TraceEntry } from "../entry.js";
import { Graph, textMember } from "../graph.js";
import type { Bundle } from "../bundle.js";
import type { TraceVerdict } from "../answer.js";
import { entriesIn } from "../open.js";
import type { Finding, Outcome, VerdictWord } from "../verdict.js";
import { type CardText, cardText, isSmall, moment } from "./card.js";
import { edgesOf } from "./edges.js";
import { printable } from "./text.js";

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

/** A box. */
export interface Card extends CardText {
  readonly name: string;
  /** The entries that it stands for, in log order: several where alike ones are drawn as one; none for what is not in the file. */
  readonly indexes: readonly number[];
  readonly kind: "record" | "foreign" | "missing" | "strangers";
  readonly isSubject: boolean;
  /** Drawn in a line. */
  readonly isSmall: boolean;
  readonly mark: Outcome;
  readonly findings: readonly Finding[];
}

/** A line from a card to the one that it names. */
export interface Line {
  readonly from: string;
  /** The member that names it. */
  readonly name: string;
  readonly to: string;
}

export interface Picture {
  readonly heading: string;
  /** What happened, in words. */
  readonly sentence: string;
  readonly word: VerdictWord;
  readonly roots: readonly PictureNode[];
  /** Every node of the tree, in the order in which they are drawn. */
  readonly nodes: readonly PictureNode[];
  readonly cards: readonly Card[];
  readonly lines: readonly Line[];
  /** Findings that are about no node. */
  readonly general: readonly Finding[];
  /** Where this is from, and what it cannot show. */
  readonly footer: readonly string[];
}

export interface PictureOptions {
  /** Alike siblings as one card with their count, unless false. */
  readonly aggregated?: boolean;
}

/** A picture of a bundle and the verdict on it. */
export function pictureOf(
  bundle: Bundle,
  verdict: TraceVerdict,
  { aggregated = true }: PictureOptions = {},
): Picture {
  const entries = entriesIn(bundle);
  const graph = Graph.of(entries);
  const draw = new Drawing(graph, verdict);
  const subject = entries.find(({ index }) => index === verdict.subjectIndex);
  const roots = subject === undefined ? [] : [draw.node(subject, 0)];
  const rest = graph.entries
    .filter((entry) => !isBackground(entry) && !draw.has(entry))
    .map((entry) => draw.node(entry, 0));
  const { cards, lines } = cardsOf(bundle, entries, graph, verdict);
  const shown = new Set(cards.flatMap(({ indexes }) => indexes));
  const whole = { cards, lines };
  return {
    heading: headingOf(verdict),
    sentence: printable(verdict.sentence),
    word: verdict.verdict,
    roots: [...roots, ...rest],
    nodes: draw.order,
    ...(aggregated ? grouped(whole) : whole),
    general: verdict.findings.filter(
      (finding) => isComplaint(finding) && finding.nodes.every((node) => !shown.has(node)),
    ),
    footer: footerOf(verdict),
  };
}

function cardsOf(
  bundle: Bundle,
  entries: readonly TraceEntry[],
  graph: Graph,
  verdict: TraceVerdict,
): { readonly cards: readonly Card[]; readonly lines: readonly Line[] } {
  const { indexes: strangers, more } = verdict.strangers;
  const own = entries.filter(({ index }) => !strangers.includes(index));
  const drawn = new Set(own.map(({ index }) => index));
  const records = own.map((entry): Card => {
    const findings = findingsAbout(entry.index, verdict);
    return {
      ...cardText(entry, graph, verdict),
      name: nameOfEntry(entry.index),
      indexes: [entry.index],
      kind: entry.record === null ? "foreign" : "record",
      isSubject: entry.index === verdict.subjectIndex,
      isSmall: isSmall(entry) && findings.length === 0,
      mark: worst(findings),
      findings,
    };
  });
  const lines = edgesOf(graph, own)
    .filter(({ from, to }) => drawn.has(from) && drawn.has(to))
    .map(({ from, name, to }): Line => ({ from: nameOfEntry(from), name, to: nameOfEntry(to) }));
  const missing = new Map<string, Card>();
  for (const { from, member, value } of bundle.notFound) {
    if (!drawn.has(from)) continue;
    const name = `missing ${value}`;
    missing.set(name, missing.get(name) ?? missingCard(name, member, value));
    lines.push({ from: nameOfEntry(from), name: printable(member), to: name });
  }
  const others = strangers.length === 0 ? [] : [strangersCard(strangers, more)];
  return { cards: [...records, ...missing.values(), ...others], lines };
}

export function nameOfEntry(index: number): string {
  return `#${index}`;
}

function missingCard(name: string, member: string, value: string): Card {
  return {
    ...EMPTY,
    name,
    title: "not in this file",
    what: [printable(`what ${member} names: ${value}`)],
    kind: "missing",
    mark: "UNKNOWN",
  };
}

function strangersCard(indexes: readonly number[], more: boolean): Card {
  const count = `${indexes.length}${more ? " and more" : ""}`;
  const some = indexes.slice(0, 8).map((index) => `#${index}`);
  return {
    ...EMPTY,
    name: "strangers",
    title: `${count} ${indexes.length === 1 && !more ? "record" : "records"} of strangers`,
    what: [`${some.join(", ")}${indexes.length > some.length ? ", …" : ""}`, "neither for nor against"],
    kind: "strangers",
    mark: "NOT_APPLICABLE",
  };
}

const EMPTY = {
  indexes: [],
  word: "",
  tone: "plain",
  who: "",
  when: "",
  standing: [],
  findings: [],
  isSubject: false,
  isSmall: false,
} as const satisfies Partial<Card>;

/** Alike siblings that nothing names, as one card each. */
function grouped({ cards, lines }: Pick<Picture, "cards" | "lines">): Pick<Picture, "cards" | "lines"> {
  const named = new Set(lines.map(({ to }) => to));
  const groups = new Map<string, Card[]>();
  for (const card of cards) {
    const out = lines.filter(({ from }) => from === card.name).map(({ name, to }) => `${name} ${to}`);
    const isAlone = card.kind !== "record" || card.isSubject || named.has(card.name);
    const alike = isAlone ? card.name : JSON.stringify([likeness(card), out.toSorted()]);
    groups.set(alike, [...(groups.get(alike) ?? []), card]);
  }
  const merged = [...groups.values()]
    .map((alike) => (alike.length < LEAST_GROUP ? alike : [asOne(alike)]))
    .flat();
  const kept = new Set(merged.map(({ name }) => name));
  const order = new Map(cards.map(({ name }, i) => [name, i]));
  return {
    cards: merged.toSorted((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0)),
    lines: lines.filter(({ from }) => kept.has(from)),
  };
}

/** Fewer than so many are drawn apart. */
const LEAST_GROUP = 3;

function likeness({ title, word, who, mark, what, standing, findings }: Card): readonly unknown[] {
  return [title, word, who, mark, what, standing, findings.map(({ code }) => code)];
}

/** Under the name of the first. */
function asOne(alike: readonly Card[]): Card {
  const [first, last] = [alike[0] as Card, alike.at(-1) as Card];
  return {
    ...first,
    indexes: alike.flatMap(({ indexes }) => indexes),
    title: `${alike.length} × ${first.title}`,
    when: `${first.when} … ${last.when}`,
    findings: [...new Set(alike.flatMap(({ findings }) => findings))],
  };
}

function findingsAbout(index: number, { findings }: TraceVerdict): readonly Finding[] {
  return findings.filter((finding) => isComplaint(finding) && finding.nodes.includes(index));
}

function footerOf({ log, asOf, tree, cosigners, witnessed, notes, at, profile }: TraceVerdict): string[] {
  const names = cosigners.map(({ name }) => name).join(", ");
  const vouching =
    witnessed === null
      ? "the operator vouched alone"
      : `${witnessed ? "witnessed" : "not witnessed by a quorum"}${names === "" ? "" : ` by ${names}`}`;
  const root = tree === null ? "a checkpoint that could not be trusted" : `root ${toBase64(tree.root)}`;
  return [
    `${log}, as of ${asOf} entries, ${root}; ${vouching}`,
    `judged at ${moment(at)} by profile ${profile.name}`,
    ...notes,
  ].map(printable);
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
    const findings = findingsAbout(entry.index, this.verdict);
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
