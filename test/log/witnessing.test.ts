/** The log as a client of witnesses: rounds, quorums, waiting, alarms, and witnesses that misbehave. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Hono } from "hono";
import { createApp } from "../../api/app.js";
import { parseDecimal, utf8 } from "../../src/format/bytes.js";
import { cosign, openCheckpoint, verifySignatures } from "../../src/format/cosignature.js";
import { formatSignatureLine, parseNote } from "../../src/format/note.js";
import { parsePolicy, type Policy } from "../../src/format/policy.js";
import { parseAddCheckpoint } from "../../src/format/proof-request.js";
import {
  ED25519_COSIGNATURE,
  formatVerifierKey,
  ML_DSA_44,
  type SigningKey,
  signingKey,
} from "../../src/format/vkey.js";
import type { Log } from "../../src/log/log.js";
import { type LogOptions } from "../../src/log/open.js";
import { type WitnessRequirement } from "../../src/log/view.js";
import { SECOND_LINE_MS } from "../../src/log/witnessed/second-line.js";
import type { WitnessMemory, WitnessRecord } from "../../src/log/witnessed/witness-memory.js";
import type { WitnessTrouble } from "../../src/log/witnessed/witnessing.js";
import { verifyEntry } from "../../src/verify/index.js";
import { MemoryStore } from "../../src/store/memory.js";
import type { Store } from "../../src/store/contract.js";
import {
  cose,
  dsse,
  logKey,
  newStore,
  ORIGIN,
  openLog,
  record,
  registration,
  registrar,
  agent,
  AGENT,
  request,
} from "../support/log.js";
import { type EvilServer, evilServer, serveApp, urlOf } from "../support/servers.js";
import { appOf as scittAppOf, bytesOf, foreign, ours } from "../support/scitt.js";
import { verifyReceipt } from "../../src/statement/verify-receipt.js";
import { listOf, openWitness, seed } from "../support/witness.js";

const mlDsaKey = signingKey(ORIGIN, seed(91), ML_DSA_44);
const witnessKey = (n: number): SigningKey =>
  signingKey(`witness.example/w${n}`, seed(60 + n), ED25519_COSIGNATURE);

interface Member {
  readonly key: SigningKey;
  readonly url: string;
}

/** A witness of ours for the test log. */
async function honest(n: number): Promise<Member & { readonly app: Hono }> {
  const key = witnessKey(n);
  const { app } = await openWitness(listOf(logKey), { keys: [key] });
  return { key, app, url: urlOf(await serveApp(app)) };
}

/** A server in the place of witness `n`. */
async function evil(
  n: number,
  answer: EvilServer["answer"],
): Promise<Member & { readonly server: EvilServer }> {
  const server = await evilServer(answer);
  return { key: witnessKey(n), url: server.url, server };
}

/** What an honest witness that keeps no state would answer. */
function cosigning(key: SigningKey): EvilServer["answer"] {
  return (outgoing, _, body) => {
    const { text } = parseNote(parseAddCheckpoint(body).checkpoint);
    outgoing.end(formatSignatureLine(cosign(text, key, 1_700_000_000n)));
  };
}

function policyOf(quorum: string | number, ...members: readonly Member[]): Policy {
  const lines = members.map(({ key, url }, i) => `witness W${i} ${formatVerifierKey(key)} ${url}\n`).join("");
  const names = members.map((_, i) => `W${i}`).join(" ");
  const group = quorum === "none" ? "quorum none\n" : `group G ${quorum} ${names}\nquorum G\n`;
  return parsePolicy(utf8(`log ${formatVerifierKey(logKey)}\n${lines}${group}`));
}

interface Watched {
  readonly log: Log;
  readonly app: Hono;
  readonly policy: Policy;
  readonly troubles: WitnessTrouble[];
}

async function watched(
  policy: Policy,
  {
    requirement = null,
    memory,
    store,
    renewMs,
    ...options
  }: {
    requirement?: WitnessRequirement;
    memory?: WitnessMemory;
    store?: Store;
    renewMs?: number;
  } & Partial<LogOptions> = {},
): Promise<Watched> {
  const troubles: WitnessTrouble[] = [];
  const log = await openLog(store ?? (await newStore()), {
    witnessing: {
      policy,
      mlDsaKey,
      requirement,
      timeoutMs: 300,
      onTrouble: (trouble) => troubles.push(trouble),
      ...(memory === undefined ? {} : { memory }),
      ...(renewMs === undefined ? {} : { renewMs }),
    },
    ...options,
  });
  return {
    log,
    app: createApp(log, { verifierKeys: [logKey, mlDsaKey], version: "test" }),
    policy,
    troubles,
  };
}

