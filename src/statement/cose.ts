/**
 * Signed statements as SCITT has them (RFC 9943 §6): COSE_Sign1 whose protected header says everything that matters.
 * Stored as `d2 84 <protected, verbatim> a0 <payload> <signature>`: the unprotected header is not signed, so it is not kept
 * ("MUST be set to an empty map", §7).
 *
 *     18([<<{1: -19, 3: "text/plain", 4: h'df85…1144', 15: {1: "https://issuer.example", 2: "urn:example:a"}}>>,
 *         {}, h'…', h'…64 bytes'])
 */
import { type ErrorCode, WritError } from "../errors.js";
import { sameBytes, toHex } from "../format/bytes.js";
import { encodeCbor } from "./cbor.js";
import { DIGESTS } from "./digests.js";
import type { Algorithm } from "./key.js";
import {
  ALG,
  CONTENT_TYPE,
  CRIT,
  CWT_CLAIMS,
  IAT,
  ISS,
  KID,
  PAYLOAD_HASH_ALG,
  PAYLOAD_LOCATION,
  PREIMAGE_CONTENT_TYPE,
  RECEIPTS,
  SUB,
  VDP,
  VDS,
  X5CHAIN,
} from "./labels.js";
import { formatSign1, openSign1, type Sign1, sigStructure } from "./sign1.js";
import type { HashEnvelope, Statement } from "./statement.js";

const HASH_ENVELOPE = [PAYLOAD_HASH_ALG, PREIMAGE_CONTENT_TYPE, PAYLOAD_LOCATION] as const;
const UNDERSTOOD: ReadonlySet<unknown> = new Set([
  ALG,
  CRIT,
  CONTENT_TYPE,
  KID,
  CWT_CLAIMS,
  ...HASH_ENVELOPE,
]);
/** Labels of drafts that the RFCs renumbered: a statement that uses them means something we would not see. */
const LEGACY: readonly number[] = [-111, 13, 14, 391, 392, 393];
const CERTIFICATES: ReadonlyMap<unknown, string> = new Map([
  [32, "x5bag"],
  [X5CHAIN, "x5chain"],
  [34, "x5t"],
  [35, "x5u"],
]);
const X5CHAIN_KEY = encodeCbor(X5CHAIN);

/** RFC 9864: -19 is Ed25519; -8 is EdDSA, of which we take the same curve; -7 is ES256, and -9 (ESP256) the same by another number. */
const ALGORITHMS: ReadonlyMap<unknown, Algorithm> = new Map([
  [-19, "Ed25519"],
  [-8, "Ed25519"],
  [-7, "ES256"],
  [-9, "ES256"],
]);

const MAX_ISSUER_CHARACTERS = 8192;

/** The algorithm that the `alg` of a key or a receipt names, if we can verify it. */
export function algorithmOf(alg: unknown): Algorithm | undefined {
  return ALGORITHMS.get(alg);
}

/**
 * A signed statement that this log can register. ENVELOPE_MALFORMED (no COSE_Sign1 whose hashed parts are deterministic but for the order of labels), PAYLOAD_MISSING,
 * SIGNATURE_MISSING, CERTIFICATES_UNSUPPORTED, ALGORITHM_UNSUPPORTED, ENVELOPE_INVALID with the path of the label.
 */
