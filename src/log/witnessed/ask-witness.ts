/**
 * One `add-checkpoint` request to one witness (c2sp.org/tlog-witness), as its client. Whatever a witness may answer, it
 * costs a bounded time and a bounded number of bytes, and ends in one of four ways.
 */
import { type Dispatcher, request } from "undici";
import { collect } from "../../format/bytes.js";
import { parseSignatureLines, type SignatureLine } from "../../format/note.js";
import {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseSizeBody,
  SIZE_MEDIA_TYPE,
} from "../../format/proof-request.js";
import { WritError } from "../../errors.js";

export type WitnessAnswer =
  /** Lines that it says are its own: nothing is verified yet. */
  | { readonly kind: "lines"; readonly lines: readonly SignatureLine[] }
  /** It holds another size than we thought. */
  | { readonly kind: "stale"; readonly size: number }
  /** It says that our checkpoint does not extend what it has cosigned. */
  | { readonly kind: "fork"; readonly why: string }
  | { readonly kind: "failure"; readonly why: string };

/** 32 lines of ML-DSA-44 fit. */
const MAX_ANSWER_BYTES = 128 * 1024;

/** Never throws. `withinMs`: the whole exchange. */
export async function askWitness(
  dispatcher: Dispatcher,
  url: string,
  question: AddCheckpoint,
  withinMs: number,
  stop: AbortSignal,
): Promise<WitnessAnswer> {
  // One for each exchange: signals that are composed of a long-lived one stay with it for ever.
  const ending = new AbortController();
  const late = setTimeout(
    () => ending.abort(new DOMException("no answer in time", "TimeoutError")),
    withinMs,
  );
  const stopped = (): void => ending.abort();
  stop.addEventListener("abort", stopped, { once: true });
  try {
    const { statusCode, headers, body } = await request(`${url.replace(/\/+$/, "")}/add-checkpoint`, {
      method: "POST",
      // "follow no redirect on POST": undici's `request` follows none.
      dispatcher,
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: formatAddCheckpoint(question),
      signal: ending.signal,
    });
    // What it accuses us of does not depend on how it ends the sentence.
    const accusation = accusationOf(statusCode, headers["content-type"]);
    if (accusation !== undefined) {
      ending.abort();
      body.on("error", () => {}).destroy();
      return accusation;
    }
    const answer = await collect(body, MAX_ANSWER_BYTES);
    if (answer === null) {
      const why = `an answer of more than ${MAX_ANSWER_BYTES} bytes`;
      return statusCode === 409 ? { kind: "fork", why: `409 with ${why}` } : failure(why);
    }
    return read(statusCode, answer);
  } catch (error) {
    return failure(reasonOf(error));
  } finally {
    clearTimeout(late);
    stop.removeEventListener("abort", stopped);
  }
}

/** "treat 422 and a 409 without `text/x.tlog.size` as a fork alarm" */
function accusationOf(status: number, type: string | string[] | undefined): WitnessAnswer | undefined {
  if (status === 422)
    return { kind: "fork", why: "422: it could not verify that the checkpoint extends what it holds" };
  if (status === 409 && type !== SIZE_MEDIA_TYPE)
    return { kind: "fork", why: "409 without the size it holds" };
  return undefined;
}

function read(status: number, body: Uint8Array): WitnessAnswer {
  if (status === 200) return readLines(body);
  if (status === 409) {
    const size = parseSizeBody(body);
    return size === undefined
      ? { kind: "fork", why: "409 without the size it holds" }
      : { kind: "stale", size };
  }
  return failure(`status ${status}`);
}

function readLines(body: Uint8Array): WitnessAnswer {
  try {
    return { kind: "lines", lines: parseSignatureLines(body) };
  } catch (error) {
    if (error instanceof WritError) return failure("200 with what are no signature lines");
    throw error;
  }
}

function failure(why: string): WitnessAnswer {
  return { kind: "failure", why };
}

/** A word for the kind of trouble; addresses of our own network stay out of it, because it is shown to everybody. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unreachable";
  if (error.name === "TimeoutError" || error.name === "AbortError") return "no answer in time";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code === "" ? "unreachable" : `unreachable (${code})`;
}
