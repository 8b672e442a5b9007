/**
 * SCRAPI (draft-ietf-scitt-scrapi-11): the four operations of a SCITT transparency service, over the same tree and the same
 * leaves as everything else here. An entry's id is the hex SHA-256 of its statement as stored.
 */
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseBase64url } from "../src/format/base64.js";
import { fromHex, toHex } from "../src/format/bytes.js";
import { MAX_SUBMITTED_BYTES } from "../src/log/admit/admit.js";
import { ByteLru } from "../src/log/tree/byte-lru.js";
import { subjectOf } from "../src/log/admit/entry.js";
import type { Log } from "../src/log/log.js";
import { formatCoseKey, formatCoseKeySet } from "../src/statement/cose-key.js";
import { RECEIPT_MEDIA_TYPE } from "../src/statement/receipt.js";
import { COSE_MEDIA_TYPE } from "../src/statement/statement.js";
import type { BodyReader } from "./body.js";
import { negotiate } from "./negotiate.js";
import { query, sizeParam } from "./params.js";
import type { Receipts } from "./receipts.js";
import { treeAt } from "./refs.js";
import type { ServiceOptions } from "./service.js";
import { demandCose, onlyEntry, visible } from "./submit.js";
import { RETRY_LATER } from "./wait.js";

/** Clients ask for `application/cbor` too, and COSE is that. */
const RECEIPT_TYPES = [COSE_MEDIA_TYPE, RECEIPT_MEDIA_TYPE, "application/cbor"] as const;
const PUBLIC = { "access-control-allow-origin": "*", vary: "accept" } as const;
/** SCRAPI has a way to come back later, so nobody is kept waiting for witnesses for long. */
const DEMANDED_WAIT_MS = 1_000;
const CACHE_BYTES = 8 * 1024 * 1024;

export function scittRoutes(
  app: Hono,
  log: Log,
  service: ServiceOptions,
  receipts: Receipts,
  bodies: BodyReader,
): void {
  const entries = new EntryLookup(log);
  const location = (id: string): string => `${service.url()}/entries/${id}`;

  // A raw log takes bytes and no statements: there is nothing that it could have verified.
  if (log.policy.admission !== "raw")
    // Costs a body of 128 KiB, one signature to verify in a thread, a share of a batch, and a receipt to sign; the pool bounds what waits.
    app.post("/entries", async (c) => {
      query(c, []);
      const type = receiptType(c);
      demandCose(c);
      const bytes = await bodies.read(c, MAX_SUBMITTED_BYTES);
      const group = await log.submit([{ bytes, form: "cose" }]);
      const { index, entry } = onlyEntry(group);
      const id = toHex(entry.entryHash);
      const { published, witnessed } = await visible(log, group, null, DEMANDED_WAIT_MS);
      if (published === null || witnessed === false) return later(202, { location: location(id) });
      const subject = entry.subject ?? subjectOf(entry.stored, index, false);
      const receipt = await receipts.inclusion(index, subject, published);
      return new Response(receipt, {
        status: 201,
        headers: { "content-type": type, location: location(id) },
      });
    });

  // Costs three look-ups, a proof of 63 hashes, and a signature.
  app.get("/entries/:id", async (c) => {
    const size = sizeParam(query(c, ["size"]).size, "size");
    const type = receiptType(c);
    const id = c.req.param("id");
    const index = await entries.place(id);
    const headers = { location: location(id), ...PUBLIC };
    const tree = size === undefined ? log.published : await treeAt(log, size);
    if (size !== undefined && index >= size)
      throw new WritError("SIZE_UNPUBLISHED", `entry ${index} is not in the tree of ${size}`, {
        path: "size",
      });
    if (index >= tree.size || (await log.view.isHeldBack(index))) return later(204, headers);
    // Under a size that was named it is the same for ever.
    const cache = size === undefined ? "no-cache" : "public, max-age=31536000, immutable";
    return new Response(await receipts.inclusion(index, await entries.subject(index), tree), {
      headers: { ...headers, "content-type": type, "cache-control": cache },
    });
  });

  const own = receipts.publicKey;
  const keys = [own, ...(service.pastKeys ?? []).filter(({ keyId }) => keyId !== own.keyId)];
  const keySet = formatCoseKeySet(keys);

  // Costs the keys of this log and of those before it, from memory.
  app.get("/.well-known/scitt-keys", (c) => {
    query(c, []);
    return keyAnswer(c, keySet, "application/cose-key-set");
  });

  // Costs one of them.
  app.get("/.well-known/scitt-keys/:kid", (c) => {
    query(c, []);
    const kid = parseBase64url(c.req.param("kid"));
    const key = kid && keys.find(({ keyId }) => keyId === toHex(kid));
    if (key === undefined)
      throw new WritError(
        "SERVICE_KEY_UNKNOWN",
        "no key of this service has this kid; want the kid of a receipt in base64url without padding",
      );
    return keyAnswer(c, formatCoseKey(key), "application/cose-key");
  });
}

function receiptType(c: Context): string {
  const type = negotiate(c.req.header("accept"), RECEIPT_TYPES);
  return type === "application/cbor" ? COSE_MEDIA_TYPE : type;
}

function keyAnswer(c: Context, body: Uint8Array, specific: string): Response {
  const type = negotiate(c.req.header("accept"), ["application/cbor", specific]);
  return new Response(body, {
    headers: { "content-type": type, "cache-control": "public, max-age=300", ...PUBLIC },
  });
}

/** It is in the log, and its receipt is not there yet: nothing but when to ask again. */
function later(status: 202 | 204, headers: Readonly<Record<string, string>>): Response {
  const length = status === 202 ? { "content-length": "0" } : {};
  return new Response(null, { status, headers: { ...headers, ...length, ...RETRY_LATER } });
}

/** Entries by the hash of their statement, and what they are about: neither ever changes, so both are kept. */
class EntryLookup {
  private readonly places = new ByteLru<string, number>(CACHE_BYTES);
  private readonly subjects = new ByteLru<number, string>(CACHE_BYTES);

  constructor(private readonly log: Log) {}

  /** REF_MALFORMED, ENTRY_NOT_FOUND. */
  async place(id: string): Promise<number> {
    const known = this.places.get(id);
    if (known !== undefined) return known;
    const hash = fromHex(id);
    if (hash?.length !== 32)
      throw new WritError(
        "REF_MALFORMED",
        `want the hex SHA-256 of a statement as stored, 64 lower-case digits, got ${JSON.stringify(id.slice(0, 80))}`,
      );
    const index = await this.log.read.placeOf(hash);
    if (index === null)
      throw new WritError("ENTRY_NOT_FOUND", `no statement with this id is known to this service: ${id}`);
    this.places.set(id, index, 256);
    return index;
  }

  /** Of a published entry. */
  async subject(index: number): Promise<string> {
    const known = this.subjects.get(index);
    if (known !== undefined) return known;
    const { log } = this;
    const subject = subjectOf(await log.read.statement(index), index, log.policy.admission === "raw");
    this.subjects.set(index, subject, 128 + 2 * subject.length);
    return subject;
  }
}