export function parseCose(bytes: Uint8Array): Statement {
  // The header is the signer's own bytes, which are stored: RFC 9052 §9 asks for no order of its labels.
  const sign1 = openSign1(bytes, { anyOrder: true, dropsUnprotected: true });
  const { header, payload, signature } = sign1;
  const { bytes: protectedBytes } = sign1.protected;
  demandOnlyStatementLabels(sign1);
  demandCritical(header, UNDERSTOOD, "ENVELOPE_INVALID");
  const algorithm = demandAlgorithm(header.get(ALG));
  const keyId = demandKeyId(sign1);
  const hashed = hashEnvelope(header, payload);
  const contentType = contentTypeOf(header);
  const { issuer, subject } = claims(header.get(CWT_CLAIMS));
  if (payload === null)
    throw new WritError("PAYLOAD_MISSING", "COSE_Sign1: want the payload attached, got null (detached)");
  if (signature.length === 0)
    throw new WritError("SIGNATURE_MISSING", "COSE_Sign1: want a signature, got one of no bytes");
  if (signature.length !== 64) fail("signature", `64 bytes, got ${signature.length}`);
  return {
    form: "cose",
    stored: formatSign1(protectedBytes, payload, signature),
    contentType,
    payload,
    signedBytes: sigStructure(protectedBytes, payload),
    signatures: [{ keyId, algorithm, signature }],
    claims: { issuer, subject },
    hashed,
  };
}

/** A protected header as we write it: algorithm, content type or hash envelope, key id, CWT claims (iss, sub, iat). */
export function formatHeader(header: {
  readonly algorithm: Algorithm;
  readonly content: string | HashEnvelope;
  /** 32 bytes */
  readonly keyId: Uint8Array;
  readonly claims: { readonly issuer: string; readonly subject: string; readonly issuedAt: number };
}): Uint8Array {
  const { algorithm, content, keyId } = header;
  const { issuer, subject, issuedAt } = header.claims;
  return encodeCbor(
    new Map<number, unknown>([
      [ALG, algorithm === "Ed25519" ? -19 : -7],
      ...(typeof content === "string" ? [[CONTENT_TYPE, content] as const] : hashLabels(content)),
      [KID, keyId],
      [
        CWT_CLAIMS,
        new Map<number, unknown>([
          [ISS, issuer],
          [SUB, subject],
          [IAT, issuedAt],
        ]),
      ],
    ]),
  );
}

function hashLabels({ algorithm, contentType, location }: HashEnvelope): (readonly [number, unknown])[] {
  return [
    [PAYLOAD_HASH_ALG, algorithm],
    ...(contentType === null ? [] : [[PREIMAGE_CONTENT_TYPE, contentType] as const]),
    ...(location === null ? [] : [[PAYLOAD_LOCATION, location] as const]),
  ];
}

/** RFC 9052 §3.1: labels in `crit` must be understood and in the protected header, or the message is refused. */
export function demandCritical(
  header: ReadonlyMap<unknown, unknown>,
  understood: ReadonlySet<unknown>,
  code: ErrorCode,
): void {
  if (!header.has(CRIT)) return;
  const crit = header.get(CRIT);
  if (!Array.isArray(crit) || crit.length === 0 || crit.length > header.size)
    fail("protected[2]", "crit: a list of at least one label, each of them in the header", code);
  for (const label of crit) {
    if (!understood.has(label) || !header.has(label))
      fail("protected[2]", `no critical label that we do not know: ${show(label)}`, code);
  }
}

function demandOnlyStatementLabels({ header, unprotected }: Sign1): void {
  for (const label of LEGACY)
    if (header.has(label)) fail(`protected[${label}]`, "no labels of superseded drafts");
  // What belongs beside a signature and never under it (RFC 9942 §4).
  for (const label of [RECEIPTS, VDS, VDP])
    if (header.has(label))
      fail(`protected[${label}]`, "no receipts or proofs under the signature: they stand beside it");
  for (const [label, name] of CERTIFICATES) if (header.has(label)) noCertificates(name);
  for (const { key } of unprotected) {
    const label = SIGNED_LABELS.get(toHex(key));
    if (label !== undefined)
      fail(
        `unprotected[${label}]`,
        "crit and hash envelopes in the protected header only (RFC 9052, RFC 9995)",
      );
  }
}

/** What counts only under the signature, by its encoding in hex. */
const SIGNED_LABELS: ReadonlyMap<string, number> = new Map(
  [CRIT, ...HASH_ENVELOPE].map((label) => [toHex(encodeCbor(label)), label]),
);

