/**
 * Requests that end in a definite answer. A submission may be sent again and again (the same statement has one place), so
 * whatever leaves the outcome open, a lost connection, a 5xx, a full pool, is retried with growing, jittered pauses.
 */
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { WritError } from "../errors.js";
import { retryAfter } from "../format/retry-after.js";
import { collect, fromUtf8 } from "../format/bytes.js";
import { decodeCbor } from "../statement/cbor.js";

export interface TransportOptions {
  /** The log's origin as a URL, such as `http://127.0.0.1:6962`. */
  readonly url: string;
  /** How long to go on trying, in milliseconds; 60 s unless given. */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
  /** How long it asks to be left alone, in milliseconds; 0 where it does not. */
  readonly retryAfterMs: number;
}

const inflate = promisify(gunzip);
const NO_ANSWER = "nothing came for as long as its patience lasts; --patience SECONDS gives it more";
const TOO_SLOW = "the answer comes too slowly; --patience SECONDS gives it more time";
/** An answer that keeps coming may take so many times the patience with silence. */
const SLOWEST = 20;
const DEFAULT_PATIENCE_MS = 60_000;
const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** Even without patience an attempt gets so long. */
const MIN_ATTEMPT_MS = 1_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
const OPEN_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

export class Transport {
  private readonly agent = agentFor({ connections: 8, keepAliveTimeout: 30_000 });
  /** Apart: an answer without an end would hold the connection of others. */
  private readonly streams = agentFor({ connections: 1, bodyTimeout: 0, headersTimeout: 10_000 });
  private readonly base: string;

  constructor(private readonly options: TransportOptions) {
    if (!/^https?:\/\/[^/]/.test(options.url)) {
      throw new WritError(
        "USAGE",
        `the log's URL: want http://… or https://…, got ${JSON.stringify(options.url)}`,
      );
    }
    this.base = options.url.replace(/\/+$/, "");
  }

  /** GET; the body of a 2xx. SERVER_REFUSED with the problem's detail for other definite answers. */
  async get(path: string, accept: string, maxBytes = MAX_ANSWER_BYTES): Promise<Uint8Array> {
    return (await this.definite("GET", path, { accept }, undefined, maxBytes)).body;
  }

  /** The same with its status, where there is more than one that means yes. */
  async getAnswer(path: string, accept: string): Promise<Answer> {
    return this.definite("GET", path, { accept });
  }

  async post(path: string, contentType: string, body: Uint8Array): Promise<Answer> {
    return this.definite("POST", path, { accept: "application/json", "content-type": contentType }, body);
  }

  /**
   * The chunks of an answer without an end, for as long as somebody reads them. One attempt: whoever follows a stream knows
   * where to go on. SERVER_UNREACHABLE, SERVER_REFUSED. `signal` ends it.
   */
  async *stream(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    try {
      const { statusCode: status, body } = await request(`${this.base}${path}`, {
        method: "GET",
        headers,
        dispatcher: this.streams,
        signal,
      });
      if (status !== 200) {
        const answer = {
          status,
          body: (await collect(body, MAX_PROBLEM_BYTES)) ?? new Uint8Array(0),
          retryAfterMs: 0,
        };
        throw refusalOf("GET", path, answer);
      }
      for await (const chunk of body) yield chunk as Uint8Array;
    } catch (error) {
      if (error instanceof WritError) throw error;
      signal.throwIfAborted();
      throw new WritError(
        "SERVER_UNREACHABLE",
        `GET ${this.base}${path}: ${reasonOf(error)}`,
        {},
        { cause: error },
      );
    }
  }

  /** How long one call goes on trying, in milliseconds. */
  get patienceMs(): number {
    return this.options.patienceMs ?? DEFAULT_PATIENCE_MS;
  }

  async close(): Promise<void> {
    await Promise.all([this.agent.close(), this.streams.destroy()]);
  }

