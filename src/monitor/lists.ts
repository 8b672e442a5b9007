/** Are the log's status lists those of its entries? The newest list, and one of the others, bit by bit. */
import { isRefusal } from "../client/transport.js";
import { ProofError } from "../errors.js";
import { LIST_ENTRIES, listOf, readBits } from "../index/bits.js";
import { listAsOf } from "../log/state/bits.js";
import type { OpenedList } from "../status-list/open.js";
import { openStatusListJwt } from "../status-list/token.js";
import { isUnreachable, type MonitorParts } from "./parts.js";
import type { Unjustified } from "./status.js";

type ListParts = Pick<MonitorParts, "mirror" | "reader" | "key" | "now">;

/** A log signs its lists anew every half minute. */
const MAX_AGE_MS = 10 * 60_000;

const WORDS = ["valid", "invalid", "suspended", "consumed"] as const;

export async function unjustifiedLists(parts: ListParts): Promise<Unjustified[]> {
  const { mirror } = parts;
  if (mirror.keys === null) return [];
  const newest = listOf(Math.max(0, mirror.size - 1));
  const lists = new Set([newest, Math.floor(Math.random() * (newest + 1))]);
  const found: Unjustified[] = [];
  for (const k of lists) found.push(...(await judge(parts, k)));
  return found;
}

/** Is each entry of a byte what it is by itself, or what a sweep makes of it? */
function isBetween(least = 0, told = 0, most = 0): boolean {
  return [0, 2, 4, 6].every((shift) => {
    const [low, is, high] = [least, told, most].map((byte) => (byte >> shift) & 3);
    return is === low || is === high;
  });
}

async function judge({ mirror, reader, key, now }: ListParts, k: number): Promise<Unjustified[]> {
  const name = `list ${k}`;
  let shown: OpenedList;
  try {
    const token = await reader.statusList(k);
    // A log may have none, and may be silent: that is said elsewhere.
    if (token === null) return [];
    shown = openStatusListJwt(token, key);
  } catch (error) {
    if (isUnreachable(error) || isRefusal(error)) return [];
    if (!(error instanceof ProofError)) throw error;
    return [{ name, detail: `its status list ${k}: ${error.message}` }];
  }
  const { bits, treeSize, sweptTo, issuedAt } = shown;
  if (now() - issuedAt > MAX_AGE_MS)
    return [
      { name, detail: `its status list ${k} was signed ${Math.round((now() - issuedAt) / 1000)} s ago` },
    ];
  // Of entries that we have not seen nothing can be said yet.
  if (treeSize > mirror.size) return [];
  const own = await listAsOf(mirror.store, k, treeSize);
  // What is still being followed may be there already, or not yet.
  const least = sweptTo < treeSize ? await listAsOf(mirror.store, k, treeSize, { swept: false }) : own;
  const first = own.findIndex(
    (byte, i) => byte !== bits[i] && least[i] !== bits[i] && !isBetween(least[i], bits[i], byte),
  );
  if (first < 0) return [];
  const place =
    [0, 1, 2, 3].map((i) => first * 4 + i).find((at) => readBits(own, at) !== readBits(bits, at)) ?? 0;
  const [told, is] = [readBits(bits, place), readBits(own, place)];
  return [
    {
      name,
      detail: `its status list ${k} calls entry ${k * LIST_ENTRIES + place} ${WORDS[told]}; by its entries below ${treeSize} it is ${WORDS[is]}`,
    },
  ];
}
