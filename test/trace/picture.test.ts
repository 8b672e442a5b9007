/** The picture: every line of it is in the bundle, none is behind a box, and what it says of a record is what the record says. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { wireTransfer } from "../../src/demo/stories.js";
import type { Story } from "../../src/demo/stage.js";
import { TWISTS } from "../../src/demo/twists.js";
import { objects } from "../../src/record/links.js";
import { fromJwk } from "../../src/statement/key.js";
import type { Json, JsonObject } from "../../src/statement/json.js";
import type { Bundle } from "../../src/trace/bundle.js";
import { lanesOf } from "../../src/trace/draw/lanes.js";
import { mermaid } from "../../src/trace/draw/mermaid.js";
import { type Picture, pictureOf } from "../../src/trace/draw/model.js";
import { svg } from "../../src/trace/draw/svg.js";
import { cut, wrapped } from "../../src/trace/draw/text.js";
import { readTraceEntry } from "../../src/trace/entry.js";
import { PROJECT } from "../support/process.js";
import { bundleOf, judge, play } from "../support/story.js";

const WIDTH = 794;
const EDGE = 416;

async function drawn(
  story: Story,
  aggregated = true,
): Promise<{ bundle: Bundle; picture: Picture; text: string }> {
  const played = await play(story);
  const bundle = await bundleOf(played, "receipt");
  const picture = pictureOf(bundle, judge(bundle), { aggregated });
  await played.log.close();
  return { bundle, picture, text: svg(picture) };
}

function twist(title: string): Story {
  return (TWISTS.find((one) => one.title === title) ?? assert.fail(title)).story;
}

const receipt = wireTransfer.steps.find(({ name }) => name === "receipt") ?? assert.fail();
/** 52 records, 22 of them refusals that are alike. */
const fifty: Story = {
  ...wireTransfer,
  steps: [
    ...wireTransfer.steps,
    ...Array.from({ length: 22 }, (_, n) => ({
      ...receipt,
      name: `attempt-${n}`,
      members: (stage: Parameters<typeof receipt.members>[0]) => {
        return {
          ...receipt.members(stage),
          seq: undefined,
          boundary_id: undefined,
          outcome: "refused",
          capability_hash: null,
          prior_receipts: [],
          tool_call_hash: stage.hash(`attempt ${n}`),
        };
      },
    })),
  ],
};

interface DrawnLine {
  readonly from: string;
  readonly name: string;
  readonly to: string;
  readonly path: string;
}

