/** `key` records: a registrar makes a key known, with the roles it may play and the ids it may speak for. */
import { WritError } from "../errors.js";
import { fromJwk, type PublicKey } from "../statement/key.js";
import type { JsonObject } from "../statement/json.js";
import { idOf, optionalString, type Record, stringMember, stringsMember } from "./record.js";
import { timeOf } from "./time.js";

export interface Registration {
  /** Of the `key` record. */
  readonly recordId: string;
  /** Who registers. */
  readonly issuer: string;
  readonly key: PublicKey;
  readonly roles: readonly string[];
  /** Issuers that the key may sign for. */
  readonly ids: readonly string[];
  /** What an approver may sign as. */
  readonly approverRoles: readonly string[];
  readonly controlDomain: string;
  /** Milliseconds since 1970; Infinity when the key does not expire. */
  readonly notAfter: number;
  /** The key id that this one takes the place of. */
  readonly replaces: string | null;
  /** What the holder is, as the registrar says. */
  readonly writerClass: string | null;
  /** The domain that it founds, or that its holder is placed in or belongs to; null where the record names none. */
  readonly trustDomain: string | null;
  /** The beginnings of the ids of the domain that it founds; none when it founds none. */
  readonly idPrefixes: readonly string[];
}

/** What a checked `key` record registers. RECORD_INVALID when its own members contradict one another. */
export function registrationOf(record: Record): Registration {
  const known = READ.get(record);
  if (known !== undefined) return known;
  const registration = read(record);
  READ.set(record, registration);
  return registration;
}

/** Whether a public key is a point of its curve takes a while to find out, and is asked of one record more than once. */
const READ = new WeakMap<Record, Registration>();

function read(record: Record): Registration {
  const { value } = record;
  const key = fromJwk(value["public_key"]);
  if (key === undefined) throw new RangeError("public_key was not checked");
  demand(value, "algorithm", key.algorithm, "the algorithm of public_key");
  demand(value, "key_id", key.keyId, "the RFC 9679 thumbprint of public_key");
  const replaces = optionalString(value, "replaces");
  if (replaces === key.keyId) demand(value, "replaces", "another key than itself", "the id of another key:");
  if (value["id_prefixes"] !== undefined && value["trust_domain"] === undefined)
    demand(value, "trust_domain", "it", "the name of the domain that id_prefixes found:");
  return {
    recordId: idOf(record),
    issuer: record.issuer,
    key,
    roles: stringsMember(value, "roles"),
    ids: stringsMember(value, "ids"),
    approverRoles: stringsMember(value, "approver_roles"),
    controlDomain: stringMember(value, "control_domain"),
    notAfter: timeOf(value["not_after"]) ?? Number.POSITIVE_INFINITY,
    replaces,
    writerClass: optionalString(value, "writer_class"),
    trustDomain: optionalString(value, "trust_domain"),
    idPrefixes: stringsMember(value, "id_prefixes"),
  };
}

function demand(value: JsonObject, path: string, want: string, what: string): void {
  if (value[path] !== want) {
    throw new WritError("RECORD_INVALID", `record, ${path}: want ${what}, ${want}`, { path });
  }
}
