/** `GET /v1/search`, `/v1/entries/{ref}/links`, `/v1/traces/{id}`, its verdict and closure statement, and `/v1/impact/{id}`. */
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseDecimal, utf8 } from "../src/format/bytes.js";
import { isOwnContentType, type Term } from "../src/index/terms.js";
import { MAX_ALIKE, MIN_DIGITS } from "../src/log/ask/beginning.js";
import type { Dependant, ImpactEnd } from "../src/log/ask/impact.js";
import type { Lease } from "../src/log/ask/budget.js";
import type { Linked, LinkIn, LinkOut } from "../src/log/ask/links.js";
import type { Log } from "../src/log/log.js";
import type { SearchQuery } from "../src/log/ask/search.js";
import { isRecordId } from "../src/record/links.js";
import { isUtcTime, timeOf } from "../src/record/time.js";
import { DSSE_MEDIA_TYPE } from "../src/statement/statement.js";
import { type Bundle, bundleLines } from "../src/trace/bundle.js";
import { PROFILES, type Profile } from "../src/trace/context.js";
import type { LogEntry } from "../src/log/admit/entry.js";
import { negotiate } from "./negotiate.js";
import { entryLines, type Made, type Readers } from "./readers.js";
import { parseRef, query, sizeParam } from "./params.js";
import { indexesOf } from "./refs.js";
import { RETRY_LATER, WAIT_MEMBERS, waitOf } from "./wait.js";

const JSON_HEADERS = { "content-type": "application/json", "access-control-allow-origin": "*" };

/** Each filter of a search, and the field it looks in. Two spellings of some: the record's member, and its short form. */
const FILTERS = {
  type: "type",
  issuer: "issuer",
  signer: "signer",
  content_type: "content_type",
  trace_id: "trace_id",
  trace: "trace_id",
  mission_id: "mission_id",
  mission: "mission_id",
  action_type: "action_type",
  decision: "decision",
  outcome: "outcome",
  subject: "subject",
  target: "target",
  digest: "digest",
} as const satisfies Record<string, Term["field"]>;
type Filter = keyof typeof FILTERS;

/** The same of what stands in one field or another: a call, evidence that was written or relied on, a party in any role. */
const EITHER = {
  tool_call_hash: ["call"],
  evidence: ["writes", "cites"],
  party: ["issuer", "party"],
} as const satisfies Record<string, readonly Term["field"][]>;
type EitherFilter = keyof typeof EITHER;

const OTHER_MEMBERS = ["linked", "from", "to", "since", "until", "order", "limit", "cursor"] as const;
const MEMBERS: readonly (Filter | EitherFilter | (typeof OTHER_MEMBERS)[number])[] = [
  ...(Object.keys(FILTERS) as Filter[]),
  ...(Object.keys(EITHER) as EitherFilter[]),
  ...OTHER_MEMBERS,
];
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;

