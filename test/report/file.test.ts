/** The page from a disk, with no log anywhere: what a reader drops on it is judged by the key that he gives. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { createApp } from "../../api/app.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { forkEvidence, formatEvidence } from "../../src/format/evidence.js";
import { signCheckpoint } from "../../src/format/cosignature.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import { explorerPage } from "../../src/report/explorer.js";
import { bundleBytes } from "../../src/trace/bundle.js";
import { asHash } from "../../merkle/index.js";
import { domOf, skipWithoutBrowser } from "../support/browser.js";
import { logKey, ORIGIN } from "../support/log.js";
import { PROJECT, temporaryFolder } from "../support/process.js";
import { bundleOf, play, START } from "../support/story.js";

test("a bundle, evidence, a statement with its proof or its receipt: each is judged, and each is refused when it is changed", {
  skip: skipWithoutBrowser,
}, async () => {
  const played = await play(wireTransfer);
  const service = { key: logKey, url: () => "http://log.example", now: () => START };
  const app = createApp(played.log, { verifierKeys: [logKey], version: "test", service });
  const index = played.stage.index("grant");
  const get = async (path: string, accept = "*/*"): Promise<Uint8Array> => {
    const response = await app.request(path, { headers: { accept } });
    assert.equal(response.status, 200, path);
    return new Uint8Array(await response.arrayBuffer());
  };
  const statement = await played.log.read.statement(index);
  const other = await played.log.read.statement(index - 1);
  const proof = await get(`/v1/entries/${index}/proof`);
  const receipt = await get(`/entries/${createHash("sha256").update(statement).digest("hex")}`);
  const bundle = bundleBytes(await bundleOf(played, "receipt"));
  const note = (fill: number): Uint8Array =>
    signCheckpoint(
      { origin: ORIGIN, size: 5, root: asHash(new Uint8Array(32).fill(fill)), extensions: [] },
      logKey,
    );
  const fork = Buffer.from(formatEvidence(forkEvidence(note(1), note(2))));
  const cases: readonly (readonly [readonly Uint8Array[], RegExp])[] = [
    [[bundle], /AUTHORIZED.*did wire\.transfer/],
    [[bundle.subarray(0, bundle.length - 5)], /✗ /],
    [
      [statement, proof],
      new RegExp(`✓ Proven: it is entry ${index} of log\\.example/test.*capability-grant`),
    ],
    [[proof, statement], /✓ Proven: it is entry/],
    [[other, proof], /✗ the proof is not of this statement/],
    [[proof], /✗ a proof says nothing without the statement/],
    [
      [statement, receipt],
      new RegExp(`✓ Proven: it is in log\\.example/test, by its own count entry ${index}`),
    ],
    [[other, receipt], /✗ Not proven\. receipt 1: ✗/],
    [[statement], /\? A statement, and nothing that proves/],
    [[fork], /✗ Proven: log\.example\/test has signed two histories/],
    [[new TextEncoder().encode("nonsense")], /✗ /],
  ];
  const page = join(await temporaryFolder(), "writ.html");
  const script = await readFile(join(PROJECT, "dist/src/page/explorer.js"), "utf8");
  await writeFile(page, explorerPage(script).html);
  const files = cases.map(([given]) => given.map((bytes) => Buffer.from(bytes).toString("base64")));
  const step = `(() => {
    const [seen, files] = [(globalThis.seen ??= []), ${JSON.stringify(files)}];
    const [input, result] = ["file", "file-result"].map((id) => document.getElementById(id));
    if (seen.length === files.length) return true;
    if (globalThis.given !== seen.length) {
      globalThis.given = seen.length;
      document.getElementById("file-key").value = ${JSON.stringify(formatVerifierKey(logKey))};
      const all = new DataTransfer();
      for (const one of files[seen.length]) all.items.add(new File([Uint8Array.from(atob(one), (char) => char.charCodeAt(0))], "f"));
      input.files = all.files;
      input.dispatchEvent(new Event("change"));
      return false;
    }
    if (result.textContent === "Verifying…") return false;
    seen.push(result.innerText.replaceAll(/\\s+/g, " "));
    if (seen.length === files.length) document.getElementById("screen").textContent = JSON.stringify(seen);
    return false;
  })()`;
  const dom = await domOf(
    pathToFileURL(page).href,
    `document.getElementById("file") ? ${step} : globalThis.seen?.length === ${cases.length}`,
  );
  const [, text = "[]"] = /<main id="screen"[^>]*>(.*?)<\/main>/s.exec(dom) ?? [];
  const seen = JSON.parse(
    text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"),
  ) as string[];
  assert.equal(seen.length, cases.length);
  for (const [i, [, wanted]] of cases.entries()) {
    assert.match(seen[i] ?? "", wanted, String(i));
    if (wanted.source.startsWith("✗")) assert.doesNotMatch(seen[i] ?? "", /✓|AUTHORIZED/, String(i));
  }
  await played.log.close();
});
