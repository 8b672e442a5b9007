/**
 * Every row once more, said by strangers alone: another organisation on the same log, with a registered key for every role. What
 * would convict an honest action is nothing when only strangers say it, and what an action lacks is still lacking. Made from the
 * stories of the wire transfer, so that no story has to be written twice and a new one is covered at once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drop } from "../../src/demo/changes.js";
import { essayWire } from "../../src/demo/essay.js";
import type { Party, Step, Story } from "../../src/demo/stage.js";
import { STORIES as DEMO } from "../../src/demo/stories.js";
import { TWISTS } from "../../src/demo/twists.js";
import { TYPES } from "../../src/record/types.js";
import type { VerdictWord } from "../../src/trace/verdict.js";
import { bundleOf, complaints, judge, play, START } from "../support/story.js";
import { foreigners, type VerdictStory } from "./verdict-changes.js";
import { DECEITS } from "./verdict-deceits.js";
import { HONEST } from "./verdict-honest.js";
import { VERDICT_STORIES } from "./verdict-stories.js";

const SOON = START + 1_800_000;
const STRANGERS = Object.fromEntries(
  Object.entries(foreigners(essayWire).parties).filter(([name]) => essayWire.parties[name] === undefined),
);

/** The record of a step, by the stranger whose role may sign its type, in the stranger's own name. */
function saidByStranger(step: Step, name = step.name, loggedAt = step.at): Step[] {
  const { roles = [], signsAs } = TYPES.get(step.type) ?? {};
  const by = roles.map((role) => `other-${role}`).find((party) => STRANGERS[party] !== undefined);
  if (by === undefined) return [];
  const own = signsAs === undefined ? {} : { [signsAs]: STRANGERS[by]?.id };
  const { withheld: _, cosigners: __, ...rest } = step;
  return [{ ...rest, name, by, loggedAt, members: (s) => ({ ...step.members(s), ...own }) }];
}

function among(steps: readonly Step[], name: string): boolean {
  return steps.some((step) => step.name === name);
}

/** The honest transfer, and beside it everything that the story has otherwise, said by strangers. */
function accusedByStrangers({ steps, parties }: Story, base: Story): Story | undefined {
  const beside = new Map<string, Step[]>();
  let last = "";
  let at = -90_000;
  for (const step of steps) {
    const honest = base.steps.find(({ name }) => name === step.name);
    // Logged with the honest record before it, so that nothing honest is late for it.
    if (honest !== undefined) [last, at] = [honest.name, honest.at];
    if (base.steps.includes(step) || step.name.startsWith("key:")) continue;
    const name = honest !== undefined ? `strangers-${step.name}` : step.name;
    beside.set(last, [...(beside.get(last) ?? []), ...saidByStranger(step, name, at)]);
  }
  if ([...beside.values()].flat().length === 0) return undefined;
  const made = [...(beside.get("") ?? [])];
  for (const step of base.steps) made.push(step, ...(beside.get(step.name) ?? []));
  return { ...base, parties: { ...madeKnown(parties, base), ...base.parties, ...STRANGERS }, steps: made };
}

/** Parties that only the story has; those that an honest party made known there, the log's registrar does. */
function madeKnown(parties: Story["parties"], base: Story): Story["parties"] {
  const alone = ({ registeredBy, ...party }: Party): Party =>
    registeredBy === undefined || base.parties[registeredBy] !== undefined
      ? party
      : { ...party, registeredBy };
  return Object.fromEntries(Object.entries(parties).map(([name, party]) => [name, alone(party)]));
}

/** The story with what it leaves out of the honest transfer, said by strangers where it stood. */
function helpedByStrangers(story: Story, base: Story): Story | undefined {
  const lacks = base.steps.filter(
    ({ name }) => !story.steps.some((step) => step.name === name && step.withheld !== true),
  );
  if (lacks.length === 0) return undefined;
  const kept = story.steps.filter(({ name }) => !among(lacks, name));
  const steps: Step[] = [];
  for (const step of base.steps)
    if (among(lacks, step.name)) steps.push(...saidByStranger(step));
    else steps.push(...kept.splice(0, kept.findIndex(({ name }) => name === step.name) + 1));
  return { ...story, parties: { ...STRANGERS, ...story.parties }, steps: [...steps, ...kept] };
}

async function comesOut(story: Story, words: readonly VerdictWord[]): Promise<void> {
  const strangers = new Set(Object.values(STRANGERS).map(({ id }) => id));
  const played = await play(story, undefined, "", ({ by }) => strangers.has(story.parties[by]?.id ?? ""));
  const verdict = judge(await bundleOf(played, story.subject), SOON);
  const said = verdict.findings.filter(({ code }) => code !== null).map(({ detail }) => detail);
  assert.ok(
    words.includes(verdict.verdict),
    `${verdict.verdict}: ${complaints(verdict).join(", ")}\n${said.join("\n")}`,
  );
  await played.log.close();
}

/** A story, and the honest one that it is with a change. */
interface Told extends Pick<VerdictStory, "name" | "story" | "words" | "finds"> {
  readonly base: Story;
}

function told(one: Omit<Told, "base"> & Pick<VerdictStory, "refused">): Told[] {
  const base = [...DEMO, essayWire].find(({ name }) => name === one.story.name);
  return base === undefined || one.refused !== undefined ? [] : [{ ...one, base }];
}

/** All of them take a minute: every fourth unless SLOW=1. */
const EVERY = process.env["SLOW"] === "1" ? 1 : 4;
const TOLD = [
  ...[...VERDICT_STORIES, ...DECEITS, ...HONEST].flatMap(told),
  ...TWISTS.flatMap(({ title, verdict, ...twist }) => told({ ...twist, name: title, words: [verdict] })),
].filter((_, i) => i % EVERY === 0);

for (const { name, story, base, finds } of TOLD) {
  const accused = accusedByStrangers(story, base);
  if (accused === undefined) continue;
  test(`only strangers say it: ${base.name}, ${name} (${finds.join(" ")})`, () =>
    comesOut(accused, ["AUTHORIZED"]));
}

for (const { name, story, base, words } of TOLD) {
  const helped = helpedByStrangers(story, base);
  if (helped === undefined || words.includes("AUTHORIZED")) continue;
  test(`strangers bring what is lacking: ${base.name}, ${name}`, () =>
    // To rest on a stranger's record is worse than to rest on none.
    comesOut(helped, [...words, "VIOLATION"]));
}

for (const { name } of essayWire.steps) {
  if (name === essayWire.subject) continue;
  const helped = helpedByStrangers(drop(name)(essayWire), essayWire);
  assert.ok(helped !== undefined);
  test(`a stranger's ${name} in the place of the honest one is none`, () =>
    comesOut(helped, ["VIOLATION", "NOT_ESTABLISHED"]));
}
