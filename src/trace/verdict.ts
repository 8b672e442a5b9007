/** What a judgement consists of. */

export type Outcome = "PASS" | "FAIL" | "UNKNOWN" | "NOT_APPLICABLE" | "EXCEPTED";

export type FindingCode =
  | "NOT_INCLUDED"
  | "CHECKPOINT_INVALID"
  | "UNWITNESSED"
  | "SIGNATURE_INVALID"
  | "KEY_UNKNOWN"
  | "ROLE_MISSING"
  | "SIGNER_DISTRUSTED"
  | "EQUIVOCATION"
  | "CHAIN_GAP"
  | "REQUEST_MISSING"
  | "GRANT_MISSING"
  | "GRANT_AFTER_RECEIPT"
  | "DECISION_MISSING"
  | "DENIED_BUT_GRANTED"
  | "DECISION_BEFORE_REQUEST"
  | "DECISION_AFTER_GRANT"
  | "REQUEST_MISMATCH"
  | "REQUEST_EXPIRED"
  | "DECISION_EXPIRED"
  | "APPROVAL_EXPIRED"
  | "GRANT_EXPIRED"
  | "GRANT_NOT_YET_VALID"
  | "LATE_REGISTRATION"
  | "NONCE_REUSED"
  | "CONSUMPTION_MISSING"
  | "AUDIENCE_MISMATCH"
  | "APPROVAL_INSUFFICIENT"
  | "APPROVAL_SELF"
  | "APPROVAL_LATE"
  | "SCOPE_WIDENED"
  | "ATTENUATION_BROKEN"
  | "CONSTRAINT_UNKNOWN"
  | "CONSTRAINT_VIOLATED"
  | "CONSTRAINT_UNCHECKED"
  | "ACTION_MISMATCH"
  | "TOOL_DRIFT"
  | "REVOKED_BEFORE_EXECUTION"
  | "REVOCATION_RACE"
  | "POLICY_UNREGISTERED"
  | "POLICY_STALE"
  | "ACTION_TYPE_UNREGISTERED"
  | "REGISTRATION_INCOMPLETE"
  | "ACTION_TYPE_CONTESTED"
  | "POSTCONDITION_MISSING"
  | "EVIDENCE_UNRESOLVED"
  | "EVIDENCE_SUPERSEDED"
  | "EVIDENCE_STALE"
  | "SELF_CORROBORATED"
  | "CONFIRMATION_MISSING"
  | "PRIOR_UNRESOLVED"
  | "PRIOR_VIOLATION"
  | "FORWARD_REFERENCE"
  | "ROLE_COLLAPSE"
  | "TERMINAL_DUPLICATE"
  | "GRANT_UNRECEIPTED"
  | "OMISSION"
  | "SEQ_GAP"
  | "MISSION_MISMATCH"
  | "DEPTH_EXCEEDED";

export interface Finding {
  /** The row of the findings table. */
  readonly check: string;
  readonly outcome: Outcome;
  /** Null unless FAIL, UNKNOWN or EXCEPTED. */
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
}

export type VerdictWord =
  | "VIOLATION"
  | "NOT_EXECUTED"
  | "NOT_ESTABLISHED"
  | "AUTHORIZED_WITH_EXCEPTION"
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

/** "VIOLATION (any FAIL), else NOT_EXECUTED, else NOT_ESTABLISHED (some UNKNOWN), else …" No score, no average. */
export function wordFor(findings: readonly Finding[], executed: boolean): VerdictWord {
  const has = (outcome: Outcome): boolean => findings.some((finding) => finding.outcome === outcome);
  if (has("FAIL")) return "VIOLATION";
  if (!executed) return "NOT_EXECUTED";
  if (has("UNKNOWN")) return "NOT_ESTABLISHED";
  return has("EXCEPTED") ? "AUTHORIZED_WITH_EXCEPTION" : "AUTHORIZED";
}
