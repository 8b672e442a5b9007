/**
 * Tiles as others serve them (c2sp.org/tlog-tiles): a copy that is a little ahead may have dropped a partial tile ("logs MAY delete
 * partial tiles once the full tile is available"), and has what was asked for at the beginning of the full one.
 */
import { formatBundle, parseBundle } from "../format/bundle.js";
import { formatTilePath, parseTilePath, TILE_WIDTH } from "../format/tile-path.js";
import { isRefusal } from "./transport.js";

const HASH_BYTES = 32;

/** The tile or entry bundle at `path`, by `get`; of a partial one that is gone, the beginning of the full one. */
export async function readTile(
  get: (path: string) => Promise<Uint8Array>,
  path: string,
): Promise<Uint8Array> {
  try {
    return await get(path);
  } catch (error) {
    const id = parseTilePath(path);
    if (id === undefined || id.width === TILE_WIDTH || !isGone(error)) throw error;
    const whole = await get(formatTilePath({ ...id, width: TILE_WIDTH })).catch((second: unknown) => {
      if (isGone(second)) return null;
      throw second;
    });
    // Neither: it may have been put there in between.
    if (whole === null) return get(path);
    if (id.kind === "hashes") return whole.subarray(0, id.width * HASH_BYTES);
    return formatBundle(parseBundle(whole, TILE_WIDTH).slice(0, id.width));
  }
}

function isGone(error: unknown): boolean {
  return isRefusal(error) && (error.facts.status === 404 || error.facts.status === 410);
}
