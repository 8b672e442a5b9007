/**
 * The verdict on a trace. Pure: the same bundle, trust, time and profile give the same verdict, on the server, in the
 * command line and in a browser. Nothing in the bundle is believed that could be recomputed, and what is missing is
 * unknown, never passed.
 */
import { toBase64 } from "../format/base64.js";
import type { Policy } from "../format/policy.js";
import { formatVerifierKey } from "../format/vkey.js";
import { type Bundle, parseBundleFile } from "./bundle.js";
import { CHECKS } from "./checks/table.js";
import { signatureProblems } from "./checks/signatures.js";
import { type Case, caseOf, type Context, isEntitled, PROFILES, type Profile, takenBack } from "./context.js";
import { isRecordEntry, type RecordEntry } from "./entry.js";
import { exceptionFor } from "./exceptions.js";
import { actionIdOf, actionOf, membersOf, textMember } from "./graph.js";
import { openBundle, type OpenedBundle } from "./open.js";
import { type Provenance, provenanceOf } from "./provenance.js";
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
}

export interface TraceVerdict {
  readonly verdict: VerdictWord;
  readonly subject: string;
  readonly subjectIndex: number;
  /** The record id of the request whose action was judged; null when the record belongs to none. */
  readonly action: string | null;
  readonly actionType: string | null;
  readonly tier: number | null;
  /** The tier of the registrations alone; `tier` is at least what the profile asks for. */
  readonly registeredTier: number | null;
  readonly at: number;
  readonly profile: Profile;
  readonly log: string;
  readonly asOf: number;
  /** Null when the checkpoint could not be trusted. */
  readonly tree: { readonly size: number; readonly root: Uint8Array } | null;
  readonly cosigners: readonly { readonly name: string; readonly time: bigint }[];
  /** The verifier keys that were trusted, logs and witnesses. */
  readonly trusted: readonly string[];
  readonly findings: readonly Finding[];
  readonly evidence: readonly Provenance[];
  /** Other actions it rests on, each judged as its own. */
  readonly supporting: readonly { readonly action: string; readonly verdict: VerdictWord }[];
  /** Entries that overrode something in it: shown, and changing nothing. */
  readonly overrides: readonly number[];
  /** Revocations in it by somebody who may not. */
  readonly withoutEffect: readonly number[];
  /** What no bundle can show, and whom the verdict had to trust, in words. */
  readonly notes: readonly string[];
}

/** Records that have no effect unless their signer is believed. */
const COUNTS_FOR_NOTHING: readonly string[] = ["revocation", "exception", "override", "boundary-seal"];

