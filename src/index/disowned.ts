/** A stolen key also signs what looks like the past: which records count for nothing since their key was taken back. */
import { type Record, rulesOf } from "../record/record.js";
import type { KeyTable } from "./keys.js";

export interface Signed {
  readonly record: Record;
  /** Key ids. */
  readonly signers: readonly string[];
  readonly index: number;
}

/**
 * The revocation with an `effective_index` by which nobody who signed this record for its issuer is believed any more;
 * null when somebody is, as of that size.
 */
export function disownedBy({ record, signers, index }: Signed, keys: KeyTable, asOf: number): number | null {
  if (!keys.hasBackdated || record.type === "log-policy") return null;
  const { roles } = rulesOf(record);
  const view = { index, asOf };
  if (signers.some((signer) => keys.believed(signer, record.issuer, roles, view))) return null;
  const by = signers.flatMap(
    (signer) =>
      keys.takenBackBy(signer, index, asOf) ?? keys.voidedBy(signer, record.issuer, roles, index, asOf) ?? [],
  );
  return by.length === 0 ? null : Math.min(...by);
}
