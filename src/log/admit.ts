/**
 * Stage 1, admitted: from a submitted statement to an entry that may wait for its place. Pure: it runs in the worker
 * threads, with their own copy of the key table.
 *
 * The checks run in this order, each with its own code: size (ENTRY_TOO_LARGE), strict envelope (ENVELOPE_MALFORMED),
 * its shape (ENVELOPE_INVALID, ALGORITHM_UNSUPPORTED), key known (KEY_UNKNOWN), signature (SIGNATURE_INVALID), record
 * (RECORD_MALFORMED), role (ROLE_MISSING), the type's own rules (RECORD_INVALID).
 */
import { sha256 } from "#crypto";
import type { Verifier } from "../crypto/contract.js";
import { leafHash, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { MAX_ENTRY_BYTES } from "../format/bundle.js";
import type { KeyTable, KnownKey } from "../index/keys.js";
import { registeredKeyId } from "../record/key-record.js";
import { checkMembers, parseRecord, RECORD_MEDIA_TYPE, type Record, rulesOf } from "../record/record.js";
import { parseStatement } from "../statement/parse.js";
import { verifierOf } from "../statement/key.js";
import type { Form, Statement } from "../statement/statement.js";

/** An entry with everything the later stages want to know of it, so that none of them parses it again. */
export interface Admitted {
  readonly stored: Uint8Array;
  /** SHA-256 of `stored`: 32 bytes. */
  readonly entryHash: Uint8Array;
  readonly leafHash: Hash;
  /** 32 bytes; null for a foreign statement and for raw bytes. */
  readonly recordHash: Uint8Array | null;
  readonly type: string | null;
  readonly traceId: string | null;
  readonly previousTraceHash: string | null;
  /** The key that a `key` record makes known; null for every other entry. */
  readonly registeredKeyId: string | null;
}

/** How deep the largest statement's envelope may be wrapped: base64 and members around 65,535 stored bytes. */
export const MAX_SUBMITTED_BYTES = 2 * MAX_ENTRY_BYTES;

/** Admits under the policy `registered`. `size` is the log's size: only keys known before it count. */
export function admit(bytes: Uint8Array, form: Form, keys: KeyTable, verifiers: VerifierCache): Admitted {
  demandSize(bytes.length, MAX_SUBMITTED_BYTES, "submitted");
  if (bytes.length === 0) throw new WritError("ENVELOPE_MALFORMED", "want a statement, got no bytes");
  const statement = parseStatement(bytes, form);
  demandSize(statement.stored.length, MAX_ENTRY_BYTES, "in its stored form");
  const signers = knownSigners(statement, keys);
  verifySignatures(statement, signers, verifiers);
  const record = statement.contentType === RECORD_MEDIA_TYPE ? admitRecord(statement, keys) : null;
  return entryOf(statement.stored, record);
}

/** Admits any bytes: the policy `raw`. */
export function admitRaw(bytes: Uint8Array): Admitted {
  demandSize(bytes.length, MAX_ENTRY_BYTES, "submitted");
  return entryOf(bytes, null);
}

/** Verifiers by key id, so that each key is imported once a thread. */
export type VerifierCache = Map<string, Verifier>;

function demandSize(length: number, most: number, what: string): void {
  if (length > most)
    throw new WritError("ENTRY_TOO_LARGE", `an entry has at most ${most} bytes ${what}, got ${length}`);
}

function knownSigners(statement: Statement, keys: KeyTable): KnownKey[] {
  return statement.signatures.map(({ keyId, algorithm }) => {
    const known = keys.known(keyId, Number.POSITIVE_INFINITY);
    if (known === undefined) {
      throw new WritError(
        "KEY_UNKNOWN",
        `no key ${keyId} is registered in this log; a registrar can register it`,
      );
    }
    if (algorithm !== null && algorithm !== known.key.algorithm) {
      throw new WritError(
        "ALGORITHM_UNSUPPORTED",
        `key ${keyId} signs with ${known.key.algorithm}, the envelope says ${algorithm}`,
      );
    }
    return known;
  });
}

/** "Every signature must be by a known key and valid, or the whole is refused." */
function verifySignatures(
  statement: Statement,
  signers: readonly KnownKey[],
  verifiers: VerifierCache,
): void {
  statement.signatures.forEach(({ keyId, signature }, i) => {
    const signer = signers[i];
    if (signer === undefined) throw new RangeError("a signer for each signature");
    const verifier = verifiers.get(keyId) ?? verifierOf(signer.key);
    verifiers.set(keyId, verifier);
    if (!verifier(signature, statement.signedBytes)) {
      throw new WritError(
        "SIGNATURE_INVALID",
        `the signature by key ${keyId} (${signer.key.algorithm}) does not verify`,
      );
    }
  });
}

function admitRecord(statement: Statement, keys: KeyTable): Record {
  const record = parseRecord(statement.payload);
  const rules = rulesOf(record);
  if (statement.claimedIssuer !== null && statement.claimedIssuer !== record.issuer) {
    throw new WritError(
      "RECORD_MALFORMED",
      `record, issuer: want the iss of the CWT claims, ${JSON.stringify(statement.claimedIssuer)}`,
      {
        path: "issuer",
      },
    );
  }
  // One of the keys must be registered for issuer and role; the others are co-signers.
  const believed = statement.signatures.some(({ keyId }) =>
    keys.believed(keyId, record.issuer, rules.roles, Number.POSITIVE_INFINITY),
  );
  if (!believed) {
    throw new WritError(
      "ROLE_MISSING",
      `to sign ${record.type} as ${JSON.stringify(record.issuer)} a key must be registered for that id and the role ${rules.roles.join(" or ")}; none of the signing keys is`,
    );
  }
  checkMembers(record.value, rules, "RECORD_INVALID");
  return record;
}

function entryOf(stored: Uint8Array, record: Record | null): Admitted {
  return {
    stored,
    entryHash: sha256(stored),
    leafHash: leafHash(stored),
    recordHash: record?.hash ?? null,
    type: record?.type ?? null,
    traceId: record?.traceId ?? null,
    previousTraceHash: record?.previousTraceHash ?? null,
    registeredKeyId: record === null ? null : registeredKeyId(record),
  };
}
