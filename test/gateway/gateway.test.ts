/** The gateway against real logs on real sockets: it lets through what holds, once, and nothing when in doubt. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Stage, Story } from "../../src/demo/stage.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { type Bounds, Gateway, type ProposedAction } from "../../src/gateway/index.js";
import { utf8 } from "../../src/format/bytes.js";
import { recordIdOf } from "../../src/record/record.js";
import { sentEvents, until } from "../support/events.js";
import { granted, put, revoke } from "../support/grants.js";
import { dsse, keyOf, keyRecord, newStore, openLog, record, registrar, signerOf } from "../support/log.js";
import {
  aborted,
  closers,
  gatewayTo,
  permittedAction,
  refusal,
  serve,
  stand,
  wall,
} from "../support/gateway.js";
import { bundleOf, judge, play, START, stageOf } from "../support/story.js";

const CALL = `sha256:${"c".repeat(64)}`;
const DONE = {
  outcome: "executed",
  postcondition_hashes: { tables_gone: `sha256:${"9".repeat(64)}` },
} as const;

test("a grant lets one action through; its trace, with the receipt, is AUTHORIZED; a second use is refused", async () => {
  const one = await stand();
  const { stage, log } = one;
  const gateway = await gatewayTo(one, { budget: { "*": { consumption: 0.0001, receipt: 60_000 } } });
  await gateway.ready();
  const grant = stage.id("child-grant");
  const permit = await gateway.authorize(grant, permittedAction(stage), CALL);
  assert.equal(permit.grant.tier, 2);
  assert.equal(permit.signal.aborted, false);
  const { receipt, delivered } = await gateway.record(permit, DONE);
  const { index } = await delivered;
  const bundle = await bundleOf({ log, stage }, "child-grant");
  assert.ok(
    bundle.entries.some((entry) => entry.index === index),
    receipt.id,
  );
  assert.equal(judge(bundle, wall()).verdict, "AUTHORIZED");
  assert.equal(await refusal(gateway.authorize(grant, permittedAction(stage), CALL)), "GRANT_USED");
  assert.equal(await gateway.pending(), 0);

  const stages = new Map(gateway.budget.report().map((one_) => [one_.stage, one_]));
  assert.deepEqual([...stages.keys()].toSorted(), [
    "consumption",
    "decision",
    "grant",
    "proposal",
    "receipt",
  ]);
  assert.deepEqual([stages.get("consumption")?.count, stages.get("consumption")?.over], [1, 1]);
  assert.equal(stages.get("receipt")?.over, 0);
  const text = await gateway.budget.metrics();
  assert.match(text, /writ_boundary_seconds_count\{action_type="db\.drop",stage="consumption"\} 1/);
  assert.match(text, /writ_boundary_over_budget_total\{action_type="db\.drop",stage="consumption"\} 1/);
  assert.match(text, /writ_boundary_budget_seconds\{action_type="\*",stage="receipt"\} 60/);
});

test("another action, another executor, no grant, a chain that does not hold: refused, and nothing is consumed", async () => {
  const one = await stand({
    ...granted,
    // The policy that the decision rests on was never logged.
    steps: granted.steps.filter(({ name }) => name !== "policy"),
  });
  const whole = await stand();
  const { stage } = whole;
  const grant = stage.id("child-grant");
  const gateway = await gatewayTo(whole);
  await gateway.ready();
  const action = permittedAction(stage);
  const size = whole.log.published.size;
  const tried = (other: Partial<ProposedAction>): Promise<string> =>
    refusal(gateway.authorize(grant, { ...action, ...other }, CALL));
  assert.equal(await tried({ action_type: "db.truncate" }), "ACTION_OUTSIDE");
  assert.equal(await tried({ target: { ...action.target, environment: "production" } }), "ACTION_OUTSIDE");
  assert.equal(await tried({ target: {} }), "ACTION_OUTSIDE");
  assert.equal(await refusal(gateway.authorize(stage.id("request"), action, CALL)), "GRANT_UNKNOWN");
  assert.equal(await refusal(gateway.authorize(`sha256:${"0".repeat(64)}`, action, CALL)), "GRANT_UNKNOWN");
  const other = await gatewayTo(whole, { executor: "executor://acme/other" });
  await other.ready();
  assert.equal(await refusal(other.authorize(grant, action, CALL)), "GRANT_MISMATCH");
  assert.equal(whole.log.published.size, size);

  const doubtful = await gatewayTo(one);
  await doubtful.ready();
  assert.equal(
    await refusal(doubtful.authorize(one.stage.id("child-grant"), permittedAction(one.stage), CALL)),
    "GRANT_UNJUSTIFIED",
  );
});

test("a grant that is taken back while it is used stops whoever uses it: itself, one above it, or the key behind it", async () => {
  const ways: ((stage: Stage) => Parameters<typeof put>[1])[] = [
    (stage) => revoke(stage, stage.ref("capability-grant", "child-grant")),
    (stage) => revoke(stage, stage.ref("capability-grant", "child-grant"), "suspend"),
    (stage) => revoke(stage, stage.ref("capability-grant", "grant")),
    (stage) => revoke(stage, stage.ref("capability-grant", "grant"), "revoke", { cascade: true }),
    (stage) =>
      dsse(
        utf8(
          JSON.stringify({
            type: "revocation",
            v: 1,
            issuer: "log.example/test/registrar",
            issued_at: stage.time(1),
            target: recordIdOf(stage.registration("authority")),
            action: "revoke",
            reason: "stolen",
            effective_index: 2,
          }),
        ),
        registrar,
      ),
  ];
  for (const way of ways) {
    const one = await stand();
    const { stage, log } = one;
    const gateway = await gatewayTo(one);
    await gateway.ready();
    const permit = await gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL);
    const stopped = aborted(permit.signal);
    await put(log, way(stage));
    assert.equal(await stopped, "GRANT_REVOKED");
    await gateway.close();
  }
});

test("a revocation by somebody who may not stops nobody, and neither does that of another grant", async () => {
  const one = await stand();
  const { stage, log } = one;
  const gateway = await gatewayTo(one);
  await gateway.ready();
  const permit = await gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL);
  const mallory = signerOf(keyOf("authority://mallory", 77));
  await put(log, dsse(record(keyRecord(mallory, ["authority"], ["authority://mallory"])), registrar));
  await put(
    log,
    revoke(stage, stage.ref("capability-grant", "child-grant"), "revoke", {}, mallory, "authority://mallory"),
  );
  const { size } = log.published;
  const events = sentEvents(await fetch(`${one.url}/v1/events?from=${size - 1}`));
  // Twice a heartbeat over all of it: the gateway has had it at least once.
  for (let beats = 0; beats < 2; beats++)
    await until(events, ({ name, data }) => name === "checkpoint" && data["size"] === size);
  assert.equal(permit.signal.aborted, false);
});

test("what was revoked before is refused by the log itself, with its reason", async () => {
  const one = await stand();
  const { stage, log } = one;
  const gateway = await gatewayTo(one);
  await gateway.ready();
  await put(log, revoke(stage, stage.ref("capability-grant", "grant"), "suspend"));
  const action = permittedAction(stage);
  assert.equal(await refusal(gateway.authorize(stage.id("child-grant"), action, CALL)), "GRANT_SUSPENDED");
  await put(log, revoke(stage, stage.ref("capability-grant", "grant"), "resume"));
  const permit = await gateway.authorize(stage.id("child-grant"), action, CALL);
  assert.ok(permit.consumption !== null);
});

test("revocation and use at the same moment: one order, the log's, and both sides are told the same", async () => {
  const one = await stand();
  const { stage, log } = one;
  const gateway = await gatewayTo(one);
  await gateway.ready();
  const [permit, [revokedAt = 0]] = await Promise.all([
    gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL).catch((error: unknown) => error),
    put(log, revoke(stage, stage.ref("capability-grant", "child-grant"))),
  ]);
  if (permit instanceof Error) {
    assert.equal((permit as Error & { code?: string }).code, "GRANT_REVOKED");
  } else {
    const { consumption, signal } = permit as Awaited<ReturnType<Gateway["authorize"]>>;
    assert.ok(consumption !== null && consumption.index < revokedAt);
    assert.equal(await aborted(signal), "GRANT_REVOKED");
  }
});

const QUICK: Partial<Bounds> = { silenceMs: 1_500, checkpointMs: 3_000, patienceMs: 1_000 };

test("without the log nobody acts, receipts wait on disk, over a restart too; when it is back everything goes on by itself", async () => {
  const one = await stand();
  const { stage, log, store } = one;
  const folder = await mkdtemp(join(tmpdir(), "writ-gateway-"));
  const first = await gatewayTo(one, { folder, bounds: QUICK });
  await first.ready();
  const permit = await first.authorize(stage.id("child-grant"), permittedAction(stage), CALL);
  const { port } = one.server;
  log.release();
  await one.server.close();
  // The action was under way: it is stopped, and what it did is written down all the same.
  assert.equal(await aborted(permit.signal), "GATEWAY_UNSURE");
  assert.equal(
    await refusal(first.authorize(stage.id("grant"), permittedAction(stage), CALL)),
    "GATEWAY_UNSURE",
  );
  const { receipt } = await first.record(permit, { ...DONE, outcome: "partial" });
  assert.equal(await first.pending(), 1);
  await first.close();

  const second = await gatewayTo(one, { folder, bounds: QUICK });
  assert.equal(second.health.live, false);
  const reopened = await openLog(store, { now: wall, verifierThreads: 1 });
  await serve(reopened, port);
  await second.ready();
  while ((await second.pending()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const found = await reopened.read.find({ hash: receipt.id.slice("sha256:".length) });
  assert.equal(found.length, 1);
  assert.deepEqual(await readdir(join(folder, "outbox")), ["refused"]);
  await reopened.close();
});

test("a log that shows another history is not believed, and nothing is until it shows the first again", async () => {
  const one = await stand();
  const { stage, log, store } = one;
  const gateway = await gatewayTo(one, { bounds: QUICK });
  await gateway.ready();
  const { port } = one.server;
  log.release();
  await one.server.close();
  // Signed by the same key, with other entries behind.
  const other = await newStore();
  const forked = await openLog(other, { now: wall });
  const story = { ...granted, steps: granted.steps.filter(({ name }) => name !== "policy") };
  await play(story, { store: other, log: forked, stage: stageOf(story) });
  for (let n = 0; forked.published.size <= log.published.size; n++)
    await put(forked, revoke(stage, stage.ref("capability-grant", "grant"), "suspend", { n }));
  const evil = await serve(forked, port);
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { health } = gateway;
    if (!health.live && health.reason === "CHECKPOINT_INVALID") break;
    assert.ok(performance.now() < deadline, JSON.stringify(health));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(
    await refusal(gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL)),
    "GATEWAY_UNSURE",
  );
  forked.release();
  await evil.close();
  const reopened = await openLog(store, { now: wall });
  await serve(reopened, port);
  await gateway.ready();
  const permit = await gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL);
  assert.ok(permit.consumption !== null);
});

test("risk tier 0 waits for nothing: its use is put on its way, and a refusal of it is told", async () => {
  const story: Story = {
    ...granted,
    steps: granted.steps.map((step) =>
      step.name === "drop-type" ? { ...step, members: (s) => ({ ...step.members(s), risk_tier: 0 }) } : step,
    ),
  };
  const one = await stand(story);
  const { stage } = one;
  const troubles: string[] = [];
  const gateway = await gatewayTo(one, { onTrouble: (what) => troubles.push(what) });
  await gateway.ready();
  const grant = stage.id("child-grant");
  // At once: neither can know of the other yet.
  const permits = await Promise.all([
    gateway.authorize(grant, permittedAction(stage), CALL),
    gateway.authorize(grant, permittedAction(stage), CALL),
  ]);
  assert.deepEqual(
    permits.map(({ consumption }) => consumption),
    [null, null],
  );
  while ((await gateway.pending()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(troubles.filter((what) => what.startsWith("GRANT_USED")).length, 1, troubles.join());
});

test("a refusal is evidence too", async () => {
  const one = await stand();
  const { stage } = one;
  const gateway = await gatewayTo(one);
  await gateway.ready();
  const { delivered } = await gateway.recordRefusal("db.drop", null, {
    request_hash: stage.ref("action-request", "request"),
    capability_hash: null,
    tool_call_hash: CALL,
  });
  assert.ok((await delivered).index > 0);
});

test("a grant that expires while it is used stops whoever uses it", async () => {
  const began = performance.now();
  const now = (): number => START + performance.now() - began;
  const story: Story = {
    ...granted,
    steps: granted.steps.map((step) =>
      step.name === "child-grant"
        ? { ...step, members: (s) => ({ ...step.members(s), expiry: s.time(3) }) }
        : step,
    ),
  };
  const one = await stand(story, now);
  const gateway = await gatewayTo(one, { clocks: { wall: now, steady: () => performance.now() } });
  await gateway.ready();
  const permit = await gateway.authorize(one.stage.id("child-grant"), permittedAction(one.stage), CALL);
  assert.equal(await aborted(permit.signal), "GRANT_EXPIRED");
});

test("a file in the outbox that is no statement is put aside, and keeps nothing else", async () => {
  const one = await stand();
  const { stage } = one;
  const folder = await mkdtemp(join(tmpdir(), "writ-gateway-"));
  await mkdir(join(folder, "outbox"), { recursive: true });
  await writeFile(join(folder, "outbox", "000-damaged.dsse"), "{");
  await writeFile(join(folder, "outbox", "half.dsse.new"), "{");
  const troubles: string[] = [];
  const gateway = await gatewayTo(one, { folder, onTrouble: (what) => troubles.push(what) });
  await gateway.ready();
  const { delivered } = await gateway.recordRefusal("db.drop", null, {
    request_hash: stage.ref("action-request", "request"),
    capability_hash: null,
    tool_call_hash: CALL,
  });
  await delivered;
  assert.deepEqual(await readdir(join(folder, "outbox")), ["refused"]);
  assert.deepEqual(await readdir(join(folder, "outbox", "refused")), ["000-damaged.dsse"]);
  assert.match(troubles.join(), /ENVELOPE_MALFORMED: the log refused 000-damaged/);
});

function changed(name: string, members: object, base: Story = granted): Story {
  return {
    ...base,
    steps: base.steps.map((step) =>
      step.name === name ? { ...step, members: (s) => ({ ...step.members(s), ...members }) } : step,
    ),
  };
}

function withheld(name: string, base: Story): Story {
  return {
    ...base,
    steps: base.steps.map((step) => (step.name === name ? { ...step, withheld: true } : step)),
  };
}

const tierZero = changed("drop-type", { risk_tier: 0 });

test("risk tier 0 waits for nothing, and is asked everything: used, taken back, expired, denied, too early, without a parent", async () => {
  const tries: readonly (readonly [Story, string])[] = [
    [changed("child-grant", { expiry: new Date(START - 1000).toISOString() }, tierZero), "GRANT_EXPIRED"],
    [changed("grant", { expiry: new Date(START - 1000).toISOString() }, tierZero), "GRANT_EXPIRED"],
    [
      changed("child-grant", { not_before: new Date(START + 400_000).toISOString() }, tierZero),
      "GRANT_NOT_YET_VALID",
    ],
    [changed("decision", { decision: "deny" }, tierZero), "GRANT_UNJUSTIFIED"],
    [withheld("grant", tierZero), "GRANT_UNJUSTIFIED"],
    [changed("child-grant", { max_uses: 1 }, tierZero), "allowed"],
  ];
  for (const [story, want] of tries) {
    const one = await stand(story);
    const gateway = await gatewayTo(one);
    await gateway.ready();
    const action = permittedAction(one.stage);
    const ask = (): Promise<string> => refusal(gateway.authorize(one.stage.id("child-grant"), action, CALL));
    assert.equal(await ask(), want);
    if (want !== "allowed") continue;
    assert.ok(await gateway.drained(10_000));
    assert.equal(await ask(), "GRANT_USED", "once its use is logged");
    await put(one.log, revoke(one.stage, one.stage.ref("capability-grant", "grant")));
    assert.equal(await ask(), "GRANT_REVOKED", "a revocation that was there before anybody asked");
    await gateway.close();
  }
});

test("two uses in one millisecond are two uses, by two gateways of one executor", async () => {
  const one = await stand();
  const { stage } = one;
  const still = START + Math.floor(performance.now());
  const clocks = { wall: () => still, steady: () => performance.now() };
  const bounds = { skewMs: 600_000, jumpMs: 600_000 };
  const gateways = [await gatewayTo(one, { clocks, bounds }), await gatewayTo(one, { clocks, bounds })];
  for (const gateway of gateways) await gateway.ready();
  const answers = await Promise.all(
    [...gateways, ...gateways].map((gateway) =>
      refusal(gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL)),
    ),
  );
  assert.deepEqual(answers.toSorted(), ["GRANT_USED", "GRANT_USED", "GRANT_USED", "allowed"]);
});

test("the request's risk tier is not the grant's, and tier 3 waits for witnesses or is refused", async () => {
  // Asked for as harmless, granted as something that nobody has registered.
  const spoofed = changed(
    "child-grant",
    {
      permitted_action: {
        action_type: "wire.transfer",
        target: { vendor: "evil" },
        constraints: { amount_max: "1.00 USD" },
      },
      parent_capability_hash: undefined,
    },
    tierZero,
  );
  const one = await stand(spoofed);
  const gateway = await gatewayTo(one);
  await gateway.ready();
  const wire = { action_type: "wire.transfer", target: { vendor: "evil" } };
  assert.equal(
    await refusal(gateway.authorize(one.stage.id("child-grant"), wire, CALL)),
    "GRANT_UNJUSTIFIED",
  );

  const steps = wireTransfer.steps.filter(({ name }) => !["consumption", "receipt", "seal"].includes(name));
  const high = await stand({ ...wireTransfer, steps });
  const { permitted_action: permitted } = high.stage.value("grant") as unknown as {
    permitted_action: ProposedAction;
  };
  const { action_type, target, parameters = {} } = permitted;
  const { tool_digest } = high.stage.value("grant") as { tool_digest: string };
  const transfer = { action_type, target, parameters, tool_digest };
  const strict = await gatewayTo(high);
  await strict.ready();
  const asked = strict.authorize(high.stage.id("grant"), transfer, CALL);
  await assert.rejects(asked, { code: "GATEWAY_UNSURE", message: /QUORUM_MISSING/ });
  const lenient = await gatewayTo(high, { withoutWitnesses: true });
  await lenient.ready();
  const permit = await lenient.authorize(high.stage.id("grant"), transfer, CALL);
  assert.equal(permit.grant.tier, 3);
});

test("a parameter that nobody granted or asked for is outside; what was judged is what is recorded", async () => {
  const one = await stand();
  const { stage, log } = one;
  const gateway = await gatewayTo(one);
  await gateway.ready();
  const action = structuredClone(permittedAction(stage)) as {
    target: Record<string, unknown>;
  } & ProposedAction;
  const tried = gateway.authorize(
    stage.id("child-grant"),
    { ...action, parameters: { sql: "drop table x" } },
    CALL,
  );
  assert.equal(await refusal(tried), "ACTION_OUTSIDE");
  const permit = await gateway.authorize(stage.id("child-grant"), action, CALL);
  action.target["tables"] = ["customers"];
  const { delivered } = await gateway.record(permit, DONE);
  await delivered;
  assert.equal(judge(await bundleOf({ log, stage }, "child-grant"), wall()).verdict, "AUTHORIZED");
});

/** Somebody between the gateway and the log, who may answer in its place. */
interface Middleman {
  url: string;
  lie: (path: string) => Response | null;
  /** How often the events were asked for. */
  streams: number;
  /** Ends what is under way: whoever was connected comes again. */
  cut: () => void;
}

