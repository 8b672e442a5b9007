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
 * hash (32, zeros for none). Times in milliseconds since 1970.
 */
export const GRANT_FACTS_BYTES = 88;

/** Of a consumption: the grant's record hash (32) ‖ hash of nonce (16) ‖ hash of executor (16). */
export const USE_FACTS_BYTES = 64;

const NO_PARENT = new Uint8Array(32);
const NOTHING = new Uint8Array(0);

export interface GrantFacts {
  readonly notBefore: number;
  readonly expiry: number;
  readonly maxUses: number;
  /** The first entry that carries the grant. */
  readonly index: number;
  /** 32 bytes; null for a grant that stands on its own. */
  readonly parent: Uint8Array | null;
  /** Does a use by this nonce and executor fit? */
  fits(use: UseFacts): boolean;
}

export interface UseFacts {
  /** The grant's record hash: 32 bytes. */
  readonly grant: Uint8Array;
  /** Hash of nonce ‖ hash of executor: 32 bytes. */
  readonly nonceAndExecutor: Uint8Array;
}

/** The bytes for a grant or a consumption; none for any other record. */
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
      parent === null ? NO_PARENT : hashIn(parent),
    );
  }
  if (type === "consumption") {
    return concat(
      hashIn(stringMember(value, "capability_hash")),
      short(stringMember(value, "nonce")),
      short(stringMember(value, "executor_id")),
    );
  }
  return NOTHING;
}

/** A row of the table `grant`: the facts, then the index (8). */
export function readGrant(row: Uint8Array): GrantFacts {
  const nonceAndAudience = row.subarray(24, 56);
  const parent = row.subarray(56, GRANT_FACTS_BYTES);
  return {
    notBefore: readUint64(row, 0),
    expiry: readUint64(row, 8),
    maxUses: readUint64(row, 16),
    parent: sameBytes(parent, NO_PARENT) ? null : parent,
    index: readUint64(row, GRANT_FACTS_BYTES),
    fits: (use) => sameBytes(use.nonceAndExecutor, nonceAndAudience),
  };
}

export function readUse(facts: Uint8Array): UseFacts {
  return { grant: facts.subarray(0, 32), nonceAndExecutor: facts.subarray(32, USE_FACTS_BYTES) };
}

function short(text: string): Uint8Array {
  return sha256(utf8(text)).subarray(0, 16);
}

function hashIn(recordId: string): Uint8Array {
  const hash = fromHex(recordId.slice("sha256:".length));
  if (hash === undefined) throw new RangeError("the record id was not checked");
  return hash;
}