export function traceRoutes(app: Hono, log: Log, readers: Readers): void {
  // Costs at worst 64 stretches of the index and 4 MiB of entries, of which the answer holds about as much.
  app.get("/v1/search", (c) => {
    negotiate(c.req.header("accept"), ["application/json"]);
    const { hash_prefix: prefix, ...members } = query(c, [...MEMBERS, "hash_prefix"]);
    if (prefix !== undefined) return beginning(log, c, readers, prefix, Object.keys(members));
    const { search, accepts } = searchOf(members);
    return readers.answer(c, async (lease) => {
      const own = ({ contentType }: LogEntry): boolean => accepts(contentType);
      const { entries, page } = await log.queries.search(search, own, lease);
      const next = page.next === null ? "null" : `"${search.order}-${page.next.at}-${page.next.size}"`;
      return json(
        ...(await entryLines(entries, { statement: false }, lease)),
        `],"complete_to":${page.completeTo},"next":${next}}`,
      );
    });
  });

  // Costs at worst 16,000 rows of the index and 8 MiB of entries, a page of 2 MiB at a time.
  app.get("/v1/entries/:ref/links", (c) => {
    query(c, []);
    negotiate(c.req.header("accept"), ["application/json"]);
    return readers.answer(c, async (lease) => {
      const [index] = await indexesOf(log, c.req.param("ref"));
      const { entry, out, in: incoming, truncated } = await log.queries.links(index, lease);
      return json(
        `{"index":${entry.index},"record_id":${JSON.stringify(entry.id)},` +
          `"out":${JSON.stringify(out.map(linkOut))},"in":${JSON.stringify(incoming.map(linkIn))},"truncated":${truncated}}`,
      );
    });
  });

  // Costs the walk of a trace at worst: 2,000 entries of 8 MiB, their proofs, and a file of some 16 MiB.
  app.get("/v1/traces/:id", (c) => {
    const members = query(c, [...BUNDLE_MEMBERS, "profile"]);
    profileOf(members.profile);
    negotiate(c.req.header("accept"), ["application/json"]);
    return readers.answer(c, async (lease) => {
      const { bundle, ...answer } = await bundleOf(log, c, members, lease);
      await lease.turn();
      return { body: bundleLines(bundle), ...answer };
    });
  });

  // The same, and the thread of the judge for 10 s at worst: askers take turns there, too.
  app.get("/v1/traces/:id/verdict", (c) => {
    const { profile, at, ...members } = query(c, [...BUNDLE_MEMBERS, "profile", "at"]);
    negotiate(c.req.header("accept"), ["application/json"]);
    const options = { at: timeParam(at, "at") ?? log.clock.time, profile: profileOf(profile) };
    return readers.answer(c, async (lease) => {
      const { bundle, ...answer } = await bundleOf(log, c, members, lease);
      return { body: await log.judge.verdict(bundle, options, lease.asker), ...answer };
    });
  });

  // Costs the walk of a trace and one signature.
  app.get("/v1/traces/:id/closure", async (c) => {
    const members = query(c, ["as_of", "size"]);
    negotiate(c.req.header("accept"), [DSSE_MEDIA_TYPE, "application/json"]);
    const [asOf, size] = [sizeParam(members.as_of, "as_of"), sizeParam(members.size, "size")];
    const under = size === undefined ? undefined : await log.view.checkpointAt(size);
    if (under === null || (under !== undefined && under.size < (asOf ?? under.size)))
      throw new WritError(
        "SIZE_UNPUBLISHED",
        `size: want a size that was published, of at least as_of, got ${size}`,
        {
          path: "size",
        },
      );
    return readers.answer(c, async (lease) => {
      const indexes = await indexesOf(log, c.req.param("id"));
      const body = await log.queries.closure(indexes, asOf ?? under?.size, under, lease);
      return { body, headers: { "content-type": DSSE_MEDIA_TYPE, "access-control-allow-origin": "*" } };
    });
  });

  // Costs at worst the way to 100,000 dependants, 12 MiB; entries are read a page at a time, as the asker reads.
  app.get("/v1/impact/:id", async (c) => {
    query(c, []);
    const name = c.req.param("id");
    if (name.length === 0 || name.length > 1024)
      throw new WritError(
        "REF_MALFORMED",
        "want a record id, a key id, an evidence hash, a policy digest or an action type",
      );
    negotiate(c.req.header("accept"), ["application/x-ndjson", "application/json"]);
    const indexes = isRef(name) ? await log.read.find(parseRef(name)) : [];
    if (indexes.length === 0 && parseDecimal(name) !== undefined)
      throw new WritError("ENTRY_NOT_FOUND", `there is no entry ${name} in the log of ${log.published.size}`);
    const headers = { "content-type": "application/x-ndjson", "access-control-allow-origin": "*" };
    return readers.stream(c, async (lease) => ({
      headers,
      source: () => impactLines(log.queries.impact(name, indexes, lease), indexes.length > 0),
    }));
  });
}

/** What begins like this. Costs 66 rows of the index, and the entries of 64 at most. */
async function beginning(
  log: Log,
  c: Context,
  readers: Readers,
  prefix: string,
  others: readonly string[],
): Promise<Response> {
  const [, digits = ""] = /^sha256:([0-9a-f]{8,64})$/.exec(prefix) ?? [];
  if (digits === "")
    throw invalid("hash_prefix", `sha256: and ${MIN_DIGITS} to 64 lower-case hex digits`, prefix);
  const [other] = others;
  if (other !== undefined) throw invalid(other, "hash_prefix alone", other);
  return readers.answer(c, async (lease) => {
    const { size } = log.published;
    const entries = await log.queries.beginningWith(digits, lease);
    if (entries === null)
      throw invalid("hash_prefix", `more digits, for more than ${MAX_ALIKE} hashes begin so`, prefix);
    return json(
      ...(await entryLines(entries, { statement: false }, lease)),
      `],"complete_to":${size},"next":null}`,
    );
  });
}

function json(...body: readonly string[]): Made {
  return { body, headers: JSON_HEADERS };
}

const BUNDLE_MEMBERS = [...WAIT_MEMBERS, "as_of"] as const;

/** The bundle, under a witnessed checkpoint when that was waited for: 202 when it is not there in time. */
async function bundleOf(
  log: Log,
  c: Context,
  members: Partial<Record<(typeof BUNDLE_MEMBERS)[number], string>>,
  lease: Lease,
): Promise<{ bundle: Bundle; status: number; headers: Record<string, string> }> {
  const asOf = sizeParam(members.as_of, "as_of");
  const wait = waitOf(log, members);
  const witnessed = wait === null ? null : await log.view.reached(asOf ?? log.durableSize, wait);
  const indexes = await indexesOf(log, c.req.param("id") ?? "");
  const bundle = await log.queries.bundle(indexes, asOf, witnessed ?? undefined, lease);
  const late = wait !== null && witnessed === null;
  return { bundle, status: late ? 202 : 200, headers: { ...JSON_HEADERS, ...(late ? RETRY_LATER : {}) } };
}

