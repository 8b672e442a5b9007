/** `POST /v1/entries`, `POST /v1/entries/batch`, and `POST /add` of a raw log. */
import type { Context, Hono } from "hono";
import type { Hash } from "../merkle/index.js";
import { WritError } from "../src/errors.js";
import { MAX_ENTRY_BYTES } from "../src/format/bundle.js";
import { MAX_SUBMITTED_BYTES } from "../src/log/admit/admit.js";
import { isPlaced, type Log, type PlacedEntry, type SubmittedGroup } from "../src/log/log.js";
import type { Published } from "../src/log/tree/publish.js";
import {
  COSE_MEDIA_TYPE,
  DSSE_MEDIA_TYPE,
  type Form,
  STATEMENT_MEDIA_TYPE,
} from "../src/statement/statement.js";
import { batchAnswer, type Places, tlogProof, transparencyEntry } from "./answers.js";
import { type Splitter, splitLines, splitRawLines, splitSequence } from "./batch.js";
import type { BodyReader } from "./body.js";
import { mediaType, negotiate } from "./negotiate.js";
import { query } from "./params.js";
import { problemOf } from "./problem.js";
import { DEFAULT_WAIT_MS, RETRY_LATER, WAIT_MEMBERS, type Wait, waitOf } from "./wait.js";

export const MAX_BATCH_ENTRIES = 10_000;
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/** COSE as it is sent, alone or among the forms. */
const COSE_FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  [COSE_MEDIA_TYPE, "cose"],
  [STATEMENT_MEDIA_TYPE, "cose"],
]);

const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ...COSE_FORMS,
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

/** `batchBodies` apart, so that slow batches cannot keep single statements out. */
export function submitRoutes(
  app: Hono,
  log: Log,
  bodies: BodyReader,
  batchBodies: BodyReader,
  places: Places,
): void {
  const raw = log.policy.admission === "raw";

  // Costs a body of 128 KiB, up to 16 signatures to verify in a thread, and a share of a batch; the pool bounds what waits.
  app.post("/v1/entries", async (c) => {
    // Everything about the request that can be wrong is settled before anything is stored.
    const wait = waitOf(log, query(c, WAIT_MEMBERS));
    const answer = negotiate(c.req.header("accept"), ANSWERS);
    const form = raw ? "dsse" : formOf(c);
    const bytes = await bodies.read(c, raw ? MAX_ENTRY_BYTES : MAX_SUBMITTED_BYTES);
    const group = raw ? await log.submitRaw([bytes]) : await log.submit([{ bytes, form }]);
    return answerOne(log, group, answer, wait, places);
  });

  // Costs a body of 16 MiB with 10,000 statements, which the pool has room for or not; bodies of batches have a budget of their own.
  app.post("/v1/entries/batch", async (c) => {
    const wait = waitOf(log, query(c, WAIT_MEMBERS));
    negotiate(c.req.header("accept"), ["application/json"]);
    const split = pick(SPLITTERS, c, "a batch");
    const body = await batchBodies.read(c, MAX_BATCH_BYTES);
    const items = (raw && split === splitLines ? splitRawLines : split)(body, MAX_BATCH_ENTRIES);
    if (items.length === 0)
      throw new WritError("ENVELOPE_MALFORMED", "want at least one statement, got an empty batch");
    const group = raw ? await log.submitRaw(items.map(({ bytes }) => bytes)) : await log.submit(items);
    return answerBatch(log, group, wait, places);
  });

  if (raw) {
    // Costs a body of 64 KiB and a share of a batch.
    app.post("/add", async (c) => {
      const wait = waitOf(log, query(c, WAIT_MEMBERS));
      const group = await log.submitRaw([await bodies.read(c, MAX_ENTRY_BYTES)]);
      const { index } = onlyEntry(group);
      const late = (await visible(log, group, wait)).witnessed === false;
      return new Response(String(index), {
        status: late ? 202 : 200,
        headers: { "content-type": "text/plain; charset=utf-8", ...(late ? RETRY_LATER : {}) },
      });
    });
  }
}

