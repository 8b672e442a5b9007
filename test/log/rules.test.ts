/** Rules that are dated in the log: what a log was begun under holds until the entry that says otherwise, and is replayed so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../src/format/bytes.js";
import { WritError } from "../../src/errors.js";
import { isPlaced, type Log } from "../../src/log/log.js";
import { createLog } from "../../src/log/open.js";
import { reindex } from "../../src/log/check/reindex.js";
import { buildRecord } from "../../src/record/build.js";
import { signLogPolicy } from "../../src/record/log-policy.js";
import { RECORD_MEDIA_TYPE } from "../../src/record/record.js";
import { RULES_VERSION } from "../../src/record/registration.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import { parseDsse } from "../../src/statement/dsse.js";
import type { JsonObject } from "../../src/statement/json.js";
import { signDsse } from "../../src/statement/sign.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { MemoryStore } from "../../src/store/memory.js";
import { consume, grant, granted, put } from "../support/grants.js";
import { checkStore, dsse, logKey, ORIGIN, openLog, registrar, signerOf } from "../support/log.js";
import { drop, edit, party } from "../../src/demo/changes.js";
import type { Stage } from "../../src/demo/stage.js";
import { bundleOf, judge, play, START, stageOf } from "../support/story.js";

/** Entry 0 as it was before rules had a number. */
function oldPolicy(): Uint8Array {
  const policy = { origin: ORIGIN, admission: "registered", registrars: [registrar.publicKey] } as const;
  const { payload } = parseDsse(signLogPolicy(policy, "2026-04-01T00:00:00Z", signerOf(logKey)));
  const { rules_version: _, ...old } = JSON.parse(Buffer.from(payload).toString()) as JsonObject;
  return signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(old)), signerOf(logKey));
}

test("a log that was begun under older rules goes over to these once, by an entry that its key signed", async () => {
  const store = new MemoryStore();
  await createLog(store, oldPolicy(), logKey, START - 86_400_000);
  const told: [number, number][] = [];
  const onRules = (version: number, index: number): void => void told.push([version, index]);
  const log = await openLog(store, { now: () => START, onRules });
  assert.deepEqual([told, log.published.size], [[[RULES_VERSION, 1]], 2]);
  const { stage } = await play(granted, { store, log, stage: stageOf(granted) });
  const { size } = log.published;
  // In memory a restart is another log over the same store.
  const again = await openLog(store, { now: () => START, onRules });
  assert.deepEqual([told.length, again.published.size], [1, size], "not twice");
  const verdict = judge(await bundleOf({ log: again, stage }, "grant"));
  assert.equal(verdict.rulesVersion, RULES_VERSION);
  await checkStore(store, size);
  await reindex(store, logKey);
  await checkStore(store, size);
  await again.close();
});

test("a later policy by anybody but the log itself, or one that lowers the rules, is refused", async () => {
  const store = new MemoryStore();
  await createLog(store, oldPolicy(), logKey, START - 86_400_000);
  const log = await openLog(store, { now: () => START });
  const later = (rules: number, by = registrar): Submission =>
    dsse(
      utf8(
        canonicalJson({
          type: "log-policy",
          v: 1,
          issuer: ORIGIN,
          issued_at: "2026-05-01T12:00:00Z",
          origin: ORIGIN,
          rules_version: rules,
          rules: {},
        }),
      ),
      by,
    );
  for (const submission of [later(3), later(1), later(3, signerOf(logKey))]) {
    const { results } = await log.submit([submission]);
    assert.ok(results[0] instanceof WritError, "the rules are the log's own, from nobody's submission");
  }
  await log.close();
});

/** A request that may be executed `times`, and nothing granted yet. */
const asked = (times: number) =>
  edit("request", () => ({ max_executions: times }))(drop("grant", "child-grant")(granted));

async function code(log: Log, submission: Submission): Promise<string> {
  const { results } = await log.submit([submission]);
  const [result] = results;
  if (result instanceof WritError) return result.code;
  assert.ok(result !== undefined && isPlaced(result));
  return "consumed";
}

/** What came of a call, as its executor or another says. */
function receipt(
  stage: Stage,
  of: ReturnType<typeof grant>["ref"],
  call: string,
  outcome: string,
  by = "executor",
) {
  const record = buildRecord("execution-receipt", {
    issuer: stage.party(by).id,
    issued_at: stage.time(2),
    request_hash: stage.ref("action-request", "request"),
    capability_hash: of,
    executor_id: stage.party(by).id,
    tool_call_hash: stage.hash(call),
    outcome,
    postcondition_hashes: {},
    executed_at: stage.time(2),
  } as Parameters<typeof buildRecord<"execution-receipt">>[1]);
  return dsse(record.bytes, stage.signer(by));
}

test("a request is executed as often as it says, however many grants there are; what failed gives one back, once", async () => {
  const story = asked(1);
  const { log, store, stage } = await play(story);
  const [one, two, three] = [grant(stage, 1), grant(stage, 2), grant(stage, 3)] as const;
  await put(log, one.submission, two.submission, three.submission);
  assert.equal(await code(log, consume(stage, one.ref, 1, "call 1")), "consumed");
  assert.equal(await code(log, consume(stage, two.ref, 2, "call 2")), "REQUEST_USED");
  assert.equal(await code(log, receipt(stage, one.ref, "call 1", "failed")), "consumed");
  assert.equal(await code(log, receipt(stage, one.ref, "call 1", "refused")), "consumed");
  // The grant is used up; the request is not.
  assert.equal(await code(log, consume(stage, one.ref, 1, "call 3")), "GRANT_USED");
  assert.equal(await code(log, consume(stage, two.ref, 2, "call 4")), "consumed");
  assert.equal(await code(log, consume(stage, three.ref, 3, "call 5")), "REQUEST_USED");
  const { size } = log.published;
  // In memory a restart is another log over the same store.
  const again = await openLog(store, { now: () => START });
  assert.equal(await code(again, consume(stage, three.ref, 3, "call 6")), "REQUEST_USED");
  await checkStore(store, size);
  await reindex(store, logKey);
  await checkStore(store, size);
  await again.close();
});

test("unstated, a request is executed as often as its first grant may be used", async () => {
  const story = edit("request", () => ({ max_executions: undefined }))(drop("grant", "child-grant")(granted));
  const { log, stage } = await play(story);
  const [one, two] = [
    grant(stage, 1, undefined, { max_uses: 2 }),
    grant(stage, 2, undefined, { max_uses: 5 }),
  ] as const;
  await put(log, one.submission, two.submission);
  assert.equal(await code(log, consume(stage, two.ref, 2, "call 1")), "consumed");
  assert.equal(await code(log, consume(stage, two.ref, 2, "call 2")), "consumed");
  assert.equal(await code(log, consume(stage, two.ref, 2, "call 3")), "REQUEST_USED");
  await log.close();
});

test("what another than who consumed says of a call gives nothing back", async () => {
  const story = party("other", { id: "executor://acme/other", roles: ["executor"] })(asked(1));
  const { log, stage } = await play(story);
  const [one, two] = [grant(stage, 1), grant(stage, 2)] as const;
  await put(log, one.submission, two.submission);
  assert.equal(await code(log, consume(stage, one.ref, 1, "call 1")), "consumed");
  await code(log, receipt(stage, one.ref, "call 1", "failed", "other"));
  assert.equal(await code(log, consume(stage, two.ref, 2, "call 2")), "REQUEST_USED");
  await log.close();
});
