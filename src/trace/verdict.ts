/** What a judgement consists of. */
import type { FindingCode } from "./codes.js";

export type { FindingCode } from "./codes.js";

export type Outcome = "PASS" | "FAIL" | "UNKNOWN" | "NOT_APPLICABLE" | "REMARK" | "EXCEPTED";

export interface Finding {
  /** The row of the findings table. */
  readonly check: string;
  readonly outcome: Outcome;
  /** Null unless FAIL, UNKNOWN, REMARK or EXCEPTED. */
  readonly code: FindingCode | null;
  /** Indexes of the entries concerned. */
  readonly nodes: readonly number[];
  readonly detail: string;
}

/** What a check complains of. */
export interface Problem {
  readonly code: FindingCode;
  readonly outcome: "FAIL" | "UNKNOWN";
  readonly nodes: readonly number[];
  readonly detail: string;
  /** The code that an exception names to excuse it, where it is not its own: another finding is its only cause. */
  readonly excusedAs?: FindingCode;
}

export type VerdictWord =
  | "NOT_VERIFIED"
  | "VIOLATION"
  | "NOT_EXECUTED"
  | "NOT_ESTABLISHED"
  | "AUTHORIZED_WITH_EXCEPTION"
  | "RECORDED"
  | "AUTHORIZED";

interface Indexed {
  readonly index: number;
}

export function fails(code: FindingCode, nodes: readonly Indexed[], detail: string): Problem {
  return { code, outcome: "FAIL", nodes: nodes.map(({ index }) => index), detail };
}

export function unknown(code: FindingCode, nodes: readonly Indexed[], detail: string): Problem {
  return { code, outcome: "UNKNOWN", nodes: nodes.map(({ index }) => index), detail };
}

/** Where an action stands, besides what was found. */
export interface Standing {
  /** Some receipt says executed, partial, reverted, failed or unknown. */
  readonly executed: boolean;
  /** A grant was used, has ended, and nothing says what came of it. */
  readonly unaccounted: boolean;
  /** A decision that allows stands behind it (from tier 2 on also a grant). */
  readonly decided: boolean;
}

/**
 * "VIOLATION (some FAIL), else NOT_EXECUTED, else NOT_ESTABLISHED (some UNKNOWN), else AUTHORIZED_WITH_EXCEPTION, else RECORDED
 * (nobody decided), else AUTHORIZED." No score, no average.
 */
export function wordFor(
  findings: readonly Finding[],
  { executed, unaccounted, decided }: Standing,
): VerdictWord {
  const has = (outcome: Outcome): boolean => findings.some((finding) => finding.outcome === outcome);
  if (has("FAIL")) return "VIOLATION";
  const incomplete = findings.some(
    ({ code, outcome }) => outcome === "UNKNOWN" && (code === "COMPLETENESS" || code === "DEPTH_EXCEEDED"),
  );
  if (!executed && !unaccounted && !incomplete) return "NOT_EXECUTED";
  if (has("UNKNOWN") || !executed) return "NOT_ESTABLISHED";
  if (has("EXCEPTED")) return "AUTHORIZED_WITH_EXCEPTION";
  return decided ? "AUTHORIZED" : "RECORDED";
}
