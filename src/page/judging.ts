/**
 * Judging beside the page, which stays awake: a trace of two thousand records verifies as many signatures. The worker is this very
 * script, from a blob: it is all there is, and nothing else may run.
 */
import { formatPolicy, parsePolicy, type Policy } from "../format/policy.js";
import type { TraceVerdict } from "../trace/answer.js";
import { evaluate, parseBundleFile } from "../verify/index.js";

interface Question {
  readonly file: Uint8Array;
  readonly policy: Uint8Array;
  readonly at: number;
}

type Answer = { readonly verdict: TraceVerdict } | { readonly error: string };

/** The text of the page's script; taken while it runs for the first time. */
const SCRIPT = typeof document === "undefined" ? "" : (document.currentScript?.textContent ?? "");

/** Is this the worker? Then it answers, and there is no page. */
export function isWorker(): boolean {
  return typeof document === "undefined";
}

export function answerAsWorker(): void {
  addEventListener("message", ({ data }: MessageEvent<Question>) => {
    postMessage(answer(data));
  });
}

function answer({ file, policy, at }: Question): Answer {
  try {
    return { verdict: evaluate(parseBundleFile(file), parsePolicy(policy), { at }) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** The verdict on a bundle file. Rejects with why it does not hold. */
export async function judge(file: Uint8Array, policy: Policy, at: number): Promise<TraceVerdict> {
  const url = URL.createObjectURL(new Blob([SCRIPT], { type: "text/javascript" }));
  const worker = new Worker(url);
  try {
    return await new Promise((resolve, reject) => {
      worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
        if ("verdict" in data) resolve(data.verdict);
        else reject(new Error(data.error));
      });
      worker.addEventListener("error", ({ message }) => reject(new Error(`the judge failed: ${message}`)));
      worker.postMessage({ file, policy: formatPolicy(policy), at } satisfies Question);
    });
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}
