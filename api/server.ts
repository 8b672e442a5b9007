/** The app on Node's HTTP server: limits against slow clients, problem bodies for what never reaches the app, draining. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { WritError } from "../src/errors.js";
import { isScittPath } from "./concise.js";
import { errorResponse } from "./error-response.js";
import { problemResponse } from "./problem.js";

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  noDelay: true,
  // A missing Host header is answered by us, with a problem body.
  requireHostHeader: false,
} as const;
/** A connection on which nothing moves, in either direction, for so long is closed: a reader that does not read. */
const IDLE_MS = 60_000;
/** How long a draining server waits for requests that are still arriving or answers that are not being read. */
const DRAIN_MS = 10_000;
const MAX_CONNECTIONS = 10_000;
export const KEEP_ALIVE_MS = 75_000;

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, lets requests under way end, then resolves. */
  close(): Promise<void>;
}

/** What holds for every answer that does not say otherwise: it is about now, and its form is the one asked for. */
const DEFAULTS = [
  ["cache-control", "no-store"],
  ["vary", "accept"],
  ["access-control-expose-headers", "location, retry-after, etag"],
] as const;

/** `keepAliveMs`: how long an idle connection stays open; longer than a load balancer's minute unless given. */
export async function listen(
  app: Hono,
  host: string,
  port: number,
  keepAliveMs = KEEP_ALIVE_MS,
): Promise<RunningServer> {
  const [listener, scittListener] = [listenerOf(app, "/"), listenerOf(app, "/entries")];
  const open = new Connections();
  const server = createServer({ ...LIMITS, keepAliveTimeout: keepAliveMs }, (incoming, outgoing) => {
    const path = pathOf(incoming.url ?? "");
    open.begin(outgoing, path);
    for (const [name, value] of DEFAULTS) outgoing.setHeader(name, value);
    if (incoming.httpVersion === "1.1" && incoming.headers.host === undefined)
      refuse(path, outgoing, "HTTP/1.1 wants a Host header");
    else if (isScittPath(path)) void scittListener(incoming, outgoing);
    else void listener(incoming, outgoing);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = IDLE_MS;
  server.on("connection", (socket: Socket) => open.add(socket));
  server.on("clientError", (error: ParserError, socket: Socket) => answerClientError(error, socket, open));
  server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    refuse(pathOf(incoming.url ?? ""), outgoing, "the only expectation that is met is 100-continue");
  });
  server.on("connect", (_: IncomingMessage, socket: Socket) => {
    void answerRaw(socket, problemResponse(new WritError("METHOD_NOT_ALLOWED", "CONNECT is not for a log")));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return { host: address.address, port: address.port, close: () => open.drain(server) };
}

/** The app for Node. What the request line or Host header make impossible is answered as on `path`. */
function listenerOf(app: Hono, path: string): ReturnType<typeof getRequestListener> {
  return getRequestListener((request, env) => answer(app, request, env), {
    // For HTTP/1.0, which knows no Host header; no answer depends on it.
    hostname: "localhost",
    errorHandler: () =>
      errorResponse(path, new WritError("REQUEST_MALFORMED", "the request line or Host header is not valid")),
  });
}

/** HEAD has the fields that GET has (RFC 9110 §9.3.2), the length among them. */
async function answer(app: Hono, request: Request, env: object): Promise<Response> {
  if (request.method !== "HEAD") return app.fetch(request, env);
  const asked = new Request(request.url, { headers: request.headers });
  const { status, headers, body } = await app.fetch(asked, env);
  const sent = new Headers(headers);
  // What has no end, or says its length itself, is not read for it.
  if (body === null || sent.has("content-length") || ENDLESS.has(sent.get("content-type") ?? ""))
    await body?.cancel();
  else sent.set("content-length", String((await new Response(body).arrayBuffer()).byteLength));
  return new Response(null, { status, headers: sent });
}

const ENDLESS: ReadonlySet<string> = new Set(["text/event-stream", "application/x-ndjson"]);

function refuse(path: string, outgoing: ServerResponse, why: string): void {
  const response = errorResponse(path, new WritError("REQUEST_MALFORMED", why));
  outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), connection: "close" });
  void response.arrayBuffer().then((body) => outgoing.end(Buffer.from(body)));
}