/** Resolves when it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

async function post(
  app: Hono,
  path: string,
  body: Uint8Array | string,
  type = "application/json",
): Promise<Response> {
  return app.request(path, {
    method: "POST",
    body,
    headers: { "content-length": String(Buffer.byteLength(body)), "content-type": type },
  });
}

type Body = Record<string, unknown>;
const json = async (response: Response): Promise<Body> => (await response.json()) as Body;
const register = (): ReturnType<typeof registration> => registration(agent, ["agent"], [AGENT]);

function remembering(): WitnessMemory & { record: WitnessRecord } {
  const memory = {
    record: { witnesses: [], witnessed: null } as WitnessRecord,
    load: async () => memory.record,
    keep: async (kept: WitnessRecord) => {
      memory.record = kept;
      return true;
    },
    settled: async () => {},
  };
  return memory;
}

test("POST ?wait=witnessed: a proof under a checkpoint that the quorum has cosigned, both lines of the log under it", async () => {
  const { log, app, policy } = await watched(policyOf(2, await honest(1), await honest(2), await honest(3)));
  await post(app, "/v1/entries", register().bytes);
  const sent = request(1).bytes;
  const response = await post(app, "/v1/entries?wait=witnessed", sent);
  assert.equal(response.status, 201);
  const body = await json(response);
  assert.equal(body["witnessed"], true);
  assert.ok((body["cosigned_by"] as string[]).length >= 2);
  const note = parseNote(utf8(String(body["log_checkpoint"])));
  assert.equal(verifySignatures(note, [logKey, mlDsaKey]).length, 2);
  const proof = await post(app, "/v1/entries?wait=witnessed", sent);
  assert.equal(proof.status, 200, "the same statement again");
  const file = await (await app.request("/v1/entries/2/proof?wait=witnessed")).arrayBuffer();
  const { checkpoint } = verifyEntry(sent, new Uint8Array(file), policy);
  assert.equal(checkpoint.witnessed, true);
  await log.close();
});

test("a burst is witnessed in a few rounds: checkpoints skip, and everybody gets a quorum", async () => {
  const members = [await honest(1), await honest(2), await honest(3)];
  const { log, app, policy } = await watched(policyOf(3, ...members));
  await post(app, "/v1/entries", register().bytes);
  const statements = Array.from({ length: 60 }, (_, n) => request(n).bytes);
  const answers = await Promise.all(statements.map((one) => post(app, "/v1/entries?wait=witnessed", one)));
  for (const [i, answer] of answers.entries()) {
    const body = await json(answer);
    assert.deepEqual([answer.status, body["witnessed"]], [201, true]);
    const { index } = body["inclusion_proof"] as { index: number };
    const proof = await (await app.request(`/v1/entries/${index}/proof?wait=witnessed`)).arrayBuffer();
    assert.equal(
      verifyEntry(statements[i] ?? assert.fail(), new Uint8Array(proof), policy).checkpoint.witnessed,
      true,
    );
  }
  await log.close();
});

test("one dead witness of three delays nobody, and neither does one that never answers", async () => {
  const silent = await evil(3, () => {});
  const { log, app } = await watched(policyOf(2, await honest(1), await honest(2), silent));
  await post(app, "/v1/entries", register().bytes);
  for (let n = 0; n < 5; n++) {
    const answer = await post(app, "/v1/entries?wait=witnessed&wait_ms=5000", request(n).bytes);
    assert.deepEqual([answer.status, (await json(answer))["witnessed"]], [201, true]);
  }
  await log.close();
});

test("without a quorum: 202 with what is there and where to ask again; there it is once the witness is back", async () => {
  const second = await evil(2, (outgoing) => outgoing.writeHead(503).end());
  const { log, app, policy } = await watched(policyOf(2, await honest(1), second));
  await post(app, "/v1/entries", register().bytes);
  const sent = request(1).bytes;
  const late = await post(app, "/v1/entries?wait=witnessed&wait_ms=20", sent);
  const body = await json(late);
  assert.deepEqual(
    [late.status, body["witnessed"], body["ask_again"]],
    [202, false, "/v1/entries/2/proof?wait=witnessed"],
  );
  assert.equal(late.headers.get("location"), "/v1/entries/2/proof?wait=witnessed");
  assert.ok(body["log_checkpoint"], "the log's own checkpoint is there");
  const again = await app.request("/v1/entries/2/proof?wait=witnessed&wait_ms=1");
  assert.deepEqual([again.status, (await json(again))["ask_again"]], [202, body["ask_again"]]);
  second.server.answer = cosigning(second.key);
  const there = await app.request(`${String(body["ask_again"])}&wait_ms=20000`);
  assert.equal(there.status, 200);
  assert.equal(
    verifyEntry(sent, new Uint8Array(await there.arrayBuffer()), policy).checkpoint.witnessed,
    true,
  );
  await log.close();
});

test("a batch waits as one; refused statements do not spoil it; unmet, each says where to ask again", async () => {
  const flaky = await evil(1, (outgoing) => outgoing.writeHead(500).end());
  const { log, app } = await watched(policyOf(1, flaky), { requirement: "all" });
  const lines = Buffer.concat([
    register().bytes,
    utf8("\n"),
    utf8("nonsense\n"),
    request(1).bytes,
    utf8("\n"),
  ]);
  const unmet = await post(app, "/v1/entries/batch?wait=witnessed&wait_ms=1", lines, "application/x-ndjson");
  const body = (await json(unmet)) as { results: Body[]; log_checkpoint: unknown; witnessed: unknown };
  assert.deepEqual([unmet.status, body.log_checkpoint, body.witnessed], [202, null, false]);
  assert.deepEqual(
    body.results.map(({ status, ask_again: again }) => [status, again]),
    [
      [202, "/v1/entries/1/proof?wait=witnessed"],
      [400, undefined],
      // Its key was registered in the same batch, after the statement had been judged.
      [403, undefined],
    ],
  );
  flaky.server.answer = cosigning(flaky.key);
  const met = await post(
    app,
    "/v1/entries/batch?wait=witnessed&wait_ms=20000",
    request(2).bytes,
    "application/x-ndjson",
  );
  const answer = (await json(met)) as { results: Body[]; witnessed: unknown; run: unknown };
  assert.deepEqual([met.status, answer.witnessed, answer.results[0]?.["status"]], [200, true, 201]);
  assert.ok(answer.run);
  await log.close();
});

test("SCRAPI under --require-witnesses: 202 and 204 while the quorum is missing, then the receipt; one Location throughout", async () => {
  const flaky = await evil(1, cosigning(witnessKey(1)));
  const { log } = await watched(policyOf(1, flaky), { requirement: "all" });
  const app = scittAppOf(log);
  await log.submit([register()]);
  assert.ok(await log.view.reached(2, 20_000));
  flaky.server.answer = (outgoing) => outgoing.writeHead(500).end();
  const statement = foreign(utf8("hello"));
  const pending = await post(app, "/entries", statement, "application/cose");
  const location = pending.headers.get("location") ?? "";
  assert.deepEqual(
    [pending.status, await pending.text(), pending.headers.get("retry-after")],
    [202, "", "1"],
  );
  const path = location.replace(/^https:\/\/[^/]*/, "");
  const waiting = await app.request(path);
  assert.deepEqual(
    [
      waiting.status,
      await waiting.text(),
      waiting.headers.get("retry-after"),
      waiting.headers.get("location"),
    ],
    [204, "", "1", location],
  );
  assert.equal((await app.request(`${path}?size=3`)).status, 404, "no size that was not shown");
  flaky.server.answer = cosigning(flaky.key);
  assert.ok(await log.view.reached(3, 20_000));
  const statementTwo = foreign(utf8("another"));
  await post(app, "/entries", statementTwo, "application/cose");
  assert.ok(await log.view.reached(4, 20_000));
  const under = await app.request(`${path}?size=3`);
  assert.equal(verifyReceipt(statement, await bytesOf(under), [ours]).size, 3, "an older size stays open");
  const done = await app.request(path);
  assert.deepEqual([done.status, done.headers.get("location")], [200, location]);
  assert.equal(verifyReceipt(statement, await bytesOf(done), [ours]).index, 2);
  await log.close();
});

