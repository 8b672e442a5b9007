/**
 * One witness of somebody else's against a log of ours, in real processes: hundreds of growing checkpoints, restarts of
 * either side, a log that has forgotten what the witness holds, and a fork, which must be refused and never be witnessed.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSigner } from "../../src/cli/key-files.js";
import { canonicalJson, LogClient, proofFile, RECORD_MEDIA_TYPE, signDsse } from "../../src/client/index.js";
import { utf8 } from "../../src/format/bytes.js";
import { parsePolicy, type Policy } from "../../src/format/policy.js";
import { verifyEntry } from "../../src/verify/index.js";
import { end, freePort, startIn, writ } from "../support/process.js";
import type { MakeWitness } from "./programs.js";

const GROWING = 300;
const AFTER_RESTART = 40;

export async function witnessScenario(parent: string, name: string, make: MakeWitness): Promise<string> {
  const folder = join(parent, name);
  await mkdir(folder);
  const [logPort, forkPort, witnessPort] = [await freePort(), await freePort(), await freePort()];
  const origin = `log.example/${name}`;
  const made = await writ(folder, "init", "log", "--origin", origin);
  assert.equal(made.code, 0, made.stderr);
  const key = await keyText(folder, "log.key.pub");
  const witness = await make(folder, witnessPort, {
    origin,
    verifierKeys: [key, await keyText(folder, "log-mldsa.key.pub")],
    url: `http://127.0.0.1:${logPort}`,
  });
  const policyFile = join(folder, "policy");
  await writeFile(policyFile, `log ${key}\nwitness W ${witness.verifierKey} ${witness.url}/\nquorum W\n`);
  const policy = parsePolicy(await readFile(policyFile));
  const session = new Session(folder, logPort, key, policy, policyFile);

  await witness.start();
  await session.start();
  await session.register();
  await session.grow(30);
  // The fork: the same log as it is now, which will go another way.
  await end(session.child, "SIGTERM");
  await cp(join(folder, "log"), join(folder, "fork"), { recursive: true });
  await session.start();
  await session.grow(GROWING);

  await witness.kill();
  await witness.start();
  await session.grow(AFTER_RESTART);

  await end(session.child, "SIGKILL");
  await session.start();
  await session.grow(AFTER_RESTART);

  // Stale: the log has forgotten what the witness holds, asks from 0 and is told the size.
  await end(session.child, "SIGTERM");
  await rm(join(folder, "log/witnesses.json"));
  await session.start();
  await session.grow(AFTER_RESTART);
  await end(session.child, "SIGTERM");

  const fork = new Session(folder, forkPort, key, policy, policyFile, "fork");
  await rm(join(folder, "fork/witnesses.json"), { force: true });
  // A witness that can be asked what it holds keeps it from starting at all.
  const alarms = await fork.start().then(
    async () => {
      const told = await fork.growsUnwitnessed(session.size + 10);
      await end(fork.child, "SIGTERM");
      return told;
    },
    (error: unknown) => {
      if (String(error).includes("LOG_BEHIND")) return "it did not start: LOG_BEHIND";
      throw error;
    },
  );
  await witness.kill();
  await witness.close();
  return `${session.size} checkpoints cosigned, both sides restarted, stale state recovered, the fork refused (${alarms})`;
}

async function keyText(folder: string, file: string): Promise<string> {
  return (await readFile(join(folder, "log/keys", file), "utf8")).trim();
}

class Session {
  child!: ChildProcess;
  /** Entries that were logged and witnessed in this session. */
  size = 0;
  private next = 0;

  constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly key: string,
    private readonly policy: Policy,
    private readonly policyFile: string,
    private readonly name = "log",
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const args = ["--listen", `127.0.0.1:${this.port}`, "--witness-policy", this.policyFile];
    this.child = await startIn(this.folder, "serve", this.name, ...args);
  }

  async register(): Promise<void> {
    await this.writ("keys", "new", "agent.key", "--name", "agent://a");
    const registrar = [
      "--registrar",
      "log/keys/registrar.key",
      "--role",
      "agent",
      "--log",
      this.url,
      "--key",
      this.key,
    ];
    await this.writ("keys", "register", "agent.key.pub", ...registrar);
  }

  /** Logs entries one after another, each a checkpoint of its own, and demands the quorum for each, offline. */
  async grow(count: number): Promise<void> {
    const statements = await this.statements(count);
    const client = new LogClient({ url: this.url, key: this.key, policy: this.policy, patienceMs: 20_000 });
    try {
      for (const statement of statements) {
        const entry = await client.submit(statement, { witnessed: true });
        const { checkpoint } = verifyEntry(statement, proofFile(entry), this.policy);
        assert.equal(checkpoint.witnessed, true);
        assert.ok(checkpoint.size > this.size, "the checkpoints grow");
        this.size = checkpoint.size;
      }
    } finally {
      await client.close();
    }
  }

  /** Logs other entries until this history is longer than what was witnessed; no checkpoint of it may be. */
  async growsUnwitnessed(size: number): Promise<string> {
    const client = new LogClient({ url: this.url, key: this.key, patienceMs: 20_000 });
    let last = 0;
    try {
      for (const statement of await this.statements(size, "another history"))
        last = (await client.submit(statement)).index;
    } finally {
      await client.close();
    }
    const response = await fetch(`${this.url}/v1/entries/${last}/proof?wait=witnessed&wait_ms=2000`);
    assert.equal(response.status, 202, "a fork is never witnessed");
    const log = (await (await fetch(`${this.url}/v1/log`)).json()) as {
      witnesses: readonly { fork_alarms: number; fork_alarm: { why: string } | null }[];
    };
    const [standing] = log.witnesses;
    assert.ok(standing !== undefined && standing.fork_alarms > 0, "the fork alarm is shown");
    return standing.fork_alarm?.why ?? "";
  }

  private async statements(count: number, note = "growing"): Promise<Uint8Array[]> {
    const signer = await readSigner(join(this.folder, "agent.key"));
    return Array.from({ length: count }, () => {
      const n = this.next++;
      const record = {
        type: "action-request",
        v: 1,
        issuer: "agent://a",
        issued_at: "2026-05-01T12:00:00Z",
        agent_id: "agent://a",
        delegator_id: "user://b",
        action_type: "wire.transfer",
        target: { note, n },
        constraints: { amount_max: "1.00 USD" },
        policy_version: "1",
        requested_at: "2026-05-01T12:00:00Z",
      };
      return signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), signer);
    });
  }

  private async writ(...args: readonly string[]): Promise<void> {
    const { code, stderr } = await writ(this.folder, ...args);
    assert.equal(code, 0, stderr);
  }
}
