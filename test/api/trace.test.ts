/** Search, links, traces, verdicts and impact over HTTP: shapes, and what each mistake is told. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Hono } from "hono";
import { createApp } from "../../api/app.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { utf8 } from "../../src/format/bytes.js";
import { signDsse } from "../../src/statement/sign.js";
import { parseBundleFile } from "../../src/trace/bundle.js";
import { logKey, newStore, openLog } from "../support/log.js";
import { judge, play, type Played } from "../support/story.js";

let played: Played;
let app: Hono;

before(async () => {
  played = await play(wireTransfer);
  const foreign = signDsse("text/plain", utf8("hello"), played.stage.signer("agent"));
  await played.log.submit([{ bytes: foreign, form: "dsse" }]);
  app = createApp(played.log, { verifierKeys: [logKey], version: "test" });
});

after(() => played.log.close());

interface Found {
  entries: { index: number; record: { type: string } | null; statement?: string; content_type: string }[];
  complete_to: number;
  next: string | null;
}

async function get<T>(path: string): Promise<T> {
  const response = await app.request(path);
  assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`);
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  return (await response.json()) as T;
}

const found = async (query: string): Promise<number[]> =>
  (await get<Found>(`/v1/search?${query}`)).entries.map(({ index }) => index);

test("every filter, by its own name and its short one, alone and together", async () => {
  const { stage, log } = played;
  const at = (...names: string[]): number[] =>
    names.map((name) => stage.index(name)).toSorted((a, b) => a - b);
  assert.deepEqual(await found("type=approval"), at("finance-approval", "treasury-approval"));
  assert.deepEqual(await found("issuer=user%3A%2F%2Facme%2Fcfo&type=policy"), at("policy"));
  assert.deepEqual(
    await found(`signer=${stage.signer("treasury").publicKey.keyId}`),
    at("treasury-approval"),
  );
  assert.deepEqual(await found("trace_id=wire-4812&type=action-request"), at("request"));
  assert.deepEqual(await found("trace=wire-4812&type=action-request"), at("request"));
  assert.deepEqual(await found("action_type=wire.transfer"), at("wire-type", "request", "grant", "receipt"));
  assert.deepEqual(await found("decision=require-approval"), at("decision"));
  assert.deepEqual(await found("outcome=executed&trace_id=wire-4812"), at("receipt"));
  assert.deepEqual(await found("subject=vendor:acme-supplies"), at("profile", "confirmation"));
  assert.deepEqual(await found("target=DE02"), at("request", "grant", "receipt"));
  assert.deepEqual(await found(`linked=${stage.id("grant")}`), at("consumption", "receipt"));
  assert.deepEqual(await found(`linked=${stage.id("profile")}`), at("confirmation"));
  for (const digits of [8, 9, 63, 64])
    assert.deepEqual(await found(`hash_prefix=${stage.id("grant").slice(0, 7 + digits)}`), at("grant"));
  assert.deepEqual(await found(`hash_prefix=sha256:${"0".repeat(20)}`), []);
  // What stands in one field or another: a call, evidence that was written or relied on, a party in any role.
  const call = (await get<Found>(`/v1/search?type=consumption&trace_id=wire-4812`)).entries[0]
    ?.record as unknown as {
    tool_call_hash: string;
  };
  assert.deepEqual(await found(`tool_call_hash=${call.tool_call_hash}`), at("consumption", "receipt"));
  const asked = (await get<Found>("/v1/search?type=action-request&trace_id=wire-4812")).entries[0]
    ?.record as unknown as {
    evidence_hashes: Record<string, string>;
  };
  const [hash = ""] = Object.values(asked.evidence_hashes);
  const both = await found(`evidence=${hash}`);
  assert.ok(
    at("profile", "request").every((index) => both.includes(index)),
    "who wrote it and who relied on it",
  );
  const everything = (await get<Found>("/v1/search?limit=1000")).entries;
  const named = everything.filter(({ record }) => {
    const value = (record ?? {}) as unknown as Record<string, unknown>;
    const members = [
      "issuer",
      "delegator_id",
      "delegate_id",
      "agent_id",
      "approver_id",
      "executor_id",
      "audience",
      "writer_id",
      "owner",
    ];
    return members.some((member) => [value[member]].flat().includes("user://acme/cfo"));
  });
  assert.deepEqual(
    await found("party=user%3A%2F%2Facme%2Fcfo"),
    named.map(({ index }) => index),
  );
  assert.ok(named.length > 3);
  assert.deepEqual(await found("content_type=text/plain"), [log.published.size - 1]);
  assert.equal(
    (await found("content_type=application/vnd.writ.record%2Bjson")).length,
    log.published.size - 1,
  );
  assert.deepEqual(await found("type=nothing"), []);
  assert.deepEqual(await found("from=3&to=5"), [3, 4]);
  assert.deepEqual(await found("since=2100-01-01T00:00:00Z"), []);
  for (const zone of ["%2B00:00", "+00:00"])
    assert.deepEqual(await found(`since=2100-01-01T00:00:00${zone}`), [], "UTC by its offset");
  assert.deepEqual(await found("order=desc&limit=2"), [log.published.size - 1, log.published.size - 2]);
});

test("pages: a cursor, the size they are complete up to, and no statements", async () => {
  const first = await get<Found>("/v1/search?type=key&limit=4");
  assert.equal(first.entries.length, 4);
  assert.ok(
    first.entries.every(({ statement, record }) => statement === undefined && record?.type === "key"),
  );
  assert.deepEqual([first.complete_to, typeof first.next], [played.log.published.size, "string"]);
  const second = await get<Found>(`/v1/search?type=key&limit=1000&cursor=${first.next}`);
  assert.equal(second.entries.length, Object.keys(wireTransfer.parties).length - 4);
  assert.equal(second.next, null);
});

test("what cannot be asked is said", async () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ["/v1/search?colour=red", 400, "QUERY_INVALID"],
    ["/v1/search?type=a&type=b", 400, "QUERY_INVALID"],
    ["/v1/search?linked=abc", 400, "QUERY_INVALID"],
    ["/v1/search?hash_prefix=sha256:1234567", 400, "QUERY_INVALID"],
    ["/v1/search?hash_prefix=1234567890", 400, "QUERY_INVALID"],
    ["/v1/search?hash_prefix=sha256:12345678&type=key", 400, "QUERY_INVALID"],
    ["/v1/search?limit=0", 400, "QUERY_INVALID"],
    ["/v1/search?limit=1001", 400, "QUERY_INVALID"],
    ["/v1/search?order=up", 400, "QUERY_INVALID"],
    ["/v1/search?cursor=1", 400, "QUERY_INVALID"],
    ["/v1/search?cursor=desc-1-2", 400, "QUERY_INVALID"],
    ["/v1/search?from=-1", 400, "QUERY_INVALID"],
    ["/v1/search?since=yesterday", 400, "QUERY_INVALID"],
    ["/v1/entries/9999/links", 404, "ENTRY_NOT_FOUND"],
    ["/v1/entries/x/links", 400, "REF_MALFORMED"],
    ["/v1/traces/x", 400, "REF_MALFORMED"],
    [`/v1/traces/sha256:${"0".repeat(64)}`, 404, "ENTRY_NOT_FOUND"],
    ["/v1/traces/5?as_of=x", 400, "QUERY_INVALID"],
    ["/v1/traces/5?as_of=5", 404, "ENTRY_NOT_FOUND"],
    ["/v1/traces/5?as_of=99999", 404, "SIZE_UNPUBLISHED"],
    ["/v1/traces/5?profile=lenient", 400, "QUERY_INVALID"],
    ["/v1/traces/5/verdict?at=noon", 400, "QUERY_INVALID"],
    [`/v1/impact/${"x".repeat(2000)}`, 400, "REF_MALFORMED"],
    ["/v1/impact/5?x=1", 400, "QUERY_INVALID"],
  ];
  for (const [path, status, code] of cases) {
    const response = await app.request(path);
    const problem = (await response.json()) as { code: string; detail: string };
    assert.deepEqual([response.status, problem.code], [status, code], path);
    assert.ok(problem.detail.length > 10);
  }
});

test("links both ways, with their kinds", async () => {
  const { stage } = played;
  interface Links {
    index: number;
    out: {
      member: string;
      kind: string;
      value: string;
      missing: boolean;
      to: { index: number; type: string }[];
    }[];
    in: { member: string; index: number; type: string }[];
    truncated: boolean;
  }
  const links = await get<Links>(`/v1/entries/${stage.id("grant")}/links`);
  const decision = links.out.find(({ member }) => member === "decision_hash");
  assert.deepEqual(
    [decision?.missing, decision?.to[0]?.index, decision?.kind],
    [false, stage.index("decision"), "record"],
  );
  assert.deepEqual(
    links.in.map(({ member, index }) => [member, index]),
    [
      ["capability_hash", stage.index("consumption")],
      ["capability_hash", stage.index("receipt")],
    ],
  );
  const foreign = await get<Links>(`/v1/entries/${played.log.published.size - 1}/links`);
  assert.deepEqual([foreign.out, foreign.in], [[], []]);
});

test("the bundle is what the verifier takes, and the server's verdict is the verifier's", async () => {
  const { stage } = played;
  const response = await app.request(`/v1/traces/${stage.id("receipt")}`);
  const bundle = parseBundleFile(new Uint8Array(await response.arrayBuffer()));
  assert.equal(judge(bundle).verdict, "AUTHORIZED");
  interface Verdict {
    verdict: string;
    as_of: number;
    findings: { check: string; outcome: string; code: string | null; nodes: number[]; detail: string }[];
    evidence: {
      name: string;
      receipt: number | null;
      trust: string;
      confirmed_by: number[];
      writer: { id: string };
    }[];
    supporting: { verdict: string }[];
    notes: string[];
  }
  const verdict = await get<Verdict>(`/v1/traces/${stage.id("receipt")}/verdict`);
  assert.equal(verdict.verdict, "AUTHORIZED");
  assert.ok(verdict.findings.every(({ outcome }) => outcome === "PASS" || outcome === "NOT_APPLICABLE"));
  assert.deepEqual(
    verdict.supporting.map(({ verdict: word }) => word),
    ["AUTHORIZED"],
  );
  const [profile] = verdict.evidence;
  assert.deepEqual(
    [profile?.name, profile?.receipt, profile?.trust, profile?.confirmed_by, profile?.writer.id],
    [
      "vendor_profile",
      stage.index("onboard-receipt"),
      "confirmed",
      [stage.index("confirmation")],
      "recorder://acme/vendors",
    ],
  );
  const past = await get<Verdict>(`/v1/traces/${stage.id("request")}/verdict?as_of=${stage.index("grant")}`);
  assert.deepEqual([past.verdict, past.as_of], ["NOT_EXECUTED", stage.index("grant")]);
  const foreign = await get<Verdict>(`/v1/traces/${played.log.published.size - 1}/verdict`);
  assert.equal(foreign.verdict, "RECORDED");
});

test("a raw log has no records, and says so in the same shapes", async () => {
  const log = await openLog(await newStore("raw"));
  await log.submitRaw([utf8("some bytes")]);
  const raw = createApp(log, { verifierKeys: [logKey], version: "test" });
  const read = async (path: string): Promise<unknown> => (await raw.request(path)).json();
  assert.equal(((await read("/v1/search")) as Found).entries.length, 2);
  assert.deepEqual(((await read("/v1/search?type=fact")) as Found).entries, []);
  assert.deepEqual(((await read("/v1/entries/1/links")) as { out: unknown[] }).out, []);
  assert.equal(((await read("/v1/traces/1")) as { entries: unknown[] }).entries.length, 2);
  await log.close();
});

test("the closure statement alone is the bundle's own; of nothing that is there, it is none", async () => {
  const { stage } = played;
  const response = await app.request(`/v1/traces/${stage.id("receipt")}`);
  const bundle = parseBundleFile(new Uint8Array(await response.arrayBuffer()));
  const alone = await app.request(`/v1/traces/${stage.id("receipt")}/closure?as_of=${bundle.asOf}`);
  assert.equal(alone.status, 200);
  assert.ok(bundle.closure);
  assert.equal(Buffer.from(await alone.arrayBuffer()).toString(), Buffer.from(bundle.closure).toString());
  const none = await app.request(`/v1/traces/sha256:${"0".repeat(64)}/closure`);
  assert.equal(none.status, 404);
  const early = await app.request(`/v1/traces/${stage.id("receipt")}/closure?as_of=1`);
  assert.equal(early.status, 404);
});
