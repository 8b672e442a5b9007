/** Reading entries, proofs and the log's own description: `GET /v1/…`. All of it is public. */
import type { Context, Hono } from "hono";
import { toBase64 } from "#crypto";
import type { Hash } from "../merkle/index.js";
import { WritError } from "../src/errors.js";
import { MAX_ENTRY_BYTES } from "../src/format/bundle.js";
import { fromUtf8, parseDecimal } from "../src/format/bytes.js";
import { formatPolicy } from "../src/format/policy.js";
import { formatVerifierKey, type VerifierKey } from "../src/format/vkey.js";
import { MAX_SUBMITTED_BYTES } from "../src/log/admit/admit.js";
import { entryJson, type LogEntry } from "../src/log/admit/entry.js";
import { type Log } from "../src/log/log.js";
import { MAX_SAME_RECORD } from "../src/log/ask/reading.js";
import type { Published } from "../src/log/tree/publish.js";
import { RECEIPT_MEDIA_TYPE } from "../src/statement/receipt.js";
import { COSE_MEDIA_TYPE, DSSE_MEDIA_TYPE } from "../src/statement/statement.js";
import { hashList, type Places, proofAnswer, tlogProof } from "./answers.js";
import { didKey } from "../src/status-list/did-key.js";
import { negotiate } from "./negotiate.js";
import { query, requiredSize, sizeParam } from "./params.js";
import { indexesOf, publishedAt, treeAt } from "./refs.js";
import { entryLines, type Readers } from "./readers.js";
import type { Receipts } from "./receipts.js";
import type { ServiceOptions } from "./service.js";
import { MAX_BATCH_BYTES, MAX_BATCH_ENTRIES } from "./submit.js";
import { DEFAULT_WAIT_MS, MAX_WAIT_MS, RETRY_LATER, WAIT_MEMBERS, waitOf } from "./wait.js";
import { witnessAnswers, witnessedAnswer } from "./witnesses.js";

const JSON_HEADERS = { "content-type": "application/json", "access-control-allow-origin": "*" };

/** What stands at an index never changes. */
const FOREVER = { "cache-control": "public, max-age=31536000, immutable" };

function isIndex(ref: string | undefined): boolean {
  return parseDecimal(ref ?? "") !== undefined;
}

const WITH_STATEMENT = { statement: true };

export interface LogDescription {
  readonly verifierKeys: readonly VerifierKey[];
  readonly version: string;
  /** What status lists and receipts are signed with and called by; without it there are none. */
  readonly service?: ServiceOptions;
}

