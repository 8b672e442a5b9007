/** The app on Node's HTTP server: limits against slow clients, problem bodies for what never reaches the app, draining. */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { WritError } from "../src/errors.js";
import { problemOf, problemResponse } from "./problem.js";

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 2_000,
  noDelay: true,
} as const;
const MAX_CONNECTIONS = 10_000;

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, lets requests under way end, then resolves. */
  close(): Promise<void>;
}

export async function listen(app: Hono, host: string, port: number): Promise<RunningServer> {
  const listener = getRequestListener(app.fetch, {
    errorHandler: () =>
      problemResponse(new WritError("REQUEST_MALFORMED", "the request line or Host header is not valid")),
  });
  const server = createServer(LIMITS, (incoming, outgoing) => void listener(incoming, outgoing));
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", answerClientError);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return { host: address.address, port: address.port, close: () => drain(server) };
}

/** What Node's parser refuses still gets a problem body, if the socket can take one. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const problem = problemOf(
    late
      ? new WritError("REQUEST_TIMEOUT", "the request did not arrive in time")
      : new WritError("REQUEST_MALFORMED", `not HTTP/1.1 as we read it (${error.code ?? "no code"})`),
  );
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection kept alive would hold the server open; whenever one falls idle it is closed.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  server.closeIdleConnections();
  await closed;
  clearInterval(sweep);
}
