/** What status costs: answers with proofs, lists for stock clients, how fast a revocation is everywhere, what keeping it takes. */
import { mkdtemp, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { noteAt, parseObject } from "../src/client/answers.js";
import { LogClient } from "../src/client/index.js";
import { readStatus } from "../src/client/status.js";
import { stagingCleanUp } from "../src/demo/stories.js";
import type { Stage, Story } from "../src/demo/stage.js";
import { openCheckpoint } from "../src/format/cosignature.js";
import { formatVerifierKey, signingKey } from "../src/format/vkey.js";
import { Gateway, type ProposedAction } from "../src/gateway/index.js";
import { CONSUMED, LIST_BYTES, writeBits } from "../src/index/bits.js";
import { type Admitted, readStored } from "../src/log/admit/admit.js";
import { type BitChange, listAsOf, StatusBits } from "../src/log/state/bits.js";
import { createLog } from "../src/log/open.js";
import { buildRecord, RecordRef } from "../src/record/build.js";
import { signLogPolicy } from "../src/record/log-policy.js";
import { RECORD_MEDIA_TYPE, recordIdOf } from "../src/record/record.js";
import { publicKey } from "../src/statement/key.js";
import { noteSigner, secretSigner, signDsse } from "../src/statement/sign.js";
import { bitstringCredential } from "../src/status-list/bitstring.js";
import { listRoot } from "../src/status-list/root.js";
import { compressed, openStatusListJwt, statusListJwt } from "../src/status-list/token.js";
import { allRows, type Row as StoredRow, type Store, type Table } from "../src/store/contract.js";
import { LevelStore } from "../src/store/level.js";
import { closedLoop, openLoop, percentile, renderGet, renderPost } from "./load.js";
import { openSequencer } from "./sequencer.js";
import { demandAll, perSecond, type Question, round, type Row } from "./questions.js";
import {
  agent,
  makeFolder,
  registerAgent,
  startBaseline,
  startServer,
  statements,
  type Target,
} from "./server.js";
import { playOn, sendAll } from "./trace-questions.js";

const granted: Story = {
  ...stagingCleanUp,
  steps: stagingCleanUp.steps.filter(({ name }) => !["consumption", "receipt"].includes(name)),
};

function grantsOf(stage: Stage, count: number, more: object = {}) {
  return Array.from({ length: count }, (_, n) =>
    stage.variant<"capability-grant">("grant", { nonce: `n-${n}`, max_uses: 1, ...more }),
  );
}

function revocationOf(stage: Stage, target: RecordRef): Uint8Array {
  const { bytes } = buildRecord("revocation", {
    issuer: stage.party("authority").id,
    issued_at: stage.time(0),
    target,
    action: "revoke",
    reason: "a measurement",
  });
  return signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("authority"));
}

/** The same number of bytes, answered by the framework alone. */
export async function bareRate(path: string, count: number, connections: number): Promise<number> {
  const base = await startBaseline("baseline.js");
  const requests = Array.from({ length: count }, () => renderGet(path));
  await closedLoop(base.port, requests.slice(0, 5_000), connections, () => {});
  const result = await closedLoop(base.port, requests, connections, () => {});
  await base.stop();
  return perSecond(count, result);
}

/** Status answers with the proof of the entry, of four thousand grants in a log of some more. */
export const standing: Question = async () => {
  const count = 60_000;
  const target = await startServer(await makeFolder("registered"));
  const stage = await playOn(target, granted);
  const grants = grantsOf(stage, 4_000);
  await sendAll(
    target,
    grants.map(({ bytes }) => signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("authority"))),
  );
  const [first] = grants;
  if (first === undefined) throw new RangeError("a grant");
  const requests = Array.from({ length: count }, (_, i) =>
    renderGet(`/v1/entries/${grants[i % grants.length]?.id ?? ""}/status`),
  );
  await closedLoop(target.port, requests.slice(0, 10_000), 32, () => {});
  let bytes = 0;
  const result = await closedLoop(target.port, requests, 32, (i, { body }) => {
    bytes = body.length;
    if (i % 500 !== 0) return;
    const answer = parseObject(body);
    const { checkpoint } = openCheckpoint(noteAt(answer, "log_checkpoint"), target.key);
    const { state } = readStatus(answer, checkpoint, grants[i % grants.length]?.id ?? "");
    if (state !== "active") throw new Error(state);
  });
  demandAll(result, 200, count);
  await target.stop();
  const bare = await bareRate(`/bytes/${bytes}`, count, 32);
  return [
    {
      what: "status with proof, of 4,000 grants by record id, one core",
      got: `${round(perSecond(count, result))}/s`,
      reach: "≥ 15,000/s",
      baseline: `the framework alone, as many bytes: ${round(bare)}/s`,
      ratio: round(bare / perSecond(count, result)),
    },
  ];
};