function isRef(name: string): boolean {
  return isRecordId(name) || parseDecimal(name) !== undefined;
}

function searchOf(members: Partial<Record<(typeof MEMBERS)[number], string>>): {
  search: SearchQuery;
  accepts: (contentType: string | null) => boolean;
} {
  const terms: Term[] = [];
  let own = false;
  for (const [name, field] of Object.entries(FILTERS) as [Filter, Term["field"]][]) {
    const value = members[name];
    if (value === undefined) continue;
    if (field === "content_type" && isOwnContentType(value)) own = true;
    else terms.push({ field, value });
  }
  const either = (Object.entries(EITHER) as [EitherFilter, readonly Term["field"][]][]).flatMap(
    ([name, fields]) => {
      const value = members[name];
      return value === undefined ? [] : [fields.map((field) => ({ field, value }))];
    },
  );
  const { linked, cursor } = members;
  if (linked !== undefined && !isRecordId(linked)) throw invalid("linked", "a record id", linked);
  const order = members.order ?? "asc";
  if (order !== "asc" && order !== "desc") throw invalid("order", "asc or desc", order);
  const [from, to] = [sizeParam(members.from, "from"), sizeParam(members.to, "to")];
  if (from !== undefined && to !== undefined && from > to) throw invalid("from", "at most to", String(from));
  const limit = sizeParam(members.limit, "limit") ?? DEFAULT_LIMIT;
  if (limit < 1 || limit > MAX_LIMIT) throw invalid("limit", `1 to ${MAX_LIMIT}`, String(limit));
  const search: SearchQuery = {
    terms,
    either,
    order,
    limit,
    ...defined("linked", linked),
    ...defined("from", from),
    ...defined("to", to),
    ...defined("since", timeParam(members.since, "since")),
    ...defined("until", timeParam(members.until, "until")),
    ...defined("cursor", cursor === undefined ? undefined : cursorOf(cursor, order)),
  };
  return {
    search,
    accepts: (contentType) => !own || (contentType !== null && isOwnContentType(contentType)),
  };
}

function cursorOf(text: string, order: string): { at: number; size: number } {
  const [, of, at, size] = /^(asc|desc)-([0-9]+)-([0-9]+)$/.exec(text) ?? [];
  const [atNumber, sizeNumber] = [parseDecimal(at ?? ""), parseDecimal(size ?? "")];
  if (of !== order || atNumber === undefined || sizeNumber === undefined)
    throw invalid("cursor", `the next of an answer in the same order, ${order}`, text);
  return { at: atNumber, size: sizeNumber };
}

function profileOf(name: string | undefined): Profile {
  const found = PROFILES.find((profile) => profile.name === (name ?? "registered"));
  if (found !== undefined) return found;
  throw invalid("profile", PROFILES.map((profile) => profile.name).join(", "), name ?? "");
}

function timeParam(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  // A plus that was not encoded comes as a blank.
  const text = value.replace(" 00:00", "+00:00");
  const time = isUtcTime(text) ? timeOf(text) : undefined;
  if (time === undefined) throw invalid(name, "an RFC 3339 time in UTC", value);
  return time;
}

function defined<N extends string, T>(name: N, value: T | undefined): { [K in N]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { [K in N]?: T });
}

function invalid(path: string, want: string, got: string): WritError {
  return new WritError("QUERY_INVALID", `${path}: want ${want}, got ${JSON.stringify(got.slice(0, 80))}`, {
    path,
  });
}

function brief({ index, id, type }: Linked) {
  return { index, record_id: id, type };
}

function linkOut({ member, kind, value, to, isMissing, truncated }: LinkOut) {
  return { member, kind, value, to: to.map(brief), missing: isMissing, truncated };
}

function linkIn({ member, from }: LinkIn) {
  return { member, ...brief(from) };
}

/** A line for each dependant, and at the end one that says how complete that was. */
async function* impactLines(
  found: AsyncGenerator<Dependant, ImpactEnd>,
  isLogged: boolean,
): AsyncGenerator<Uint8Array> {
  let lines = "";
  for (;;) {
    const step = await found.next();
    if (step.done === true) {
      const { completeTo, count, truncated } = step.value;
      // Nobody relied on it, or nobody ever heard of it: not the same.
      const known = isLogged || count > 0;
      return yield utf8(lines + line({ complete_to: completeTo, count, truncated, known }));
    }
    lines += line(dependantLine(step.value));
    if (lines.length < LINES_BYTES) continue;
    yield utf8(lines);
    lines = "";
  }
}

/** Lines are sent so many bytes at a time. */
const LINES_BYTES = 16 * 1024;

function dependantLine({ entry, via, depth, path }: Dependant) {
  const { index, id, record } = entry;
  return {
    ...brief({ index, id, type: record?.type ?? null }),
    issuer: entry.record?.issuer ?? null,
    via,
    depth,
    path,
  };
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
