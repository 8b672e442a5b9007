/** Every signature verifies by a key registered for that issuer and role, believed at that index. */
import { WritError } from "../../errors.js";
import { registrationOf } from "../../record/key-record.js";
import { checkRecord, RECORD_MEDIA_TYPE, type Record, rulesOf } from "../../record/record.js";
import { timeOf } from "../../record/time.js";
import { TYPES } from "../../record/types.js";
import { verifierOf } from "../../statement/key.js";
import type { Context } from "../context.js";
import { isRecordEntry, type TraceEntry } from "../entry.js";
import { fails, type Problem } from "../verdict.js";

/** What is wrong with who signed an entry. (Entry 0 is the log's own, and was checked when it was opened.) */
export function signatureProblems(entry: TraceEntry, context: Context): Problem[] {
  const { statement } = entry;
  if (entry.index === 0) return [];
  if (statement === null) return [fails("SIGNATURE_INVALID", [entry], "the entry is no statement at all")];
  const problems = statement.signatures.flatMap(({ keyId, signature, algorithm }): Problem[] => {
    const known = context.keys.known(keyId, entry.index);
    if (known === undefined)
      return [fails("KEY_UNKNOWN", [entry], `no record before it makes key ${short(keyId)} known`)];
    const valid =
      (algorithm === null || algorithm === known.key.algorithm) &&
      verifierOf(known.key)(signature, statement.signedBytes);
    return valid
      ? []
      : [fails("SIGNATURE_INVALID", [entry], `the signature by key ${short(keyId)} does not verify`)];
  });
  return problems.length > 0 ? problems : standingProblems(entry, context);
}

function standingProblems(entry: TraceEntry, { keys, asOf }: Context): Problem[] {
  if (!isRecordEntry(entry)) return [];
  const { record, statement, index } = entry;
  if (!TYPES.has(record.type) || statement.contentType !== RECORD_MEDIA_TYPE)
    return [
      fails("ROLE_MISSING", [entry], `nobody can be registered to sign ${JSON.stringify(record.type)}`),
    ];
  const malformed = complaintOf(record);
  if (malformed !== null)
    return [fails("ROLE_MISSING", [entry], `nobody can be registered to sign this: ${malformed}`)];
  const { roles } = rulesOf(record);
  const issuedAt = timeOf(record.value["issued_at"]) ?? 0;
  const standings = statement.signatures.map(({ keyId }) =>
    keys.standing(keyId, record.issuer, roles, { index, asOf, time: issuedAt }),
  );
  if (standings.includes("believed")) return [];
  const as = `${record.type} as ${record.issuer}`;
  if (standings.includes("distrusted"))
    return [
      fails("SIGNER_DISTRUSTED", [entry], `its key is not believed at this index any more, to sign ${as}`),
    ];
  return [fails("ROLE_MISSING", [entry], `its key was not registered to sign ${as}`)];
}

/** Why no honest log would have admitted the record; null for one that it would. */
function complaintOf(record: Record): string | null {
  try {
    checkRecord(record);
    if (record.type === "key") registrationOf(record);
    return null;
  } catch (error) {
    if (error instanceof WritError) return error.message;
    throw error;
  }
}

function short(keyId: string): string {
  return `${keyId.slice(0, 12)}…`;
}
