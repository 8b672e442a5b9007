/** The client fetches receipts and believes none of them: against a log that answers with something else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogClient, ProcessMemory } from "../../src/client/index.js";
import { ProofError, WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import { parseReceipt } from "../../src/statement/receipt.js";
import { verifyReceipt } from "../../src/statement/verify-receipt.js";
import { keyOf, logKey } from "../support/log.js";
import { appOf, bytesOf, foreign, ours, post, scittLog } from "../support/scitt.js";
import { between, type EvilServer } from "../support/servers.js";

const statement = foreign(utf8("mine"));

async function stand() {
  const { log, app } = await scittLog();
  await post(app, statement);
  await post(app, foreign(utf8("another")));
  return { log, app };
}

function clientOf({ url }: EvilServer, memory = new ProcessMemory()): LogClient {
  return new LogClient({ url, key: formatVerifierKey(logKey), patienceMs: 0, memory });
}

test("a receipt is fetched, verified, and its root held against the checkpoint that is then remembered", async () => {
  const { log, app } = await stand();
  const memory = new ProcessMemory();
  const client = clientOf(await between(app, () => undefined), memory);
  const receipt = await client.receipt(statement);
  assert.equal(verifyReceipt(statement, receipt, [ours]).size, log.published.size);
  assert.equal(parseReceipt(await client.receipt(statement, { size: 4 })).inclusion[0]?.size, 4);
  assert.ok(await memory.load(formatVerifierKey(logKey)));
  await assert.rejects(
    client.receipt(foreign(utf8("never logged"))),
    (error) =>
      error instanceof WritError &&
      error.code === "SERVER_REFUSED" &&
      error.facts.status === 404 &&
      / 404 Not Found: no statement with this id/.test(error.message),
  );
  await client.close();
  await log.close();
});

test("another statement's receipt, another size, another key's, junk, and one that may not be shown yet", async () => {
  const { log, app } = await stand();
  const id = /\/entries\/.*/;
  const other = await bytesOf(await post(app, foreign(utf8("another"))));
  const older = await bytesOf(await post(app, statement));
  const stranger = appOf(log, { key: keyOf("log.example/other", 99) });
  for (const [answer, expected] of [
    [() => new Response(new Uint8Array(other)), ProofError],
    [() => new Response(new Uint8Array(older)), ProofError],
    [() => new Response("junk"), WritError],
    [(path: string) => stranger.request(path.replace("?size=4", "")), ProofError],
    [() => new Response(null, { status: 204 }), WritError],
  ] as const) {
    const client = clientOf(await between(app, (path) => (id.test(path) ? answer(path) : undefined)));
    await assert.rejects(client.receipt(statement, { size: 4 }), expected);
    await client.close();
  }
  await log.close();
});

test("a receipt under a root that the log's checkpoints do not extend is a fork, and is found", async () => {
  const { log, app } = await stand();
  // The same key signs another history, in which the statement stands too.
  const fork = await scittLog();
  await fork.log.submit([{ bytes: foreign(utf8("another")), form: "cose" }]);
  await fork.log.submit([{ bytes: statement, form: "cose" }]);
  const id = /\/entries\/.*/;
  const client = clientOf(await between(app, (path) => (id.test(path) ? fork.app.request(path) : undefined)));
  await assert.rejects(client.receipt(statement), ProofError);
  await client.close();
  await fork.log.close();
  await log.close();
});
