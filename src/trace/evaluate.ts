/**
 * The verdict on a trace. Pure: the same bundle, trust, time and profile give the same verdict, on the server, in the
 * command line, in the gateway and in a browser. Nothing in the bundle is believed that could be recomputed, and what is
 * missing is unknown, never passed.
 */
import type { Policy } from "../format/policy.js";
import { formatVerifierKey } from "../format/vkey.js";
import { timeText, type TraceVerdict } from "./answer.js";
import { type Bundle, parseBundleFile } from "./bundle.js";
import { type Case, caseOf, isOpen, partsOf } from "./case.js";
import { approvals } from "./checks/approvals.js";
import { CHECKS } from "./checks/table.js";
import { signatureProblems } from "./checks/signatures.js";
import { isDecided } from "./checks/steps.js";
import { strangersUses } from "./checks/standing.js";
import { isUnaccounted, maxUses } from "./checks/uses.js";
import {
  ancestry,
  type Context,
  domainOf,
  type HandedDown,
  isEntitled,
  PROFILES,
  type Profile,
  type Proposal,
  takenBack,
} from "./context.js";
import { isRecordEntry, type RecordEntry } from "./entry.js";
import { exceptionFor } from "./exceptions.js";
import { actionIdOf, textMember } from "./graph.js";
import { completenessProblems, openBundle, type OpenedBundle } from "./open.js";
import { provenanceOf } from "./provenance.js";
import { sentenceOf, sentenceOfRecord } from "./sentence.js";
import {
  type Finding,
  type FindingCode,
  fails,
  type Outcome,
  type Problem,
  unknown,
  type VerdictWord,
  wordFor,
} from "./verdict.js";

export interface EvaluateOptions {
  /** "Now", in milliseconds since 1970: never read from the machine in here. */
  readonly at: number;
  /** `registered` unless given. */
  readonly profile?: Profile;
  /** Whoever judges has read the whole log and knows that this is all: the log's word for it is not asked for. */
  readonly complete?: boolean;
  /** What somebody is about to do: judged as if it were done now, and nothing is only a remark. */
  readonly proposal?: Proposal;
}

/** Failures that no missing record could undo: they stand also where something was left out. */
const STANDS_ALONE: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "SIGNATURE_INVALID",
  "NO_STANDING",
  "EQUIVOCATION",
  "REQUEST_MISMATCH",
  "GRANT_AFTER_RECEIPT",
  "GRANT_EXPIRED",
  "GRANT_NOT_YET_VALID",
  "NONCE_REUSED",
  "EXECUTED_TWICE",
  "AUDIENCE_MISMATCH",
  "APPROVAL_SAW_OTHER",
  "SCOPE_WIDENED",
  "CONSTRAINT_VIOLATED",
  "ACTION_MISMATCH",
  "TOOL_DRIFT",
  "ROLE_COLLAPSE",
  "TERMINAL_DUPLICATE",
]);

/** What is no remark though nothing was executed. */
const NEVER_REMARK: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "SIGNATURE_INVALID",
  "KEY_UNKNOWN",
  "ROLE_MISSING",
  "SIGNER_DISTRUSTED",
  "EQUIVOCATION",
  "TERMINAL_DUPLICATE",
  "OMISSION",
  "SEQ_GAP",
]);

const EXECUTED: readonly unknown[] = ["executed", "partial", "reverted", "failed", "unknown"];

/**
 * Judges a bundle. ProofError when it is not sound at all; WritError BUNDLE_MALFORMED when it is no bundle.
 */
export function evaluate(
  bundle: Bundle | Uint8Array,
  policy: Policy,
  options: EvaluateOptions,
): TraceVerdict {
  const opened = openBundle(bundle instanceof Uint8Array ? parseBundleFile(bundle) : bundle, policy);
  return evaluateOpened(opened, policy, options);
}

/** The same for a bundle that was opened already, under the same policy. */
export function evaluateOpened(opened: OpenedBundle, policy: Policy, options: EvaluateOptions): TraceVerdict {
  return new Judgement(opened, policy, options).verdict();
}

