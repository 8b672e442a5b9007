/** Questions to threads: answers, what is told between them, errors that arrive whole, and a thread that dies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProofError, WritError } from "../src/errors.js";
import { Thread } from "../src/thread.js";

function threadOf(start: () => string = () => "born", deaths: WritError[] = []) {
  return new Thread<string, readonly string[], string>(
    new URL("./support/answering.js", import.meta.url),
    "the thread of this test",
    { start, onDeath: (error) => deaths.push(error) },
  );
}

async function thrownBy(asked: Promise<unknown>): Promise<Error> {
  return asked.then(
    () => assert.fail("it was answered"),
    (error: Error) => error,
  );
}

test("questions are answered in turn, by a thread that knows what it was born with and what it was told before each", async () => {
  const thread = threadOf();
  const first = thread.ask("one");
  thread.tell("news");
  const answers = await Promise.all([first, thread.ask("two")]);
  assert.deepEqual(answers, [
    ["born", "one"],
    ["born", "news", "two"],
  ]);
  assert.equal(thread.asked, 0);
  await thread.stop();
});

test("what is thrown arrives as it was thrown: class, code, facts, causes and the stack of the other side", async () => {
  const thread = threadOf();
  const [writ, proof, bug, text] = await Promise.all(
    ["writ", "proof", "bug", "text"].map((question) => thrownBy(thread.ask(question))),
  );
  assert.ok(writ instanceof WritError);
  assert.deepEqual([writ.code, writ.message, writ.facts], ["KEY_UNKNOWN", "a code", { index: 7 }]);
  assert.ok(writ.cause instanceof Error);
  assert.deepEqual([writ.cause.name, writ.cause.message], ["RangeError", "deeper"]);
  assert.ok(proof instanceof ProofError);
  assert.deepEqual([bug?.name, bug?.message], ["TypeError", "a bug"]);
  assert.match(bug?.stack ?? "", /answering\.js/);
  assert.equal(text?.message, "only text");
  assert.deepEqual(await thread.ask("still there"), ["born", "still there"]);
  await thread.stop();
});

test("one that dies fails the questions that it was asked and no others; the next begins anew, with what is known by then", async () => {
  const deaths: WritError[] = [];
  let known = "at first";
  const [mortal, other] = [threadOf(() => known, deaths), threadOf()];
  const fates = await Promise.allSettled([
    mortal.ask("before"),
    mortal.ask("die"),
    mortal.ask("behind it"),
    other.ask("elsewhere"),
  ]);
  assert.deepEqual(
    fates.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected", "fulfilled"],
  );
  assert.equal(deaths.length, 1);
  assert.deepEqual([deaths[0]?.code, String(deaths[0]?.cause)], ["INTERNAL", "Error: exit 3"]);
  known = "by then";
  assert.deepEqual(await mortal.ask("after"), ["by then", "after"]);
  await Promise.all([mortal.stop(), other.stop()]);
  assert.equal(deaths.length, 1, "one that is stopped has not died");
});

test("a thread that is stopped fails what it was asked with what it is given", async () => {
  const thread = threadOf();
  const asked = thrownBy(thread.ask("one"));
  await thread.stop(new WritError("REQUEST_TIMEOUT", "too long"));
  assert.equal(((await asked) as WritError).code, "REQUEST_TIMEOUT");
  assert.deepEqual(await thread.ask("two"), ["born", "two"]);
  const late = thrownBy(thread.ask("three"));
  await thread.stop();
  assert.equal(((await late) as WritError).code, "SHUTTING_DOWN");
});
