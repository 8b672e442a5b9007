/**
 * One `add-checkpoint` request to one witness (c2sp.org/tlog-witness), as its client. Whatever a witness may answer, it
 * costs a bounded time and a bounded number of bytes, and ends in one of four ways.
 */
import { type Dispatcher, request } from "undici";
import { parseSignatureLines, type SignatureLine } from "../format/note.js";
import {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseSizeBody,
  SIZE_MEDIA_TYPE,
} from "../format/proof-request.js";
import { WritError } from "../errors.js";

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
  try {
    const { statusCode, headers, body } = await request(`${url.replace(/\/+$/, "")}/add-checkpoint`, {
      method: "POST",
      // "follow no redirect on POST": undici's `request` follows none.
      dispatcher,
      headers: { "content-type": "text/plain; charset=utf-8" },
      body: formatAddCheckpoint(question),
      signal: AbortSignal.any([stop, AbortSignal.timeout(withinMs)]),
    });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += (chunk as Buffer).length;
      if (length > MAX_ANSWER_BYTES) return failure(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk as Buffer);
    }
    return read(statusCode, headers["content-type"], Buffer.concat(chunks));
  } catch (error) {
    return failure(reasonOf(error));
  }
}

function read(status: number, type: string | string[] | undefined, body: Uint8Array): WitnessAnswer {
  if (status === 200) return readLines(body);
  if (status === 409) {
    const size = type === SIZE_MEDIA_TYPE ? parseSizeBody(body) : undefined;
    return size === undefined
      ? { kind: "fork", why: "409 without the size it holds" }
      : { kind: "stale", size };
  }
  if (status === 422)
    return { kind: "fork", why: "422: it could not verify that the checkpoint extends what it holds" };
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
