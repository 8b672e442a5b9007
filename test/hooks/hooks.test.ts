/** Webhooks of a log: signed, in order, at least once, over restarts, with an end to patience. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HookFolder, type HookConfig } from "../../src/hooks/folder.js";
import { DISABLED_AFTER_MS, Hooks } from "../../src/hooks/hooks.js";
import type { Log } from "../../src/log/log.js";
import { grant, granted, put, revoke } from "../support/grants.js";
import { logWithAgent, request } from "../support/log.js";
import { evilServer, type EvilServer } from "../support/servers.js";
import { play } from "../support/story.js";

interface Setting {
  readonly folder: HookFolder;
  readonly path: string;
  readonly troubles: string[];
  readonly clock: { now: number };
  readonly start: (log: Log) => Promise<Hooks>;
}

async function setting(): Promise<Setting> {
  const path = await mkdtemp(join(tmpdir(), "writ-hooks-"));
  const folder = new HookFolder(path);
  const troubles: string[] = [];
  const clock = { now: Date.now() };
  const start = async (log: Log): Promise<Hooks> => {
    const hooks = new Hooks({
      folder,
      feed: log.feed,
      origin: log.origin,
      raw: false,
      now: () => clock.now,
      onTrouble: (hook, what) => troubles.push(`${hook}: ${what}`),
      firstPauseMs: 1,
    });
    await hooks.start();
    return hooks;
  };
  return { folder, path, troubles, clock, start };
}

const plain = { filter: "all", events: null, allowPrivate: true, from: 0, enabledAt: "2026-05-01T00:00:00Z" };

/** A receiver that answers as `status` says, and tells when it has had so many. */
async function receiver(): Promise<{
  readonly server: EvilServer;
  readonly got: { id: string; index: number; type: string; headers: IncomingHttpHeaders; body: string }[];
  status: (n: number) => number;
  readonly had: (count: number) => Promise<void>;
}> {
  const waiters: (() => void)[] = [];
  let asked = 0;
  const self: Awaited<ReturnType<typeof receiver>> = {
    server: await evilServer((outgoing, incoming, body) => {
      const text = body.toString();
      const status = self.status(asked++);
      if (status === 200) {
        const { type, data } = JSON.parse(text) as { type: string; data: { entry: { index: number } } };
        self.got.push({
          id: String(incoming.headers["webhook-id"]),
          index: data.entry.index,
          type,
          headers: incoming.headers,
          body: text,
        });
      }
      outgoing.writeHead(status).end();
      for (const wake of waiters) wake();
    }),
    got: [],
    status: () => 200,
    had: async (count) => {
      while (self.got.length < count) await new Promise<void>((resolve) => waiters.push(resolve));
    },
  };
  return self;
}

