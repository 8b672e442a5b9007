/** c2sp.org/tlog-tiles: `GET /checkpoint` and `GET /tile/…`, at the root of the origin. */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context, Hono } from "hono";
import { WritError } from "../src/errors.js";
import { parseTilePath, TILE_WIDTH, type TileId } from "../src/format/tile-path.js";
import { ByteLru } from "../src/log/tree/byte-lru.js";
import type { Log } from "../src/log/log.js";
import { takesGzip } from "./negotiate.js";
import { nodeMessages } from "./node.js";
import { query } from "./params.js";

const compress = promisify(gzip);
/** Full bundles never change; this many bytes of them are kept, plain and compressed. */
const CACHE_BYTES = 16 * 1024 * 1024;
/** Bytes of bundles that may be on their way to readers at once; a bundle has up to 16 MiB, and readers may not read. */
const SENDING_BYTES = 128 * 1024 * 1024;

// "This endpoint is immutable, so its caching headers SHOULD be long-lived."
const TILE_HEADERS = {
  "content-type": "application/octet-stream",
  "cache-control": "public, max-age=31536000, immutable",
  "access-control-allow-origin": "*",
};

export function tileRoutes(app: Hono, log: Log): void {
  const kept = new ByteLru<string, Uint8Array>(CACHE_BYTES);
  let sending = 0;

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
    query(c, []);
    const id = parseTilePath(rawPath(c).slice(1));
    if (id === undefined) throw notThere();
    if (id.kind === "hashes") {
      return new Response((await log.read.tile(id)) ?? throwNotThere(), { headers: TILE_HEADERS });
    }
    const zip = takesGzip(c.req.header("accept-encoding"));
    const bytes = await bundle(id, zip);
    hold(c, bytes.length);
    const headers = {
      ...TILE_HEADERS,
      vary: "accept-encoding",
      ...(zip ? { "content-encoding": "gzip" } : {}),
    };
    return new Response(bytes, { headers });
  });

  async function bundle(id: TileId, zip: boolean): Promise<Uint8Array> {
    const name = `${id.index}${zip ? "z" : ""}`;
    const known = id.width === TILE_WIDTH ? kept.get(name) : undefined;
    if (known !== undefined) return known;
    const plain = (await log.read.tile(id)) ?? throwNotThere();
    const bytes = zip ? await compress(plain) : plain;
    if (id.width === TILE_WIDTH) kept.set(name, bytes, bytes.length);
    return bytes;
  }

  /** Counts an answer until it has left. POOL_FULL when too much is waiting to be read. */
  function hold(c: Context, bytes: number): void {
    const { outgoing } = nodeMessages(c);
    // Nobody is there any more who could close it.
    if (outgoing === undefined || outgoing.destroyed) return;
    if (sending > 0 && sending + bytes > SENDING_BYTES) {
      throw new WritError(
        "POOL_FULL",
        `entry bundles of ${sending} bytes are being sent, of at most ${SENDING_BYTES}`,
      );
    }
    sending += bytes;
    outgoing.once("close", () => {
      sending -= bytes;
    });
  }

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
