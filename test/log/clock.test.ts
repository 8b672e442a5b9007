/** The log's clock: one for every question, that does not go back and does not believe a leap; and what a log makes sure of before it starts. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { lastPublished, readShown } from "../../src/cli/published-file.js";
import { WritError } from "../../src/errors.js";
import { openCheckpoint } from "../../src/format/cosignature.js";
import { parsePolicy, type Policy } from "../../src/format/policy.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import { utf8 } from "../../src/format/bytes.js";
import { demandClock, LEAP_MS, LogClock } from "../../src/log/clock.js";
import type { LogOptions } from "../../src/log/open.js";
import { ASK_MS } from "../../src/log/witnessed/holdings.js";
import {
  agent,
  AGENT,
  dsse,
  keyRecord,
  logKey,
  newStore,
  openLog,
  record,
  registrar,
} from "../support/log.js";
import { play, START } from "../support/story.js";
import { w4 } from "../support/witness.js";
import { essayWire } from "../../src/demo/essay.js";

const codeOf = (error: unknown): string => (error instanceof WritError ? error.code : String(error));
const DAY = 86_400_000;

test("a reading more than a minute ahead of the steady clock is not believed, said once, and over when it is right", () => {
  assert.equal(LEAP_MS, 60_000);
  let [wall, steady] = [START, 0];
  const told: (number | null)[] = [];
  const clock = new LogClock(
    { now: () => wall, steady: () => steady, onClock: (leapt) => told.push(leapt) },
    START - 5,
  );
  const pass = (ms: number, leap = 0): void => {
    wall += ms + leap;
    steady += ms;
  };
  pass(DAY);
  assert.equal(clock.next(), wall, "a day that passed is no leap, with the machine asleep or not");
  pass(10, LEAP_MS);
  assert.equal(clock.next(), wall, "exactly a minute is believed");
  pass(10, 1);
  assert.throws(
    () => clock.next(),
    (error) => codeOf(error) === "CLOCK_LEAPT",
  );
  assert.throws(
    () => clock.next(),
    (error) => error instanceof Error && error.message.includes("--accept-clock"),
  );
  assert.equal(told.length, 1);
  assert.ok(clock.time < wall, "nobody is answered by it, either");
  pass(10, -LEAP_MS - 1);
  assert.equal(clock.next(), wall);
  assert.deepEqual(told.slice(1), [null]);
  clock.committed(wall);
  pass(0, -DAY);
  assert.equal(clock.next(), wall + DAY, "it does not go back behind the newest entry");
  assert.deepEqual([clock.time, clock.ahead], [wall + DAY, DAY]);
  const accepted = new LogClock({ now: () => wall, steady: () => steady, acceptClock: true }, 0);
  pass(0, DAY);
  assert.equal(accepted.next(), wall, "the operator says so");
});

test("a clock that went back for hours, while entries came, and is right again has not leapt", () => {
  let [wall, steady] = [START, 0];
  const clock = new LogClock({ now: () => wall, steady: () => steady }, START);
  wall -= 2 * 3_600_000;
  for (let n = 0; n < 10; n++) {
    steady += 600_000;
    wall += 600_000;
    clock.committed(clock.next());
  }
  wall += 2 * 3_600_000;
  assert.equal(clock.next(), wall);
  assert.equal(clock.time, wall);
  wall += LEAP_MS + 1;
  assert.throws(
    () => clock.next(),
    (error) => codeOf(error) === "CLOCK_LEAPT",
  );
});

test("a newest entry that came in more than a minute from now refuses the start, unless the operator says that the clock is right", async () => {
  const now = (): number => START;
  demandClock(START + LEAP_MS, { now });
  assert.throws(
    () => demandClock(START + LEAP_MS + 1, { now }),
    (error) => codeOf(error) === "CLOCK_BEHIND",
  );
  demandClock(START + DAY, { now, acceptClock: true });
  const store = await newStore();
  const ahead = { now: () => START + DAY, acceptClock: true };
  const first = await openLog(store, ahead);
  await first.submit([dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar)]);
  await assert.rejects(
    openLog(store, { now, acceptClock: false }),
    (error) => codeOf(error) === "CLOCK_BEHIND",
  );
});

test("while the clock has leapt nothing is logged, what is there is still told, and then it goes on", async () => {
  let [wall, steady] = [START, 0];
  const clock = { now: () => wall, steady: () => steady, acceptClock: false };
  const store = await newStore();
  const log = await openLog(store, clock);
  const known = dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar);
  await log.submit([known]);
  wall += DAY;
  steady += 1_000;
  const { size } = log.published;
  await assert.rejects(
    log.submit([dsse(record({ trace_id: "leapt" }))]),
    (error) => codeOf(error) === "CLOCK_LEAPT",
  );
  const app = createApp(log, { verifierKeys: [logKey], version: "test" });
  const refused = await app.request("/v1/entries", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: dsse(record({ trace_id: "leapt, by HTTP" })).bytes,
  });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
  const { results } = await log.submit([known]);
  assert.deepEqual(
    results.map((one) => (one instanceof WritError ? one.code : one.index)),
    [1],
  );
  assert.equal(log.published.size, size);
  wall -= DAY - 1_000;
  await log.submit([dsse(record({ trace_id: "right again" }))]);
  assert.equal(log.published.size, size + 1);
  await log.close();
});

test("gate, status and verdict answer as of one time: after a commit under a clock a day ahead nothing is active here and expired there", async () => {
  const played = await play(essayWire);
  const { clock, log, stage } = played;
  const [grant = 0] = await log.read.find({ hash: stage.id("grant").slice("sha256:".length) });
  clock.now = START + DAY;
  await log.submit([dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar)]);
  clock.now = START;
  const { status } = await log.statuses.of(grant);
  const use = stage.variant("consumption", { nonce: "another" }).bytes;
  const { results } = await log.submit([dsse(use, stage.signer("executor"))]);
  assert.equal(status.state === "active", false, status.state);
  assert.ok(results[0] instanceof WritError);
  assert.equal(log.clock.time, START + DAY);
  const app = createApp(log, { verifierKeys: [logKey], version: "test" });
  const said = (await (await app.request("/v1/log")).json()) as { time: string; clock_skew_ms: number };
  assert.deepEqual([Date.parse(said.time), said.clock_skew_ms], [START + DAY, DAY]);
  await log.close();
});

/** A witness that answers for its checkpoint as it is told to; `hangs`: not at all. */
async function holding(answer: { status: number; body: Uint8Array } | "hangs") {
  const server = createServer((_, outgoing) => {
    if (answer === "hangs") return;
    outgoing.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function policyOf(url: string): Policy {
  const key = formatVerifierKey(w4);
  return parsePolicy(utf8(`log ${formatVerifierKey(logKey)}\nwitness w ${key} ${url}\nquorum w\n`));
}

test("a log that holds less than a witness, or another tree, does not start; one that knows nothing, or says nothing, stops nobody", async () => {
  assert.equal(ASK_MS, 2_000);
  const store = await newStore();
  const ahead = await openLog(store);
  await ahead.submit([dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar)]);
  const { checkpoint } = ahead.published;
  await ahead.close().catch(() => {});
  const start = async (
    answer: { status: number; body: Uint8Array } | "hangs",
    options: Partial<NonNullable<LogOptions["witnessing"]>> = {},
  ) => {
    const witness = await holding(answer);
    const copy = await newStore();
    try {
      const log = await openLog(copy, {
        witnessing: { policy: policyOf(witness.url), mlDsaKey: null, asksFirst: true, ...options },
      });
      const [standing] = log.witnessing?.standings ?? [];
      await log.close();
      return standing?.trouble ?? null;
    } finally {
      witness.close();
    }
  };
  const behind = (error: unknown): boolean =>
    codeOf(error) === "LOG_BEHIND" && /holds 1[^]*second history/.test((error as Error).message);
  await assert.rejects(start({ status: 200, body: checkpoint }), behind);
  assert.equal(await start({ status: 404, body: utf8("nothing\n") }), null);
  assert.match((await start({ status: 500, body: utf8("") })) ?? "", /status 500/);
  assert.match(
    (await start({ status: 200, body: utf8("no note") })) ?? "",
    /no checkpoint that this log has signed/,
  );
  assert.match((await start("hangs")) ?? "", /no answer within 2000 ms/);
  await assert.rejects(
    start("hangs", { requirement: "all" }),
    (error) => codeOf(error) === "WITNESSES_MISSING",
  );
});

test("what was shown before a log demands witnesses is what its database holds; nothing, where it was never served", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-shown-"));
  const store = await newStore();
  assert.equal((await readShown(folder, store, logKey)).length, 0);
  assert.equal((await readShown(folder, store, logKey)).length, 0, "and it stays so");
  await rm(join(folder, "shown"));
  const log = await openLog(store);
  await log.submit([dsse(record(keyRecord(agent, ["agent"], [AGENT])), registrar)]);
  // The file lags behind what was answered: killed at that moment, it says less than was shown.
  await writeFile(join(folder, "checkpoint"), "");
  const shown = await readShown(folder, store, logKey);
  assert.equal(openCheckpoint(shown, logKey).checkpoint.size, 2);
  assert.deepEqual(await readFile(join(folder, "shown")), Buffer.from(shown));
  await rm(folder, { recursive: true });
  await log.close();
});

test("an empty or torn checkpoint file is no claim, and no reason to refuse", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-torn-"));
  const log = await openLog(await newStore());
  const { checkpoint } = log.published;
  assert.equal(await lastPublished(folder, logKey), null);
  await writeFile(join(folder, "checkpoint"), checkpoint);
  assert.equal((await lastPublished(folder, logKey))?.size, 1);
  for (let length = 0; length < checkpoint.length; length += 7) {
    await writeFile(join(folder, "checkpoint"), checkpoint.subarray(0, length));
    assert.equal(await lastPublished(folder, logKey), null, `${length} bytes of it`);
  }
  await rm(folder, { recursive: true });
  await log.close();
});
