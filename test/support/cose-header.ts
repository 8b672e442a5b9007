/** Protected headers of signed statements, written with the numbers that the RFCs give, and not by the code under test. */
import { fromHex } from "../../src/format/bytes.js";
import { encodeCbor } from "../../src/statement/cbor.js";

export type Label = readonly [unknown, unknown];

export interface HeaderParts {
  /** -19, -8 or -7 */
  readonly alg?: number;
  /** 64 hex digits */
  readonly keyId: string;
  readonly subject?: string;
}

/** A good header with these labels more, or in the place of its own; undefined takes one out. */
export function coseHeader(
  { alg = -19, keyId, subject = "s" }: HeaderParts,
  ...labels: readonly Label[]
): Uint8Array {
  const header = new Map<unknown, unknown>([
    [1, alg],
    [3, "text/plain"],
    [4, fromHex(keyId)],
    [15, coseClaims(subject)],
    ...labels,
  ]);
  for (const [label, value] of labels) if (value === undefined) header.delete(label);
  return encodeCbor(header);
}

/** Its CWT claims: who says it, and about what. */
export function coseClaims(subject: string): Map<unknown, unknown> {
  return new Map([
    [1, "https://issuer.example"],
    [2, subject],
  ]);
}