test("SCRAPI under --require-witnesses-tier: what POST could not answer, GET does not give away", async () => {
  const flaky = await evil(1, (outgoing) => outgoing.writeHead(500).end());
  const { log } = await watched(policyOf(1, flaky), { requirement: 3 });
  const app = scittAppOf(log);
  await log.submit([register()]);
  // Of an action type that nobody registered: tier 3. Foreign content has no tier.
  const demanding = cose(record({ n: 1 })).bytes;
  const pending = await post(app, "/entries", demanding, "application/cose");
  const path = (pending.headers.get("location") ?? "").replace(/^https:\/\/[^/]*/, "");
  assert.equal(pending.status, 202);
  const easy = await post(app, "/entries", foreign(utf8("x")), "application/cose");
  assert.equal(easy.status, 201);
  assert.deepEqual(
    [(await app.request(path)).status, (await app.request(`${path}?size=3`)).status],
    [204, 204],
  );
  flaky.server.answer = cosigning(flaky.key);
  assert.ok(await log.view.reached(3, 20_000));
  assert.deepEqual(
    [(await app.request(path)).status, (await app.request(`${path}?size=3`)).status],
    [200, 200],
  );
  await log.close();
});

test("wait is checked at the edge: another word, a time too long, a log without witnesses", async () => {
  const { log, app } = await watched(policyOf(1, await honest(1)));
  for (const [query, code] of [
    ["wait=proof", "QUERY_INVALID"],
    ["wait_ms=5", "QUERY_INVALID"],
    ["wait=witnessed&wait_ms=30001", "QUERY_INVALID"],
    ["wait=witnessed&wait_ms=x", "QUERY_INVALID"],
  ])
    for (const path of ["/v1/entries", "/v1/entries/batch"]) {
      const answer = await post(app, `${path}?${query}`, request(1).bytes);
      assert.deepEqual([answer.status, (await json(answer))["code"]], [400, code], query);
    }
  await log.close();
  const none = await watched(policyOf("none", await honest(2)));
  const alone = await openLog(await newStore());
  for (const one of [none.app, createApp(alone, { verifierKeys: [logKey], version: "test" })]) {
    const answer = await post(one, "/v1/entries?wait=witnessed", register().bytes);
    assert.deepEqual([answer.status, (await json(answer))["code"]], [400, "WITNESSES_MISSING"]);
  }
  await none.log.close();
  await alone.close();
});

