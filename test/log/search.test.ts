/** Search, links and impact: compared with reading everything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createApp } from "../../api/app.js";
import { wireTransfer } from "../../src/demo/stories.js";
import type { Log } from "../../src/log/log.js";
import type { SearchQuery } from "../../src/log/ask/search.js";
import { termName, type Term, termsOf } from "../../src/index/terms.js";
import { buildRecord } from "../../src/record/build.js";
import { parseRecord } from "../../src/record/record.js";
import { parseStatement } from "../../src/statement/parse.js";
import {
  dsse,
  factMembers,
  logKey,
  logWithAgent,
  newStore,
  openLog,
  record,
  registration,
  stranger,
} from "../support/log.js";
import { RUNS } from "../support/runs.js";
import { play, START, stageOf } from "../support/story.js";

const TYPES = ["action-request", "fact"] as const;
const WORDS = ["a", "b", "c"] as const;

/** A log of facts and requests with few different words, and the terms of each entry. */
async function library(count: number): Promise<{ log: Log; terms: Set<string>[] }> {
  let now = START;
  const log = await logWithAgent({ now: () => now });
  await log.submit([registration(stranger, ["recorder"], ["agent://nobody"])]);
  for (let n = 0; n < count; n++) {
    now += n % 3 === 0 ? 1000 : 0;
    const word = WORDS[n % 3] ?? "a";
    const submission =
      n % 2 === 0
        ? dsse(record({ trace_id: `t-${word}`, action_type: `act-${WORDS[n % 2]}`, n }))
        : dsse(
            record({
              ...factMembers,
              issuer: "agent://nobody",
              subject: `s-${word}`,
              mission_id: `m-${WORDS[(n >> 2) % 3]}`,
              n,
            }),
            stranger,
          );
    await log.submit([submission]);
  }
  const { size } = log.published;
  const terms = await Promise.all(
    Array.from({ length: size }, async (_, index) => {
      const { stored } = await log.read.entry(index);
      const statement = parseStatement(stored, "dsse");
      return new Set(
        termsOf(statement, parseRecord(statement.payload)).map((term) =>
          Buffer.from(termName(term)).toString("hex"),
        ),
      );
    }),
  );
  return { log, terms };
}

async function allPages(log: Log, query: SearchQuery): Promise<number[]> {
  const found: number[] = [];
  let next = query;
  for (let pages = 0; pages < 10_000; pages++) {
    const { entries, page } = await log.queries.search(next);
    found.push(...entries.map(({ index }) => index));
    if (page.next === null) return found;
    assert.ok(entries.length <= query.limit);
    next = { ...query, cursor: page.next };
  }
  throw new Error("an endless search");
}

test("any conjunction of filters, either way, in pages of any size, finds what reading everything finds", async () => {
  const { log, terms } = await library(150);
  const term = fc.oneof(
    fc.constantFrom(...TYPES).map((value): Term => ({ field: "type", value })),
    fc.constantFrom(...WORDS).map((word): Term => ({ field: "trace_id", value: `t-${word}` })),
    fc.constantFrom(...WORDS).map((word): Term => ({ field: "subject", value: `s-${word}` })),
    fc.constantFrom(...WORDS).map((word): Term => ({ field: "mission_id", value: `m-${word}` })),
    fc
      .constantFrom("agent://acme/buyer", "agent://nobody")
      .map((value): Term => ({ field: "issuer", value })),
    fc.constantFrom("act-a", "act-b", "nothing").map((value): Term => ({ field: "action_type", value })),
  );
  const bound = fc.option(fc.nat(160), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      fc.array(term, { maxLength: 3 }),
      bound,
      bound,
      fc.constantFrom("asc" as const, "desc" as const),
      fc.integer({ min: 1, max: 60 }),
      async (filters, from, to, order, limit) => {
        const query: SearchQuery = {
          terms: filters,
          order,
          limit,
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
        };
        const names = filters.map((one) => Buffer.from(termName(one)).toString("hex"));
        const want = terms.flatMap((own, index) =>
          index >= (from ?? 0) && index < (to ?? terms.length) && names.every((name) => own.has(name))
            ? [index]
            : [],
        );
        assert.deepEqual(await allPages(log, query), order === "asc" ? want : want.toReversed());
      },
    ),
    { numRuns: Math.min(RUNS, 2000) },
  );
  await log.close();
});

test("times of the log's clock are ranges of indexes", async () => {
  const { log } = await library(30);
  const received = await Promise.all(
    Array.from({ length: log.published.size }, async (_, index) => (await log.read.entry(index)).receivedAt),
  );
  for (const since of [0, START, START + 1000, START + 3500, START + 99_999_999]) {
    const query: SearchQuery = { terms: [], order: "asc", limit: 1000, since, until: since + 4000 };
    const want = received.flatMap((time, index) => (time >= since && time < since + 4000 ? [index] : []));
    assert.deepEqual(await allPages(log, query), want);
  }
  await log.close();
});

