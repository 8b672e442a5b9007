/**
 * The registration policy (RFC 9943 §5.1.1) in rules that have names: entry 0 of every log says them, and each refusal names
 * the one that it is by, the first that was found broken. They are the same for statements of both forms, wherever they are
 * submitted.
 */
import type { ErrorCode } from "../errors.js";

/**
 * Rules are dated: which apply from which entry on is said by the log itself, in `rules_version` of entry 0 (absent: 1), raised
 * by a later `log-policy` of the log's key. What old rules admitted stays right.
 *
 * - 1: one company's log: every registrar registers every id, uses are counted for each grant.
 * - 2: trust domains; uses are counted for each request too; a child grant is made by those who may; members that came with
 *   these rules must be well formed.
 * - 3: revocations that wait for what they revoke are bounded.
 */
export const RULES_VERSION = 3;

export const REGISTRATION_RULES = {
  size: "A statement has at most 65,535 bytes in its stored form.",
  encoding:
    "COSE is a COSE_Sign1 with tag 18 in deterministic CBOR (RFC 8949 §4.2.1) but for the order of labels, no label in both headers; its unprotected header, which is dropped, is only well-formed. DSSE is JSON as RFC 7493 has it.",
  envelope:
    "COSE has in its protected header kid (the key's RFC 9679 SHA-256 thumbprint), CWT claims with iss and sub (RFC 9597), a hash envelope (RFC 9995) only in the place of a content type, no critical label that is not understood, no label of superseded drafts and no receipt; its payload is attached. DSSE has 1 to 16 signatures, each with that thumbprint in hex as its keyid.",
  certificates: "Keys are known by registration: statements that name theirs by a certificate are refused.",
  algorithm: "Ed25519 (-19, -8) or ES256 (-7, -9), the one of the key.",
  "known-key": "Every signing key is registered by a key record of a registrar, earlier in the log.",
  signature:
    "Every signature verifies: Ed25519 in canonical encodings and without keys or R of small order; ES256 with the low s in DSSE, with either s in COSE.",
  standing: "One at least of the signing keys is not revoked, suspended, replaced or past its not_after.",
  record:
    "A payload of application/vnd.writ.record+json is a record that keeps the rules of its type, by the issuer that the CWT claims name. Any other payload is logged as it is; what its iss and sub say is the signer's claim.",
  role: "A record is signed by a key registered for its issuer and for a role that may sign its type.",
  "trust-domains":
    "A registrar registers ids of its own domain; registrars of entry 0 found domains, whose prefixes cover no other domain's ids and none that is registered, and may place a party in one. A key that was revoked is registered again by whoever revoked it, or from above.",
  "early-revocations":
    "A revocation of what is not in the log waits for it: 16 of one signer for one record, and 64 of one trust domain.",
  "single-use":
    "A consumption is of a grant that is in the log, live, and not used up, itself and all grants above it, each made by the issuer or the audience of the one above; and of a request that is not used up, in the domain of the grant's issuer.",
} as const;

export type RegistrationRule = keyof typeof REGISTRATION_RULES;

const RULE_OF: Partial<Record<ErrorCode, RegistrationRule>> = {
  ENTRY_TOO_LARGE: "size",
  ENVELOPE_MALFORMED: "encoding",
  ENVELOPE_INVALID: "envelope",
  PAYLOAD_MISSING: "envelope",
  SIGNATURE_MISSING: "signature",
  CERTIFICATES_UNSUPPORTED: "certificates",
  ALGORITHM_UNSUPPORTED: "algorithm",
  KEY_UNKNOWN: "known-key",
  SIGNATURE_INVALID: "signature",
  RECORD_MALFORMED: "record",
  ROLE_MISSING: "role",
  RECORD_INVALID: "record",
  KEY_DISTRUSTED: "standing",
  DOMAIN_TAKEN: "trust-domains",
  ID_OF_ANOTHER_DOMAIN: "trust-domains",
  GRANT_NOT_DELEGATED: "single-use",
  REQUEST_USED: "single-use",
  GRANT_UNKNOWN: "single-use",
  GRANT_MISMATCH: "single-use",
  GRANT_NOT_YET_VALID: "single-use",
  GRANT_EXPIRED: "single-use",
  GRANT_REVOKED: "single-use",
  GRANT_SUSPENDED: "single-use",
  GRANT_USED: "single-use",
  USE_REPEATED: "single-use",
  EARLY_REVOCATIONS: "early-revocations",
};

/** The rule by which a statement was refused; undefined when it was for another reason. */
export function ruleOf(code: ErrorCode): RegistrationRule | undefined {
  return RULE_OF[code];
}
