/** The index rows of an entry: what the store keeps beside it, computed the same way at admission and by `fsck`. */
import { concat, fromHex, uint64 } from "../format/bytes.js";
import type { Row } from "../store/contract.js";
import type { Admitted } from "./admit.js";

const NOTHING = new Uint8Array(0);

export function rowsOf(
  entry: Pick<Admitted, "entryHash" | "recordHash" | "registeredKeyId">,
  index: number,
): Row[] {
  const at = uint64(index);
  const rows: Row[] = [{ table: "entry-hash", key: entry.entryHash, value: at }];
  if (entry.recordHash !== null)
    rows.push({ table: "record-id", key: concat(entry.recordHash, at), value: NOTHING });
  const keyId = entry.registeredKeyId === null ? undefined : fromHex(entry.registeredKeyId);
  if (keyId !== undefined) rows.push({ table: "key", key: concat(keyId, at), value: NOTHING });
  return rows;
}
