/** Each story comes out as an expert witness would judge it: any of its words, and the codes that must be among the findings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WritError } from "../../src/errors.js";
import { bundleOf, complaints, judge, play, START } from "../support/story.js";
import type { VerdictStory } from "./verdict-changes.js";
import { DECEITS } from "./verdict-deceits.js";
import { HONEST } from "./verdict-honest.js";
import { VERDICT_STORIES } from "./verdict-stories.js";

const SOON = START + 1_800_000;
/** When everything has ended that ends. */
const LONG_AFTER = START + 100_000_000;

async function comesOut({ story, words, finds }: VerdictStory, times: readonly number[]): Promise<void> {
  const played = await play(story);
  const bundle = await bundleOf(played, story.subject);
  for (const at of times) {
    const verdict = judge(bundle, at);
    const codes = complaints(verdict).join(", ");
    const said = verdict.findings.filter(({ code }) => code !== null).map(({ detail }) => detail);
    assert.ok(words.includes(verdict.verdict), `${verdict.verdict}: ${codes}\n${said.join("\n")}`);
    for (const code of finds) assert.ok(codes.includes(code), `${code} is missing from: ${codes}`);
  }
  await played.log.close();
}

const titled = ({ name, story, words, finds, refused }: VerdictStory): string =>
  `${story.name}, ${name}: ${refused ?? [words.join(" or "), ...finds].join(" ")}`;

for (const one of VERDICT_STORIES)
  test(titled(one), async () => {
    const { refused } = one;
    if (refused === undefined) return comesOut(one, [SOON]);
    const took = await play(one.story).then(
      () => "the log took a step that it must refuse",
      (error: unknown) => (error instanceof WritError ? error.code : String(error)),
    );
    return assert.equal(took, refused);
  });

for (const one of [...DECEITS, ...HONEST]) test(titled(one), () => comesOut(one, [SOON, LONG_AFTER]));
