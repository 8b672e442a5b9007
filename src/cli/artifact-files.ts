/** Files held against the digests that a statement names. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { ProofError } from "../errors.js";
import { type Artifact, artifactsOf, type DigestAlgorithm, matchArtifact } from "../verify/index.js";
import { unreadable } from "./files.js";

/** Each file, and what the statement calls it. ProofError, with the file's name, when it names no such thing. */
export async function demandArtifacts(
  statement: Uint8Array,
  files: readonly string[],
): Promise<{ readonly file: string; readonly name: string | null }[]> {
  if (files.length === 0) return [];
  const artifacts = artifactsOf(statement);
  return Promise.all(files.map(async (file) => ({ file, name: await nameOf(file, artifacts) })));
}

async function nameOf(file: string, artifacts: readonly Artifact[]): Promise<string | null> {
  try {
    return matchArtifact(artifacts, await digestsOf(file)).name;
  } catch (error) {
    throw error instanceof ProofError ? new ProofError(`${file}: ${error.message}`) : error;
  }
}

/** The digests of a file of any size, or of standard input (`-`), in lower-case hex: it is read once, piece by piece. */
export async function digestsOf(file: string): Promise<Record<DigestAlgorithm, string>> {
  const hashes = { sha256: createHash("sha256"), sha384: createHash("sha384"), sha512: createHash("sha512") };
  try {
    for await (const piece of file === "-" ? process.stdin : createReadStream(file))
      for (const hash of Object.values(hashes)) hash.update(piece as Buffer);
  } catch (error) {
    throw unreadable(file, error);
  }
  return {
    sha256: hashes.sha256.digest("hex"),
    sha384: hashes.sha384.digest("hex"),
    sha512: hashes.sha512.digest("hex"),
  };
}
