/**
 * Signature lines under a note, by type (c2sp.org/signed-note, c2sp.org/tlog-cosignature):
 *
 * - 0x01 Ed25519: 64 bytes over the text. A log's own.
 * - 0x04 Ed25519 cosignature: u64 timestamp ‖ 64 bytes over `cosignature/v1\ntime <t>\n` + text.
 * - 0x06 ML-DSA-44: u64 timestamp ‖ 2,420 bytes (FIPS 204, pure, empty context) over a `cosigned_message`.
 */
import { ed25519Sign, ed25519Verify } from "#crypto";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import type { Hash } from "../../merkle/index.js";
import { ProofError } from "../errors.js";
import { concat, uint64, utf8 } from "./bytes.js";
import { type Checkpoint, formatCheckpoint, parseCheckpoint } from "./checkpoint.js";
import { formatNote, type Note, parseNote, type SignatureLine } from "./note.js";
import {
  ED25519,
  ED25519_COSIGNATURE,
  isLineOf,
  ML_DSA_44,
  type SigningKey,
  type VerifierKey,
} from "./vkey.js";

const TIMESTAMP_BYTES = 8;
/** "It MUST NOT exceed 2^63 - 1" */
const MAX_TIMESTAMP = 2n ** 63n - 1n;

/** A key whose signature under a note verified; `time` in POSIX seconds where the type carries one. */
export interface Verified {
  readonly key: VerifierKey;
  readonly time: bigint | null;
}

/**
 * Which of `keys` signed the note. Lines of other keys are ignored; a line of a known key that fails makes the whole
 * note bad (ProofError). The result may be empty: how many are enough is the caller's policy.
 */
export function verifySignatures(note: Note, keys: readonly VerifierKey[]): Verified[] {
  const verified: Verified[] = [];
  for (const line of note.signatures) {
    const key = keys.find((candidate) => isLineOf(candidate, line));
    if (key !== undefined) verified.push({ key, time: verifyLine(line, key, note.text) });
  }
  return verified;
}

/** Verifies one line by its key and returns its timestamp. ProofError when it does not hold. */
export function verifyLine(line: SignatureLine, key: VerifierKey, text: string): bigint | null {
  const fail = (why: string): never => {
    throw new ProofError(`signature of ${key.name}: ${why}`);
  };
  if (key.type === ED25519) {
    if (!ed25519Verify(line.signature, utf8(text), key.publicKey)) fail("does not verify");
    return null;
  }
  if (line.signature.length <= TIMESTAMP_BYTES) fail("too short for a timestamp");
  const time = new DataView(line.signature.buffer, line.signature.byteOffset).getBigUint64(0);
  // SPEC: a log's own line may have timestamp 0, and then does not say that this is its largest checkpoint.
  const isOwn = key.type === ML_DSA_44 && parseCheckpoint(text).origin === key.name;
  if ((time === 0n && !isOwn) || time > MAX_TIMESTAMP) fail(`timestamp ${time} is not valid on a checkpoint`);
  const signature = line.signature.subarray(TIMESTAMP_BYTES);
  const holds =
    key.type === ED25519_COSIGNATURE
      ? ed25519Verify(signature, cosignedText(time, text), key.publicKey)
      : signature.length === ml_dsa44.lengths.signature &&
        ml_dsa44.verify(signature, cosignedCheckpoint(key.name, time, parseCheckpoint(text)), key.publicKey);
  if (!holds) fail("does not verify");
  return time;
}

/** What type 0x04 signs. */
export function cosignedText(time: bigint, text: string): Uint8Array {
  return utf8(`cosignature/v1\ntime ${time}\n${text}`);
}

/** A `cosigned_message` (tlog-cosignature, "ML-DSA-44 signed message"). RangeError when start ≠ 0 has a timestamp. */
export function cosignedMessage(message: {
  readonly cosigner: string;
  readonly time: bigint;
  readonly origin: string;
  readonly start: number;
  readonly end: number;
  readonly hash: Hash;
}): Uint8Array {
  if (message.start !== 0 && message.time !== 0n)
    throw new RangeError("a subtree from elsewhere has timestamp 0");
  const timestamp = new Uint8Array(TIMESTAMP_BYTES);
  new DataView(timestamp.buffer).setBigUint64(0, message.time);
  return concat(
    utf8("subtree/v1\n\0"),
    lengthPrefixed(message.cosigner),
    timestamp,
    lengthPrefixed(message.origin),
    uint64(message.start),
    uint64(message.end),
    message.hash,
  );
}

function cosignedCheckpoint(cosigner: string, time: bigint, { origin, size, root }: Checkpoint): Uint8Array {
  return cosignedMessage({ cosigner, time, origin, start: 0, end: size, hash: root });
}

function lengthPrefixed(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length < 1 || bytes.length > 255)
    throw new RangeError(`want 1 to 255 bytes, got ${bytes.length}`);
  return concat(Uint8Array.of(bytes.length), bytes);
}