/** The path of a request target as the app will see it, whatever else is wrong with the request. */
function pathOf(target: string): string {
  try {
    return decodeURI(new URL(target, "http://localhost").pathname);
  } catch {
    return target.replace(/[?#].*$/s, "");
  }
}

/** Which connections are open, and on which a request is being answered: what draining has to wait for. */
class Connections {
  private readonly busy = new Map<Socket, number>();
  /** What is being answered on a connection, or was last. */
  private readonly paths = new WeakMap<Socket, string>();
  private draining = false;

  add(socket: Socket): void {
    this.busy.set(socket, 0);
    socket.once("close", () => this.busy.delete(socket));
  }

  /** A request has arrived; its connection is busy until the answer has left. */
  begin(outgoing: ServerResponse, path: string): void {
    const { socket } = outgoing;
    if (socket === null) return;
    this.paths.set(socket, path);
    this.busy.set(socket, (this.busy.get(socket) ?? 0) + 1);
    if (this.draining) outgoing.setHeader("connection", "close");
    outgoing.once("close", () => {
      this.busy.set(socket, (this.busy.get(socket) ?? 1) - 1);
      if (this.draining) this.endIfIdle(socket);
    });
  }

  /** The path of the request that is under way on a connection; undefined when there is none. */
  pathOn(socket: Socket): string | undefined {
    return (this.busy.get(socket) ?? 0) > 0 ? this.paths.get(socket) : undefined;
  }

  /**
   * Takes no new connections and resolves when all are closed: those without a request at once, those with one when
   * its answer has left, and whatever is left after DRAIN_MS by force, so that no stranger can keep the log from ending.
   */
  async drain(server: Server): Promise<void> {
    this.draining = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.busy.keys()) this.endIfIdle(socket);
    const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    await closed;
    clearTimeout(deadline);
  }

  private endIfIdle(socket: Socket): void {
    if ((this.busy.get(socket) ?? 0) === 0) socket.destroySoon();
  }
}

/** What Node's parser refuses still gets a problem body, if the socket can take one. */
function answerClientError(error: ParserError, socket: Socket, open: Connections): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  // Of a request that had begun, the path is known; else it may stand in what could not be read.
  const path = open.pathOn(socket) ?? pathIn(error.rawPacket);
  void answerRaw(socket, errorResponse(path, clientError(error.code)));
}

/** What Node says of a request that it could not read; the packet is what it read last. */
interface ParserError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
}

/** The path of the request line, if that is in the packet: it decides the form of the answer. */
function pathIn(packet: Buffer | undefined): string {
  return pathOf(/^[A-Z]+ (\S+) /.exec(packet?.toString("latin1", 0, 200) ?? "")?.[1] ?? "");
}

function clientError(code = "no code"): WritError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return new WritError("REQUEST_TIMEOUT", "the request did not arrive in time");
  if (code === "HPE_HEADER_OVERFLOW")
    return new WritError("HEADERS_TOO_LARGE", "request headers have at most 16 KiB");
  return new WritError("REQUEST_MALFORMED", `not HTTP/1.1 as we read it (${code})`);
}

/** An answer on a bare socket, which is then closed. */
async function answerRaw(socket: Socket, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const fields = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const reason = STATUS_CODES[response.status] ?? "";
  const head =
    `HTTP/1.1 ${response.status} ${reason}\r\n${fields}` +
    `content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  // Ended and destroyed: the other side may never close its half.
  socket.end(Buffer.concat([Buffer.from(head, "latin1"), body]), () => socket.destroy());
}
