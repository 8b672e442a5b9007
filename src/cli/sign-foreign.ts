/** Signing what is no record of ours: any file, as DSSE or as a SCITT statement, or the digest of a file. */
import { sha256 } from "#crypto";
import { WritError } from "../errors.js";
import { MAX_ENTRY_BYTES } from "../format/bundle.js";
import { fromHex, toHex } from "../format/bytes.js";
import { RECORD_MEDIA_TYPE } from "../record/record.js";
import { SHA_256 } from "../statement/digests.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import { signCose, signDsse } from "../statement/sign.js";
import { digestsOf } from "./artifact-files.js";
import { type Invocation, onlyWord, required, usageError } from "./command.js";
import { readBytes } from "./files.js";
import type { NamedSigner } from "./key-files.js";

export interface Signed {
  readonly statement: Uint8Array;
  /** What it is known by: a record's id, or the hash of the statement. */
  readonly id: { readonly record_id: string } | { readonly entry_hash: string };
}

const FOREIGN_OPTIONS = ["content-type", "subject", "issuer", "location"] as const;

/** Is a file to be signed as it is? */
export function isForeign(invocation: Invocation): boolean {
  return invocation.flag("hash") || FOREIGN_OPTIONS.some((name) => invocation.text(name) !== undefined);
}

export async function signForeign(invocation: Invocation, signer: NamedSigner): Promise<Signed> {
  const contentType = required(invocation, "content-type");
  if (contentType === RECORD_MEDIA_TYPE) throw usageError("--content-type: a record is signed without it");
  const recordOption = ["type", "set"].find((name) => invocation.texts(name).length > 0);
  if (recordOption !== undefined)
    throw usageError(`--${recordOption} makes a record: want no --content-type`);
  const file = onlyWord(invocation, "file");
  const statement = invocation.flag("cose")
    ? await signForeignCose(invocation, contentType, file, signer)
    : await signForeignDsse(invocation, contentType, file, signer);
  // What the log would refuse is not written.
  parseStatement(statement, guessForm(statement));
  if (statement.length > MAX_ENTRY_BYTES)
    throw new WritError(
      "ENTRY_TOO_LARGE",
      `a statement has at most ${MAX_ENTRY_BYTES} bytes, this one ${statement.length}: --cose --hash signs the digest of the file`,
    );
  return { statement, id: { entry_hash: `sha256:${toHex(sha256(statement))}` } };
}

async function signForeignCose(
  invocation: Invocation,
  contentType: string,
  file: string,
  signer: NamedSigner,
): Promise<Uint8Array> {
  const issuer = invocation.text("issuer") ?? signer.keyName;
  if (issuer === null) throw usageError("--issuer is missing: the key has no name of its own");
  const location = invocation.text("location") ?? null;
  const isHash = invocation.flag("hash");
  if (location !== null && !isHash) throw usageError("--location is where a hashed file lies: want --hash");
  const subject = required(invocation, "subject");
  const claims = { issuer, subject, issuedAt: Math.floor(Date.now() / 1000) };
  if (!isHash) return signCose(contentType, await readBytes(file), claims, signer);
  const digest = fromHex((await digestsOf(file)).sha256) ?? new Uint8Array(0);
  return signCose({ algorithm: SHA_256, contentType, location }, digest, claims, signer);
}

async function signForeignDsse(
  invocation: Invocation,
  contentType: string,
  file: string,
  signer: NamedSigner,
): Promise<Uint8Array> {
  const needless = ["subject", "issuer", "location"].find((name) => invocation.text(name) !== undefined);
  if (needless !== undefined || invocation.flag("hash"))
    throw usageError(`--${needless ?? "hash"} is for COSE: want --cose; a DSSE envelope says nothing of it`);
  return signDsse(contentType, await readBytes(file), signer);
}