function noCertificates(name: string): never {
  throw new WritError(
    "CERTIFICATES_UNSUPPORTED",
    `${name}: keys are known to this log by registration, not by certificates; name one by its kid`,
  );
}

function demandAlgorithm(alg: unknown): Algorithm {
  const algorithm = ALGORITHMS.get(alg);
  if (algorithm !== undefined) return algorithm;
  throw new WritError(
    "ALGORITHM_UNSUPPORTED",
    `COSE alg: want -19 or -8 (Ed25519), -7 or -9 (ES256), got ${show(alg)}`,
  );
}

function demandKeyId({ header, unprotected }: Sign1): string {
  const keyId = header.get(KID);
  if (keyId instanceof Uint8Array && keyId.length === 32) return toHex(keyId);
  if (keyId === undefined && unprotected.some(({ key }) => sameBytes(key, X5CHAIN_KEY)))
    noCertificates("x5chain");
  return fail("protected[4]", "kid: the 32 bytes of the signing key's RFC 9679 thumbprint");
}

/** RFC 9995: the payload is a digest of what is meant. */
function hashEnvelope(
  header: ReadonlyMap<unknown, unknown>,
  payload: Uint8Array | null,
): HashEnvelope | null {
  if (!HASH_ENVELOPE.some((label) => header.has(label))) return null;
  const algorithm = header.get(PAYLOAD_HASH_ALG);
  if (typeof algorithm !== "number" || !Number.isSafeInteger(algorithm))
    fail("protected[258]", "the algorithm of the payload's digest, such as -16 (SHA-256)");
  if (header.has(CONTENT_TYPE)) fail("protected[3]", "no content type beside a hash envelope (258–260)");
  const bytes = DIGESTS.get(algorithm)?.bytes;
  if (bytes !== undefined && payload !== null && payload.length !== bytes)
    fail("payload", `a digest of ${bytes} bytes, as protected[258] says, got ${payload.length}`);
  const location = header.get(PAYLOAD_LOCATION);
  if (location !== undefined && typeof location !== "string")
    fail("protected[260]", "the place of the payload, text");
  return { algorithm, contentType: mediaTypeAt(header, PREIMAGE_CONTENT_TYPE), location: location ?? null };
}

function contentTypeOf(header: ReadonlyMap<unknown, unknown>): string | null {
  return mediaTypeAt(header, CONTENT_TYPE);
}

function mediaTypeAt(header: ReadonlyMap<unknown, unknown>, label: number): string | null {
  const value = header.get(label);
  if (value === undefined) return null;
  if (typeof value === "string" && value !== "") return value;
  // A CoAP Content-Format number (RFC 9052 §3.1) is a foreign type that we can name but not interpret.
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return `coap:${value}`;
  return fail(`protected[${label}]`, "a content type: text, or a CoAP number");
}

/** "The CWT Claims value MUST include the Issuer Claim and the Subject Claim" (RFC 9943 §6.1). */
function claims(value: unknown): { issuer: string; subject: string } {
  if (!(value instanceof Map)) fail("protected[15]", "CWT claims, a map with iss (1) and sub (2)");
  const [issuer, subject] = [value.get(ISS), value.get(SUB)];
  if (typeof issuer !== "string" || issuer === "" || issuer.length > MAX_ISSUER_CHARACTERS)
    fail("protected[15][1]", `iss: text of 1 to ${MAX_ISSUER_CHARACTERS} characters`);
  if (typeof subject !== "string") fail("protected[15][2]", "sub: text");
  return { issuer, subject };
}

function show(value: unknown): string {
  if (value === undefined) return "none";
  return typeof value === "number" || typeof value === "string"
    ? JSON.stringify(value).slice(0, 40)
    : typeof value;
}

function fail(path: string, want: string, code: ErrorCode = "ENVELOPE_INVALID"): never {
  throw new WritError(code, `COSE_Sign1, ${path}: want ${want}`, { path });
}
