/** SIGKILL under load, again and again: nothing acknowledged is lost, no second history, no gap. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  type CheckpointMemory,
  type ClientOptions,
  isLogged,
  LogClient,
  type LoggedEntry,
  ProcessMemory,
} from "../../src/client/index.js";
import { parseSigningKey } from "../../src/format/vkey.js";
import { utf8 } from "../../src/format/bytes.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import { RECORD_MEDIA_TYPE } from "../../src/record/record.js";
import { signDsse } from "../../src/statement/sign.js";
import { agent, AGENT, keyRecord, record, request, signerOf } from "../support/log.js";
import { end, freePort, startLog, temporaryFolder, writ } from "../support/process.js";
import { SLOW } from "../support/runs.js";

const CYCLES = SLOW ? 50 : 4;

test(`${CYCLES} kills under load, each followed by fsck and a check of everything acknowledged`, async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writ(folder, "init", "log", "--origin", "log.example/killed");
  const key = (await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim();
  const acknowledged: LoggedEntry[] = [];
  // One memory through all lives of the log: every checkpoint ever seen must be extended by the next.
  const memory = new ProcessMemory();
  acknowledged.push(await registerAgent(folder, port, { url, key, memory }));
  let n = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const log = await startLog(folder, port);
    const client = new LogClient({ url, key, memory, patienceMs: 0 });
    const enough = acknowledged.length + 20 + ((cycle * 37) % 150);
    const submit = async (): Promise<void> => {
      for (;;) {
        const batch = Array.from({ length: 1 + (n % 7) }, () => request(n++).bytes);
        const results =
          batch.length === 1 && batch[0] ? [await client.submit(batch[0])] : await client.submitBatch(batch);
        acknowledged.push(...results.filter(isLogged));
        if (acknowledged.length >= enough) log.kill("SIGKILL");
      }
    };
    const gone = new Promise((resolve) => log.once("exit", resolve));
    await Promise.allSettled(Array.from({ length: 8 }, submit));
    // On a crowded machine all eight may have lost patience before there was enough.
    log.kill("SIGKILL");
    await gone;
    await client.close();
    const fsck = await writ(folder, "fsck", "log");
    assert.match(fsck.stdout, /^clean: \d+ entries\n$/, `cycle ${cycle}: ${fsck.stdout}${fsck.stderr}`);
    await demandAcknowledged(folder, port, url, key, memory, acknowledged);
  }
  assert.equal(
    new Set(acknowledged.map(({ index }) => index)).size,
    acknowledged.length,
    "no index was given twice",
  );
});

async function registerAgent(folder: string, port: number, options: ClientOptions): Promise<LoggedEntry> {
  const file = await readFile(join(folder, "log/keys/registrar.key"), "utf8");
  const members = { ...keyRecord(agent, ["agent"], [AGENT]), issuer: "log.example/killed/registrar" };
  const statement = signDsse(
    RECORD_MEDIA_TYPE,
    utf8(canonicalJson(members)),
    signerOf(parseSigningKey(file.trim())),
  );
  const log = await startLog(folder, port);
  const client = new LogClient(options);
  const entry = await client.submit(statement);
  await client.close();
  assert.equal(await end(log, "SIGTERM"), 0);
  return entry;
}

async function demandAcknowledged(
  folder: string,
  port: number,
  url: string,
  key: string,
  memory: CheckpointMemory,
  acknowledged: readonly LoggedEntry[],
): Promise<void> {
  const log = await startLog(folder, port);
  const client = new LogClient({ url, key, memory });
  for (let start = 0; start < acknowledged.length; start += 500) {
    const part = acknowledged.slice(start, start + 500);
    const again = await client.submitBatch(part.map(({ statement }) => statement));
    again.forEach((result, i) => {
      assert.ok(isLogged(result));
      assert.deepEqual([result.index, result.isNew], [part[i]?.index, false]);
    });
  }
  await client.close();
  assert.equal(await end(log, "SIGTERM"), 0);
}

test("a second signal ends the process where it stands", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  // A request that never ends keeps the drain waiting.
  const hanging = fetch(`http://127.0.0.1:${port}/v1/entries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new ReadableStream({ start: (controller) => controller.enqueue(record({})) }),
    duplex: "half",
  }).catch(() => "cut off");
  await (await fetch(`http://127.0.0.1:${port}/healthz`)).text();
  let said = "";
  const draining = new Promise<void>((resolve) => {
    log.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("SIGTERM")) resolve();
    });
  });
  const exited = new Promise((resolve) => log.once("exit", (code) => resolve(code)));
  log.kill("SIGTERM");
  await draining;
  log.kill("SIGTERM");
  assert.equal(await exited, 1);
  assert.equal(await hanging, "cut off");
});
