/**
 * Request bodies, bounded twice: each by its route's limit, and all those being read at a time by one budget, so that
 * slow or many senders cannot fill the memory.
 */
import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import { WritError } from "../src/errors.js";

export class BodyReader {
  private reserved = 0;

  /** `budget`: bytes of all bodies that may be under way at once. */
  constructor(private readonly budget: number) {}

  /** The whole body. BODY_TOO_LARGE beyond `limit`, POOL_FULL beyond the budget, REQUEST_MALFORMED when cut short. */
  async read(c: Context, limit: number): Promise<Uint8Array> {
    const declared = c.req.header("content-length");
    // Without a declared length (a chunked body) room for the largest is set aside.
    const most = declared === undefined ? limit : Number(declared);
    if (most > limit) throw tooLarge(limit, String(most));
    if (this.reserved + most > this.budget) {
      throw new WritError(
        "POOL_FULL",
        `bodies of ${this.reserved} bytes are being read, of at most ${this.budget}`,
      );
    }
    this.reserved += most;
    try {
      const incoming = incomingOf(c);
      return incoming === undefined ? await readRequest(c, limit) : await readIncoming(incoming, limit);
    } finally {
      this.reserved -= most;
    }
  }
}

/** On Node the body is taken from the message itself: a detour by `Request` copies it once more (measured). */
function incomingOf(c: Context): IncomingMessage | undefined {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage };
  return incoming;
}

function readIncoming(incoming: IncomingMessage, limit: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (act: () => void): void => {
      incoming.off("data", onData).off("end", onEnd).off("close", onCut).off("error", onCut);
      act();
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > limit) settle(() => reject(tooLarge(limit, "more")));
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    const onCut = (): void => settle(() => reject(cutShort()));
    incoming.on("data", onData).on("end", onEnd).on("close", onCut).on("error", onCut);
  });
}

async function readRequest(c: Context, limit: number): Promise<Uint8Array> {
  const body = new Uint8Array(await c.req.arrayBuffer());
  if (body.length > limit) throw tooLarge(limit, String(body.length));
  return body;
}

function tooLarge(limit: number, got: string): WritError {
  return new WritError("BODY_TOO_LARGE", `a body here has at most ${limit} bytes, got ${got}`);
}

function cutShort(): WritError {
  return new WritError("REQUEST_MALFORMED", "the body ended before its declared length");
}