test("--require-witnesses: nothing that does not meet the quorum is shown, anywhere; the size never goes back", async () => {
  const gate = await evil(1, (outgoing) => outgoing.writeHead(503).end());
  const store = new MemoryStore();
  const memory = remembering();
  await newStore("registered", store);
  const { log, app, policy } = await watched(policyOf(1, gate), { requirement: "all", memory, store });
  const size = async (): Promise<number> => {
    const note = new Uint8Array(await (await app.request("/checkpoint")).arrayBuffer());
    return openCheckpoint(note, logKey).checkpoint.size;
  };
  const unseen = await post(app, "/v1/entries?wait=witnessed&wait_ms=1", register().bytes);
  const body = await json(unseen);
  assert.deepEqual([unseen.status, body["log_checkpoint"], body["inclusion_proof"]], [202, null, null]);
  assert.equal(await size(), 0);
  for (const path of [
    "/v1/entries/1",
    "/v1/entries/1/proof",
    "/v1/entries/1/links",
    "/v1/traces/1",
    "/tile/0/000.p/1",
    "/tile/entries/000.p/1",
    "/v1/entries/0/status",
    "/v1/consistency?from=0&to=1",
    "/v1/traces/0?as_of=1",
  ])
    assert.equal((await app.request(path)).status, 404, path);
  assert.deepEqual(await json(await app.request("/v1/search")), { entries: [], complete_to: 0, next: null });
  const about = await json(await app.request("/v1/log"));
  assert.deepEqual([about["size"], about["witnesses_required"], about["witnessed"]], [0, "all", null]);
  gate.server.answer = cosigning(gate.key);
  // Nobody asks for it, and the answer waits all the same.
  const seen = await post(app, "/v1/entries", request(1).bytes);
  assert.deepEqual([seen.status, (await json(seen))["witnessed"]], [201, true]);
  assert.equal(await size(), 3);
  const file = await (await app.request("/v1/entries/2/proof")).arrayBuffer();
  assert.equal(verifyEntry(request(1).bytes, new Uint8Array(file), policy).checkpoint.witnessed, true);
  assert.equal(
    (await app.request("/v1/entries/2/proof?size=2")).status,
    404,
    "a size that was never published",
  );
  gate.server.answer = (outgoing) => outgoing.writeHead(503).end();
  assert.equal((await post(app, "/v1/entries?wait=witnessed&wait_ms=1", request(2).bytes)).status, 202);
  assert.equal(await size(), 3);
  // Started again while the witness is away: what was shown is still shown.
  const again = await watched(policy, { requirement: "all", memory, store });
  assert.equal(openCheckpoint(again.log.published.checkpoint, logKey).checkpoint.size, 3);
  assert.deepEqual(again.log.published.cosignedBy, ["witness.example/w1"]);
  await again.log.close();
  await log.close();
});

