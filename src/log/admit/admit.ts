/**
 * Stage 1, admitted: from a submitted statement to an entry that may wait for its place. Pure: it runs in the worker
 * threads, with their own copy of the key table.
 *
 * The checks run in this order, each with its own code: size (ENTRY_TOO_LARGE), strict envelope (ENVELOPE_MALFORMED),
 * its shape (ENVELOPE_INVALID and its kin, ALGORITHM_UNSUPPORTED), key known (KEY_UNKNOWN), signature (SIGNATURE_INVALID),
 * record (RECORD_MALFORMED), role (ROLE_MISSING, KEY_DISTRUSTED), the type's own rules (RECORD_INVALID; of a key also
 * DOMAIN_TAKEN, ID_OF_ANOTHER_DOMAIN). They are the rules that the log's policy says (`src/record/registration`).
 */
import { sha256 } from "#crypto";
import type { Verifier } from "../../crypto/contract.js";
import { leafHash, type Hash } from "../../../merkle/index.js";
import { WritError } from "../../errors.js";
import { MAX_ENTRY_BYTES } from "../../format/bundle.js";
import { factsOf } from "../../index/grants.js";
import type { KeyTable, KnownKey, Standing } from "../../index/keys.js";
import { type HashCache, packTerms, termsOf } from "../../index/terms.js";
import { registrationOf } from "../../record/key-record.js";
import { checkRecord, parseRecord, RECORD_MEDIA_TYPE, type Record, rulesOf } from "../../record/record.js";
import { hasLowS } from "../../statement/es256.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import { verifierOf } from "../../statement/key.js";
import type { Form, Statement } from "../../statement/statement.js";

/** An entry with everything the later stages want to know of it, so that none of them parses it again. */
export interface Admitted {
  readonly stored: Uint8Array;
  /** SHA-256 of `stored`: 32 bytes. */
  readonly entryHash: Uint8Array;
  readonly leafHash: Hash;
  /** 32 bytes; null for a foreign statement and for raw bytes. */
  readonly recordHash: Uint8Array | null;
  readonly type: string | null;
  /** The record's; null likewise. */
  readonly issuer: string | null;
  readonly traceId: string | null;
  readonly previousTraceHash: string | null;
  /** What the claims of a COSE statement say that it is about; null for all others. */
  readonly subject: string | null;
  /** The names of its terms, 18 bytes each (`src/index/terms`). */
  readonly terms: Uint8Array;
  /** Of a grant or a consumption (`src/index/grants`); empty for any other. */
  readonly facts: Uint8Array;
  /** How many key events the verdict knew of: with another number, the key table is asked again. */
  readonly keyEvents: number;
}

/** How deep the largest statement's envelope may be wrapped: base64 and members around 65,535 stored bytes. */
export const MAX_SUBMITTED_BYTES = 2 * MAX_ENTRY_BYTES;

/** What admission keeps from statement to statement. */
export interface AdmissionState {
  readonly keys: KeyTable;
  /** Verifiers by key id, so that each key is imported once a thread. */
  readonly verifiers: Map<string, Verifier>;
  readonly hashes: HashCache;
}

export function admissionState(keys: KeyTable): AdmissionState {
  return { keys, verifiers: new Map(), hashes: new Map() };
}

/** Admits under the policy `registered`, by the keys known so far. `time`: the log's clock, milliseconds since 1970. */
export function admit(bytes: Uint8Array, form: Form, time: number, state: AdmissionState): Admitted {
  demandSize(bytes.length, MAX_SUBMITTED_BYTES, "submitted");
  if (bytes.length === 0) throw new WritError("ENVELOPE_MALFORMED", "want a statement, got no bytes");
  const statement = parseStatement(bytes, form);
  demandSize(statement.stored.length, MAX_ENTRY_BYTES, "in its stored form");
  const { keys } = state;
  verifySignatures(statement, knownSigners(statement, keys), state.verifiers);
  const record = statement.contentType === RECORD_MEDIA_TYPE ? admitRecord(statement, keys, time) : null;
  if (record === null) demandStanding(statement, keys, time);
  return { ...entryOf(statement, record, state.hashes), keyEvents: keys.events };
}

/** Asks the key table again about a stored entry: it may have changed since the entry was admitted. */
export function demandStillBelieved(stored: Uint8Array, time: number, keys: KeyTable): void {
  const statement = parseStatement(stored, guessForm(stored));
  knownSigners(statement, keys);
  if (statement.contentType === RECORD_MEDIA_TYPE) {
    const record = parseRecord(statement.payload);
    demandBelieved(statement, record, keys, time);
    if (record.type === "key") demandRegistrable(statement, record, keys);
  } else demandStanding(statement, keys, time);
}

/** Admits any bytes: the policy `raw`. */
export function admitRaw(bytes: Uint8Array): Admitted {
  demandSize(bytes.length, MAX_ENTRY_BYTES, "submitted");
  return {
    stored: bytes,
    entryHash: sha256(bytes),
    leafHash: leafHash(bytes),
    recordHash: null,
    type: null,
    issuer: null,
    traceId: null,
    previousTraceHash: null,
    subject: null,
    terms: NOTHING,
    facts: NOTHING,
    keyEvents: 0,
  };
}

