/** What is answered: the verdict, what it was made from and by, and its spelling in JSON. */
import { toBase64 } from "../format/base64.js";
import type { Profile } from "./context.js";
import type { Provenance } from "./provenance.js";
import type { Finding, VerdictWord } from "./verdict.js";
import type { Strangers } from "./walk/walk.js";

export interface TraceVerdict {
  readonly verdict: VerdictWord;
  /** What happened, in words, made from the records. */
  readonly sentence: string;
  readonly subject: string;
  readonly subjectIndex: number;
  /** The record id of the request whose action was judged; null when the record belongs to none. */
  readonly action: string | null;
  readonly actionType: string | null;
  /** The trust domain whose action it is; null likewise. */
  readonly home: string | null;
  readonly tier: number | null;
  /** The tier of the registrations alone; `tier` is at least what the profile asks for. */
  readonly registeredTier: number | null;
  readonly at: number;
  readonly profile: Profile;
  readonly log: string;
  readonly asOf: number;
  /** Is the file all there is: by the log's signed word, or because whoever judges has read the log? */
  readonly complete: boolean;
  /** The walk that made the file, the rules in force at its end, and the tolerance of claimed times in seconds. */
  readonly walk: number;
  readonly rulesVersion: number;
  readonly toleranceS: number;
  /** Null when the checkpoint could not be trusted. */
  readonly tree: { readonly size: number; readonly root: Uint8Array } | null;
  readonly cosigners: readonly { readonly name: string; readonly time: bigint }[];
  /** Did the policy ask for witnesses, and were they there? Null when it asks for none. */
  readonly witnessed: boolean | null;
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
  /** Records about it by those whose word does not count here. */
  readonly strangers: Strangers;
  /** What no bundle can show, and whom the verdict had to trust, in words. */
  readonly notes: readonly string[];
}

/** The verdict in the interface's spelling. */
export function verdictJson(verdict: TraceVerdict) {
  const { tree, cosigners } = verdict;
  const times = cosigners.map(({ time: at }) => Number(at) * 1000).toSorted((a, b) => a - b);
  return {
    verdict: verdict.verdict,
    sentence: verdict.sentence,
    subject: verdict.subject,
    subject_index: verdict.subjectIndex,
    action: verdict.action,
    action_type: verdict.actionType,
    trust_domain: verdict.home,
    risk_tier: verdict.tier,
    at: new Date(verdict.at).toISOString(),
    profile: verdict.profile.name,
    log: verdict.log,
    as_of: verdict.asOf,
    complete: verdict.complete,
    walk: verdict.walk,
    rules_version: verdict.rulesVersion,
    clock_tolerance_s: verdict.toleranceS,
    tree_size: tree?.size ?? null,
    root: tree === null ? null : toBase64(tree.root),
    // Witnesses say when they saw it; without one nothing bounds the time.
    checkpoint_time:
      times.length === 0 ? null : { not_before: timeText(times[0]), not_after: timeText(times.at(-1)) },
    cosigned_by: cosigners.map(({ name }) => name),
    witnessed: verdict.witnessed,
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
    strangers: verdict.strangers,
    notes: verdict.notes,
  };
}

/** Milliseconds since 1970 as RFC 3339; null where there is none. */
export function timeText(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