class Judgement {
  private readonly words = new Map<string, { readonly action: string; readonly word: VerdictWord | null }>();
  private readonly cases: Case[] = [];
  private readonly context: Context;
  private readonly integrity = new Map<number, readonly Problem[]>();
  private readonly profile: Profile;

  constructor(
    private readonly opened: OpenedBundle,
    private readonly policy: Policy,
    private readonly options: EvaluateOptions,
  ) {
    const { graph, keys, bundle, checkpoint } = opened;
    this.profile = options.profile ?? (PROFILES[0] as Profile);
    this.context = {
      graph,
      everything: graph,
      keys,
      origin: bundle.log,
      asOf: bundle.asOf,
      at: options.at,
      toleranceMs: opened.policy.clockToleranceS * 1000,
      profile: this.profile,
      witnessed: checkpoint?.quorum ?? null,
      bounded: opened.bounded,
      proposal: options.proposal ?? null,
      supporting: (id, handed) => this.supporting(id, handed),
    };
  }

  verdict(): TraceVerdict {
    const { opened } = this;
    const { subject, graph } = opened;
    const verification = this.rows(
      "verified",
      "every entry is in the checkpoint's tree, the log signed it and says that this is all",
      opened.problems,
      null,
    );
    // A file that is damaged, or of another log, accuses nobody.
    if (opened.problems.length > 0)
      return this.answer(
        "NOT_VERIFIED",
        verification,
        null,
        "The file is damaged, or not of this log; that accuses nobody.",
      );
    const actionId = isRecordEntry(subject) ? actionIdOf(graph, subject) : null;
    if (actionId === null || !isRecordEntry(subject)) return this.judgeRecord(verification);
    this.words.set(actionId, { action: actionId, word: null });
    const one = this.open(actionId, subject);
    const isStranger = domainOf(subject, this.context) !== one.home;
    if (isStranger && !one.context.graph.entries.includes(subject) && subject.id !== actionId)
      return this.judgeStranger(subject, one, verification);
    // First what it rests on: which other actions are judged at all decides whose signers are theirs to answer for.
    const own = this.checkFindings(one);
    const findings = this.remarked(
      [
        ...verification,
        ...this.completeness(),
        ...this.signatures(one),
        ...this.witnessFindings(one),
        ...this.boundFindings(),
        ...own,
      ],
      one,
    );
    return this.answer(this.word(findings, one), findings, one, sentenceOf(one));
  }

  /** A record of no action is judged for inclusion, signature and status alone. */
  private judgeRecord(verification: readonly Finding[]): TraceVerdict {
    const { subject } = this.opened;
    const problems = this.problemsOf(subject.index);
    const findings = [
      ...verification,
      ...this.completeness(),
      ...this.rows("signatures", "it is signed by a key that was believed for it", problems, null),
      ...this.boundFindings(),
      ...this.statusFindings(),
    ];
    const word = wordFor(findings, { executed: true, unaccounted: false, decided: false });
    const sentence = isRecordEntry(subject)
      ? sentenceOfRecord(subject)
      : `Entry ${subject.index} is foreign content: the log says who signed it, and nothing of what it means.`;
    return this.answer(word, findings, null, sentence);
  }

  /** "When the record asked for has itself no standing in the action that it names, the verdict is about that record." */
  private judgeStranger(subject: RecordEntry, one: Case, verification: readonly Finding[]): TraceVerdict {
    const of = domainOf(subject, this.context);
    const why = `${subject.record.issuer}, of ${of}, has no say in an action of ${one.home}: its ${subject.record.type} is neither for nor against anybody`;
    const findings = [
      ...verification,
      ...this.rows("standing", "", [fails("NO_STANDING", [subject], why)], null),
    ];
    return this.answer("VIOLATION", findings, one, sentenceOfRecord(subject));
  }

