/** What `trace` and `verify` share: how to judge, and how a verdict is told: the verdict first, then what fails and why. */
import { timeOf } from "../record/time.js";
import { PROFILES, type Profile } from "../trace/context.js";
import { findingText } from "../trace/draw/tree.js";
import { type EvaluateOptions, type TraceVerdict, verdictJson } from "../trace/evaluate.js";
import type { Finding, Outcome as FindingOutcome } from "../trace/verdict.js";
import { FLAG, type Invocation, type OptionSpec, type Outcome, STRING, usageError } from "./command.js";

export const JUDGE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  at: STRING,
  profile: STRING,
  "allow-exceptions": FLAG,
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

/** Exit 0 only for AUTHORIZED, and with an exception when that is allowed. */
export function verdictOutcome(verdict: TraceVerdict, invocation: Invocation, picture?: string): Outcome {
  const excused = verdict.verdict === "AUTHORIZED_WITH_EXCEPTION" && invocation.flag("allow-exceptions");
  const ok = verdict.verdict === "AUTHORIZED" || excused;
  return { ok, text: verdictText(verdict, picture), json: verdictJson(verdict) };
}

function verdictText(verdict: TraceVerdict, picture: string | undefined): string {
  const { findings, tree, asOf, log, cosigners, at, profile } = verdict;
  const of = (outcome: FindingOutcome): Finding[] =>
    findings.filter((finding) => finding.outcome === outcome);
  const section = (title: string, found: readonly Finding[]): string[] =>
    found.length === 0
      ? []
      : [title, ...found.map((finding) => `  ${findingText(finding)} ${places(finding)}`.trimEnd())];
  const count = (outcome: FindingOutcome): string => `${of(outcome).length} ${outcome}`;
  const signers =
    cosigners.length === 0
      ? "cosigned by nobody"
      : `cosigned by ${cosigners.map(({ name }) => name).join(", ")}`;
  return [
    verdict.verdict,
    ...section("what fails:", of("FAIL")),
    ...section("what is excused:", of("EXCEPTED")),
    ...section("what is unknown:", of("UNKNOWN")),
    ...(picture === undefined ? [] : ["", picture, ""]),
    `${count("PASS")}, ${count("FAIL")}, ${count("UNKNOWN")}, ${count("EXCEPTED")}, ${count("NOT_APPLICABLE")}`,
    `${log}, as of ${asOf} entries, under the checkpoint of ${tree?.size ?? "?"}, ${signers}; judged at ${new Date(at).toISOString()}, profile ${profile.name}`,
    ...verdict.notes,
  ].join("\n");
}

function places({ nodes }: Finding): string {
  return nodes.length === 0 ? "" : `(${nodes.map((node) => `#${node}`).join(", ")})`;
}
