/**
 * Strict CBOR: the gate that inbound COSE passes before cbor-x decodes it. RFC 8949 §4.2.1 as far as it concerns
 * acceptance: definite lengths, shortest integers and lengths, no duplicate map keys, no trailing bytes, valid UTF-8,
 * bounded depth. cbor-x forgives all of these, and its encoder, left alone, writes maps and integers in long forms.
 */
import { Encoder } from "cbor-x";
import { WritError } from "../errors.js";
import { concat, fromUtf8, toHex, utf8 } from "../format/bytes.js";

const MAX_DEPTH = 16;

const codec = new Encoder({
  useRecords: false,
  mapsAsObjects: false,
  variableMapSize: true,
  tagUint8Array: false,
});

/**
 * The value of exactly these bytes: maps as Map, byte strings as Uint8Array. WritError ENVELOPE_MALFORMED.
 *
 * Nothing that we decode has a tag or a float in it, and cbor-x folds them into the plain value (1.0 is its 1, tag 64 its
 * byte string), where another reader keeps two keys apart. So they are refused, and map keys are integers or text.
 */
export function decodeCbor(bytes: Uint8Array): unknown {
  const reader = new CborReader(bytes, 0, true);
  reader.skip();
  reader.end();
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new WritError("ENVELOPE_MALFORMED", "CBOR: not decodable", {}, { cause: error });
  }
}

/** Deterministic CBOR of maps (as Map, in the order given), arrays, text, bytes and safe integers. */
export function encodeCbor(value: unknown): Uint8Array {
  if (typeof value === "number") return encodeInteger(value);
  if (typeof value === "string") return concat(head(3, utf8(value).length), utf8(value));
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(encodeCbor));
  if (value instanceof Map) {
    return concat(head(5, value.size), ...[...value].flatMap(([k, v]) => [encodeCbor(k), encodeCbor(v)]));
  }
  return new Uint8Array(codec.encode(value));
}

function encodeInteger(n: number): Uint8Array {
  if (!Number.isSafeInteger(n)) throw new RangeError(`want a safe integer, got ${n}`);
  return n >= 0 ? head(0, n) : head(1, -1 - n);
}

/** The shortest head of a major type with this argument. */
export function head(major: number, argument: number): Uint8Array {
  const type = major * 32;
  if (argument < 24) return Uint8Array.of(type + argument);
  if (argument < 0x100) return Uint8Array.of(type + 24, argument);
  const width = argument < 0x10000 ? 2 : argument < 0x100000000 ? 4 : 8;
  const out = new Uint8Array(1 + width);
  out[0] = type + (width === 2 ? 25 : width === 4 ? 26 : 27);
  const view = new DataView(out.buffer);
  if (width === 8) view.setBigUint64(1, BigInt(argument));
  else if (width === 4) view.setUint32(1, argument);
  else view.setUint16(1, argument);
  return out;
}

/** Walks strict CBOR item by item. Every method throws WritError ENVELOPE_MALFORMED on anything else. */
export class CborReader {
  /** `plain`: no tags, no floats, and no map keys but integers and text. */
  constructor(
    private readonly bytes: Uint8Array,
    private at = 0,
    private readonly plain = false,
  ) {}

  get offset(): number {
    return this.at;
  }

  end(): void {
    if (this.at !== this.bytes.length) this.fail(`${this.bytes.length - this.at} bytes after the end`);
  }

  /** Reads a head of this major type and returns its argument. */
  expect(major: number, what: string): number {
    const start = this.at;
    const item = this.head();
    if (item.major !== major) this.fail(`want ${what}`, start);
    return item.argument;
  }

  /** Reads a byte string. */
  byteString(what: string): Uint8Array {
    return this.take(this.expect(2, what));
  }

  /** Walks over one item of any kind, strictly. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels`);
    const { major, argument } = this.head();
    if (major === 2) this.take(argument);
    else if (major === 3) this.demandText(this.take(argument));
    else if (major === 4) for (let i = 0; i < argument; i++) this.skip(depth + 1);
    else if (major === 5) this.skipMap(argument, depth);
    else if (major === 6) {
      if (this.plain) this.fail("a tag where none belongs");
      this.skip(depth + 1);
    }
  }

  private skipMap(pairs: number, depth: number): void {
    const keys = new Set<string>();
    for (let i = 0; i < pairs; i++) {
      const start = this.at;
      if (this.plain && ![0, 1, 3].includes(Math.floor((this.bytes[start] ?? 0) / 32))) {
        this.fail("a map key that is neither an integer nor text");
      }
      this.skip(depth + 1);
      // In strict form equal keys have equal bytes.
      const key = toHex(this.bytes.subarray(start, this.at));
      if (keys.has(key)) this.fail("a map key twice", start);
      keys.add(key);
      this.skip(depth + 1);
    }
  }

  private head(): { major: number; argument: number } {
    const start = this.at;
    const [initial = 0] = this.take(1);
    const major = Math.floor(initial / 32);
    const info = initial % 32;
    if (major === 7) return { major, argument: this.simpleOrFloat(info) };
    if (info < 24) return { major, argument: info };
    if (info > 27) this.fail(info === 31 ? "an indefinite length" : "a reserved head", start);
    const width = 2 ** (info - 24);
    const argument = this.take(width).reduce((sum, byte) => sum * 256 + byte, 0);
    const least = width === 1 ? 24 : 2 ** (4 * width);
    if (argument < least) this.fail("an integer or length not in its shortest form", start);
    // Integers up to 2^64 are well-formed values; as a length or tag such a number can only be wrong.
    if (major > 1 && !Number.isSafeInteger(argument)) this.fail("a length beyond 2^53", start);
    return { major, argument };
  }

  private simpleOrFloat(info: number): number {
    if (info <= 23) return info;
    if (info < 25 || info > 27)
      this.fail(info === 31 ? "a break without an indefinite item" : "a reserved simple value");
    if (this.plain) this.fail("a float where none belongs");
    this.take(2 ** (info - 24));
    return info;
  }

  private take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.bytes.length) this.fail(`${end - this.bytes.length} bytes short`);
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  private demandText(bytes: Uint8Array): void {
    if (fromUtf8(bytes) === undefined) this.fail("a text string that is not UTF-8");
  }

  private fail(why: string, at = this.at): never {
    throw new WritError("ENVELOPE_MALFORMED", `CBOR: ${why} (at byte ${at})`);
  }
}
