/** A log's word on where a record stands, held against the entries that it says decided. */
import { asHash, leafHash, verifyInclusion } from "../../merkle/index.js";
import { ProofError } from "../errors.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { parseRecord, type Record, recordIdOf } from "../record/record.js";
import { isJsonObject, type JsonObject } from "../statement/json.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import { bytesAt, hashesAt, invalid, listAt, numberAt, objectAt, textAt } from "./answers.js";

export const STATES = ["active", "suspended", "revoked", "consumed", "expired", "unknown"] as const;
export type StateWord = (typeof STATES)[number];

export interface DecidingEntry {
  readonly index: number;
  readonly statement: Uint8Array;
  readonly recordId: string | null;
  readonly record: JsonObject | null;
}

export interface RecordStatus {
  readonly state: StateWord;
  /** The entries that decided it, each verified to be in the log; none for a record that nothing was said about. */
  readonly decidedBy: readonly DecidingEntry[];
  /** Where the record's entry stands. */
  readonly index: number;
  /** The size of the log that the state is as of. */
  readonly asOf: number;
  readonly checkpoint: Checkpoint;
}

/**
 * Reads a status under a checkpoint that is verified already. What it proves: the entries that decided are in the log, and
 * are of a kind that decides such a thing. That nothing else was said is the log's word, which a monitor checks.
 */
export function readStatus(answer: JsonObject, checkpoint: Checkpoint, ref: string): RecordStatus {
  const state = STATES.find((word) => word === textAt(answer, "state")) ?? invalid("a state that we know");
  const index = numberAt(answer, "index");
  const deciding = listAt(answer, "deciding").map((one) =>
    isJsonObject(one) ? verified(one, checkpoint) : invalid("deciding"),
  );
  const named = listAt(answer, "decided_by");
  if (JSON.stringify(named) !== JSON.stringify(deciding.map((one) => one.index)))
    throw new ProofError("the log names other entries than it shows");
  demandReason(state, deciding);
  demandSubject(answer, checkpoint, ref);
  return { state, decidedBy: deciding, index, asOf: numberAt(answer, "as_of"), checkpoint };
}

/** The types of records that can make a state; expired is a grant's own word. */
const REASONS: { readonly [state: string]: readonly string[] | undefined } = {
  suspended: ["revocation"],
  revoked: ["revocation"],
  consumed: ["consumption"],
  expired: ["capability-grant"],
};

function demandReason(state: StateWord, deciding: readonly DecidingEntry[]): void {
  const types = REASONS[state];
  if (types === undefined) return;
  const type = (one: DecidingEntry): string => typeOf(one.record);
  if (deciding.length > 0 && deciding.every((one) => types.includes(type(one)))) return;
  throw new ProofError(
    `the log says ${state} and shows ${deciding.map(type).join(", ") || "nothing"} for it`,
  );
}

function typeOf(record: JsonObject | null): string {
  const type = record?.["type"];
  return typeof type === "string" ? type : "foreign content";
}

function verified(shown: JsonObject, checkpoint: Checkpoint): DecidingEntry {
  const statement = bytesAt(shown, "statement");
  const proof = objectAt(shown, "inclusion_proof");
  const index = numberAt(proof, "index");
  verifyInclusion(index, checkpoint.size, leafHash(statement), hashesAt(proof, "hashes"), checkpoint.root);
  const record = recordIn(statement);
  return {
    index,
    statement,
    recordId: record?.id ?? null,
    record: record?.record.value ?? null,
  };
}

/** The entry that was asked about is in the log; by an index, it is at that index. */
function demandSubject(answer: JsonObject, checkpoint: Checkpoint, ref: string): void {
  const { entry } = answer;
  if (!isJsonObject(entry)) return;
  const proof = objectAt(entry, "inclusion_proof");
  const index = numberAt(proof, "index");
  const leaf = asHash(bytesAt(entry, "leaf_hash"));
  verifyInclusion(index, checkpoint.size, leaf, hashesAt(proof, "hashes"), checkpoint.root);
  if (/^[0-9]+$/.test(ref) && ref !== String(index))
    throw new ProofError(`the log answered ${ref} with the status of entry ${index}`);
}

function recordIn(statement: Uint8Array): { id: string; record: Record } | null {
  const { payload } = parseStatement(statement, guessForm(statement));
  return { id: recordIdOf(payload), record: parseRecord(payload) };
}
