/**
 * A strict JSON reader (RFC 8259, I-JSON's rules of RFC 7493): UTF-8 without a byte order mark, no duplicate member
 * names, no lone surrogates, no integer beyond ±(2^53 − 1), no `__proto__`, bounded depth. `JSON.parse` forgives all
 * of these, and two readers that forgive differently see two records in the same signed bytes.
 */
import { type ErrorCode, WritError } from "../errors.js";
import { fromUtf8 } from "../format/bytes.js";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** How deep a statement or record may nest. */
const MAX_DEPTH = 64;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

/** The value in these bytes. WritError with the caller's code, the offset and what was wanted. */
export function parseJson(bytes: Uint8Array, code: ErrorCode, maxDepth = MAX_DEPTH): Json {
  const text = fromUtf8(bytes);
  if (text === undefined) throw new WritError(code, "JSON: not valid UTF-8");
  const reader = new Reader(text, code, maxDepth);
  const value = reader.value(0);
  reader.end();
  return value;
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

class Reader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly code: ErrorCode,
    private readonly maxDepth: number,
  ) {}

  value(depth: number): Json {
    if (depth > this.maxDepth) this.fail(`at most ${this.maxDepth} levels`);
    switch (this.space()) {
      case OPEN_BRACE:
        return this.object(depth);
      case OPEN_BRACKET:
        return this.array(depth);
      case QUOTE:
        return this.string();
      case 0x74:
        return this.literal("true", true);
      case 0x66:
        return this.literal("false", false);
      case 0x6e:
        return this.literal("null", null);
      default:
        return this.number();
    }
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) this.fail("want nothing after the value");
  }

  private object(depth: number): JsonObject {
    const object: Record<string, Json> = {};
    this.at++;
    if (this.next(CLOSE_BRACE)) return object;
    do {
      if (this.space() !== QUOTE) this.fail("want a member name");
      const name = this.string();
      if (name === "__proto__") this.fail("a member may not be named __proto__");
      if (Object.hasOwn(object, name)) this.fail(`member ${JSON.stringify(name.slice(0, 40))} twice`);
      if (!this.next(COLON)) this.fail("want : after a member name");
      object[name] = this.value(depth + 1);
    } while (this.next(COMMA));
    if (!this.next(CLOSE_BRACE)) this.fail("want , or } after a member");
    return object;
  }

  private array(depth: number): Json[] {
    const array: Json[] = [];
    this.at++;
    if (this.next(CLOSE_BRACKET)) return array;
    do array.push(this.value(depth + 1));
    while (this.next(COMMA));
    if (!this.next(CLOSE_BRACKET)) this.fail("want , or ] after an element");
    return array;
  }

  private string(): string {
    const { text } = this;
    const start = this.at;
    let escaped = false;
    for (let i = start + 1; i < text.length; i++) {
      const char = text.charCodeAt(i);
      if (char === QUOTE) {
        this.at = i + 1;
        return escaped ? this.unescape(text.slice(start, i + 1)) : text.slice(start + 1, i);
      }
      if (char < 0x20) this.fail("a control character in a string", i);
      if (char === BACKSLASH) {
        escaped = true;
        i++;
      }
    }
    return this.fail("a string without an end");
  }

  private unescape(quoted: string): string {
    let value: unknown;
    try {
      value = JSON.parse(quoted);
    } catch {
      // answered below: the only way a quoted token fails is a bad escape
    }
    if (typeof value !== "string") return this.fail("a bad escape in a string");
    if (/\p{Surrogate}/u.test(value)) this.fail("a lone surrogate in a string");
    return value;
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const token = NUMBER.exec(this.text)?.[0];
    if (token === undefined) return this.fail("want a value");
    const value = Number(token);
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      this.fail(`a number beyond ±(2^53 − 1): ${token.slice(0, 40)}`);
    }
    this.at += token.length;
    return value;
  }

  private literal<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail("want a value");
    this.at += word.length;
    return value;
  }

  /** Skips space and, if it comes next, the character. */
  private next(char: number): boolean {
    if (this.space() !== char) return false;
    this.at++;
    return true;
  }

  /** Skips space and returns the code of the character after it; NaN at the end. */
  private space(): number {
    for (;;) {
      const char = this.text.charCodeAt(this.at);
      if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return char;
      this.at++;
    }
  }

  private fail(why: string, at = this.at): never {
    throw new WritError(this.code, `JSON: ${why} (at character ${at})`);
  }
}
