/**
 * The one error class for expected failures. `code` is API and stable; `message` is for people and may change.
 * (`ProofError`, for what did not verify, lives with the tree; TypeError and RangeError are bugs of the caller.)
 */
export { ProofError } from "../merkle/proof-error.js";

export type ErrorCode =
  // What was sent, in the order in which it is checked.
  | "BODY_TOO_LARGE"
  | "BATCH_TOO_LONG"
  | "ENTRY_TOO_LARGE"
  | "ENVELOPE_MALFORMED"
  | "ENVELOPE_INVALID"
  | "PAYLOAD_MISSING"
  | "SIGNATURE_MISSING"
  | "CERTIFICATES_UNSUPPORTED"
  | "ALGORITHM_UNSUPPORTED"
  | "KEY_UNKNOWN"
  | "SIGNATURE_INVALID"
  | "RECORD_MALFORMED"
  | "ROLE_MISSING"
  | "RECORD_INVALID"
  | "KEY_DISTRUSTED"
  | "DOMAIN_TAKEN"
  | "ID_OF_ANOTHER_DOMAIN"
  // Why a grant could not be used, at that place in the log.
  | "GRANT_UNKNOWN"
  | "GRANT_MISMATCH"
  | "GRANT_NOT_YET_VALID"
  | "GRANT_EXPIRED"
  | "GRANT_REVOKED"
  | "GRANT_SUSPENDED"
  | "GRANT_USED"
  | "GRANT_NOT_DELEGATED"
  | "REQUEST_USED"
  | "USE_REPEATED"
  // Why a revocation may not wait for what is not there.
  | "EARLY_REVOCATIONS"
  // Why a gateway lets nobody act.
  | "GATEWAY_UNSURE"
  | "GRANT_UNJUSTIFIED"
  | "ACTION_OUTSIDE"
  // What was asked.
  | "REQUEST_MALFORMED"
  | "REQUEST_TIMEOUT"
  | "HEADERS_TOO_LARGE"
  | "QUERY_INVALID"
  | "REF_MALFORMED"
  | "NOT_FOUND"
  | "ENTRY_NOT_FOUND"
  | "SERVICE_KEY_UNKNOWN"
  | "REF_AMBIGUOUS"
  | "SIZE_UNPUBLISHED"
  | "TIME_UNKNOWN"
  | "METHOD_NOT_ALLOWED"
  | "NOT_ACCEPTABLE"
  | "MEDIA_TYPE_UNSUPPORTED"
  | "WITNESSES_MISSING"
  // What a witness answers.
  | "ORIGIN_UNKNOWN"
  | "CHECKPOINT_UNSIGNED"
  | "CHECKPOINT_STALE"
  | "CHECKPOINT_INCONSISTENT"
  | "QUOTA_EXCEEDED"
  // The state of the log.
  | "POOL_FULL"
  | "READERS_BUSY"
  | "CLOCK_LEAPT"
  | "CLOCK_BEHIND"
  | "LOG_BEHIND"
  | "SHUTTING_DOWN"
  | "LOG_STOPPED"
  | "INTERNAL"
  // Text and binary formats of their specifications.
  | "NOTE_MALFORMED"
  | "VKEY_MALFORMED"
  | "CHECKPOINT_MALFORMED"
  | "TILE_MALFORMED"
  | "PROOF_MALFORMED"
  | "RECEIPT_MALFORMED"
  | "COSE_KEY_MALFORMED"
  | "POLICY_MALFORMED"
  | "LOG_LIST_MALFORMED"
  | "EVIDENCE_MALFORMED"
  | "BUNDLE_MALFORMED"
  | "KEY_MALFORMED"
  // Running a log, and talking to one.
  | "STORE_LOCKED"
  | "STORE_FAILED"
  | "STORE_CORRUPT"
  | "STORE_CONFLICT"
  | "STATE_CORRUPT"
  | "LOG_EXISTS"
  | "LOG_MISSING"
  | "LOG_KEY_MISMATCH"
  | "ADDRESS_UNAVAILABLE"
  | "ADDRESS_REFUSED"
  | "FILE_UNREADABLE"
  | "USAGE"
  | "SERVER_UNREACHABLE"
  | "SERVER_ANSWER_INVALID"
  | "SERVER_REFUSED"
  | "NOT_WITNESSED";

/** What an error may carry beside its code: the JSON path of a member, or the entry that decided. */
export interface ErrorFacts {
  readonly path?: string;
  readonly index?: number;
  readonly indexes?: readonly number[];
  /** The size that a witness holds. */
  readonly size?: number;
  /** The HTTP status that a server answered with. */
  readonly status?: number;
  /** Why a gateway knows nothing. */
  readonly reason?: string;
  /** The code in the problem body that a log answered with. */
  readonly refusal?: string;
}

export class WritError extends Error {
  override readonly name = "WritError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly facts: ErrorFacts = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** May the same request succeed later, unchanged? */
export function isRetryable(code: ErrorCode): boolean {
  return RETRYABLE.has(code);
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "POOL_FULL",
  "READERS_BUSY",
  "CLOCK_LEAPT",
  "SHUTTING_DOWN",
  "LOG_STOPPED",
  "INTERNAL",
  "REQUEST_TIMEOUT",
  "STORE_FAILED",
  "SERVER_UNREACHABLE",
  "QUOTA_EXCEEDED",
]);
