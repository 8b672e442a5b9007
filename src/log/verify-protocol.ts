/**
 * What travels between the main thread and a verifier thread. A crossing costs some 85 µs however much it carries
 * (measured), so many statements share one message, packed into one buffer that is handed over, not copied.
 */
import { asHash } from "../../merkle/index.js";
import { type ErrorCode, type ErrorFacts, WritError } from "../errors.js";
import type { Registration } from "../record/key-record.js";
import type { PublicKey } from "../statement/key.js";
import type { Form } from "../statement/statement.js";
import type { Admitted } from "./admit.js";

/** What a verifier thread is born with. */
export interface VerifierStart {
  readonly roots: readonly PublicKey[];
  readonly registrations: readonly IndexedRegistration[];
}

export interface IndexedRegistration {
  readonly index: number;
  readonly registration: Registration;
}

export type ToVerifier =
  | { readonly kind: "register"; readonly registrations: readonly IndexedRegistration[] }
  | {
      readonly kind: "verify";
      readonly id: number;
      /** The statements one after another. */
      readonly bytes: Uint8Array;
      readonly lengths: Uint32Array;
      readonly forms: readonly Form[];
    };

/**
 * The reply, in columns: one object an entry would cost more to carry over than the entry (measured).
 * `lengths[i]` is 0 for a refused statement, whose reason is the next in `refusals`.
 */
export interface FromVerifier {
  readonly id: number;
  /** For each admitted one: stored form ‖ entry hash ‖ leaf hash ‖ record hash (zeros where there is no record). */
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  readonly types: readonly (string | null)[];
  readonly traceIds: readonly (string | null)[];
  readonly previousTraceHashes: readonly (string | null)[];
  readonly registeredKeyIds: readonly (string | null)[];
  readonly refusals: readonly {
    readonly code: ErrorCode;
    readonly message: string;
    readonly facts: ErrorFacts;
  }[];
}

/** An admitted statement, or why it was not. */
export type Verdict = Admitted | WritError;

const HASH = 32;
const NO_HASH = new Uint8Array(HASH);

/** The reply for these verdicts; its buffer may be transferred. */
export function packVerdicts(id: number, verdicts: readonly Verdict[]): FromVerifier {
  const admitted = verdicts.filter(isAdmitted);
  const bytes = Buffer.allocUnsafeSlow(
    admitted.reduce((sum, { stored }) => sum + stored.length + 3 * HASH, 0),
  );
  let offset = 0;
  for (const { stored, entryHash, leafHash, recordHash } of admitted) {
    bytes.set(stored, offset);
    offset += stored.length;
    bytes.set(entryHash, offset);
    bytes.set(leafHash, offset + HASH);
    bytes.set(recordHash ?? NO_HASH, offset + 2 * HASH);
    offset += 3 * HASH;
  }
  return {
    id,
    bytes,
    lengths: Uint32Array.from(verdicts, (verdict) =>
      verdict instanceof WritError ? 0 : verdict.stored.length,
    ),
    types: admitted.map(({ type }) => type),
    traceIds: admitted.map(({ traceId }) => traceId),
    previousTraceHashes: admitted.map(({ previousTraceHash }) => previousTraceHash),
    registeredKeyIds: admitted.map(({ registeredKeyId }) => registeredKeyId),
    refusals: verdicts
      .filter((verdict) => verdict instanceof WritError)
      .map(({ code, message, facts }) => ({ code, message, facts })),
  };
}

export function unpackVerdicts(reply: FromVerifier): Verdict[] {
  const { bytes } = reply;
  const verdicts: Verdict[] = [];
  let offset = 0;
  let n = 0;
  let refused = 0;
  for (const length of reply.lengths) {
    if (length === 0) {
      const { code, message, facts } = reply.refusals[refused++] ?? NO_REASON;
      verdicts.push(new WritError(code, message, facts));
      continue;
    }
    const hashes = offset + length;
    const type = reply.types[n] ?? null;
    verdicts.push({
      stored: bytes.subarray(offset, hashes),
      entryHash: bytes.subarray(hashes, hashes + HASH),
      leafHash: asHash(bytes.subarray(hashes + HASH, hashes + 2 * HASH)),
      recordHash: type === null ? null : bytes.subarray(hashes + 2 * HASH, hashes + 3 * HASH),
      type,
      traceId: reply.traceIds[n] ?? null,
      previousTraceHash: reply.previousTraceHashes[n] ?? null,
      registeredKeyId: reply.registeredKeyIds[n] ?? null,
    });
    offset = hashes + 3 * HASH;
    n++;
  }
  return verdicts;
}

export function isAdmitted(verdict: Verdict): verdict is Admitted {
  return !(verdict instanceof WritError);
}

const NO_REASON = { code: "INTERNAL", message: "refused without a reason", facts: {} } as const;
