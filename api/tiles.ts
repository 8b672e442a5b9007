/** c2sp.org/tlog-tiles: `GET /checkpoint` and `GET /tile/…`, at the root of the origin. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseTilePath, TILE_WIDTH } from "../src/format/tile-path.js";
import type { Log } from "../src/log/log.js";
import { takesGzip } from "./negotiate.js";
import { etagOf, isKnown } from "./etag.js";
import { nodeMessages } from "./node.js";
import { query } from "./params.js";
import type { Readers } from "./readers.js";

const compress = promisify(gzip);
// "This endpoint is immutable, so its caching headers SHOULD be long-lived."
const TILE_HEADERS = {
  "content-type": "application/octet-stream",
  "cache-control": "public, max-age=31536000, immutable",
  "access-control-allow-origin": "*",
};

export function tileRoutes(app: Hono, log: Log, readers: Readers): void {
  // Costs a note from memory, 16 KiB at worst.
  app.get("/checkpoint", (c) => {
    query(c, []);
    const { checkpoint } = log.published;
    const headers = {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-cache",
      etag: etagOf(checkpoint),
      "access-control-allow-origin": "*",
    };
    const known = isKnown(c.req.header("if-none-match"), headers.etag);
    return known ? new Response(null, { status: 304, headers }) : new Response(checkpoint, { headers });
  });

  // Costs a tile of 8 KiB, or a bundle of 256 entries, 16 MiB, as is said below.
  app.get("/tile/*", async (c) => {
    query(c, []);
    const id = parseTilePath(rawPath(c).slice(1));
    if (id === undefined) throw notThere();
    if (id.kind === "hashes") {
      return new Response((await log.read.tile(id)) ?? throwNotThere(), { headers: TILE_HEADERS });
    }
    const zip = takesGzip(c.req.header("accept-encoding"));
    const headers = {
      ...TILE_HEADERS,
      vary: "accept-encoding",
      ...(zip ? { "content-encoding": "gzip" } : {}),
    };
    if (!log.read.hasTile(id)) throw notThere();
    // A full one costs 2 MiB while it is made, once, and a piece of 64 KiB to send; one at a time is made.
    if (id.width === TILE_WIDTH)
      return readers.stream(c, async (lease) => {
        const kept = await log.bundles.full(id.index, lease);
        const length = zip ? kept.zippedLength : kept.length;
        return {
          headers: { ...headers, "content-length": String(length) },
          source: () => kept.pieces(zip),
        };
      });
    // One that still grows costs what is in it, at worst 16 MiB; who ask for the same share the reading of it.
    return readers.answer(c, async (lease) => {
      const plain = (await log.read.tile(id, lease)) ?? throwNotThere();
      return { body: zip ? await compress(plain) : plain, headers };
    });
  });

  function throwNotThere(): never {
    throw notThere();
  }

  function notThere(): WritError {
    return new WritError("NOT_FOUND", `no such tile in the tree of ${log.published.size}`);
  }
}

/** The path as sent: a tile has one spelling, so nothing is percent-decoded and no dots are resolved. */
function rawPath(c: Context): string {
  const { incoming } = nodeMessages(c);
  const url = incoming?.url ?? c.req.url;
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
