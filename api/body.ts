/**
 * Request bodies, bounded twice: each by its route's limit, and all those being read at a time by one budget, so that
 * slow or many senders cannot fill the memory.
 */
import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import { WritError } from "../src/errors.js";
import { nodeMessages } from "./node.js";

export class BodyReader {
  private held = 0;

  /** `budget`: bytes of all bodies that may be under way at once. */
  constructor(private readonly budget: number) {}

  /** The whole body. BODY_TOO_LARGE beyond `limit`, POOL_FULL beyond the budget, REQUEST_MALFORMED when cut short, MEDIA_TYPE_UNSUPPORTED when it is encoded. */
  async read(c: Context, limit: number): Promise<Uint8Array> {
    const coding = c.req.header("content-encoding") ?? "identity";
    if (coding.trim().toLowerCase() !== "identity")
      throw new WritError(
        "MEDIA_TYPE_UNSUPPORTED",
        `want the body as it is, without a Content-Encoding; got ${JSON.stringify(coding.slice(0, 40))}`,
      );
    const declared = c.req.header("content-length");
    if (declared !== undefined && Number(declared) > limit) throw tooLarge(limit, declared);
    // On Node the body is taken from the message itself: a detour by `Request` copies it once more (measured).
    const { incoming } = nodeMessages(c);
    let length = 0;
    // Only what has arrived is counted: a length that is merely declared holds nobody up.
    const charge = (bytes: number): void => {
      length += bytes;
      this.held += bytes;
      if (length > limit) throw tooLarge(limit, "more");
      if (this.held > this.budget) {
        throw new WritError("POOL_FULL", `bodies of more than ${this.budget} bytes are being read`);
      }
    };
    try {
      return incoming === undefined ? await readRequest(c, charge) : await readIncoming(incoming, charge);
    } finally {
      this.held -= length;
    }
  }
}

/** Told of every piece before it is kept; throws when it may not be. */
type Charge = (bytes: number) => void;

function readIncoming(incoming: IncomingMessage, charge: Charge): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const settle = (act: () => void): void => {
      incoming.off("data", onData).off("end", onEnd).off("close", onCut).off("error", onCut);
      act();
    };
    const onData = (chunk: Buffer): void => {
      try {
        charge(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : cutShort()));
      }
    };
    const onEnd = (): void =>
      settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    const onCut = (): void => settle(() => reject(cutShort()));
    incoming.on("data", onData).on("end", onEnd).on("close", onCut).on("error", onCut);
  });
}

async function readRequest(c: Context, charge: Charge): Promise<Uint8Array> {
  const body = new Uint8Array(await c.req.arrayBuffer());
  charge(body.length);
  return body;
}

function tooLarge(limit: number, got: string): WritError {
  return new WritError("BODY_TOO_LARGE", `a body here has at most ${limit} bytes, got ${got}`);
}

function cutShort(): WritError {
  return new WritError("REQUEST_MALFORMED", "the body ended before its declared length");
}
