/** The one gate: a grant is used as often as it may be, whatever comes at once, before or after a restart. */
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { type Stage, type Step, step, type Story } from "../../src/demo/stage.js";
import { stagingCleanUp } from "../../src/demo/stories.js";
import { WritError } from "../../src/errors.js";
import { isPlaced, type Log, type Submitted } from "../../src/log/log.js";
import { reindex } from "../../src/log/check/reindex.js";
import {
  buildRecord,
  type CommonMembers,
  type RecordMembers,
  type RecordType,
} from "../../src/record/build.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { LevelStore } from "../../src/store/level.js";
import { checkStore, cose, dsse, logKey, newStore, openLog, registrar } from "../support/log.js";
import { play, type Played, START, stageOf } from "../support/story.js";

/** The clean-up, up to its grants: nothing consumed yet. */
const granted: Story = {
  ...stagingCleanUp,
  steps: stagingCleanUp.steps.filter(({ name }) => !["consumption", "receipt"].includes(name)),
};

function withGrant(members: object, name = "grant", more: readonly Step[] = []): Story {
  const steps = granted.steps.map(
    (one): Step =>
      one.name === name ? { ...one, members: (s) => ({ ...one.members(s), ...members }) } : one,
  );
  return { ...granted, steps: [...steps, ...more] };
}

function sign<T extends RecordType>(
  stage: Stage,
  by: string,
  type: T,
  members: Omit<RecordMembers[T], never>,
): Submission {
  const common: CommonMembers = { issuer: stage.party(by).id, issued_at: stage.time(0) };
  return dsse(
    buildRecord(type, { ...common, ...members } as CommonMembers & RecordMembers[T]).bytes,
    stage.signer(by),
  );
}

function use(stage: Stage, n: number, grant = "grant", nonce = "n-0414"): Submission {
  return sign(stage, "executor", "consumption", {
    request_hash: stage.ref("action-request", "request"),
    capability_hash: stage.ref("capability-grant", grant),
    nonce,
    executor_id: "executor://acme/db",
    tool_call_hash: stage.hash(`call ${n}`),
    consumed_at: stage.time(n),
  });
}

function revocation(
  stage: Stage,
  by: string,
  target: string,
  action: "revoke" | "suspend" | "resume" = "revoke",
): Submission {
  return sign(stage, by, "revocation", {
    target: stage.ref("capability-grant", target),
    action,
    reason: "a test",
  });
}

const single = async (log: Log, submission: Submission): Promise<Submitted> =>
  (await log.submit([submission])).results[0] as Submitted;

/** The index it got, or the code and deciding index of the refusal. */
function told(result: Submitted | undefined): string | number {
  if (result instanceof WritError) return `${result.code} ${result.facts.index ?? ""}`.trim();
  return result !== undefined && isPlaced(result) ? result.index : "nothing";
}

async function tries(log: Log, ...submissions: readonly Submission[]): Promise<(string | number)[]> {
  const results: (string | number)[] = [];
  for (const submission of submissions) results.push(told(await single(log, submission)));
  return results;
}

test("the state of a record, as of any size: what is final comes first, and a grant is no better than those above it", async () => {
  const { log, stage } = await play(withGrant({ max_uses: 1 }));
  const app = createApp(log, { verifierKeys: [logKey], version: "test" });
  const ask = async (ref: string | number, asOf?: number): Promise<unknown[]> => {
    const response = await app.request(
      `/v1/entries/${ref}/status${asOf === undefined ? "" : `?as_of=${asOf}`}`,
    );
    const body = (await response.json()) as Record<string, unknown>;
    return response.status === 200 ? [body["state"], body["decided_by"]] : [body["code"]];
  };
  const id = stage.ref("capability-grant", "grant").id;
  const before = log.published.size;
  assert.deepEqual(await ask(id), ["active", []]);
  const [suspended, resumed, used, revoked] = await tries(
    log,
    revocation(stage, "authority", "grant", "suspend"),
    revocation(stage, "authority", "grant", "resume"),
    use(stage, 1),
    revocation(stage, "authority", "grant"),
  );
  assert.deepEqual([suspended, resumed, used, revoked], [before, before + 1, before + 2, before + 3]);
  assert.deepEqual(await ask(id), ["revoked", [revoked]]);
  assert.deepEqual(await ask(id, before + 1), ["suspended", [suspended]]);
  assert.deepEqual(await ask(id, before + 2), ["active", []]);
  assert.deepEqual(await ask(id, before + 3), ["consumed", [used]]);
  assert.deepEqual(await ask(id, before), ["active", []]);
  assert.deepEqual(await ask(id, before + 99), ["SIZE_UNPUBLISHED"]);
  assert.deepEqual(await ask(id, 1), ["unknown", []], "it was not there yet");
  assert.deepEqual(await ask(0), ["active", []]);
  assert.deepEqual(await ask(999), ["ENTRY_NOT_FOUND"]);
  assert.deepEqual(await ask("nonsense"), ["REF_MALFORMED"]);
  await log.close();
});

