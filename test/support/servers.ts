/** Servers of a test: witnesses of ours on real sockets, and others that answer as they like. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import type { Hono } from "hono";
import { type ListeningWitness, listenWitness } from "../../witness/server.js";

const closers: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closers) await close();
});

export function urlOf({ port }: { readonly port: number }): string {
  return `http://127.0.0.1:${port}`;
}

/** An app on a port of its own, or on this one; closed when the tests end. */
export async function serveApp(app: Hono, port = 0): Promise<ListeningWitness> {
  const server = await listenWitness(app, "127.0.0.1", port);
  closers.push(() => server.close());
  return server;
}

export interface EvilServer {
  readonly url: string;
  /** Bodies that were received, in order. */
  readonly asked: Buffer[];
  /** How it answers from now on. */
  answer: (outgoing: ServerResponse, incoming: IncomingMessage, body: Buffer) => void;
}

/** A server that answers as it is told. */
export async function evilServer(answer: EvilServer["answer"]): Promise<EvilServer> {
  const asked: Buffer[] = [];
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      asked.push(body);
      evil.answer(outgoing, incoming, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const evil: EvilServer = { url: urlOf(server.address() as AddressInfo), asked, answer };
  return evil;
}

/** A server that hands every request on to the app, but for those that `instead` answers. */
export async function between(
  app: { request(path: string, init?: RequestInit): Response | Promise<Response> },
  instead: (path: string, body: Buffer) => Response | undefined | Promise<Response | undefined>,
): Promise<EvilServer> {
  return evilServer((outgoing, incoming, body) => {
    const path = incoming.url ?? "/";
    const { accept = "*/*", "content-type": type = "" } = incoming.headers;
    const asked = {
      method: incoming.method ?? "GET",
      headers: { accept, ...(body.length === 0 ? {} : { "content-type": type }) },
      ...(body.length === 0 ? {} : { body: body.toString() }),
    };
    void (async () => {
      const response = (await instead(path, body)) ?? (await app.request(path, asked));
      // What is answered instead may have another length.
      const headers = [...response.headers].filter(([name]) => name !== "content-length");
      outgoing
        .writeHead(response.status, Object.fromEntries(headers))
        .end(Buffer.from(await response.arrayBuffer()));
    })();
  });
}