test("a tier: only submissions for action types of that risk wait; unregistered ones count as the highest", async () => {
  const down = await evil(1, (outgoing) => outgoing.writeHead(503).end());
  const { log, app } = await watched(policyOf(1, down), { requirement: 3 });
  const owner = registration(agent, ["agent", "owner"], [AGENT]);
  await post(app, "/v1/entries", owner.bytes);
  const actionType = (name: string, tier: number): Uint8Array =>
    dsse(
      record({
        type: "action-type",
        action_type: name,
        version: "1",
        owner: AGENT,
        escalation_path: ["a"],
        conflict_rule: "x",
        risk_tier: tier,
        test_suite_digest: "sha256:t",
        receipt_schema_digest: "sha256:r",
      }),
    ).bytes;
  for (const [name, tier] of [
    ["low", 1],
    ["high", 3],
  ] as const) {
    const answer = await post(app, "/v1/entries", actionType(name, tier));
    assert.equal(answer.status, 201, await answer.text());
  }
  const asked = async (name: string): Promise<number> =>
    (await post(app, `/v1/entries?wait=witnessed&wait_ms=1`, dsse(record({ action_type: name })).bytes))
      .status;
  assert.equal(await asked("high"), 202);
  const low = await post(app, "/v1/entries", dsse(record({ action_type: "low", n: 2 })).bytes);
  assert.deepEqual([low.status, (await json(low))["witnessed"]], [201, undefined], "nothing to wait for");
  assert.equal(await log.view.demandsWitnesses([]), false);
  await log.close();
});

test("cosignatures of a log in which nothing happens are renewed, for no entry; those of who is gone stay", async () => {
  const [steady, leaving] = [await honest(1), await honest(2)];
  let time = 1_800_000_000_000;
  const policy = policyOf(1, steady, leaving);
  const { log, app } = await watched(policy, { now: () => time, acceptClock: true, renewMs: 10 });
  await post(app, "/v1/entries?wait=witnessed", register().bytes);
  await until(() => log.published.cosignedBy.length === 2);
  const { size } = log.published;
  assert.equal((await json(await app.request("/v1/log")))["cosignatures_renewed_after_s"], 1);
  // Our witnesses' clocks are not the log's: what they answer in another second is another line.
  const timesOf = (): bigint[] =>
    verifySignatures(parseNote(log.published.checkpoint), [steady.key]).flatMap(({ time: at }) => at ?? []);
  const [before = 0n] = timesOf();
  time += 1000;
  await until(() => (timesOf()[0] ?? 0n) > before);
  assert.equal(log.published.size, size);
  assert.equal(log.published.cosignedBy.length, 2);
  await log.close();
});

test("who does not answer when cosignatures are renewed keeps those that he gave, with a quorum or without", async () => {
  for (const quorum of ["none", 2] as const) {
    const steady = await honest(1);
    let isGone = false;
    let asked = 0;
    const leaving = await evil(2, (out, incoming, body) => {
      asked++;
      if (isGone) out.writeHead(503).end();
      else cosigning(witnessKey(2))(out, incoming, body);
    });
    const { log, app } = await watched(policyOf(quorum, steady, leaving), { renewMs: 10 });
    await post(app, "/v1/entries", register().bytes);
    await until(() => log.published.cosignedBy.length === 2);
    isGone = true;
    const before = asked;
    let fewest = 9;
    await until(() => {
      fewest = Math.min(fewest, parseNote(log.published.checkpoint).signatures.length);
      return asked > before + 2;
    });
    assert.ok(fewest >= 4, `the log's two lines and both witnesses', never ${fewest}`);
    await log.close();
  }
});

