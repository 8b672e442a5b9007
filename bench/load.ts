/**
 * A load generator that costs little: raw keep-alive sockets, requests rendered beforehand, answers cut by their
 * content-length. (An HTTP client library takes as much of a core as the server does, and the two share two cores here.)
 */
import { connect, type Socket } from "node:net";

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** What a run measured; latencies in milliseconds, sorted. */
export interface LoadResult {
  readonly seconds: number;
  readonly latencies: Float64Array;
  readonly statuses: ReadonlyMap<number, number>;
}

export type OnAnswer = (request: number, answer: HttpAnswer) => void;

export function renderPost(path: string, contentType: string, body: Uint8Array): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:1000\r\ncontent-type: ${contentType}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

export function renderGet(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:1000\r\n\r\n`, "latin1");
}

/** Every request once, each connection sending its next as soon as it has an answer. */
export async function closedLoop(
  port: number,
  requests: readonly Buffer[],
  connections: number,
  onAnswer: OnAnswer,
): Promise<LoadResult> {
  const recorder = new Recorder(requests.length, onAnswer);
  let next = 0;
  const sockets = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)));
  const start = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      while (next < requests.length) {
        const i = next++;
        const sent = performance.now();
        recorder.record(i, await socket.send(requests[i] as Buffer), performance.now() - sent);
      }
    }),
  );
  return finish(recorder, sockets, start);
}

/**
 * Requests at a steady rate whatever the server does: latency counts from when a request was due, so that a stall is
 * felt by all that came due in it.
 */
export async function openLoop(
  port: number,
  requests: readonly Buffer[],
  perSecond: number,
  onAnswer: OnAnswer,
): Promise<LoadResult> {
  const recorder = new Recorder(requests.length, onAnswer);
  const idle: Connection[] = [];
  const all: Connection[] = [];
  const start = performance.now();
  const pending: Promise<void>[] = [];
  for (let i = 0; i < requests.length; i++) {
    const due = start + (i * 1000) / perSecond;
    while (performance.now() < due)
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    const socket = liveOne(idle) ?? (await Connection.open(port));
    if (!all.includes(socket)) all.push(socket);
    pending.push(
      socket.send(requests[i] as Buffer).then((answer) => {
        recorder.record(i, answer, performance.now() - due);
        idle.push(socket);
      }),
    );
  }
  await Promise.all(pending);
  return finish(recorder, all, start);
}

/** The connection used last; one that the server closed for idleness is dropped. */
function liveOne(idle: Connection[]): Connection | undefined {
  for (let socket = idle.pop(); socket !== undefined; socket = idle.pop()) if (socket.alive) return socket;
  return undefined;
}

function finish(recorder: Recorder, sockets: readonly Connection[], start: number): LoadResult {
  const seconds = (performance.now() - start) / 1000;
  for (const socket of sockets) socket.close();
  return { seconds, latencies: recorder.latencies.sort(), statuses: recorder.statuses };
}

export function percentile(sorted: Float64Array, p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? Number.NaN;
}

class Recorder {
  readonly latencies: Float64Array;
  readonly statuses = new Map<number, number>();

  constructor(
    count: number,
    private readonly onAnswer: OnAnswer,
  ) {
    this.latencies = new Float64Array(count);
  }

  record(request: number, answer: HttpAnswer, latency: number): void {
    this.latencies[request] = latency;
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    this.onAnswer(request, answer);
  }
}

class Connection {
  private pieces: Buffer[] = [];
  private length = 0;
  /** How long the answer under way is, once its head has come. */
  private wanted = 0;
  private waiting: { resolve(answer: HttpAnswer): void; reject(error: Error): void } | undefined;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.take(chunk));
    socket.on("error", (error) => this.waiting?.reject(error));
    socket.on("close", () => this.waiting?.reject(new Error("the server closed the connection")));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new Connection(socket);
  }

  get alive(): boolean {
    return !this.socket.destroyed && this.socket.writable;
  }

  async send(request: Buffer): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  /** Pieces are joined once an answer is whole: a large one comes in hundreds. */
  private take(chunk: Buffer): void {
    this.pieces.push(chunk);
    this.length += chunk.length;
    if (this.length < this.wanted) return;
    const received = this.pieces.length === 1 ? chunk : Buffer.concat(this.pieces);
    const headEnd = received.indexOf("\r\n\r\n");
    if (headEnd >= 0) {
      const head = received.toString("latin1", 0, headEnd);
      this.wanted = headEnd + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    }
    if (headEnd < 0 || received.length < this.wanted) {
      this.pieces = [received];
      return;
    }
    const answer = {
      status: Number(received.toString("latin1", 9, 12)),
      body: received.subarray(headEnd + 4, this.wanted),
    };
    const rest = received.subarray(this.wanted);
    this.pieces = rest.length === 0 ? [] : [rest];
    this.length = rest.length;
    this.wanted = 0;
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(answer);
  }
}
