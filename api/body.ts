/**
 * Request bodies, bounded twice: each by its route's limit, and all those being read at a time by one budget, so that
 * slow or many senders cannot fill the memory.
 */
import type { Context } from "hono";
import { WritError } from "../src/errors.js";

export class BodyReader {
  private reserved = 0;

  /** `budget`: bytes of all bodies that may be under way at once. */
  constructor(private readonly budget: number) {}

  /** The whole body. BODY_TOO_LARGE beyond `limit`, POOL_FULL beyond the budget, REQUEST_MALFORMED when cut short. */
  async read(c: Context, limit: number): Promise<Uint8Array> {
    const declared = c.req.header("content-length");
    if (declared === undefined) return this.readChunks(c, limit);
    const length = Number(declared);
    if (length > limit) throw tooLarge(limit, `${length}`);
    return this.within(length, async () => new Uint8Array(await whole(c.req.arrayBuffer())));
  }

  /** A chunked body: its length is known when it ends, so room for the largest is set aside. */
  private async readChunks(c: Context, limit: number): Promise<Uint8Array> {
    return this.within(limit, async () => {
      const chunks: Uint8Array[] = [];
      let length = 0;
      const reader = c.req.raw.body?.getReader();
      for (;;) {
        const { done = true, value } = reader === undefined ? {} : await whole(reader.read());
        if (value !== undefined) {
          length += value.length;
          chunks.push(value);
        }
        if (length > limit) {
          await reader?.cancel();
          throw tooLarge(limit, "more");
        }
        if (done) return Buffer.concat(chunks);
      }
    });
  }

  private async within<T>(bytes: number, read: () => Promise<T>): Promise<T> {
    if (this.reserved + bytes > this.budget) {
      throw new WritError(
        "POOL_FULL",
        `bodies of ${this.reserved} bytes are being read, of at most ${this.budget}`,
      );
    }
    this.reserved += bytes;
    try {
      return await read();
    } finally {
      this.reserved -= bytes;
    }
  }
}

function tooLarge(limit: number, got: string): WritError {
  return new WritError("BODY_TOO_LARGE", `a body here has at most ${limit} bytes, got ${got}`);
}

async function whole<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw new WritError(
      "REQUEST_MALFORMED",
      "the body ended before its declared length",
      {},
      { cause: error },
    );
  }
}