function linesIn(text: string): DrawnLine[] {
  const pattern = /<g data-from="([^"]*)" data-name="([^"]*)" data-to="([^"]*)">.*?<path d="([^"]*)"/g;
  return [...text.matchAll(pattern)].map(([, from = "", name = "", to = "", path = ""]) => ({
    from,
    name,
    to,
    path,
  }));
}

/** What stands at a member's path: `scope.request_hash`, `evaluated_evidence[1].hash`. */
function valuesAt(value: JsonObject, path: string): readonly Json[] {
  const steps = path.split(/[.[\]]+/).filter((step) => step !== "");
  let at: Json | undefined = value;
  for (const step of steps) at = (at as { readonly [name: string]: Json } | undefined)?.[step];
  return Array.isArray(at) ? at : at === undefined ? [] : [at];
}

/** Does the record `from` name `to` by this member? By the records' own bytes, without anything of the drawing. */
function names(bundle: Bundle, { from, name, to }: DrawnLine): boolean {
  const entry = (place: string) => {
    const found = bundle.entries.find(({ index }) => `#${index}` === place) ?? assert.fail(place);
    return readTraceEntry(found.index, found.stored, null);
  };
  const [source, target] = [entry(from), entry(to)];
  if (source.record === null || target.record === null) return false;
  const { value } = target.record;
  if (name === "signed by") {
    const registrars = objects(value["registrars"]).map((jwk) => fromJwk(jwk)?.keyId);
    return (
      source.statement?.signatures.some(
        ({ keyId }) => keyId === value["key_id"] || registrars.includes(keyId),
      ) === true
    );
  }
  const defined = [
    target.id,
    value["policy_digest"],
    value["action_type"],
    value["mission_id"],
    value["value_hash"],
    ...valuesAt(value, "evidence_written"),
  ];
  return valuesAt(source.record.value, name).some((one) => defined.includes(one));
}

test("every line of the picture is in the records, and every link of the bundle is a line", async () => {
  for (const story of [fifty, twist("an expired grant"), twist("denied, and granted all the same")]) {
    const { bundle, text } = await drawn(story, false);
    const lines = linesIn(text);
    assert.ok(lines.length > 60, `${lines.length} lines`);
    for (const line of lines) assert.ok(names(bundle, line), `${line.from} ${line.name} ${line.to}`);
    const all = new Set(lines.map(({ from, name, to }) => `${from} ${name} ${to}`));
    for (const { from, member, to } of bundle.links)
      assert.ok(all.has(`#${from} ${member} #${to}`), `${from} ${member} ${to}`);
  }
});

test("no line is behind a box, no box over another, no two lanes in one place; it fits a sheet of A4", async () => {
  const { text, bundle } = await drawn(fifty, false);
  const boxes = [...text.matchAll(/<svg x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)" data-card/g)].map(
    ([, ...numbers]) => numbers.map(Number),
  );
  assert.equal(boxes.length, bundle.entries.length);
  let bottom = 0;
  for (const [x = 0, y = 0, width = 0, height = 0] of boxes) {
    assert.ok(y >= bottom, "from top to bottom, in log order");
    bottom = y + height;
    assert.equal(x + width, EDGE);
  }
  const lanes = new Map<string, { to: string; low: number; high: number }[]>();
  for (const { path, to } of linesIn(text)) {
    const [, start = "", y1 = "", lane = "", y2 = "", end = ""] =
      /^M(\d+) (\d+) H([\d.]+) V(\d+) H(\d+)$/.exec(path) ?? [];
    assert.ok(
      [start, lane, end].map(Number).every((x) => x >= EDGE && x < WIDTH - 16),
      path,
    );
    const [low, high] = [Number(y1), Number(y2)].toSorted((a, b) => a - b) as [number, number];
    const others = lanes.get(lane) ?? [];
    for (const other of others)
      assert.ok(other.to === to || other.high < low || high < other.low, `${to} over ${other.to}`);
    lanes.set(lane, [...others, { to, low, high }]);
  }
  assert.match(text, new RegExp(`^<svg [^>]* width="${WIDTH}" `));
});

test("alike siblings are one card with their count, and nothing is lost; asked otherwise each is drawn", async () => {
  const { picture, bundle } = await drawn(fifty);
  const group = picture.cards.find(({ indexes }) => indexes.length > 1) ?? assert.fail();
  assert.equal(group.indexes.length, 22);
  assert.equal(group.title, "22 × execution-receipt");
  const shown = picture.cards.flatMap(({ indexes }) => indexes).toSorted((a, b) => a - b);
  assert.deepEqual(
    shown,
    bundle.entries.map(({ index }) => index),
  );
  const whole = await drawn(fifty, false);
  assert.equal(whole.picture.cards.length, bundle.entries.length);
});

test("a box says who, what, when and how it stands; a no does not look like a yes; a finding stands beside the name", async () => {
  const { picture, text } = await drawn(twist("denied, and granted all the same"));
  const of = (title: string) => picture.cards.filter((card) => card.title === title);
  const [denial] = of("policy-decision").filter(({ word }) => word === "deny");
  assert.deepEqual([denial?.tone, denial?.who], ["no", "policy://acme/engine"]);
  assert.match(text, /<rect [^>]*fill="#3c1614"[^>]*\/><text [^>]*>DENY</);
  const request = of("action-request").at(-1) ?? assert.fail();
  assert.match(request.what.join(), /^wire\.transfer: amount 41872\.14 USD.*on account DE02/);
  assert.match(request.when, /^says 2026-05-01T\d\d:\d\d:\d\dZ, logged \d\d:\d\d:\d\dZ$/);
  assert.ok(of("capability-grant").some(({ standing }) => standing.includes("consumed 1 of 1")));
  assert.ok(of("fact").some(({ standing }) => standing.includes("trust: confirmed")));
  const [accused] = picture.cards.filter(({ mark }) => mark === "FAIL");
  assert.ok(accused !== undefined && accused.who !== "" && accused.findings.length > 0);
  assert.match(text, new RegExp(`by ${accused.who}`));
  const revoked = await drawn(twist("consumed after it was revoked")).catch(() => null);
  if (revoked !== null)
    assert.ok(
      revoked.picture.cards.some(({ standing }) => standing.some((one) => one.startsWith("REVOKED by #"))),
    );
});

test("what is named and not in the file is drawn as that, and strangers as one box with their count", async () => {
  const { picture } = await drawn(twist("a decision that nobody logged"));
  const [missing] = picture.cards.filter(({ kind }) => kind === "missing");
  assert.equal(missing?.title, "not in this file");
  assert.ok(picture.lines.some(({ to }) => to === missing?.name));
  const played = await play(wireTransfer);
  const bundle = await bundleOf(played, "receipt");
  await played.log.close();
  const strangers = { indexes: [24, 25], more: true };
  const { cards } = pictureOf(bundle, { ...judge(bundle), strangers });
  const [others] = cards.filter(({ kind }) => kind === "strangers");
  assert.match(others?.title ?? "", /^2 and more records of strangers$/);
  assert.ok(cards.every(({ indexes }) => !indexes.includes(24)));
});

test("lanes: short lines are nearer, and what does not overlap shares one", () => {
  const lanes = lanesOf([
    { target: "long", from: 0, to: 100 },
    { target: "a", from: 0, to: 10 },
    { target: "b", from: 11, to: 20 },
    { target: "c", from: 5, to: 15 },
  ]);
  assert.deepEqual(Object.fromEntries(lanes), { a: 0, b: 0, c: 1, long: 2 });
});

test("other people's text is cut and wrapped by characters, and nothing that acts is left in it", () => {
  assert.equal(cut("a\u202eb\u0000c", 9), "a\ufffdb\ufffdc");
  assert.equal(cut("👩‍🌾".repeat(9), 4).endsWith("…"), true);
  assert.deepEqual(wrapped("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrapped("aaaaaaaaaa", 4), ["aaaa", "aaaa", "aa"]);
  assert.deepEqual(wrapped("", 4), []);
});

test("the pictures of the worked example are the ones that were looked at (UPDATE=1 writes them anew)", async () => {
  for (const [file, story] of [
    ["picture-authorized.svg", wireTransfer],
    ["picture-violation.svg", twist("an expired grant")],
  ] as const) {
    const path = join(PROJECT, "test/data", file);
    const { text, picture } = await drawn(story);
    if (process.env["UPDATE"] === "1") await writeFile(path, text);
    assert.equal(text, await readFile(path, "utf8"), file);
    assert.match(mermaid(picture), /^---\ntitle: .*\n---\nflowchart TD\n/);
  }
});