test("a thousand consumptions of one grant at once: one gets it, the others learn who did; the same after a restart", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-gate-"));
  const store = await newStore("registered", await LevelStore.open(folder, { create: true }));
  const played: Omit<Played, "clock"> = {
    store,
    log: await openLog(store, { now: () => START }),
    stage: stageOf(granted),
  };
  const { stage, log } = await play(withGrant({ max_uses: 1 }), played);
  const results = await Promise.all(Array.from({ length: 1000 }, (_, n) => single(log, use(stage, n))));
  const winners = results.filter((result) => isPlaced(result));
  assert.equal(winners.length, 1);
  const [winner] = winners;
  assert.ok(winner !== undefined && isPlaced(winner));
  assert.deepEqual(
    new Set(results.filter((result) => !isPlaced(result)).map(told)),
    new Set([`GRANT_USED ${winner.index}`]),
  );
  await log.close();

  const again = await LevelStore.open(folder);
  const reopened = await openLog(again, { now: () => START });
  const batch = await reopened.submit(Array.from({ length: 200 }, (_, n) => use(stage, 2000 + n)));
  assert.deepEqual(new Set(batch.results.map(told)), new Set([`GRANT_USED ${winner.index}`]));
  await reopened.close();
  const checked = await LevelStore.open(folder);
  await checkStore(checked, winner.index + 1);
  await checked.close();
});

test("the winner's statement sent again is success; its record in another envelope is no second use", async () => {
  const played = await play(withGrant({ max_uses: 2 }));
  const { log, stage } = played;
  const first = use(stage, 1);
  const index = told(await single(log, first));
  assert.equal(told(await single(log, first)), index);
  const { payload } = JSON.parse(Buffer.from(first.bytes).toString()) as { payload: string };
  const other = cose(
    new Uint8Array(Buffer.from(payload, "base64")),
    stage.signer("executor"),
    "executor://acme/db",
  );
  assert.equal(told(await single(log, other)), `USE_REPEATED ${index}`);
  assert.equal(
    typeof told(await single(log, use(stage, 2))),
    "number",
    "the second use is still there to be had",
  );
  await checkStore(played.store, log.published.size);
  await log.close();
});

test("several in one batch: as many as the grant allows, in order; new ones stand in a row", async () => {
  const { log, stage, store } = await play(withGrant({ max_uses: 3 }));
  const start = log.published.size;
  const { results } = await log.submit(Array.from({ length: 6 }, (_, n) => use(stage, n)));
  assert.deepEqual(results.map(told), [
    start,
    start + 1,
    start + 2,
    ...Array.from({ length: 3 }, () => `GRANT_USED ${start + 2}`),
  ]);
  await checkStore(store, start + 3);
  await log.close();
});

test("a use of a child is a use of every grant above it, within one batch too", async () => {
  const { log, stage, store } = await play(withGrant({ max_uses: 2 }, "grant"));
  const start = log.published.size;
  const child = (n: number): Submission => use(stage, n, "child-grant", "n-0414-1");
  assert.deepEqual((await log.submit([child(1), use(stage, 2), use(stage, 3)])).results.map(told), [
    start,
    start + 1,
    `GRANT_USED ${start + 1}`,
  ]);
  assert.deepEqual(await tries(log, child(4)), [`GRANT_USED ${start}`]);
  await checkStore(store, start + 2);
  await log.close();
});

