/** Bytes and text: the few operations every format needs. Strict UTF-8 both ways. */
import { fromHex as decodeHex, toHex, utf8 } from "#crypto";

export { toHex, utf8 };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text, or undefined when the bytes are not valid UTF-8. A byte order mark is kept as U+FEFF. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** All of a stream of chunks, or null as soon as there are more than `maxBytes`. */
export async function collect(chunks: AsyncIterable<unknown>, maxBytes: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const part = chunk as Uint8Array;
    length += part.length;
    if (length > maxBytes) return null;
    parts.push(part);
  }
  return concat(...parts);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The bytes of lower-case hex text, or undefined. */
export function fromHex(text: string): Uint8Array | undefined {
  return text.length % 2 === 0 && /^[0-9a-f]*$/.test(text) ? decodeHex(text) : undefined;
}

/** `n` as 8 big-endian bytes; RangeError unless a safe integer ≥ 0. */
export function uint64(n: number): Uint8Array {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`want a safe integer ≥ 0, got ${n}`);
  const [high, low] = [Math.floor(n / 2 ** 32), n % 2 ** 32];
  // Byte by byte: twice as fast as a view, and there are ten of them an entry.
  return Uint8Array.of(high >>> 24, high >>> 16, high >>> 8, high, low >>> 24, low >>> 16, low >>> 8, low);
}

/** The number in 8 big-endian bytes at `offset`; RangeError when it is not a safe integer. */
export function readUint64(bytes: Uint8Array, offset = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
  if (!Number.isSafeInteger(n)) throw new RangeError("the number does not fit 53 bits");
  return n;
}

/**
 * A decimal number as the C2SP formats write it: ASCII digits, no sign, no leading zeros, below 2^53.
 * Anything else is undefined.
 */
export function parseDecimal(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const n = Number(text);
  return Number.isSafeInteger(n) ? n : undefined;
}
