/** An approval given in the page: shown, signed with a key that never leaves the browser, and good for AUTHORIZED. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { parseVerifierKey } from "../../src/format/vkey.js";
import { isPlaced } from "../../src/log/log.js";
import { publicKey, toJwk } from "../../src/statement/key.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import { isJsonObject, parseJson } from "../../src/statement/json.js";
import { fromUtf8, utf8 } from "../../src/format/bytes.js";
import { bundleBytes } from "../../src/trace/bundle.js";
import { domOf, skipWithoutBrowser } from "../support/browser.js";
import { dsse, logKey, newStore, openLog, registrar } from "../support/log.js";
import { PROJECT } from "../support/process.js";
import { between } from "../support/servers.js";
import { bundleOf, judge, play, stageOf, START } from "../support/story.js";

test("a request that the log cannot prove is not shown to anybody as one: no answer is asked for", {
  skip: skipWithoutBrowser,
}, async () => {
  const played = await play(wireTransfer);
  const honest = await bundleOf(played, "request");
  const at = honest.entries.findIndex(({ index }) => index === played.stage.index("request"));
  const forged = JSON.parse(fromUtf8(honest.entries[at]?.stored ?? new Uint8Array(0)) ?? "") as {
    signatures: { sig: string }[];
  };
  for (const signature of forged.signatures) signature.sig = `AAAA${signature.sig.slice(4)}`;
  const entries = honest.entries.map((entry, i) =>
    i === at ? { ...entry, stored: utf8(JSON.stringify(forged)) } : entry,
  );
  const explorer = await readFile(join(PROJECT, "dist/src/page/explorer.js"), "utf8");
  const app = createApp(played.log, { verifierKeys: [logKey], version: "test", explorer });
  const lie = bundleBytes({ ...honest, closure: null, entries }) as Uint8Array<ArrayBuffer>;
  const { url } = await between(app, (path) =>
    path.startsWith("/v1/traces/") ? new Response(lie) : undefined,
  );
  const dom = await domOf(
    `${url}/#/approve/${played.stage.id("request")}`,
    `document.querySelector("[role=alert], #asked")`,
  );
  const [, screen = ""] = /<main id="screen"[^>]*>(.*)<\/main>/s.exec(dom) ?? [];
  assert.match(screen, /✗ .*Nothing of it was believed/);
  assert.doesNotMatch(screen, /id="approve"|✓/);
  await played.log.close();
});

test("a person approves in the page, and the trace is AUTHORIZED by it; what leaves the page is the signed record", {
  skip: skipWithoutBrowser,
}, async () => {
  const clock = { now: 0 };
  const store = await newStore();
  const log = await openLog(store, { now: () => clock.now });
  const stage = stageOf(wireTransfer);
  const put = async (submission: ReturnType<typeof dsse>): Promise<number> => {
    const [result] = (await log.submit([submission])).results;
    if (result instanceof Error) throw result;
    assert.ok(result !== undefined && isPlaced(result));
    return result.index;
  };
  /** The registrar learns of the key that the page shows: another key of the same person. */
  const register = async (vkey: string): Promise<void> => {
    const known = publicKey("Ed25519", parseVerifierKey(vkey).publicKey);
    assert.ok(known !== undefined);
    const before = parseJson(stage.registration("treasury"), "RECORD_MALFORMED");
    assert.ok(isJsonObject(before));
    const record = { ...before, key_id: known.keyId, public_key: toJwk(known) };
    await put(dsse(utf8(canonicalJson(record)), registrar));
  };
  const explorer = await readFile(join(PROJECT, "dist/src/page/explorer.js"), "utf8");
  const service = { key: logKey, url: () => "http://log.example", now: () => clock.now };
  const app = createApp(log, { verifierKeys: [logKey], version: "test", explorer, service });
  const sent: string[] = [];
  const { url } = await between(app, async (path, body) => {
    if (path === "/the-registrar") {
      await register(body.toString());
      return new Response();
    }
    if (body.length > 0) sent.push(body.toString());
    return undefined;
  });

  let shown = "";
  await stage.play(async (bytes, at, step) => {
    clock.now = START + at * 1000;
    if (step?.name !== "treasury-approval") return { index: await put({ bytes, form: "dsse" }) };
    shown = await domOf(`${url}/#/approve/${stage.id("request")}`, personAt(clock.now));
    const [, index] = /✓ Signed, and verified here: it is <a href="#\/entry\/(\d+)"/.exec(shown) ?? [];
    assert.ok(index !== undefined, shown.replaceAll(/<[^>]*>/g, " ").slice(-2000));
    return { index: Number(index) };
  });

  assert.match(shown, /the request, entry \d+, sha256:\S+, as agent:\S+ signed it:/);
  assert.match(shown, /"amount": "41872\.14 USD"/);
  assert.match(shown, /as it stands: /);
  const verdict = judge(await bundleOf({ log, stage }, "receipt"));
  assert.equal(
    verdict.verdict,
    "AUTHORIZED",
    JSON.stringify(verdict.findings.filter(({ outcome }) => outcome !== "PASS")),
  );
  // One thing was sent: the envelope, once, though the button was pressed twice.
  assert.equal(sent.length, 1);
  const envelope = JSON.parse(sent[0] ?? "") as object;
  assert.deepEqual(Object.keys(envelope).toSorted(), ["payload", "payloadType", "signatures"]);
  await log.close();
});

/** A person, as an expression that is asked again until it is done: makes a key, has it registered, answers, twice. */
function personAt(now: number): string {
  return `(() => {
    Date.now = () => ${now};
    const at = (id) => document.getElementById(id);
    if (at("name") && !globalThis.made) {
      globalThis.made = true;
      at("name").value = "user://acme/treasurer";
      at("name").form.requestSubmit();
      return false;
    }
    if (at("vkey") && globalThis.known === undefined) {
      globalThis.known = false;
      fetch("/the-registrar", { method: "POST", body: at("vkey").textContent }).then(() => (globalThis.known = true));
      return false;
    }
    if (globalThis.known === true && !globalThis.pressed) {
      globalThis.pressed = true;
      at("seat").value = "treasury";
      at("approve").click();
      at("approve").click();
      return false;
    }
    return /^[✓✗?] /.test(at("answered")?.textContent ?? "") || document.querySelector("[role=alert]");
  })()`;
}