test("the wrong nonce, the wrong executor, an unknown grant, a grant whose parent is unknown", async () => {
  const orphan = step("capability-grant", "orphan", "authority", -570, (s) => ({
    ...(granted.steps.find(({ name }) => name === "grant")?.members(s) as RecordMembers["capability-grant"]),
    parent_capability_hash: s.ref("capability-grant", "nowhere"),
    nonce: "n-orphan",
  }));
  const nowhere: Step = {
    ...orphan,
    name: "nowhere",
    withheld: true,
    members: (s) => ({
      ...(granted.steps.find(({ name }) => name === "grant")?.members(s) as object),
      nonce: "n-nowhere",
    }),
  };
  const { log, stage } = await play(withGrant({}, "grant", [nowhere, orphan]));
  const index = stage.index("grant");
  assert.deepEqual(
    await tries(
      log,
      use(stage, 1, "grant", "another"),
      use(stage, 2, "nowhere", "n-nowhere"),
      use(stage, 3, "orphan", "n-orphan"),
    ),
    [`GRANT_MISMATCH ${index}`, "GRANT_UNKNOWN", "GRANT_UNKNOWN"],
  );
  await log.close();
});

test("expiry and not_before by the log's clock, of ancestors too; a clock that jumps back reopens nothing", async () => {
  let now = START;
  const store = await newStore();
  const log = await openLog(store, { now: () => now });
  const { stage } = await play(withGrant({ not_before: new Date(START + 60_000).toISOString() }), {
    store,
    log,
    stage: stageOf(granted),
  });
  assert.deepEqual(await tries(log, use(stage, 1)), [`GRANT_NOT_YET_VALID ${stage.index("grant")}`]);
  now = START + 700_000;
  assert.deepEqual(await tries(log, use(stage, 2, "child-grant", "n-0414-1")), [
    `GRANT_EXPIRED ${stage.index("child-grant")}`,
  ]);
  now = START + 1_000_000;
  // An entry is needed for the log to have seen that time.
  await single(log, revocation(stage, "owner", "grant", "resume"));
  now = START + 100_000;
  assert.deepEqual(await tries(log, use(stage, 3)), [`GRANT_EXPIRED ${stage.index("grant")}`]);
  await checkStore(store, log.published.size);
  await log.close();
});

test("revoked, suspended and resumed, by those who may; of an ancestor; in the same batch; before the grant itself", async () => {
  const { log, stage, store } = await play(withGrant({ max_uses: 9 }));
  const child = (n: number): Submission => use(stage, n, "child-grant", "n-0414-1");
  const suspended = Number(told(await single(log, revocation(stage, "owner", "grant", "suspend"))));
  assert.deepEqual(await tries(log, use(stage, 1), child(2)), [
    `GRANT_SUSPENDED ${suspended}`,
    `GRANT_SUSPENDED ${suspended}`,
  ]);
  const { results } = await log.submit([
    revocation(stage, "authority", "grant", "resume"),
    use(stage, 3),
    revocation(stage, "authority", "grant"),
    use(stage, 4),
  ]);
  assert.deepEqual(results.map(told), [
    suspended + 1,
    suspended + 2,
    suspended + 3,
    `GRANT_REVOKED ${suspended + 3}`,
  ]);
  const resumed = revocation(stage, "authority", "grant", "resume");
  assert.deepEqual(
    await tries(log, { ...resumed, bytes: resumed.bytes }, child(5)),
    [suspended + 1, `GRANT_REVOKED ${suspended + 3}`],
    "revoked is final",
  );
  await checkStore(store, log.published.size);
  await log.close();
});

test("a revocation by somebody who may not is logged and changes nothing", async () => {
  const rival: Story = {
    ...withGrant({}),
    parties: {
      ...granted.parties,
      rival: { id: "user://rival", roles: ["owner", "authority"], domain: "x" },
    },
  };
  const { log, stage, store } = await play(rival);
  const start = log.published.size;
  assert.deepEqual(await tries(log, revocation(stage, "rival", "grant"), use(stage, 1)), [start, start + 1]);
  await checkStore(store, log.published.size);
  await log.close();
});

