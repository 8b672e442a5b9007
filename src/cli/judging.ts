/**
 * What `trace` and `verify` share: how to judge, and how a verdict is told: what happened, in one sentence; the word with what
 * was asked, who vouches, and up to where it is complete; then what fails and why.
 */
import { timeOf } from "../record/time.js";
import { CODES, explain, WORDS } from "../trace/codes.js";
import { PROFILES, type Profile } from "../trace/context.js";
import { findingText } from "../trace/draw/tree.js";
import { type TraceVerdict, verdictJson } from "../trace/answer.js";
import { type EvaluateOptions } from "../trace/evaluate.js";
import type { Provenance } from "../trace/provenance.js";
import { told } from "../trace/sentence.js";
import type { Finding, Outcome as FindingOutcome, VerdictWord } from "../trace/verdict.js";
import { FLAG, type Invocation, type OptionSpec, type Outcome, STRING, usageError } from "./command.js";

export const JUDGE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  at: STRING,
  profile: STRING,
  "allow-exceptions": FLAG,
  "allow-not-executed": FLAG,
  "allow-recorded": FLAG,
  checks: FLAG,
};

/** How the words of the command line are spelled in a usage line. */
export const JUDGE_USAGE =
  "[--at TIME] [--profile NAME] [--allow-exceptions] [--allow-not-executed] [--allow-recorded] [--checks]";

/** Words that are no yes unless they are allowed. */
const ALLOWED_BY: Partial<Record<VerdictWord, string>> = {
  AUTHORIZED_WITH_EXCEPTION: "allow-exceptions",
  NOT_EXECUTED: "allow-not-executed",
  RECORDED: "allow-recorded",
};

/** `--at TIME` (default: this machine's clock) and `--profile NAME`. */
export function judgeOptions(invocation: Invocation): EvaluateOptions & { readonly profile: Profile } {
  const text = invocation.text("at");
  const at = text === undefined ? Date.now() : timeOf(text);
  if (at === undefined) throw usageError(`--at: want an RFC 3339 time, got ${text}`);
  const name = invocation.text("profile") ?? "registered";
  const profile = PROFILES.find((one) => one.name === name);
  if (profile === undefined)
    throw usageError(`--profile: want one of ${PROFILES.map((one) => one.name).join(", ")}, got ${name}`);
  return { at, profile };
}

/** `--explain CODE`: what a code means, for whoever has to act on it. */
export function explained(code: string): Outcome {
  const sentence = explain(code);
  if (sentence === undefined)
    throw usageError(
      `--explain: want a code or a verdict, got ${code}; there are ${[...Object.keys(WORDS), ...Object.keys(CODES)].join(", ")}`,
    );
  return { ok: true, text: `${code}: ${sentence}`, json: { code, explanation: sentence } };
}

/** Exit 0 only for AUTHORIZED, and for the words that are allowed. */
export function verdictOutcome(verdict: TraceVerdict, invocation: Invocation, picture?: string): Outcome {
  const allowedBy = ALLOWED_BY[verdict.verdict];
  const ok = verdict.verdict === "AUTHORIZED" || (allowedBy !== undefined && invocation.flag(allowedBy));
  return { ok, text: verdictText(verdict, picture, invocation.flag("checks")), json: verdictJson(verdict) };
}

