/**
 * A statement: a payload and its signatures, in one of two envelopes. Whatever form arrives, there is one stored form
 * of it (`stored`), and the leaf is over exactly that; bringing a stored form to the stored form changes nothing.
 */
import type { Algorithm } from "./key.js";

export type Form = "dsse" | "cose";

export interface StatementSignature {
  /** RFC 9679 thumbprint, lower-case hex. */
  readonly keyId: string;
  /** What the envelope says; null where only the key knows (DSSE). */
  readonly algorithm: Algorithm | null;
  /** 64 bytes for both algorithms. */
  readonly signature: Uint8Array;
}

export interface Statement {
  readonly form: Form;
  /** The statement's bytes as they stand in the log. */
  readonly stored: Uint8Array;
  /** Null when the envelope names none, as a COSE hash envelope does not. */
  readonly contentType: string | null;
  readonly payload: Uint8Array;
  /** What every signature is over. */
  readonly signedBytes: Uint8Array;
  /** At least one, sorted by key id, each key once. */
  readonly signatures: readonly StatementSignature[];
  /** The CWT claims of a COSE envelope: who speaks, and of what. Null in DSSE, which has none. */
  readonly claims: { readonly issuer: string; readonly subject: string } | null;
  /** What a COSE hash envelope says of its payload, a digest; null for all others. */
  readonly hashed: HashEnvelope | null;
}

/** RFC 9995: the payload is the digest of something that lies elsewhere. */
export interface HashEnvelope {
  /** Of the COSE algorithms registry: -16 is SHA-256. */
  readonly algorithm: number;
  readonly contentType: string | null;
  readonly location: string | null;
}

export const DSSE_MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json";
export const COSE_MEDIA_TYPE = "application/cose";
/** RFC 9943 §10: the same bytes, said to be a signed statement. */
export const STATEMENT_MEDIA_TYPE = "application/scitt-statement+cose";
