/**
 * DSSE envelopes (secure-systems-lab/dsse, envelope.md and protocol.md), one stored form each.
 *
 *     {"payload":"eyJ0…","payloadType":"application/vnd.writ.record+json",
 *      "signatures":[{"keyid":"9f86d0…","sig":"MEUC…"}]}
 */
import { fromBase64, toBase64 } from "#crypto";
import { WritError } from "../errors.js";
import { parseBase64 } from "../format/base64.js";
import { concat, fromUtf8, utf8 } from "../format/bytes.js";
import { fromDer } from "./es256.js";
import { isJsonObject, type Json, type JsonObject, parseJson } from "./json.js";
import type { Statement, StatementSignature } from "./statement.js";

const MAX_SIGNATURES = 16;

/**
 * Strict JSON; unknown members are ignored and not stored; base64 of either alphabet comes in, one goes out, and so do ES256
 * signatures as r ‖ s or in DER.
 */
export function parseDsse(bytes: Uint8Array): Statement {
  const envelope = parseJson(bytes, "ENVELOPE_MALFORMED");
  if (!isJsonObject(envelope)) fail("", "an object");
  const payloadType = text(envelope, "payloadType", "");
  if (payloadType === "") fail("payloadType", "a media type");
  const payload = base64(envelope, "payload", "");
  const { signatures } = envelope;
  if (!Array.isArray(signatures) || signatures.length === 0) fail("signatures", "a list of at least one");
  if (signatures.length > MAX_SIGNATURES) fail("signatures", `at most ${MAX_SIGNATURES}`);
  const parsed = signatures.map(parseSignature).toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1));
  parsed.forEach(({ keyId }, i) => {
    if (keyId === parsed[i + 1]?.keyId) fail("signatures", `each keyid once, ${keyId} is there twice`);
  });
  return {
    form: "dsse",
    stored: formatDsse(payloadType, payload, parsed),
    contentType: payloadType,
    payload,
    signedBytes: preAuthEncoding(payloadType, payload),
    signatures: parsed,
    claims: null,
    hashed: null,
  };
}

/** An envelope in its stored form, which was read strictly before it was stored: what it carries, and who signed it. */
export function readStoredDsse(stored: Uint8Array): {
  readonly payload: Uint8Array;
  readonly keyIds: readonly string[];
} {
  const { payload, signatures } = JSON.parse(fromUtf8(stored) ?? "") as {
    readonly payload: string;
    readonly signatures: readonly { readonly keyid: string }[];
  };
  return { payload: fromBase64(payload), keyIds: signatures.map(({ keyid }) => keyid) };
}

/** The stored form: JCS of the three members, signatures sorted by keyid, standard base64 with padding. */
export function formatDsse(
  payloadType: string,
  payload: Uint8Array,
  signatures: readonly Pick<StatementSignature, "keyId" | "signature">[],
): Uint8Array {
  const list = signatures.map(
    ({ keyId, signature }) => `{"keyid":"${keyId}","sig":"${toBase64(signature)}"}`,
  );
  return utf8(
    `{"payload":"${toBase64(payload)}","payloadType":${JSON.stringify(payloadType)},"signatures":[${list.join(",")}]}`,
  );
}

/** PAE: `DSSEv1 SP len(type) SP type SP len(body) SP body`, lengths of bytes in ASCII decimal. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType);
  return concat(utf8(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `), payload);
}

function parseSignature(value: Json, i: number): StatementSignature {
  const path = `signatures[${i}]`;
  if (!isJsonObject(value)) fail(path, "an object");
  const keyId = value["keyid"];
  if (typeof keyId !== "string" || !/^[0-9a-f]{64}$/.test(keyId)) {
    fail(
      `${path}.keyid`,
      "the signing key's RFC 9679 thumbprint in 64 lower-case hex digits; DSSE lets it be absent, this log's registration policy does not",
    );
  }
  const bytes = base64(value, "sig", `${path}.`);
  const signature = bytes.length === 64 ? bytes : fromDer(bytes);
  if (signature === undefined)
    fail(`${path}.sig`, `64 bytes (Ed25519, or ES256 as r ‖ s), or ES256 in DER; got ${bytes.length} others`);
  return { keyId, algorithm: null, signature };
}

function text(object: JsonObject, name: string, prefix: string): string {
  const value = object[name];
  return typeof value === "string" ? value : fail(prefix + name, "text");
}

/** "Either standard or URL-safe encoding is allowed": padded, or, in the URL-safe alphabet, bare. */
function base64(object: JsonObject, name: string, prefix: string): Uint8Array {
  const value = text(object, name, prefix);
  const direct = parseBase64(value);
  if (direct !== undefined) return direct;
  const standard = value.replaceAll("-", "+").replaceAll("_", "/");
  const padded = /[+/]/.test(value) ? standard : standard + "=".repeat((4 - (standard.length % 4)) % 4);
  return parseBase64(padded) ?? fail(prefix + name, "base64, standard or URL-safe, canonical");
}

function fail(path: string, want: string): never {
  throw new WritError("ENVELOPE_INVALID", `DSSE envelope${path && `, ${path}`}: want ${want}`, { path });
}