  private open(id: string, from?: RecordEntry, handed?: HandedDown): Case {
    const one = caseOf(id, this.context, from, handed);
    this.cases.push(one);
    return one;
  }

  private word(findings: readonly Finding[], one: Case): VerdictWord {
    return wordFor(findings, {
      executed: isExecuted(one),
      unaccounted: isUnaccounted(one),
      decided: isDecided(one),
    });
  }

  /** The verdict on another action of the same bundle; with a grant of it, up to that and as used where one below it was. */
  private supporting(id: string, handed?: HandedDown): VerdictWord | null {
    const name = handed === undefined ? id : `${id} ${handed.grant.index} ${handed.use.index}`;
    const known = this.words.get(name);
    if (known !== undefined) return known.word;
    this.words.set(name, { action: id, word: null });
    const one = this.open(id, this.context.everything.record(id), handed);
    const own = partsOf(one).flatMap(({ index }) => this.problemsOf(index));
    const all = [...this.rows("signatures", "signed by whom they say", own, one), ...this.checkFindings(one)];
    // Handed down, it was used, and nothing about it is only a remark.
    const word =
      handed === undefined
        ? this.word(this.remarked(all, one), one)
        : wordFor(all, { executed: true, unaccounted: false, decided: true });
    this.words.set(name, { action: id, word });
    return word;
  }

  private problemsOf(index: number): readonly Problem[] {
    const known = this.integrity.get(index);
    if (known !== undefined) return known;
    const entry = this.context.everything.nodes.find((node) => node.entry.index === index)?.entry;
    const problems = entry === undefined ? [] : signatureProblems(entry, this.context);
    this.integrity.set(index, problems);
    return problems;
  }

  private completeness(): Finding[] {
    const problems = this.options.complete === true ? [] : completenessProblems(this.opened);
    return this.rows("completeness", "the log, or who read it whole, says that this is all", problems, null);
  }

  /**
   * Who signed what counts in the action. Who is distrusted in another action is that action's to answer for; what takes
   * something back, excuses or confirms counts for nothing when its signer is not believed; and strangers are nobody's.
   */
  private signatures(one: Case): Finding[] {
    const parts = new Set(partsOf(one).map(({ index }) => index));
    const { everything, graph } = one.context;
    // An approval whose signer is not believed is nobody's word; where it is lacking, that is why.
    const isLacking =
      one.action.approvals.length < everything.naming(one.action.id, "request_hash", "approval").length &&
      approvals(one).some(({ outcome }) => outcome === "FAIL");
    if (isLacking)
      for (const { id, index, record } of everything.naming(one.action.id, "request_hash", "approval"))
        if (graph.record(id) === undefined && this.context.keys.domains.of(record.issuer) === one.home)
          parts.add(index);
    const counting = new Set(one.context.graph.entries.map(({ index }) => index));
    const problems = this.context.everything.nodes.flatMap(({ entry, mode }) => {
      const { index, record } = entry;
      const isOwn = parts.has(index) || index === this.opened.subject.index;
      if (!isOwn && (mode === "stranger" || record === null || !counting.has(index))) return [];
      // Of what is no step of it, nobody's word counts who is not believed: only a false signature is anybody's concern.
      return this.problemsOf(index).filter(({ code }) => isOwn || code === "SIGNATURE_INVALID");
    });
    return this.rows("signatures", "every entry is signed by a key that was believed for it", problems, one);
  }

  private witnessFindings(one: Case): Finding[] {
    const { witnessed } = this.context;
    const name = "witnesses";
    if (witnessed === null) return [idle(name, "no witness was asked for: the operator was trusted")];
    if (one.tier < 3) return [idle(name, `tier ${one.tier} does not ask for it`)];
    const problems = witnessed
      ? []
      : [unknown("UNWITNESSED", [], "the checkpoint does not meet the witness quorum")];
    return this.rows(name, "the witness quorum cosigned the checkpoint", problems, one);
  }

