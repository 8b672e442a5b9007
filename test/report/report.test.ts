/** The report: what stands in it, that it asks nobody for anything, and that a real browser finds it to be what its records say. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import { edit } from "../../src/demo/changes.js";
import type { Story } from "../../src/demo/stage.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { TWISTS } from "../../src/demo/twists.js";
import { fromBase64, toBase64 } from "#crypto";
import { policyOfKey } from "../../src/format/policy.js";
import { hashOf, reportHtml, type ReportData } from "../../src/report/report.js";
import { partiesOf } from "../../src/report/parties.js";
import { parseBundleFile } from "../../src/trace/bundle.js";
import { CODES, explain } from "../../src/trace/codes.js";
import type { TraceVerdict } from "../../src/trace/answer.js";
import { domOf, PDFTOTEXT, printPage, skipWithoutBrowser, skipWithoutPdf } from "../support/browser.js";
import { logKey } from "../support/log.js";
import { PROJECT } from "../support/process.js";
import { bundleOf, judge, play } from "../support/story.js";

const SCRIPT = await readFile(join(PROJECT, "dist/src/page/report.js"), "utf8");

async function reported(
  story: Story,
  change: (verdict: TraceVerdict) => TraceVerdict = (verdict) => verdict,
): Promise<{ page: string; verdict: TraceVerdict; data: ReportData }> {
  const played = await play(story);
  const bundle = await bundleOf(played, "receipt");
  await played.log.close();
  const verdict = change(judge(bundle));
  const options = {
    policy: policyOfKey(logKey),
    pinned: "the key of this test",
    version: "0",
    script: SCRIPT,
  };
  const page = reportHtml(bundle, verdict, options);
  return { page, verdict, data: dataIn(page) };
}

function dataIn(page: string): ReportData {
  const [, json = ""] = /<script type="application\/json" id="writ-data">(.*?)<\/script>/s.exec(page) ?? [];
  return JSON.parse(json) as ReportData;
}

/** The page with other data in it. */
function withData(page: string, data: ReportData): string {
  return page.replace(
    /(<script type="application\/json" id="writ-data">).*?(<\/script>)/s,
    (_, before: string, after: string) =>
      `${before}${JSON.stringify(data).replaceAll("<", "\\u003c")}${after}`,
  );
}

function twist(title: string): Story {
  return (TWISTS.find((one) => one.title === title) ?? assert.fail(title)).story;
}

/** What the page says of itself when it was opened. */
async function opened(page: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "writ-report-")), "report.html");
  await writeFile(file, page);
  const dom = await domOf(
    pathToFileURL(file).href,
    `document.getElementById("writ-again").classList.length > 1`,
  );
  return (
    /<p id="writ-again"[^>]*class="([^"]*)"[^>]*>([^<]*)</.exec(dom)?.slice(1).join(": ") ?? dom.slice(0, 200)
  );
}

test("the report says the sentence, the word, what is found and what it means, who the parties are, and what it rests on", async () => {
  const { page, verdict } = await reported(twist("an expired grant"));
  const text = page
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'");
  for (const said of [
    verdict.sentence,
    "VIOLATION",
    explain("VIOLATION") ?? "",
    CODES.GRANT_EXPIRED,
    "executed at 2026-05-01T12:16:40Z, after the grant's end",
    "user://acme/treasurer",
    "a registrar that the log's own policy names (#0), as log.example/test/registrar, in #4",
    "Did somebody independent confirm it?",
    "What it relied on",
    "the key of this test",
    "What was not asked, and why",
    `writ verify bundle.json --policy policy --at ${new Date(verdict.at).toISOString()}`,
  ])
    assert.ok(text.includes(said), said);
  assert.equal(partiesOf(parseBundleFile(fromBase64(dataIn(page).bundle))).length, 9);
});

test("it is one file within its size, asks nobody for anything, and runs only the script and style that its policy names", async () => {
  const { page } = await reported(wireTransfer);
  assert.ok(page.length < 1024 * 1024, `${page.length} bytes`);
  const [, csp = ""] = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page) ?? [];
  const [, style = ""] = /<style>(.*?)<\/style>/s.exec(page) ?? [];
  assert.equal(
    csp,
    `default-src 'none'; script-src '${hashOf(SCRIPT)}'; style-src '${hashOf(style)}'; img-src data:; base-uri 'none'; form-action 'none'`,
  );
  const markup = page.replace(SCRIPT, "");
  assert.doesNotMatch(markup, /\b(?:src|href|action)\s*=|@import|url\(/i);
  assert.equal(markup.match(/<script/g)?.length, 2);
});

