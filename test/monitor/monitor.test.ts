/** The monitor against an honest log, and against one for each misbehaviour that it must find. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { emptyRange, extendRange, leafHash, rangeRoot } from "../../merkle/index.js";
import { parseBundle, formatBundle } from "../../src/format/bundle.js";
import { utf8 } from "../../src/format/bytes.js";
import { cosign, openCheckpoint, signCheckpoint } from "../../src/format/cosignature.js";
import { formatEvidence, type Evidence } from "../../src/format/evidence.js";
import { formatNote, parseNote, withSignatures } from "../../src/format/note.js";
import { parsePolicy, policyOfKey, type Policy } from "../../src/format/policy.js";
import { ED25519_COSIGNATURE, formatVerifierKey, signingKey } from "../../src/format/vkey.js";
import type { Log } from "../../src/log/log.js";
import type { Finding, Match, MonitorEvent } from "../../src/monitor/events.js";
import { parseFilter } from "../../src/trace/filter.js";
import { LogReader } from "../../src/monitor/log-reader.js";
import { freshState, type MonitorState } from "../../src/monitor/memory.js";
import { STALE_MS } from "../../src/monitor/parts.js";
import { Mirror } from "../../src/monitor/mirror.js";
import { Monitor } from "../../src/monitor/monitor.js";
import { KeyTable } from "../../src/index/keys.js";
import { LIST_BYTES, writeBits } from "../../src/index/bits.js";
import { listRoot } from "../../src/status-list/root.js";
import { compressed, statusListJwt } from "../../src/status-list/token.js";
import { statusOf } from "../../src/log/state/status.js";
import { MemoryStore } from "../../src/store/memory.js";
import type { Store } from "../../src/store/contract.js";
import { trustKey, verifyEntry, verifyEvidence } from "../../src/verify/index.js";
import {
  agent,
  AGENT,
  cose,
  dsse,
  logKey,
  logWithAgent,
  newStore,
  openLog,
  ORIGIN,
  record,
  registration,
  request,
  stranger,
} from "../support/log.js";
import { type EvilServer, evilServer } from "../support/servers.js";
import { seed } from "../support/witness.js";
import { consume, grant as grantOf, granted, put } from "../support/grants.js";
import { play } from "../support/story.js";

const NOW = Date.parse("2026-05-01T12:00:00Z");

/** An answer in the place of the log's, or undefined for the log's own. */
type Lie = (path: string, truth: () => Promise<Response>) => Promise<Response> | Response | undefined;

/** The clock of whoever watches last: the log signs its lists by it, too. */
const shared = { clock: { now: NOW } };

/** A log on a socket, with somebody between it and its readers who may lie. */
async function served(log: () => Log, lie: Lie = () => undefined): Promise<EvilServer & { lie: Lie }> {
  const server = await evilServer((outgoing, incoming) => {
    const path = incoming.url ?? "/";
    const app = createApp(log(), {
      verifierKeys: [logKey],
      version: "test",
      service: { key: logKey, url: () => "http://log.example", now: () => shared.clock.now },
    });
    const truth = async (): Promise<Response> => app.request(path);
    void (async () => {
      const response = await (between.lie(path, truth) ?? truth());
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      outgoing.end(Buffer.from(await response.arrayBuffer()));
    })();
  });
  const between = Object.assign(server, { lie });
  return between;
}

interface Watch {
  readonly monitor: Monitor;
  readonly state: MonitorState;
  readonly store: Store;
  readonly evidence: Evidence[];
  readonly clock: { now: number };
  /** A pass, and what it reported. */
  readonly look: () => Promise<MonitorEvent[]>;
}

async function watch(
  url: string,
  {
    policy = null,
    mirrors = [],
    filters = [],
    store = new MemoryStore(),
    witnessAt = new Map(),
  }: {
    policy?: Policy | null;
    mirrors?: readonly string[];
    filters?: readonly string[];
    store?: Store;
    witnessAt?: ReadonlyMap<string, string>;
  } = {},
): Promise<Watch> {
  const clock = { now: NOW };
  shared.clock = clock;
  const state = freshState();
  const evidence: Evidence[] = [];
  let kept: Uint8Array | null = null;
  let reported: MonitorEvent[] = [];
  const monitor = new Monitor({
    key: logKey,
    policy,
    reader: new LogReader(url, 0),
    mirror: await Mirror.open(store, logKey),
    state,
    mirrors,
    witnessAt,
    filters: filters.map((text) => parseFilter(text)),
    silenceMs: 600_000,
    now: () => clock.now,
    kept: {
      load: async () => kept,
      save: async (note) => {
        kept = note;
      },
    },
    keepEvidence: async (proof) => {
      evidence.push(proof);
      return `evidence-${evidence.length}`;
    },
    saveState: async () => {},
    budgetMs: 60_000,
    report: async (events) => {
      reported.push(...events);
    },
  });
  const look = async (): Promise<MonitorEvent[]> => {
    reported = [];
    await monitor.pass();
    return reported;
  };
  return { monitor, state, store, evidence, clock, look };
}

const kinds = (events: readonly MonitorEvent[]): string[] =>
  events.flatMap((event) => (event.type === "finding" ? [event.kind] : []));

async function submit(
  log: Log,
  ...statements: readonly { bytes: Uint8Array; form: "dsse" | "cose" }[]
): Promise<void> {
  const { results } = await log.submit(statements);
  for (const result of results) if (result instanceof Error) throw result;
}

async function grown(count: number, from = 0): Promise<Log> {
  const log = await logWithAgent({ now: () => NOW });
  await submit(log, ...Array.from({ length: count }, (_, n) => request(from + n)));
  return log;
}

function textResponse(body: Uint8Array | string): Response {
  return new Response(body, { headers: { "content-type": "text/plain" } });
}

