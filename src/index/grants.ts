/**
 * What the use of a grant is checked against, in a fixed number of bytes, so that the check costs the sequencer one read
 * and no parsing: the admission threads make these, the gate reads them.
 */
import { sha256 } from "#crypto";
import { concat, fromHex, readUint64, sameBytes, uint64, utf8 } from "../format/bytes.js";
import { optionalString, type Record, stringMember } from "../record/record.js";
import { timeOf } from "../record/time.js";

/**
 * Of a grant: not before (8) ‖ expiry (8) ‖ max uses (8) ‖ hash of nonce (16) ‖ hash of audience (16) ‖ parent's record
 * hash (32, zeros for none) ‖ hash of issuer (16) ‖ request's record hash (32). Times in milliseconds since 1970.
 */
export const GRANT_FACTS_BYTES = 136;

/** Of a consumption: the grant's record hash (32) ‖ hash of nonce (16) ‖ hash of executor (16) ‖ request's (32) ‖ hash of the call (16, zeros for none). */
export const USE_FACTS_BYTES = 112;

/** Of a receipt that may give a use back: the grant's record hash (32) ‖ hash of the call (16). */
export const RETURN_FACTS_BYTES = 48;

const NONE_32 = new Uint8Array(32);
const NONE_16 = new Uint8Array(16);
const NOTHING = new Uint8Array(0);

export interface GrantFacts {
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxUses: number;
  /** The first entry that carries the grant. */
  readonly index: number;
  /** 32 bytes; null for a grant that stands on its own. */
  readonly parent: Uint8Array | null;
  /** The request's record hash: 32 bytes. */
  readonly request: Uint8Array;
  /** Hash of the trust domain of its issuer: 16 bytes. */
  readonly domain: Uint8Array;
  /** Does a use by this nonce and executor fit? */
  fits(use: UseFacts): boolean;
  /** Was it made by the issuer or the audience of the grant above it? */
  isMadeUnder(parent: GrantFacts): boolean;
  /** Hash of issuer ‖ hash of audience: 32 bytes. */
  readonly makers: Uint8Array;
}

export interface UseFacts {
  /** The grant's record hash: 32 bytes. */
  readonly grant: Uint8Array;
  /** Hash of nonce ‖ hash of executor: 32 bytes. */
  readonly nonceAndExecutor: Uint8Array;
  /** The record hash of the request that it names itself: 32 bytes. */
  readonly request: Uint8Array;
  /** Grant ‖ hash of the call (48); null for a consumption that names no call. */
  readonly call: Uint8Array | null;
}

/**
 * The bytes for a grant, a consumption, a request that says how often it may be executed (8 bytes), or a receipt that gives a
 * use of its request back; none for any other record.
 */
export function factsOf(record: Record): Uint8Array {
  const { value, type } = record;
  if (type === "capability-grant") {
    const parent = optionalString(value, "parent_capability_hash");
    const maxUses = value["max_uses"];
    return concat(
      uint64(Math.max(0, timeOf(value["not_before"]) ?? 0)),
      uint64(Math.max(0, timeOf(value["expiry"]) ?? 0)),
      uint64(typeof maxUses === "number" ? maxUses : 1),
      short(stringMember(value, "nonce")),
      short(stringMember(value, "audience")),
      parent === null ? NONE_32 : hashIn(parent),
      short(record.issuer),
      hashIn(stringMember(value, "request_hash")),
    );
  }
  if (type === "consumption") {
    const call = optionalString(value, "tool_call_hash");
    return concat(
      hashIn(stringMember(value, "capability_hash")),
      short(stringMember(value, "nonce")),
      short(stringMember(value, "executor_id")),
      hashIn(stringMember(value, "request_hash")),
      call === null ? NONE_16 : short(call),
    );
  }
  if (type === "action-request") {
    const { max_executions: most } = value;
    return typeof most === "number" && Number.isSafeInteger(most) && most > 0 ? uint64(most) : NOTHING;
  }
  if (type === "execution-receipt") {
    const grant = optionalString(value, "capability_hash");
    const isOver = value["outcome"] === "failed" || value["outcome"] === "refused";
    return grant !== null && isOver
      ? concat(hashIn(grant), short(stringMember(value, "tool_call_hash")))
      : NOTHING;
  }
  return NOTHING;
}

/** A row of the table `grant`: the facts ‖ hash of the domain (16) ‖ the index (8). */
export function grantRow(facts: Uint8Array, domain: string): Uint8Array {
  return concat(facts, short(domain));
}

export function readGrant(row: Uint8Array): GrantFacts {
  const nonceAndAudience = row.subarray(24, 56);
  const parent = row.subarray(56, 88);
  const issuer = row.subarray(88, 104);
  const audience = row.subarray(40, 56);
  return {
    notBefore: readUint64(row, 0),
    expiry: readUint64(row, 8),
    maxUses: readUint64(row, 16),
    parent: sameBytes(parent, NONE_32) ? null : parent,
    request: row.subarray(104, GRANT_FACTS_BYTES),
    domain: row.subarray(GRANT_FACTS_BYTES, GRANT_FACTS_BYTES + 16),
    index: readUint64(row, GRANT_FACTS_BYTES + 16),
    fits: (use) => sameBytes(use.nonceAndExecutor, nonceAndAudience),
    makers: concat(issuer, audience),
    isMadeUnder: ({ makers }) =>
      sameBytes(issuer, makers.subarray(0, 16)) || sameBytes(issuer, makers.subarray(16)),
  };
}

export function readUse(facts: Uint8Array): UseFacts {
  return {
    grant: facts.subarray(0, 32),
    nonceAndExecutor: facts.subarray(32, 64),
    request: facts.subarray(64, 96),
    call: sameBytes(facts.subarray(96, USE_FACTS_BYTES), NONE_16)
      ? null
      : concat(facts.subarray(0, 32), facts.subarray(96, USE_FACTS_BYTES)),
  };
}

/** Under which the uses of a request are counted, for the grants of one trust domain: 32 bytes. */
export function poolOf(request: Uint8Array, domain: Uint8Array): Uint8Array {
  return sha256(concat(request, domain));
}

function short(text: string): Uint8Array {
  return sha256(utf8(text)).subarray(0, 16);
}

function hashIn(recordId: string): Uint8Array {
  const hash = fromHex(recordId.slice("sha256:".length));
  if (hash === undefined) throw new RangeError("the record id was not checked");
  return hash;
}
