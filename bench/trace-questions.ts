/** The questions about records: what their index costs, how fast traces, searches and impact answer, single use. */
import { spawn } from "node:child_process";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { LogClient } from "../src/client/index.js";
import { sha256 } from "#crypto";
import { edit } from "../src/demo/changes.js";
import { Stage, type Step, type Story } from "../src/demo/stage.js";
import { stagingCleanUp, wireTransfer } from "../src/demo/stories.js";
import { utf8 } from "../src/format/bytes.js";
import { policyOfKey } from "../src/format/policy.js";
import { parseSigningKey } from "../src/format/vkey.js";
import { buildRecord } from "../src/record/build.js";
import { RECORD_MEDIA_TYPE } from "../src/record/record.js";
import { publicKey } from "../src/statement/key.js";
import { secretSigner, type Signer, signDsse } from "../src/statement/sign.js";
import { evaluate } from "../src/trace/evaluate.js";
import { closedLoop, type LoadResult, percentile, renderGet, renderPost } from "./load.js";
import type { Question, Row } from "./questions.js";
import {
  agent,
  makeFolder,
  registerAgent,
  residentMiB,
  startServer,
  statements,
  type Target,
} from "./server.js";

function round(n: number): string {
  return n >= 100 ? Math.round(n).toLocaleString("en") : n.toPrecision(3);
}

function demandAll(result: LoadResult, status: number, count: number): void {
  if (result.statuses.get(status) !== count)
    throw new Error(`want ${count} answers of ${status}, got ${JSON.stringify([...result.statuses])}`);
}

/** The same bytes as a record and as foreign content: what links and search rows cost. */
export const typed: Question = async () => {
  const rows: Row[] = [];
  for (const [what, each, connections, count] of [
    ["single POSTs", 1, 256, 30_000],
    ["batches of 100", 100, 16, 100_000],
  ] as const) {
    const records = statements(count);
    const foreign = records.map((statement) => {
      const { payload } = JSON.parse(Buffer.from(statement).toString()) as { payload: string };
      return signDsse("application/json", new Uint8Array(Buffer.from(payload, "base64")), agent);
    });
    // Untyped, typed, typed, untyped: what drifts in the machine drifts for both.
    const seconds = [0, 0];
    for (const turn of [0, 1, 1, 0] as const) {
      const took = await timed(turn === 0 ? foreign : records, each, connections);
      seconds[turn] = (seconds[turn] ?? 0) + took / 2;
    }
    const [untyped = 0, withRows = 0] = seconds;
    rows.push({
      what: `typed admission, links and search rows, ${what}`,
      got: `${round(count / withRows)}/s`,
      reach: "≤ 1.35×",
      baseline: `the same bytes untyped: ${round(count / untyped)}/s`,
      ratio: round(withRows / untyped),
    });
  }
  return rows;
};

async function timed(signed: readonly Uint8Array[], each: number, connections: number): Promise<number> {
  const target = await startServer(await makeFolder("registered"));
  await registerAgent(target);
  const requests = requestsOf(signed, each);
  const warm = requestsOf(statements(5000, 50_000_000), each);
  await closedLoop(target.port, warm, connections, () => {});
  const result = await closedLoop(target.port, requests, connections, () => {});
  demandAll(result, each === 1 ? 201 : 200, requests.length);
  await target.stop();
  return result.seconds;
}

function requestsOf(signed: readonly Uint8Array[], each: number): Buffer[] {
  if (each === 1) return signed.map((one) => renderPost("/v1/entries", "application/json", one));
  const requests: Buffer[] = [];
  for (let at = 0; at < signed.length; at += each) {
    const lines = signed.slice(at, at + each).flatMap((one) => [one, utf8("\n")]);
    requests.push(renderPost("/v1/entries/batch", "application/x-ndjson", Buffer.concat(lines)));
  }
  return requests;
}

/** Consumptions of as many grants, in batches; every one is checked at its place. */
export const consume: Question = async () => {
  const [count, each] = [40_000, 100];
  const target = await startServer(await makeFolder("registered"));
  // One request that may be carried out as often as there are grants: each use is counted for it, too.
  const stage = await playOn(target, edit("request", () => ({ max_executions: count + 1 }))(stagingCleanUp));
  const grants = Array.from({ length: count }, (_, n) =>
    stage.variant<"capability-grant">("grant", { nonce: `n-${n}`, max_uses: 1 }),
  );
  const send = (records: readonly Uint8Array[], by: string) => {
    const signed = records.map((bytes) => signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer(by)));
    return closedLoop(target.port, requestsOf(signed, each), 8, (_, { body }) => {
      if (body.includes('"problem"')) throw new Error(body.toString().slice(0, 500));
    });
  };
  const granted = await send(
    grants.map(({ bytes }) => bytes),
    "authority",
  );
  const uses = grants.map(
    (grant, n) =>
      buildRecord("consumption", {
        issuer: "executor://acme/db",
        issued_at: stage.time(0),
        request_hash: stage.ref("action-request", "request"),
        capability_hash: grant,
        nonce: `n-${n}`,
        executor_id: "executor://acme/db",
        consumed_at: stage.time(0),
      }).bytes,
  );
  const used = await send(uses, "executor");
  await target.stop();
  return [
    {
      what: "consumptions, each of another grant, batches of 100",
      got: `${round(count / used.seconds)}/s`,
      reach: "≥ 8,000/s",
      baseline: `the grants themselves: ${round(count / granted.seconds)}/s`,
      ratio: round(used.seconds / granted.seconds),
    },
  ];
};

