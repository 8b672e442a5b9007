/** Are the log's status lists those of its entries? The newest list, and one of the others, bit by bit. */
import { isRefusal } from "../client/transport.js";
import { ProofError } from "../errors.js";
import { LIST_ENTRIES, listOf, readBits } from "../index/bits.js";
import { listAsOf } from "../log/bits.js";
import { openStatusListJwt, type OpenedList } from "../status-list/token.js";
import { isUnreachable, type MonitorParts } from "./parts.js";
import type { Unjustified } from "./status.js";

type ListParts = Pick<MonitorParts, "mirror" | "reader" | "key">;

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

async function judge({ mirror, reader, key }: ListParts, k: number): Promise<Unjustified[]> {
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
  const { bits, treeSize, sweptTo } = shown;
  // Of entries that we have not seen, or of what is still being followed, nothing can be said yet.
  if (treeSize > mirror.size || sweptTo < treeSize) return [];
  const own = await listAsOf(mirror.store, k, treeSize);
  const first = own.findIndex((byte, i) => byte !== bits[i]);
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
