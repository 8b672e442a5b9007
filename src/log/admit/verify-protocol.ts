/**
 * What travels between the main thread and a verifier thread. A crossing costs some 85 µs however much it carries
 * (measured), so many statements share one message, packed into one buffer that is handed over, not copied.
 */
import { asHash } from "../../../merkle/index.js";
import { type ErrorCode, type ErrorFacts, WritError } from "../../errors.js";
import type { KeyEvent, KeyRoots } from "../../index/keys.js";
import type { Form } from "../../statement/statement.js";
import { crossed, crossing, type Crossing } from "../../thread.js";
import type { Admitted } from "./admit.js";

/** What a verifier thread is born with. */
export interface VerifierStart {
  readonly roots: KeyRoots;
  readonly events: readonly IndexedKeyEvent[];
}

export interface IndexedKeyEvent {
  readonly index: number;
  readonly event: KeyEvent;
}

export interface VerifyQuestion {
  /** The log's clock, in milliseconds since 1970. */
  readonly time: number;
  /** The statements one after another. */
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  readonly forms: readonly Form[];
}

/**
 * The reply, in columns: one object an entry would cost more to carry over than the entry (measured).
 * `lengths[i]` is 0 for a refused statement, whose reason is the next in `refusals`.
 */
export interface FromVerifier {
  /**
   * For each admitted one: stored form ‖ entry hash ‖ leaf hash ‖ record hash (zeros where there is no record) ‖ names of
   * the terms ‖ facts.
   */
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  /** Bytes of the terms, and of the facts, of each admitted one. */
  readonly termLengths: Uint32Array;
  readonly factLengths: Uint8Array;
  readonly keyEvents: number;
  readonly types: readonly (string | null)[];
  readonly issuers: readonly (string | null)[];
  readonly traceIds: readonly (string | null)[];
  readonly previousTraceHashes: readonly (string | null)[];
  readonly subjects: readonly (string | null)[];
  readonly refusals: readonly {
    readonly code: ErrorCode;
    readonly message: string;
    readonly facts: ErrorFacts;
    /** Of a fault of ours. */
    readonly cause?: Crossing;
  }[];
}

/** An admitted statement, or why it was not. */
export type Verdict = Admitted | WritError;

const HASH = 32;
const NO_HASH = new Uint8Array(HASH);

/** The reply for these verdicts; its buffer may be transferred. */
export function packVerdicts(keyEvents: number, verdicts: readonly Verdict[]): FromVerifier {
  const admitted = verdicts.filter(isAdmitted);
  const bytes = Buffer.allocUnsafeSlow(
    admitted.reduce(
      (sum, { stored, terms, facts }) => sum + stored.length + 3 * HASH + terms.length + facts.length,
      0,
    ),
  );
  let offset = 0;
  for (const { stored, entryHash, leafHash, recordHash, terms, facts } of admitted) {
    bytes.set(stored, offset);
    offset += stored.length;
    bytes.set(entryHash, offset);
    bytes.set(leafHash, offset + HASH);
    bytes.set(recordHash ?? NO_HASH, offset + 2 * HASH);
    offset += 3 * HASH;
    bytes.set(terms, offset);
    bytes.set(facts, offset + terms.length);
    offset += terms.length + facts.length;
  }
  return {
    keyEvents,
    bytes,
    termLengths: Uint32Array.from(admitted, ({ terms }) => terms.length),
    factLengths: Uint8Array.from(admitted, ({ facts }) => facts.length),
    lengths: Uint32Array.from(verdicts, (verdict) =>
      verdict instanceof WritError ? 0 : verdict.stored.length,
    ),
    types: admitted.map(({ type }) => type),
    issuers: admitted.map(({ issuer }) => issuer),
    traceIds: admitted.map(({ traceId }) => traceId),
    previousTraceHashes: admitted.map(({ previousTraceHash }) => previousTraceHash),
    subjects: admitted.map(({ subject }) => subject),
    refusals: verdicts
      .filter((verdict) => verdict instanceof WritError)
      .map(({ code, message, facts, cause }) => ({
        code,
        message,
        facts,
        ...(cause === undefined ? {} : { cause: crossing(cause) }),
      })),
  };
}

export function unpackVerdicts(reply: FromVerifier): Verdict[] {
  const { bytes, keyEvents } = reply;
  const verdicts: Verdict[] = [];
  let offset = 0;
  let n = 0;
  let refused = 0;
  for (const length of reply.lengths) {
    if (length === 0) {
      const { code, message, facts, cause }: FromVerifier["refusals"][number] =
        reply.refusals[refused++] ?? NO_REASON;
      const options = cause === undefined ? {} : { cause: crossed(cause) };
      verdicts.push(new WritError(code, message, facts, options));
      continue;
    }
    const hashes = offset + length;
    const terms = hashes + 3 * HASH;
    const facts = terms + (reply.termLengths[n] ?? 0);
    const end = facts + (reply.factLengths[n] ?? 0);
    const type = reply.types[n] ?? null;
    verdicts.push({
      stored: bytes.subarray(offset, hashes),
      entryHash: bytes.subarray(hashes, hashes + HASH),
      leafHash: asHash(bytes.subarray(hashes + HASH, hashes + 2 * HASH)),
      recordHash: type === null ? null : bytes.subarray(hashes + 2 * HASH, hashes + 3 * HASH),
      type,
      issuer: reply.issuers[n] ?? null,
      traceId: reply.traceIds[n] ?? null,
      previousTraceHash: reply.previousTraceHashes[n] ?? null,
      subject: reply.subjects[n] ?? null,
      terms: bytes.subarray(terms, facts),
      facts: bytes.subarray(facts, end),
      keyEvents,
    });
    offset = end;
    n++;
  }
  return verdicts;
}

export function isAdmitted(verdict: Verdict): verdict is Admitted {
  return !(verdict instanceof WritError);
}

const NO_REASON = { code: "INTERNAL", message: "refused without a reason", facts: {} } as const;
