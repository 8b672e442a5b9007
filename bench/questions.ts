/** The questions, one function each: what is measured, against what, checked while measuring. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { asHash, expandRun, leafHash, verifyInclusion, verifyRun } from "../merkle/index.js";
import { fromUtf8, utf8 } from "../src/format/bytes.js";
import { openCheckpoint } from "../src/format/cosignature.js";
import { parseTlogProof } from "../src/format/tlog-proof.js";
import {
  closedLoop,
  type HttpAnswer,
  type LoadResult,
  openLoop,
  percentile,
  renderGet,
  renderPost,
} from "./load.js";
import {
  agent,
  bytesOnDisk,
  makeFolder,
  registerAgent,
  residentMiB,
  startBaseline,
  startServer,
  statements,
  type Target,
} from "./server.js";
import { verifyRate } from "./verify-rate.js";

export interface Row {
  readonly what: string;
  readonly got: string;
  readonly reach: string;
  readonly baseline: string;
  readonly ratio: string;
}

export type Question = () => Promise<Row[]>;

const SAMPLE = 500;

export function perSecond(count: number, { seconds }: LoadResult): number {
  return count / seconds;
}

export function round(n: number): string {
  return n >= 100 ? Math.round(n).toLocaleString("en") : n.toPrecision(3);
}

export function demandAll(result: LoadResult, status: number, count: number): void {
  if (result.statuses.get(status) !== count)
    throw new Error(`want ${count} answers of ${status}, got ${JSON.stringify([...result.statuses])}`);
}

/** Verifies the proof in a transparency entry against the statement that was sent. */
export function verifyAnswer(target: Target, statement: Uint8Array, { body }: HttpAnswer): void {
  const answer = JSON.parse(body.toString()) as {
    log_checkpoint: string;
    inclusion_proof: { index: number; hashes: string[] };
  };
  const { checkpoint } = openCheckpoint(utf8(answer.log_checkpoint), target.key);
  const { index, hashes } = answer.inclusion_proof;
  verifyInclusion(index, checkpoint.size, leafHash(statement), hashes.map(hashOf), checkpoint.root);
}

function hashOf(text: string): ReturnType<typeof asHash> {
  return asHash(new Uint8Array(Buffer.from(text, "base64")));
}

/** A fresh log with the agent registered, for as long as it is used. */
export async function withLog<T>(use: (target: Target) => Promise<T>): Promise<T> {
  const target = await startServer(await makeFolder("registered"));
  try {
    await registerAgent(target);
    return await use(target);
  } finally {
    await target.stop();
  }
}

/** A statement takes the same way through the engine's compilers as those that are timed. */
export async function warmUp(target: Target, count: number): Promise<void> {
  const requests = statements(count, 10_000_000).map((s) => renderPost("/v1/entries", "application/json", s));
  await closedLoop(target.port, requests, 64, () => {});
}

/** POST → durable, verified, proven, at a steady 500/s. */
export const steady: Question = async () => {
  const count = 10_000;
  const signed = statements(count);
  const requests = signed.map((s) => renderPost("/v1/entries", "application/json", s));
  const base = await startBaseline("baseline.js");
  const bare = await openLoop(
    base.port,
    signed.map((s) => renderPost("/write", "application/json", s)),
    500,
    () => {},
  );
  await base.stop();
  return withLog(async (target) => {
    await warmUp(target, 5_000);
    const result = await openLoop(target.port, requests, 500, (i, answer) => {
      if (i % SAMPLE === 0) verifyAnswer(target, signed[i] as Uint8Array, answer);
    });
    demandAll(result, 201, count);
    return [50, 99].map((p) => ({
      what: `POST at 500/s, open loop, p${p}`,
      got: `${round(percentile(result.latencies, p))} ms`,
      reach: p === 50 ? "≤ 3 ms" : "≤ 15 ms",
      baseline: `write and sync only: ${round(percentile(bare.latencies, p))} ms`,
      ratio: round(percentile(result.latencies, p) / percentile(bare.latencies, p)),
    }));
  });
};

/** Single POSTs, closed loop, many connections. */
export const single: Question = async () => {
  const count = 100_000;
  const signed = statements(count);
  const before = await verifyRate();
  return withLog(async (target) => {
    await warmUp(target, 10_000);
    const requests = signed.map((s) => renderPost("/v1/entries", "application/json", s));
    const result = await closedLoop(target.port, requests, 256, (i, answer) => {
      if (i % SAMPLE === 0) verifyAnswer(target, signed[i] as Uint8Array, answer);
    });
    demandAll(result, 201, count);
    return [
      rateRow(
        "single POSTs, 256 connections",
        perSecond(count, result),
        "≥ 15,000/s; ≥ 0.35",
        (before + (await verifyRate())) / 2,
      ),
    ];
  });
};

