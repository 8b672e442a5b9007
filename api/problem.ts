/** Errors as the outside sees them: RFC 9457 problem bodies with a stable code, on every error there is. */
import { type ErrorCode, isRetryable, ProofError, WritError } from "../src/errors.js";
import { ruleOf } from "../src/record/registration.js";

/** Each code's status. Codes that never reach a client over HTTP are server faults if they do. */
const STATUS = {
  BODY_TOO_LARGE: 413,
  BATCH_TOO_LONG: 413,
  ENTRY_TOO_LARGE: 413,
  ENVELOPE_MALFORMED: 400,
  ENVELOPE_INVALID: 400,
  PAYLOAD_MISSING: 400,
  SIGNATURE_MISSING: 400,
  CERTIFICATES_UNSUPPORTED: 400,
  ALGORITHM_UNSUPPORTED: 400,
  KEY_UNKNOWN: 403,
  SIGNATURE_INVALID: 403,
  RECORD_MALFORMED: 400,
  ROLE_MISSING: 403,
  RECORD_INVALID: 422,
  KEY_DISTRUSTED: 403,
  DOMAIN_TAKEN: 409,
  ID_OF_ANOTHER_DOMAIN: 403,
  GRANT_UNKNOWN: 409,
  GRANT_MISMATCH: 409,
  GRANT_NOT_YET_VALID: 409,
  GRANT_EXPIRED: 409,
  GRANT_REVOKED: 409,
  GRANT_SUSPENDED: 409,
  GRANT_USED: 409,
  GRANT_NOT_DELEGATED: 409,
  REQUEST_USED: 409,
  USE_REPEATED: 409,
  EARLY_REVOCATIONS: 409,
  GATEWAY_UNSURE: 500,
  GRANT_UNJUSTIFIED: 500,
  ACTION_OUTSIDE: 500,
  REQUEST_MALFORMED: 400,
  REQUEST_TIMEOUT: 408,
  HEADERS_TOO_LARGE: 431,
  QUERY_INVALID: 400,
  REF_MALFORMED: 400,
  NOT_FOUND: 404,
  ENTRY_NOT_FOUND: 404,
  SERVICE_KEY_UNKNOWN: 404,
  REF_AMBIGUOUS: 409,
  SIZE_UNPUBLISHED: 404,
  TIME_UNKNOWN: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  MEDIA_TYPE_UNSUPPORTED: 415,
  WITNESSES_MISSING: 400,
  ORIGIN_UNKNOWN: 500,
  CHECKPOINT_UNSIGNED: 500,
  CHECKPOINT_STALE: 500,
  CHECKPOINT_INCONSISTENT: 500,
  QUOTA_EXCEEDED: 500,
  POOL_FULL: 503,
  READERS_BUSY: 503,
  CLOCK_LEAPT: 503,
  CLOCK_BEHIND: 500,
  LOG_BEHIND: 500,
  SHUTTING_DOWN: 503,
  LOG_STOPPED: 503,
  INTERNAL: 500,
  NOTE_MALFORMED: 500,
  VKEY_MALFORMED: 500,
  CHECKPOINT_MALFORMED: 500,
  TILE_MALFORMED: 500,
  PROOF_MALFORMED: 500,
  RECEIPT_MALFORMED: 500,
  COSE_KEY_MALFORMED: 500,
  POLICY_MALFORMED: 500,
  LOG_LIST_MALFORMED: 500,
  EVIDENCE_MALFORMED: 500,
  BUNDLE_MALFORMED: 500,
  KEY_MALFORMED: 500,
  STORE_LOCKED: 500,
  STORE_FAILED: 503,
  STORE_CORRUPT: 500,
  STORE_CONFLICT: 500,
  STATE_CORRUPT: 500,
  LOG_EXISTS: 500,
  LOG_MISSING: 500,
  LOG_KEY_MISMATCH: 500,
  ADDRESS_UNAVAILABLE: 500,
  ADDRESS_REFUSED: 500,
  FILE_UNREADABLE: 500,
  USAGE: 500,
  SERVER_UNREACHABLE: 500,
  SERVER_ANSWER_INVALID: 500,
  SERVER_REFUSED: 500,
  NOT_WITNESSED: 500,
} as const satisfies Record<ErrorCode, number>;

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export interface Problem {
  /** `about:blank`, or the URL that a specification gives to the kind of error. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly retryable: boolean;
  /** The rule of the registration policy that refused a statement. */
  readonly rule?: string;
  readonly path?: string;
  readonly index?: number;
  readonly indexes?: readonly number[];
}

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** Seconds after which a refused submission is worth another try. */
const RETRY_AFTER_S = 1;

/** The problem of an error. What is no expected failure tells a stranger nothing but that it happened. */
export function problemOf(error: unknown, type = "about:blank"): Problem {
  const known =
    error instanceof WritError ? error : new WritError("INTERNAL", "an unexpected error of the log");
  const status = STATUS[known.code];
  const rule = ruleOf(known.code);
  // What a store says has paths of the operator's machine in it.
  const concealed =
    (status === 500 && known.code !== "INTERNAL") ||
    known.code === "STORE_FAILED" ||
    known.code === "LOG_STOPPED";
  return {
    type,
    title: titleOf(status),
    status,
    code: known.code,
    detail: concealed ? "the log cannot answer this; its operator sees why" : known.message,
    retryable: isRetryable(known.code),
    ...(rule === undefined ? {} : { rule }),
    ...known.facts,
  };
}

function titleOf(status: number): string {
  return TITLES[status] ?? "Error";
}

export function problemResponse(
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
  type?: string,
): Response {
  const problem = problemOf(error, type);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...errorHeaders(PROBLEM_MEDIA_TYPE, problem.status), ...headers },
  });
}

/** The headers of every error body, in either form: 429 and 503 say when to try again. */
export function errorHeaders(mediaType: string, status: number): Record<string, string> {
  return {
    "content-type": mediaType,
    "access-control-allow-origin": "*",
    "cache-control": "no-store",
    ...(status === 429 || status === 503 ? { "retry-after": String(RETRY_AFTER_S) } : {}),
  };
}

/** Is this error one that an operator should hear of? */
export function isUnexpected(error: unknown): boolean {
  if (error instanceof ProofError || !(error instanceof WritError)) return true;
  // A full pool is load, not a fault: a line for each refusal would only add to it.
  return (
    STATUS[error.code] >= 500 &&
    error.code !== "POOL_FULL" &&
    error.code !== "READERS_BUSY" &&
    error.code !== "SHUTTING_DOWN"
  );
}
