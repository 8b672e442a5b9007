/** How to start each of the other people's witnesses, stop it hard, and start it again with what it had. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { toHex } from "#crypto";
import { ED25519_COSIGNATURE, formatVerifierKey, signingKey } from "../../src/format/vkey.js";
import { end, own } from "../support/process.js";

const run = promisify(execFile);

/** A log as a witness has to know it. */
export interface WitnessedLog {
  readonly origin: string;
  /** Ed25519, then ML-DSA-44. */
  readonly verifierKeys: readonly [string, string];
  readonly url: string;
}

export interface ForeignWitness {
  readonly verifierKey: string;
  readonly url: string;
  /** Resolves once it answers. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Ends whatever else it needed. */
  close(): Promise<void>;
}

export type MakeWitness = (folder: string, port: number, log: WitnessedLog) => Promise<ForeignWitness>;

/** omniwitness with one key, keeping what it saw in a database. */
export function omniwitness(
  paths: { readonly program: string; readonly keys: string },
  mlDsa: boolean,
): MakeWitness {
  return async (folder, port, log) => {
    const [secret, open] = [join(folder, "w.sec"), join(folder, "w.pub")];
    const algorithm = mlDsa ? ["--mldsa"] : [];
    await run(paths.keys, [
      "--origin=omni.example/w",
      `--out_priv=${secret}`,
      `--out_pub=${open}`,
      ...algorithm,
    ]);
    const logs = join(folder, "logs.yaml");
    await writeFile(
      logs,
      `Logs:\n  - Origin: ${log.origin}\n    PublicKey: ${log.verifierKeys[0]}\n    URL: ${log.url}\n`,
    );
    const args = [
      `--listen=127.0.0.1:${port}`,
      "--metrics_listen=",
      `--private_key_path=${secret}`,
      `--additional_logs=${logs}`,
      `--db_file=${join(folder, "omni.db")}`,
    ];
    const runner = new Runner(port, () => spawn(paths.program, args, { cwd: folder, stdio: "ignore" }));
    return {
      verifierKey: (await readFile(open, "utf8")).trim(),
      url: `http://127.0.0.1:${port}`,
      start: () => runner.start(),
      kill: () => runner.kill(),
      close: async () => {},
    };
  };
}

/** litewitness, its key in an ssh-agent. */
export function litewitness(program: string, helper: string): MakeWitness {
  return async (folder, port, log) => {
    const seed = new Uint8Array(32).fill(77);
    const [socket, database] = [join(folder, "a.sock"), join(folder, "lite.db")];
    const agent = own(spawn(helper, ["agent", socket, toHex(seed)], { stdio: ["ignore", "pipe", "ignore"] }));
    const fingerprint = await firstLine(agent);
    const args = ["-db", database, "-name", "lite.example/w", "-key", fingerprint, "-ssh-agent", socket];
    const runner = new Runner(port, () =>
      spawn(program, [...args, "-listen", `127.0.0.1:${port}`], { cwd: folder, stdio: "ignore" }),
    );
    let known = false;
    return {
      verifierKey: formatVerifierKey(signingKey("lite.example/w", seed, ED25519_COSIGNATURE)),
      url: `http://127.0.0.1:${port}`,
      start: async () => {
        await runner.start();
        // Its first start makes the tables.
        if (!known) await run(helper, ["add", database, log.origin, log.verifierKeys[0]]);
        known = true;
      },
      kill: () => runner.kill(),
      close: async () => {
        await end(agent, "SIGKILL");
      },
    };
  };
}

class Runner {
  private child: ChildProcess | undefined;

  constructor(
    private readonly port: number,
    private readonly launch: () => ChildProcess,
  ) {}

  async start(): Promise<void> {
    const child = own(this.launch());
    this.child = child;
    const gone = new Promise<never>((_, reject) => {
      child.once("exit", (code) => reject(new Error(`the witness ended with ${code}`)));
      child.once("error", reject);
    });
    gone.catch(() => {});
    await Promise.race([answers(this.port), gone]);
  }

  async kill(): Promise<void> {
    if (this.child !== undefined) await end(this.child, "SIGKILL");
    this.child = undefined;
  }
}

/** Resolves when anything answers at the port; tries for ten seconds. */
async function answers(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; ) {
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once("exit", (code) => reject(new Error(`the agent ended with ${code}`)));
  });
}
