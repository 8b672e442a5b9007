/** CBOR by well-formedness alone, for what is passed over and not read. */

const MAX_DEPTH = 32;
const BREAK = 0xff;

/**
 * Where the item at `start` ends, by well-formedness alone (RFC 8949 appendix C): long forms and indefinite lengths are
 * walked over. Undefined when the bytes end first or are not CBOR.
 */
export function itemEnd(bytes: Uint8Array, start: number, depth = 0): number | undefined {
  const initial = bytes[start];
  if (initial === undefined || depth > MAX_DEPTH) return undefined;
  const major = Math.floor(initial / 32);
  const info = initial % 32;
  if (info > 27 && info < 31) return undefined;
  const width = info < 24 || info === 31 ? 0 : 2 ** (info - 24);
  const content = start + 1 + width;
  if (content > bytes.length) return undefined;
  if (major === 7) return info === 31 ? undefined : content;
  if (major < 2) return info === 31 ? undefined : content;
  if (info === 31) return major === 6 ? undefined : itemsUntilBreak(bytes, content, depth);
  const argument =
    width === 0 ? info : bytes.subarray(start + 1, content).reduce((sum, byte) => sum * 256 + byte, 0);
  if (major < 4) return content + argument <= bytes.length ? content + argument : undefined;
  const children = major === 4 ? argument : major === 5 ? 2 * argument : 1;
  let at: number | undefined = content;
  for (let i = 0; i < children && at !== undefined; i++) at = itemEnd(bytes, at, depth + 1);
  return at;
}

function itemsUntilBreak(bytes: Uint8Array, start: number, depth: number): number | undefined {
  let at: number | undefined = start;
  while (at !== undefined && bytes[at] !== BREAK) at = itemEnd(bytes, at, depth + 1);
  return at === undefined ? undefined : at + 1;
}
