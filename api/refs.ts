/** The entries that a reference in a path means, and the checkpoint that a size does. */
import { WritError } from "../src/errors.js";
import type { Log } from "../src/log/log.js";
import type { Published } from "../src/log/tree/publish.js";
import type { Tree } from "../src/store/contract.js";
import { parseRef } from "./params.js";

/** At least one, in log order. ENTRY_NOT_FOUND. `unseen`: entries that are in the log and not published yet are found too. */
export async function indexesOf(log: Log, text: string, unseen = false): Promise<[number, ...number[]]> {
  const [first, ...rest] = await log.read.find(parseRef(text), unseen);
  if (first !== undefined) return [first, ...rest];
  throw new WritError("ENTRY_NOT_FOUND", `nothing in the log of ${log.published.size} entries is ${text}`);
}

/** The checkpoint of a size that was published once. SIZE_UNPUBLISHED. */
export async function publishedAt(log: Log, size: number): Promise<Published> {
  const published = await log.view.checkpointAt(size);
  if (published !== null) return published;
  throw new WritError(
    "SIZE_UNPUBLISHED",
    `no checkpoint of size ${size} was published; the newest has ${log.published.size}`,
    { path: "size" },
  );
}

/** The tree of a size that receipts may be given under. SIZE_UNPUBLISHED. */
export async function treeAt(log: Log, size: number): Promise<Tree> {
  const tree = await log.view.treeAt(size);
  if (tree !== null) return tree;
  throw new WritError(
    "SIZE_UNPUBLISHED",
    `the log never had the size ${size}, or may not show it yet; the newest is ${log.published.size}`,
    { path: "size" },
  );
}