/** Batches of 100, each with one compact proof. */
export const batches: Question = async () => {
  const [count, each] = [200_000, 100];
  const signed = statements(count);
  const before = await verifyRate();
  return withLog(async (target) => {
    await warmUp(target, 10_000);
    const requests: Buffer[] = [];
    for (let i = 0; i < count; i += each) {
      const lines = signed.slice(i, i + each).flatMap((s) => [s, utf8("\n")]);
      requests.push(renderPost("/v1/entries/batch", "application/x-ndjson", Buffer.concat(lines)));
    }
    const result = await closedLoop(target.port, requests, 16, (i, answer) => {
      if (i % 50 === 0) verifyBatch(target, signed.slice(i * each, (i + 1) * each), answer);
    });
    demandAll(result, 200, count / each);
    return [
      rateRow(
        "batches of 100, 16 connections",
        perSecond(count, result),
        "≥ 30,000/s; ≥ 0.65",
        (before + (await verifyRate())) / 2,
      ),
    ];
  });
};

function verifyBatch(target: Target, signed: readonly Uint8Array[], { body }: HttpAnswer): void {
  const answer = JSON.parse(body.toString()) as {
    log_checkpoint: string;
    run: { start: number; hashes: string[] };
  };
  const { checkpoint } = openCheckpoint(utf8(answer.log_checkpoint), target.key);
  const leaves = signed.map(leafHash);
  const hashes = answer.run.hashes.map(hashOf);
  verifyRun(answer.run.start, checkpoint.size, leaves, hashes, checkpoint.root);
  const [first] = expandRun(answer.run.start, checkpoint.size, leaves, hashes);
  verifyInclusion(
    answer.run.start,
    checkpoint.size,
    leaves[0] as ReturnType<typeof asHash>,
    first ?? [],
    checkpoint.root,
  );
}

function rateRow(what: string, rate: number, reach: string, verifies: number): Row {
  return {
    what,
    got: `${round(rate)}/s`,
    reach,
    baseline: `bare verification, all cores: ${round(verifies)}/s`,
    ratio: round(rate / verifies),
  };
}

/** Raw mode, 1 KiB entries. */
export const raw: Question = async () => {
  const count = 150_000;
  const entries = Array.from({ length: count }, (_, i) => Buffer.from(String(i).padEnd(1024, "x")));
  const base = await startBaseline("baseline.js");
  const empty = await closedLoop(
    base.port,
    entries.map(() => renderPost("/empty", "application/octet-stream", new Uint8Array(0))),
    256,
    () => {},
  );
  await base.stop();
  const target = await startServer(await makeFolder("raw"));
  const result = await closedLoop(
    target.port,
    entries.map((e) => renderPost("/add", "application/octet-stream", e)),
    256,
    (i, { body }) => {
      if (i % SAMPLE === 0 && !/^[1-9][0-9]*$/.test(body.toString()))
        throw new Error("/add answered no index");
    },
  );
  demandAll(result, 200, count);
  await target.stop();
  const [rate, framework] = [perSecond(count, result), perSecond(count, empty)];
  return [
    {
      what: "raw POST /add, 1 KiB, 256 connections",
      got: `${round(rate)}/s`,
      reach: "≥ 20,000/s",
      baseline: `the framework answering an empty POST: ${round(framework)}/s`,
      ratio: round(rate / framework),
    },
  ];
};