/** A full list with one entry in a hundred revoked: served, and made again after a change. */
export const lists: Question = async () => {
  const size = 2 ** 17;
  const target = await startServer(await makeFolder("registered"));
  await registerAgent(target);
  const signed = statements(size);
  await sendAll(target, signed);
  const registrar = noteSigner(await readFile(join(target.folder, "keys/registrar.key"), "utf8"));
  const revocations = signed
    .filter((_, i) => isPicked(i))
    .map((statement) => {
      const { payload } = JSON.parse(Buffer.from(statement).toString()) as { payload: string };
      const { bytes } = buildRecord("revocation", {
        issuer: registrar.name,
        issued_at: "2026-05-01T12:00:00Z",
        target: new RecordRef("action-request", recordIdOf(Buffer.from(payload, "base64"))),
        action: "revoke",
        reason: "a measurement",
      });
      return signDsse(RECORD_MEDIA_TYPE, bytes, registrar);
    });
  await sendAll(target, revocations);
  const count = 40_000;
  const requests = Array.from({ length: count }, () => renderGet("/v1/status/lists/0"));
  await closedLoop(target.port, requests.slice(0, 5_000), 32, () => {});
  let bytes = 0;
  const result = await closedLoop(target.port, requests, 32, (i, { body }) => {
    bytes = body.length;
    if (i % 5_000 !== 0) return;
    const { bits } = openStatusListJwt(body, target.key);
    const set = bits.reduce((sum, byte) => sum + (byte === 0 ? 0 : 1), 0);
    if (set < revocations.length - 20) throw new Error(`${set} of ${revocations.length} are set`);
  });
  demandAll(result, 200, count);
  await target.stop();
  const bare = await bareRate(`/bytes/${bytes}`, count, 32);
  return [
    {
      what: "status list of 2^17 with 1 % set, as a JWT, one core",
      got: `${round(perSecond(count, result))}/s`,
      reach: "≥ 5,000/s",
      baseline: `the framework alone, as many bytes: ${round(bare)}/s`,
      ratio: round(bare / perSecond(count, result)),
    },
    ...rebuilds(),
  ];
};

/** One in a hundred, without an order that a compressor would see. */
function isPicked(i: number): boolean {
  return Math.imul(i ^ (i >>> 7), 0x9e3779b1) >>> 0 < 2 ** 32 / 100;
}

/** A list made again after one change: compressed, rooted, signed. */
function rebuilds(): Row[] {
  const key = signingKey("bench.example/log", new Uint8Array(32).fill(1));
  const bits = new Uint8Array(LIST_BYTES);
  for (let i = 0; i < 4 * LIST_BYTES; i++) if (isPicked(i)) writeBits(bits, i, 1);
  const tlog = { origin: key.name, treeSize: 1, sweptTo: 1 };
  const urls = {
    uri: "https://log.example/l",
    issuer: "https://log.example",
    aggregationUri: "https://log.example/a",
  };
  const times = { issuedAt: 1, expiresAt: 2, ttl: 30 };
  const jwt = (): unknown =>
    statusListJwt(compressed(bits), { ...urls, ...times, tlog: { ...tlog, listRoot: listRoot(bits) } }, key);
  const w3c = (): unknown =>
    bitstringCredential(
      bits,
      {
        uri: urls.uri,
        purpose: "revocation",
        validFrom: "2026-05-01T12:00:00Z",
        validUntil: "2026-05-01T12:05:00Z",
        ttlMs: 1,
      },
      key,
    );
  const bare = median(() => deflateSync(bits));
  return (
    [
      ["JWT", jwt],
      ["W3C credential", w3c],
    ] as const
  ).map(([what, make]) => {
    const took = median(make);
    return {
      what: `a list of 2^17 made again after a change, ${what}`,
      got: `${round(took)} ms`,
      reach: "≤ 5 ms",
      baseline: `zlib alone: ${round(bare)} ms`,
      ratio: round(took / bare),
    };
  });
}

