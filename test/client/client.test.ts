/** The client against an honest log, and against one that lies. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Hono } from "hono";
import { createApp } from "../../api/app.js";
import { listen } from "../../api/server.js";
import {
  FolderMemory,
  isLogged,
  LogClient,
  ProofError,
  proofFile,
  WritError,
} from "../../src/client/index.js";
import { fsckRemote } from "../../src/client/fsck.js";
import { registeredKeys } from "../../src/client/walk.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import type { Log } from "../../src/log/log.js";
import { trustKey, verifyEntry } from "../../src/verify/index.js";
import {
  AGENT,
  agent,
  cose,
  dsse,
  keyOf,
  logKey,
  logWithAgent,
  newStore,
  openLog,
  record,
  registrar,
  registration,
  request,
  stranger,
} from "../support/log.js";

const vkey = formatVerifierKey(logKey);

async function serve(log: Log): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server = await listen(createApp(log, { verifierKeys: [logKey], version: "test" }), "127.0.0.1", 0);
  return { url: `http://127.0.0.1:${server.port}`, close: () => server.close() };
}

/** A proxy that may change what the log says. */
async function liar(
  url: string,
  change: (path: string, body: string, status: number) => { body: string; status: number },
): Promise<{ url: string; server: Server }> {
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const init =
        incoming.method === "POST"
          ? {
              method: "POST",
              body: Buffer.concat(chunks),
              headers: { "content-type": incoming.headers["content-type"] ?? "" },
            }
          : {};
      const response = await fetch(`${url}${incoming.url}`, init);
      const { body, status } = change(incoming.url ?? "", await response.text(), response.status);
      outgoing.writeHead(status).end(body);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

test("submit, batch, look up: everything comes back verified, with a proof that checks offline", async () => {
  const log = await logWithAgent();
  const { url, close } = await serve(log);
  const client = new LogClient({ url, key: vkey });
  const one = await client.submit(request(1).bytes);
  assert.deepEqual([one.index, one.isNew], [2, true]);
  assert.equal(verifyEntry(request(1).bytes, proofFile(one), trustKey(vkey)).index, 2);
  assert.equal((await client.submit(request(1).bytes)).isNew, false);
  const batch = await client.submitBatch([
    request(1).bytes,
    ...Array.from({ length: 300 }, (_, n) => request(10 + n).bytes),
    dsse(record({}), stranger).bytes,
  ]);
  assert.equal(batch.length, 302);
  for (const [i, entry] of batch.entries()) {
    if (i === 301) {
      assert.ok(!isLogged(entry) && entry.code === "KEY_UNKNOWN");
      continue;
    }
    assert.ok(isLogged(entry));
    verifyEntry(entry.statement, proofFile(entry), trustKey(vkey));
  }
  const binary = await client.submitBatch([cose(record({ n: 5001 })).bytes, cose(record({ n: 5002 })).bytes]);
  assert.ok(binary.every(isLogged));
  const looked = await client.entry(one.recordId ?? "");
  assert.deepEqual([looked.index, looked.entryHash], [2, one.entryHash]);
  assert.equal((await client.entry(one.entryHash)).index, 2);
  await assert.rejects(
    client.entry(9999),
    (error) =>
      error instanceof WritError && error.code === "SERVER_REFUSED" && /ENTRY_NOT_FOUND/.test(error.message),
  );
  await assert.rejects(client.submit(dsse(record({}), stranger).bytes), /KEY_UNKNOWN/);
  assert.equal(formatVerifierKey(await LogClient.announcedKey({ url })), vkey);

  const keys = await registeredKeys(client, () => {});
  assert.deepEqual(
    keys.map(({ keyId, roles, ids }) => [keyId, roles, ids]),
    [
      [registrar.publicKey.keyId, ["registrar"], ["*"]],
      [agent.publicKey.keyId, ["agent"], [AGENT]],
    ],
  );
  assert.deepEqual(await fsckRemote(client, () => {}), { size: log.published.size, faults: [] });
  await client.close();
  await close();
  await log.close();
});

test("an answer that lies is refused, whatever it lies about", async () => {
  const log = await logWithAgent();
  const { url, close } = await serve(log);
  const honest = new LogClient({ url, key: vkey });
  await honest.submit(request(0).bytes);
  const lies: Readonly<Record<string, (body: string) => string>> = {
    "another index": (body) => body.replaceAll('"index":2', '"index":1'),
    "a changed hash": (body) =>
      body.replace(/"hashes":\["(.)/, (_, c) => `"hashes":["${c === "A" ? "B" : "A"}`),
    "a dropped hash": (body) => body.replace(/"hashes":\["[^"]*",?/, '"hashes":['),
    "a changed root": (body) => body.replace(/\\n3\\n(.)/, (_, c) => `\\n3\\n${c === "A" ? "B" : "A"}`),
    "another size": (body) => body.replace("\\n3\\n", "\\n4\\n"),
    "no proof": (body) => body.replace("inclusion_proof", "exclusion_proof"),
    "no JSON": () => "<html>",
    nothing: () => "",
  };
  for (const [what, lie] of Object.entries(lies)) {
    const proxy = await liar(url, (path, body, status) => ({
      body: path.startsWith("/v1/entries") ? lie(body) : body,
      status,
    }));
    const client = new LogClient({ url: proxy.url, key: vkey, patienceMs: 0 });
    await assert.rejects(
      client.submit(request(0).bytes),
      (error) =>
        error instanceof ProofError || (error instanceof WritError && error.code === "SERVER_ANSWER_INVALID"),
      what,
    );
    await client.close();
    proxy.server.close();
  }
  const other = new LogClient({ url, key: formatVerifierKey(keyOf("log.example/other", 1)) });
  await assert.rejects(other.submit(request(0).bytes), ProofError);
  for (const client of [honest, other]) await client.close();
  await close();
  await log.close();
});

test("a log that goes back, or shows another history, is caught by what the client remembers", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-client-"));
  const log = await logWithAgent();
  const honest = await serve(log);
  const client = new LogClient({ url: honest.url, key: vkey, memory: new FolderMemory(folder) });
  for (let n = 0; n < 5; n++) await client.submit(request(n).bytes);
  await client.close();
  await honest.close();

  // The same key over another history: smaller at first, then larger.
  const fork = await openLog(await newStore());
  await fork.submit([registration(agent, ["agent"], [AGENT])]);
  await fork.submit([request(99)]);
  const forked = await serve(fork);
  const again = new LogClient({ url: forked.url, key: vkey, memory: new FolderMemory(folder) });
  await assert.rejects(
    again.checkpoint(),
    (error) => error instanceof ProofError && /cannot show/.test(error.message),
  );
  for (let n = 0; n < 10; n++) await fork.submit([request(1000 + n)]);
  await assert.rejects(again.checkpoint(), ProofError);
  await assert.rejects(again.submit(request(99).bytes), ProofError);
  await again.close();
  await forked.close();
  await fork.close();
  await log.close();
});

test("a submission is retried until the answer is definite: lost connections, 503, 500", async () => {
  const log = await logWithAgent();
  const { url, close } = await serve(log);
  let calls = 0;
  const proxy = await liar(url, (path, body, status) => {
    if (!path.startsWith("/v1/entries")) return { body, status };
    calls++;
    if (calls <= 2) return { body: '{"code":"POOL_FULL","detail":"later"}', status: 503 };
    if (calls === 3) return { body: "oops", status: 500 };
    return { body, status };
  });
  const client = new LogClient({ url: proxy.url, key: vkey, patienceMs: 20_000 });
  const entry = await client.submit(request(1).bytes);
  assert.equal(calls, 4);
  assert.equal(entry.isNew, false, "the first attempt had logged it: no error, the same place");
  proxy.server.close();
  proxy.server.closeAllConnections();
  const impatient = new LogClient({ url: proxy.url, key: vkey, patienceMs: 200 });
  await assert.rejects(
    impatient.checkpoint(),
    (error) => error instanceof WritError && error.code === "SERVER_UNREACHABLE",
  );
  for (const one of [client, impatient]) await one.close();
  await close();
  await log.close();
});

test("a static copy that has grown, or is behind, extends what was seen: its tiles prove it, and a fork in them is found", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-client-"));
  const files = async (log: Log): Promise<{ readonly url: string; readonly close: () => Promise<void> }> => {
    const inner = createApp(log, { verifierKeys: [logKey], version: "test" });
    const app = new Hono();
    app.all("*", (c) => (c.req.path.startsWith("/v1/") ? c.text("Not Found", 404) : inner.fetch(c.req.raw)));
    const server = await listen(app, "127.0.0.1", 0);
    return { url: `http://127.0.0.1:${server.port}`, close: () => server.close() };
  };
  const log = await logWithAgent();
  const copy = await files(log);
  const client = new LogClient({ url: copy.url, key: vkey, memory: new FolderMemory(folder) });
  for (let n = 0; n < 3; n++) {
    await log.submit(Array.from({ length: 200 }, (_, i) => request(1000 * n + i)));
    assert.deepEqual(await fsckRemote(client, () => {}), { size: log.published.size, faults: [] });
  }
  await copy.close();
  await client.close();
  const fork = await openLog(await newStore());
  await fork.submit([registration(agent, ["agent"], [AGENT])]);
  for (let n = 0; n < 4; n++)
    await fork.submit(Array.from({ length: 200 }, (_, i) => request(77_000 + 1000 * n + i)));
  const forked = await files(fork);
  const again = new LogClient({ url: forked.url, key: vkey, memory: new FolderMemory(folder) });
  await assert.rejects(again.checkpoint(), ProofError);
  await again.close();
  await forked.close();
  await fork.close();
  await log.close();
});

test("the trace of a record's second envelope is the record's, by its index and its hash; another's is refused", async () => {
  const log = await logWithAgent();
  const server = await serve(log);
  const client = new LogClient({ url: server.url, key: vkey });
  const bytes = record({ trace_id: "twice" });
  await client.submit(dsse(bytes, agent).bytes);
  const second = await client.submit(cose(bytes).bytes);
  const { subject } = await client.trace(second.index);
  assert.equal(subject, second.recordId);
  assert.equal((await client.trace(second.entryHash)).subject, subject);
  const other = await client.submit(request(5).bytes);
  assert.notEqual((await client.trace(other.index)).subject, subject);
  await client.close();
  await server.close();
  await log.close();
});
