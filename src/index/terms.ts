/**
 * The terms of an entry, version 2: every word under which it is found. One function makes them for the log's index rows, for
 * the check of those rows, and for an index that a stranger builds in memory out of the tiles, so that they cannot differ.
 * They are a function of the stored bytes alone; whatever changes them is a new version, built beside the old from entry 0.
 *
 * A term's name is 18 bytes: field (1) ‖ the first 16 bytes of SHA-256(kind ‖ value) ‖ detail (1), which says for a link which
 * member it is in, 0 for the record itself: so the record and all that names it stand side by side. The kind keeps what is a
 * record id apart from a text that is spelled like one. A sequence number's is field ‖ SHA-256(kind ‖ boundary)[0..8] ‖ seq (8)
 * ‖ 0, so that the receipts of a stretch are one range.
 *
 * Once trust domains are founded, links, definitions and sequence numbers have a second name, by the domain of the record's
 * issuer (`scopedName`): so no stranger can crowd out those whose word counts.
 */
import { sha256 } from "#crypto";
import { concat, fromHex, uint64, utf8 } from "../format/bytes.js";
import {
  idLinksOf,
  LINK_MEMBERS,
  type LinkMember,
  objectMember,
  strings,
  valueLinksOf,
} from "../record/links.js";
import { idOf, RECORD_MEDIA_TYPE, type Record } from "../record/record.js";
import { artifactsOf } from "../statement/artifacts.js";
import { isJsonObject, type Json, type JsonObject } from "../statement/json.js";
import type { Statement } from "../statement/statement.js";
import { mayBeKeyEvent } from "./key-events.js";

/** The byte of each field. Part of the stored index: never reuse one. */
const FIELDS = {
  type: 1,
  issuer: 2,
  signer: 3,
  content_type: 4,
  trace_id: 5,
  mission_id: 6,
  action_type: 7,
  decision: 8,
  outcome: 9,
  subject: 10,
  target: 11,
  /** A member that holds the record id. */
  link: 12,
  /** Wrote this evidence hash down: a fact's `value_hash`, a receipt's `evidence_written`. */
  writes: 13,
  /** Relies on this evidence hash. */
  cites: 14,
  /** Uses the policy of this digest. */
  uses_policy: 15,
  /** Says what a name means: `policy:…`, `action-type:…`, `key:…`, `mission:…`, `exception:…`, `seal:…`. */
  defines: 16,
  /** A grant's issuer and nonce. */
  nonce: 17,
  /** A request's issuer and idempotency key. */
  idempotency: 18,
  /** A receipt's boundary and sequence number. */
  sequence: 19,
  /** Names this audience. */
  audience: 20,
  /** Is about the artifact of this digest, `sha256:…`: foreign content only. */
  digest: 21,
  /** A tool call's hash. */
  call: 22,
  /** Names this id as delegator, delegate, agent, approver, executor, audience, writer or owner, and is not issued by it. */
  party: 23,
  /** May change who is known, or by which rules: one name for all of them. */
  key_event: 24,
  /** Has more values of this field than it is found by. */
  cut: 25,
} as const;
/** Names by trust domain (`scopedName`). */
const SCOPED = 26;
const SCOPED_SEQUENCE = 27;
export type Field = keyof typeof FIELDS;

export interface Term {
  readonly field: Field;
  readonly value: string;
  /** Only for `link`: none for the record itself. */
  readonly member?: LinkMember;
  /** Only for `sequence`, whose value is the boundary. */
  readonly seq?: number;
}

export const TERM_BYTES = 18;

/** Digests that one statement is found by. */
const MAX_DIGESTS = 1024;
/** Strings inside one `target` that are found by `target`. */
const MAX_TARGETS = 16;
const SEAL_BUCKET = 1024;
const MAX_SEAL_BUCKETS = 64;

/** Every term of an entry once; `record` null for foreign content. */
export function termsOf(statement: Statement, record: Record | null): Term[] {
  const terms: Term[] = statement.signatures.map(({ keyId }) => ({ field: "signer", value: keyId }));
  if (record !== null) terms.push(...recordTerms(record));
  else terms.push(...foreignTerms(statement));
  return terms.length === 1 ? terms : distinct(terms);
}

/**
 * Of what is not ours, what its envelope and its subjects say. Not its `iss`: an issuer is found under the name that a key is
 * registered for, and nobody has checked that here.
 */
function foreignTerms(statement: Statement): Term[] {
  const { contentType, claims } = statement;
  const digests = artifactsOf(statement).flatMap((artifact) =>
    [...artifact.digests].map(([algorithm, hex]) => `${algorithm}:${hex}`),
  );
  return [
    ...(contentType === null ? [] : [{ field: "content_type", value: contentType } as const]),
    ...(claims === null ? [] : [{ field: "subject", value: claims.subject } as const]),
    ...digests.slice(0, MAX_DIGESTS).map((value) => ({ field: "digest", value }) as const),
    ...(digests.length > MAX_DIGESTS ? [{ field: "cut", value: "digest" } as const] : []),
  ];
}

