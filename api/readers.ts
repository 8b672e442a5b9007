/**
 * Answers that take more than one entry: made under a lease of the readers' budget, which is held until the asker has taken them,
 * and sent in pieces as he reads. One that takes nothing for STUCK_MS is cut off; what is left of an answer when its last piece is
 * on its way is the connection's, and held by nobody. What several ask for at once is made once, and
 * every one of them is charged for what he holds of it.
 */
import type { ServerResponse } from "node:http";
import type { Context } from "hono";
import { utf8 } from "../src/format/bytes.js";
import { entryJson, type LogEntry } from "../src/log/admit/entry.js";
import { type Budget, type Lease, unlessBusy } from "../src/log/ask/budget.js";
import { PIECE_BYTES, piecesOf } from "../src/log/ask/entry-bundles.js";
import type { Askers } from "./asker.js";
import { nodeMessages } from "./node.js";

/** How long an asker may take nothing of an answer that is held for him. */
export const STUCK_MS = 10_000;
/**
 * How long of one of which a piece is held at a time: who reads slowly takes a network's buffers full at once, and seems to take
 * nothing while he reads them.
 */
export const SLOW_MS = 60_000;
export interface Made {
  /** As one, or in small pieces that are encoded one after another, for each asker again. */
  readonly body: string | Uint8Array | Iterable<string>;
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Streamed {
  readonly headers: Readonly<Record<string, string>>;
  readonly source: () => AsyncIterable<Uint8Array>;
}

export class Readers {
  private readonly making = new Map<string, Promise<Made>>();

  constructor(
    readonly budget: Budget,
    private readonly askers: Askers,
    private readonly stuckMs = STUCK_MS,
    private readonly slowMs = SLOW_MS,
  ) {}

  /** Who asks, as leases and listeners are counted. */
  askerOf(c: Context): string {
    return this.askers.of(c);
  }

  /** A lease for what is made for this request. READERS_BUSY. The caller releases it. */
  lease(c: Context): Lease {
    return this.budget.lease(this.askerOf(c));
  }

  /** What `make` makes for this request. READERS_BUSY at once when there is no room. */
  async answer(c: Context, make: (lease: Lease) => Promise<Made>): Promise<Response> {
    const lease = this.lease(c);
    try {
      const { body, status = 200, headers } = await this.once(nameOf(c), () => make(lease));
      const parts = body instanceof Uint8Array ? [body] : await encoded(body, lease);
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const sent = { status, headers: { ...headers, "content-length": String(length) } };
      if (c.req.method === "HEAD") {
        lease.release();
        return new Response(null, sent);
      }
      lease.settle(length);
      return new Response(
        this.send(c, lease, () => pieces(parts), this.stuckMs),
        sent,
      );
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** What `make` gives, as it comes: nothing of it is held but a piece. */
  async stream(c: Context, make: (lease: Lease) => Promise<Streamed>): Promise<Response> {
    const lease = this.lease(c);
    try {
      const { headers, source } = await make(lease);
      if (c.req.method !== "HEAD") return new Response(this.send(c, lease, source, this.slowMs), { headers });
      lease.release();
      return new Response(null, { headers });
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  private async once(name: string, make: () => Promise<Made>): Promise<Made> {
    const known = this.making.get(name);
    // Whoever asked first may have no room left: that is no answer to anybody else.
    if (known !== undefined) return known.catch((error: unknown) => unlessBusy(error, make));
    const making = make().finally(() => this.making.delete(name));
    this.making.set(name, making);
    return making;
  }

  /** Piece by piece, as the asker reads; whoever is gone, or stuck, gives his lease back. */
  private send(
    c: Context,
    lease: Lease,
    source: () => AsyncIterable<Uint8Array>,
    stuckMs: number,
  ): ReadableStream<Uint8Array> {
    const { outgoing } = nodeMessages(c);
    // Begun with the first piece: whoever wants none has nothing opened for him.
    let iterator: AsyncIterator<Uint8Array> | undefined;
    let watch: NodeJS.Timeout | undefined;
    const end = (): void => {
      clearTimeout(watch);
      lease.release();
    };
    if (outgoing !== undefined) outgoing.once("close", end);
    // From one piece that was asked for to the next: that is how long he took for it.
    const wait = (): void => {
      clearTimeout(watch);
      watch = setTimeout(() => cut(outgoing, end), stuckMs).unref();
    };
    return new ReadableStream(
      {
        async pull(controller) {
          clearTimeout(watch);
          try {
            iterator ??= source()[Symbol.asyncIterator]();
            const { done, value } = await iterator.next();
            if (done === true) {
              controller.close();
              end();
              return;
            }
            controller.enqueue(value);
            wait();
          } catch (error) {
            end();
            controller.error(error);
          }
        },
        async cancel() {
          end();
          await iterator?.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function cut(outgoing: ServerResponse | undefined, end: () => void): void {
  end();
  outgoing?.destroy();
}

/** The same question: path, query and what decides the form of its answer. */
function nameOf(c: Context): string {
  const { url } = c.req;
  const forms = ["accept", "accept-encoding"].map((name) => c.req.header(name) ?? "").join(" ");
  return `${forms} ${url.slice(url.indexOf("/", "https://".length))}`;
}

/** The beginning of an answer with a list of entries: `{"entries":[…`, to be closed. */
export async function entryLines(
  entries: readonly LogEntry[],
  options: Parameters<typeof entryJson>[1],
  lease: Lease,
): Promise<string[]> {
  const lines = ['{"entries":['];
  for (const entry of entries) {
    await lease.turn();
    lines.push(`${lines.length === 1 ? "" : ","}${entryJson(entry, options)}`);
  }
  return lines;
}

async function encoded(body: string | Iterable<string>, lease: Lease): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  let small: string[] = [];
  let length = 0;
  for (const text of typeof body === "string" ? [body] : body) {
    small.push(text);
    length += text.length;
    if (length < PIECE_BYTES) continue;
    parts.push(utf8(small.join("")));
    [small, length] = [[], 0];
    await lease.turn();
  }
  return [...parts, utf8(small.join(""))];
}

async function* pieces(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const bytes of parts) yield* piecesOf(bytes);
}