/** The log's entries with a change, under a root that the log's own key has signed: what only the operator can do. */
async function rebuilt(
  log: Log,
  change: (entries: Uint8Array[]) => Uint8Array[],
  extra = 0,
): Promise<{ entries: Uint8Array[]; note: Uint8Array }> {
  const { size } = log.published;
  const all: Uint8Array[] = [];
  for (let index = 0; index < size; index++) all.push((await log.read.entry(index)).stored);
  const entries = change(all);
  for (let n = 0; n < extra; n++) entries.push(request(10_000 + n).bytes);
  const root = rangeRoot(extendRange(emptyRange(), entries.map(leafHash)));
  return {
    entries,
    note: signCheckpoint({ origin: ORIGIN, size: entries.length, root, extensions: [] }, logKey),
  };
}

test("an honest log: nothing to report, over growth, stretches, bundles, COSE, foreign content, and a restart of the monitor", async () => {
  const log = await logWithAgent({ now: () => NOW });
  const server = await served(() => log);
  const store = new MemoryStore();
  const first = await watch(server.url, { store });
  assert.deepEqual(kinds(await first.look()), []);
  for (const count of [1, 253, 1, 1, 1100]) {
    const base = log.published.size * 10;
    await submit(
      log,
      ...Array.from({ length: count }, (_, n) =>
        n % 3 === 0 ? cose(record({ n: base + n })) : request(base + n),
      ),
    );
    assert.deepEqual(kinds(await first.look()), [], `after ${log.published.size}`);
    assert.equal((await store.head())?.size, log.published.size);
  }
  const again = await watch(server.url, { store });
  await submit(log, request(999_999));
  assert.deepEqual(kinds(await again.look()), [], "with the mirror of before and no checkpoint kept");
  assert.equal((await store.head())?.size, log.published.size);
  await log.close();
});

test("alerts: every entry that matches, once, with a proof that verifies offline", async () => {
  const log = await grown(3);
  const server = await served(() => log);
  const { look } = await watch(server.url, {
    filters: ["type=key", `signer=${agent.publicKey.keyId},type=action-request`],
  });
  const matches = (await look()).filter((event): event is Match => event.type === "match");
  assert.deepEqual(
    matches.map(({ alert, index }) => [alert.slice(0, 8), index]),
    [
      ["type=key", 1],
      ["signer=4", 2],
      ["signer=4", 3],
      ["signer=4", 4],
    ].map(([alert, index]) => [
      alert === "type=key" ? alert : `signer=${agent.publicKey.keyId}`.slice(0, 8),
      index,
    ]),
  );
  for (const { statement, proof, index } of matches) {
    const verified = verifyEntry(
      Buffer.from(statement, "base64"),
      utf8(proof),
      trustKey(formatVerifierKey(logKey)),
    );
    assert.equal(verified.index, index);
  }
  assert.deepEqual(await look(), [], "once");
  await submit(log, request(77));
  assert.equal((await look()).length, 1);
  for (const bad of ["", "type", "type=", "kind=x", "type=key,,"])
    assert.throws(() => parseFilter(bad), /--alert/, bad);
  await log.close();
});

test("a fork at the same size: proven, by a file that verifies and that nobody can make without two signatures", async () => {
  const [one, other] = [await grown(4), await grown(4, 100)];
  let log = one;
  const server = await served(() => log);
  const { look, evidence } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  log = other;
  const [finding] = (await look()) as Finding[];
  assert.deepEqual([finding?.kind, finding?.evidence], ["fork", "evidence-1"]);
  const proof = evidence[0] ?? assert.fail();
  const trust = policyOfKey(logKey);
  assert.equal(verifyEvidence(formatEvidence(proof), trust).log, ORIGIN);
  assert.deepEqual(kinds(await look()), [], "reported once");
  assert.throws(() => verifyEvidence({ ...proof, newer: proof.older }, trust), /same tree/);
  assert.throws(
    () => verifyEvidence(proof, trustKey(formatVerifierKey(signingKey(ORIGIN, seed(8))))),
    /not signed by/,
  );
  await one.close();
  await other.close();
});

test("a fork by a larger tree: proven from its own tiles, with the root that lies between", async () => {
  const [one, other] = [await grown(5), await grown(300, 100)];
  let log = one;
  const server = await served(() => log);
  const { look, evidence } = await watch(server.url);
  await look();
  log = other;
  assert.deepEqual(kinds(await look()), ["fork"]);
  const proof = evidence[0] ?? assert.fail();
  const trust = policyOfKey(logKey);
  const { older, newer } = verifyEvidence(proof, trust);
  assert.deepEqual([older.size, newer.size], [one.published.size, other.published.size]);
  const held = older.root;
  assert.throws(() => verifyEvidence({ ...proof, prefixRoot: held }, trust), /does not|side|root/);
  assert.throws(() => verifyEvidence({ ...proof, hashes: proof.hashes.slice(1) }, trust));
  assert.throws(() => verifyEvidence({ ...proof, prefixRoot: null }, trust), /prove nothing/);
  // An honest pair of sizes is no evidence, whatever proof comes with it.
  const grownOn = one.published;
  await submit(one, request(5000));
  const hashes = await one.read.consistency(grownOn.size, one.published.size);
  const honest = {
    kind: "fork",
    older: grownOn.checkpoint,
    newer: one.published.checkpoint,
    prefixRoot: grownOn.root,
    hashes,
  } as const;
  assert.throws(() => verifyEvidence(honest, trust), /extends the older one/);
  await one.close();
  await other.close();
});

test("a fork that withholds its tiles: not provable, and told as what it is", async () => {
  const [one, other] = [await grown(5), await grown(9, 100)];
  let log = one;
  const server = await served(() => log);
  const { look } = await watch(server.url);
  await look();
  log = other;
  server.lie = (path) =>
    path.startsWith("/tile/") || path.startsWith("/v1/consistency")
      ? new Response("no", { status: 404 })
      : undefined;
  assert.deepEqual(kinds(await look()), ["inconsistent"]);
  await one.close();
  await other.close();
});

