/** Something did not verify: a proof, a root, a signature. Checks throw it; an ignored `false` would be a hole. */
export class ProofError extends Error {
  override readonly name = "ProofError";
  readonly code = "PROOF_INVALID";
}