/** `receipts` null: there are none, and proofs are JSON. */
export function readRoutes(
  app: Hono,
  log: Log,
  { verifierKeys, version, service }: LogDescription,
  receipts: Receipts | null,
  readers: Readers,
  places: Places,
): void {
  // One entry; or the entries that carry one record, 4 MiB of them at most.
  // Costs an entry of 64 KiB, or of one record as many as 4 MiB hold, and a head each.
  app.get("/v1/entries/:ref", async (c) => {
    query(c, []);
    const [index, ...others] = await indexesOf(log, c.req.param("ref"));
    if (others.length === 0)
      return entryResponse(c, await log.read.entry(index), isIndex(c.req.param("ref")));
    const accept = c.req.header("accept");
    const type = negotiate(accept, [
      "application/json",
      "application/octet-stream",
      COSE_MEDIA_TYPE,
      DSSE_MEDIA_TYPE,
    ]);
    if (type !== "application/json") onlyOne([index, ...others]);
    return readers.answer(c, async (lease) => {
      const { entries, isCut } = await log.queries.entries([index, ...others], lease);
      const truncated = isCut || others.length + 1 === MAX_SAME_RECORD;
      const lines = await entryLines(entries, WITH_STATEMENT, lease);
      return { body: [...lines, `],"truncated":${truncated}}`], headers: JSON_HEADERS };
    });
  });

  // Costs an entry of 64 KiB and a proof of 63 hashes; with `wait`, a place among those who wait for witnesses.
  app.get("/v1/entries/:ref/proof", async (c) => {
    const members = query(c, [...WAIT_MEMBERS, "size"]);
    const wait = waitOf(log, members);
    const size = sizeParam(members.size, "size");
    if (wait !== null && size !== undefined)
      throw new WritError("QUERY_INVALID", "want either a size or the wait for the witnesses", {
        path: "size",
      });
    const answer = negotiate(c.req.header("accept"), ["text/plain", "application/json"]);
    const index = onlyOne(await indexesOf(log, c.req.param("ref"), wait !== null));
    if (wait !== null && (await log.view.reached(index + 1, wait)) === null) return notYet(index, places);
    const published = size === undefined ? log.view.bestOver(index + 1) : await publishedAt(log, size);
    if (index >= published.size) {
      throw new WritError("SIZE_UNPUBLISHED", `entry ${index} is not in the tree of ${published.size}`, {
        path: "size",
      });
    }
    const hashes = await log.read.inclusion(index, published.size);
    if (answer === "text/plain") return proofFile(index, hashes, published);
    return new Response(proofAnswer(await log.read.entry(index), hashes, published), {
      headers: JSON_HEADERS,
    });
  });

  // Costs a proof of 63 hashes.
  app.get("/v1/consistency", async (c) => {
    const { from: fromText, to: toText } = query(c, ["from", "to"]);
    const from = requiredSize(fromText, "from");
    const to = requiredSize(toText, "to");
    const { size } = log.published;
    if (from > to)
      throw new WritError("QUERY_INVALID", `want from ≤ to, got ${from} > ${to}`, { path: "from" });
    if (to > size)
      throw new WritError("SIZE_UNPUBLISHED", `the published size is ${size}, got to ${to}`, { path: "to" });
    const type = negotiate(c.req.header("accept"), [
      "application/json",
      ...(receipts === null ? [] : [COSE_MEDIA_TYPE, RECEIPT_MEDIA_TYPE]),
    ]);
    if (receipts !== null && type !== "application/json") {
      if (from === 0)
        throw new WritError("QUERY_INVALID", "a receipt wants from ≥ 1: every tree extends the empty one", {
          path: "from",
        });
      const receipt = await receipts.consistency(from, await treeAt(log, to));
      return new Response(receipt, {
        headers: { "content-type": type, "access-control-allow-origin": "*" },
      });
    }
    const hashes = await log.read.consistency(from, to);
    return new Response(`{"from":${from},"to":${to},"hashes":${hashList(hashes)}}`, {
      headers: JSON_HEADERS,
    });
  });

  // Costs what is in memory: a line for each witness.
  app.get("/v1/log", (c) => {
    query(c, []);
    const { published, policy } = log;
    const body = {
      origin: log.origin,
      verifier_keys: verifierKeys.map(formatVerifierKey),
      size: published.size,
      root: toBase64(published.root),
      log_checkpoint: published.text,
      url: service?.url() ?? null,
      status_issuer: service === undefined ? null : didKey(service.key.publicKey),
      policy: policy.record.value,
      witnesses: witnessAnswers(log),
      witness_policy: log.witnessing === null ? null : fromUtf8(formatPolicy(log.witnessing.policy)),
      witnesses_required:
        log.view.requirement === null || log.view.requirement === "all"
          ? log.view.requirement
          : `tier-${log.view.requirement}`,
      witnessed: witnessedAnswer(log.witnessed),
      // A cosignature that is much older than this is one of a log that is frozen, or of an old copy of it.
      cosignatures_renewed_after_s: log.witnessing === null ? null : Math.ceil(log.witnessing.renewMs / 1000),
      time: new Date(log.clock.time).toISOString(),
      // How far the newest entry is ahead of the clock; behind it, as it should be: 0.
      clock_skew_ms: Math.max(0, log.clock.ahead),
      limits: {
        max_entry_bytes: MAX_ENTRY_BYTES,
        max_body_bytes: MAX_SUBMITTED_BYTES,
        max_batch_entries: MAX_BATCH_ENTRIES,
        max_batch_bytes: MAX_BATCH_BYTES,
        max_waiting_entries: log.poolLimits.entries,
        max_waiting_bytes: log.poolLimits.bytes,
        default_wait_ms: DEFAULT_WAIT_MS,
        max_wait_ms: MAX_WAIT_MS,
      },
      version,
    };
    return new Response(JSON.stringify(body), { headers: JSON_HEADERS });
  });

  // Costs nothing.
  app.get("/healthz", (c) => {
    query(c, []);
    const body = JSON.stringify({ status: "ok", size: log.published.size });
    return new Response(body, { headers: JSON_HEADERS });
  });
}

/** The witnesses have not come: the entry is in the log, and its proof will be here. */
function notYet(index: number, places: Places): Response {
  const body = JSON.stringify({ index, witnessed: false, ask_again: places.proof(index) });
  return new Response(body, {
    status: 202,
    headers: { ...JSON_HEADERS, ...RETRY_LATER, location: places.proof(index) },
  });
}

function onlyOne(indexes: readonly number[]): number {
  const [index] = indexes;
  if (index !== undefined && indexes.length === 1) return index;
  throw new WritError(
    "REF_AMBIGUOUS",
    `entries ${indexes.join(", ")} carry this record; ask for one by its index`,
    { indexes },
  );
}

function proofFile(index: number, hashes: readonly Hash[], published: Published): Response {
  return new Response(tlogProof(index, hashes, published), {
    headers: { "content-type": "text/plain; charset=utf-8", "access-control-allow-origin": "*" },
  });
}

/** One entry as itself. Raw bytes when asked for, by either name. */
function entryResponse(c: Context, entry: LogEntry, isFixed: boolean): Response {
  const offers = ["application/json", "application/octet-stream", ...statementTypes(entry)];
  const type = negotiate(c.req.header("accept"), offers);
  if (type === "application/json")
    return new Response(entryJson(entry, WITH_STATEMENT), {
      headers: { ...JSON_HEADERS, ...(isFixed ? FOREVER : {}) },
    });
  return new Response(entry.stored, {
    headers: { "content-type": type, "access-control-allow-origin": "*", ...(isFixed ? FOREVER : {}) },
  });
}

function statementTypes({ form }: LogEntry): string[] {
  if (form === null) return [];
  return [form === "cose" ? COSE_MEDIA_TYPE : DSSE_MEDIA_TYPE];
}
