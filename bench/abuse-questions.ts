/**
 * What strangers with GETs can make a log do: sixty of a kind ask, and do not read what they get; beside them a client posts, one
 * looks at the checkpoint, one listens, and an honest reader, from another address, asks for a page and a trace.
 */
import { connect, type Socket } from "node:net";
import { Agent, request } from "undici";
import { utf8 } from "../src/format/bytes.js";
import { RECORD_MEDIA_TYPE } from "../src/record/record.js";
import { canonicalJson } from "../src/statement/jcs.js";
import type { JsonObject } from "../src/statement/json.js";
import { signDsse } from "../src/statement/sign.js";
import { closedLoop, openLoop, percentile, renderPost } from "./load.js";
import type { Question, Row } from "./questions.js";
import {
  AGENT,
  agent,
  makeFolder,
  registerAgent,
  residentMiB,
  startServer,
  statements,
  type Target,
} from "./server.js";

const ASKERS = 60;
const SECONDS = 12;
const POSTS_A_SECOND = 100;
const HONEST = "127.0.0.2";
const EVIDENCE = `sha256:${"ab".repeat(32)}`;
const BIG = 1_400;
const CITING = 12_000;
const ENOUGH_FOR_TILES = 30;

/** Each kind of asker: the path of his n-th request. */
const KINDS: Readonly<Record<string, (n: number) => string>> = {
  "a page of 1,000 entries": () => "/v1/search?limit=1000",
  "pages, each another": (n) => `/v1/search?limit=1000&from=${n % BIG}`,
  "links of one that names a hash 500 times": () => "/v1/entries/2/links",
  "impact of 12,000": () => `/v1/impact/${EVIDENCE}`,
  "entry bundles": (n) => `/tile/entries/${String(n % ENOUGH_FOR_TILES).padStart(3, "0")}`,
  "events from the beginning": () => "/v1/events?from=0&type=nothing",
  "lists of a time, each another": (n) =>
    `/v1/status/lists/0?time=${Math.floor(Date.now() / 1000) - (n % 200)}`,
  verdicts: () => "/v1/traces/3/verdict",
};

interface Seen {
  readonly checkpointP99: number;
  readonly postP99: number;
  readonly eventMax: number;
  readonly grown: number;
  readonly honest: number;
}

export const abuse: Question = async () => {
  const target = await startServer(await makeFolder("registered"));
  await registerAgent(target);
  await fill(target);
  const rest = await watched(target, null);
  const rows: Row[] = [];
  for (const [kind, path] of Object.entries(KINDS))
    rows.push(...rowsOf(kind, await watched(target, path), rest));
  await target.stop();
  return rows;
};

function rowsOf(kind: string, seen: Seen, rest: Seen): Row[] {
  const row = (what: string, got: string, reach: string, baseline: string, ratio: number): Row => ({
    what: `${ASKERS} × ${kind}: ${what}`,
    got,
    reach,
    baseline,
    ratio: ratio.toPrecision(3),
  });
  const inMs = (what: string, of: (from: Seen) => number, reach: string): Row =>
    row(what, msText(of(seen)), reach, `at rest: ${msText(of(rest))}`, of(seen) / of(rest));
  return [
    inMs("GET /checkpoint p99", ({ checkpointP99 }) => checkpointP99, "≤ 50 ms"),
    inMs("POST at 100/s p99", ({ postP99 }) => postP99, "≤ 3×"),
    inMs("the latest event", ({ eventMax }) => eventMax, "≤ 250 ms"),
    row(
      "memory grew by",
      `${Math.round(seen.grown)} MiB`,
      "≤ 400 MiB",
      `at rest: ${Math.round(rest.grown)} MiB`,
      seen.grown / Math.max(1, rest.grown),
    ),
    inMs("an honest page and a trace, the slower", ({ honest }) => honest, "≤ 5 s"),
  ];
}

function msText(n: number): string {
  return `${n.toPrecision(3)} ms`;
}