/** The log's own 0x01 signature under a text: a signed note. */
export function signNote(text: string, key: SigningKey): Note {
  if (key.type !== ED25519)
    throw new RangeError("a note is signed by a key of type 1; `cosign` is for the others");
  return { text, signatures: [lineOf(key, ed25519Sign(utf8(text), key.seed))] };
}

/**
 * A witness's line under a checkpoint (type 4 or 6), or a log's own of type 6. `time`: POSIX seconds, not 0. RangeError
 * for another type or time.
 */
export function cosign(text: string, key: SigningKey, time: bigint): SignatureLine {
  if (time <= 0n || time > MAX_TIMESTAMP)
    throw new RangeError(`timestamp ${time} is not valid on a checkpoint`);
  if (key.type === ED25519_COSIGNATURE)
    return lineOf(key, timestamped(time, ed25519Sign(cosignedText(time, text), key.seed)));
  const message = cosignedCheckpoint(key.name, time, parseCheckpoint(text));
  return lineOf(key, timestamped(time, mlDsaSign(message, key)));
}

/** A line of type 6 for the subtree [start, end) of a log, with timestamp 0: no statement that it is the newest. */
export function cosignSubtree(
  subtree: { readonly origin: string; readonly start: number; readonly end: number; readonly hash: Hash },
  key: SigningKey,
): SignatureLine {
  const message = cosignedMessage({ ...subtree, cosigner: key.name, time: 0n });
  return lineOf(key, timestamped(0n, mlDsaSign(message, key)));
}

/** Does the line cosign the subtree, with timestamp 0, by this key of type 6? ProofError when it does not. */
export function verifySubtreeLine(
  line: SignatureLine,
  key: VerifierKey,
  subtree: { readonly origin: string; readonly start: number; readonly end: number; readonly hash: Hash },
): void {
  const [time, signature] = [
    line.signature.subarray(0, TIMESTAMP_BYTES),
    line.signature.subarray(TIMESTAMP_BYTES),
  ];
  const holds =
    key.type === ML_DSA_44 &&
    isLineOf(key, line) &&
    time.every((byte) => byte === 0) &&
    signature.length === ml_dsa44.lengths.signature &&
    ml_dsa44.verify(signature, cosignedMessage({ ...subtree, cosigner: key.name, time: 0n }), key.publicKey);
  if (!holds) throw new ProofError(`subtree cosignature of ${key.name}: does not verify`);
}

/** Expanding a seed costs as much as a signature. */
const expanded = new WeakMap<SigningKey, Uint8Array>();

function mlDsaSign(message: Uint8Array, key: SigningKey): Uint8Array {
  if (key.type !== ML_DSA_44) throw new RangeError(`want a key of type ${ML_DSA_44}, got ${key.type}`);
  const secret = expanded.get(key) ?? ml_dsa44.keygen(key.seed).secretKey;
  expanded.set(key, secret);
  return ml_dsa44.sign(message, secret);
}

function lineOf({ name, keyId }: VerifierKey, signature: Uint8Array): SignatureLine {
  return { name, keyId, signature };
}

/** A `timestamped_signature`. */
function timestamped(time: bigint, signature: Uint8Array): Uint8Array {
  const timestamp = new Uint8Array(TIMESTAMP_BYTES);
  new DataView(timestamp.buffer).setBigUint64(0, time);
  return concat(timestamp, signature);
}

export function signCheckpoint(checkpoint: Checkpoint, key: SigningKey): Uint8Array {
  return formatNote(signNote(formatCheckpoint(checkpoint), key));
}

/**
 * ProofError for extension lines under keys of type 6 alone: what these sign is origin, size and root, and anybody could have put
 * the lines there.
 */
export function demandCovered({ origin, extensions }: Checkpoint, signers: readonly VerifierKey[]): void {
  if (extensions.length > 0 && signers.length > 0 && signers.every(({ type }) => type === ML_DSA_44))
    throw new ProofError(
      `checkpoint of ${origin}: it has extension lines, which no Ed25519 signature covers`,
    );
}

/**
 * The checkpoint in a signed note, by a log whose key is known. ProofError unless the log's signature is there and
 * verifies and the origin is the key's name; WritError when it is no checkpoint at all.
 */
export function openCheckpoint(
  bytes: Uint8Array,
  logKey: VerifierKey,
): { checkpoint: Checkpoint; note: Note } {
  const note = parseNote(bytes);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== logKey.name) {
    throw new ProofError(`checkpoint of ${checkpoint.origin}, want one of ${logKey.name}`);
  }
  const verified = verifySignatures(note, [logKey]);
  demandCovered(
    checkpoint,
    verified.map(({ key }) => key),
  );
  if (verified.length === 0) {
    throw new ProofError(
      `checkpoint of ${checkpoint.origin}: no signature by the key that is pinned; is that of another log of this name?`,
    );
  }
  return { checkpoint, note };
}
