/** The worked examples, and the same with one change each: what is found, and what is not. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { STORIES } from "../../src/demo/stories.js";
import { TWISTS } from "../../src/demo/twists.js";
import { WritError } from "../../src/errors.js";
import type { FindingCode } from "../../src/trace/verdict.js";
import { PROJECT } from "../support/process.js";
import { bundleOf, complaints, judge, play, stageOf, START } from "../support/story.js";
import { newStore, openLog } from "../support/log.js";

/** Codes that no story can bring about, because a log would not let it: `tamper.test.ts` and `closure.test.ts` do. */
const ELSEWHERE: readonly FindingCode[] = [
  "NOT_INCLUDED",
  "CHECKPOINT_INVALID",
  "UNWITNESSED",
  "SIGNATURE_INVALID",
  "KEY_UNKNOWN",
  "ROLE_MISSING",
  "DEPTH_EXCEEDED",
];

const seen = new Set<FindingCode>();

for (const story of STORIES) {
  test(`${story.title}: AUTHORIZED, and nothing found`, async () => {
    const played = await play(story);
    const verdict = judge(await bundleOf(played, story.subject));
    assert.deepEqual([verdict.verdict, complaints(verdict)], ["AUTHORIZED", []]);
    await played.log.close();
  });
}

for (const { story, title, verdict: want, finds, refused, ago = 0 } of TWISTS) {
  test(`${story.name}, ${title}: ${refused ?? [want, ...finds].join(" ")}`, async () => {
    const store = await newStore();
    const log = await openLog(store, { now: () => START + ago * 1000 });
    try {
      const played = await play(story, { store, log, stage: stageOf(story) });
      assert.equal(refused, undefined, "the log took a step that it must refuse");
      const verdict = judge(await bundleOf(played, story.subject), START + Math.max(600, ago) * 1000);
      assert.equal(verdict.verdict, want, complaints(verdict).join(", "));
      const codes = complaints(verdict).join(" ");
      for (const code of finds) {
        assert.ok(codes.includes(code), `${code} is missing from: ${codes}`);
        seen.add(code);
      }
    } catch (error) {
      if (refused === undefined || !(error instanceof WritError)) throw error;
      assert.equal(error.code, refused);
    } finally {
      await log.close();
    }
  });
}

test("the stories bring about every finding that a log can hold", async () => {
  const source = await readFile(join(PROJECT, "src/trace/verdict.ts"), "utf8");
  const codes = [...source.matchAll(/^ {2}\| "([A-Z_]+)"/gm)].map(([, code]) => code as FindingCode);
  const findings = codes.slice(0, codes.indexOf("DEPTH_EXCEEDED") + 1);
  assert.ok(findings.length > 50);
  assert.deepEqual(
    findings.filter((code) => !seen.has(code) && !ELSEWHERE.includes(code)),
    [],
  );
});