test("less than it showed is an old copy, of a cache or a follower; what lasts is a rollback", async () => {
  const log = await grown(6);
  const older = await log.view.checkpointAt(2);
  const server = await served(() => log);
  const { look, clock, monitor, state } = await watch(server.url);
  await look();
  const { seen } = state;
  server.lie = (path) =>
    path === "/checkpoint" ? textResponse(older?.checkpoint ?? assert.fail()) : undefined;
  assert.deepEqual(kinds(await look()), []);
  assert.deepEqual(monitor.seen, { size: 2, cosignedBy: [], before: log.published.size });
  assert.deepEqual(state.seen, seen, "what an old copy lacks may have been there long ago");
  clock.now += STALE_MS;
  assert.deepEqual(kinds(await look()), []);
  clock.now += 1;
  assert.deepEqual(kinds(await look()), ["rollback"]);
  assert.deepEqual(kinds(await look()), [], "while it lasts, once");
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), []);
  await log.close();
});

test("entries that are not those of the signed root; then the right ones, and all is well", async () => {
  const log = await grown(6);
  const server = await served(
    () => log,
    (path, truth) => {
      if (!path.startsWith("/tile/entries/")) return undefined;
      return truth().then(async (response) => {
        const entries = parseBundle(new Uint8Array(await response.arrayBuffer()), log.published.size);
        return new Response(formatBundle([...entries.slice(0, -1), request(4711).bytes]));
      });
    },
  );
  const { look, store } = await watch(server.url);
  assert.deepEqual(kinds(await look()), ["entries-differ"]);
  assert.equal(await store.head(), null, "nothing of it was taken in");
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), []);
  assert.equal((await store.head())?.size, log.published.size);
  await log.close();
});

const grantMembers = {
  type: "capability-grant",
  issuer: AGENT,
  request_hash: `sha256:${"11".repeat(32)}`,
  decision_hash: `sha256:${"22".repeat(32)}`,
  permitted_action: {
    action_type: "wire.transfer",
    target: { vendor: "a" },
    parameters: {},
    constraints: {},
  },
  audience: AGENT,
  nonce: "n1",
  expiry: "2026-06-01T12:00:00Z",
  revocation_registry: ORIGIN,
} as const;

test("an entry that the rules should have kept out: each kind, under a root that the log has signed", async () => {
  const log = await logWithAgent({ now: () => NOW });
  const table: Record<string, readonly [Uint8Array, RegExp]> = {
    "by a key that nobody registered": [dsse(record({ n: 1 }), stranger).bytes, /KEY_UNKNOWN/],
    "a signature of another statement": [
      utf8(
        Buffer.from(dsse(record({ n: 1 })).bytes)
          .toString()
          .replace(
            /"sig":"[^"]+"/,
            /"sig":"[^"]+"/.exec(Buffer.from(dsse(record({ n: 2 })).bytes).toString())?.[0] ?? "",
          ),
      ),
      /SIGNATURE_INVALID/,
    ],
    "in somebody else's name": [
      dsse(record({ issuer: "agent://acme/other", agent_id: "agent://acme/other" })).bytes,
      /ROLE_MISSING/,
    ],
    "in a role that the key does not have": [
      dsse(record({ type: "key", v: 1 })).bytes,
      /RECORD_|ROLE_MISSING/,
    ],
    "a record that is not of its type's shape": [dsse(record({ constraints: 5 })).bytes, /RECORD_/],
    "a revocation of nothing": [dsse(record({ type: "revocation" })).bytes, /RECORD_INVALID/],
    "a revocation of a list": [dsse(record({ type: "revocation", target: [] })).bytes, /RECORD_INVALID/],
    "no statement at all": [utf8("hello"), /./],
    "a statement not in its stored form": [
      utf8(` ${Buffer.from(request(1).bytes).toString()}`),
      /stored form|./,
    ],
  };
  for (const [name, [entry, why]] of Object.entries(table)) {
    const { entries, note } = await rebuilt(log, (all) => [...all, entry]);
    const server = await served(() => log, operator(entries, note));
    const { look } = await watch(server.url);
    const [finding, ...more] = (await look()) as Finding[];
    assert.deepEqual(
      [finding?.kind, finding?.index, more.length],
      ["entry-invalid", entries.length - 1, 0],
      name,
    );
    assert.match(finding?.detail ?? "", why, name);
  }
  await log.close();
});

test("a grant used twice, and one used after it was revoked: the gate is held again, at the very place", async () => {
  const log = await logWithAgent({ now: () => NOW });
  await submit(log, registration(agent, ["agent", "authority", "executor", "owner"], [AGENT]));
  const grant = dsse(record(grantMembers));
  await submit(log, grant);
  const id = (await log.read.entry(log.published.size - 1)).recordId ?? assert.fail();
  const use = (n: number): Uint8Array =>
    dsse(
      record({
        type: "consumption",
        request_hash: grantMembers.request_hash,
        capability_hash: id,
        nonce: "n1",
        executor_id: AGENT,
        consumed_at: `2026-05-01T12:00:0${n}Z`,
        tool_call_hash: "sha256:c",
      }),
    ).bytes;
  const revoke = dsse(
    record({
      type: "revocation",
      target: id,
      action: "revoke",
      reason: "stolen",
      authority_id: AGENT,
      effective_at: "2026-05-01T12:00:00Z",
    }),
  ).bytes;
  for (const [name, extra, why] of [
    ["twice", [use(1), use(2)], /GRANT_USED|its one use/],
    ["after revocation", [revoke, use(1)], /revoked/],
  ] as const) {
    const { entries, note } = await rebuilt(log, (all) => [...all, ...extra]);
    const { look } = await watch((await served(() => log, operator(entries, note))).url);
    const found = (await look()) as Finding[];
    assert.deepEqual(
      kinds(found),
      ["entry-invalid"],
      `${name}: ${found.map(({ detail }) => detail).join("; ")}`,
    );
    assert.match(found[0]?.detail ?? "", why, name);
  }
  await log.close();
});

test("a log that is not the one of the key, from entry 0 on", async () => {
  const log = await grown(1);
  const { entries, note } = await rebuilt(log, (all) => [request(0).bytes, ...all.slice(1)]);
  const { look } = await watch((await served(() => log, operator(entries, note))).url);
  const [finding] = (await look()) as Finding[];
  assert.deepEqual([finding?.kind, finding?.index], ["entry-invalid", 0]);
  await log.close();
});