function median(make: () => unknown): number {
  const times = Array.from({ length: 60 }, () => {
    const began = performance.now();
    make();
    return performance.now() - began;
  });
  return times.slice(10).toSorted((a, b) => a - b)[25] ?? Number.NaN;
}

const LISTENERS = 1_000;

/** From the 201 of a revocation until each of a thousand listeners has it, one of whom never reads. */
export const revoked: Question = async () => {
  const target = await startServer(await makeFolder("registered"));
  const stage = await playOn(target, granted);
  const rounds = 60;
  const grants = grantsOf(stage, rounds);
  await sendAll(
    target,
    grants.map(({ bytes }) => signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("authority"))),
  );
  const crowd = new Crowd();
  await crowd.join(target, LISTENERS);
  const alone: number[] = [];
  const late: number[] = [];
  const visible: number[] = [];
  for (const [n, grant] of grants.entries()) {
    const post = renderPost("/v1/entries", "application/json", revocationOf(stage, grant));
    const heard = crowd.hears();
    let answeredAt = 0;
    const posted = await closedLoop(target.port, [post], 1, () => (answeredAt = performance.now()));
    demandAll(posted, 201, 1);
    if (n < 10) {
      // Whoever asks once it is answered is told.
      await closedLoop(target.port, [renderGet(`/v1/entries/${grant.id}/status`)], 1, (_, { body }) => {
        if (!body.includes('"state":"revoked"')) throw new Error(body.toString().slice(0, 100));
        visible.push(performance.now() - answeredAt);
      });
    }
    const times = (await heard).map((at) => Math.max(0, at - answeredAt));
    if (n >= 10) {
      late.push(...times);
      alone.push(Math.min(...times));
    }
  }
  crowd.leave();
  await target.stop();
  const all = Float64Array.from(late).sort();
  const first = Float64Array.from(alone).sort();
  return [50, 99].map((p) => ({
    what: `revocation in the stream after its 201, ${LISTENERS.toLocaleString("en")} listeners and one who never reads, p${p}`,
    got: `${round(percentile(all, p))} ms`,
    reach: p === 50 ? "—" : "≤ 50 ms",
    baseline: `the first listener: ${round(Math.max(0.01, percentile(first, p)))} ms`,
    ratio: round(percentile(all, p) / Math.max(0.01, percentile(first, p))),
  }));
};

/** Listeners on bare sockets, so that the one who measures has little to do. */
class Crowd {
  private readonly sockets: ReturnType<typeof connect>[] = [];
  private onHeard: () => void = () => {};

