/**
 * Status lists for stock clients: IETF Token Status List (`/v1/status/lists/{k}`, its aggregation, its key) and W3C
 * Bitstring Status List (`/v1/status/bitstring/{purpose}/{k}`), both read off the same two bits.
 *
 * A list is signed once a window and kept as bytes. A revocation, suspension or resumption shows at the next request; grants
 * that were used up show within a second, because under load they change a list hundreds of times a second.
 */
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseDecimal, utf8 } from "../src/format/bytes.js";
import type { SigningKey } from "../src/format/vkey.js";
import { ByteLru } from "../src/log/tree/byte-lru.js";
import { type Cost, unlessBusy } from "../src/log/ask/budget.js";
import type { Log } from "../src/log/log.js";
import type { StatusList } from "../src/log/state/statuses.js";
import { bitstringCredential, PURPOSES, type Purpose } from "../src/status-list/bitstring.js";
import { listRoot } from "../src/status-list/root.js";
import {
  compressed,
  CWT_MEDIA_TYPE,
  JWT_MEDIA_TYPE,
  listJwk,
  type ListFacts,
  statusListCwt,
  statusListJwt,
} from "../src/status-list/token.js";
import { etagOf, isKnown } from "./etag.js";
import { negotiate } from "./negotiate.js";
import { query } from "./params.js";
import { problemResponse } from "./problem.js";
import type { Readers } from "./readers.js";
import type { ServiceOptions } from "./service.js";

/** How long a list is served as it was signed, while nothing in it changes. */
const WINDOW_MS = 30_000;
/** How long consumptions alone may be missing from it. */
const CONSUMED_MS = 1_000;
const TTL_S = 30;
const VALID_S = 300;
const CACHE_BYTES = 32 * 1024 * 1024;

/** What a kind of list is made of, and how it is written. */
interface Kind {
  readonly name: string;
  readonly write: (list: StatusList, made: Made) => Uint8Array;
}

