/** What a statement is about, held against the thing itself. */
import { ProofError } from "../errors.js";
import { verifierOf, type PublicKey } from "../statement/key.js";
import { type Artifact, artifactsOf as namedBy } from "../statement/artifacts.js";
import { guessForm, parseStatement } from "../statement/parse.js";

export type { Artifact } from "../statement/artifacts.js";

/** The algorithms that an artifact's digests are compared in. Others in a statement are passed over. */
export const DIGEST_ALGORITHMS = ["sha256", "sha384", "sha512"] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/**
 * The artifacts that a statement names by digest: an in-toto Statement's subjects, or what a hash envelope stands for.
 * WritError when it is no statement.
 */
export function artifactsOf(statement: Uint8Array): Artifact[] {
  return namedBy(parseStatement(statement, guessForm(statement)));
}

/**
 * The artifact of the statement that has these digests (lower-case hex): every digest of it that can be compared is the
 * same, and one at least can be. ProofError when there is none.
 */
export function matchArtifact(
  artifacts: readonly Artifact[],
  digests: Readonly<Record<DigestAlgorithm, string>>,
): Artifact {
  const found = artifacts.find((artifact) => {
    const known = DIGEST_ALGORITHMS.filter((algorithm) => artifact.digests.has(algorithm));
    return (
      known.length > 0 && known.every((algorithm) => artifact.digests.get(algorithm) === digests[algorithm])
    );
  });
  if (found !== undefined) return found;
  throw new ProofError(
    artifacts.length === 0
      ? "the statement names no artifact by its digest"
      : `none of the ${artifacts.length} artifacts that the statement names has the digest sha256:${digests.sha256}`,
  );
}

/** Is the statement signed by this key? ProofError when it is not; WritError when it is no statement. */
export function verifySignature(statement: Uint8Array, key: PublicKey): void {
  const { signatures, signedBytes } = parseStatement(statement, guessForm(statement));
  const own = signatures.find(({ keyId }) => keyId === key.keyId);
  if (own === undefined)
    throw new ProofError(
      `the statement is not signed by key ${key.keyId}, but by ${signatures.map(({ keyId }) => keyId).join(", ")}`,
    );
  const rightAlgorithm = own.algorithm === null || own.algorithm === key.algorithm;
  if (!rightAlgorithm || !verifierOf(key)(own.signature, signedBytes))
    throw new ProofError(`the signature by key ${key.keyId} does not verify`);
}
