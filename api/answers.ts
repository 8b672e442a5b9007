/**
 * Answers as JSON. Written as text and not by one big `JSON.stringify`: the hashes need no escaping, and a checkpoint is
 * escaped once for all the answers under it (a third of the time of an answer, measured).
 */
import { toBase64 } from "#crypto";
import type { Hash } from "../merkle/index.js";
import { toHex } from "../src/format/bytes.js";
import { formatTlogProof } from "../src/format/tlog-proof.js";
import type { Admitted } from "../src/log/admit/admit.js";
import type { LogEntry } from "../src/log/admit/entry.js";
import { isPlaced, type SubmittedGroup } from "../src/log/log.js";
import type { Published } from "../src/log/tree/publish.js";
import type { Problem } from "./problem.js";

const quoted = new WeakMap<Published, string>();

/**
 * The checkpoint as a JSON string, made once for each, in ASCII: one character beyond Latin-1 (the dash of its signature
 * line) would make the engine keep and write every answer in two bytes a character.
 */
export function quoteCheckpoint(published: Published): string {
  const known = quoted.get(published);
  if (known !== undefined) return known;
  const escaped = JSON.stringify(published.text).replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  // Escaping alone leaves the engine's wide form of the text; a round trip through bytes does not.
  const made = Buffer.from(escaped, "latin1").toString("latin1");
  quoted.set(published, made);
  return made;
}

export function hashList(hashes: readonly Hash[]): string {
  return hashes.length === 0 ? "[]" : `["${hashes.map(toBase64).join('","')}"]`;
}

export function inclusionProof(index: number, size: number, hashes: readonly Hash[]): string {
  return `{"index":${index},"tree_size":${size},"hashes":${hashList(hashes)}}`;
}

function hashId(hash: Uint8Array | null): string {
  return hash === null ? "null" : `"sha256:${toHex(hash)}"`;
}

/** An entry's proof under a checkpoint; null while there is no checkpoint that the outside may see. */
export interface Proof {
  readonly hashes: readonly Hash[];
  readonly published: Published;
}

/**
 * The transparency entry: what a submission is answered with. `waited`: the answer was to wait for the witnesses, and
 * whether they have come.
 */
export function transparencyEntry(
  origin: string,
  index: number,
  entry: Admitted,
  proof: Proof | null,
  waited: boolean | null,
  places: Places,
): string {
  const proven =
    proof === null
      ? `"inclusion_proof":null,"log_checkpoint":null,"cosigned_by":[]`
      : `"inclusion_proof":${inclusionProof(index, proof.published.size, proof.hashes)},` +
        `"log_checkpoint":${quoteCheckpoint(proof.published)},"cosigned_by":${JSON.stringify(proof.published.cosignedBy)}`;
  return (
    `{"log":${JSON.stringify(origin)},"index":${index},"entry_hash":${hashId(entry.entryHash)},` +
    `"record_id":${hashId(entry.recordHash)},"type":${JSON.stringify(entry.type)},` +
    `"trace_id":${JSON.stringify(entry.traceId)},"previous_trace_hash":${JSON.stringify(entry.previousTraceHash)},` +
    `"leaf_hash":"${toBase64(entry.leafHash)}",` +
    `${proven}${witnessedMembers(waited, places.proof(index))}}`
  );
}

function witnessedMembers(waited: boolean | null, again: string): string {
  if (waited === null) return "";
  return waited ? `,"witnessed":true` : `,"witnessed":false,"ask_again":${JSON.stringify(again)}`;
}

/** Where things are, as the outside has to ask for them: behind a proxy a log may stand below a path of its own. */
export class Places {
  /** `url`: what the log is called from outside; paths are put behind its path. */
  constructor(private readonly url: () => string = () => "") {}

  entry(index: number): string {
    return `${this.prefix}/v1/entries/${index}`;
  }

  /** Where the proof of an entry is to be had once the witnesses have come. */
  proof(index: number): string {
    return `${this.entry(index)}/proof?wait=witnessed`;
  }

  private get prefix(): string {
    return /^https?:\/\/[^/]+(\/.*?)?\/?$/.exec(this.url())?.[1] ?? "";
  }
}

export function tlogProof(index: number, hashes: readonly Hash[], published: Published): Uint8Array {
  return formatTlogProof({ extra: null, index, hashes, checkpoint: published.checkpoint });
}

export function proofAnswer(entry: LogEntry, hashes: readonly Hash[], published: Published): string {
  return (
    `{"entry_hash":"${entry.entryHash}","leaf_hash":"${toBase64(entry.leafHash)}",` +
    `"inclusion_proof":${inclusionProof(entry.index, published.size, hashes)},` +
    `"log_checkpoint":${quoteCheckpoint(published)},"cosigned_by":${JSON.stringify(published.cosignedBy)}}`
  );
}

/** The answer to a batch, under a checkpoint or under none that the outside may see yet. `run` proves the new entries; `earlier` holds the proofs of those that were there already. */
export function batchAnswer(
  { results }: SubmittedGroup,
  published: Published | null,
  waited: boolean | null,
  run: { readonly start: number; readonly end: number; readonly hashes: readonly Hash[] } | null,
  earlier: ReadonlyMap<number, readonly Hash[]>,
  problem: (error: unknown) => Problem,
  places: Places,
): string {
  const runText =
    run === null ? "null" : `{"start":${run.start},"end":${run.end},"hashes":${hashList(run.hashes)}}`;
  const lines = results.map((result) => {
    if (!isPlaced(result)) {
      const body = problem(result);
      return `{"status":${body.status},"problem":${JSON.stringify(body)}}`;
    }
    const { index, isNew, entry } = result;
    const facts = `"index":${index},"entry_hash":${hashId(entry.entryHash)},"record_id":${hashId(entry.recordHash)}`;
    if (published === null)
      return `{"status":202,${facts},"ask_again":${JSON.stringify(places.proof(index))}}`;
    if (isNew) return `{"status":201,${facts}}`;
    return `{"status":200,${facts},"inclusion_proof":${inclusionProof(index, published.size, earlier.get(index) ?? [])}}`;
  });
  const checkpoint = published === null ? "null" : quoteCheckpoint(published);
  const cosigned = JSON.stringify(published?.cosignedBy ?? []);
  const witnessed = waited === null ? "" : `,"witnessed":${waited}`;
  return `{"log_checkpoint":${checkpoint},"cosigned_by":${cosigned}${witnessed},"run":${runText},"results":[${lines.join(",")}]}`;
}
