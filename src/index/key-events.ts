/** The entries that change who is known, or by which rules: `key` records, revocations of what makes keys known, policies of the log. */
import { idOf, type Record, stringMember } from "../record/record.js";
import { registrationOf } from "../record/key-record.js";
import { revocationAction } from "../record/revocation.js";
import type { KeyEvent, KeyTable } from "./keys.js";

/** What an entry changes, given who is known already; undefined when it changes nothing. */
export function keyEventOf(
  record: Record,
  signers: readonly string[],
  keys: Pick<KeyTable, "concerns">,
): KeyEvent | undefined {
  if (record.type === "key") return { kind: "register", registration: registrationOf(record), signers };
  if (record.type === "log-policy") {
    const { rules_version: version } = record.value;
    return typeof version === "number" ? { kind: "rules", version, signers } : undefined;
  }
  if (record.type !== "revocation") return undefined;
  const target = stringMember(record.value, "target");
  if (!keys.concerns(target)) return undefined;
  const { effective_index: effectiveIndex } = record.value;
  return {
    kind: "revoke",
    revocation: {
      recordId: idOf(record),
      target,
      action: revocationAction(record),
      effectiveIndex: typeof effectiveIndex === "number" ? effectiveIndex : null,
      issuer: record.issuer,
      signers,
    },
  };
}

/** Does a type of record matter to who is known, at least at times? */
export function mayBeKeyEvent(type: string | null): boolean {
  return type === "key" || type === "revocation" || type === "log-policy";
}
