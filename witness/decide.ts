/**
 * What a witness may sign: c2sp.org/tlog-witness, each MUST above the line that does it. Pure: a request, the keys that
 * are trusted for its origin, and the checkpoint that was cosigned last; it ends in what to hold and sign, or throws the
 * WritError whose status `app.ts` answers with.
 */
import {
  emptyRoot,
  type Hash,
  isSubtree,
  sameHash,
  verifyConsistency,
  verifySubtreeConsistency,
} from "../merkle/index.js";
import { ProofError, WritError } from "../src/errors.js";
import { type Checkpoint, parseCheckpoint } from "../src/format/checkpoint.js";
import { demandCovered, verifySignatures } from "../src/format/cosignature.js";
import { type Note, parseNote } from "../src/format/note.js";
import type { AddCheckpoint, SignSubtree } from "../src/format/proof-request.js";
import { isLineOf, type VerifierKey } from "../src/format/vkey.js";

/** The newest tree of a log that this witness has vouched for. */
export interface Held {
  readonly size: number;
  readonly root: Hash;
  /** The checkpoint with the log's lines that verified, and with our own once they are made. */
  readonly note: Note;
}

/** A checkpoint that a log has signed, which is all that is known of it yet. */
export interface Submitted {
  readonly checkpoint: Checkpoint;
  /** The text with those lines only that verified. */
  readonly note: Note;
}

/** The keys that are trusted for an origin; undefined when the origin is not known. */
export type TrustedKeys = (origin: string) => readonly VerifierKey[] | undefined;

/** The checkpoint of a request, signed by a log that we know. NOTE_MALFORMED, CHECKPOINT_MALFORMED, ORIGIN_UNKNOWN, CHECKPOINT_UNSIGNED. */
export function openSubmitted(bytes: Uint8Array, trusted: TrustedKeys): Submitted {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpoint(note.text);
  // SPEC: If the checkpoint origin is unknown, the witness MUST respond with a "404 Not Found" HTTP status code.
  const keys = trusted(checkpoint.origin);
  if (keys === undefined)
    throw new WritError("ORIGIN_UNKNOWN", `this witness does not cosign for ${checkpoint.origin}`);
  // SPEC: The witness MUST verify the checkpoint signature against the public key(s) it trusts for the checkpoint
  // origin, and it MUST ignore signatures from unknown keys.
  const signers = signersOf(note, keys);
  // SPEC: The witness MUST respond with a "403 Forbidden" HTTP status code if […] no signature from a trusted key for
  // the origin is present.
  if (signers.length === 0)
    throw new WritError(
      "CHECKPOINT_UNSIGNED",
      `no signature by a key that is trusted for ${checkpoint.origin}`,
    );
  // SPEC: extension lines are covered by Ed25519 signatures only.
  try {
    demandCovered(checkpoint, signers);
  } catch (error) {
    if (error instanceof ProofError) throw new WritError("CHECKPOINT_UNSIGNED", error.message);
    throw error;
  }
  const signatures = note.signatures.filter((line) => signers.some((key) => isLineOf(key, line)));
  return { checkpoint, note: { text: note.text, signatures } };
}

/**
 * May this checkpoint follow what is held (null: nothing yet)? REQUEST_MALFORMED, CHECKPOINT_STALE (with
 * the size that is held), CHECKPOINT_INCONSISTENT.
 */
