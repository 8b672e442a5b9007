/** The server's own verdicts: in a thread that is stopped when one takes too long, and the others are answered all the same. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { essayWire } from "../../src/demo/essay.js";
import { WritError } from "../../src/errors.js";
import { Judge } from "../../src/log/ask/judge.js";
import { PROFILES, type Profile } from "../../src/trace/context.js";
import { AT, bundleOf, play, POLICY } from "../support/story.js";

const options = { at: AT, profile: PROFILES[0] as Profile };

function codeOf(error: unknown): string {
  return error instanceof WritError ? error.code : String(error);
}

test("a verdict that takes too long is given up, its thread stopped, and the next one is answered", async () => {
  const played = await play(essayWire);
  const bundle = await bundleOf(played, "receipt");
  // Nothing is judged within no time at all: the thread has not even begun.
  const hurried = new Judge(POLICY, 0);
  const outcomes = await Promise.allSettled([
    hurried.verdict(bundle, options),
    hurried.verdict(bundle, options),
  ]);
  assert.deepEqual(
    outcomes.map((one) => (one.status === "rejected" ? codeOf(one.reason) : one.status)),
    ["REQUEST_TIMEOUT", "REQUEST_TIMEOUT"],
  );
  await hurried.close();
  const patient = new Judge(POLICY);
  const verdict = JSON.parse(await patient.verdict(bundle, options)) as { verdict: string; sentence: string };
  assert.equal(verdict.verdict, "AUTHORIZED");
  assert.match(verdict.sentence, /^adapter:bank did wire\.transfer\.request with amount "41872\.14 USD"/);
  await patient.close();
  await played.log.close();
});

test("at most 32 wait, and the next is told so at once", async () => {
  const played = await play(essayWire);
  const bundle = await bundleOf(played, "receipt");
  const judge = new Judge(POLICY);
  const asked = Array.from({ length: 33 }, () => judge.verdict(bundle, options));
  const outcomes = await Promise.allSettled(asked);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [...Array.from({ length: 32 }, () => "fulfilled"), "rejected"],
  );
  await assert.rejects(asked[32] as Promise<string>, (error) => codeOf(error) === "POOL_FULL");
  await judge.close();
  await played.log.close();
});
