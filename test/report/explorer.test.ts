/** The explorer in a real browser: each screen over a log that a story filled, and over one that lies. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { wireTransfer } from "../../src/demo/stories.js";
import type { Story } from "../../src/demo/stage.js";
import { TWISTS } from "../../src/demo/twists.js";
import { utf8 } from "../../src/format/bytes.js";
import { signDsse } from "../../src/statement/sign.js";
import { hashOf } from "../../src/report/report.js";
import { domOf, skipWithoutBrowser } from "../support/browser.js";
import { isPlaced } from "../../src/log/log.js";
import { agent, dsse, logKey, logWithAgent, record } from "../support/log.js";
import { PROJECT } from "../support/process.js";
import { between } from "../support/servers.js";
import { play, type Played, START } from "../support/story.js";

const SCRIPT = await readFile(join(PROJECT, "dist/src/page/explorer.js"), "utf8");

/** A log that the worked example filled, with somebody before it who may change what it answers. */
async function shown(
  change: (path: string, body: Buffer) => Buffer | string = (_, body) => body,
  instead: (path: string) => string = (path) => path,
  story: Story = wireTransfer,
): Promise<{ url: string; played: Played; asked: string[] }> {
  const played = await play(story);
  const service = { key: logKey, url: () => "http://log.example", now: () => START };
  const app = createApp(played.log, { verifierKeys: [logKey], version: "test", explorer: SCRIPT, service });
  const asked: string[] = [];
  const { url } = await between(app, async (path) => {
    asked.push(path);
    const response = await app.request(instead(path));
    return new Response(change(path, Buffer.from(await response.arrayBuffer())), response);
  });
  return { url, played, asked };
}

/** The bare hex of a hash that the story names. */
function hashIn({ stage }: Played, of: string): string {
  return stage.hash(of).slice("sha256:".length);
}

const VERIFIED = `document.getElementById("screen").dataset.verified`;

function textOf(dom: string): string {
  const [, screen = ""] = /<main id="screen"[^>]*>(.*)<\/main>/s.exec(dom) ?? [];
  return screen
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll("&quot;", '"')
    .replaceAll(/\s+/g, " ");
}

test("the page is one file that runs only its own script, asks only its own log, and fits", async () => {
  const played = await play(wireTransfer);
  const app = createApp(played.log, { verifierKeys: [logKey], version: "test", explorer: SCRIPT });
  const response = await app.request("/");
  const page = await response.text();
  const [, style = ""] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
  assert.equal(
    response.headers.get("content-security-policy"),
    `default-src 'none'; script-src '${hashOf(SCRIPT)}'; style-src '${hashOf(style)}'; connect-src 'self'; worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'`,
  );
  const etag = response.headers.get("etag") ?? "";
  assert.equal((await app.request("/", { headers: { "if-none-match": etag } })).status, 304);
  const { gzipSync } = await import("node:zlib");
  assert.ok(gzipSync(page, { level: 9 }).length <= 180 * 1024);
  const without = createApp(played.log, { verifierKeys: [logKey], version: "test" });
  assert.equal((await without.request("/")).status, 404);
  await played.log.close();
});

