/** An entry as the trace sees it: its place, its bytes, and what they say. */
import { sha256 } from "#crypto";
import { concat, toHex, utf8 } from "../format/bytes.js";
import { idOf, parseRecord, RECORD_MEDIA_TYPE, type Record } from "../record/record.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import type { Statement } from "../statement/statement.js";
import { WritError } from "../errors.js";
import { type PublicKey, verifierOf } from "../statement/key.js";
import { Memory } from "./memory.js";

export interface TraceEntry {
  readonly index: number;
  /** The statement as stored, verbatim. */
  readonly stored: Uint8Array;
  /** Null for bytes that are no statement. */
  readonly statement: Statement | null;
  /** Null for foreign content. */
  readonly record: Record | null;
  /** The record's id; null likewise. */
  readonly id: string | null;
  /** The log's own clock, milliseconds since 1970; null where it is not known. A claim that nothing proves. */
  readonly receivedAt: number | null;
}

/** An entry that holds a record. */
export interface RecordEntry extends TraceEntry {
  readonly statement: Statement;
  readonly record: Record;
  readonly id: string;
}

/** The entry at `index`; of a raw log, all but the first are bytes that say nothing. */
export function readTraceEntry(
  index: number,
  stored: Uint8Array,
  receivedAt: number | null,
  raw = false,
): TraceEntry {
  if (raw && index > 0) return { index, stored, statement: null, record: null, id: null, receivedAt };
  try {
    const statement = parseStatement(stored, guessForm(stored));
    const record = statement.contentType === RECORD_MEDIA_TYPE ? parseRecord(statement.payload) : null;
    return { index, stored, statement, record, id: record === null ? null : idOf(record), receivedAt };
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return { index, stored, statement: null, record: null, id: null, receivedAt };
  }
}

export function isRecordEntry(entry: TraceEntry): entry is RecordEntry {
  return entry.record !== null;
}

/** Does the signature, one of the statement's own, verify by this key? Worked out once: it is most of what a verdict costs. */
export function isVerified(
  { signedBytes }: Statement,
  signature: Statement["signatures"][number],
  key: PublicKey,
): boolean {
  return ASKED.of(signature, key.keyId, () => verifies(signature.signature, signedBytes, key));
}

/** By the signature at hand: one verdict asks for the same thousands of times. */
const ASKED = new Memory<Statement["signatures"][number], boolean>();

function verifies(signature: Uint8Array, signedBytes: Uint8Array, key: PublicKey): boolean {
  const name = toHex(sha256(concat(utf8(key.keyId), sha256(signature), sha256(signedBytes))));
  if (VERIFIED.has(name)) return true;
  if (!verifierOf(key)(signature, signedBytes)) return false;
  if (VERIFIED.size >= MAX_VERIFIED) VERIFIED.delete(VERIFIED.values().next().value ?? "");
  VERIFIED.add(name);
  return true;
}

/**
 * What was found to be signed, last: every trace of a log has the same registrations, policies and action types. 64 hex digits
 * each, 1 MiB in all.
 */
const VERIFIED = new Set<string>();
const MAX_VERIFIED = 8192;

export function signersOf({ statement }: TraceEntry): string[] {
  return statement?.signatures.map(({ keyId }) => keyId) ?? [];
}