test("a clock that goes back, and an entry that is said to have come before we saw that it was not there", async () => {
  const log = await grown(3);
  let shift = 0;
  const server = await served(
    () => log,
    (path, truth) => {
      if (!path.startsWith("/v1/search")) return undefined;
      return truth().then(async (response) => {
        const body = (await response.json()) as { entries: { received_at: string }[] };
        const entries = body.entries.map((entry) => ({
          ...entry,
          received_at: new Date(Date.parse(entry.received_at) + shift).toISOString(),
        }));
        return new Response(JSON.stringify({ ...body, entries }), {
          headers: { "content-type": "application/json" },
        });
      });
    },
  );
  const { look, clock } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  clock.now = NOW + 3_600_000;
  assert.deepEqual(kinds(await look()), []);
  await submit(log, request(50));
  // The log's clock in these tests stands still at NOW: an hour before our last look.
  assert.deepEqual(kinds(await look()), ["backdated"]);
  await submit(log, request(51));
  shift = -1000;
  assert.deepEqual(kinds(await look()), ["clock", "backdated"]);
  await log.close();
});

test("a state that the entries do not justify", async () => {
  const log = await logWithAgent({ now: () => NOW });
  await submit(log, registration(agent, ["agent", "authority", "owner"], [AGENT]));
  await submit(log, dsse(record(grantMembers)));
  const server = await served(() => log);
  const honest = await watch(server.url);
  assert.deepEqual(kinds(await honest.look()), []);
  server.lie = (path, truth) => {
    if (!path.includes("/status?")) return undefined;
    return truth().then(
      async (response) =>
        new Response(JSON.stringify({ ...((await response.json()) as object), state: "revoked" })),
    );
  };
  const { look } = await watch(server.url);
  const [finding] = (await look()) as Finding[];
  const nobody = new KeyTable({
    registrars: [],
    logKey: null,
    policyId: "",
    origin: "",
    rulesVersion: 2,
  });
  assert.equal(finding?.kind, "status-unjustified");
  assert.match(finding?.detail ?? "", /calls sha256:[0-9a-f]+ revoked; .* it is active/);
  assert.equal((await statusOf(new MemoryStore(), nobody, new Uint8Array(32), 1, NOW)).state, "unknown");
  await log.close();
});

test("a status list that is not that of the entries, or not the log's", async () => {
  const log = await logWithAgent({ now: () => NOW });
  await submit(log, registration(agent, ["agent", "authority", "owner"], [AGENT]));
  await submit(log, dsse(record(grantMembers)));
  const { size } = log.published;
  const facts = {
    uri: "x",
    issuer: "x",
    aggregationUri: "x",
    issuedAt: NOW / 1000,
    expiresAt: NOW / 1000 + 300,
    ttl: 1,
    tlog: { origin: ORIGIN, treeSize: size, listRoot: new Uint8Array(32), sweptTo: size },
  };
  const token = (bits: Uint8Array, more: object = {}, key = logKey): string =>
    statusListJwt(
      compressed(bits),
      { ...facts, tlog: { ...facts.tlog, listRoot: listRoot(bits), ...more } },
      key,
    );
  const empty = new Uint8Array(LIST_BYTES);
  const forged = Uint8Array.from(empty);
  writeBits(forged, size - 1, 1);
  const server = await served(() => log);
  const honest = await watch(server.url);
  assert.deepEqual(kinds(await honest.look()), []);
  const said = async (answer: string): Promise<string> => {
    server.lie = (path) => (path.startsWith("/v1/status/lists") ? new Response(answer) : undefined);
    const { look } = await watch(server.url);
    const [finding] = (await look()) as Finding[];
    return `${finding?.kind ?? "nothing"}: ${finding?.detail ?? ""}`;
  };
  assert.match(
    await said(token(forged)),
    new RegExp(`status-unjustified: .* calls entry ${size - 1} invalid; .* it is valid`),
  );
  assert.match(await said(token(forged, { listRoot: listRoot(empty) })), /its root is not that of its bits/);
  assert.match(await said(token(empty, { origin: "log.example/other" })), /of another log/);
  const strangersKey = signingKey(ORIGIN, seed(99));
  assert.match(await said(token(empty, {}, strangersKey)), /^nothing/, "whoever put it there");
  assert.match(await said("not a token"), /^nothing/);
  assert.match(await said(token(empty)), /^nothing/);
  await log.close();
});

test("a checkpoint that is not signed by the key, or is none at all", async () => {
  const log = await grown(1);
  const server = await served(() => log);
  const { look } = await watch(server.url);
  const other = signingKey(ORIGIN, seed(99));
  for (const note of [
    utf8("hello"),
    signCheckpoint({ origin: ORIGIN, size: 2, root: log.published.root, extensions: [] }, other),
  ]) {
    server.lie = (path) => (path === "/checkpoint" ? textResponse(note) : undefined);
    assert.deepEqual(kinds(await look()), ["checkpoint-invalid"]);
    server.lie = () => undefined;
    assert.deepEqual(kinds(await look()), []);
  }
  await log.close();
});

test("silence: of the log, and of a peer; heard again, it may be reported again", async () => {
  const log = await grown(1);
  const server = await served(() => log);
  const peer = await served(() => log);
  const { look, clock } = await watch(server.url, { mirrors: [peer.url] });
  assert.deepEqual(kinds(await look()), []);
  const down: Lie = () => new Response("down", { status: 503 });
  for (let round = 0; round < 2; round++) {
    [server.lie, peer.lie] = [down, down];
    assert.deepEqual(kinds(await look()), []);
    clock.now += 601_000;
    assert.deepEqual(kinds(await look()), ["silence", "silence"]);
    assert.deepEqual(kinds(await look()), []);
    [server.lie, peer.lie] = [() => undefined, () => undefined];
    assert.deepEqual(kinds(await look()), []);
  }
  await log.close();
});

const w = signingKey("witness.example/w", seed(61), ED25519_COSIGNATURE);