/** Traces, impact and search at a small and a large size. `TYPED` may name folders that were filled before. */
export const lookups: Question = async () => {
  const [small, large] = (process.env["SIZES"] ?? "1000000,10000000").split(",").map(Number) as [
    number,
    number,
  ];
  const ready = process.env["TYPED"]?.split(",");
  const smallFolder = ready?.[0] ?? (await makeFolder("registered"));
  if (ready === undefined) await fill(smallFolder, small);
  const largeFolder = ready?.[1] ?? `${smallFolder}-large`;
  if (ready === undefined) {
    await cp(smallFolder, largeFolder, { recursive: true });
    await fill(largeFolder, large);
  }
  const atSmall = await measure(smallFolder);
  const atLarge = await measure(largeFolder);
  const sizes = [small, large].map((n) => n.toLocaleString("en"));
  return [
    row(
      `a trace of ${atLarge.traceNodes} records at ${sizes[1]}, p99`,
      atLarge.trace,
      "≤ 20 ms; ≤ 1.3×",
      `at ${sizes[0]}`,
      atSmall.trace,
    ),
    row(
      `a trace of ${atLarge.wideNodes} records at ${sizes[1]}, median`,
      atLarge.wide,
      "≤ 300 ms",
      `at ${sizes[0]}`,
      atSmall.wide,
    ),
    row(
      `impact of a fact with 10,000 dependants at ${sizes[1]}, first line`,
      atLarge.firstLine,
      "≤ 50 ms",
      `at ${sizes[0]}`,
      atSmall.firstLine,
    ),
    {
      what: "the same, all 10,001 lines; memory of the log afterwards",
      got: `${round(atLarge.impact)} ms; ${round(atLarge.resident)} MiB`,
      reach: "bounded",
      baseline: `before: ${round(atLarge.residentBefore)} MiB`,
      ratio: round(atLarge.resident / atLarge.residentBefore),
    },
    ...[...atLarge.search].map(([filter, p99]) =>
      row(
        `search, a page of 100 by ${filter} at ${sizes[1]}, p99`,
        p99,
        "≤ 10 ms",
        `at ${sizes[0]}`,
        atSmall.search.get(filter) ?? Number.NaN,
      ),
    ),
  ];
};

function row(what: string, ms: number, reach: string, baseline: string, baseMs: number): Row {
  return {
    what,
    got: `${round(ms)} ms`,
    reach,
    baseline: `${baseline}: ${round(baseMs)} ms`,
    ratio: round(ms / baseMs),
  };
}

const FILTERS: Readonly<Record<string, (n: number) => string>> = {
  type: () => "type=fact",
  issuer: () => "issuer=agent://acme/buyer",
  signer: () => `signer=${agent.publicKey.keyId}`,
  trace_id: (n) => `trace_id=trace-${n * 977}`,
  mission_id: (n) => `mission_id=mission-${n}`,
  action_type: (n) => `action_type=action-${n % 30}`,
  decision: () => "decision=deny",
  outcome: () => "outcome=failed",
  subject: (n) => `subject=subject-${n * 13}`,
  target: (n) => `target=vendor-${n * 7}`,
  linked: (n) => `linked=sha256:${Buffer.from(sha256(utf8(String(n * 977)))).toString("hex")}`,
  index: () => "",
  time: () => "since=2026-01-01T00:00:00Z",
};