test("a log without witnesses puts its ML-DSA line under its checkpoints, one a second at most, behind the write path", async () => {
  const log = await openLog(await newStore(), { mlDsaKey });
  const lines = (): number =>
    verifySignatures(parseNote(log.published.checkpoint), [logKey, mlDsaKey]).length;
  await until(() => lines() === 2);
  const began = performance.now();
  const seen = new Set<number>();
  for (let n = 0; n < 40; n++) {
    await log.submit([n === 0 ? register() : request(n)]);
    if (lines() === 2) seen.add(log.published.size);
  }
  const seconds = Math.ceil((performance.now() - began) / SECOND_LINE_MS);
  assert.ok(seen.size <= seconds + 1, `${seen.size} in ${seconds} s`);
  assert.equal(verifySignatures(parseNote(log.published.checkpoint), [logKey]).length, 1);
  // The last one gets it, too.
  await until(() => lines() === 2);
  assert.equal(log.published.size, 41);
  await log.close();
});

test("witnesses that answer nonsense: each is a failure, said once, shown, and never a cosignature", async () => {
  const stranger = witnessKey(9);
  const table: Record<string, readonly [EvilServer["answer"], RegExp]> = {
    garbage: [(out) => out.end("\u0000\u0001 garbage"), /no signature lines/],
    nothing: [(out) => out.end(""), /without a line by a key/],
    "nobody's key": [cosigning(stranger), /without a line by a key/],
    "our key, another text": [
      (out) =>
        out.end(
          formatSignatureLine(
            cosign("log.example/test\n1\nfySQ9QI3/+spla/QuqtBr2+Au36vNGIW7Q3F/4h424k=\n", witnessKey(1), 5n),
          ),
        ),
      /does not verify/,
    ],
    megabytes: [(out) => out.end(Buffer.alloc(4 * 1024 * 1024, "x")), /more than/],
    "a redirect": [(out) => out.writeHead(307, { location: "http://127.0.0.1:1/" }).end(), /status 307/],
    "one byte, and then nothing": [(out) => void out.write("—"), /in time/],
    "a closed connection": [(out) => void out.destroy(), /unreachable/],
    "404": [(out) => out.writeHead(404).end(), /status 404/],
    "the same size again and again": [
      (out, _, body) =>
        out
          .writeHead(409, { "content-type": "text/x.tlog.size" })
          .end(`${parseAddCheckpoint(body).oldSize}\n`),
      /again and again/,
    ],
  };
  for (const [name, [answer, why]] of Object.entries(table)) {
    const liar = await evil(1, answer);
    const { log, app, troubles } = await watched(policyOf(1, liar));
    const late = await post(app, "/v1/entries?wait=witnessed&wait_ms=1", register().bytes);
    assert.equal(late.status, 202, name);
    // However busy the machine is.
    await until(() => troubles.length > 0);
    const [standing] = (await json(await app.request("/v1/log")))["witnesses"] as Body[];
    assert.match(String(standing?.["trouble"]), why, name);
    assert.equal(standing?.["fork_alarms"], 0, name);
    assert.equal(troubles.filter(({ fork }) => fork).length, 0, name);
    assert.equal(log.published.cosignedBy.length, 0, name);
    await log.close();
  }
});

test("422, a 409 without its media type, and a size beyond ours are fork alarms: told, counted, shown, kept", async () => {
  const table: Record<string, EvilServer["answer"]> = {
    "422": (out) => out.writeHead(422).end(),
    "409 as plain text": (out) => out.writeHead(409, { "content-type": "text/plain" }).end("3\n"),
    "409 with parameters": (out) =>
      out.writeHead(409, { "content-type": "text/x.tlog.size; charset=utf-8" }).end("3\n"),
    "409 without a number": (out) =>
      out.writeHead(409, { "content-type": "text/x.tlog.size" }).end("three\n"),
    "a size that we never signed": (out) =>
      out.writeHead(409, { "content-type": "text/x.tlog.size" }).end("99\n"),
  };
  for (const [name, answer] of Object.entries(table)) {
    const accuser = await evil(1, answer);
    const memory = remembering();
    const { log, app, policy, troubles } = await watched(policyOf(1, accuser), { memory });
    await post(app, "/v1/entries?wait=witnessed&wait_ms=200", register().bytes);
    const [standing] = (await json(await app.request("/v1/log")))["witnesses"] as Body[];
    assert.ok(Number(standing?.["fork_alarms"]) > 0, name);
    assert.ok(
      troubles.some(({ fork }) => fork),
      name,
    );
    await log.close();
    const again = await watched(policy, { memory });
    assert.ok((again.log.witnessing?.standings[0]?.alarm?.count ?? 0) > 0, `${name}: kept`);
    await again.log.close();
  }
});