/** Failures that consist in something not being there. */
const BY_ABSENCE: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "KEY_UNKNOWN",
  "CHAIN_GAP",
  "REQUEST_MISSING",
  "GRANT_MISSING",
  "DECISION_MISSING",
  "DENIED_BUT_GRANTED",
  "CONSUMPTION_MISSING",
  "APPROVAL_INSUFFICIENT",
  "POLICY_UNREGISTERED",
  "ACTION_TYPE_UNREGISTERED",
  "CONFIRMATION_MISSING",
  "OMISSION",
  "SEQ_GAP",
  "MISSION_MISMATCH",
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
  private readonly words = new Map<string, VerdictWord | null>();
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
      keys,
      asOf: bundle.asOf,
      at: options.at,
      profile: this.profile,
      witnessed: checkpoint?.quorum ?? null,
      supporting: (id) => this.supporting(id),
    };
    for (const { entry } of graph.nodes)
      this.integrity.set(entry.index, signatureProblems(entry, this.context));
  }

  verdict(): TraceVerdict {
    const { opened, context, policy } = this;
    const { bundle, checkpoint, subject, graph } = opened;
    const actionId = isRecordEntry(subject) ? actionIdOf(graph, subject) : null;
    if (actionId !== null) this.words.set(actionId, null);
    const one = actionId === null ? null : caseOf(actionOf(graph, actionId), context);
    // First what it rests on: which other actions are judged at all decides whose signers are theirs to answer for.
    const own = one === null ? this.statusFindings() : this.checkFindings(one);
    const findings = [
      ...this.integrityFindings(one),
      ...this.witnessFindings(one),
      ...this.boundFindings(),
      ...own,
    ];
    const executed =
      one !== null && one.action.receipts.some(({ record }) => EXECUTED.includes(record.value["outcome"]));
    return {
      verdict: wordFor(findings, executed),
      subject: bundle.subject,
      subjectIndex: subject.index,
      action: actionId,
      actionType: one?.registration.name ?? null,
      tier: one?.tier ?? null,
      registeredTier: one?.registeredTier ?? null,
      at: this.options.at,
      profile: this.profile,
      log: bundle.log,
      asOf: bundle.asOf,
      tree: checkpoint === null ? null : { size: checkpoint.size, root: checkpoint.root },
      cosigners: checkpoint?.cosigners ?? [],
      trusted: [...policy.logs, ...policy.witnesses].map(({ key }) => formatVerifierKey(key)),
      findings,
      evidence: one === null ? [] : provenanceOf(one, context),
      supporting: [...this.words].flatMap(([action, verdict]) =>
        action === actionId || verdict === null ? [] : [{ action, verdict }],
      ),
      overrides: graph.all("override").map(({ index }) => index),
      withoutEffect: this.withoutEffect(),
      notes: this.notes(),
    };
  }

  /** The verdict on another action of the same bundle. */
  private supporting(id: string): VerdictWord | null {
    const known = this.words.get(id);
    if (known !== undefined) return known;
    this.words.set(id, null);
    const one = caseOf(actionOf(this.context.graph, id), this.context);
    const own = membersOf(one.action).flatMap(({ index }) => this.integrity.get(index) ?? []);
    const findings = [
      ...this.rows("signatures", "signed by whom they say", own, one),
      ...this.checkFindings(one),
    ];
    const executed = one.action.receipts.some(({ record }) => EXECUTED.includes(record.value["outcome"]));
    const word = wordFor(findings, executed);
    this.words.set(id, word);
    return word;
  }

  /**
   * Inclusion of every entry, and who signed it. Who is distrusted in another action is that action's to answer for; and
   * what takes something back, excuses or overrides counts for nothing when its signer is not believed.
   */
  private integrityFindings(one: Case | null): Finding[] {
    const { problems, graph } = this.opened;
    const judged = [...this.words].filter(([id, word]) => word !== null && id !== one?.action.id);
    const others = new Set(
      judged.flatMap(([id]) => membersOf(actionOf(graph, id))).map(({ index }) => index),
    );
    for (const { index } of one === null ? [] : membersOf(one.action)) others.delete(index);
    const signatures = graph.nodes.flatMap(({ entry }) =>
      (this.integrity.get(entry.index) ?? []).filter(
        ({ code }) =>
          code !== "SIGNER_DISTRUSTED" ||
          entry.index === this.opened.subject.index ||
          !(others.has(entry.index) || COUNTS_FOR_NOTHING.includes(entry.record?.type ?? "")),
      ),
    );
    return [
      ...this.rows(
        "inclusion",
        "every entry is in the checkpoint's tree, and the log signed it",
        problems,
        one,
      ),
      ...this.rows("signatures", "every entry is signed by a key that was believed for it", signatures, one),
    ];
  }

  private witnessFindings(one: Case | null): Finding[] {
    const { witnessed } = this.context;
    const name = "witnesses";
    const about = "the witness quorum cosigned the checkpoint";
    if (witnessed === null) return [idle(name, "no witness was asked for: the operator was trusted")];
    if (one !== null && one.tier < 3) return [idle(name, `tier ${one.tier} does not ask for it`)];
    const problems = witnessed
      ? []
      : [unknown("UNWITNESSED", [], "the checkpoint does not meet the witness quorum")];
    return this.rows(name, about, problems, one);
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
    const revocation = takenBack(subject, this.context.asOf, this.context);
    const problems =
      revocation === undefined
        ? []
        : [fails("REVOKED_BEFORE_EXECUTION", [revocation, subject], "the record was revoked or suspended")];
    return this.rows("not-revoked", "the record was not taken back", problems, null);
  }

  private checkFindings(one: Case): Finding[] {
    return CHECKS.flatMap((check) => {
      if (one.tier < check.tier) return [idle(check.name, `tier ${one.tier} does not ask for it`)];
      const reason = check.idle?.(one, this.context);
      if (reason !== undefined) return [idle(check.name, reason)];
      return this.rows(check.name, check.about, check.run(one, this.context), one);
    });
  }

  /** One passing finding, or one for each problem, excused where an exception says so. */
  private rows(check: string, about: string, problems: readonly Problem[], one: Case | null): Finding[] {
    if (problems.length === 0) return [{ check, outcome: "PASS", code: null, nodes: [], detail: about }];
    return distinct(problems).map((found) => {
      // Where something was left out, what is not there may be among it: unknown, not failed.
      const leftOut = this.opened.bounded && BY_ABSENCE.has(found.code);
      const problem: Problem = leftOut ? { ...found, outcome: "UNKNOWN" } : found;
      const exception = one === null ? undefined : exceptionFor(problem, one, this.context);
      if (exception === undefined) return { check, ...problem };
      const outcome: Outcome = "EXCEPTED";
      const detail = `${problem.detail} (excused by entry ${exception.index}: ${textMember(exception.record.value, "reason")})`;
      return { check, ...problem, outcome, nodes: [...problem.nodes, exception.index], detail };
    });
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

  private notes(): string[] {
    const { checkpoint, bundle } = this.opened;
    const notes = [
      "A bundle cannot show a record that was withheld and that nothing in it points to, such as a later revocation or a second receipt: whoever needs to exclude that reads the log itself (writ trace --from-tiles).",
    ];
    if (this.context.witnessed === null)
      notes.push("No witness was asked for: the operator was trusted not to show others another history.");
    if (checkpoint !== null && bundle.asOf < checkpoint.size)
      notes.push(
        `Judged as of size ${bundle.asOf}: the ${checkpoint.size - bundle.asOf} entries logged since are not considered.`,
      );
    return notes;
  }
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

/** The verdict in the interface's spelling. */
export function verdictJson(verdict: TraceVerdict) {
  const { tree, cosigners } = verdict;
  const times = cosigners.map(({ time }) => Number(time) * 1000).toSorted((a, b) => a - b);
  return {
    verdict: verdict.verdict,
    subject: verdict.subject,
    subject_index: verdict.subjectIndex,
    action: verdict.action,
    action_type: verdict.actionType,
    risk_tier: verdict.tier,
    at: new Date(verdict.at).toISOString(),
    profile: verdict.profile.name,
    log: verdict.log,
    as_of: verdict.asOf,
    tree_size: tree?.size ?? null,
    root: tree === null ? null : toBase64(tree.root),
    // Witnesses say when they saw it; without one nothing bounds the time.
    checkpoint_time:
      times.length === 0 ? null : { not_before: timeText(times[0]), not_after: timeText(times.at(-1)) },
    cosigned_by: cosigners.map(({ name }) => name),
    trusted_keys: verdict.trusted,
    findings: verdict.findings,
    evidence: verdict.evidence.map(({ writer, changedBy, confirmedBy, ...rest }) => ({
      ...rest,
      writer:
        writer === null ? null : { id: writer.id, writer_class: writer.writerClass, signers: writer.signers },
      changed_by: changedBy,
      confirmed_by: confirmedBy,
    })),
    supporting: verdict.supporting,
    overrides: verdict.overrides,
    revocations_without_effect: verdict.withoutEffect,
    notes: verdict.notes,
  };
}

function timeText(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