test("a revocation that comes before its grant waits for it, across a restart and within a batch", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-gate-"));
  const store = await newStore("registered", await LevelStore.open(folder, { create: true }));
  const log = await openLog(store, { now: () => START });
  const until: Story = {
    ...granted,
    steps: granted.steps.map((one) =>
      ["grant", "child-grant"].includes(one.name) ? { ...one, withheld: true } : one,
    ),
  };
  const { stage } = await play(until, { store, log, stage: stageOf(until) });
  assert.equal(typeof told(await single(log, revocation(stage, "authority", "grant"))), "number");
  await log.close();
  const reopened = await LevelStore.open(folder);
  const later = await openLog(reopened, { now: () => START });
  const grantOf = (name: string): Submission => {
    const { type, by, at, members } = granted.steps.find((one) => one.name === name) as Step;
    const bytes = buildRecord(type, {
      issuer: stage.party(by).id,
      issued_at: stage.time(at),
      ...members(stage),
    } as never).bytes;
    return dsse(bytes, stage.signer(by));
  };
  const { results } = await later.submit([
    grantOf("grant"),
    use(stage, 1),
    revocation(stage, "authority", "child-grant"),
    grantOf("child-grant"),
    use(stage, 2, "child-grant", "n-0414-1"),
  ]);
  const [grant, , early, child] = results.map(told);
  assert.match(String(told(results[1])), /^GRANT_REVOKED/);
  assert.deepEqual([typeof grant, typeof early, typeof child], ["number", "number", "number"]);
  assert.equal(told(results[4]), `GRANT_REVOKED ${early}`);
  await checkStore(reopened, later.published.size);
  await later.close();
});

test("a key that is revoked in a batch is not believed for what follows in it", async () => {
  const { log, stage, store } = await play(withGrant({ max_uses: 9 }));
  const record = buildRecord("revocation", {
    issuer: "log.example/test/registrar",
    issued_at: stage.time(0),
    target: stage.ref("key", "key:executor"),
    action: "revoke",
    reason: "stolen",
  });
  const { results } = await log.submit([use(stage, 1), dsse(record.bytes, registrar), use(stage, 2)]);
  assert.match(results.map(told).join(), /^\d+,\d+,KEY_DISTRUSTED$/);
  assert.deepEqual(await tries(log, use(stage, 3)), ["KEY_DISTRUSTED"]);
  await checkStore(store, log.published.size);
  await log.close();
});

test("an index that was lost is made again the same; until it is, the log does not open", async () => {
  const { log, stage, store } = await play(withGrant({ max_uses: 2 }));
  await log.submit([use(stage, 1), revocation(stage, "authority", "child-grant")]);
  const { size } = log.published;
  for (const table of ["meta", "term", "state", "grant", "use", "key-event", "record-id"] as const)
    await store.clearRows(table);
  await assert.rejects(
    openLog(store),
    (error) => error instanceof WritError && error.message.includes("writ reindex"),
  );
  const steps: number[] = [];
  const { rows } = await reindex(store, logKey, (done) => steps.push(done));
  assert.ok(rows > size);
  assert.equal(steps.at(-1), size);
  await checkStore(store, size);
  const reopened = await openLog(store, { now: () => START });
  assert.match(String(told(await single(reopened, use(stage, 5)))), /^\d+$/);
  assert.match(String(told(await single(reopened, use(stage, 6)))), /^GRANT_USED/);
  await reopened.close();
});

test("a delegator's revocation that comes before the request it delegates waits for it", async () => {
  const late: Story = {
    ...granted,
    steps: granted.steps.map((one) => (one.name === "request" ? { ...one, withheld: true } : one)),
  };
  const { log, stage, store } = await play(late);
  assert.equal(typeof told(await single(log, revocation(stage, "owner", "grant"))), "number");
  assert.equal(
    typeof told(await single(log, dsse(stage.variant("request", {}).bytes, stage.signer("agent")))),
    "number",
  );
  assert.match(String(told(await single(log, use(stage, 1)))), /^GRANT_REVOKED/);
  await checkStore(store, log.published.size);
  await log.close();
});