  async join({ port }: Target, count: number): Promise<void> {
    const idle = connect(port, "127.0.0.1");
    idle.write(`GET /v1/events?from=0 HTTP/1.1\r\nhost: x\r\n\r\n`);
    idle.pause();
    this.sockets.push(idle);
    await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect(port, "127.0.0.1");
        this.sockets.push(socket);
        socket.write("GET /v1/events?events=revocation HTTP/1.1\r\nhost: x\r\n\r\n");
        await new Promise<void>((resolve) => {
          socket.on("data", (chunk: Buffer) => {
            if (chunk.includes("event: checkpoint")) resolve();
            if (chunk.includes("event: revocation")) this.onHeard();
          });
        });
      }),
    );
  }

  /** When each of those who read has heard the next revocation. */
  async hears(): Promise<number[]> {
    const times: number[] = [];
    return new Promise((resolve) => {
      this.onHeard = () => {
        times.push(performance.now());
        if (times.length === this.sockets.length - 1) resolve(times);
      };
    });
  }

  leave(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** A gateway: one authorization all in all, and from the 201 of a revocation until the permit is stopped. */
export const gateway: Question = async () => {
  const target = await startServer(await makeFolder("registered"));
  const rounds = 120;
  // Each of a request of its own: a hundred grants of one request are a trace of a hundred grants.
  const took: number[] = [];
  const stopped: number[] = [];
  const uses: number[] = [];
  for (let n = 0; n < rounds; n++) {
    const played = await playOn(target, granted);
    const own = await Gateway.open({
      url: `http://127.0.0.1:${target.port}`,
      trust: formatVerifierKey(target.key),
      executor: played.party("executor").id,
      signer: played.signer("executor"),
      folder: await mkdtemp(join(tmpdir(), "writ-bench-gateway-")),
    });
    await own.ready();
    const mine = played.value("child-grant")["permitted_action"] as unknown as ProposedAction;
    const began = performance.now();
    const permit = await own.authorize(
      played.id("child-grant"),
      { action_type: mine.action_type, target: mine.target },
      "sha256:call",
    );
    took.push(performance.now() - began);
    const over = new Promise<number>((resolve) =>
      permit.signal.addEventListener("abort", () => resolve(performance.now()), { once: true }),
    );
    const post = renderPost(
      "/v1/entries",
      "application/json",
      revocationOf(played, played.ref("capability-grant", "child-grant")),
    );
    let answeredAt = 0;
    const posting = performance.now();
    demandAll(await closedLoop(target.port, [post], 1, () => (answeredAt = performance.now())), 201, 1);
    uses.push(answeredAt - posting);
    stopped.push(Math.max(0, (await over) - answeredAt));
    await own.close();
  }
  await target.stop();
  const sorted = (times: readonly number[]): Float64Array => Float64Array.from(times.slice(20)).sort();
  return [
    ...[50, 99].map((p) => ({
      what: `a gateway's permit stopped after the 201 of the revocation, p${p}`,
      got: `${round(Math.max(0.01, percentile(sorted(stopped), p)))} ms`,
      reach: p === 50 ? "—" : "≤ 50 ms",
      baseline: `the revocation's own POST: ${round(percentile(sorted(uses), p))} ms`,
      ratio: round(percentile(sorted(stopped), p) / percentile(sorted(uses), p)),
    })),
    {
      what: "authorize: trace fetched, judged, use logged, p50",
      got: `${round(percentile(sorted(took), 50))} ms`,
      reach: "—",
      baseline: `one POST: ${round(percentile(sorted(uses), 50))} ms`,
      ratio: round(percentile(sorted(took), 50) / percentile(sorted(uses), 50)),
    },
  ];
};

/** The rows that status adds. */
const STATUS_TABLES: ReadonlySet<Table> = new Set<Table>([
  "touched",
  "bits",
  "bit-list",
  "bit-round",
  "child",
  "sweep",
]);

/** Grants and their uses through the sequencer, with status kept and without. */
export const kept: Question = async () => {
  const [count, each] = [30_000, 100];
  const seconds = { requests: [0, 0], uses: [0, 0] };
  for (const turn of [0, 1, 1, 0, 1, 0, 0, 1] as const) {
    const took = await sequenced(turn === 1, count, each);
    seconds.requests[turn] = (seconds.requests[turn] ?? 0) + took.requests / 4;
    seconds.uses[turn] = (seconds.uses[turn] ?? 0) + took.uses / 4;
  }
  return (["requests", "uses"] as const).map((what) => {
    const [without = 0, withStatus = 0] = seconds[what];
    const name = what === "requests" ? "records that nothing is said about" : "consumptions";
    return {
      what: `the sequencer with status kept, ${name}, groups of ${each}`,
      got: `${round(count / withStatus)}/s`,
      reach: "≤ 1.1×",
      baseline: `without its rows and lookups: ${round(count / without)}/s`,
      ratio: round(withStatus / without),
    };
  });
};

async function sequenced(
  withStatus: boolean,
  count: number,
  each: number,
): Promise<{ requests: number; uses: number }> {
  const folder = join(await mkdtemp(join(tmpdir(), "writ-bench-")), "db");
  const level = await LevelStore.open(folder, { create: true });
  const store = withStatus ? level : withoutStatus(level);
  const key = signingKey("bench.example/log", new Uint8Array(32).fill(1));
  const known = publicKey("Ed25519", key.publicKey);
  if (known === undefined) throw new RangeError("a sound key");
  const policy = signLogPolicy(
    { origin: key.name, admission: "registered", registrars: [known] },
    "2026-05-01T12:00:00Z",
    secretSigner(known, key.seed),
  );
  await createLog(store, policy, key, Date.now());
  const { sequencer } = await openSequencer(store, key);
  const run = async (entries: readonly Admitted[]): Promise<number> => {
    const began = performance.now();
    let next = 0;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (next < entries.length) {
          const group = entries.slice(next, (next += each));
          const { places } = await sequencer.sequence(group);
          if (places.some((place) => place instanceof Error)) throw new Error("refused");
        }
      }),
    );
    return (performance.now() - began) / 1000;
  };
  const read = (bytes: Uint8Array): Admitted => readStored(bytes, false);
  const { grants, uses } = grantsAndUses(count);
  const requests = await run(statements(count).map(read));
  await run(grants.map(read));
  const used = await run(uses.map(read));
  await store.close();
  return { requests, uses: used };
}

