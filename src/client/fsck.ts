/**
 * Checking a log from outside, as a stranger: every entry bundle and every tile fetched, hashed again and compared with
 * one another and with the signed checkpoint.
 */
import { asHash, emptyRange, extendRange, type Hash, rangeRoot, sameHash } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { parseTile } from "../format/tile.js";
import type { LogClient } from "./log-client.js";
import { bundlesOf } from "./walk.js";

export interface RemoteReport {
  readonly size: number;
  readonly faults: readonly string[];
}

export async function fsckRemote(
  client: LogClient,
  progress: (done: number, total: number) => void,
): Promise<RemoteReport> {
  const checkpoint = await client.checkpoint();
  const { size } = checkpoint;
  const faults: string[] = [];
  let row: Hash[] = [];
  try {
    for await (const { index, leaves } of bundlesOf(client, checkpoint)) {
      await compareTile(client, 0, index, leaves, faults);
      if (leaves.length === TILE_WIDTH) row.push(rootOfFull(leaves));
      progress(index * TILE_WIDTH + leaves.length, size);
    }
  } catch (error) {
    if (!(error instanceof ProofError)) throw error;
    faults.push(error.message);
  }
  for (let level = 1; row.length > 0; level++) {
    const above: Hash[] = [];
    for (let index = 0; index * TILE_WIDTH < row.length; index++) {
      const hashes = row.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
      await compareTile(client, level, index, hashes, faults);
      if (hashes.length === TILE_WIDTH) above.push(rootOfFull(hashes));
    }
    if (tileWidth(level, 0, size) === 0) break;
    row = above;
  }
  return { size, faults };
}

async function compareTile(
  client: LogClient,
  level: number,
  index: number,
  want: readonly Hash[],
  faults: string[],
): Promise<void> {
  const path = formatTilePath({ kind: "hashes", level, index, width: want.length });
  let got: Hash[];
  try {
    got = parseTile(await client.tile(path), want.length);
  } catch (error) {
    if (!(error instanceof WritError) || error.code === "SERVER_UNREACHABLE") throw error;
    faults.push(`${path}: ${error.message}`);
    return;
  }
  if (!got.every((hash, i) => sameHash(hash, want[i] ?? asHash(new Uint8Array(32)))))
    faults.push(`${path} is not that of the entries`);
}

/** The root of a full tile: its hashes, taken as leaves' hashes. */
function rootOfFull(hashes: readonly Hash[]): Hash {
  return rangeRoot(extendRange(emptyRange(), hashes));
}