/** Is this our own content type, which has no term because nearly everything has it? */
export function isOwnContentType(value: string): boolean {
  return value === RECORD_MEDIA_TYPE;
}

/** The 18 bytes of a term. */
export function termName(term: Term, cache?: HashCache): Uint8Array {
  const name = new Uint8Array(TERM_BYTES);
  write(name, 0, term, cache);
  return name;
}

/** The names of all terms, one after another. */
export function packTerms(terms: readonly Term[], cache?: HashCache): Uint8Array {
  const packed = new Uint8Array(terms.length * TERM_BYTES);
  terms.forEach((term, i) => write(packed, i * TERM_BYTES, term, cache));
  return packed;
}

function write(out: Uint8Array, at: number, term: Term, cache?: HashCache): void {
  const { field, value, member, seq } = term;
  out[at] = FIELDS[field];
  const hash = hashOf(field === "link" ? RECORD_ID : TEXT, value, cache);
  if (seq === undefined) out.set(hash, at + 1);
  else {
    out.set(hash.subarray(0, 8), at + 1);
    out.set(uint64(seq), at + 9);
  }
  out[at + TERM_BYTES - 1] = member === undefined ? 0 : memberCode(member);
}

/** The detail byte of a link in this member. */
function memberCode(member: LinkMember): number {
  return LINK_MEMBERS.indexOf(member) + 1;
}

/** The 18 bytes of a term among the records of one trust domain; undefined for a term that has no such name. */
export function scopedName(name: Uint8Array, domain: string): Uint8Array | undefined {
  const field = name[0];
  if (field === FIELDS.sequence) {
    const hash = sha256(concat(utf8(`${domain}\u0000`), name.subarray(1, 9))).subarray(0, 8);
    return concat(Uint8Array.of(SCOPED_SEQUENCE), hash, name.subarray(9));
  }
  if (field !== FIELDS.link && field !== FIELDS.writes && field !== FIELDS.defines) return undefined;
  const hash = sha256(concat(utf8(`${domain}\u0000`), name)).subarray(0, 16);
  return concat(Uint8Array.of(SCOPED), hash, Uint8Array.of(0));
}

/** The `defines` values of the seals that may cover a sequence number. */
export function sealNames(boundary: string, seq: number): string[] {
  return [sealName(boundary, Math.floor(seq / SEAL_BUCKET)), sealName(boundary, "wide")];
}

/** The name under which all foundings of trust domains are defined. */
export const DOMAINS = "domains";

/** The line of versions that a policy belongs to: its owner's, of that name, or of none. */
export function policyLine(issuer: string, name: Json | undefined): string {
  return pairName(issuer, typeof name === "string" ? name : "");
}

/** Two values as one: no name of ours contains U+0000 twice in the same place. */
export function pairName(issuer: string, value: string): string {
  return `${issuer.length}\u0000${issuer}\u0000${value}`;
}

function recordTerms(record: Record): Term[] {
  const { value, type, issuer } = record;
  const terms: Term[] = [
    { field: "type", value: type },
    { field: "issuer", value: issuer },
    { field: "link", value: idOf(record) },
  ];
  const add = (field: Field, ...values: readonly string[]): void => {
    for (const one of values) terms.push({ field, value: one });
  };
  for (const field of ["trace_id", "mission_id", "decision", "outcome", "subject", "audience"] as const)
    add(field, ...strings(value[field]));
  const targets = targetsOf(record);
  add("target", ...targets.slice(0, MAX_TARGETS));
  if (targets.length > MAX_TARGETS) add("cut", "target");
  add("party", ...partiesOf(record));
  add("call", ...strings(value["tool_call_hash"]));
  if (mayBeKeyEvent(type)) add("key_event", "key-event");
  for (const { member, value: id } of idLinksOf(record)) terms.push({ field: "link", value: id, member });
  for (const { kind, value: name } of valueLinksOf(record)) {
    if (kind === "evidence") add("cites", name);
    if (kind === "policy") add("uses_policy", name);
    if (kind === "action-type") add("action_type", name);
  }
  add("defines", ...definedBy(record));
  if (type === "action-type") add("action_type", ...strings(value["action_type"]));
  if (type === "fact") add("writes", ...strings(value["value_hash"]));
  if (type === "execution-receipt") add("writes", ...strings(value["evidence_written"]));
  if (type === "capability-grant")
    add("nonce", ...strings(value["nonce"]).map((one) => pairName(issuer, one)));
  if (type === "action-request")
    add("idempotency", ...strings(value["idempotency_key"]).map((one) => pairName(issuer, one)));
  const { boundary_id: boundary, seq } = value;
  if (type === "execution-receipt" && typeof boundary === "string" && typeof seq === "number")
    terms.push({ field: "sequence", value: boundary, seq });
  if (type === "boundary-seal" && sealedBy(value).some((name) => name.startsWith(WIDE))) add("cut", "seal");
  return terms;
}