async function watched(target: Target, path: ((n: number) => string) | null): Promise<Seen> {
  const before = (await residentMiB(target.pid)).own;
  let most = before;
  let isOver = false;
  const askers =
    path === null ? [] : Array.from({ length: ASKERS }, (_, n) => new Asker(target.port, path, n));
  const memory = every(
    100,
    () => isOver,
    async () => {
      most = Math.max(most, (await residentMiB(target.pid)).own);
    },
  );
  const arrived = new Map<number, number>();
  const listener = listen(target.port, arrived);
  const agentOf = new Agent({ connect: { localAddress: HONEST }, connections: 4 });
  const get = async (asked: string): Promise<number> => {
    const began = performance.now();
    for (;;) {
      const answer = await request(`http://127.0.0.1:${target.port}${asked}`, { dispatcher: agentOf });
      await answer.body.arrayBuffer();
      if (answer.statusCode === 200) return performance.now() - began;
      if (answer.statusCode !== 503) throw new Error(`${asked}: ${answer.statusCode}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  const checkpoints: number[] = [];
  const looking = every(
    20,
    () => isOver,
    async () => {
      checkpoints.push(await get("/checkpoint"));
    },
  );
  const honest: number[] = [];
  const reading = every(
    500,
    () => isOver,
    async () => {
      honest.push(await get("/v1/search?limit=20"), await get("/v1/traces/3"));
    },
  );
  const posts = statements(POSTS_A_SECOND * SECONDS, fresh());
  const answered = new Map<number, number>();
  const requests = posts.map((one) => renderPost("/v1/entries", "application/json", one));
  const { latencies } = await openLoop(target.port, requests, POSTS_A_SECOND, (_, { body }) => {
    answered.set((JSON.parse(body.toString()) as { index: number }).index, performance.now());
  });
  await new Promise((done) => setTimeout(done, 1_000));
  isOver = true;
  for (const asker of askers) asker.stop();
  await Promise.all([memory, looking, reading]);
  listener.destroy();
  await agentOf.close();
  const late = [...answered].map(([index, at]) => (arrived.get(index) ?? Number.POSITIVE_INFINITY) - at);
  // What is cut off is given back before the next kind is looked at.
  await new Promise((done) => setTimeout(done, 1_000));
  return {
    checkpointP99: percentile(Float64Array.from(checkpoints).sort(), 99),
    postP99: percentile(latencies, 99),
    eventMax: Math.max(...late),
    grown: most - before,
    honest: Math.max(...honest),
  };
}

let used = 1_000_000;

/** Where statements begin that were not posted yet. */
function fresh(): number {
  used += 100_000;
  return used;
}

async function every(ms: number, isOver: () => boolean, act: () => Promise<void>): Promise<void> {
  while (!isOver()) {
    await act();
    await new Promise((done) => setTimeout(done, ms));
  }
}

/** Asks, does not read, and asks again when it is cut off or refused. */
class Asker {
  private socket: Socket | null = null;
  private isOver = false;

  constructor(
    private readonly port: number,
    private readonly path: (n: number) => string,
    private n: number,
  ) {
    this.ask();
  }

  stop(): void {
    this.isOver = true;
    this.socket?.destroy();
  }

  private ask(): void {
    if (this.isOver) return;
    const socket = connect(this.port, "127.0.0.1");
    this.socket = socket;
    socket.pause();
    socket.on("error", () => {});
    socket.on("close", () => setTimeout(() => this.ask(), 50));
    socket.on("connect", () =>
      socket.write(`GET ${this.path((this.n += ASKERS))} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`),
    );
    // A refusal is read, so that it can be asked again.
    setTimeout(() => {
      const first = socket.read(12) as Buffer | null;
      if (first?.toString("latin1").startsWith("HTTP/1.1 5") === true) socket.destroy();
    }, 500);
  }
}

function listen(port: number, arrived: Map<number, number>): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.write("GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n");
  let rest = "";
  socket.on("data", (chunk: Buffer) => {
    const now = performance.now();
    const text = rest + chunk.toString("latin1");
    for (const [, index] of text.matchAll(/id: (\d+)\nevent: (?!checkpoint)/g))
      if (!arrived.has(Number(index))) arrived.set(Number(index), now);
    rest = text.slice(-64);
  });
  return socket;
}

/** Some 98 MB: large records, one that names a hash under 500 names, and many that rely on one hash. */
async function fill(target: Target): Promise<void> {
  const post = (records: readonly JsonObject[]): Buffer[] =>
    records.map((record) =>
      renderPost(
        "/v1/entries",
        "application/json",
        signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson({ ...REQUEST, ...record })), agent),
      ),
    );
  const names = Array.from({ length: 500 }, (_, n) => [`name-${n}`, EVIDENCE] as const);
  await closedLoop(
    target.port,
    post([{ trace_id: "names", evidence_hashes: Object.fromEntries(names) }]),
    1,
    () => {},
  );
  await closedLoop(target.port, post([{ trace_id: "one" }]), 1, () => {});
  const big = Array.from({ length: BIG }, (_, n) => ({ trace_id: `big-${n}`, intent: "x".repeat(44_000) }));
  await closedLoop(target.port, post(big), 32, () => {});
  const citing = Array.from({ length: CITING }, (_, n) => ({
    trace_id: `citing-${n}`,
    evidence_hashes: { one: EVIDENCE },
  }));
  await closedLoop(target.port, post(citing), 64, () => {});
}

const REQUEST: JsonObject = {
  type: "action-request",
  v: 1,
  issuer: AGENT,
  issued_at: "2026-05-01T12:00:00Z",
  agent_id: AGENT,
  delegator_id: "user://acme/cfo",
  action_type: "wire.transfer",
  target: { vendor: "acme-supplies" },
  constraints: { amount_max: "50000.00 USD" },
  policy_version: "2026-04",
  requested_at: "2026-05-01T12:00:00Z",
};