function witnessPolicy(url: string): Policy {
  return parsePolicy(
    utf8(`log ${formatVerifierKey(logKey)}\nwitness W ${formatVerifierKey(w)} ${url}\nquorum W\n`),
  );
}

function cosigned(note: Uint8Array, time = 1_700_000_000n): Uint8Array {
  const parsed = parseNote(note);
  return formatNote(withSignatures(parsed, [cosign(parsed.text, w, time)]));
}

test("a fork that only a witness was shown, older or as large: found by asking the witness, and proven", async () => {
  const [shown, other] = [await grown(6), await grown(3, 100)];
  const server = await served(() => shown);
  let held = cosigned(shown.published.checkpoint);
  const witness = await served(
    () => shown,
    () => textResponse(held),
  );
  const { look, evidence } = await watch(server.url, { policy: witnessPolicy(witness.url) });
  assert.deepEqual(kinds(await look()), []);
  held = cosigned(other.published.checkpoint);
  assert.deepEqual(kinds(await look()), ["fork"]);
  assert.equal(verifyEvidence(evidence[0] ?? assert.fail(), policyOfKey(logKey)).log, ORIGIN);
  await shown.close();
  await other.close();
});

test("a longer history that the log shows others and not us: withheld, if it lasts", async () => {
  const log = await grown(6);
  const small = await log.view.checkpointAt(2);
  const server = await served(
    () => log,
    (path) => (path === "/checkpoint" ? textResponse(small?.checkpoint ?? assert.fail()) : undefined),
  );
  const mirror = await served(() => log);
  const { look, clock } = await watch(server.url, { mirrors: [mirror.url] });
  assert.deepEqual(kinds(await look()), [], "it may only be quicker");
  clock.now += 601_000;
  assert.deepEqual(kinds(await look()), ["withheld"]);
  server.lie = () => undefined;
  // Shown at last, with the time at which they are said to have come: before we were told that they were not there.
  assert.deepEqual(kinds(await look()), ["backdated"]);
  await log.close();
});

test("a witness that serves what the log has not signed, or what it has not cosigned itself", async () => {
  const log = await grown(2);
  const server = await served(() => log);
  let held: Uint8Array = utf8("garbage");
  const witness = await served(
    () => log,
    () => textResponse(held),
  );
  const { look } = await watch(server.url, { policy: witnessPolicy(witness.url) });
  assert.deepEqual(kinds(await look()), ["peer-invalid"]);
  held = cosigned(log.published.checkpoint);
  assert.deepEqual(kinds(await look()), []);
  held = log.published.checkpoint;
  assert.deepEqual(kinds(await look()), ["peer-invalid"]);
  held = Buffer.alloc(1024 * 1024, "x");
  assert.deepEqual(kinds(await look()), [], "an endless answer is no answer");
  await log.close();
});

test("a quorum that lags behind for too long", async () => {
  const log = await grown(2);
  const server = await served(() => log);
  const held = cosigned(log.published.checkpoint);
  const witness = await served(
    () => log,
    () => textResponse(held),
  );
  const { look, clock } = await watch(server.url, { policy: witnessPolicy(witness.url) });
  assert.deepEqual(kinds(await look()), []);
  await submit(log, request(90));
  assert.deepEqual(kinds(await look()), []);
  clock.now += 601_000;
  assert.deepEqual(kinds(await look()), ["unwitnessed"]);
  await log.close();
});

test("hostile answers: whatever comes, the pass ends, and nothing of it is taken in", async () => {
  const log = await grown(3);
  const answers: Record<string, () => Response> = {
    "deep JSON": () => new Response("[".repeat(100_000)),
    "another shape": () => new Response(`{"hashes":[1,2],"entries":{"a":1}}`),
    "numbers where texts are wanted": () => new Response(`{"entries":[{"index":0,"received_at":5}]}`),
    nothing: () => new Response(""),
    "two hundred thousand hits": () =>
      new Response(
        `{"entries":[${Array.from({ length: 200_000 }, (_, index) => `{"index":${index},"received_at":"2026-05-01T12:00:00Z"}`).join(",")}]}`,
      ),
    "an error": () => new Response("no", { status: 400 }),
  };
  for (const [name, answer] of Object.entries(answers))
    for (const where of ["/v1/search", "/tile/", "/v1/consistency"]) {
      const server = await served(
        () => log,
        (path) => (path.startsWith(where) ? answer() : undefined),
      );
      const { look, store } = await watch(server.url);
      await look();
      const head = await store.head();
      assert.ok(head === null || where === "/v1/consistency", `${name} at ${where}`);
    }
  await log.close();
});

test("what the log has signed and withheld is not forgotten: another tree of that size is a fork", async () => {
  const [one, other] = [await grown(6), await grown(6, 100)];
  let log = one;
  const withheld: Lie = (path) =>
    path.startsWith("/tile/entries") ? new Response("later", { status: 503 }) : undefined;
  const server = await served(() => log, withheld);
  const { look, evidence, state } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  assert.equal(state.sightings.length, 1);
  log = other;
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), ["fork"]);
  assert.equal(verifyEvidence(evidence[0] ?? assert.fail(), policyOfKey(logKey)).log, ORIGIN);
  await one.close();
  await other.close();
});

test("a larger tree that was shown once and withheld is held against what comes later", async () => {
  const [one, other] = [await grown(8), await grown(20, 100)];
  let log = one;
  const server = await served(
    () => log,
    (path) => (path.startsWith("/tile/entries") ? new Response("later", { status: 503 }) : undefined),
  );
  const { look, evidence, state } = await watch(server.url);
  await look();
  log = other;
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), ["fork"]);
  const { older, newer } = verifyEvidence(evidence[0] ?? assert.fail(), policyOfKey(logKey));
  assert.deepEqual([older.size, newer.size], [one.published.size, other.published.size]);
  assert.deepEqual(state.sightings, []);
  await one.close();
  await other.close();
});

