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

test("at most 32 wait, eight of one asker, and the next is told so at once; askers take turns", async () => {
  const played = await play(essayWire);
  const bundle = await bundleOf(played, "receipt");
  const judge = new Judge(POLICY);
  const order: string[] = [];
  const ask = async (asker: string): Promise<void> => {
    await judge.verdict(bundle, options, asker);
    order.push(asker);
  };
  const asked = ["a", "b", "c", "d"].flatMap((asker) => [
    ...Array.from({ length: 8 }, () => ask(asker)),
    // The ninth of one, while eight of his are waiting.
    assert.rejects(ask(asker), (error) => codeOf(error) === "READERS_BUSY"),
  ]);
  await assert.rejects(ask("e"), (error) => codeOf(error) === "READERS_BUSY");
  await Promise.all(asked);
  assert.equal(order.length, 32);
  // Whoever came second was not kept waiting by the eight of the first.
  assert.deepEqual(order.slice(0, 2), ["a", "b"]);
  await judge.close();
  await played.log.close();
});
