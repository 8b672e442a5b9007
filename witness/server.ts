/** The app on Node's HTTP server, with bounds on what strangers may hold open. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";

const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  // Logs keep their connection, so that a checkpoint costs one round trip.
  keepAliveTimeout: 120_000,
  connectionsCheckingInterval: 1_000,
  noDelay: true,
} as const;
const IDLE_MS = 120_000;
const DRAIN_MS = 5_000;
const MAX_CONNECTIONS = 10_000;

export interface ListeningWitness {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, lets requests under way end, then resolves. */
  close(): Promise<void>;
}

export async function listenWitness(app: Hono, host: string, port: number): Promise<ListeningWitness> {
  const listener = getRequestListener(app.fetch, { hostname: "localhost" });
  const server = createServer(LIMITS, (incoming, outgoing) => void listener(incoming, outgoing));
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = IDLE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return { host: address.address, port: address.port, close: () => drain(server) };
}

async function drain(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(deadline);
}