export function demandExtension(request: AddCheckpoint, { checkpoint }: Submitted, held: Held | null): void {
  const { oldSize, hashes } = request;
  const { size, root } = checkpoint;
  // SPEC: The old size MUST be equal to or lower than the checkpoint size. Otherwise, the witness MUST respond with a
  // "400 Bad Request" HTTP status code.
  if (oldSize > size)
    throw new WritError("REQUEST_MALFORMED", `old is ${oldSize}, beyond the checkpoint's size of ${size}`);
  // SPEC: The witness MUST check that the old size matches the size of the latest checkpoint it cosigned for the
  // checkpoint's origin (or zero if it never cosigned a checkpoint for that origin). If it doesn't match, the witness
  // MUST respond with a "409 Conflict" HTTP status code.
  const heldSize = held?.size ?? 0;
  if (oldSize !== heldSize)
    throw new WritError("CHECKPOINT_STALE", `old is ${oldSize}, this witness holds ${heldSize}`, {
      size: heldSize,
    });
  // SPEC: A checkpoint of size zero MUST have the root hash of the empty tree. Otherwise, the witness MUST respond with
  // a "422 Unprocessable Entity" HTTP status code.
  if (size === 0 && !sameHash(root, emptyRoot()))
    throw inconsistent("size 0 with another root than the empty tree's");
  if (oldSize === 0) {
    // SPEC: If the old size is zero, the consistency proof MUST be empty […] the witness MUST respond with a "422
    // Unprocessable Entity" HTTP status code.
    if (hashes.length > 0) throw inconsistent("every tree extends the empty one: want no proof");
    return;
  }
  // SPEC: If the old size matches the checkpoint size, the witness MUST check that the root hashes are also identical.
  // If they don't match, the witness MUST respond with a "422 Unprocessable Entity" HTTP status code.
  if (held !== null && oldSize === size && !sameHash(root, held.root))
    throw inconsistent(`another root of ${size} than the one that was cosigned: two histories`);
  // SPEC: If […] a Merkle Consistency Proof doesn't verify, the witness MUST respond with a "422 Unprocessable Entity"
  // HTTP status code.
  try {
    verifyConsistency(oldSize, size, hashes, held?.root ?? emptyRoot(), root);
  } catch (error) {
    if (error instanceof ProofError) throw inconsistent(error.message);
    throw error;
  }
}

/** Are these two roots of one size, both signed by the log: proof that it has two histories? */
export function isFork({ checkpoint }: Submitted, held: Held | null): boolean {
  return held !== null && checkpoint.size === held.size && !sameHash(checkpoint.root, held.root);
}

/** The subtree of a request, once it is shown to be part of a checkpoint that one of `own` keys has cosigned. */
export function openSubtree(
  request: SignSubtree,
  trusted: TrustedKeys,
  own: readonly VerifierKey[],
): { readonly origin: string; readonly start: number; readonly end: number; readonly hash: Hash } {
  const { start, end, hash, hashes } = request;
  const note = parseNote(request.checkpoint);
  const { origin, size, root } = parseCheckpoint(note.text);
  // SPEC: The half-open interval [start, end) MUST be a valid subtree […] and end MUST be less than or equal to the
  // checkpoint size. If the request is invalid according to the rules above, the witness MUST respond with a "400 Bad
  // Request" HTTP status code.
  if (start >= end || end > size || !isSubtree(start, end))
    throw new WritError("REQUEST_MALFORMED", `[${start}, ${end}) is not a subtree of a tree of ${size}`);
  // SPEC: If the checkpoint origin is unknown, the witness MUST respond with a "404 Not Found" HTTP status code.
  if (trusted(origin) === undefined)
    throw new WritError("ORIGIN_UNKNOWN", `this witness does not cosign for ${origin}`);
  // SPEC: The witness MUST verify that the checkpoint includes a valid cosignature from one of its own keys. If the
  // witness can't verify the checkpoint, it MUST respond with a "403 Forbidden" HTTP status code.
  if (signersOf(note, own).length === 0)
    throw new WritError("CHECKPOINT_UNSIGNED", "the checkpoint carries no cosignature of this witness");
  // SPEC: If the Merkle Consistency Proof doesn't verify, the witness MUST respond with a "422 Unprocessable Entity"
  // HTTP status code.
  try {
    verifySubtreeConsistency(start, end, size, hashes, hash, root);
  } catch (error) {
    if (error instanceof ProofError) throw inconsistent(error.message);
    throw error;
  }
  return { origin, start, end, hash };
}

function signersOf(note: Note, keys: readonly VerifierKey[]): VerifierKey[] {
  try {
    return verifySignatures(note, keys).map(({ key }) => key);
  } catch (error) {
    // SPEC: […] or a signature line's key name and ID match a trusted key but the signature itself fails to verify (such
    // a note is malformed per signed-note): 403.
    if (error instanceof ProofError) throw new WritError("CHECKPOINT_UNSIGNED", error.message);
    throw error;
  }
}

function inconsistent(why: string): WritError {
  return new WritError("CHECKPOINT_INCONSISTENT", why);
}
