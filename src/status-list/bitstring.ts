/**
 * A status list as W3C Bitstring Status List 1.0 has it: a verifiable credential with one bit an entry for one purpose,
 * most significant bit first, compressed with gzip.
 *
 * A grant that is used up is of no more use to a verifier than a revoked one and never comes back either, so its bit in
 * the list of the purpose `revocation` is set too: this format has no third word.
 */
import { gzipSync } from "node:zlib";
import { toBase64url } from "../format/base64.js";
import { CONSUMED, LIST_BYTES, REVOKED, SUSPENDED } from "../index/bits.js";
import type { SigningKey } from "../format/vkey.js";
import type { JsonObject } from "../statement/json.js";
import { withProof } from "./data-integrity.js";
import { didKey } from "./did-key.js";

export const PURPOSES = ["revocation", "suspension"] as const;
export type Purpose = (typeof PURPOSES)[number];

const SETS: Readonly<Record<Purpose, readonly number[]>> = {
  revocation: [REVOKED, CONSUMED],
  suspension: [SUSPENDED],
};

/** For each byte of four entries, the half byte of their bits, the first entry on the left. */
const HALVES: Readonly<Record<Purpose, Uint8Array>> = {
  revocation: halves("revocation"),
  suspension: halves("suspension"),
};

function halves(purpose: Purpose): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    [0, 1, 2, 3].reduce((half, i) => half * 2 + (SETS[purpose].includes((byte >> (2 * i)) & 3) ? 1 : 0), 0),
  );
}

/** One bit an entry, index 0 the most significant of the first byte: 16 KiB for a list of 2^17. */
export function bitstring(bits: Uint8Array, purpose: Purpose): Uint8Array {
  if (bits.length !== LIST_BYTES) throw new RangeError(`want ${LIST_BYTES} bytes, got ${bits.length}`);
  const half = HALVES[purpose];
  return Uint8Array.from(
    { length: bits.length / 2 },
    (_, i) => ((half[bits[2 * i] ?? 0] ?? 0) << 4) | (half[bits[2 * i + 1] ?? 0] ?? 0),
  );
}

/** What a list's credential says beside the bits. Times are RFC 3339 in whole seconds. */
export interface CredentialFacts {
  /** The list's own URL: what a credential's `statusListCredential` says. */
  readonly uri: string;
  readonly purpose: Purpose;
  readonly validFrom: string;
  readonly validUntil: string;
  /** How long a client may keep it, in milliseconds. */
  readonly ttlMs: number;
}

/** The signed credential over the two bits of a list's entries (32 KiB). */
export function bitstringCredential(bits: Uint8Array, facts: CredentialFacts, key: SigningKey): JsonObject {
  const { uri, purpose, validFrom, validUntil, ttlMs } = facts;
  const credential = {
    "@context": ["https://www.w3.org/ns/credentials/v2"],
    id: uri,
    type: ["VerifiableCredential", "BitstringStatusListCredential"],
    issuer: didKey(key.publicKey),
    validFrom,
    validUntil,
    credentialSubject: {
      id: `${uri}#list`,
      type: "BitstringStatusList",
      statusPurpose: purpose,
      // Multibase `u`: base64url without padding.
      encodedList: `u${toBase64url(gzipSync(bitstring(bits, purpose)))}`,
      ttl: ttlMs,
    },
  };
  return withProof(credential, key, validFrom);
}