async function measure(folder: string) {
  const target = await startServer(folder);
  const search = new Map<string, number>();
  for (const [name, query] of Object.entries(FILTERS)) {
    const paths = Array.from(
      { length: 300 },
      (_, n) => `/v1/search?${query(n)}&limit=100${n % 2 === 0 ? "" : "&order=desc"}`,
    );
    search.set(name, percentile((await times(target, paths)).latencies, 99));
  }
  const stage = await playOn(target, withFifty(wireTransfer));
  const trace = await times(
    target,
    Array.from({ length: 500 }, () => `/v1/traces/${stage.id("receipt")}`),
  );
  const bundle = await traced(target, stage.id("receipt"));
  const wideStage = await playOn(target, stagingCleanUp);
  const children = Array.from({ length: 1960 }, (_, n) =>
    wideStage.variant("child-grant", { nonce: wideStage.own(`n-${n}`) }),
  );
  await sendAll(
    target,
    children.map(({ bytes }) => signDsse(RECORD_MEDIA_TYPE, bytes, wideStage.signer("authority"))),
  );
  const wide = await times(
    target,
    Array.from({ length: 20 }, () => `/v1/traces/${wideStage.id("receipt")}`),
  );
  const wideBundle = await traced(target, wideStage.id("receipt"));
  const fact = stage.variant("bank-check", { value_hash: stage.hash("relied on by many") });
  await sendAll(target, [signDsse(RECORD_MEDIA_TYPE, fact.bytes, stage.signer("bank"))]);
  const citing = Array.from({ length: 10_000 }, (_, n) =>
    stage.variant("request", {
      idempotency_key: `k-${n}`,
      evidence_hashes: { fact: stage.hash("relied on by many") },
    }),
  );
  await sendAll(
    target,
    citing.map(({ bytes }) => signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("agent"))),
  );
  const residentBefore = (await residentMiB(target.pid)).own;
  const { firstLine, impact } = await impactTimes(target, fact.id);
  const resident = (await residentMiB(target.pid)).own;
  await target.stop();
  return {
    trace: percentile(trace.latencies, 99),
    traceNodes: bundle,
    wide: percentile(wide.latencies, 50),
    wideNodes: wideBundle,
    firstLine,
    impact,
    residentBefore,
    resident,
    search,
  };
}

/** GETs one after another, the second time round: the engine's compilers have seen the code by then. */
async function times(target: Target, paths: readonly string[]): Promise<LoadResult> {
  const requests = paths.map((path) => renderGet(path.replace("?&", "?")));
  await closedLoop(target.port, requests, 1, () => {});
  const result = await closedLoop(target.port, requests, 1, () => {});
  demandAll(result, 200, paths.length);
  return result;
}

/** How many records the trace has; it must be AUTHORIZED, or bounded. */
async function traced({ port, key }: Target, id: string): Promise<number> {
  const client = new LogClient({ url: `http://127.0.0.1:${port}`, key });
  const bundle = await client.trace(id);
  await client.close();
  const { verdict } = evaluate(bundle, policyOfKey(key), { at: Date.now() });
  if (verdict !== "AUTHORIZED") throw new Error(`the trace of ${id} is ${verdict}`);
  return bundle.entries.length;
}

async function impactTimes({ port }: Target, id: string): Promise<{ firstLine: number; impact: number }> {
  const began = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/v1/impact/${id}`);
  let firstLine = Number.NaN;
  let lines = 0;
  for await (const chunk of response.body ?? []) {
    if (Number.isNaN(firstLine)) firstLine = performance.now() - began;
    lines += Buffer.from(chunk as Uint8Array).filter((byte) => byte === 0x0a).length;
  }
  if (lines !== 10_001) throw new Error(`want 10,001 lines, got ${lines}`);
  return { firstLine, impact: performance.now() - began };
}

/** The story with so many refused attempts that its trace has some fifty records. */
function withFifty(story: Story): Story {
  const receipt = story.steps.find(({ name }) => name === "receipt") as Step;
  const attempts = Array.from(
    { length: 22 },
    (_, n): Step => ({
      ...receipt,
      name: `attempt-${n}`,
      members: (s) => ({
        ...receipt.members(s),
        outcome: "refused",
        capability_hash: null,
        prior_receipts: [],
        seq: undefined,
        boundary_id: undefined,
        tool_call_hash: s.hash(`attempt ${n}`),
      }),
    }),
  );
  return { ...story, steps: [...story.steps, ...attempts] };
}

export async function playOn(target: Target, story: Story): Promise<Stage> {
  const secret = parseSigningKey((await readFile(join(target.folder, "keys/registrar.key"), "utf8")).trim());
  const known = publicKey("Ed25519", secret.publicKey);
  if (known === undefined) throw new RangeError("a sound key");
  const signer: Signer = secretSigner(known, secret.seed);
  const client = new LogClient({ url: `http://127.0.0.1:${target.port}`, key: target.key });
  const tag = String(Date.now());
  const stage = new Stage(story, {
    start: Date.now(),
    tag,
    seed: (party) => sha256(utf8(`${tag}${party}`)),
    registrar: { id: secret.name, signer },
    logOrigin: target.key.name,
  });
  await stage.play((statement) => client.submit(statement));
  await client.close();
  return stage;
}

export async function sendAll(target: Target, signed: readonly Uint8Array[]): Promise<void> {
  const result = await closedLoop(target.port, requestsOf(signed, 200), 2, (_, { body }) => {
    if (body.includes('"problem"')) throw new Error(body.toString().slice(0, 500));
  });
  demandAll(result, 200, Math.ceil(signed.length / 200));
}

async function fill(folder: string, size: number): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "fill-typed.js"), folder, String(size)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await new Promise<void>((done, failed) =>
    child.once("exit", (code) => (code === 0 ? done() : failed(new Error("filling failed")))),
  );
}
