/** Old envelopes logged again with one signature more: they change nothing, and frame nobody. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Step, Story } from "../../src/demo/stage.js";
import { stagingCleanUp, wireTransfer } from "../../src/demo/stories.js";
import { isPlaced, type Log } from "../../src/log/log.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { buildRecord, type RecordMembers } from "../../src/record/build.js";
import { checkStore, dsse, registrar } from "../support/log.js";
import { bundleOf, complaints, judge, play, type Played } from "../support/story.js";

const REGISTRAR = "log.example/test/registrar";

async function submit(log: Log, submission: Submission): Promise<string> {
  const [result] = (await log.submit([submission])).results;
  assert.ok(result);
  return isPlaced(result) ? "logged" : result.code;
}

/** The story with steps that are built and not logged. */
function without(story: Story, ...names: readonly string[]): Story {
  const steps = story.steps.map((one) => (names.includes(one.name) ? { ...one, withheld: true } : one));
  return { ...story, steps };
}

function revocation(
  target: RecordMembers["revocation"]["target"],
  action: "revoke" | "suspend" | "resume",
  n: number,
): Uint8Array {
  return buildRecord("revocation", {
    issuer: REGISTRAR,
    issued_at: `2026-05-01T11:0${n}:00Z`,
    target,
    action,
    reason: `step ${n}`,
  }).bytes;
}

function stepBytes({ stage }: Played, name: string): Uint8Array {
  return stage.variant(name, {}).bytes;
}

test("a revoked key does not come back by its own old registration", async () => {
  const played = await play(without(stagingCleanUp, "consumption", "receipt"));
  const { log, stage, store } = played;
  assert.equal(
    await submit(log, dsse(revocation(stage.ref("key", "key:executor"), "revoke", 1), registrar)),
    "logged",
  );
  const use = dsse(stepBytes(played, "consumption"), stage.signer("executor"));
  assert.equal(await submit(log, use), "KEY_DISTRUSTED");
  const old = stage.registration("executor");
  assert.equal(await submit(log, dsse(old, registrar, stage.signer("executor"))), "logged");
  assert.equal(await submit(log, use), "KEY_DISTRUSTED");
  await checkStore(store, log.published.size);
  await log.close();
});

test("a suspension is not lifted by an old resumption", async () => {
  const played = await play(without(stagingCleanUp, "consumption", "receipt"));
  const { log, stage, store } = played;
  const grant = stage.ref("capability-grant", "grant");
  const resume = revocation(grant, "resume", 2);
  assert.equal(await submit(log, dsse(revocation(grant, "suspend", 1), registrar)), "logged");
  assert.equal(await submit(log, dsse(resume, registrar)), "logged");
  assert.equal(await submit(log, dsse(revocation(grant, "suspend", 3), registrar)), "logged");
  assert.equal(await submit(log, dsse(resume, registrar, stage.signer("executor"))), "logged");
  const use = dsse(stepBytes(played, "consumption"), stage.signer("executor"));
  assert.equal(await submit(log, use), "GRANT_SUSPENDED");
  const late = dsse(stepBytes(played, "receipt"), stage.signer("executor"));
  assert.equal(await submit(log, late), "logged");
  const verdict = judge(await bundleOf(played, "receipt"));
  assert.match(complaints(verdict).join(), /WITHDRAWN_BEFORE_USE|WITHDRAWN_DURING_USE/);
  assert.notEqual(verdict.verdict, "AUTHORIZED");
  await checkStore(store, log.published.size);
  await log.close();
});

test("an approval that was taken back does not revive", async () => {
  const steps = wireTransfer.steps.flatMap((one): Step[] => {
    if (one.name !== "treasury-approval") return [one];
    const rejection: Step = {
      ...one,
      name: "rejection",
      members: (s) => ({ ...one.members(s), approval: "reject" }),
    };
    return [one, rejection, { ...one, name: "replay", cosigners: ["agent"] }];
  });
  const played = await play({ ...wireTransfer, steps });
  assert.equal(played.stage.id("replay"), played.stage.id("treasury-approval"));
  assert.match(complaints(judge(await bundleOf(played, "receipt"))).join(), /APPROVAL_INSUFFICIENT/);
  await played.log.close();
});

test("nobody is framed by a copy of an honest record with a name added to it", async () => {
  const played = await play(wireTransfer);
  const { log, stage } = played;
  for (const [name, by, with_] of [
    ["receipt", "executor", "recorder"],
    ["finance-approval", "finance", "agent"],
    ["decision", "engine", "authority"],
    ["consumption", "executor", "bank"],
  ] as const) {
    const copy = dsse(stepBytes(played, name), stage.signer(by), stage.signer(with_));
    const got = await submit(log, copy);
    assert.equal(got, name === "consumption" ? "USE_REPEATED" : "logged");
  }
  const verdict = judge(await bundleOf(played, "receipt"));
  assert.deepEqual([verdict.verdict, complaints(verdict)], ["AUTHORIZED", []]);
  await log.close();
});
