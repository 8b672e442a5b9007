/**
 * Deterministic CBOR (RFC 8949 §4.2.1), both ways. The gate that inbound COSE passes before cbor-x decodes it: definite
 * lengths, shortest heads, shortest floats, map keys in bytewise order and each once, big numbers only where no integer
 * reaches, valid UTF-8, nothing after the end, bounded depth. cbor-x forgives all of these, and its encoder, left alone,
 * writes maps and integers in long forms.
 */
import { Encoder } from "cbor-x";
import { type ErrorCode, WritError } from "../errors.js";
import { concat, fromUtf8, toHex, utf8 } from "../format/bytes.js";
import { itemEnd } from "./well-formed.js";

const MAX_DEPTH = 16;

const codec = new Encoder({
  useRecords: false,
  mapsAsObjects: false,
  variableMapSize: true,
  tagUint8Array: false,
});

/** How bytes are read. */
export interface CborOptions {
  /**
   * No tags, no floats with a whole value, no simple values but true, false and null, and map keys are integers or text.
   * cbor-x folds the others into the plain value (1.0 is its 1, tag 64 its byte string, and undefined as good as absent),
   * where another reader keeps the two apart.
   */
  readonly plain?: boolean;
  /** May map keys stand in any order? Each still once. For what others have written and we never write again. */
  readonly anyOrder?: boolean;
  /** Where the first byte stands in what the sender sent: offsets in errors count from there. */
  readonly base?: number;
  /** The code of the error; ENVELOPE_MALFORMED unless given. */
  readonly code?: ErrorCode;
}

/** The value of exactly these bytes, read as `plain`: maps as Map, byte strings as Uint8Array. */
export function decodeCbor(bytes: Uint8Array, options: Omit<CborOptions, "plain"> = {}): unknown {
  const reader = new CborReader(bytes, { ...options, plain: true });
  reader.skip();
  reader.end();
  return decoded(bytes, options);
}

/** The map of exactly these bytes, read as `plain`, and its pairs as they stand. */
export function decodeCborMap(
  bytes: Uint8Array,
  what: string,
  most: number,
  options: Omit<CborOptions, "plain"> = {},
): { readonly value: ReadonlyMap<unknown, unknown>; readonly pairs: readonly CborPair[] } {
  const reader = new CborReader(bytes, { ...options, plain: true });
  const pairs = reader.map(what, most);
  reader.end();
  return { value: decoded(bytes, options) as ReadonlyMap<unknown, unknown>, pairs };
}

/** What has passed the reader, decoded. */
function decoded(bytes: Uint8Array, { code = "ENVELOPE_MALFORMED" }: CborOptions): unknown {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new WritError(code, "CBOR: not decodable", {}, { cause: error });
  }
}

/**
 * Deterministic CBOR of maps (as Map, in any order), arrays, text, bytes, safe integers, true, false and null. RangeError
 * for other numbers.
 */
export function encodeCbor(value: unknown): Uint8Array {
  if (typeof value === "number") return encodeInteger(value);
  if (typeof value === "string") return encodeText(utf8(value));
  if (value instanceof Uint8Array) return encodeBytes(value);
  if (Array.isArray(value)) return concat(head(4, value.length), ...value.map(encodeCbor));
  if (value instanceof Map) return encodeMap(value);
  return new Uint8Array(codec.encode(value));
}

export function encodeBytes(bytes: Uint8Array): Uint8Array {
  return new CborWriter(stringLength(bytes.length)).bytes(bytes).finish();
}

function encodeText(text: Uint8Array): Uint8Array {
  return new CborWriter(stringLength(text.length)).head(3, text.length).raw(text).finish();
}

function encodeMap(map: ReadonlyMap<unknown, unknown>): Uint8Array {
  const pairs = [...map].map(([key, value]) => [encodeCbor(key), encodeCbor(value)] as const);
  return concat(head(5, map.size), ...pairs.toSorted(([a], [b]) => compareBytes(a, b)).flat());
}

function encodeInteger(n: number): Uint8Array {
  if (!Number.isSafeInteger(n)) throw new RangeError(`want a safe integer, got ${n}`);
  return n >= 0 ? head(0, n) : head(1, -1 - n);
}

/** The shortest head of a major type with this argument. */
export function head(major: number, argument: number): Uint8Array {
  return new CborWriter(headLength(argument)).head(major, argument).finish();
}

/** Bytes of the shortest head with this argument. */
export function headLength(argument: number): number {
  if (argument < 24) return 1;
  if (argument < 0x100) return 2;
  return argument < 0x10000 ? 3 : argument < 0x100000000 ? 5 : 9;
}

/** Bytes of a byte string or text of `length` bytes, with its head. */
export function stringLength(length: number): number {
  return headLength(length) + length;
}

/** Writes items one after another into one buffer: what is made for every entry allocates once (a third of its time, measured). */
export class CborWriter {
  private at = 0;
  private readonly out: Uint8Array;

  /** `length`: exactly what will be written. */
  constructor(length: number) {
    this.out = new Uint8Array(length);
  }

