/** The load test of another project's witness, pointed at ours. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { end, freePort, own, startWitness, writ } from "../support/process.js";

const run = promisify(execFile);
const QPS = 300;
/** It prints an average every 25 updates; so many of them are enough. */
const AVERAGES = 100;

export async function loadTest(parent: string, program: string): Promise<string> {
  const folder = join(parent, "load");
  await mkdir(folder);
  const init = ["witness", "init", "w", "--name", "witness.example/w", "--algorithm", "ed25519"];
  assert.equal((await writ(folder, ...init)).code, 0);
  // Without a target it says which logs it will play, and ends.
  const { stdout } = await run(program, []);
  const keys = [...stdout.matchAll(/PublicKey: (\S+)/g)].map(([, key]) => key);
  assert.equal(keys.length, 50);
  await writeFile(
    join(folder, "w/logs"),
    `logs/v0\n${keys.map((key) => `\nvkey ${key}\nqpd 2000000000\ncontact load\n`).join("")}`,
  );
  const port = await freePort();
  const witness = await startWitness(folder, "w", port);
  try {
    return await play(program, port);
  } finally {
    await end(witness, "SIGTERM");
  }
}

/** It ends by itself only when something fails, or at a rate that its own timer rarely lets it reach. */
async function play(program: string, port: number): Promise<string> {
  const args = [`--target=http://127.0.0.1:${port}`, `--start_qps=${QPS}`, "--alsologtostderr"];
  const child = own(spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] }));
  const said: string[] = [];
  const averages: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    const time = /Average update time is ([0-9.]+[µm]?s)/.exec(line)?.[1];
    if (time !== undefined) averages.push(time);
    if (averages.length === AVERAGES) {
      await end(child, "SIGTERM");
      return `${25 * AVERAGES} updates of 50 logs at up to ${QPS}/s, the last 25 in ${averages.at(-1)} each`;
    }
  }
  throw new Error(`the load test ended: ${said.slice(-3).join("\n")}`);
}
