/**
 * What the witnesses hold of this log (c2sp.org/tlog-witness, monitor retrieval), asked before anything is signed: a log that was
 * restored from a copy holds less than it has signed, and would sign a second history.
 */
import { request } from "undici";
import { ProofError, WritError } from "../../errors.js";
import { collect } from "../../format/bytes.js";
import type { Checkpoint } from "../../format/checkpoint.js";
import { openCheckpoint } from "../../format/cosignature.js";
import { MAX_NOTE_BYTES } from "../../format/note.js";
import { type Policy, witnessesByUrl } from "../../format/policy.js";
import { heldCheckpointUrl } from "../../format/proof-request.js";
import type { VerifierKey } from "../../format/vkey.js";

/** How long all of them together are waited for, in milliseconds. */
export const ASK_MS = 2_000;

export interface Holding {
  readonly url: string;
  /** Names of the policy's witnesses there. */
  readonly witnesses: readonly string[];
  /** The newest checkpoint of this log that it holds; null when it knows nothing of it. */
  readonly checkpoint: Checkpoint | null;
  /** Why nothing was heard; null when something was. */
  readonly silent: string | null;
}

/** Each witness of the policy with a URL, asked at once. Never throws. */
export async function holdings(
  policy: Policy,
  key: VerifierKey,
  withinMs: number = ASK_MS,
): Promise<Holding[]> {
  const signal = AbortSignal.timeout(withinMs);
  return Promise.all(
    [...witnessesByUrl(policy)].map(async ([url, lines]) => ({
      url,
      witnesses: lines.map(({ name }) => name),
      ...(await ask(heldCheckpointUrl(url, key.name), key, signal)),
    })),
  );
}

async function ask(
  url: string,
  key: VerifierKey,
  signal: AbortSignal,
): Promise<Pick<Holding, "checkpoint" | "silent">> {
  try {
    const { statusCode, body } = await request(url, { signal });
    const note = await collect(body, MAX_NOTE_BYTES);
    // "404: it knows nothing of this origin."
    if (statusCode === 404) return { checkpoint: null, silent: null };
    if (statusCode !== 200 || note === null) return { checkpoint: null, silent: `status ${statusCode}` };
    return { checkpoint: openCheckpoint(note, key).checkpoint, silent: null };
  } catch (error) {
    // What this log has not signed says nothing about it.
    if (error instanceof ProofError || error instanceof WritError)
      return { checkpoint: null, silent: `no checkpoint that this log has signed: ${error.message}` };
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { checkpoint: null, silent: isLate ? `no answer within ${ASK_MS} ms` : "unreachable" };
  }
}