test("home, entry, trace and search: what is shown was verified in the browser", {
  skip: skipWithoutBrowser,
}, async () => {
  const { url, played, asked } = await shown();
  const home = textOf(await domOf(`${url}/`, VERIFIED));
  assert.match(home, /✓ Its signed checkpoint of 30 entries was verified here/);
  assert.match(home, /✓ #29 a record of type boundary-seal by executor:\/\/acme\/payments/);
  const entry = textOf(await domOf(`${url}/#/entry/22`, `document.querySelector("h1")`));
  assert.match(entry, /✓ Verified here: these very bytes are entry 22 of the tree of 30/);
  assert.match(entry, /action wire\.transfer, amount "41872\.14 USD"/);
  assert.match(entry, /leaf \S+ .*✓ the root that is signed/);
  const trace = textOf(
    await domOf(`${url}/#/trace/${played.stage.id("receipt")}`, `document.querySelector(".word")`),
  );
  assert.match(trace, /✓ Judged here, in this browser, in \d+ ms: 30 records/);
  assert.match(
    trace,
    / AUTHORIZED executor:\/\/acme\/payments did wire\.transfer with amount "41872\.14 USD"/,
  );
  const search = textOf(await domOf(`${url}/#/search?type=approval`, VERIFIED));
  assert.match(search, /✓ #25 a record of type approval by user:\/\/acme\/treasurer/);
  for (const [word, where, ready] of [
    ["22", /Entry 22 ✓ Verified here/, `document.title.startsWith("Entry")`],
    ["user://acme/treasurer", /✓ #25 a record of type approval/, VERIFIED],
    [hashIn(played, "wire call"), /✓ #27 .*✓ #26 |✓ #28 .*✓ #27 /, VERIFIED],
  ] as const) {
    const went = `document.getElementById("go") && !globalThis.asked && (globalThis.asked = true, delete document.getElementById("screen").dataset.verified, document.getElementById("go").value = ${JSON.stringify(word)}, document.getElementById("go").form.requestSubmit(), false)`;
    const found = textOf(
      await domOf(`${url}/`, `(${went}) || (globalThis.asked && !document.getElementById("go") && ${ready})`),
    );
    assert.match(found, where, word);
  }
  // Chromium asks for an icon by itself.
  assert.ok(
    asked.every((path) => /^\/(?:$|checkpoint|v1\/|favicon\.ico)/.test(path)),
    asked.join(" "),
  );
  await played.log.close();
});

test("open items, the status list and the witnesses: verified where they can be, and said whose word it is where not", {
  skip: skipWithoutBrowser,
}, async () => {
  const story = TWISTS.find(({ title }) => title === "an exception in force")?.story;
  const { url, played } = await shown(undefined, undefined, story);
  const open = textOf(await domOf(`${url}/#/open`, VERIFIED));
  assert.match(open, /1 are open, as the log says; that there are no others is its word/);
  assert.match(
    open,
    /exception expired: 1 .* ✓ #\d+ excused EVIDENCE_STALE until 2026-\S+; owner user:\S+: revoke it/,
  );
  const status = textOf(await domOf(`${url}/#/status/0`, `document.querySelector("canvas")`));
  assert.match(status, /✓ Verified here: list 0, signed by the log at .* of a tree of 31 entries/);
  const used = played.stage.index("grant");
  assert.match(status, new RegExp(`used up: 2 #\\d+ #${used} `));
  const witnesses = textOf(await domOf(`${url}/#/witnesses`, `document.title.startsWith("Witnesses")`));
  assert.match(witnesses, /This log has no witnesses: its operator vouches alone/);
  await played.log.close();
  const lies = await shown((path, body) =>
    path === "/v1/status/lists/0" ? `${body.toString().slice(0, -90)}${body.toString().slice(-89)}A` : body,
  );
  const found = textOf(
    await domOf(`${lies.url}/#/status/0`, `document.querySelector("[role=alert], canvas")`),
  );
  assert.match(found, /✗ no JWT that is signed by the log's key\. Nothing of it was believed\./);
  await lies.played.log.close();
});

test("an answer about something else is refused: the trace of another record, or of an earlier time, and a checkpoint of a quorum that is not there", {
  skip: skipWithoutBrowser,
}, async () => {
  const refusals: readonly (readonly [(path: string) => string, RegExp])[] = [
    [
      (path) => (path.startsWith("/v1/traces/") ? "/v1/traces/17" : path),
      /asked for the trace of sha256:\S+, got that of/,
    ],
    [
      (path) => (path.startsWith("/v1/traces/") ? `${path}?as_of=29` : path),
      /wanted it as of 30 entries, got it as of 29/,
    ],
  ];
  for (const [instead, why] of refusals) {
    const { url, played } = await shown(undefined, instead);
    const ready = `document.querySelector("[role=alert], .word")`;
    // First the newest checkpoint, as a reader sees it, then the trace.
    const text = textOf(await domOf(`${url}/`, seenThen(`#/trace/${played.stage.id("receipt")}`, ready)));
    assert.match(text, why);
    assert.doesNotMatch(text, / AUTHORIZED /);
    await played.log.close();
  }
});

/** Home first; once that is verified, another screen. */
function seenThen(hash: string, ready: string): string {
  const move = `document.getElementById("screen").dataset.verified && location.hash === "" && (location.hash = ${JSON.stringify(hash)}, false)`;
  return `(${move}) || (location.hash !== "" && ${ready})`;
}

test("a log that lies is found out by the page: another statement, another proof, another checkpoint, a changed bundle", {
  skip: skipWithoutBrowser,
}, async () => {
  const lies: readonly (readonly [string, string, (path: string, body: Buffer) => Buffer | string])[] = [
    [
      "another statement",
      "#/entry/22",
      (path, body) =>
        path === "/v1/entries/22" ? body.toString().replace(/"statement":"ey/, '"statement":"eX') : body,
    ],
    [
      "the proof of another",
      "#/entry/22",
      (path, body) =>
        path === "/v1/entries/22/proof" ? body.toString().replace("index 22", "index 21") : body,
    ],
    [
      "a checkpoint that nobody signed",
      "",
      (path, body) => (path === "/checkpoint" ? body.toString().replace("\n30\n", "\n31\n") : body),
    ],
    [
      "a record left out of a bundle",
      "#/trace/",
      (path, body) =>
        path.startsWith("/v1/traces/") ? body.toString().replace(/\{"index":25,.*\n/, "") : body,
    ],
  ];
  for (const [name, screen, lie] of lies) {
    const { url, played } = await shown(lie);
    const address = screen === "#/trace/" ? `${screen}${played.stage.id("receipt")}` : screen;
    const text = textOf(
      await domOf(`${url}/${address}`, `document.querySelector("[role=alert], .again, .word")`),
    );
    assert.match(text, /✗ .* Nothing of it was believed\.|NOT_VERIFIED/, `${name}: ${text.slice(0, 200)}`);
    assert.doesNotMatch(text, /✓ (?:Verified here|Its signed)| AUTHORIZED /, name);
    await played.log.close();
  }
});

test("other people's text stays text on every screen: nothing of it runs, is drawn, or is fetched", {
  skip: skipWithoutBrowser,
}, async () => {
  const odd = `"><img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script><a href="javascript:hacked=1">\u202e'`;
  const log = await logWithAgent();
  const submitted = await log.submit([
    dsse(
      record({
        intent: odd,
        action_type: odd,
        target: { [odd]: odd },
        parameters: { [odd]: [odd, { [odd]: odd }] },
        constraints: { [odd]: odd },
        policy_version: odd,
        delegator_id: odd,
      }),
    ),
    { bytes: signDsse("text/html", utf8(odd), agent), form: "dsse" },
  ]);
  for (const result of submitted.results) assert.ok(isPlaced(result));
  const service = { key: logKey, url: () => "http://log.example", now: () => START };
  const app = createApp(log, { verifierKeys: [logKey], version: "test", explorer: SCRIPT, service });
  const asked: string[] = [];
  const { url } = await between(app, (path) => {
    asked.push(path);
    return undefined;
  });
  const hashes = [
    "",
    "entry/2",
    "entry/3",
    "trace/2",
    "trace/3",
    "search",
    "open",
    "approve/2",
    "impact/2",
    "party/x",
    "status/0",
    "witnesses",
  ];
  const step = `(() => {
    const screen = document.getElementById("screen");
    const [seen, hashes] = [(globalThis.seen ??= []), ${JSON.stringify(hashes)}];
    if (seen.length === hashes.length) return true;
    const title = screen.querySelector("h1")?.textContent ?? "Reading";
    if (title.startsWith("Reading") || screen.querySelector("[role=status]")?.textContent.startsWith("Reading")) return false;
    if ([...screen.querySelectorAll("td span")].some(({ textContent }) => textContent === "…")) return false;
    seen.push([hashes[seen.length], title, screen.querySelectorAll("img, script, iframe, [onerror], [href^=javascript]").length, globalThis.hacked ?? 0, /[\u202a-\u202e]/.test(screen.textContent)]);
    screen.replaceChildren();
    if (seen.length < hashes.length) location.hash = "#/" + hashes[seen.length];
    else screen.textContent = JSON.stringify(seen);
    return false;
  })()`;
  const dom = await domOf(`${url}/`, step);
  const [, text = "[]"] = /<main id="screen"[^>]*>(.*?)<\/main>/s.exec(dom) ?? [];
  const seen = JSON.parse(text) as [string, string, number, number, boolean][];
  assert.equal(seen.length, hashes.length);
  const failed = seen.filter(([, title]) => title === "This cannot be shown").map(([hash]) => hash);
  assert.deepEqual(failed, []);
  for (const [hash, title, foreign, hacked, turned] of seen)
    assert.deepEqual([foreign, hacked, turned], [0, 0, false], `${hash}: ${title}`);
  assert.ok(
    asked.every((path) => /^\/(?:$|checkpoint|v1\/|favicon\.ico)/.test(path)),
    asked.join(" "),
  );
  await log.close();
});