test("a mirror that is ahead on another way is proven to be, from its own tiles", async () => {
  const [log, other] = [await grown(5), await grown(300, 100)];
  const [server, mirror] = [await served(() => log), await served(() => other)];
  const { look, evidence } = await watch(server.url, { mirrors: [mirror.url] });
  assert.deepEqual(kinds(await look()), ["fork"]);
  verifyEvidence(evidence[0] ?? assert.fail(), policyOfKey(logKey));
  await submit(other, request(4444));
  assert.deepEqual(kinds(await look()), [], "one fork, however it grows");
  await log.close();
  await other.close();
});

test("a line of a known witness that does not hold neither hides a fork nor spoils its proof", async () => {
  const [one, other] = [await grown(4), await grown(4, 100)];
  let log = one;
  const bad = (note: Uint8Array): Uint8Array => {
    const parsed = parseNote(note);
    return formatNote(
      withSignatures(parsed, [
        cosign("log.example/test\n1\nfySQ9QI3/+spla/QuqtBr2+Au36vNGIW7Q3F/4h424k=\n", w, 5n),
      ]),
    );
  };
  const server = await served(
    () => log,
    (path) => (path === "/checkpoint" ? textResponse(bad(log.published.checkpoint)) : undefined),
  );
  const witness = await served(
    () => log,
    () => new Response("none", { status: 404 }),
  );
  const policy = witnessPolicy(witness.url);
  const { look, evidence } = await watch(server.url, { policy });
  assert.deepEqual(kinds(await look()), ["checkpoint-invalid"]);
  log = other;
  assert.deepEqual(kinds(await look()), ["fork"]);
  assert.equal(verifyEvidence(formatEvidence(evidence[0] ?? assert.fail()), policy).log, ORIGIN);
  await one.close();
  await other.close();
});

test("an empty tree with another root is proof by itself", async () => {
  const log = await grown(1);
  const note = signCheckpoint({ origin: ORIGIN, size: 0, root: log.published.root, extensions: [] }, logKey);
  const server = await served(
    () => log,
    (path) => (path === "/checkpoint" ? textResponse(note) : undefined),
  );
  const { look, evidence } = await watch(server.url);
  assert.deepEqual(kinds(await look()), ["fork"]);
  verifyEvidence(evidence[0] ?? assert.fail(), policyOfKey(logKey));
  await log.close();
});

test("an honest log that is busy, restarting or slow is accused of nothing", async () => {
  const log = await grown(3);
  const server = await served(() => log);
  const { look, clock, store } = await watch(server.url, { mirrors: [server.url] });
  assert.deepEqual(kinds(await look()), []);
  for (const status of [429, 502, 503]) {
    await submit(log, request(1000 + status));
    server.lie = (path) => (path === "/checkpoint" ? undefined : new Response("busy", { status }));
    assert.deepEqual(kinds(await look()), [], String(status));
  }
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), []);
  assert.equal((await store.head())?.size, log.published.size);
  // The mirror is always one ahead: an entry comes between the two questions of every pass.
  for (let n = 0; n < 4; n++) {
    let asked = 0;
    server.lie = (path, truth) => {
      if (path !== "/checkpoint" || ++asked < 2) return undefined;
      return submit(log, request(2000 + n)).then(truth);
    };
    assert.deepEqual(kinds(await look()), []);
  }
  assert.equal(clock.now, NOW);
  await log.close();
});

test("a log that grows while a pass takes long has not backdated anything", async () => {
  let logNow = NOW;
  const log = await logWithAgent({ now: () => logNow });
  const server = await served(() => log);
  const { look, clock } = await watch(server.url);
  server.lie = (path, truth) => {
    if (!path.startsWith("/tile/entries")) return undefined;
    clock.now += 300_000;
    return truth();
  };
  await look();
  logNow = NOW + 120_000;
  await submit(log, request(1));
  server.lie = () => undefined;
  clock.now += 1000;
  assert.deepEqual(kinds(await look()), []);
  await log.close();
});

test("an entry of tomorrow", async () => {
  const log = await logWithAgent({ now: () => NOW + 86_400_000 });
  const { look } = await watch((await served(() => log)).url);
  assert.deepEqual(kinds(await look()), ["clock"]);
  await log.close();
});

test("status answers that are no answers end nothing, and accuse of nothing", async () => {
  const log = await logWithAgent({ now: () => NOW });
  await submit(log, registration(agent, ["agent", "authority", "owner"], [AGENT]));
  await submit(log, dsse(record(grantMembers)));
  const server = await served(() => log);
  const { look, state } = await watch(server.url);
  for (const answer of [
    () => new Response("garbage"),
    () => new Response("no", { status: 503 }),
    () => new Response("no", { status: 404 }),
  ]) {
    server.lie = (path) => (path.includes("/status") ? answer() : undefined);
    assert.deepEqual(kinds(await look()), []);
  }
  assert.equal(state.alertedTo, log.published.size);
  server.lie = (path, truth) =>
    path.includes("/status?")
      ? truth().then(
          async (response) =>
            new Response(JSON.stringify({ ...((await response.json()) as object), state: "revoked" })),
        )
      : undefined;
  assert.deepEqual(kinds(await look()), ["status-unjustified"], "asked again later too");
  await log.close();
});

test("cosignatures under the log's own checkpoint count for witnesses that have no address", async () => {
  const log = await grown(2);
  const server = await served(
    () => log,
    (path) => (path === "/checkpoint" ? textResponse(cosigned(log.published.checkpoint)) : undefined),
  );
  const policy = parsePolicy(
    utf8(`log ${formatVerifierKey(logKey)}\nwitness W ${formatVerifierKey(w)}\nquorum W\n`),
  );
  const { look, clock } = await watch(server.url, { policy });
  assert.deepEqual(kinds(await look()), []);
  clock.now += 601_000;
  assert.deepEqual(kinds(await look()), []);
  await log.close();
});

