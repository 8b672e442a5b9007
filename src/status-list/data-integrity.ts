/** Securing a JSON document with a Data Integrity proof, cryptosuite `eddsa-jcs-2022` (W3C vc-di-eddsa 1.0 §3.3). */
import { ed25519Sign, sha256 } from "#crypto";
import { concat, utf8 } from "../format/bytes.js";
import type { SigningKey } from "../format/vkey.js";
import { canonicalJson } from "../statement/jcs.js";
import type { JsonObject } from "../statement/json.js";
import { base58btc, verificationMethod } from "./did-key.js";

/**
 * The document with its proof, by the key's own `did:key`. What is signed is SHA-256(JCS(proof options)) ‖
 * SHA-256(JCS(document)), 64 bytes; the options hold the document's `@context`. `created`: RFC 3339 in whole seconds.
 */
export function withProof(document: JsonObject, key: SigningKey, created: string): JsonObject {
  const options = {
    "@context": document["@context"] ?? [],
    type: "DataIntegrityProof",
    cryptosuite: "eddsa-jcs-2022",
    created,
    verificationMethod: verificationMethod(key.publicKey),
    proofPurpose: "assertionMethod",
  };
  const signed = concat(sha256(utf8(canonicalJson(options))), sha256(utf8(canonicalJson(document))));
  return { ...document, proof: { ...options, proofValue: base58btc(ed25519Sign(signed, key.seed)) } };
}