  private boundFindings(): Finding[] {
    const problems = this.opened.bounded
      ? [
          unknown(
            "DEPTH_EXCEEDED",
            [],
            "the trace is larger or deeper than is followed: something was left out",
          ),
        ]
      : [];
    return this.rows("bounds", "the whole trace was followed", problems, null);
  }

  /** A record of no action: is it still standing? */
  private statusFindings(): Finding[] {
    const { subject } = this.opened;
    if (!isRecordEntry(subject)) return [];
    const by = takenBack(subject, this.context.asOf, this.context);
    const name = "status";
    if (by === undefined) return this.rows(name, "the record was not taken back", [], null);
    const problem = fails("WITHDRAWN_BEFORE_USE", [by, subject], `entry ${by.index} revoked or suspended it`);
    return [{ check: name, ...plain(problem), outcome: "REMARK" }];
  }

  private checkFindings(one: Case): Finding[] {
    return CHECKS.flatMap((check) => {
      const reason = check.idle?.(one);
      if (reason !== undefined) return [idle(check.name, reason)];
      return this.rows(check.name, check.about, check.run(one), one);
    });
  }

  /** One passing finding, or one for each problem, excused where an exception says so. */
  private rows(check: string, about: string, problems: readonly Problem[], one: Case | null): Finding[] {
    if (problems.length === 0) return [{ check, outcome: "PASS", code: null, nodes: [], detail: about }];
    return distinct(problems).map((found): Finding => {
      // Where something was left out, what is not there may be among it: unknown, not failed.
      const leftOut = one !== null && this.opened.bounded && !STANDS_ALONE.has(found.code);
      const problem: Problem = leftOut ? { ...found, outcome: "UNKNOWN" } : found;
      const exception = one === null ? undefined : exceptionFor(problem, one);
      if (exception === undefined) return { check, ...plain(problem) };
      const { record, index } = exception;
      const detail = `${problem.detail} (excused by ${record.issuer} until ${textMember(record.value, "expires_at")}, entry ${index}: ${textMember(record.value, "reason")})`;
      return { check, ...plain(problem), outcome: "EXCEPTED", nodes: [...problem.nodes, index], detail };
    });
  }

  /**
   * "While nothing was executed a FAIL is a REMARK unless a grant stands; with a standing grant what was withdrawn or has ended
   * is a REMARK and the rest stays." For whoever is about to act nothing is only a remark.
   */
  private remarked(findings: readonly Finding[], one: Case): Finding[] {
    if (isExecuted(one) || one.context.proposal !== null) return [...findings];
    const stands = one.action.grants.some((grant) => this.grantStands(grant, one));
    return findings.map((finding) => {
      const { code, outcome } = finding;
      if (outcome !== "FAIL" || code === null || NEVER_REMARK.has(code)) return finding;
      const isOver = code.startsWith("WITHDRAWN_") || code.endsWith("_EXPIRED");
      return stands && !isOver ? finding : { ...finding, outcome: "REMARK" };
    });
  }

  /** Unexpired, not taken back, not answered by a refusal. */
  private grantStands(grant: RecordEntry, { calls, context }: Case): boolean {
    // Only whom it is for can answer for it, and for as many uses as it has.
    const answers = calls.filter(
      (use) =>
        use.grant?.id === grant.id &&
        use.outcome === "refused" &&
        use.executor === grant.record.value["audience"],
    );
    return (
      answers.length < maxUses(grant) && ancestry(grant, context.graph).every((link) => isOpen(link, context))
    );
  }

