/** Labels of COSE headers and of the CWT claims in them: the numbers of the registries that statements and receipts use. */

// RFC 9052 §3.1
export const ALG = 1;
export const CRIT = 2;
export const CONTENT_TYPE = 3;
export const KID = 4;
/** RFC 9597 */
export const CWT_CLAIMS = 15;
/** RFC 9596 */
export const TYP = 16;
/** RFC 9360 */
export const X5CHAIN = 33;
// RFC 9995
export const PAYLOAD_HASH_ALG = 258;
export const PREIMAGE_CONTENT_TYPE = 259;
export const PAYLOAD_LOCATION = 260;
// RFC 9942
export const RECEIPTS = 394;
export const VDS = 395;
export const VDP = 396;

// CWT claims, RFC 8392 §4
export const ISS = 1;
export const SUB = 2;
export const IAT = 6;

/** EdDSA by its older number: -19 says the same of Ed25519, and most published COSE libraries do not know it yet. */
export const EDDSA = -8;