test("less than it showed, and cosigned later, is a rollback at once", async () => {
  const log = await grown(6);
  const older = (await log.view.checkpointAt(2)) ?? assert.fail();
  const server = await served(() => log);
  const at = (time: bigint, note: Uint8Array): Response => textResponse(cosigned(note, time));
  const policy = parsePolicy(
    utf8(`log ${formatVerifierKey(logKey)}\nwitness W ${formatVerifierKey(w)}\nquorum W\n`),
  );
  const { look } = await watch(server.url, { policy });
  server.lie = (path) => (path === "/checkpoint" ? at(1_700_000_000n, log.published.checkpoint) : undefined);
  assert.deepEqual(kinds(await look()), []);
  server.lie = (path) => (path === "/checkpoint" ? at(1_699_999_000n, older.checkpoint) : undefined);
  assert.deepEqual(kinds(await look()), [], "cosigned before");
  server.lie = (path) => (path === "/checkpoint" ? at(1_700_000_001n, older.checkpoint) : undefined);
  assert.deepEqual(kinds(await look()), ["rollback"]);
  await log.close();
});

test("one look that fails accuses nobody, however long ago the last was; one that goes on failing is silence", async () => {
  const log = await grown(2);
  const server = await served(() => log);
  const witness = await served(
    () => log,
    () => textResponse(cosigned(log.published.checkpoint)),
  );
  const { look, clock, monitor } = await watch(server.url, { policy: witnessPolicy(witness.url) });
  assert.deepEqual(kinds(await look()), []);
  clock.now += 86_400_000;
  server.lie = () => new Response("busy", { status: 503 });
  witness.lie = () => new Response("busy", { status: 503 });
  assert.deepEqual(kinds(await look()), []);
  assert.equal(typeof monitor.seen, "string");
  assert.match(monitor.unchecked.join(), /witness W \(status 503\)/);
  clock.now += 600_000;
  assert.deepEqual(kinds(await look()), []);
  clock.now += 1;
  assert.deepEqual(kinds(await look()), ["silence", "silence"]);
  await log.close();
});

/** The files of a log, and nobody who answers questions. */
const onlyFiles: Lie = (path) =>
  path.startsWith("/v1/") ? new Response("<h1>Not Found</h1>", { status: 404 }) : undefined;

test("a static copy of a log: read whole, judged by its rules over several stretches, and said what was not checked", async () => {
  const log = await grown(40);
  const server = await served(() => log, onlyFiles);
  const { look, monitor, store, clock } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  assert.equal((await store.head())?.size, log.published.size);
  assert.deepEqual(monitor.unchecked, ["times", "status"]);
  // It grows: that it is the same log, its tiles show.
  for (let n = 0; n < 3; n++)
    await submit(log, ...Array.from({ length: 400 }, (_, i) => request(1000 * (n + 1) + i)));
  assert.deepEqual(kinds(await look()), []);
  assert.equal((await store.head())?.size, log.published.size);
  clock.now += 3_600_000;
  assert.deepEqual(kinds(await look()), [], "nor is it accused later");
  await log.close();
});

test("a static copy with an entry that no key of the log signed is found out all the same", async () => {
  const log = await grown(3);
  const { entries, note } = await rebuilt(log, (all) => [...all, dsse(record({}), stranger).bytes]);
  const files = operator(entries, note);
  const server = await served(
    () => log,
    (path, truth) => (path.startsWith("/v1/") ? onlyFiles(path, truth) : files(path, truth)),
  );
  const { look } = await watch(server.url);
  assert.deepEqual(kinds(await look()), ["entry-invalid"]);
  await log.close();
});

test("a log of another make, with entries of its own: its tree is checked, and nobody is accused", async () => {
  const log = await grown(1);
  const { entries, note } = await rebuilt(log, () => [utf8("not a policy"), utf8(""), utf8("of somebody's")]);
  const files = operator(entries, note);
  const server = await served(
    () => log,
    (path, truth) => (path.startsWith("/v1/") ? onlyFiles(path, truth) : files(path, truth)),
  );
  const { look, monitor, store } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  assert.deepEqual(monitor.unchecked, ["its rules", "times", "status"]);
  assert.equal((await store.head())?.size, 3);
  await log.close();
});

test("a log that answered questions and does not any more is said to be silent about them", async () => {
  const log = await grown(2);
  const server = await served(() => log);
  const { look } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  server.lie = onlyFiles;
  assert.deepEqual(kinds(await look()), ["silence"]);
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), []);
  await log.close();
});

test("a fork is found whatever the log answers to questions, and a pass that could not finish is not clean", async () => {
  const [shown, other] = [await grown(6), await grown(6, 100)];
  for (const [answer, found, isSeen] of [
    [() => new Response("busy", { status: 503 }), ["fork"], "string"],
    // A page for people: that is nobody who answers questions.
    [() => new Response("<html>"), ["fork", "silence"], "object"],
  ] as const) {
    const server = await served(() => shown);
    const { look, evidence, monitor } = await watch(server.url);
    assert.deepEqual(kinds(await look()), []);
    server.lie = (path) => {
      if (path === "/checkpoint") return textResponse(other.published.checkpoint);
      return path === "/v1/log" ? answer() : undefined;
    };
    assert.deepEqual(kinds(await look()), found);
    assert.equal(evidence.length, 1);
    assert.equal(typeof monitor.seen, isSeen);
  }
  const server = await served(
    () => shown,
    (path) => (path.startsWith("/tile/entries/") ? new Response("busy", { status: 503 }) : undefined),
  );
  const { look, monitor } = await watch(server.url);
  assert.deepEqual(kinds(await look()), []);
  assert.ok(typeof monitor.seen === "string");
  assert.match(monitor.seen, /its checkpoint was had, and not all that belongs to it/);
  await shown.close();
  await other.close();
});

test("a use beyond what a grant allows is found in a static copy too: only what a clock would say is not held against it", async () => {
  const { log, stage } = await play(granted);
  const { ref, submission } = grantOf(stage, 1, undefined, { not_before: "2026-05-01T11:00:00Z" });
  await put(log, submission);
  await put(log, consume(stage, ref, 1, "one"));
  const extra = consume(stage, ref, 1, "two").bytes;
  for (const [change, found] of [
    [(all: Uint8Array[]) => all, []],
    [(all: Uint8Array[]) => [...all, extra], ["entry-invalid"]],
  ] as const) {
    const { entries, note } = await rebuilt(log, change);
    const files = operator(entries, note);
    const server = await served(
      () => log,
      (path, truth) => (path.startsWith("/v1/") ? onlyFiles(path, truth) : files(path, truth)),
    );
    const { look } = await watch(server.url);
    assert.deepEqual(kinds(await look()), found);
  }
  await log.close();
});

