/** `POST /v1/entries`, `POST /v1/entries/batch`, and `POST /add` of a raw log. */
import type { Context, Hono } from "hono";
import type { Hash } from "../merkle/index.js";
import { WritError } from "../src/errors.js";
import { MAX_ENTRY_BYTES } from "../src/format/bundle.js";
import { MAX_SUBMITTED_BYTES } from "../src/log/admit.js";
import { isPlaced, type Log, type PlacedEntry, type SubmittedGroup } from "../src/log/log.js";
import { COSE_MEDIA_TYPE, DSSE_MEDIA_TYPE, type Form } from "../src/statement/statement.js";
import { batchAnswer, tlogProof, transparencyEntry } from "./answers.js";
import { type Splitter, splitLines, splitSequence } from "./batch.js";
import { BodyReader } from "./body.js";
import { mediaType, negotiate } from "./negotiate.js";
import { query } from "./params.js";
import { problemOf } from "./problem.js";

export const MAX_BATCH_ENTRIES = 10_000;
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  [COSE_MEDIA_TYPE, "cose"],
  [DSSE_MEDIA_TYPE, "dsse"],
  ["application/json", "dsse"],
]);

const SPLITTERS: ReadonlyMap<string, Splitter> = new Map([
  ["application/x-ndjson", splitLines],
  ["application/ndjson", splitLines],
  ["application/jsonl", splitLines],
  ["application/cbor-seq", splitSequence],
]);

const ANSWERS = ["application/json", "text/plain"] as const;

export function submitRoutes(app: Hono, log: Log, bodyBudget: number): void {
  // Apart, so that slow batches cannot keep single statements out.
  const bodies = new BodyReader(bodyBudget);
  const batchBodies = new BodyReader(bodyBudget);
  const raw = log.policy.admission === "raw";

  app.post("/v1/entries", async (c) => {
    // Everything about the request that can be wrong is settled before anything is stored.
    demandNoWait(c);
    const answer = negotiate(c.req.header("accept"), ANSWERS);
    const form = raw ? "dsse" : formOf(c);
    const bytes = await bodies.read(c, raw ? MAX_ENTRY_BYTES : MAX_SUBMITTED_BYTES);
    const group = raw ? await log.submitRaw([bytes]) : await log.submit([{ bytes, form }]);
    return answerOne(log, group, answer);
  });

  app.post("/v1/entries/batch", async (c) => {
    demandNoWait(c);
    negotiate(c.req.header("accept"), ["application/json"]);
    const split = pick(SPLITTERS, c, "a batch");
    const items = split(await batchBodies.read(c, MAX_BATCH_BYTES), MAX_BATCH_ENTRIES);
    if (items.length === 0)
      throw new WritError("ENVELOPE_MALFORMED", "want at least one statement, got an empty batch");
    return answerBatch(
      log,
      raw ? await log.submitRaw(items.map(({ bytes }) => bytes)) : await log.submit(items),
    );
  });

  if (raw) {
    app.post("/add", async (c) => {
      query(c, []);
      const { index } = onlyEntry(await log.submitRaw([await bodies.read(c, MAX_ENTRY_BYTES)]));
      return new Response(String(index), { headers: { "content-type": "text/plain; charset=utf-8" } });
    });
  }
}

async function answerOne(
  log: Log,
  group: SubmittedGroup,
  answer: (typeof ANSWERS)[number],
): Promise<Response> {
  const { published } = group;
  const { index, isNew, entry } = onlyEntry(group);
  const hashes = await log.inclusion(index, published.size);
  const json = answer === "application/json";
  return new Response(
    json
      ? transparencyEntry(log.origin, index, entry, hashes, published)
      : tlogProof(index, hashes, published),
    {
      status: isNew ? 201 : 200,
      headers: {
        "content-type": json ? "application/json" : "text/plain; charset=utf-8",
        location: `/v1/entries/${index}`,
      },
    },
  );
}

/** The entry of a group of one; throws why it was refused. */
function onlyEntry({ results }: SubmittedGroup): PlacedEntry {
  const [result] = results;
  if (result === undefined) throw new RangeError("want a result");
  if (!isPlaced(result)) throw result;
  return result;
}

async function answerBatch(log: Log, group: SubmittedGroup): Promise<Response> {
  const { size } = group.published;
  const placed = group.results.filter(isPlaced);
  const fresh = placed.filter(({ isNew }) => isNew).map(({ index }) => index);
  const [start] = fresh;
  const run =
    start === undefined
      ? null
      : { start, end: start + fresh.length, hashes: await log.run(start, start + fresh.length, size) };
  const earlier = new Map<number, readonly Hash[]>();
  for (const { index, isNew } of placed) if (!isNew) earlier.set(index, await log.inclusion(index, size));
  return new Response(batchAnswer(group, run, earlier, problemOf), {
    headers: { "content-type": "application/json" },
  });
}

function formOf(c: Context): Form {
  return pick(FORMS, c, "a statement");
}

function pick<T>(table: ReadonlyMap<string, T>, c: Context, what: string): T {
  const type = mediaType(c.req.header("content-type"));
  const found = table.get(type);
  if (found !== undefined) return found;
  const wanted = [...table.keys()].join(", ");
  throw new WritError(
    "MEDIA_TYPE_UNSUPPORTED",
    `${what} has a content type of ${wanted}; got ${type === "" ? "none" : type}`,
  );
}

function demandNoWait(c: Context): void {
  const { wait } = query(c, ["wait"]);
  if (wait === undefined) return;
  if (wait !== "witnessed")
    throw new WritError("QUERY_INVALID", `wait: want witnessed, got ${JSON.stringify(wait.slice(0, 40))}`, {
      path: "wait",
    });
  throw new WritError("WITNESSES_MISSING", "this log has no witnesses that an answer could wait for");
}
