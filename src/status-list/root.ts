/** The root of a status list: RFC 6962 §2.1 over its 256 chunks of 128 bytes, so that one chunk can be proven to be in it. */
import { emptyRange, extendRange, type Hash, leafHash, rangeRoot } from "../../merkle/index.js";

const CHUNK_BYTES = 128;

/** `bits`: the 32 KiB of one list. */
export function listRoot(bits: Uint8Array): Hash {
  const chunks = Array.from({ length: bits.length / CHUNK_BYTES }, (_, i) =>
    leafHash(bits.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES)),
  );
  return rangeRoot(extendRange(emptyRange(), chunks));
}