  private answer(
    verdict: VerdictWord,
    findings: readonly Finding[],
    one: Case | null,
    sentence: string,
  ): TraceVerdict {
    const { opened, policy, options } = this;
    const { bundle, checkpoint, subject, graph, keys, strangers } = opened;
    return {
      verdict,
      sentence,
      subject: bundle.subject,
      subjectIndex: subject.index,
      action: one?.action.id ?? null,
      actionType: one?.registration.name ?? null,
      home: one?.home ?? null,
      tier: one?.tier ?? null,
      registeredTier: one?.registeredTier ?? null,
      at: options.at,
      profile: this.profile,
      log: bundle.log,
      asOf: bundle.asOf,
      complete: opened.complete || options.complete === true,
      walk: bundle.walk,
      rulesVersion: keys.rulesAt(bundle.asOf),
      toleranceS: opened.policy.clockToleranceS,
      tree: checkpoint === null ? null : { size: checkpoint.size, root: checkpoint.root },
      cosigners: checkpoint?.cosigners ?? [],
      witnessed: checkpoint?.quorum ?? null,
      trusted: [...policy.logs, ...policy.witnesses].map(({ key }) => formatVerifierKey(key)),
      findings,
      evidence: one === null || verdict === "NOT_VERIFIED" ? [] : provenanceOf(one),
      supporting: [...this.words.values()].flatMap(({ action, word }) =>
        action === one?.action.id || word === null ? [] : [{ action, verdict: word }],
      ),
      overrides: (one?.context.graph ?? graph).all("override").map(({ index }) => index),
      withoutEffect: this.withoutEffect(),
      strangers,
      notes: this.notes(one),
    };
  }

  private withoutEffect(): number[] {
    const { graph } = this.opened;
    const isIdle = (revocation: RecordEntry): boolean => {
      const target = graph.record(textMember(revocation.record.value, "target"));
      return target !== undefined && !isEntitled(revocation, target, this.context);
    };
    return graph
      .all("revocation")
      .filter(isIdle)
      .map(({ index }) => index);
  }

  private notes(one: Case | null): string[] {
    const { checkpoint, bundle, keys } = this.opened;
    const notes: string[] = [];
    if (checkpoint !== null && bundle.asOf < checkpoint.size)
      notes.push(
        `Judged as of size ${bundle.asOf}: the ${checkpoint.size - bundle.asOf} entries logged since are not considered.`,
      );
    const youngest = Math.max(...this.opened.graph.nodes.map(({ entry }) => entry.receivedAt ?? 0));
    if (this.options.at < youngest)
      notes.push(
        `Judged at a time before the youngest record in it, which the log took in at ${timeText(youngest)}.`,
      );
    if (one === null) return notes;
    const resets = keys.domains.get(one.home)?.resets ?? [];
    if (resets.length > 0)
      notes.push(
        `The operator named a new registrar of ${one.home} (entry ${resets.join(", ")}): all it had were lost.`,
      );
    const placed = partsOf(one).filter((entry) => isPlaced(entry, this.context));
    if (placed.length > 0)
      notes.push(
        `Placed by the operator: ${[...new Set(placed.map(({ record }) => record.issuer))].join(", ")}.`,
      );
    return notes;
  }
}

/** Does a receipt say that something was done, or may have been: also a stranger's for whom the grant was? */
function isExecuted(one: Case): boolean {
  return (
    one.action.receipts.some(({ record }) => EXECUTED.includes(record.value["outcome"])) ||
    one.grants.some((grant) => strangersUses(grant, one).length > 0)
  );
}

function isPlaced(entry: RecordEntry, { everything, keys, asOf }: Context): boolean {
  return everything
    .speakersOf(entry)
    .some((signer) =>
      keys
        .registrations(signer, { index: entry.index, asOf })
        .some(
          ({ ids, placed, idPrefixes }) =>
            placed && idPrefixes.length === 0 && ids.includes(entry.record.issuer),
        ),
    );
}

/** Without what only the judgement wants to know. */
function plain({ code, outcome, nodes, detail }: Problem): {
  code: FindingCode;
  outcome: Outcome;
  nodes: readonly number[];
  detail: string;
} {
  return { code, outcome, nodes, detail };
}

/** One complaint once, however many ways lead to it. */
function distinct(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ code, nodes, detail }) => {
    const name = `${code} ${nodes.join()} ${detail}`;
    return !seen.has(name) && seen.add(name);
  });
}

function idle(check: string, detail: string): Finding {
  return { check, outcome: "NOT_APPLICABLE", code: null, nodes: [], detail };
}