async function middleman(url: string): Promise<Middleman> {
  const self: Middleman = { url: "", lie: () => null, streams: 0, cut: () => server.closeAllConnections() };
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? "/";
    if (path.startsWith("/v1/events")) self.streams++;
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const truth = (): Promise<Response> =>
        fetch(url + path, {
          method: incoming.method ?? "GET",
          headers: incoming.headers as Record<string, string>,
          ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
        });
      const response = self.lie(path) ?? (await truth());
      outgoing.writeHead(response.status, { "content-type": response.headers.get("content-type") ?? "" });
      for await (const chunk of response.body ?? []) {
        if (outgoing.destroyed) break;
        outgoing.write(chunk);
      }
      outgoing.end();
    })().catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  self.url = `http://127.0.0.1:${port}`;
  closers.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return self;
}

function stream(lines: readonly string[], everyMs: number): Response {
  let timer: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let n = 0;
      const next = (): void => controller.enqueue(utf8(lines[Math.min(n++, lines.length - 1)] ?? ""));
      next();
      timer = setInterval(next, everyMs);
    },
    cancel: () => clearInterval(timer),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** Somebody new has asked for the events, and has given up on what they got. */
async function givesUp(between: Middleman, before: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (between.streams < before + 2) {
    assert.ok(performance.now() < deadline, "still listening");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function becomes(gateway: Gateway, reason: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { health } = gateway;
    if (health.live ? reason === "live" : health.reason === reason) return;
    assert.ok(performance.now() < deadline, `${JSON.stringify(health)}, want ${reason}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("old heartbeats again, a stream that stalls, one with lies in it: doubt, and the way back by itself", async () => {
  const one = await stand();
  const { stage, log } = one;
  const between = await middleman(one.url);
  const gateway = await gatewayTo({ url: between.url, stage }, { bounds: { ...QUICK, checkpointMs: 1_500 } });
  await gateway.ready();
  const beat = (time: number): string =>
    `id: ${old.size - 1}\nevent: checkpoint\ndata: ${JSON.stringify({ size: old.size, log_checkpoint: old.text, witnessed_checkpoint: null, time: new Date(time).toISOString() })}\n\n`;
  const old = log.published;
  // The same heartbeat for ever, while the log goes on: its own answers tell on it.
  between.lie = (path) =>
    path.startsWith("/v1/events")
      ? stream(
          Array.from({ length: 200 }, (_, n) => beat(wall() + n * 100)),
          100,
        )
      : null;
  between.cut();
  await put(log, revoke(stage, stage.ref("capability-grant", "grant"), "suspend"));
  const asked = gateway.authorize(stage.id("child-grant"), permittedAction(stage), CALL);
  assert.notEqual(await refusal(asked), "allowed");
  await becomes(gateway, "CHECKPOINT_STALE");
  between.lie = () => null;
  await becomes(gateway, "live");
  // Bytes, and no events.
  between.lie = (path) => (path.startsWith("/v1/events") ? stream([": nothing\n\n"], 50) : null);
  await gateway.close();
  const before = between.streams;
  const second = await gatewayTo({ url: between.url, stage }, { bounds: QUICK });
  await givesUp(between, before);
  assert.equal(second.health.live, false);
  between.lie = () => null;
  await becomes(second, "live");
  // A number that no checkpoint covers, and a checkpoint without what makes it one.
  const lies = [
    "id: 9007199254740000\nevent: checkpoint\ndata: {}\n\n",
    `id: 77\nevent: revocation\ndata: {"entry":{"index":77},"changes":[]}\n\n`,
  ];
  for (const lie of lies) {
    between.lie = (path) => (path.startsWith("/v1/events") ? stream([lie], 50) : null);
    const seen = between.streams;
    const third = await gatewayTo({ url: between.url, stage }, { bounds: QUICK });
    await givesUp(between, seen);
    assert.equal(third.health.live, false);
    between.lie = () => null;
    await becomes(third, "live");
    await third.close();
  }
});

test("another grant's trace in the place of the one that was asked for is not taken", async () => {
  const one = await stand();
  const { stage } = one;
  const between = await middleman(one.url);
  const gateway = await gatewayTo({ url: between.url, stage });
  await gateway.ready();
  const [asked, other] = [stage.id("child-grant"), stage.id("grant")];
  const bundle = await (await fetch(`${one.url}/v1/traces/${other}`)).text();
  between.lie = (path) =>
    path.startsWith(`/v1/traces/${encodeURIComponent(asked)}`) || path.startsWith(`/v1/traces/${asked}`)
      ? new Response(bundle, { headers: { "content-type": "application/json" } })
      : null;
  assert.equal(await refusal(gateway.authorize(asked, permittedAction(stage), CALL)), "GATEWAY_UNSURE");
});

test("whoever is told of trouble and throws ends nothing; what the log can never take is refused before it is called safe", async () => {
  const one = await stand();
  const { stage } = one;
  const gateway = await gatewayTo(one, {
    onTrouble: () => {
      throw new Error("my logger broke");
    },
  });
  await gateway.ready();
  const request = stage.ref("action-request", "request");
  const huge = gateway.recordRefusal("db.drop", null, {
    request_hash: request,
    capability_hash: null,
    tool_call_hash: "x".repeat(70_000),
  });
  assert.equal(await refusal(huge), "ENTRY_TOO_LARGE");
  const { port } = one.server;
  one.log.release();
  await one.server.close();
  const { delivered } = await gateway.recordRefusal("db.drop", null, {
    request_hash: request,
    capability_hash: null,
    tool_call_hash: CALL,
  });
  const reopened = await openLog(one.store, { now: wall });
  await serve(reopened, port);
  assert.ok((await delivered).index > 0);
});