test("a stale 409: asked again at once from the size that it names, with the right proof", async () => {
  const real = await honest(1);
  const { log, app, policy } = await watched(policyOf(1, real));
  await post(app, "/v1/entries?wait=witnessed", register().bytes);
  await log.close();
  // A log that has forgotten: it begins at 0 and is told 2.
  const store = new MemoryStore();
  await newStore("registered", store);
  const forgetful = await watched(policy, { store });
  await post(forgetful.app, "/v1/entries", register().bytes);
  const answer = await post(forgetful.app, "/v1/entries?wait=witnessed", request(1).bytes);
  assert.deepEqual([answer.status, (await json(answer))["witnessed"]], [201, true]);
  await forgetful.log.close();
});

test("what goes to a witness: the log's own lines only, and a proof from what it holds", async () => {
  const seen = await evil(1, () => {});
  seen.server.answer = cosigning(seen.key);
  const { log, app } = await watched(policyOf(1, seen));
  await post(app, "/v1/entries?wait=witnessed", register().bytes);
  await post(app, "/v1/entries?wait=witnessed", request(1).bytes);
  for (const body of seen.server.asked) {
    const { oldSize, hashes, checkpoint } = parseAddCheckpoint(body);
    const { signatures, text } = parseNote(checkpoint);
    assert.deepEqual(
      signatures.map(({ name }) => name),
      [ORIGIN, ORIGIN],
    );
    const size = parseDecimal(text.split("\n")[1] ?? "") ?? 0;
    assert.equal(hashes.length > 0, oldSize > 0 && oldSize < size);
  }
  assert.ok(seen.server.asked.length >= 2);
  await log.close();
});

test("a witness with two keys is two lines of the policy with one URL, asked once a round", async () => {
  const [a, b] = [
    signingKey("witness.example/two", seed(71), ED25519_COSIGNATURE),
    signingKey("witness.example/two", seed(72), ML_DSA_44),
  ];
  const { app: witnessApp } = await openWitness(listOf(logKey), { keys: [a, b] });
  const url = urlOf(await serveApp(witnessApp));
  const { log, app } = await watched(policyOf(2, { key: a, url }, { key: b, url }));
  const answer = await json(await post(app, "/v1/entries?wait=witnessed", register().bytes));
  assert.deepEqual([answer["witnessed"], answer["cosigned_by"]], [true, ["witness.example/two"]]);
  await log.close();
});

test("a forked log: the witness that saw the first history refuses the second, and no quorum is ever met", async () => {
  const real = await honest(1);
  const first = await watched(policyOf(1, real));
  await post(first.app, "/v1/entries", register().bytes);
  assert.equal((await post(first.app, "/v1/entries?wait=witnessed", request(1).bytes)).status, 201);
  await first.log.close();
  const second = await watched(first.policy);
  await post(second.app, "/v1/entries", register().bytes);
  for (const n of [7, 8, 9]) {
    const answer = await post(second.app, "/v1/entries?wait=witnessed&wait_ms=150", request(n).bytes);
    assert.equal(answer.status, 202, `entry ${n}`);
  }
  assert.ok(second.troubles.some(({ fork }) => fork));
  await second.log.close();
});

test("a witness that is asked later in a round gets the log's own lines too, and nobody else's", async () => {
  const second = await evil(2, (outgoing) => outgoing.writeHead(503).end());
  const { log, app } = await watched(policyOf(2, await honest(1), second));
  await post(app, "/v1/entries?wait=witnessed&wait_ms=150", register().bytes);
  second.server.answer = cosigning(second.key);
  assert.ok(await log.view.reached(2, 20_000));
  for (const body of second.server.asked)
    assert.deepEqual(
      parseNote(parseAddCheckpoint(body).checkpoint).signatures.map(({ name }) => name),
      [ORIGIN, ORIGIN],
    );
  await log.close();
});

test("a 200 that is worth nothing loses a witness for a moment, not for the round", async () => {
  let first = true;
  const flaky = await evil(1, () => {});
  flaky.server.answer = (outgoing, incoming, body) => {
    const key = first ? witnessKey(9) : flaky.key;
    first = false;
    cosigning(key)(outgoing, incoming, body);
  };
  const { log } = await watched(policyOf(1, flaky));
  assert.ok(await log.view.reached(1, 20_000));
  await log.close();
});

