/** What travels between the main thread and the one that signs and verifies ML-DSA-44, which takes milliseconds. */
import type { SignatureLine } from "../../format/note.js";
import type { SigningKey, VerifierKey } from "../../format/vkey.js";

export interface CosignStart {
  /** The log's own ML-DSA-44 key. */
  readonly key: SigningKey | null;
  /** The keys of the policy's witnesses. */
  readonly witnesses: readonly VerifierKey[];
}

export type ToCosigner = { readonly id: number; readonly text: string } & (
  | { readonly kind: "sign" /** POSIX seconds. */; readonly time: bigint }
  | { readonly kind: "verify"; readonly lines: readonly SignatureLine[] }
);

export type FromCosigner = { readonly id: number } & (
  | { readonly lines: readonly SignatureLine[] }
  | { readonly error: string }
);
