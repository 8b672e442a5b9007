/**
 * COSE_Sign1 (RFC 9052 §4.2) as SCITT signs statements (RFC 9943 §5): tag 18, everything that matters in the protected
 * header. Stored as `d2 84 <protected, verbatim> a0 <payload> <signature>`: the unprotected header is not signed, so it
 * is not kept.
 */
import { WritError } from "../errors.js";
import { concat, toHex, utf8 } from "../format/bytes.js";
import { CborReader, decodeCbor, encodeCbor, head } from "./cbor.js";
import type { Algorithm } from "./key.js";
import type { Statement } from "./statement.js";

/** Header labels: RFC 9052 §3.1, RFC 9597 (CWT claims), RFC 9995 (hash envelope). */
const ALG = 1;
const CRIT = 2;
const CONTENT_TYPE = 3;
const KID = 4;
const CWT_CLAIMS = 15;
const HASH_ENVELOPE = [258, 259, 260];
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

/** RFC 9864: -19 is Ed25519; -8 is EdDSA, of which we take the same curve; -7 is ES256. */
const ALGORITHMS: ReadonlyMap<unknown, Algorithm> = new Map([
  [-19, "Ed25519"],
  [-8, "Ed25519"],
  [-7, "ES256"],
]);

const TAG_SIGN1 = 18;

export function parseCose(bytes: Uint8Array): Statement {
  const reader = new CborReader(bytes);
  if (reader.expect(6, "a COSE_Sign1 (tag 18)") !== TAG_SIGN1) fail("", "tag 18 (COSE_Sign1)");
  if (reader.expect(4, "an array") !== 4) fail("", "an array of 4");
  const protectedBytes = reader.byteString("the protected header, a byte string");
  const unprotectedAt = reader.offset;
  reader.skip();
  if (Math.floor((bytes[unprotectedAt] ?? 0) / 32) !== 5) fail("unprotected", "a map");
  const payload = reader.byteString("the payload, attached, a byte string");
  const signature = reader.byteString("the signature, a byte string");
  reader.end();
  if (signature.length !== 64) fail("signature", `64 bytes, got ${signature.length}`);
  const header = parseHeader(protectedBytes);
  return {
    form: "cose",
    stored: formatCose(protectedBytes, payload, signature),
    contentType: header.contentType,
    payload,
    signedBytes: sigStructure(protectedBytes, payload),
    signatures: [{ keyId: header.keyId, algorithm: header.algorithm, signature }],
    claimedIssuer: header.issuer,
  };
}

export function formatCose(
  protectedBytes: Uint8Array,
  payload: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  return concat(
    Uint8Array.of(0xd2, 0x84),
    head(2, protectedBytes.length),
    protectedBytes,
    Uint8Array.of(0xa0),
    head(2, payload.length),
    payload,
    head(2, signature.length),
    signature,
  );
}

/** Sig_structure (RFC 9052 §4.4): `["Signature1", protected, external_aad = h'', payload]`. */
export function sigStructure(protectedBytes: Uint8Array, payload: Uint8Array): Uint8Array {
  return concat(
    Uint8Array.of(0x84, 0x6a),
    utf8("Signature1"),
    head(2, protectedBytes.length),
    protectedBytes,
    Uint8Array.of(0x40),
    head(2, payload.length),
    payload,
  );
}

/** A protected header as we write it: algorithm, content type, key id, CWT claims (iss, sub, iat). */
export function formatHeader(header: {
  readonly algorithm: Algorithm;
  readonly contentType: string;
  /** 32 bytes */
  readonly keyId: Uint8Array;
  readonly claims: { readonly issuer: string; readonly subject: string; readonly issuedAt: number };
}): Uint8Array {
  const { issuer, subject, issuedAt } = header.claims;
  return encodeCbor(
    new Map<number, unknown>([
      [ALG, header.algorithm === "Ed25519" ? -19 : -7],
      [CONTENT_TYPE, header.contentType],
      [KID, header.keyId],
      [
        CWT_CLAIMS,
        new Map<number, unknown>([
          [1, issuer],
          [2, subject],
          [6, issuedAt],
        ]),
      ],
    ]),
  );
}

function parseHeader(bytes: Uint8Array): {
  algorithm: Algorithm;
  contentType: string | null;
  keyId: string;
  issuer: string | null;
} {
  const header = bytes.length === 0 ? new Map() : decodeCbor(bytes);
  if (!(header instanceof Map)) fail("protected", "a map");
  for (const label of LEGACY)
    if (header.has(label)) fail(`protected[${label}]`, "no labels of superseded drafts");
  demandCritical(header.get(CRIT), header);
  const algorithm = ALGORITHMS.get(header.get(ALG));
  if (algorithm === undefined) {
    throw new WritError(
      "ALGORITHM_UNSUPPORTED",
      `COSE alg: want -19 or -8 (Ed25519) or -7 (ES256), got ${show(header.get(ALG))}`,
    );
  }
  const keyId = header.get(KID);
  if (!(keyId instanceof Uint8Array) || keyId.length !== 32) {
    fail("protected[4]", "kid: the 32 bytes of the signing key's RFC 9679 thumbprint");
  }
  return { algorithm, contentType: contentType(header), keyId: toHex(keyId), issuer: claimedIssuer(header) };
}

function contentType(header: ReadonlyMap<unknown, unknown>): string | null {
  const value = header.get(CONTENT_TYPE);
  const hashed = HASH_ENVELOPE.some((label) => header.has(label));
  if (hashed && value !== undefined) fail("protected[3]", "no content type beside a hash envelope (258–260)");
  if (value === undefined) return null;
  if (typeof value === "string" && value !== "") return value;
  // A CoAP Content-Format number (RFC 9052 §3.1) is a foreign type that we can name but not interpret.
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return `coap:${value}`;
  return fail("protected[3]", "a content type: text, or a CoAP number");
}

function claimedIssuer(header: ReadonlyMap<unknown, unknown>): string | null {
  const claims = header.get(CWT_CLAIMS);
  if (claims === undefined) return null;
  if (!(claims instanceof Map)) fail("protected[15]", "CWT claims: a map");
  const issuer: unknown = claims.get(1);
  if (issuer === undefined) return null;
  return typeof issuer === "string" ? issuer : fail("protected[15][1]", "iss: text");
}

/** RFC 9052 §3.1: labels in `crit` must be understood and present, or the message is refused. */
function demandCritical(crit: unknown, header: ReadonlyMap<unknown, unknown>): void {
  if (crit === undefined) return;
  if (!Array.isArray(crit) || crit.length === 0) fail("protected[2]", "crit: a list of at least one label");
  for (const label of crit) {
    if (!UNDERSTOOD.has(label) || !header.has(label))
      fail("protected[2]", `no critical label that we do not know: ${show(label)}`);
  }
}

function show(value: unknown): string {
  if (value === undefined) return "none";
  return typeof value === "number" || typeof value === "string"
    ? JSON.stringify(value).slice(0, 40)
    : typeof value;
}

function fail(path: string, want: string): never {
  throw new WritError("ENVELOPE_INVALID", `COSE_Sign1${path && `, ${path}`}: want ${want}`, { path });
}
