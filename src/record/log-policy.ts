/**
 * Entry 0 of every log: its registration policy (SCITT's word), signed by the log's own key. It names the registrars,
 * whose `key` records make all other keys known.
 *
 * One key signs checkpoints, receipts and this: a note's text begins with the origin, a DSSE pre-authentication encoding with
 * `DSSEv1 ` and a Sig_structure with a byte that begins no text, so none can be passed off as another unless an origin begins
 * with `DSSEv1`; `isOrigin` refuses those.
 */
import { ProofError, WritError } from "../errors.js";
import { MAX_ENTRY_BYTES } from "../format/bundle.js";
import { MAX_ORIGIN_BYTES } from "../format/checkpoint.js";
import { utf8 } from "../format/bytes.js";
import { isKeyName } from "../format/note.js";
import type { VerifierKey } from "../format/vkey.js";
import { parseDsse } from "../statement/dsse.js";
import { canonicalJson } from "../statement/jcs.js";
import { fromJwk, type PublicKey, publicKey, toJwk, verifierOf } from "../statement/key.js";
import { type Signer, signDsse } from "../statement/sign.js";
import { REGISTRATION_RULES, RULES_VERSION } from "./registration.js";
import { checkMembers, parseRecord, RECORD_MEDIA_TYPE, type Record, stringMember } from "./record.js";
import { LATER_POLICY, LOG_POLICY } from "./types.js";

export type Admission = "registered" | "raw";

export interface LogPolicy {
  readonly origin: string;
  readonly admission: Admission;
  readonly registrars: readonly PublicKey[];
  readonly maxEntryBytes: number;
  /** Which rules apply from entry 1 on, until a later policy raises it. */
  readonly rulesVersion: number;
  /** How far claimed times may disagree before anybody speaks of it, in seconds: 0 to 600. */
  readonly clockToleranceS: number;
  /** The record as logged. */
  readonly record: Record;
}

const RECEIPTS =
  "COSE Receipts (RFC 9942) of the profile RFC9162_SHA256, inclusion and consistency, under any size that the published log had: signed by the " +
  "log's own Ed25519 key, the one that signs its checkpoints and this policy (alg -8, EdDSA), over the detached root.";

const LEAF_RULE =
  "SHA-256(0x00 || statement as stored). COSE_Sign1: d2 84, protected header verbatim, a0, payload, signature. " +
  "DSSE: RFC 8785 JSON of payload, payloadType and signatures (keyid, sig), sorted by keyid. raw: the bytes submitted.";

/** May a log have this name? A key name of at most 255 bytes that no DSSE encoding begins with. */
export function isOrigin(name: string): boolean {
  return isKeyName(name) && utf8(name).length <= MAX_ORIGIN_BYTES && !name.startsWith("DSSEv1");
}

/** The signed statement that becomes entry 0. */
export function signLogPolicy(
  policy: Pick<LogPolicy, "origin" | "admission" | "registrars">,
  issuedAt: string,
  signer: Signer,
): Uint8Array {
  const record = {
    type: "log-policy",
    v: 1,
    issuer: policy.origin,
    issued_at: issuedAt,
    origin: policy.origin,
    admission: policy.admission,
    registrars: policy.registrars.map(toJwk),
    max_entry_bytes: MAX_ENTRY_BYTES,
    leaf: LEAF_RULE,
    rules: REGISTRATION_RULES,
    rules_version: RULES_VERSION,
    receipts: RECEIPTS,
    receipt_key: signer.publicKey.keyId,
  };
  return signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), signer);
}

/** The signed statement by which a log goes over to newer rules: it says that, and nothing else. */
export function signRulesVersion(
  origin: string,
  version: number,
  issuedAt: string,
  signer: Signer,
): Uint8Array {
  const record = {
    type: "log-policy",
    v: 1,
    issuer: origin,
    issued_at: issuedAt,
    origin,
    rules_version: version,
    rules: REGISTRATION_RULES,
  };
  return signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), signer);
}

/** RECORD_INVALID unless it is a later policy of this log: of its form, and raising the rules. Who signed it is asked elsewhere. */
export function checkLaterPolicy({ value, issuer }: Record, origin: string): void {
  checkMembers(value, LATER_POLICY, "RECORD_INVALID");
  if (issuer !== origin || value["origin"] !== origin)
    throw new WritError(
      "RECORD_INVALID",
      `a later log-policy is the log's own: want issuer and origin ${origin}`,
      {
        path: "issuer",
      },
    );
}

/**
 * Reads entry 0. ProofError unless the log's key signed it and it is that log's policy; WritError when it is no such
 * record at all.
 */
export function openLogPolicy(entry: Uint8Array, logKey: VerifierKey): LogPolicy {
  const statement = parseDsse(entry);
  const key = publicKey("Ed25519", logKey.publicKey);
  const [signature] = statement.signatures;
  if (key === undefined || signature?.keyId !== key.keyId || statement.signatures.length !== 1) {
    throw new ProofError(`entry 0 is not signed by the key of ${logKey.name}, or not by it alone`);
  }
  if (!verifierOf(key)(signature.signature, statement.signedBytes)) {
    throw new ProofError("entry 0: the signature of the log's key does not verify");
  }
  const policy = readLogPolicy(statement.payload);
  if (policy.origin !== logKey.name)
    throw new ProofError(`entry 0 is the policy of ${policy.origin}, not of ${logKey.name}`);
  return policy;
}

/** The policy in a record, whoever signed it. */
export function readLogPolicy(payload: Uint8Array): LogPolicy {
  const record = parseRecord(payload);
  if (record.type !== "log-policy") {
    throw new WritError("RECORD_INVALID", `entry 0: want a log-policy, got ${record.type}`, { path: "type" });
  }
  const { value } = record;
  checkMembers(value, LOG_POLICY, "RECORD_INVALID");
  const jwks = value["registrars"];
  return {
    origin: stringMember(value, "origin"),
    admission: value["admission"] === "raw" ? "raw" : "registered",
    registrars: (Array.isArray(jwks) ? jwks : []).map(fromJwk).filter((key) => key !== undefined),
    maxEntryBytes: Number(value["max_entry_bytes"]),
    rulesVersion: typeof value["rules_version"] === "number" ? value["rules_version"] : 1,
    clockToleranceS: toleranceOf(value["clock_tolerance_s"]),
    record,
  };
}

const DEFAULT_TOLERANCE_S = 120;
const MAX_TOLERANCE_S = 600;

function toleranceOf(value: unknown): number {
  return typeof value === "number" && value >= 0 ? Math.min(value, MAX_TOLERANCE_S) : DEFAULT_TOLERANCE_S;
}