test("a size that we are remembered to have been cosigned for and have lost is an alarm", async () => {
  const honestOne = await honest(1);
  const memory = remembering();
  const first = await watched(policyOf(1, honestOne), { memory });
  await post(first.app, "/v1/entries", register().bytes);
  assert.equal((await post(first.app, "/v1/entries?wait=witnessed", request(1).bytes)).status, 201);
  await first.log.close();
  assert.equal(memory.record.witnesses[0]?.size, 3);
  // Restored from an old backup: one entry.
  const second = await watched(first.policy, { memory });
  await post(second.app, "/v1/entries?wait=witnessed&wait_ms=200", register().bytes);
  assert.ok((second.log.witnessing?.standings[0]?.alarm?.count ?? 0) > 0);
  await second.log.close();
});

test("another policy takes back nothing that was shown", async () => {
  const down = await evil(2, (outgoing) => outgoing.writeHead(503).end());
  const [one, memory, store] = [await honest(1), remembering(), new MemoryStore()];
  await newStore("registered", store);
  const first = await watched(policyOf(1, one), { requirement: "all", memory, store });
  assert.equal((await post(first.app, "/v1/entries", register().bytes)).status, 201);
  const second = await watched(policyOf(2, one, down), { requirement: "all", memory, store });
  assert.equal(second.log.published.size, 2);
  assert.equal(second.log.witnessed, null, "and it does not meet the new quorum");
  await second.log.close();
  await first.log.close();
});

test("a descending cursor of the asker's making shows nothing that is not published", async () => {
  const down = await evil(1, (outgoing) => outgoing.writeHead(503).end());
  const { log, app } = await watched(policyOf(1, down), { requirement: "all" });
  await post(app, "/v1/entries?wait=witnessed&wait_ms=1", register().bytes);
  for (const cursor of ["desc-2-2", "desc-99-99"])
    assert.deepEqual(await json(await app.request(`/v1/search?order=desc&cursor=${cursor}`)), {
      entries: [],
      complete_to: 0,
      next: null,
    });
  const standing = ((await json(await app.request("/v1/log")))["witnesses"] as Body[])[0];
  assert.equal(standing?.["size"], 0);
  await log.close();
});

test("closing: those who still wait are answered, not left hanging", async () => {
  const silent = await evil(1, () => {});
  const { log, app } = await watched(policyOf(1, silent), {});
  const waiting = post(app, "/v1/entries?wait=witnessed&wait_ms=30000", register().bytes);
  const seen = new Promise((resolve) => {
    silent.server.answer = resolve;
  });
  await seen;
  const closing = log.close();
  assert.equal((await waiting).status, 202);
  await closing;
  assert.equal(registrar.publicKey.algorithm, "Ed25519");
});

test("an answer that comes late to an older round does not take the newer quorum off the disk", async () => {
  const memory = remembering();
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const answer = cosigning(witnessKey(2));
  let first = true;
  const slow = await evil(2, (outgoing, incoming, body) => {
    const isFirst = first;
    first = false;
    void (isFirst ? held : Promise.resolve()).then(() => answer(outgoing, incoming, body));
  });
  const policy = policyOf(1, await honest(1), slow);
  const patient = await openLog(await newStore(), {
    witnessing: { policy, mlDsaKey, timeoutMs: 10_000, memory },
  });
  await patient.submit([register()]);
  await patient.view.reached(2, 5_000);
  await patient.submit([request(1)]);
  const newer = await patient.view.reached(3, 5_000);
  assert.ok(newer !== null && newer.size >= 3);
  const kept = (): number =>
    Number(
      Buffer.from(memory.record.witnessed ?? [])
        .toString()
        .split("\n")[1],
    );
  assert.equal(kept(), newer.size);
  release();
  const late = (): boolean =>
    patient.witnessing?.standings.some(
      ({ witness, cosignedAt }) => witness.name === "W1" && cosignedAt !== null,
    ) ?? false;
  while (!late()) await new Promise((resolve) => setImmediate(resolve));
  // Whatever it makes of that is on its way by the next turns.
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(kept() >= newer.size, `${kept()} on disk, and ${newer.size} was shown`);
  assert.ok((patient.witnessed?.size ?? 0) >= newer.size);
  await patient.close();
});
