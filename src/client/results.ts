/** What a log's answers become once they are verified, and what a stored statement says of itself. */
import { expandRun, type Hash, verifyRun } from "../../merkle/index.js";
import { sha256 } from "#crypto";
import { WritError } from "../errors.js";
import { sameBytes, toHex } from "../format/bytes.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { formatTlogProof, type TlogProof } from "../format/tlog-proof.js";
import { parseRecord, RECORD_MEDIA_TYPE, recordIdOf } from "../record/record.js";
import { isJsonObject, type JsonObject } from "../statement/json.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import { COSE_MEDIA_TYPE, DSSE_MEDIA_TYPE, type Form } from "../statement/statement.js";
import { hashesAt, invalid, listAt, numberAt, textAt } from "./answers.js";

/** An entry whose place in the log has been verified. */
export interface LoggedEntry {
  readonly index: number;
  /** The statement in its stored form: what the proof is of. */
  readonly statement: Uint8Array;
  /** `sha256:` + hex of it. */
  readonly entryHash: string;
  /** Null for a foreign statement. */
  readonly recordId: string | null;
  /** False when the log had it already. */
  readonly isNew: boolean;
  readonly proof: TlogProof;
}

/** An entry with what its verified statement says. Nothing here is the log's word but `receivedAt`. */
export interface FoundEntry extends LoggedEntry {
  readonly contentType: string | null;
  /** Key ids. */
  readonly signers: readonly string[];
  /** Null for a foreign statement. */
  readonly record: JsonObject | null;
  /** The log's own clock: a claim that nothing proves. */
  readonly receivedAt: string;
}

export interface SearchHit {
  readonly index: number;
  readonly entryHash: string;
  readonly recordId: string | null;
  readonly record: JsonObject | null;
  readonly receivedAt: string;
}

/** One statement of a batch that the log refused. */
export interface RefusedEntry {
  readonly code: string;
  readonly detail: string;
  readonly retryable: boolean;
}

export function isLogged(result: LoggedEntry | RefusedEntry): result is LoggedEntry {
  return "proof" in result;
}

/** The proof as a `.tlog-proof` file. */
export function proofFile(entry: LoggedEntry): Uint8Array {
  return formatTlogProof(entry.proof);
}

export function notYet(index: number): string {
  return `entry ${index} is in the log, and no checkpoint over it meets the quorum yet; ask again for its proof`;
}

export function resultsIn(answer: JsonObject, stored: readonly Uint8Array[]): JsonObject[] {
  const results = listAt(answer, "results").map((result) =>
    isJsonObject(result) ? result : invalid("results"),
  );
  return results.length === stored.length ? results : invalid(`${stored.length} results`);
}

/** Verifies the run and turns its one proof into an ordinary proof for each leaf. */
export function expandedProofs(
  run: JsonObject,
  leaves: readonly Hash[],
  { size, root }: Checkpoint,
): { index: number; hashes: Hash[] }[] {
  const start = numberAt(run, "start");
  const hashes = hashesAt(run, "hashes");
  verifyRun(start, size, leaves, hashes, root);
  return expandRun(start, size, leaves, hashes).map((path, i) => ({ index: start + i, hashes: path }));
}

export function described(statement: Uint8Array, proof: TlogProof, isNew: boolean): LoggedEntry {
  return {
    index: proof.index,
    statement,
    entryHash: `sha256:${toHex(sha256(statement))}`,
    recordId: readStatement(statement).recordId,
    isNew,
    proof,
  };
}

export function hitOf(hit: JsonObject): SearchHit {
  const { record_id: recordId, record } = hit;
  return {
    index: numberAt(hit, "index"),
    entryHash: textAt(hit, "entry_hash"),
    recordId: typeof recordId === "string" ? recordId : null,
    record: isJsonObject(record) ? record : null,
    receivedAt: textAt(hit, "received_at"),
  };
}

interface ReadStatement {
  readonly contentType: string | null;
  readonly signers: readonly string[];
  readonly recordId: string | null;
  readonly record: JsonObject | null;
}

/** What a stored statement says of itself; nothing for raw bytes. */
export function readStatement(bytes: Uint8Array): ReadStatement {
  try {
    const { contentType, payload, signatures, stored } = parseStatement(bytes, guessForm(bytes));
    if (!sameBytes(stored, bytes)) return NO_STATEMENT;
    const signers = signatures.map(({ keyId }) => keyId);
    if (contentType !== RECORD_MEDIA_TYPE) return { contentType, signers, recordId: null, record: null };
    return { contentType, signers, recordId: recordIdOf(payload), record: parseRecord(payload).value };
  } catch (error) {
    if (error instanceof WritError) return NO_STATEMENT;
    throw error;
  }
}

const NO_STATEMENT: ReadStatement = { contentType: null, signers: [], recordId: null, record: null };

/** Refused for now only. */
export function isOpen(result: LoggedEntry | RefusedEntry | undefined): boolean {
  return result !== undefined && !isLogged(result) && result.retryable;
}

export function refusedEntry(problem: JsonObject): RefusedEntry {
  return {
    code: textAt(problem, "code"),
    detail: textAt(problem, "detail"),
    retryable: problem["retryable"] === true,
  };
}

export function mediaTypeOf(form: Form): string {
  return form === "dsse" ? DSSE_MEDIA_TYPE : COSE_MEDIA_TYPE;
}
