/** The page and the command come to the same words: over stories of every verdict, and over bundles that somebody changed. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { TWISTS } from "../../src/demo/twists.js";
import { policyOfKey } from "../../src/format/policy.js";
import { type Bundle, type BundleEntry, bundleBytes, parseBundleFile } from "../../src/trace/bundle.js";
import { evaluate } from "../../src/trace/evaluate.js";
import { asHash } from "../../merkle/index.js";
import { domOf, skipWithoutBrowser } from "../support/browser.js";
import { logKey } from "../support/log.js";
import { PROJECT } from "../support/process.js";
import { between } from "../support/servers.js";
import { bundleOf, play, START } from "../support/story.js";

/** One in so many of the stories with one change. */
const EVERY = 9;
/** Of the page, once a bundle was judged: its word, its sentence, and what was found, in the order that it is shown. */
const SEEN = `[screen.querySelector(".word")?.textContent ?? "refused", screen.querySelector(".sentence")?.textContent ?? "", [...screen.querySelectorAll(".finding strong")].map(({ textContent }) => textContent.trim().slice(2))]`;

type Seen = readonly [word: string, sentence: string, found: readonly string[]];

/** Every way in which `trace/tamper.test.ts` changes a bundle that is not about its signers. */
function tampered(honest: Bundle): Bundle[] {
  const [first, second, third] = honest.entries as [BundleEntry, BundleEntry, BundleEntry];
  const last = honest.entries.at(-1) as BundleEntry;
  const flipped = second.hashes.map((hash, i) =>
    i === 0 ? asHash(Uint8Array.from(hash, (byte) => byte ^ 1)) : hash,
  );
  return [
    ...honest.entries.slice(1).map((gone) => ({
      ...honest,
      entries: honest.entries.filter(({ index }) => index !== gone.index),
      links: honest.links.filter(({ from, to }) => from !== gone.index && to !== gone.index),
    })),
    { ...honest, closure: null },
    { ...honest, entries: honest.entries.map((entry) => ({ ...entry, receivedAt: null })) },
    { ...honest, entries: [...honest.entries, last] },
    { ...honest, entries: [first, third, second, ...honest.entries.slice(3)] },
    { ...honest, entries: [first, { ...second, stored: third.stored }, ...honest.entries.slice(2)] },
    { ...honest, entries: [first, { ...second, hashes: flipped }, ...honest.entries.slice(2)] },
    { ...honest, links: honest.links.slice(1) },
    { ...honest, checkpoint: "" },
    { ...honest, checkpoint: honest.checkpoint.replace(`\n${honest.asOf}\n`, `\n${honest.asOf - 1}\n`) },
    { ...honest, log: "log.example/other" },
  ];
}

function told(file: Uint8Array): Seen {
  try {
    const verdict = evaluate(parseBundleFile(file), policyOfKey(logKey), { at: Date.now() });
    const found = verdict.findings.filter(({ outcome }) => !["PASS", "NOT_APPLICABLE"].includes(outcome));
    return [verdict.verdict, verdict.sentence, found.map(({ outcome, code }) => `${outcome} ${code}`)];
  } catch {
    return ["refused", "", []];
  }
}

test("whatever a bundle says, or was made to say, the page says what the command says, or believes nothing of it", {
  skip: skipWithoutBrowser,
}, async () => {
  const played = await play(wireTransfer);
  const cases: { readonly title: string; readonly id: string; readonly file: Uint8Array }[] = [];
  const twists = TWISTS.filter(({ refused }, i) => refused === undefined && i % EVERY === 0);
  for (const [i, { story, title }] of twists.entries()) {
    const twisted = await play(story, played, `twist-${i}`, () => true);
    const bundle = await bundleOf(twisted, story.subject);
    cases.push({ title, id: bundle.subject, file: bundleBytes(bundle) });
  }
  const honest = await bundleOf(played, "receipt");
  for (const [i, bundle] of [honest, ...tampered(honest)].entries())
    cases.push({ title: `changed ${i}`, id: honest.subject, file: bundleBytes(bundle) });

  const explorer = await readFile(join(PROJECT, "dist/src/page/explorer.js"), "utf8");
  const service = { key: logKey, url: () => "http://log.example", now: () => START };
  const app = createApp(played.log, { verifierKeys: [logKey], version: "test", explorer, service });
  let shown = 0;
  const { url } = await between(app, (path) =>
    path.startsWith("/v1/traces/")
      ? new Response(cases[shown++]?.file as Uint8Array<ArrayBuffer>)
      : undefined,
  );
  const hashes = cases.map(({ id }, i) => `#/trace/${id}?n=${i}`);
  const step = `(() => {
    const screen = document.getElementById("screen");
    const [seen, hashes] = [(globalThis.seen ??= []), ${JSON.stringify(hashes)}];
    if (seen.length === hashes.length) return true;
    if (!screen.querySelector(".word, [role=alert]")) return false;
    seen.push(${SEEN});
    screen.replaceChildren();
    if (seen.length < hashes.length) location.hash = hashes[seen.length];
    else screen.textContent = JSON.stringify(seen);
    return false;
  })()`;
  const dom = await domOf(`${url}/${hashes[0]}`, step);
  const [, text = "[]"] = /<main id="screen"[^>]*>(.*?)<\/main>/s.exec(dom) ?? [];
  const seen = JSON.parse(
    text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
  ) as Seen[];
  assert.equal(seen.length, cases.length, "each was shown");
  const words = new Set<string>();
  for (const [i, { title, file }] of cases.entries()) {
    const [word, sentence, found] = told(file);
    words.add(word);
    const [pageWord, pageSentence, pageFound] = seen[i] ?? ["", "", []];
    // What is not of this log, or not what was asked for, the page does not even show.
    if (pageWord === "refused" && ["NOT_VERIFIED", "refused"].includes(word)) continue;
    assert.deepEqual(
      [pageWord, pageSentence, pageFound.toSorted()],
      [word, sentence, found.toSorted()],
      title,
    );
  }
  assert.deepEqual(
    [...words].toSorted().filter((word) => word !== "refused"),
    ["AUTHORIZED", "NOT_ESTABLISHED", "NOT_VERIFIED", "VIOLATION"],
    "stories of each kind were among them",
  );
  await played.log.close();
});
