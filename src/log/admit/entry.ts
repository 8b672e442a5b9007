/** An entry as the log describes it: its bytes and what can be read off them. */
import { sha256, toBase64 } from "#crypto";
import { type Hash, leafHash } from "../../../merkle/index.js";
import { WritError } from "../../errors.js";
import { fromUtf8, toHex } from "../../format/bytes.js";
import { idOf, parseRecord, recordIdOf, RECORD_MEDIA_TYPE } from "../../record/record.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import type { Form, Statement } from "../../statement/statement.js";

export interface LogEntry {
  readonly index: number;
  readonly stored: Uint8Array;
  /** `sha256:` + hex of the stored statement. */
  readonly entryHash: string;
  readonly leafHash: Hash;
  /** Null for raw bytes. */
  readonly form: Form | null;
  readonly contentType: string | null;
  /** Key ids of the signers. */
  readonly signers: readonly string[];
  /** Null for a foreign statement and raw bytes. */
  readonly recordId: string | null;
  /** The record's exact bytes; null likewise. */
  readonly record: Uint8Array | null;
  /** The log's own clock, in milliseconds since 1970. */
  readonly receivedAt: number;
}

/** Describes entry `index`. In a raw log only entry 0 is a statement; the rest is bytes. */
export function describeEntry(index: number, stored: Uint8Array, receivedAt: number, raw: boolean): LogEntry {
  const statement = raw && index > 0 ? null : parseStatement(stored, guessForm(stored));
  const record = statement?.contentType === RECORD_MEDIA_TYPE ? statement.payload : null;
  return {
    index,
    stored,
    entryHash: entryHashOf(stored),
    leafHash: leafHash(stored),
    form: statement?.form ?? null,
    contentType: statement?.contentType ?? null,
    signers: signersOf(statement),
    recordId: record === null ? null : recordIdOf(record),
    record,
    receivedAt,
  };
}

/**
 * What a receipt says that an entry is about (RFC 9943 §6.1, `sub`): what its own claims say; for a record in DSSE its trace,
 * or itself; for anything else, and for what was logged once and is read no more, the statement itself.
 */
export function subjectOf(stored: Uint8Array, index: number, raw: boolean): string {
  if (raw && index > 0) return entryHashOf(stored);
  try {
    const { claims, contentType, payload } = parseStatement(stored, guessForm(stored));
    if (claims !== null) return claims.subject;
    if (contentType !== RECORD_MEDIA_TYPE) return entryHashOf(stored);
    const record = parseRecord(payload);
    return record.traceId ?? idOf(record);
  } catch (error) {
    if (error instanceof WritError) return entryHashOf(stored);
    throw error;
  }
}

function entryHashOf(stored: Uint8Array): string {
  return `sha256:${toHex(sha256(stored))}`;
}

function signersOf(statement: Statement | null): string[] {
  return statement?.signatures.map(({ keyId }) => keyId) ?? [];
}

/** An entry as JSON, in the interface's spelling; `statement`: with the bytes that its hash is of. */
export function entryJson(entry: LogEntry, { statement }: { readonly statement: boolean }): string {
  // The record is shown as its own bytes: strictly parsed JSON, so it can stand in JSON as it is.
  const record = entry.record === null ? null : fromUtf8(entry.record);
  const bytes = statement ? `"statement":"${toBase64(entry.stored)}",` : "";
  return (
    `{"index":${entry.index},"entry_hash":"${entry.entryHash}","record_id":${JSON.stringify(entry.recordId)},` +
    `"content_type":${JSON.stringify(entry.contentType)},"signers":${JSON.stringify(entry.signers)},` +
    `${bytes}"record":${record ?? "null"},` +
    `"received_at":"${new Date(entry.receivedAt).toISOString()}"}`
  );
}