function withoutStatus(store: LevelStore): Store {
  const rest = (rows: Iterable<StoredRow>): StoredRow[] =>
    [...rows].filter(({ table }) => !STATUS_TABLES.has(table));
  return new Proxy<Store>(store, {
    get(target, name) {
      if (name === "commit")
        return (commit: Parameters<Store["commit"]>[0]) =>
          target.commit({ ...commit, rows: rest(commit.rows) });
      if (name === "lookup")
        return async (table: Table, asked: readonly Uint8Array[]) =>
          STATUS_TABLES.has(table) ? asked.map(() => undefined) : target.lookup(table, asked);
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}

/** Grants and one use of each: signed by nobody who is asked about, because only the sequencer is measured. */
function grantsAndUses(count: number): { grants: Uint8Array[]; uses: Uint8Array[] } {
  const request = new RecordRef("action-request", `sha256:${"1".repeat(64)}`);
  const decision = new RecordRef("policy-decision", `sha256:${"2".repeat(64)}`);
  const at = "2026-05-01T12:00:00Z";
  const grants = Array.from({ length: count }, (_, n) =>
    buildRecord("capability-grant", {
      issuer: "authority://acme",
      issued_at: at,
      request_hash: request,
      decision_hash: decision,
      permitted_action: { action_type: "db.drop", target: { table: "t" }, constraints: { rows: 1 } },
      audience: "executor://acme/db",
      nonce: `n-${n}`,
      expiry: "2030-05-01T12:00:00Z",
      revocation_registry: "bench.example/log",
    }),
  );
  const uses = grants.map((grant, n) =>
    buildRecord("consumption", {
      issuer: "executor://acme/db",
      issued_at: at,
      request_hash: request,
      capability_hash: grant,
      nonce: `n-${n}`,
      executor_id: "executor://acme/db",
      consumed_at: at,
    }),
  );
  const sign = ({ bytes }: { bytes: Uint8Array }): Uint8Array => signDsse(RECORD_MEDIA_TYPE, bytes, agent);
  return { grants: grants.map(sign), uses: uses.map(sign) };
}

/** Ten million entries, half a million of them changed all over: opened again, and asked about the past. */
export const restart: Question = async () => {
  const [size, count] = [10_000_000, 500_000];
  const folder = join(await mkdtemp(join(tmpdir(), "writ-bench-")), "db");
  const level = await LevelStore.open(folder, { create: true });
  const bits = StatusBits.empty();
  const each = 1000;
  for (let at = 0; at < count; at += each) {
    const changes = Array.from(
      { length: each },
      (_, i): BitChange => ({
        at: at + i,
        position: (Math.imul(at + i, 0x9e3779b1) >>> 0) % size,
        bits: CONSUMED,
      }),
    );
    await level.putRows(bits.plan(changes));
    bits.apply();
  }
  await level.close();
  const again = await LevelStore.open(folder);
  const store = new Proxy<Store>(again, {
    get(target, name) {
      if (name === "head") return async () => ({ size, root: new Uint8Array(32), receivedAt: 0 });
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const began = performance.now();
  const opened = await StatusBits.open(store);
  const openMs = performance.now() - began;
  const scanned = performance.now();
  for await (const _ of allRows(again, "bits"));
  const scanMs = performance.now() - scanned;
  const past: number[] = [];
  for (let n = 0; n < 100; n++) {
    const asked = performance.now();
    const list = await listAsOf(store, n % 77, 1 + ((n * 7919) % count));
    past.push(performance.now() - asked);
    if (list.length !== LIST_BYTES) throw new RangeError("a list");
  }
  await again.close();
  const sorted = Float64Array.from(past).sort();
  return [
    {
      what: "the bits of 10 M entries in memory",
      got: `${round(opened.bytes / 2 ** 20)} MiB`,
      reach: "≤ 4 MB",
      baseline: `two bits an entry: ${round(size / 4 / 2 ** 20)} MiB`,
      ratio: round(opened.bytes / (size / 4)),
    },
    {
      what: "the same read at the start, after 500,000 changes",
      got: `${round(openMs)} ms`,
      reach: "no replay",
      baseline: `reading every change: ${round(scanMs)} ms`,
      ratio: round(openMs / scanMs),
    },
    {
      what: "a list of 2^17 as of any size of the past, p99",
      got: `${round(percentile(sorted, 99))} ms`,
      reach: "≤ 20 ms",
      baseline: `p50: ${round(percentile(sorted, 50))} ms`,
      ratio: round(percentile(sorted, 99) / percentile(sorted, 50)),
    },
  ];
};

/** One grant with a hundred thousand below it revoked with all of them: what others notice, and how long it takes. */
export const cascade: Question = async () => {
  const count = 100_000;
  const target = await startServer(await makeFolder("registered"));
  await registerAgent(target);
  const stage = await playOn(target, granted);
  const [top] = grantsOf(stage, 1, { max_uses: 1_000_000 });
  if (top === undefined) throw new RangeError("a grant");
  const sign = (bytes: Uint8Array): Uint8Array =>
    signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("authority"));
  await sendAll(target, [sign(top.bytes)]);
  const children = Array.from({ length: count }, (_, n) =>
    stage.variant<"capability-grant">("grant", { nonce: `c-${n}`, max_uses: 1, parent_capability_hash: top }),
  );
  await sendAll(
    target,
    children.map(({ bytes }) => sign(bytes)),
  );
  const posts = statements(1_200).map((one) => renderPost("/v1/entries", "application/json", one));
  const before = await openLoop(target.port, posts.slice(0, 600), 200, () => {});
  const { bytes } = buildRecord("revocation", {
    issuer: stage.party("authority").id,
    issued_at: stage.time(0),
    target: top,
    action: "revoke",
    reason: "a measurement",
    cascade: true,
  });
  await sendAll(target, [sign(bytes)]);
  const began = performance.now();
  let sweptMs = 0;
  const watching = (async () => {
    const client = new LogClient({ url: `http://127.0.0.1:${target.port}`, key: target.key });
    // The last of them is told at once, whatever the lists say yet.
    const last = children.at(-1);
    if (last === undefined || (await client.status(last.id)).state !== "revoked")
      throw new Error("not at once");
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${target.port}/v1/status/lists/0`);
      const { sweptTo, treeSize } = openStatusListJwt(new Uint8Array(await answer.arrayBuffer()), target.key);
      if (sweptTo >= treeSize) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    sweptMs = performance.now() - began;
    await client.close();
  })();
  const during = await openLoop(target.port, posts.slice(600), 200, () => {});
  await watching;
  demandAll(during, 201, 600);
  await target.stop();
  return [
    {
      what: "POST at 200/s while a cascade over 100,000 grants is written out, p99",
      got: `${round(percentile(during.latencies, 99))} ms`,
      reach: "—",
      baseline: `without: ${round(percentile(before.latencies, 99))} ms`,
      ratio: round(percentile(during.latencies, 99) / percentile(before.latencies, 99)),
    },
    {
      what: "the lists have all of it after",
      got: `${round(sweptMs)} ms`,
      reach: "—",
      baseline: `the ${count.toLocaleString("en")} grants, each asked: at once`,
      ratio: "—",
    },
  ];
};