test("every event comes once, in order, signed with the secret that was printed", async () => {
  const { folder, start } = await setting();
  const log = await logWithAgent();
  const { server, got, had } = await receiver();
  const { id, secret } = await folder.add({ ...plain, url: `${server.url}/in` });
  const hooks = await start(log);
  await log.submit(Array.from({ length: 20 }, (_, n) => request(n)));
  await had(22);
  assert.deepEqual(
    got.map(({ index }) => index),
    Array.from({ length: 22 }, (_, i) => i),
  );
  const { headers, body } = got[3] ?? assert.fail("nothing came");
  assert.equal(headers["webhook-id"], `evt_${id.slice("hook_".length)}_3`);
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const signed = [headers["webhook-id"], headers["webhook-timestamp"], body].join(".");
  assert.equal(
    headers["webhook-signature"],
    `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
  );
  await hooks.stop();
  await log.close();
});

test("filters and kinds of events; a hook that was added begins where it says, one that is removed ends", async () => {
  const { folder, start } = await setting();
  const { log, stage } = await play(granted);
  const all = await receiver();
  const some = await receiver();
  const from = log.published.size;
  const gone = await folder.add({ ...plain, url: all.server.url, from });
  await folder.add({
    ...plain,
    url: some.server.url,
    events: "suspension,resumption",
    filter: "type=revocation",
  });
  const hooks = await start(log);
  const one = grant(stage, 1);
  await put(log, one.submission, revoke(stage, one.ref, "suspend"));
  await all.had(2);
  await folder.remove(gone.id);
  await hooks.look();
  await put(log, revoke(stage, one.ref, "resume"), revoke(stage, one.ref));
  await some.had(2);
  assert.deepEqual(
    all.got.map(({ index }) => index),
    [from, from + 1],
  );
  assert.deepEqual(
    some.got.map(({ type }) => type),
    ["suspension", "resumption"],
  );
  await hooks.stop();
  await log.close();
});

test("what fails is sent again until it is taken, before anything after it; a restart goes on where it was", async () => {
  const { folder, start, troubles } = await setting();
  const log = await logWithAgent();
  const target = await receiver();
  target.status = (n) => (n % 3 === 2 ? 200 : n % 3 === 0 ? 500 : 302);
  const hook = await folder.add({ ...plain, url: target.server.url });
  const first = await start(log);
  await target.had(2);
  await first.stop();
  // The second may have been taken without our having heard of it: then it comes again, with its id.
  assert.ok([1, 2].includes((await folder.state(hook)).next));
  await log.submit([request(1), request(2)]);
  const second = await start(log);
  while ((await folder.state(hook)).next < 4) await new Promise((resolve) => setTimeout(resolve, 2));
  await second.stop();
  assert.deepEqual([...new Set(target.got.map(({ index }) => index))], [0, 1, 2, 3]);
  assert.match(troubles[0] ?? "", /answered 500; it is tried again/);
  await log.close();
});

test("a hook that has failed for three days, or is gone, is disabled, visibly, until it is enabled again", async () => {
  const { folder, start, clock, troubles } = await setting();
  const log = await logWithAgent();
  const bad = await receiver();
  bad.status = () => {
    clock.now += DISABLED_AFTER_MS / 4;
    return 503;
  };
  const hook = await folder.add({ ...plain, url: bad.server.url });
  const hooks = await start(log);
  const disabled = async (config: HookConfig): Promise<boolean> =>
    (await folder.state(config)).disabledAt !== null;
  while (!(await disabled(hook))) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.match((await folder.state(hook)).lastError ?? "", /answered 503/);
  assert.ok(troubles.some((what) => what.includes("it is disabled")));
  bad.status = () => 200;
  await folder.enable(hook.id, new Date(clock.now + 1).toISOString());
  await hooks.look();
  await bad.had(2);
  assert.deepEqual(
    bad.got.map(({ index }) => index),
    [0, 1],
    "nothing was left out",
  );
  const gone = await receiver();
  gone.status = () => 410;
  const other = await folder.add({ ...plain, url: gone.server.url });
  await hooks.look();
  while (!(await disabled(other))) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(gone.server.asked.length, 1);
  await hooks.stop();
  await log.close();
});

test("private addresses are refused unless allowed, by name too; a file that is no hook is told, and the others go on", async () => {
  const { folder, path, start, troubles } = await setting();
  const log = await logWithAgent();
  const { server, got, had } = await receiver();
  const forbidden = await folder.add({ ...plain, url: "http://127.0.0.1:9/x", allowPrivate: false });
  const named = await folder.add({
    ...plain,
    url: `http://localhost:${new URL(server.url).port}/`,
    allowPrivate: false,
  });
  await folder.add({ ...plain, url: server.url });
  const hooks = await start(log);
  await had(2);
  assert.equal(got.length, 2);
  while ((await folder.state(named)).failures === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.match((await folder.state(named)).lastError ?? "", /not a public address/);
  assert.ok(troubles.some((what) => what.startsWith(forbidden.id) && what.includes("not a public address")));
  await writeFile(join(path, "hooks", "hook_broken.json"), "{");
  await assert.rejects(hooks.look(), { code: "STATE_CORRUPT" });
  await log.submit([request(9)]);
  await had(3);
  await hooks.stop();
  await log.close();
});
