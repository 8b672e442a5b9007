/** What belongs to a trace: at every earlier size, from the tiles alone, and when there is far too much of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stage, Step, Story } from "../../src/demo/stage.js";
import { stagingCleanUp, wireTransfer } from "../../src/demo/stories.js";
import { TWISTS } from "../../src/demo/twists.js";
import { createApp } from "../../api/app.js";
import { listen } from "../../api/server.js";
import { LogClient, traceFromTiles } from "../../src/client/index.js";
import { WritError } from "../../src/errors.js";
import { isPlaced } from "../../src/log/log.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { buildRecord } from "../../src/record/build.js";
import { type Bundle, formatBundleFile } from "../../src/trace/bundle.js";
import { MAX_NODES } from "../../src/trace/walk/walk.js";
import { mermaid } from "../../src/trace/draw/mermaid.js";
import { pictureOf } from "../../src/trace/draw/model.js";
import { svg } from "../../src/trace/draw/svg.js";
import { textTree } from "../../src/trace/draw/tree.js";
import { dsse, logKey, newStore, openLog } from "../support/log.js";
import { skipUnlessSlow } from "../support/runs.js";
import { bundleOf, complaints, judge, play, type Played, START, stageOf } from "../support/story.js";

test("as of any earlier size, the bundle is exactly the one that was given then", async () => {
  const store = await newStore();
  const log = await openLog(store, { now: () => START });
  const stage = stageOf(wireTransfer);
  const played = { store, log, stage };
  const given = new Map<number, string>();
  const subjects = ["request", "grant", "profile", "receipt", "policy", "onboard-receipt"];
  const keep = async (): Promise<void> => {
    for (const name of subjects) {
      const text = await bundleOf(played, name).then(formatBundleFile, codeOf);
      given.set(log.published.size * 100 + subjects.indexOf(name), text);
    }
  };
  await stage.play(async (bytes) => {
    const { results } = await log.submit([{ bytes, form: "dsse" }]);
    await keep();
    const [result] = results;
    assert.ok(result !== undefined && isPlaced(result));
    return { index: result.index };
  });
  await play(wireTransfer, played, "later");
  for (const [name, text] of given) {
    const size = Math.floor(name / 100);
    const now = await bundleOf(played, subjects[name % 100] ?? "", size).then(formatBundleFile, codeOf);
    assert.equal(now, text, `${subjects[name % 100]} as of ${size}`);
  }
  assert.ok(given.size > 100);
  await log.close();
});

function codeOf(error: unknown): string {
  return error instanceof WritError ? error.code : String(error);
}

test("as of a size that was never published: nothing logged since; before there was any of it: not found", async () => {
  const store = await newStore();
  const log = await openLog(store, { now: () => START });
  const played = await play(stagingCleanUp, { store, log, stage: stageOf(stagingCleanUp) });
  const { size } = log.published;
  const more = Array.from({ length: 3 }, (_, n) => grantAgain(played.stage, `n-more-${n}`));
  await log.submit(more);
  const bundle = await bundleOf(played, "receipt", size + 1);
  assert.deepEqual(
    [bundle.asOf, bundle.entries.at(-1)?.index, judge(bundle).verdict],
    [size + 1, size, "AUTHORIZED"],
  );
  assert.match(judge(bundle).notes.join(), /as of size \d+: the 2 entries logged since/);
  await assert.rejects(bundleOf(played, "receipt", 0), (error) => codeOf(error) === "SIZE_UNPUBLISHED");
  await assert.rejects(
    bundleOf(played, "receipt", size + 4),
    (error) => codeOf(error) === "SIZE_UNPUBLISHED",
  );
  await assert.rejects(bundleOf(played, "receipt", 5), (error) => codeOf(error) === "ENTRY_NOT_FOUND");
  await log.close();
});

/** One more child of the story's grant. */
function grantAgain(stage: Stage, nonce: string): Submission {
  return dsse(stage.variant("child-grant", { nonce }).bytes, stage.signer("authority"));
}

test("a stranger who reads the tiles builds the same bundle as the log, which only has to say when it all came in", async () => {
  const played = await play(wireTransfer);
  const taken = TWISTS.filter(({ refused }) => refused === undefined).slice(0, 24);
  for (const [n, { story }] of taken.entries()) await play(story, played, `t${n}`);
  const app = createApp(played.log, { verifierKeys: [logKey], version: "test" });
  const server = await listen(app, "127.0.0.1", 0);
  const client = new LogClient({ url: `http://127.0.0.1:${server.port}`, key: logKey });
  const own = async (name: string, asOf?: number): Promise<Bundle> => {
    const { bundle, untimed } = await traceFromTiles(client, played.stage.id(name), asOf, () => {});
    assert.equal(untimed, null);
    return bundle;
  };
  for (const name of ["receipt", "profile", "grant"])
    assert.equal(
      formatBundleFile(await own(name)),
      formatBundleFile(await client.trace(played.stage.id(name))),
      name,
    );
  assert.equal(judge(await own("receipt")).verdict, "AUTHORIZED");
  const early = await own("receipt", played.stage.index("seal"));
  const then = await bundleOf(played, "receipt", played.stage.index("seal"));
  assert.deepEqual(
    early.entries.map(({ index }) => index),
    then.entries.map(({ index }) => index),
  );
  await assert.rejects(
    traceFromTiles(client, `sha256:${"0".repeat(64)}`, undefined, () => {}),
    (error) => codeOf(error) === "ENTRY_NOT_FOUND",
  );
  await client.close();
  await server.close();
  await played.log.close();
});

