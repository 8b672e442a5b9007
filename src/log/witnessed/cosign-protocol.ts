/** What travels between the main thread and the one that signs and verifies ML-DSA-44, which takes milliseconds. */
import type { SignatureLine } from "../../format/note.js";
import type { SigningKey, VerifierKey } from "../../format/vkey.js";

export interface CosignStart {
  /** The log's own ML-DSA-44 key. */
  readonly key: SigningKey | null;
  /** The keys of the policy's witnesses. */
  readonly witnesses: readonly VerifierKey[];
}

export type CosignQuestion =
  /** The log's own line of type 6, or none when it has no such key. `time`: POSIX seconds. */
  | { readonly kind: "sign"; readonly text: string; readonly time: bigint }
  /** Those lines that are by witnesses of the policy. ProofError when one of them does not verify. */
  | { readonly kind: "verify"; readonly text: string; readonly lines: readonly SignatureLine[] };

export type CosignAnswer = readonly SignatureLine[];