  private async definite(
    method: "GET" | "POST",
    path: string,
    headers: Readonly<Record<string, string>>,
    body?: Uint8Array,
    maxBytes = MAX_ANSWER_BYTES,
  ): Promise<Answer> {
    const deadline = Date.now() + this.patienceMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      let open: WritError;
      let asked = 0;
      try {
        const answer = await this.once(
          method,
          path,
          headers,
          body,
          Math.max(MIN_ATTEMPT_MS, deadline - Date.now()),
          maxBytes,
        );
        if (answer.status >= 200 && answer.status < 300) return answer;
        const refusal = refusalOf(method, path, answer);
        if (!OPEN_STATUSES.has(answer.status)) throw refusal;
        open = refusal;
        asked = answer.retryAfterMs;
      } catch (error) {
        // Ours are definite; anything else is the network's, and may be over soon.
        if (error instanceof WritError) throw error;
        open = new WritError(
          "SERVER_UNREACHABLE",
          `${method} ${this.base}${path}: ${reasonOf(error)}`,
          {},
          { cause: error },
        );
      }
      this.options.signal?.throwIfAborted();
      // Whoever says when to come again is believed.
      const wait = Math.max(asked, pause * (0.5 + Math.random() / 2));
      if (Date.now() + wait > deadline) throw open;
      await this.pause(wait);
    }
  }

  /** Waits, unless it is told to stop: then it throws why. */
  async pause(ms: number): Promise<void> {
    const { signal } = this.options;
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    signal?.throwIfAborted();
  }

  private async once(
    method: "GET" | "POST",
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Uint8Array | undefined,
    withinMs: number,
    maxBytes: number,
  ): Promise<Answer> {
    const { signal: stop } = this.options;
    stop?.throwIfAborted();
    // One for each attempt: signals that are composed of a long-lived one stay with it for ever.
    const ending = new AbortController();
    const late = globalThis.setTimeout(
      () => ending.abort(new DOMException(NO_ANSWER, "TimeoutError")),
      withinMs,
    );
    const never = globalThis.setTimeout(
      () => ending.abort(new DOMException(TOO_SLOW, "TimeoutError")),
      SLOWEST * withinMs,
    );
    const stopped = (): void => ending.abort(stop?.reason);
    stop?.addEventListener("abort", stopped, { once: true });
    try {
      const {
        statusCode,
        headers: answered,
        body: stream,
      } = await request(`${this.base}${path}`, {
        method,
        // Static copies may have nothing but gzip, whatever is asked for.
        headers: { ...headers, "accept-encoding": "gzip, identity" },
        dispatcher: this.agent,
        ...(body === undefined ? {} : { body }),
        signal: ending.signal,
      });
      // A slow answer is no silence: what comes starts the clock again.
      const alive = async function* (): AsyncGenerator<Uint8Array> {
        for await (const chunk of stream) {
          late.refresh();
          yield chunk as Uint8Array;
        }
      };
      const answer = await collect(alive(), maxBytes);
      if (answer === null) throw new WritError("SERVER_ANSWER_INVALID", `${path}: an endless answer`);
      return {
        status: statusCode,
        body: await plain(path, answer, answered["content-encoding"], maxBytes),
        retryAfterMs: retryAfter(answered["retry-after"]),
      };
    } finally {
      clearTimeout(late);
      clearTimeout(never);
      stop?.removeEventListener("abort", stopped);
    }
  }
}

/** The answer without its coding, of at most `maxBytes` either way. SERVER_ANSWER_INVALID for another coding, or too much. */
async function plain(
  path: string,
  body: Uint8Array,
  coding: string | string[] | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  if (coding === undefined || coding === "identity" || body.length === 0) return body;
  if (coding !== "gzip" && coding !== "x-gzip")
    throw new WritError("SERVER_ANSWER_INVALID", `${path}: want gzip or no coding, got ${String(coding)}`);
  try {
    return await inflate(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const why = error instanceof RangeError ? "more than was asked for, inflated" : "what is no gzip";
    throw new WritError("SERVER_ANSWER_INVALID", `${path}: ${why}`, {}, { cause: error });
  }
}

/** Through the proxy that HTTPS_PROXY and HTTP_PROXY name, but for the hosts of NO_PROXY; where they name none, straight. */
function agentFor(options: Agent.Options): Dispatcher {
  const named = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].some((name) => process.env[name]);
  return named ? new EnvHttpProxyAgent(options) : new Agent(options);
}

function refusalOf(method: string, path: string, { status, body }: Answer): WritError {
  const { code, detail } = problemIn(body);
  const said = [status, code, detail].filter((part) => part !== null).join(" ");
  const message = `${method} ${path}: ${said}`;
  return new WritError("SERVER_REFUSED", message, { status, ...(code === null ? {} : { refusal: code }) });
}

/** Is it a definite no of the server, which the same question would get again? */
export function isRefusal(error: unknown): error is WritError {
  return (
    error instanceof WritError &&
    error.code === "SERVER_REFUSED" &&
    !OPEN_STATUSES.has(error.facts.status ?? 0)
  );
}

interface ProblemFacts {
  readonly code: string | null;
  readonly detail: string | null;
}

/** What a problem body says, in either of the two forms that a log has for it. */
function problemIn(body: Uint8Array): ProblemFacts {
  const text = fromUtf8(body);
  return text?.trimStart().startsWith("{") ? jsonProblem(text) : conciseProblem(body);
}

function jsonProblem(text: string): ProblemFacts {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    return { code: textOrNull(code), detail: textOrNull(detail) };
  } catch {
    return { code: null, detail: null };
  }
}

/** RFC 9290: title and detail, and no code. */
function conciseProblem(body: Uint8Array): ProblemFacts {
  try {
    const problem = decodeCbor(body);
    const [title, detail] = problem instanceof Map ? [problem.get(-1), problem.get(-2)] : [];
    return {
      code: null,
      detail: [title, detail].filter((part) => typeof part === "string").join(": ") || null,
    };
  } catch {
    return { code: null, detail: null };
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return error.message === "" ? code : error.message;
}
