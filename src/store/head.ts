/** A head as stored: root (32) ‖ receivedAt (8), under its size. */
import { asHash } from "../../merkle/index.js";
import { concat, readUint64, uint64 } from "../format/bytes.js";
import type { Head } from "./contract.js";

export function encodeHead(head: Head): Uint8Array {
  return concat(head.root, uint64(head.receivedAt));
}

export function decodeHead(size: number, value: Uint8Array): Head {
  return { size, root: asHash(value.slice(0, 32)), receivedAt: readUint64(value, 32) };
}
