/** The index rows of an entry: what the store keeps beside it, computed the same way at admission and by `fsck`. */
import { fromHex } from "../format/bytes.js";
import type { Row } from "../store/contract.js";
import type { Admitted } from "./admit.js";

const NOTHING = new Uint8Array(0);

export function rowsOf(
  entry: Pick<Admitted, "entryHash" | "recordHash" | "registeredKeyId">,
  index: number,
): Row[] {
  const rows: Row[] = [{ table: "entry-hash", key: entry.entryHash, value: placed(NOTHING, index) }];
  if (entry.recordHash !== null)
    rows.push({ table: "record-id", key: placed(entry.recordHash, index), value: NOTHING });
  const keyId = entry.registeredKeyId === null ? undefined : fromHex(entry.registeredKeyId);
  if (keyId !== undefined) rows.push({ table: "key", key: placed(keyId, index), value: NOTHING });
  return rows;
}

/** A name, then the index in 8 big-endian bytes. */
function placed(name: Uint8Array, index: number): Uint8Array {
  const out = Buffer.allocUnsafe(name.length + 8);
  out.set(name);
  out.writeUInt32BE(Math.floor(index / 2 ** 32), name.length);
  out.writeUInt32BE(index % 2 ** 32, name.length + 4);
  return out;
}
