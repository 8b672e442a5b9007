/** What bears on a permit while it is used: whatever it rests on is taken back, whoever acts stops, and at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, extra, party, revoke } from "../../src/demo/changes.js";
import { essayWire } from "../../src/demo/essay.js";
import type { Step } from "../../src/demo/stage.js";
import type { ProposedAction } from "../../src/gateway/index.js";
import { copyOf, deny, inside, memberOf, suspend } from "../trace/verdict-changes.js";
import { aborted, gatewayTo, standIn } from "../support/gateway.js";
import { put } from "../support/grants.js";
import { dsse } from "../support/log.js";

/** How soon after it was logged a permit's signal aborts, in the quickest of all: that is its shape, whatever else the machine does. */
const SOON_MS = 50;

const second: Change = party("engine2", { id: "policy-engine:two", roles: ["policy-engine"] });
const story = {
  ...second(essayWire),
  steps: essayWire.steps.filter(({ name }) => !["consumption", "receipt"].includes(name)),
};

const ways: Readonly<Record<string, Step>> = {
  "the policy is revoked": revoke("owner", 0, (s) => s.ref("policy", "policy")),
  "the action type is suspended": suspend("owner", 0, (s) => s.ref("action-type", "type")),
  "the approver rejects it": copyOf("approval", "no", 0, () => ({ approval: "reject" })),
  "the approval is revoked": revoke("registrar", 0, (s) => s.ref("approval", "approval")),
  "the engine denies it instead": deny("no", "engine", 0, (s) => ({
    supersedes: s.ref("policy-decision", "decision"),
  })),
  "another engine denies it": deny("no", "engine2", 0),
  "a fact is replaced": extra("fact", "new", "erp", 0, (s) => ({
    ...memberOf(s, "profile"),
    value_hash: s.hash("another account"),
    observed_at: s.time(0),
    supersedes: s.ref("fact", "profile"),
  })),
  "the request is taken back": revoke("registrar", 0, (s) => s.ref("action-request", "request")),
  "the engine's key is suspended": suspend("registrar", 0, (s) => s.ref("key", "key:engine")),
};

/** A permit on the story's grant, while something is still to be said. */
async function permitted(step: Step) {
  const one = await standIn({ ...story, steps: [...story.steps, { ...step, withheld: true }] });
  const { stage, now } = one;
  const clocks = { wall: now, steady: () => performance.now() };
  const gateway = await gatewayTo(one, { clocks, withoutWitnesses: true });
  await gateway.ready();
  const { action_type, target, parameters } = inside(stage.value("grant"), "permitted_action");
  const action = { action_type, target, parameters } as ProposedAction;
  const permit = await gateway.authorize(stage.id("grant"), action, stage.hash("the call"));
  return { ...one, gateway, permit };
}

test("whatever a permit rests on and is taken back stops whoever acts on it; the quickest within 50 ms", async () => {
  const took: number[] = [];
  for (const [name, step] of Object.entries(ways)) {
    const { log, stage, gateway, permit } = await permitted(step);
    const stop = aborted(permit.signal);
    await put(log, dsse(stage.variant(step.name, {}).bytes, stage.signer(step.by)));
    const began = performance.now();
    assert.equal(await stop, "GRANT_UNJUSTIFIED", name);
    took.push(performance.now() - began);
    await gateway.close();
  }
  const all = took.map((ms) => ms.toFixed(0)).join(", ");
  assert.ok(Math.min(...took) <= SOON_MS, `the quickest of ${all} ms`);
});
