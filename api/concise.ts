/**
 * Errors on the paths of SCRAPI: concise problem details (RFC 9290), `{-1: title, -2: detail}` in CBOR, with the titles that
 * draft-ietf-scitt-scrapi-11 §2 registers. The detail names the rule of the registration policy that refused a statement.
 */
import type { ErrorCode } from "../src/errors.js";
import { encodeCbor } from "../src/statement/cbor.js";
import { errorHeaders, problemOf } from "./problem.js";

const CONCISE_MEDIA_TYPE = "application/concise-problem-details+cbor";

/** Is this one of SCRAPI's paths, where every answer is CBOR, the router's own included? */
export function isScittPath(path: string): boolean {
  return /^\/(entries|\.well-known\/scitt-keys)(\/|$)/.test(path);
}

/** The registered titles, and those that say more than a status does. The others are the status' own. */
const TITLES: Partial<Record<ErrorCode, string>> = {
  REQUEST_MALFORMED: "Malformed request",
  QUERY_INVALID: "Malformed request",
  ENVELOPE_MALFORMED: "Malformed request",
  PAYLOAD_MISSING: "Payload Missing",
  SIGNATURE_MISSING: "Confirmation Missing",
  CERTIFICATES_UNSUPPORTED: "X.509 (x5chain, x5t) Not Supported",
  ALGORITHM_UNSUPPORTED: "Bad Signature Algorithm",
  REF_MALFORMED: "Invalid locator",
  SERVICE_KEY_UNKNOWN: "No such key",
  POOL_FULL: "Too Many Requests",
};

/** A refusal by the registration policy is 400, whatever the status of its code elsewhere; a full pool is 429. */
const REFUSED: ReadonlySet<number> = new Set([400, 403, 409, 422]);

/** The status, title and detail of an error. */
export function conciseOf(error: unknown): {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
} {
  const problem = problemOf(error);
  // A body here is one statement, so one that is too large is a statement that is.
  const rule = problem.code === "BODY_TOO_LARGE" ? "size" : problem.rule;
  const refused = REFUSED.has(problem.status);
  const status = problem.code === "POOL_FULL" ? 429 : refused ? 400 : problem.status;
  const byRule = rule === undefined ? "" : ` (rule ${rule} of the registration policy, /v1/entries/0)`;
  const title = TITLES[problem.code] ?? (refused ? "Rejected" : problem.title);
  return { status, title, detail: `${problem.detail}${byRule}` };
}

export function conciseResponse(error: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const { status, title, detail } = conciseOf(error);
  const body = encodeCbor(
    new Map([
      [-1, title],
      [-2, detail],
    ]),
  );
  return new Response(body, {
    status,
    headers: { ...errorHeaders(CONCISE_MEDIA_TYPE, status), ...headers },
  });
}
