/** Every signature verifies by a key registered for that issuer and role, believed at that index. */
import { WritError } from "../../errors.js";
import { registrationOf } from "../../record/key-record.js";
import { checkLaterPolicy } from "../../record/log-policy.js";
import { checkRecord, RECORD_MEDIA_TYPE, type Record, rulesOf } from "../../record/record.js";
import { timeOf } from "../../record/time.js";
import { TYPES } from "../../record/types.js";
import type { Context } from "../context.js";
import { isRecordEntry, isVerified, type TraceEntry } from "../entry.js";
import { fails, type Problem } from "../verdict.js";

/** What is wrong with who signed an entry. (Entry 0 is the log's own, and was checked when it was opened.) */
export function signatureProblems(entry: TraceEntry, context: Context): Problem[] {
  const { statement } = entry;
  if (entry.index === 0) return [];
  if (statement === null) return [fails("SIGNATURE_INVALID", [entry], "the entry is no statement at all")];
  const isKnown = ({ keyId }: { readonly keyId: string }): boolean =>
    context.keys.known(keyId, entry.index) !== undefined;
  // A co-signer of a domain that has no say here adds a name and nothing else: his keys need not be known.
  const some = statement.signatures.filter(isKnown);
  const problems = (some.length > 0 ? some : statement.signatures).flatMap((signature): Problem[] => {
    const { keyId, algorithm } = signature;
    const known = context.keys.known(keyId, entry.index);
    if (known === undefined)
      return [fails("KEY_UNKNOWN", [entry], `no record before it makes key ${short(keyId)} known`)];
    const valid =
      (algorithm === null || algorithm === known.key.algorithm) &&
      isVerified(statement, signature, known.key);
    return valid
      ? []
      : [fails("SIGNATURE_INVALID", [entry], `the signature by key ${short(keyId)} does not verify`)];
  });
  return problems.length > 0 ? problems : standingProblems(entry, context);
}

function standingProblems(entry: TraceEntry, { keys, asOf, origin, toleranceMs }: Context): Problem[] {
  if (!isRecordEntry(entry)) return [];
  const { record, statement, index } = entry;
  const malformed = complaintOf(record, keys.rulesAt(index), origin);
  if (statement.contentType !== RECORD_MEDIA_TYPE || malformed !== null)
    return [
      fails("ROLE_MISSING", [entry], `nobody can be registered to sign this: ${malformed ?? "no record"}`),
    ];
  const signers = statement.signatures.map(({ keyId }) => keyId);
  if (record.type === "log-policy")
    return keys.isLogKey(signers)
      ? []
      : [fails("ROLE_MISSING", [entry], "the log's key did not sign its policy")];
  const { roles } = rulesOf(record);
  const claimed = timeOf(record.value["issued_at"]) ?? 0;
  // A key's end is held against the log's clock where the signer's is ahead of it by no more than clocks are.
  const ahead = entry.receivedAt === null ? 0 : claimed - entry.receivedAt;
  const issuedAt = ahead > 0 && ahead <= toleranceMs ? claimed - ahead : claimed;
  const standings = signers.map((keyId) =>
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

/** Why no honest log would have admitted the record under the rules of then; null for one that it would. */
function complaintOf(record: Record, rules: number, origin: string): string | null {
  try {
    if (record.type === "log-policy") checkLaterPolicy(record, origin);
    else if (!TYPES.has(record.type)) return `no type is called ${JSON.stringify(record.type)}`;
    else checkRecord(record, rules);
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
