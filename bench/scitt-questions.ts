/** What the standard API costs beside our own: statements registered, receipts fetched. */
import { sha256, toHex } from "#crypto";
import { RECORD_MEDIA_TYPE } from "../src/record/record.js";
import { signCose } from "../src/statement/sign.js";
import { serviceOfKey, verifyReceipt } from "../src/statement/verify-receipt.js";
import { closedLoop, renderGet, renderPost } from "./load.js";
import { demandAll, perSecond, type Question, round, type Row, withLog } from "./questions.js";
import { actionRequest, AGENT, agent, type Target } from "./server.js";
import { bareRate } from "./status-questions.js";

/** One statement in so many is verified by its receipt. */
const SAMPLE = 500;
const ROUNDS = 6;

/** Action requests as `statements` has them, in COSE; each about its own trace, or all about one. */
function coseStatements(count: number, name: string, subject?: string): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const traceId = `${name}-${i}`;
    const claims = { issuer: AGENT, subject: subject ?? traceId, issuedAt: 1_777_636_800 };
    return signCose(RECORD_MEDIA_TYPE, actionRequest(traceId), claims, agent);
  });
}

async function registered(
  target: Target,
  path: "/entries" | "/v1/entries",
  statements: readonly Uint8Array[],
): Promise<number> {
  const service = serviceOfKey(target.key.publicKey);
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
    await withLog(async (target) => {
      await registered(target, "/v1/entries", coseStatements(each, "warm-a"));
      await registered(target, "/entries", coseStatements(each, "warm-b"));
      const rates = { "/v1/entries": [] as number[], "/entries": [] as number[] };
      for (let i = 0; i < ROUNDS; i++)
        for (const path of ["/v1/entries", "/entries"] as const)
          rates[path].push(await registered(target, path, coseStatements(each, `${path}-${i}`, subject)));
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
    await withLog(async (target) => {
      const service = serviceOfKey(target.key.publicKey);
      const statements = coseStatements(logged, "r", subject);
      await registered(target, "/entries", statements);
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
