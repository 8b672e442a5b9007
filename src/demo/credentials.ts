/**
 * A grant as a credential that stock wallets and verifiers understand, pointing at its entry's position in the log's
 * status lists: a W3C verifiable credential (Data Model 2.0) and an SD-JWT VC (draft-ietf-oauth-sd-jwt-vc). Their signer is
 * the authority that granted, not the log: whoever checks one trusts both.
 */
import { ed25519Sign } from "#crypto";
import { toBase64url } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import type { SigningKey } from "../format/vkey.js";
import { LIST_ENTRIES, listOf } from "../index/bits.js";
import type { JsonObject } from "../statement/json.js";
import { withProof } from "../status-list/data-integrity.js";
import { didKey } from "../status-list/did-key.js";
import { PURPOSES } from "../status-list/bitstring.js";
import { listJwk } from "../status-list/token.js";

export interface GrantFacts {
  /** The grant's record id. */
  readonly id: string;
  /** Where its entry stands in the log. */
  readonly index: number;
  /** Who may use it. */
  readonly audience: string;
  /** RFC 3339. */
  readonly expiry: string;
}

export interface CredentialIssue {
  readonly grant: GrantFacts;
  /** The log's URL, as its status lists spell it. */
  readonly logUrl: string;
  readonly key: SigningKey;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The verifiable credential, secured with `eddsa-jcs-2022` by the authority's `did:key`. */
export function verifiableCredential({ grant, logUrl, key, now }: CredentialIssue): JsonObject {
  const created = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  const credential = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    type: ["VerifiableCredential"],
    issuer: didKey(key.publicKey),
    validFrom: created,
    validUntil: grant.expiry,
    credentialSubject: { id: grant.audience, capability_hash: grant.id },
    credentialStatus: PURPOSES.map((statusPurpose) => ({
      type: "BitstringStatusListEntry",
      statusPurpose,
      statusListIndex: String(grant.index % LIST_ENTRIES),
      statusListCredential: `${logUrl}/v1/status/bitstring/${statusPurpose}/${listOf(grant.index)}`,
    })),
  };
  return withProof(credential, key, created);
}

/** The SD-JWT VC: nothing in it is selectively disclosed, so it is the issuer's JWT and one `~`. */
export function sdJwtVc({ grant, logUrl, key, now }: CredentialIssue): string {
  const header = { alg: "EdDSA", kid: listJwk(key)["kid"] ?? "", typ: "dc+sd-jwt" };
  const claims = {
    iss: didKey(key.publicKey),
    iat: Math.floor(now / 1000),
    exp: Math.floor(Date.parse(grant.expiry) / 1000),
    vct: "urn:writ:capability-grant",
    sub: grant.audience,
    capability_hash: grant.id,
    status: {
      status_list: {
        idx: grant.index % LIST_ENTRIES,
        uri: `${logUrl}/v1/status/lists/${listOf(grant.index)}`,
      },
    },
  };
  const input = `${toBase64url(utf8(JSON.stringify(header)))}.${toBase64url(utf8(JSON.stringify(claims)))}`;
  return `${input}.${toBase64url(ed25519Sign(utf8(input), key.seed))}~`;
}