for (const [count, slow] of [
  [2100, false],
  [10_000, true],
] as const) {
  const title = `a grant with ${count} children: bounded work, and a finding that says that something was left out`;
  test(title, { skip: slow ? skipUnlessSlow : false }, async () => {
    const played = await play(stagingCleanUp);
    for (let at = 0; at < count; at += 300)
      await played.log.submit(Array.from({ length: 300 }, (_, n) => grantAgain(played.stage, `n-${at + n}`)));
    await checkBounded(played);
  });
}

async function checkBounded(played: Played): Promise<void> {
  const bundle = await bundleOf(played, "receipt");
  assert.equal(bundle.entries.length, MAX_NODES);
  const verdict = judge(bundle);
  assert.match(complaints(verdict).join(), /UNKNOWN DEPTH_EXCEEDED/);
  assert.equal(verdict.verdict, "NOT_ESTABLISHED", complaints(verdict).join());
  await played.log.close();
}

test("a chain deeper than is followed, a record that names itself, one that names what comes later", async () => {
  const played = await play(stagingCleanUp);
  const { stage, log } = played;
  let previous = stage.ref("execution-receipt", "receipt");
  for (let n = 0; n < 40; n++) {
    const built = buildRecord("execution-receipt", {
      issuer: "executor://acme/db",
      issued_at: stage.time(n),
      request_hash: stage.ref("action-request", "request"),
      capability_hash: null,
      executor_id: "executor://acme/db",
      tool_call_hash: stage.hash(`chain ${n}`),
      outcome: "refused",
      postcondition_hashes: {},
      executed_at: stage.time(n),
      prior_receipts: [previous],
    });
    await log.submit([dsse(built.bytes, stage.signer("executor"))]);
    previous = built;
  }
  const deep = judge(
    await log.queries.bundle(await log.read.find({ hash: previous.id.slice(7) }), undefined),
  );
  assert.notEqual(deep.verdict, "AUTHORIZED");
  const self = {
    issuer: "executor://acme/db",
    issued_at: stage.time(50),
    executor_id: "executor://acme/db",
    tool_call_hash: stage.hash("self"),
    outcome: "refused",
    capability_hash: null,
    request_hash: stage.ref("action-request", "request"),
    postcondition_hashes: {},
    executed_at: stage.time(50),
  } as const;
  const own = buildRecord("execution-receipt", { ...self, evidence_written: [stage.hash("own")] });
  const { results } = await log.submit([dsse(own.bytes, stage.signer("executor"))]);
  assert.ok(results[0] !== undefined && isPlaced(results[0]));
  assert.ok(judge(await log.queries.bundle([results[0].index], undefined)).findings.length > 0);
  await log.close();
});

test("members with the names of an object's own machinery, and text of any kind, are just names and text", async () => {
  const odd = [
    "constructor",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "\u202e\u0000\u001b[31m",
    "<script>",
    '"]',
    "🦊",
  ];
  const twisted: Story = {
    ...stagingCleanUp,
    steps: stagingCleanUp.steps.map(
      (one): Step =>
        one.name === "request"
          ? {
              ...one,
              members: (s) => ({
                ...one.members(s),
                parameters: Object.fromEntries(odd.map((name) => [name, name])),
                intent: odd.join(),
                target: {
                  tables: ["tmp_import_0412", "tmp_import_0413"],
                  environment: "staging",
                  ...Object.fromEntries(odd.map((name) => [name, name])),
                },
                evidence_hashes: Object.fromEntries(odd.map((name) => [name, name])),
              }),
            }
          : one,
    ),
  };
  const played = await play(twisted);
  const bundle = await bundleOf(played, "receipt");
  const verdict = judge(bundle);
  assert.equal(verdict.verdict, "VIOLATION");
  const picture = pictureOf(bundle, verdict);
  for (const drawn of [textTree(picture), mermaid(picture), svg(picture)]) {
    assert.ok(!["\u0000", "\u001b", "\u202e"].some((char) => drawn.includes(char)));
    assert.match(drawn, /SCOPE_WIDENED|capability-grant/);
  }
  assert.doesNotMatch(svg(picture) + mermaid(picture), /<script>/);
  await played.log.close();
});

test("the tree shows each node once, with its findings under it", async () => {
  const late = TWISTS.find(({ title }) => title === "an expired grant");
  assert.ok(late);
  const played = await play(late.story);
  const bundle = await bundleOf(played, "receipt");
  const tree = textTree(pictureOf(bundle, judge(bundle)));
  assert.match(tree, /^VIOLATION: wire\.transfer, tier 3/);
  assert.match(tree, /✗ #\d+ capability-grant wire\.transfer.*\n.*✗ FAIL GRANT_EXPIRED: executed at/);
  const numbers = [...tree.matchAll(/[✓✗?~] #(\d+) /g)].map(([, number]) => number);
  assert.equal(new Set(numbers).size, numbers.length);
  await played.log.close();
});
