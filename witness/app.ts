/** The HTTP interface of a witness: a function from Request to Response. */
import { type Context, Hono } from "hono";
import { type ErrorCode, isRetryable, WritError } from "../src/errors.js";
import { collect } from "../src/format/bytes.js";
import { formatSignatureLine, type SignatureLine } from "../src/format/note.js";
import { SIZE_MEDIA_TYPE } from "../src/format/proof-request.js";
import { formatVerifierKey } from "../src/format/vkey.js";
import type { Witness } from "./witness.js";

export interface WitnessAppOptions {
  /** Told of errors that an operator should see. */
  readonly onError?: (error: unknown) => void;
}

/** 63 hashes, an origin, and sixteen signature lines of 5 kB fit. */
export const MAX_BODY_BYTES = 128 * 1024;

/** The status of each code that a request can end in; any other is a fault of ours. */
const STATUS: ReadonlyMap<ErrorCode, number> = new Map<ErrorCode, number>([
  ["REQUEST_MALFORMED", 400],
  ["NOTE_MALFORMED", 400],
  ["CHECKPOINT_MALFORMED", 400],
  ["CHECKPOINT_UNSIGNED", 403],
  ["ORIGIN_UNKNOWN", 404],
  ["NOT_FOUND", 404],
  ["METHOD_NOT_ALLOWED", 405],
  ["CHECKPOINT_STALE", 409],
  ["BODY_TOO_LARGE", 413],
  ["CHECKPOINT_INCONSISTENT", 422],
  ["QUOTA_EXCEEDED", 429],
  ["STORE_FAILED", 503],
]);

const TITLES: ReadonlyMap<number, string> = new Map([
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [409, "Conflict"],
  [413, "Content Too Large"],
  [422, "Unprocessable Content"],
  [429, "Too Many Requests"],
  [503, "Service Unavailable"],
]);

export function createWitnessApp(witness: Witness, { onError = () => {} }: WitnessAppOptions = {}): Hono {
  const app = new Hono();

  // Costs the proof's hashes, the log's signature, one sync and ours; the list's `qpd` bounds what is taken.
  app.post("/add-checkpoint", async (c) => lines(await witness.addCheckpoint(await body(c))));
  // Costs the proof's hashes, our own line, and 3 ms of a thread the first time that a subtree is asked for; bounded like the other.
  app.post("/sign-subtree", async (c) => lines(await witness.signSubtree(await body(c))));

  // SPEC: GET <monitoring prefix>/<origin hash>/checkpoint
  app.get("/:originHash/checkpoint", async (c) => {
    const note = await witness.checkpoint(c.req.param("originHash"));
    return text(note, { "cache-control": "no-cache", "access-control-allow-origin": "*" });
  });

  app.get("/", () => {
    const keys = witness.keys.map((key) => `${formatVerifierKey(key)}\n`).join("");
    return text(
      `A witness (c2sp.org/tlog-witness) for ${witness.logCount} logs. Its verifier keys:\n\n${keys}`,
    );
  });
  app.get("/healthz", () => text("ok\n", { "cache-control": "no-store" }));

  const posts = ["/add-checkpoint", "/sign-subtree"];
  app.notFound((c) => {
    const allow = posts.includes(c.req.path) ? "POST" : "GET, HEAD";
    const known = posts.includes(c.req.path) || ["/", "/healthz"].includes(c.req.path);
    if (!known) return problem(new WritError("NOT_FOUND", `there is nothing at ${c.req.path.slice(0, 200)}`));
    return problem(new WritError("METHOD_NOT_ALLOWED", `this path takes ${allow}`), { allow });
  });
  app.onError((error) => {
    const expected = error instanceof WritError && STATUS.has(error.code) && error.code !== "STORE_FAILED";
    if (!expected) onError(error);
    return problem(error);
  });
  return app;
}

/** The whole body. BODY_TOO_LARGE as soon as it is. */
async function body(c: Context): Promise<Uint8Array> {
  const declared = c.req.header("content-length");
  if (declared !== undefined) {
    // What Node's parser lets through is a number, and no more bytes than it says follow.
    if (Number(declared) > MAX_BODY_BYTES) throwTooLarge(declared);
    return new Uint8Array(await c.req.arrayBuffer());
  }
  const { body: chunks } = c.req.raw;
  const bytes = chunks === null ? new Uint8Array(0) : await collect(chunks, MAX_BODY_BYTES);
  return bytes ?? throwTooLarge("more");
}

function throwTooLarge(got: string): never {
  throw new WritError("BODY_TOO_LARGE", `a request has at most ${MAX_BODY_BYTES} bytes, got ${got}`);
}

// SPEC: The response body MUST be a sequence of one or more note signature lines.
function lines(signatures: readonly SignatureLine[]): Response {
  return text(signatures.map(formatSignatureLine).join(""));
}

function text(content: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(content, { headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
}

function problem(error: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const known = error instanceof WritError && STATUS.has(error.code);
  const code = known ? error.code : "INTERNAL";
  const status = STATUS.get(code) ?? 500;
  if (known && error.code === "CHECKPOINT_STALE" && error.facts.size !== undefined) {
    // SPEC: The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal, followed by a
    // newline (U+000A). The response MUST have a `Content-Type` of `text/x.tlog.size`.
    return new Response(`${error.facts.size}\n`, { status, headers: { "content-type": SIZE_MEDIA_TYPE } });
  }
  const detail =
    known && status < 500 ? error.message : "the witness cannot answer this; its operator sees why";
  const title = TITLES.get(status) ?? "Internal Server Error";
  const retryable = isRetryable(code);
  return new Response(JSON.stringify({ type: "about:blank", title, status, code, detail, retryable }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "access-control-allow-origin": "*",
      ...(status === 429 || status === 503 ? { "retry-after": status === 429 ? "60" : "1" } : {}),
      ...headers,
    },
  });
}
