/** Logs to measure: real ones, in processes of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LogClient } from "../src/client/index.js";
import { utf8 } from "../src/format/bytes.js";
import {
  parseSigningKey,
  parseVerifierKey,
  signingKey,
  type SigningKey,
  type VerifierKey,
} from "../src/format/vkey.js";
import { RECORD_MEDIA_TYPE } from "../src/record/record.js";
import { canonicalJson } from "../src/statement/jcs.js";
import { publicKey, toJwk } from "../src/statement/key.js";
import { type Signer, secretSigner, signDsse } from "../src/statement/sign.js";

const PROJECT = resolve(import.meta.dirname, "../..");
const MAIN = join(PROJECT, "dist/src/cli/main.js");
export const AGENT = "agent://acme/buyer";

export const agent = signerOf(signingKey(AGENT, new Uint8Array(32).fill(3)));

export interface Target {
  readonly folder: string;
  readonly key: VerifierKey;
  readonly port: number;
  readonly pid: number;
  /** Milliseconds from the start of the process to "is up". */
  readonly startMs: number;
  stop(): Promise<void>;
}

export async function makeFolder(admission: "registered" | "raw"): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), "writ-bench-")), "log");
  await run(["init", folder, "--origin", "bench.example/log", "--admission", admission]);
  return folder;
}

export async function startServer(folder: string, ...args: readonly string[]): Promise<Target> {
  const began = performance.now();
  const child = spawn(process.execPath, [MAIN, "serve", folder, "--listen", "127.0.0.1:0", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const port = await portOf(child);
  const startMs = performance.now() - began;
  const key = parseVerifierKey((await readFile(join(folder, "keys/log.key.pub"), "utf8")).trim());
  return { folder, key, port, pid: child.pid ?? 0, startMs, stop: () => stop(child) };
}

export interface WitnessProcess {
  readonly port: number;
  readonly verifierKey: string;
  stop(): Promise<void>;
}

/** A witness of these logs (the text of its list) in a process of its own. */
export async function startWitness(
  name: string,
  algorithm: "ed25519" | "both",
  list: string,
): Promise<WitnessProcess> {
  const folder = join(await mkdtemp(join(tmpdir(), "writ-bench-")), "w");
  await run(["witness", "init", folder, "--name", name, "--algorithm", algorithm]);
  await writeFile(join(folder, "logs"), list);
  const child = spawn(process.execPath, [MAIN, "witness", "serve", folder, "--listen", "127.0.0.1:0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const port = await portOf(child);
  const verifierKey = (await readFile(join(folder, "witness.key.pub"), "utf8")).trim();
  return { port, verifierKey, stop: () => stop(child) };
}

/** A server of our own making, as a baseline: a module that prints the port it listens on. */
export async function startBaseline(
  module: string,
  ...args: readonly string[]
): Promise<{ port: number; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, module), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return { port: await portOf(child), stop: () => stop(child) };
}

async function portOf(child: ChildProcess): Promise<number> {
  let said = "";
  return new Promise((up, down) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const port = /is up at http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port !== undefined) up(Number(port));
    });
    child.once("exit", () => down(new Error(said)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGTERM");
  await gone;
}

async function run(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: "ignore" });
  await new Promise<void>((done, fail) =>
    child.once("exit", (code) => (code === 0 ? done() : fail(new Error(`writ ${args.join(" ")}`)))),
  );
}

/** Registers the agent's key with a running log. */
export async function registerAgent({ folder, key, port }: Target): Promise<void> {
  const registrar = parseSigningKey((await readFile(join(folder, "keys/registrar.key"), "utf8")).trim());
  const client = new LogClient({ url: `http://127.0.0.1:${port}`, key });
  const record = {
    type: "key",
    v: 1,
    issuer: registrar.name,
    issued_at: "2026-05-01T12:00:00Z",
    key_id: agent.publicKey.keyId,
    public_key: toJwk(agent.publicKey),
    algorithm: "Ed25519",
    roles: ["agent"],
    ids: [AGENT],
    control_domain: "acme",
  };
  await client.submit(signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), signerOf(registrar)));
  await client.close();
}

function signerOf(key: SigningKey): Signer {
  const known = publicKey("Ed25519", key.publicKey);
  if (known === undefined) throw new RangeError("a sound key");
  return secretSigner(known, key.seed);
}

/** The record of an action request as a gateway would send it. */
export function actionRequest(traceId: string): Uint8Array {
  const record = {
    type: "action-request",
    v: 1,
    issuer: AGENT,
    issued_at: "2026-05-01T12:00:00Z",
    trace_id: traceId,
    agent_id: AGENT,
    delegator_id: "user://acme/cfo",
    action_type: "wire.transfer",
    target: { vendor: "acme-supplies" },
    constraints: { amount_max: "50000.00 USD" },
    policy_version: "2026-04",
    requested_at: "2026-05-01T12:00:00Z",
  };
  return utf8(canonicalJson(record));
}

/** Action requests as a gateway would send them, some 700 bytes each when signed. */
export function statements(count: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) =>
    signDsse(RECORD_MEDIA_TYPE, actionRequest(`wire-${from + i}`), agent),
  );
}

/** Resident memory of a process in MiB: its own, and the table files that LevelDB has mapped (the kernel's page cache). */
export async function residentMiB(pid: number): Promise<{ own: number; mapped: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
  return { own: read("RssAnon"), mapped: read("RssFile") };
}

export async function bytesOnDisk(folder: string): Promise<number> {
  const names = await readdir(join(folder, "db"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, "db", name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