interface Made {
  readonly uri: string;
  /** Whole seconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

interface Written {
  readonly body: Uint8Array;
  readonly etag: string;
}

/** A list of now, and by what it is known whether it still is. */
interface Kept extends Written {
  readonly version: string;
  readonly urgent: string;
  readonly madeAt: number;
}

export function statusListRoutes(app: Hono, log: Log, options: ServiceOptions, readers: Readers): void {
  const lists = new ListCache(log, options, readers);
  const jwt: Kind = { name: "jwt", write: (list, made) => utf8(token(statusListJwt, list, made)) };
  const cwt: Kind = { name: "cwt", write: (list, made) => token(statusListCwt, list, made) };

  // Costs a URL for each 131,072 entries.
  app.get("/v1/status/lists", (c) => {
    query(c, []);
    negotiate(c.req.header("accept"), ["application/json"]);
    const uris = Array.from({ length: log.statuses.listCount }, (_, k) => lists.uri("lists", k));
    return answer(c, utf8(JSON.stringify({ status_lists: uris })), "application/json");
  });

  // Costs a list of 32 KiB and its signature when it has changed, or is of the past; then as many copies as stand in it, once.
  app.get("/v1/status/lists/:k", async (c) => {
    const { time } = query(c, ["time"]);
    const type = negotiate(c.req.header("accept"), [JWT_MEDIA_TYPE, CWT_MEDIA_TYPE]);
    const k = listNumber(c.req.param("k"));
    const at = time === undefined ? null : unixTime(time);
    const kind = type === JWT_MEDIA_TYPE ? jwt : cwt;
    const found = await lists.get(c, kind, "lists", k, at);
    return answer(c, found.body, type, found);
  });

  // Costs the same, and a credential around it.
  app.get("/v1/status/bitstring/:purpose/:k", async (c) => {
    try {
      const { timestamp } = query(c, ["timestamp"]);
      // JSON unless `application/vc` is asked for by name: a common client does not know that type.
      const type = negotiate(c.req.header("accept"), BITSTRING_TYPES);
      const purpose = purposeOf(c.req.param("purpose"));
      const k = listNumber(c.req.param("k"));
      const at = timestamp === undefined ? null : dateTimeStamp(timestamp);
      const kind = bitstringKind(purpose, options.key);
      const { body, etag, isFinal } = await lists.get(c, kind, `bitstring/${purpose}`, k, at);
      // The same bytes under three names are three representations.
      const name = BITSTRING_TYPES.indexOf(type);
      return answer(c, body, type, { etag: etag.replace(/"$/, `-${name}"`), isFinal });
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      return problemResponse(error, {}, STATUS_RETRIEVAL_ERROR);
    }
  });

  // Costs a key from memory.
  app.get("/.well-known/jwks.json", (c) => {
    query(c, []);
    return answer(c, utf8(JSON.stringify({ keys: [listJwk(options.key)] })), "application/json");
  });

  function token<T>(
    write: (lst: Uint8Array, facts: ListFacts, key: SigningKey) => T,
    list: StatusList,
    { uri, issuedAt, expiresAt }: Made,
  ): T {
    const facts = {
      uri,
      issuer: options.url(),
      aggregationUri: `${options.url()}/v1/status/lists`,
      issuedAt,
      expiresAt,
      ttl: TTL_S,
      tlog: {
        origin: log.origin,
        treeSize: list.size,
        listRoot: listRoot(list.bits),
        sweptTo: list.sweptTo,
      },
    };
    return write(compressed(list.bits), facts, options.key);
  }
}

const BITSTRING_TYPES = ["application/json", "application/ld+json", "application/vc"] as const;
/** W3C Bitstring Status List 1.0 §3.4. */
const STATUS_RETRIEVAL_ERROR = "https://www.w3.org/ns/credentials/status-list#STATUS_RETRIEVAL_ERROR";

function bitstringKind(purpose: Purpose, key: SigningKey): Kind {
  return {
    name: purpose,
    write(list, { uri, issuedAt, expiresAt }) {
      const facts = {
        uri,
        purpose,
        validFrom: seconds(issuedAt),
        validUntil: seconds(expiresAt),
        ttlMs: TTL_S * 1000,
      };
      return utf8(JSON.stringify(bitstringCredential(list.bits, facts, key)));
    },
  };
}

/** Signed lists, as bytes. */
class ListCache {
  private readonly kept = new ByteLru<string, Kept>(CACHE_BYTES);
  /** Lists of the past, which never change. */
  private readonly past = new ByteLru<string, Written>(CACHE_BYTES);
  /** One making for all who wait for the same. */
  private readonly making = new Map<string, Promise<Kept>>();
  private readonly makingPast = new Map<string, Promise<Served>>();

  constructor(
    private readonly log: Log,
    private readonly options: ServiceOptions,
    private readonly readers: Readers,
  ) {}

  uri(family: string, k: number): string {
    return `${this.options.url()}/v1/status/${family}/${k}`;
  }

  /** List `k` now, or as it was at a time (milliseconds). NOT_FOUND, TIME_UNKNOWN. */
  async get(c: Context, kind: Kind, family: string, k: number, at: number | null): Promise<Served> {
    if (at !== null) return this.when(c, kind, family, k, at);
    const name = `${kind.name}/${k}`;
    const found = this.kept.get(name);
    if (found !== undefined && this.isFresh(found, k)) return { ...found, isFinal: false };
    const kept = await this.once(name, async () => {
      const versions = this.log.statuses.versions(k);
      const madeAt = this.options.now();
      const list = await this.log.statuses.list(k);
      if (list === null)
        throw new WritError(
          "NOT_FOUND",
          `no list ${k}: the log's ${this.log.published.size} entries fill ${this.log.statuses.listCount}, from 0 on`,
        );
      const issuedAt = Math.floor(madeAt / 1000);
      const body = kind.write(list, {
        uri: this.uri(family, k),
        issuedAt,
        expiresAt: issuedAt + VALID_S,
      });
      return { body, etag: etagOf(body), ...versions, madeAt };
    });
    this.kept.set(name, kept, kept.body.length);
    return { ...kept, isFinal: false };
  }

  /**
   * A list of the past costs a base of 32 KiB and 4,096 changes at worst, and a signature: made in turns, once for all who ask for
   * the same.
   */
  private async when(c: Context, kind: Kind, family: string, k: number, at: number): Promise<Served> {
    const name = `${kind.name}/${k}/${at}`;
    const found = this.past.get(name);
    if (found !== undefined) return { ...found, isFinal: true };
    const known = this.makingPast.get(name);
    if (known !== undefined)
      return known.catch((error: unknown) => unlessBusy(error, () => this.when(c, kind, family, k, at)));
    const lease = this.readers.lease(c);
    const making = this.makePast(kind, family, k, at, lease).finally(() => {
      lease.release();
      this.makingPast.delete(name);
    });
    this.makingPast.set(name, making);
    return making;
  }

  private async makePast(kind: Kind, family: string, k: number, at: number, cost: Cost): Promise<Served> {
    const name = `${kind.name}/${k}/${at}`;
    await cost.turn();
    const list = await this.log.statuses.listWhen(k, at);
    if (list === null)
      throw new WritError(
        "TIME_UNKNOWN",
        `list ${k} at ${new Date(at).toISOString()}: nothing was in it yet, or that time has not been`,
      );
    await cost.turn();
    const issuedAt = Math.floor(at / 1000);
    const until = list.until === null ? Number.POSITIVE_INFINITY : Math.floor(list.until / 1000);
    const expiresAt = Math.max(issuedAt + 1, Math.min(issuedAt + VALID_S, until));
    const body = kind.write(list, { uri: this.uri(family, k), issuedAt, expiresAt });
    const written = { body, etag: etagOf(body) };
    // The second asked about must be over, and what was revoked in it followed to its end.
    const isFinal = list.until !== null && list.until >= at + 1000 && list.sweptTo === list.size;
    if (isFinal) this.past.set(name, written, body.length);
    return { ...written, isFinal };
  }

  private isFresh({ version, urgent, madeAt }: Kept, k: number): boolean {
    const age = this.options.now() - madeAt;
    if (age < 0 || age >= WINDOW_MS) return false;
    const newest = this.log.statuses.versions(k);
    return newest.urgent === urgent && (newest.version === version || age < CONSUMED_MS);
  }

  private async once(name: string, make: () => Promise<Kept>): Promise<Kept> {
    const known = this.making.get(name);
    if (known !== undefined) return known;
    const making = make().finally(() => this.making.delete(name));
    this.making.set(name, making);
    return making;
  }
}

interface Served extends Written {
  readonly isFinal: boolean;
}

function answer(
  c: Context,
  body: Uint8Array,
  type: string,
  { etag, isFinal }: Pick<Served, "etag" | "isFinal"> = { etag: etagOf(body), isFinal: false },
): Response {
  const headers = {
    "content-type": type,
    etag,
    vary: "Accept",
    "cache-control": isFinal ? "public, max-age=31536000, immutable" : "no-cache",
    "access-control-allow-origin": "*",
  };
  if (isKnown(c.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  return new Response(body, { headers });
}

function listNumber(text = ""): number {
  const k = parseDecimal(text);
  if (k !== undefined) return k;
  throw new WritError(
    "NOT_FOUND",
    `want a list's number, a decimal, got ${JSON.stringify(text.slice(0, 40))}`,
  );
}

function purposeOf(text: string): Purpose {
  const found = PURPOSES.find((purpose) => purpose === text);
  if (found !== undefined) return found;
  throw new WritError(
    "NOT_FOUND",
    `want a list of the purpose ${PURPOSES.join(" or ")}, got ${JSON.stringify(text.slice(0, 40))}`,
  );
}

/** "a unix timestamp": whole seconds. */
function unixTime(text: string): number {
  const time = parseDecimal(text);
  if (time !== undefined && time <= MAX_TIME_S) return time * 1000;
  throw new WritError(
    "QUERY_INVALID",
    `time: want whole seconds since 1970, got ${JSON.stringify(text.slice(0, 40))}`,
    {
      path: "time",
    },
  );
}

const MAX_TIME_S = 253_402_300_799;

/** XML Schema dateTimeStamp: with a zone. */
function dateTimeStamp(text: string): number {
  const isOne = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const time = isOne ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(time) && time >= 0) return time;
  throw new WritError(
    "QUERY_INVALID",
    `timestamp: want a dateTimeStamp such as 2026-05-01T12:00:00Z, got ${JSON.stringify(text.slice(0, 40))}`,
    { path: "timestamp" },
  );
}

/** RFC 3339 in whole seconds. */
function seconds(time: number): string {
  return new Date(time * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
