/** `key` records: a registrar makes a key known, with the roles it may play and the ids it may speak for. */
import { WritError } from "../errors.js";
import { fromJwk, type PublicKey } from "../statement/key.js";
import type { JsonObject } from "../statement/json.js";
import { type Record, stringMember, stringsMember } from "./record.js";

export interface Registration {
  readonly key: PublicKey;
  readonly roles: readonly string[];
  /** Issuers that the key may sign for. */
  readonly ids: readonly string[];
  readonly controlDomain: string;
}

/** The key that a record makes known; null for every type but `key`. RECORD_INVALID as `registrationOf`. */
export function registeredKeyId(record: Record): string | null {
  return record.type === "key" ? registrationOf(record).key.keyId : null;
}

/** What a checked `key` record registers. RECORD_INVALID when its own members contradict one another. */
export function registrationOf(record: Record): Registration {
  const { value } = record;
  const key = fromJwk(value["public_key"]);
  if (key === undefined) throw new RangeError("public_key was not checked");
  demand(value, "algorithm", key.algorithm, "the algorithm of public_key");
  demand(value, "key_id", key.keyId, "the RFC 9679 thumbprint of public_key");
  return {
    key,
    roles: stringsMember(value, "roles"),
    ids: stringsMember(value, "ids"),
    controlDomain: stringMember(value, "control_domain"),
  };
}

function demand(value: JsonObject, path: string, want: string, what: string): void {
  if (value[path] !== want) {
    throw new WritError("RECORD_INVALID", `record, ${path}: want ${what}, ${want}`, { path });
  }
}
