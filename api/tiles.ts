/** c2sp.org/tlog-tiles: `GET /checkpoint` and `GET /tile/…`, at the root of the origin. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseTilePath, TILE_WIDTH, type TileId } from "../src/format/tile-path.js";
import { ByteLru } from "../src/log/byte-lru.js";
import type { Log } from "../src/log/log.js";
import { takesGzip } from "./negotiate.js";
import { query } from "./params.js";

const compress = promisify(gzip);
/** Compressed full bundles never change; this many bytes of them are kept. */
const CACHE_BYTES = 16 * 1024 * 1024;

// "This endpoint is immutable, so its caching headers SHOULD be long-lived."
const TILE_HEADERS = {
  "content-type": "application/octet-stream",
  "cache-control": "public, max-age=31536000, immutable",
  "access-control-allow-origin": "*",
};

export function tileRoutes(app: Hono, log: Log): void {
  const compressed = new ByteLru<number, Uint8Array>(CACHE_BYTES);

  app.get("/checkpoint", (c) => {
    query(c, []);
    return new Response(log.published.checkpoint, {
      headers: {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-cache",
        "access-control-allow-origin": "*",
      },
    });
  });

  app.get("/tile/*", async (c) => {
    const id = parseTilePath(rawPath(c).slice(1));
    const bytes = id === undefined ? null : await log.tile(id);
    if (id === undefined || bytes === null) {
      throw new WritError("NOT_FOUND", `no such tile in the tree of ${log.published.size}`);
    }
    if (id.kind === "hashes") return new Response(bytes, { headers: TILE_HEADERS });
    const headers = { ...TILE_HEADERS, vary: "accept-encoding" };
    if (!takesGzip(c.req.header("accept-encoding"))) return new Response(bytes, { headers });
    return new Response(await compressBundle(id, bytes), {
      headers: { ...headers, "content-encoding": "gzip" },
    });
  });

  async function compressBundle(id: TileId, bytes: Uint8Array): Promise<Uint8Array> {
    if (id.width < TILE_WIDTH) return compress(bytes);
    const kept = compressed.get(id.index) ?? (await compress(bytes));
    compressed.set(id.index, kept, kept.length);
    return kept;
  }
}

/** The path as sent: a tile has one spelling, so nothing is percent-decoded. */
function rawPath(c: Context): string {
  const { url } = c.req;
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