test("what was taken in when nobody answered stays said, and a log of ours that began as one of another make is found out", async () => {
  const log = await grown(3);
  const server = await served(() => log, onlyFiles);
  const { look, monitor } = await watch(server.url);
  await look();
  server.lie = () => undefined;
  assert.deepEqual(kinds(await look()), []);
  assert.deepEqual(monitor.unchecked, ["times of the 5 entries that came without"]);
  const { entries, note } = await rebuilt(log, (all) => [request(0).bytes, ...all.slice(1)]);
  const files = operator(entries, note);
  const evil = await served(
    () => log,
    (path, truth) => (path.startsWith("/v1/") ? onlyFiles(path, truth) : files(path, truth)),
  );
  const second = await watch(evil.url);
  assert.deepEqual(kinds(await second.look()), []);
  evil.lie = files;
  assert.deepEqual(kinds(await second.look()), ["entry-invalid"]);
  await log.close();
});

test("clocks of two witnesses that differ make no rollback of an old copy", async () => {
  const log = await grown(6);
  const older = (await log.view.checkpointAt(2)) ?? assert.fail();
  const ahead = signingKey("witness.example/ahead", seed(62), ED25519_COSIGNATURE);
  const server = await served(() => log);
  const policy = parsePolicy(
    utf8(
      `log ${formatVerifierKey(logKey)}\nwitness W ${formatVerifierKey(w)}\nwitness A ${formatVerifierKey(ahead)}\ngroup G any W A\nquorum G\n`,
    ),
  );
  const { look } = await watch(server.url, { policy });
  server.lie = (path) =>
    path === "/checkpoint" ? textResponse(cosigned(log.published.checkpoint, 1_700_000_100n)) : undefined;
  assert.deepEqual(kinds(await look()), []);
  const parsed = parseNote(cosigned(older.checkpoint, 1_700_000_090n));
  const both = formatNote(withSignatures(parsed, [cosign(parsed.text, ahead, 1_700_000_110n)]));
  server.lie = (path) => (path === "/checkpoint" ? textResponse(both) : undefined);
  assert.deepEqual(kinds(await look()), []);
  await log.close();
});

test("a witness that has cosigned and shows nothing where it is asked: said, not counted as heard, and found where it does", async () => {
  const log = await grown(2);
  const server = await served(
    () => log,
    (path) => (path === "/checkpoint" ? textResponse(cosigned(log.published.checkpoint)) : undefined),
  );
  const elsewhere = await served(
    () => log,
    () => textResponse(cosigned(log.published.checkpoint)),
  );
  const nothing = await served(
    () => log,
    () => new Response("404 page not found", { status: 404 }),
  );
  const policy = witnessPolicy(nothing.url);
  const first = await watch(server.url, { policy });
  assert.deepEqual(kinds(await first.look()), []);
  assert.match(first.monitor.unchecked.join(), /witness W \(it cosigns, and answers 404 at .*--witness-at/);
  first.clock.now += 601_000;
  assert.deepEqual(kinds(await first.look()), ["silence"]);
  const second = await watch(server.url, { policy, witnessAt: new Map([["W", elsewhere.url]]) });
  assert.deepEqual(kinds(await second.look()), []);
  assert.deepEqual(second.monitor.unchecked, []);
  second.clock.now += 601_000;
  assert.deepEqual(kinds(await second.look()), []);
  await log.close();
});

test("a log that renews its cosignatures and shows old ones is frozen; one that does not say so is not accused", async () => {
  for (const [says, found] of [
    [600, ["unwitnessed"]],
    [undefined, []],
  ] as const) {
    const log = await grown(2);
    const server = await served(
      () => log,
      (path, truth) => {
        if (path === "/checkpoint")
          return textResponse(cosigned(log.published.checkpoint, BigInt(NOW / 1000)));
        if (path !== "/v1/log") return undefined;
        return truth().then(async (response) => {
          const about = (await response.json()) as Record<string, unknown>;
          return Response.json({ ...about, cosignatures_renewed_after_s: says });
        });
      },
    );
    const policy = parsePolicy(
      utf8(`log ${formatVerifierKey(logKey)}\nwitness W ${formatVerifierKey(w)}\nquorum W\n`),
    );
    const { look, clock } = await watch(server.url, { policy });
    clock.now += 1_200_000;
    assert.deepEqual(kinds(await look()), []);
    clock.now += 1;
    assert.deepEqual(kinds(await look()), found);
    await log.close();
  }
});

test("a raw log has no rules but the tree's", async () => {
  const log = await openLog(await newStore("raw"), { now: () => NOW });
  await log.submitRaw([utf8("anything"), new Uint8Array(0), utf8("more")]);
  const { look, store } = await watch((await served(() => log)).url, { filters: ["all"] });
  const events = await look();
  assert.deepEqual(kinds(events), []);
  assert.equal(events.length, 4);
  assert.equal((await store.head())?.size, 4);
  await log.close();
});

/** An operator that serves these entries, under a root that it has signed. */
function operator(entries: readonly Uint8Array[], note: Uint8Array): Lie {
  const { size } = openCheckpoint(note, logKey).checkpoint;
  return (path) => {
    if (path === "/checkpoint") return textResponse(note);
    if (path.startsWith("/tile/entries/")) return new Response(formatBundle(entries));
    if (path.startsWith("/v1/search")) {
      const hits = entries.map((_, index) => ({ index, received_at: new Date(NOW).toISOString() }));
      return new Response(JSON.stringify({ entries: hits, complete_to: size, next: null }));
    }
    return path.startsWith("/v1/") && path !== "/v1/log" ? new Response("no", { status: 404 }) : undefined;
  };
}