/** The names that a record gives a meaning to. */
function definedBy({ type, value, issuer }: Record): string[] {
  const named = (prefix: string, member: Json | undefined): string[] =>
    strings(member).map((name) => `${prefix}:${name}`);
  switch (type) {
    case "policy":
      return [
        ...named("policy", value["policy_digest"]),
        `policy-line:${policyLine(issuer, value["policy_name"])}`,
      ];
    case "action-type":
      return named("action-type", value["action_type"]);
    case "mission":
      return named("mission", value["mission_id"]);
    case "key":
      return [
        // What a key record says about the key it replaces is said about that key.
        ...named("key", value["key_id"]),
        ...named("key", value["replaces"]),
        ...named("id", value["ids"]),
        // Who founds a domain says what its name means.
        ...(value["id_prefixes"] === undefined ? [] : [DOMAINS, ...named("domain", value["trust_domain"])]),
      ];
    case "exception": {
      const scope = objectMember(value, "scope");
      return [
        ...named("exception:action-type", scope["action_type"]),
        ...named("exception:mission", scope["mission_id"]),
      ];
    }
    case "log-policy":
      return [type];
    case "boundary-seal":
      return [...sealedBy(value), ...named("boundary", value["boundary_id"])];
    default:
      return [];
  }
}

function sealedBy(value: JsonObject): string[] {
  const { boundary_id: boundary, first_seq: first, last_seq: last } = value;
  if (typeof boundary !== "string" || typeof first !== "number" || typeof last !== "number") return [];
  const from = Math.floor(first / SEAL_BUCKET);
  const to = Math.floor(last / SEAL_BUCKET);
  if (to - from >= MAX_SEAL_BUCKETS) return [sealName(boundary, "wide")];
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => sealName(boundary, from + i));
}

const WIDE = "seal:wide:";

function sealName(boundary: string, bucket: number | "wide"): string {
  return `seal:${bucket}:${boundary}`;
}

const PARTY_MEMBERS = [
  "delegator_id",
  "delegate_id",
  "agent_id",
  "approver_id",
  "executor_id",
  "audience",
  "writer_id",
  "owner",
] as const;

/** Every id that a record names as a party, by whatever member. (Its issuer is found as `issuer`.) */
function partiesOf({ value, issuer }: Record): string[] {
  return PARTY_MEMBERS.flatMap((member) => strings(value[member])).filter((id) => id !== issuer);
}

/** The strings at the leaves of a record's `target`, one more than it is found by: of a request, a grant, an executed action or a revocation. */
function targetsOf({ value }: Record): string[] {
  const found: string[] = [];
  const visit = (member: Json | undefined): void => {
    if (found.length > MAX_TARGETS) return;
    if (typeof member === "string") found.push(member);
    else if (isJsonObject(member)) Object.values(member).forEach(visit);
    else if (Array.isArray(member)) (member as readonly Json[]).forEach(visit);
  };
  visit(value["target"]);
  for (const name of ["permitted_action", "executed_action"]) visit(objectMember(value, name)["target"]);
  return found;
}

function distinct(terms: readonly Term[]): Term[] {
  const seen = new Set<string>();
  return terms.filter(({ field, value, member = "", seq = "" }) => {
    const name = `${field}\u0000${member}\u0000${seq}\u0000${value}`;
    return !seen.has(name) && seen.add(name);
  });
}

/** Hashes of values seen before. Most values are the same few: types, issuers, signers. */
export type HashCache = Map<string, Uint8Array>;
const MAX_CACHED = 4096;

/** What a value is, in the hash of its name. */
const RECORD_ID = 1;
const TEXT = 2;

function hashOf(
  kind: typeof RECORD_ID | typeof TEXT,
  value: string,
  cache: HashCache | undefined,
): Uint8Array {
  const cached = kind === TEXT ? cache : undefined;
  const known = cached?.get(value);
  if (known !== undefined) return known;
  const bytes = kind === RECORD_ID ? (fromHex(value.slice("sha256:".length)) ?? utf8(value)) : utf8(value);
  const hash = sha256(concat(Uint8Array.of(kind), bytes)).subarray(0, 16);
  if (cached !== undefined && cached.size >= MAX_CACHED) cached.clear();
  cached?.set(value, hash);
  return hash;
}
