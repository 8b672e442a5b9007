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
      readonly lengths: readonly number[];
      readonly forms: readonly Form[];
    };

export interface FromVerifier {
  readonly id: number;
  /** For each admitted one: stored form ‖ entry hash ‖ leaf hash ‖ record hash (only where there is a record). */
  readonly bytes: Uint8Array;
  readonly outcomes: readonly Outcome[];
}

type Outcome =
  | { readonly refused: { readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts } }
  | (Omit<Admitted, "stored" | "entryHash" | "leafHash" | "recordHash"> & {
      readonly length: number;
      readonly hasRecord: boolean;
    });

/** An admitted statement, or why it was not. */
export type Verdict = Admitted | WritError;

const HASH = 32;

/** The reply for these verdicts; its buffer may be transferred. */
export function packVerdicts(id: number, verdicts: readonly Verdict[]): FromVerifier {
  const size = verdicts.reduce(
    (sum, v) => (v instanceof WritError ? sum : sum + v.stored.length + 3 * HASH),
    0,
  );
  const bytes = new Uint8Array(size);
  let offset = 0;
  const put = (part: Uint8Array): void => {
    bytes.set(part, offset);
    offset += part.length;
  };
  const outcomes = verdicts.map((verdict): Outcome => {
    if (verdict instanceof WritError) {
      const { code, message, facts } = verdict;
      return { refused: { code, message, facts } };
    }
    const { stored, entryHash, leafHash, recordHash, ...facts } = verdict;
    for (const part of [stored, entryHash, leafHash, recordHash]) if (part !== null) put(part);
    return { ...facts, length: stored.length, hasRecord: recordHash !== null };
  });
  return { id, bytes, outcomes };
}

export function unpackVerdicts({ bytes, outcomes }: FromVerifier): Verdict[] {
  let offset = 0;
  const take = (length: number): Uint8Array => bytes.subarray(offset, (offset += length));
  return outcomes.map((outcome): Verdict => {
    if ("refused" in outcome) {
      const { code, message, facts } = outcome.refused;
      return new WritError(code, message, facts);
    }
    const { length, hasRecord, ...facts } = outcome;
    const stored = take(length);
    const entryHash = take(HASH);
    const leafHash = asHash(take(HASH));
    return { ...facts, stored, entryHash, leafHash, recordHash: hasRecord ? take(HASH) : null };
  });
}