async function answerOne(
  log: Log,
  group: SubmittedGroup,
  answer: (typeof ANSWERS)[number],
  wait: Wait,
  places: Places,
): Promise<Response> {
  const { index, isNew, entry } = onlyEntry(group);
  const { published, witnessed } = await visible(log, group, wait);
  const proof =
    published === null ? null : { hashes: await log.read.inclusion(index, published.size), published };
  const status = witnessed === false ? 202 : isNew ? 201 : 200;
  const location = witnessed === false ? places.proof(index) : places.entry(index);
  // Without a proof there is no proof file: the JSON says where it will be.
  if (answer === "application/json" || proof === null)
    return new Response(transparencyEntry(log.origin, index, entry, proof, witnessed, places), {
      status,
      headers: { "content-type": "application/json", location, ...(witnessed === false ? RETRY_LATER : {}) },
    });
  return new Response(tlogProof(index, proof.hashes, proof.published), {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      location,
      ...(witnessed === false ? RETRY_LATER : {}),
    },
  });
}

/** What the answer is given under: null when the outside may not see the checkpoint yet. */
export interface Visible {
  readonly published: Published | null;
  /** Null when nobody asked for witnesses; else whether they have come. */
  readonly witnessed: boolean | null;
}

/** Waits for the witnesses when it was asked to, or, for `demandedWaitMs`, when the log demands it for these entries. */
export async function visible(
  log: Log,
  { results, published }: SubmittedGroup,
  wait: Wait,
  demandedWaitMs = DEFAULT_WAIT_MS,
): Promise<Visible> {
  const placed = results.filter(isPlaced);
  if (placed.length === 0) return { published: log.published, witnessed: null };
  // The witnesses are waited for under the smallest tree that has all of them, which may be an old one.
  const size = placed.some(({ isNew }) => isNew)
    ? published.size
    : Math.max(...placed.map(({ index }) => index + 1));
  if (wait === null && !(await log.view.demandsWitnesses(placed))) return { published, witnessed: null };
  const witnessed = await log.view.reached(size, wait ?? demandedWaitMs);
  if (witnessed !== null) return { published: witnessed, witnessed: true };
  return { published: log.view.requirement === "all" ? null : published, witnessed: false };
}

/** The entry of a group of one; throws why it was refused. */
export function onlyEntry({ results }: SubmittedGroup): PlacedEntry {
  const [result] = results;
  if (result === undefined) throw new RangeError("want a result");
  if (!isPlaced(result)) throw result;
  return result;
}

async function answerBatch(log: Log, group: SubmittedGroup, wait: Wait, places: Places): Promise<Response> {
  const { published, witnessed } = await visible(log, group, wait);
  const placed = group.results.filter(isPlaced);
  const fresh = placed.filter(({ isNew }) => isNew).map(({ index }) => index);
  const [start] = fresh;
  const end = (start ?? 0) + fresh.length;
  const run =
    start === undefined || published === null
      ? null
      : { start, end, hashes: await log.read.run(start, end, published.size) };
  const earlier = new Map<number, readonly Hash[]>();
  if (published !== null)
    for (const { index, isNew } of placed)
      if (!isNew) earlier.set(index, await log.read.inclusion(index, published.size));
  return new Response(batchAnswer(group, published, witnessed, run, earlier, problemOf, places), {
    status: witnessed === false ? 202 : 200,
    headers: { "content-type": "application/json", ...(witnessed === false ? RETRY_LATER : {}) },
  });
}

function formOf(c: Context): Form {
  return pick(FORMS, c, "a statement");
}

/** MEDIA_TYPE_UNSUPPORTED unless the body is COSE by its content type. */
export function demandCose(c: Context): void {
  pick(COSE_FORMS, c, "a signed statement");
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