/** A stored entry as it was admitted once, without asking anybody whether it should have been. */
export function readStored(stored: Uint8Array, raw: boolean): Admitted {
  if (raw) return admitRaw(stored);
  const statement = parseStatement(stored, guessForm(stored));
  const record = statement.contentType === RECORD_MEDIA_TYPE ? parseRecord(statement.payload) : null;
  return entryOf(statement, record);
}

const NOTHING = new Uint8Array(0);

function demandSize(length: number, most: number, what: string): void {
  if (length > most)
    throw new WritError("ENTRY_TOO_LARGE", `an entry has at most ${most} bytes ${what}, got ${length}`);
}

function knownSigners(statement: Statement, keys: KeyTable): KnownKey[] {
  return statement.signatures.map(({ keyId, algorithm }) => {
    const known = keys.known(keyId);
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
  verifiers: Map<string, Verifier>,
): void {
  statement.signatures.forEach(({ keyId, signature }, i) => {
    const signer = signers[i];
    if (signer === undefined) throw new RangeError("a signer for each signature");
    const verifier = verifiers.get(keyId) ?? verifierOf(signer.key);
    verifiers.set(keyId, verifier);
    if (statement.form === "dsse" && signer.key.algorithm === "ES256" && !hasLowS(signature)) {
      throw new WritError(
        "SIGNATURE_INVALID",
        `the signature by key ${keyId} (ES256) has the high s: want the one with n − s in its place, or DER`,
      );
    }
    if (!verifier(signature, statement.signedBytes)) {
      throw new WritError(
        "SIGNATURE_INVALID",
        `the signature by key ${keyId} (${signer.key.algorithm}) does not verify`,
      );
    }
  });
}

function admitRecord(statement: Statement, keys: KeyTable, time: number): Record {
  const record = parseRecord(statement.payload);
  rulesOf(record);
  const { claims } = statement;
  if (claims !== null && claims.issuer !== record.issuer) {
    throw new WritError(
      "RECORD_MALFORMED",
      `record, issuer: want the iss of the CWT claims, ${JSON.stringify(claims.issuer.slice(0, 80))}`,
      { path: "issuer" },
    );
  }
  demandBelieved(statement, record, keys, time);
  checkRecord(record, keys.rulesAt());
  if (record.type === "key") demandRegistrable(statement, record, keys);
  return record;
}

/** The rules of trust domains: DOMAIN_TAKEN, ID_OF_ANOTHER_DOMAIN, KEY_DISTRUSTED. */
function demandRegistrable({ signatures }: Statement, record: Record, keys: KeyTable): void {
  keys.demandRegistrable(
    registrationOf(record),
    signatures.map(({ keyId }) => keyId),
  );
}

/** Foreign content, whose issuer and role are not ours to judge: one of its keys must stand for something. KEY_DISTRUSTED. */
function demandStanding({ signatures }: Statement, keys: KeyTable, time: number): void {
  if (signatures.some(({ keyId }) => keys.stands(keyId, time))) return;
  throw new WritError(
    "KEY_DISTRUSTED",
    "the signing key was registered once, and is revoked, suspended, replaced or past its not_after now",
  );
}

/** One of the keys must be believed for issuer and role; the others are co-signers. ROLE_MISSING, KEY_DISTRUSTED. */
function demandBelieved({ signatures }: Statement, record: Record, keys: KeyTable, time: number): void {
  const { roles } = rulesOf(record);
  const view = { index: Number.POSITIVE_INFINITY, time };
  const standings = signatures.map(({ keyId }): Standing => keys.standing(keyId, record.issuer, roles, view));
  if (standings.includes("believed")) return;
  const as = `${record.type} as ${JSON.stringify(record.issuer)}`;
  if (standings.includes("distrusted")) {
    throw new WritError(
      "KEY_DISTRUSTED",
      `to sign ${as} the key was registered once, and is revoked, suspended, replaced or past its not_after now`,
    );
  }
  throw new WritError(
    "ROLE_MISSING",
    `to sign ${as} a key must be registered for that id and the role ${roles.join(" or ")}; none of the signing keys is`,
  );
}

function entryOf(statement: Statement, record: Record | null, hashes?: HashCache): Admitted {
  const { stored } = statement;
  return {
    stored,
    entryHash: sha256(stored),
    leafHash: leafHash(stored),
    recordHash: record?.hash ?? null,
    type: record?.type ?? null,
    issuer: record?.issuer ?? null,
    traceId: record?.traceId ?? null,
    previousTraceHash: record?.previousTraceHash ?? null,
    subject: statement.claims?.subject ?? null,
    terms: packTerms(termsOf(statement, record), hashes),
    facts: record === null ? NOTHING : factsOf(record),
    keyEvents: 0,
  };
}