function verdictText(verdict: TraceVerdict, picture: string | undefined, all: boolean): string {
  const { findings, tree, asOf, log, at, notes } = verdict;
  const of = (outcome: FindingOutcome): Finding[] =>
    findings.filter((finding) => finding.outcome === outcome);
  const section = (title: string, found: readonly Finding[]): string[] =>
    found.length === 0
      ? []
      : [title, ...found.map((finding) => `  ${findingText(finding)} ${places(finding)}`.trimEnd())];
  const plain = (title: string, found: readonly Finding[]): string[] =>
    found.length === 0 ? [] : [title, ...found.map(({ check, detail }) => `  ${check}: ${detail}`)];
  const count = (outcome: FindingOutcome): string => `${of(outcome).length} ${outcome}`;
  return [
    verdict.sentence,
    `${verdict.verdict} (${qualifiers(verdict)})`,
    ...section("what fails:", of("FAIL")),
    ...section("what is unknown:", of("UNKNOWN")),
    ...section("remarks, while nothing was executed:", of("REMARK")),
    ...section("what is excused:", of("EXCEPTED")),
    ...overrides(verdict),
    ...strangers(verdict),
    ...(all ? plain("what passes:", of("PASS")) : []),
    ...(all ? plain("what was not asked:", of("NOT_APPLICABLE")) : []),
    ...(picture === undefined ? [] : ["", picture, ""]),
    ...evidence(verdict.evidence),
    `${count("PASS")}, ${count("FAIL")}, ${count("UNKNOWN")}, ${count("REMARK")}, ${count("EXCEPTED")}, ${count("NOT_APPLICABLE")}`,
    `${log}, as of ${asOf} entries, under the checkpoint of ${tree?.size ?? "?"}; judged at ${new Date(at).toISOString()}, by rules ${verdict.rulesVersion} and walk ${verdict.walk}; clocks may differ by ${verdict.toleranceS} s`,
    ...notes,
  ].join("\n");
}

/** What was asked, who vouches, and up to where it is complete. */
function qualifiers(verdict: TraceVerdict): string {
  const { tier, profile, cosigners, witnessed, complete, asOf } = verdict;
  const asked = `${tier === null ? "no action" : `risk tier ${tier}`}, profile ${profile.name}`;
  const names = cosigners.map(({ name }) => name).join(", ");
  const vouching =
    witnessed === null
      ? "the operator vouched alone"
      : witnessed
        ? `witnessed by ${names}`
        : `not witnessed by a quorum${names === "" ? "" : `, only by ${names}`}`;
  const times = cosigners.map(({ time }) => Number(time) * 1000);
  const time =
    times.length === 0 ? "" : `, at ${new Date(times.reduce((a, b) => Math.max(a, b))).toISOString()}`;
  const whole = complete ? `complete up to ${asOf} entries${time}` : "not known to be complete";
  return `${asked}; ${vouching}; ${whole}`;
}

function overrides({ overrides: found }: TraceVerdict): string[] {
  return found.length === 0
    ? []
    : [`overridden, which changes no verdict: ${found.map((index) => `#${index}`).join(", ")}`];
}

function strangers({ strangers: { indexes, more } }: TraceVerdict): string[] {
  if (indexes.length === 0) return [];
  const some = indexes.slice(0, 8).map((index) => `#${index}`);
  const rest = indexes.length - some.length;
  const count = `${indexes.length}${more ? " and more" : ""}`;
  return [
    `strangers' records about it, neither for nor against: ${count} (${some.join(", ")}${rest > 0 ? ", …" : ""})`,
  ];
}

/** The six questions of each fact. */
function evidence(facts: readonly Provenance[]): string[] {
  return facts.map(
    ({
      name,
      fact,
      writer,
      authority,
      policy,
      evidence: sources,
      receipt,
      changedBy,
      confirmedBy,
      trust,
    }) => {
      if (fact === null || writer === null) return `evidence ${told(name)}: unknown, nobody wrote it down`;
      const rest = [
        `written by ${told(writer.id)} (#${fact})`,
        authority === null
          ? "under no grant"
          : `under the grant #${authority.grant} of ${told(authority.issuer)}`,
        policy === null
          ? "under no policy"
          : `policy ${policy.entries.map((index) => `#${index}`).join(", ") || "not logged"}`,
        Object.keys(sources).length === 0
          ? "from no evidence"
          : `from ${Object.keys(sources).map(told).join(", ")}`,
        receipt === null ? "no receipt" : `receipt #${receipt}`,
        changedBy.length === 0
          ? "not changed since"
          : `changed by ${changedBy.map((index) => `#${index}`).join(", ")}`,
        confirmedBy.length === 0
          ? "not confirmed"
          : `confirmed by ${confirmedBy.map((index) => `#${index}`).join(", ")}`,
      ];
      return `evidence ${told(name)}: ${trust}; ${rest.join("; ")}`;
    },
  );
}

function places({ nodes }: Finding): string {
  return nodes.length === 0
    ? ""
    : `(${nodes
        .slice(0, 16)
        .map((node) => `#${node}`)
        .join(", ")}${nodes.length > 16 ? ", …" : ""})`;
}