  head(major: number, argument: number): this {
    const width = headLength(argument) - 1;
    const info = width === 0 ? argument : width === 1 ? 24 : width === 2 ? 25 : width === 4 ? 26 : 27;
    this.out[this.at++] = major * 32 + info;
    let rest = argument;
    for (let i = width - 1; i >= 0; i--) {
      this.out[this.at + i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.at += width;
    return this;
  }

  /** A byte string. */
  bytes(bytes: Uint8Array): this {
    return this.head(2, bytes.length).raw(bytes);
  }

  /** What is CBOR already. */
  raw(bytes: Uint8Array): this {
    this.out.set(bytes, this.at);
    this.at += bytes.length;
    return this;
  }

  /** RangeError when it is not as long as was said. */
  finish(): Uint8Array {
    if (this.at !== this.out.length) throw new RangeError(`wrote ${this.at} bytes of ${this.out.length}`);
    return this.out;
  }
}

/** Bytewise lexicographic order (RFC 8949 §4.2.1): below 0 when `a` comes first, 0 when they are equal. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A pair of a map, each side as its own bytes. */
export interface CborPair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Where they stand in what the sender sent. */
  readonly keyAt: number;
  readonly valueAt: number;
}

/** The bytes in a byte string, and where they stand in what the sender sent. */
export interface CborBytes {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** Walks deterministic CBOR item by item. Every method throws WritError, with the offset, on anything else. */
export class CborReader {
  private at = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly options: CborOptions = {},
  ) {}

  /** Where the next item stands in what the sender sent. */
  get offset(): number {
    return this.base + this.at;
  }

  private get base(): number {
    return this.options.base ?? 0;
  }

  end(): void {
    if (this.at !== this.bytes.length) this.fail(`${this.bytes.length - this.at} bytes after the end`);
  }

