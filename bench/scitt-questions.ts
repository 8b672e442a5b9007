/** What the standard API costs beside our own: statements registered, receipts fetched. */
import { sha256, toHex } from "#crypto";
import { utf8 } from "../src/format/bytes.js";
import { RECORD_MEDIA_TYPE } from "../src/record/record.js";
import { canonicalJson } from "../src/statement/jcs.js";
import { signCose } from "../src/statement/sign.js";
import { type PinnedService, serviceOfKey, verifyReceipt } from "../src/statement/verify-receipt.js";
import { closedLoop, renderGet, renderPost } from "./load.js";
import { demandAll, perSecond, type Question, round, type Row } from "./questions.js";
import { AGENT, agent, makeFolder, registerAgent, startServer, type Target } from "./server.js";
import { bareRate } from "./status-questions.js";

/** One statement in so many is verified by its receipt. */
const SAMPLE = 500;
const ROUNDS = 6;

/** Action requests as `statements` has them, in COSE; each about its own trace, or all about one. */
function coseStatements(count: number, name: string, subject?: string): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const record = {
      type: "action-request",
      v: 1,
      issuer: AGENT,
      issued_at: "2026-05-01T12:00:00Z",
      trace_id: `${name}-${i}`,
      agent_id: AGENT,
      delegator_id: "user://acme/cfo",
      action_type: "wire.transfer",
      target: { vendor: "acme-supplies" },
      constraints: { amount_max: "50000.00 USD" },
      policy_version: "2026-04",
      requested_at: "2026-05-01T12:00:00Z",
    };
    const claims = { issuer: AGENT, subject: subject ?? record.trace_id, issuedAt: 1_777_636_800 };
    return signCose(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), claims, agent);
  });
}

async function withLog<T>(use: (target: Target, service: PinnedService) => Promise<T>): Promise<T> {
  const target = await startServer(await makeFolder("registered"));
  await registerAgent(target);
  try {
    return await use(target, serviceOfKey(target.key.publicKey));
  } finally {
    await target.stop();
  }
}

async function registered(
  target: Target,
  service: PinnedService,
  path: "/entries" | "/v1/entries",
  statements: readonly Uint8Array[],
): Promise<number> {
  const requests = statements.map((statement) => renderPost(path, "application/cose", statement));
  const result = await closedLoop(target.port, requests, 256, (i, { body }) => {
    if (path === "/entries" && i % SAMPLE === 0)
      verifyReceipt(statements[i] as Uint8Array, new Uint8Array(body), [service]);
  });
  demandAll(result, 201, statements.length);
  return perSecond(statements.length, result);
}

/** The two ways to submit the same statements to one log, in turns, so that what drifts drifts for both. */
export const registering: Question = async () => {
  const each = 10_000;
  const rows: Row[] = [];
  for (const [what, subject] of [
    ["each about a subject of its own", undefined],
    ["all about one subject", "urn:example:one"],
  ] as const) {
    await withLog(async (target, service) => {
      await registered(target, service, "/v1/entries", coseStatements(each, "warm-a"));
      await registered(target, service, "/entries", coseStatements(each, "warm-b"));
      const rates = { "/v1/entries": [] as number[], "/entries": [] as number[] };
      for (let i = 0; i < ROUNDS; i++)
        for (const path of ["/v1/entries", "/entries"] as const)
          rates[path].push(
            await registered(target, service, path, coseStatements(each, `${path}-${i}`, subject)),
          );
      const [own, standard] = [mean(rates["/v1/entries"]), mean(rates["/entries"])];
      rows.push({
        what: `POST /entries, 256 connections, ${what}`,
        got: `${round(standard)}/s`,
        reach: "≥ 0.9",
        baseline: `POST /v1/entries: ${round(own)}/s`,
        ratio: round(standard / own),
      });
    });
  }
  return rows;
};

/** Fresh receipts of four thousand statements under one checkpoint: each signed once, or one signature for all. */
export const receipts: Question = async () => {
  const [count, logged] = [60_000, 4_000];
  const rows: Row[] = [];
  for (const [what, subject] of [
    ["a subject each", undefined],
    ["one subject", "urn:example:one"],
  ] as const) {
    await withLog(async (target, service) => {
      const statements = coseStatements(logged, "r", subject);
      await registered(target, service, "/entries", statements);
      const requests = Array.from({ length: count }, (_, i) =>
        renderGet(`/entries/${toHex(sha256(statements[i % logged] as Uint8Array))}`),
      );
      let bytes = 0;
      // The first pass finds nothing kept: its receipts are all signed anew.
      const cold = await closedLoop(target.port, requests.slice(0, logged), 32, () => {});
      const result = await closedLoop(target.port, requests, 32, (i, { body }) => {
        bytes = body.length;
        if (i % SAMPLE === 0)
          verifyReceipt(statements[i % logged] as Uint8Array, new Uint8Array(body), [service]);
      });
      demandAll(result, 200, count);
      const bare = await bareRate(`/bytes/${bytes}`, count, 32);
      rows.push({
        what: `receipts of ${logged} statements, ${what}, one core (the first of each: ${round(perSecond(logged, cold))}/s)`,
        got: `${round(perSecond(count, result))}/s`,
        reach: "≥ 10,000/s",
        baseline: `the framework alone, as many bytes: ${round(bare)}/s`,
        ratio: round(bare / perSecond(count, result)),
      });
    });
  }
  return rows;
};

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