test("a cursor stays right while the log grows: upwards the new ones come, downwards none is given twice", async () => {
  const { log } = await library(40);
  const query = { terms: [{ field: "type", value: "fact" }], limit: 5 } as const;
  for (const order of ["asc", "desc"] as const) {
    const found: number[] = [];
    const begun = log.published.size;
    let next: SearchQuery | null = { ...query, order };
    for (let n = 0; next !== null; n++) {
      const { entries, page } = await log.queries.search(next);
      found.push(...entries.map(({ index }) => index));
      if (n < 3)
        await log.submit([
          dsse(record({ ...factMembers, issuer: "agent://nobody", subject: "new", order, n }), stranger),
        ]);
      assert.equal(page.completeTo >= begun, true);
      next = page.next === null ? null : { ...query, order, cursor: page.next };
    }
    const now = await allPages(log, { ...query, order });
    const want = order === "asc" ? now : now.filter((index) => index < begun);
    assert.deepEqual(found, want);
  }
  await log.close();
});

test("links: missing ones named, and resolved when their target arrives; both ways; values too", async () => {
  const store = await newStore();
  const log = await openLog(store, { now: () => START });
  const steps = wireTransfer.steps.map((one) => (one.name === "policy" ? { ...one, withheld: true } : one));
  const withheld = { ...wireTransfer, steps };
  const { stage } = await play(withheld, { store, log, stage: stageOf(withheld) });
  const linksOf = async (name: string) => log.queries.links(stage.index(name));
  const decision = await linksOf("decision");
  assert.deepEqual(
    decision.out.filter(({ to }) => to.length === 0).map(({ member, kind }) => `${member} ${kind}`),
    ["policy_digest policy"],
  );
  assert.deepEqual(
    decision.out.find(({ member }) => member === "request_hash")?.to.map(({ index }) => index),
    [stage.index("request")],
  );
  const policy = wireTransfer.steps.find(({ name }) => name === "policy");
  assert.ok(policy);
  const bytes = buildRecord("policy", {
    issuer: "user://acme/cfo",
    issued_at: stage.time(policy.at),
    ...policy.members(stage),
  } as never).bytes;
  await log.submit([dsse(bytes, stage.signer("owner"))]);
  const resolved = await linksOf("decision");
  assert.deepEqual(
    resolved.out.filter(({ to }) => to.length === 0),
    [],
  );
  const incoming = async (name: string): Promise<string[]> =>
    (await linksOf(name)).in.map(({ member, from }) => `${member} ${from.type}`);
  assert.deepEqual(await incoming("grant"), [
    "capability_hash consumption",
    "capability_hash execution-receipt",
  ]);
  assert.deepEqual(await incoming("profile"), [
    "confirms fact",
    "evidence action-request",
    "evidence policy-decision",
  ]);
  assert.ok((await incoming("wire-type")).includes("action_type action-request"));
  await log.close();
});

test("impact: everything that relied on it, through all levels, with the way it came", async () => {
  const store = await newStore();
  const log = await openLog(store, { now: () => START });
  const { stage } = await play(wireTransfer, { store, log, stage: stageOf(wireTransfer) });
  const app = createApp(log, { verifierKeys: [logKey], version: "test" });
  const names = new Map(
    [
      "request",
      "decision",
      "grant",
      "consumption",
      "receipt",
      "profile",
      "confirmation",
      "onboard-request",
      "onboard-receipt",
      "finance-approval",
      "treasury-approval",
      "onboard-decision",
      "onboard-grant",
      "onboard-consumption",
      "seal",
    ].map((name) => [stage.index(name), name]),
  );
  const impactOf = async (name: string): Promise<string[]> => {
    const response = await app.request(`/v1/impact/${encodeURIComponent(name)}`);
    assert.equal(response.status, 200);
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as { index?: number; path?: number[]; complete_to?: number; count?: number },
      );
    const end = lines.pop();
    assert.deepEqual([end?.complete_to, end?.count], [log.published.size, lines.length]);
    for (const { index, path } of lines) assert.equal(path?.at(-1), index);
    return lines.map(({ index }) => names.get(index ?? -1) ?? String(index)).toSorted();
  };
  const action = [
    "consumption",
    "decision",
    "finance-approval",
    "grant",
    "receipt",
    "request",
    "treasury-approval",
  ];
  assert.deepEqual(
    await impactOf(stage.id("bank-check")),
    [
      ...action,
      "confirmation",
      "onboard-consumption",
      "onboard-decision",
      "onboard-grant",
      "onboard-receipt",
      "onboard-request",
      "profile",
    ].toSorted(),
  );
  assert.deepEqual(await impactOf(stage.id("profile")), [...action, "confirmation"].toSorted());
  assert.deepEqual(await impactOf(stage.id("grant")), ["consumption", "receipt"]);
  assert.deepEqual(await impactOf(stage.id("finance-approval")), ["consumption", "grant", "receipt"]);
  assert.deepEqual(await impactOf("wire.transfer"), action);
  assert.deepEqual(await impactOf(stage.signer("treasury").publicKey.keyId), [
    "consumption",
    "grant",
    "receipt",
    "treasury-approval",
  ]);
  assert.ok((await impactOf(stage.hash("policy 2026-04"))).includes("receipt"));
  assert.deepEqual(await impactOf("nothing at all"), []);
  await log.close();
});