  /** The major type of the item that comes next, or undefined at the end. */
  peek(): number | undefined {
    const initial = this.bytes[this.at];
    return initial === undefined ? undefined : Math.floor(initial / 32);
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

  /** Reads a byte string that holds CBOR of its own. */
  nested(what: string): CborBytes {
    const bytes = this.byteString(what);
    return { bytes, at: this.base + this.at - bytes.length };
  }

  /** Reads a byte string, or null. */
  byteStringOrNull(what: string): Uint8Array | null {
    if (this.bytes[this.at] !== NULL) return this.byteString(what);
    this.at++;
    return null;
  }

  /** Reads a non-negative integer below 2^53. */
  uint(what: string): number {
    const start = this.at;
    const n = this.expect(0, what);
    return Number.isSafeInteger(n) ? n : this.fail(`want ${what} below 2^53`, start);
  }

  /** Reads a map of at most `most` pairs as the bytes of each. */
  map(what: string, most = Number.POSITIVE_INFINITY): CborPair[] {
    const start = this.at;
    const count = this.expect(5, what);
    if (count > most) this.fail(`want ${what}, with at most ${most} keys, got ${count}`, start);
    const pairs: CborPair[] = [];
    this.pairs(count, 0, (pair) => pairs.push(pair));
    return pairs;
  }

  /** The same, of which nothing is kept: where it is not deterministic, it is passed over if it is well-formed, and gives no pairs. */
  looseMap(what: string, most: number): CborPair[] {
    const start = this.at;
    if (this.peek() !== 5) this.fail(`want ${what}`, start);
    try {
      return this.map(what, most);
    } catch (error) {
      const end = itemEnd(this.bytes, start);
      if (end === undefined || this.hasMore(start, most)) throw error;
      this.at = end;
      return [];
    }
  }

  /** Does a map say that it has more pairs than that? */
  private hasMore(start: number, most: number): boolean {
    const info = (this.bytes[start] ?? 0) % 32;
    if (info < 24 || info === 31) return false;
    this.at = start + 1;
    return this.number(2 ** (info - 24)) > most;
  }

  /** Walks over one item of any kind, strictly. */
  skip(depth = 0): void {
    if (depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels`);
    const start = this.at;
    const { major, argument } = this.head();
    if (major === 2) this.take(argument);
    else if (major === 3) this.demandText(this.take(argument));
    else if (major === 4) for (let i = 0; i < argument; i++) this.skip(depth + 1);
    else if (major === 5) this.pairs(argument, depth);
    else if (major === 6) {
      if (this.options.plain) this.fail("a tag where none belongs", start);
      if (argument === 2 || argument === 3) this.demandBigNumber();
      else this.skip(depth + 1);
    }
  }

  private pairs(count: number, depth: number, see?: (pair: CborPair) => void): void {
    const keys = this.options.anyOrder ? new Set<string>() : null;
    let last: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const start = this.at;
      const major = this.peek();
      if (this.options.plain && major !== 0 && major !== 1 && major !== 3 && major !== undefined)
        this.fail("a map key that is neither an integer nor text");
      this.skip(depth + 1);
      const key = this.bytes.subarray(start, this.at);
      // In deterministic form equal keys have equal bytes.
      const order = last === undefined ? -1 : compareBytes(last, key);
      if (order === 0 || keys?.has(toHex(key))) this.fail("a map key twice", start);
      if (order > 0 && keys === null) this.fail("map keys not in bytewise order", start);
      keys?.add(toHex(key));
      last = key;
      const valueAt = this.at;
      this.skip(depth + 1);
      see?.({
        key,
        value: this.bytes.subarray(valueAt, this.at),
        keyAt: this.base + start,
        valueAt: this.base + valueAt,
      });
    }
  }

  private head(): { major: number; argument: number } {
    const start = this.at;
    const initial = this.bytes[start] ?? this.fail("1 bytes short");
    this.at++;
    const major = Math.floor(initial / 32);
    const info = initial % 32;
    if (major === 7) return { major, argument: this.simpleOrFloat(info, start) };
    if (info < 24) return { major, argument: info };
    if (info > 27) this.fail(info === 31 ? "an indefinite length" : "a reserved head", start);
    const width = 2 ** (info - 24);
    const argument = this.number(width);
    const least = width === 1 ? 24 : 2 ** (4 * width);
    if (argument < least) this.fail("an integer or length not in its shortest form", start);
    // Integers up to 2^64 are well-formed values; as a length or tag such a number can only be wrong.
    if (major > 1 && !Number.isSafeInteger(argument)) this.fail("a length beyond 2^53", start);
    return { major, argument };
  }

  /** The next `width` bytes as a number; beyond 2^53 it is rounded, and only its size matters. */
  private number(width: number): number {
    const end = this.at + width;
    if (end > this.bytes.length) this.fail(`${end - this.bytes.length} bytes short`);
    let sum = 0;
    while (this.at < end) sum = sum * 256 + (this.bytes[this.at++] ?? 0);
    return sum;
  }

  private simpleOrFloat(info: number, start: number): number {
    if (info <= 24) return this.simple(info, start);
    if (info > 27)
      this.fail(info === 31 ? "a break without an indefinite item" : "a reserved simple value", start);
    const width = 2 ** (info - 24);
    const encoded = this.take(width);
    const value = floatOf(encoded);
    if (width !== shortestFloat(value) || (Number.isNaN(value) && !isCanonicalNaN(encoded)))
      this.fail("a float not in its shortest form", start);
    if (this.options.plain && Number.isInteger(value)) this.fail("a float with a whole value", start);
    return info;
  }

  /** RFC 8949 §3.3: below 24 in the head itself, from 32 on in a byte of its own. */
  private simple(info: number, start: number): number {
    const value = info === 24 ? this.number(1) : info;
    if (info === 24 && value < 32) this.fail("a reserved simple value", start);
    if (this.options.plain && (value < FALSE || value > NULL_VALUE))
      this.fail("a simple value other than true, false and null", start);
    return value;
  }

  /** Tags 2 and 3 (RFC 8949 §3.4.3): for what no integer reaches, and without leading zeros. */
  private demandBigNumber(): void {
    const start = this.at;
    const digits = this.byteString("the bytes of a big number");
    if (digits.length <= 8 || digits[0] === 0) this.fail("a big number not in its shortest form", start);
  }

  private take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.bytes.length) this.fail(`${end - this.bytes.length} bytes short`);
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }

  private demandText(bytes: Uint8Array): void {
    if (fromUtf8(bytes) === undefined) this.fail("a text string that is not UTF-8", this.at - bytes.length);
  }

  private fail(why: string, at = this.at): never {
    const { code = "ENVELOPE_MALFORMED" } = this.options;
    throw new WritError(code, `CBOR: ${why} (at byte ${this.base + at})`);
  }
}

const NULL = 0xf6;
/** The simple values false, true and null are 20, 21 and 22. */
const [FALSE, NULL_VALUE] = [20, 22];

/** The value of a float of 2, 4 or 8 bytes. */
function floatOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === 8) return view.getFloat64(0);
  if (bytes.length === 4) return view.getFloat32(0);
  return halfFloat(view.getUint16(0));
}

/** RFC 8949 appendix D. */
function halfFloat(bits: number): number {
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor(bits / 1024) % 32;
  const fraction = bits % 1024;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent < 31) return sign * (fraction + 1024) * 2 ** (exponent - 25);
  return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
}

/** The bytes that the shortest float with this value has. */
function shortestFloat(value: number): 2 | 4 | 8 {
  if (Number.isNaN(value) || fitsHalf(value)) return 2;
  return Math.fround(value) === value ? 4 : 8;
}

/** Has a half float exactly this value: eleven bits, between 2^-24 and 65,504? */
function fitsHalf(value: number): boolean {
  const size = Math.abs(value);
  if (size === 0 || size === Number.POSITIVE_INFINITY) return true;
  if (size > 65_504) return false;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  return Number.isInteger(size * 2 ** (10 - exponent));
}

function isCanonicalNaN(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7e && bytes[1] === 0;
}