/** Proofs, appends, memory and restart at a small and a large size. */
export const sizes: Question = async () => {
  const [small, large] = (process.env["SIZES"] ?? "1000000,10000000").split(",").map(Number) as [
    number,
    number,
  ];
  const folder = await makeFolder("raw");
  await fill(folder, small);
  const atSmall = await proofs(folder, small);
  const filled = await fill(folder, large);
  const atLarge = await proofs(folder, large);
  const fresh = await fill(await makeFolder("raw"), 110_000);
  return [
    {
      what: `inclusion proofs read at ${small.toLocaleString("en")}`,
      got: `${round(atSmall.rate)}/s`,
      reach: "≥ 20,000/s a core",
      baseline: "",
      ratio: "",
    },
    {
      what: `inclusion proofs read at ${large.toLocaleString("en")}`,
      got: `${round(atLarge.rate)}/s`,
      reach: "within 1.2×",
      baseline: `at ${small.toLocaleString("en")}: ${round(atSmall.rate)}/s`,
      ratio: round(atSmall.rate / atLarge.rate),
    },
    {
      what: `100,000 appends at ${large.toLocaleString("en")}`,
      got: `${round(filled.last)} s`,
      reach: "≤ 1.2×",
      baseline: `from empty: ${round(fresh.first)} s`,
      ratio: round(filled.last / fresh.first),
    },
    {
      what: `restart at ${large.toLocaleString("en")}`,
      got: `${round(atLarge.startMs)} ms`,
      reach: "≤ 1 s",
      baseline: "",
      ratio: "",
    },
    {
      what: `memory at ${large.toLocaleString("en")}, after the proofs`,
      got: `${round(atLarge.resident.own)} MiB`,
      reach: "≤ 300 MB",
      baseline: `and mapped table files: ${round(atLarge.resident.mapped)} MiB`,
      ratio: "",
    },
  ];
};

async function fill(folder: string, size: number): Promise<{ first: number; last: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "fill.js"), folder, String(size)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  await new Promise<void>((done, fail) =>
    child.once("exit", (code) => (code === 0 ? done() : fail(new Error("filling failed")))),
  );
  return JSON.parse(out) as { first: number; last: number };
}

async function proofs(
  folder: string,
  size: number,
): Promise<{ rate: number; startMs: number; resident: { own: number; mapped: number } }> {
  const target = await startServer(folder);
  const count = 100_000;
  const indexes = Array.from({ length: count }, (_, i) => (i * 2_654_435_761) % size);
  const requests = indexes.map((index) => renderGet(`/v1/entries/${index}/proof`));
  await closedLoop(target.port, requests.slice(0, 10_000), 64, () => {});
  const samples: [number, Buffer][] = [];
  const result = await closedLoop(target.port, requests, 64, (i, { body }) => {
    if (i % (10 * SAMPLE) === 0) samples.push([indexes[i] ?? 0, Buffer.from(body)]);
  });
  demandAll(result, 200, count);
  for (const [index, file] of samples) await verifyProofFile(target, index, file);
  const resident = await residentMiB(target.pid);
  await target.stop();
  return { rate: perSecond(count, result), startMs: target.startMs, resident };
}

async function verifyProofFile(target: Target, index: number, file: Uint8Array): Promise<void> {
  const proof = parseTlogProof(file);
  const { checkpoint } = openCheckpoint(proof.checkpoint, target.key);
  const response = await fetch(`http://127.0.0.1:${target.port}/v1/entries/${index}`, {
    headers: { accept: "application/octet-stream" },
  });
  const entry = new Uint8Array(await response.arrayBuffer());
  verifyInclusion(proof.index, checkpoint.size, leafHash(entry), proof.hashes, checkpoint.root);
  if (proof.index !== index || fromUtf8(proof.checkpoint) === undefined)
    throw new Error(`the proof of ${index} is of ${proof.index}`);
}

/** Bytes on disk against bytes submitted, signed statements of some 700 bytes. */
export const disk: Question = async () =>
  withLog(async (target) => {
    const count = 200_000;
    let submitted = 0;
    for (let from = 0; from < count; from += 20_000) {
      const signed = statements(20_000, from);
      submitted += signed.reduce((sum, s) => sum + s.length, 0);
      const requests: Buffer[] = [];
      for (let i = 0; i < signed.length; i += 500) {
        requests.push(
          renderPost(
            "/v1/entries/batch",
            "application/x-ndjson",
            Buffer.concat(signed.slice(i, i + 500).flatMap((s) => [s, utf8("\n")])),
          ),
        );
      }
      demandAll(await closedLoop(target.port, requests, 4, () => {}), 200, requests.length);
    }
    const onDisk = await bytesOnDisk(target.folder);
    return [
      {
        what: `bytes on disk ÷ bytes submitted, ${count.toLocaleString("en")} statements by ${agent.publicKey.algorithm}`,
        got: `${round(onDisk / 1e6)} MB`,
        reach: "≤ 1.5×",
        baseline: `submitted: ${round(submitted / 1e6)} MB`,
        ratio: round(onDisk / submitted),
      },
    ];
  });
