/** The worked examples, and the same with one change each: what is found, and what is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { STORIES } from "../../src/demo/stories.js";
import { TWISTS } from "../../src/demo/twists.js";
import { WritError } from "../../src/errors.js";
import { CODES, type FindingCode } from "../../src/trace/codes.js";
import { bundleOf, complaints, judge, play, stageOf, START } from "../support/story.js";
import { newStore, openLog } from "../support/log.js";
import { VERDICT_STORIES } from "./verdict-stories.js";

/** Codes that no story can bring about, because a log would not let it: `tamper.test.ts` and `closure.test.ts` do. */
const ELSEWHERE: readonly FindingCode[] = [
  "NOT_INCLUDED",
  "CHECKPOINT_INVALID",
  "UNWITNESSED",
  "SIGNATURE_INVALID",
  "KEY_UNKNOWN",
  "ROLE_MISSING",
  "DEPTH_EXCEEDED",
  "COMPLETENESS",
];

/** What the stories here, and those of `verdicts.test.ts`, demand and so have seen. */
const seen = new Set<FindingCode>([...TWISTS, ...VERDICT_STORIES].flatMap(({ finds }) => finds));

for (const story of STORIES) {
  test(`${story.title}: AUTHORIZED, and nothing found`, async () => {
    const played = await play(story);
    const verdict = judge(await bundleOf(played, story.subject));
    assert.deepEqual([verdict.verdict, complaints(verdict)], ["AUTHORIZED", []]);
    await played.log.close();
  });
}

for (const { story, title, verdict: want, finds, refused } of TWISTS) {
  test(`${story.name}, ${title}: ${refused ?? [want, ...finds].join(" ")}`, async () => {
    const store = await newStore();
    const clock = { now: 0 };
    const log = await openLog(store, { now: () => clock.now });
    try {
      const played = await play(story, { store, log, stage: stageOf(story), clock });
      assert.equal(refused, undefined, "the log took a step that it must refuse");
      const verdict = judge(await bundleOf(played, story.subject), START + 1_800_000);
      assert.equal(verdict.verdict, want, complaints(verdict).join(", "));
      const codes = complaints(verdict).join(" ");
      for (const code of finds) assert.ok(codes.includes(code), `${code} is missing from: ${codes}`);
    } catch (error) {
      if (refused === undefined || !(error instanceof WritError)) throw error;
      assert.equal(error.code, refused);
    } finally {
      await log.close();
    }
  });
}

test("the stories bring about every finding that a log can hold", async () => {
  const findings = Object.keys(CODES) as FindingCode[];
  assert.ok(findings.length > 70);
  assert.deepEqual(
    findings.filter((code) => !seen.has(code) && !ELSEWHERE.includes(code)),
    [],
  );
});