test("other people's text in it stays text", async () => {
  const odd = `</script><script>alert(1)</script><img src=x onerror=alert(1)>"'\u202e`;
  const { page, data } = await reported(
    edit("request", () => ({ target: { account: odd, vendor: odd } }))(wireTransfer),
  );
  assert.equal(page.replace(SCRIPT, "").match(/<script/g)?.length, 2);
  assert.doesNotMatch(page.replace(SCRIPT, ""), /<img|\u202e/);
  assert.ok(parseBundleFile(fromBase64(data.bundle)).entries.length > 20);
});

test("opened in a browser without a network, it finds itself to be what its records say", {
  skip: skipWithoutBrowser,
}, async () => {
  for (const [story, word] of [
    [wireTransfer, "AUTHORIZED"],
    [twist("an expired grant"), "VIOLATION"],
  ] as const) {
    const { page } = await reported(story);
    assert.match(
      await opened(page),
      new RegExp(`^again good: ✓ Checked again in this page, .*: its records say ${word}\\.`),
    );
  }
});

test("a report that lies, or whose records were changed, says so itself when it is opened", {
  skip: skipWithoutBrowser,
}, async () => {
  const expired = twist("an expired grant");
  const liar = await reported(expired, (verdict) => ({ ...verdict, verdict: "AUTHORIZED" }));
  assert.match(
    await opened(liar.page),
    /^again bad: ✗ This file was not what its records say: it says AUTHORIZED, and the records say VIOLATION/,
  );
  const teller = await reported(expired, (verdict) => ({ ...verdict, sentence: "Nothing happened." }));
  assert.match(await opened(teller.page), /another story than the records/);
  const silent = await reported(expired, (verdict) => ({ ...verdict, findings: verdict.findings.slice(1) }));
  assert.match(await opened(silent.page), /other findings than the records give/);
  const { page, data } = await reported(wireTransfer);
  const bundle = JSON.parse(Buffer.from(data.bundle, "base64").toString()) as {
    entries: { statement: string }[];
  };
  const last = bundle.entries.at(-1) ?? assert.fail();
  last.statement = toBase64(
    Buffer.from(Buffer.from(last.statement, "base64").toString().replace('"sig":"', '"sig":"A')),
  );
  const changed = { ...data, bundle: toBase64(Buffer.from(JSON.stringify(bundle))) };
  assert.match(await opened(withData(page, changed)), /^again bad: ✗/);
  const cut = { ...data, bundle: data.bundle.slice(0, 4000) };
  assert.match(await opened(withData(page, cut)), /^again bad: ✗ The records in this page do not hold/);
});

test("what was written over in the file is made anew from the records: nobody reads it", {
  skip: skipWithoutBrowser,
}, async () => {
  const { page } = await reported(twist("an expired grant"));
  const forged = page
    .replaceAll("41872.14 USD", "99.00 USD")
    .replace('class="word VIOLATION">VIOLATION<', 'class="word AUTHORIZED">AUTHORIZED<');
  const file = join(await mkdtemp(join(tmpdir(), "writ-report-")), "report.html");
  await writeFile(
    file,
    withData(forged, dataIn(page)).replace(/<script>.*<\/script>/s, () => `<script>${SCRIPT}</script>`),
  );
  const dom = await domOf(
    pathToFileURL(file).href,
    `document.getElementById("writ-again").classList.length > 1`,
  );
  const [body = ""] = dom.split("<body>").slice(1);
  assert.match(body, /class="word VIOLATION">VIOLATION</);
  assert.ok(body.includes("41872.14 USD") && !body.includes("99.00 USD"));
});

test("on paper it says the same", { skip: skipWithoutPdf }, async () => {
  const { page, verdict } = await reported(wireTransfer);
  const folder = await mkdtemp(join(tmpdir(), "writ-report-"));
  await writeFile(join(folder, "report.html"), page);
  await printPage(pathToFileURL(join(folder, "report.html")).href, join(folder, "report.pdf"));
  const { stdout } = await promisify(execFile)(PDFTOTEXT ?? "pdftotext", [join(folder, "report.pdf"), "-"]);
  const flat = stdout.replaceAll(/\s+/g, "");
  for (const said of [verdict.sentence, "AUTHORIZED", "What it does not mean.", "Checked again in this page"])
    assert.ok(flat.includes(said.replaceAll(/\s+/g, "")), said);
});
