/** A head as stored, under its size: root (32) ‖ receivedAt (8) ‖ the size before the commit (8). */
import { asHash } from "../../merkle/index.js";
import { concat, readUint64, uint64 } from "../format/bytes.js";
import type { Head } from "./contract.js";

export function encodeHead(head: Head, before: number): Uint8Array {
  return concat(head.root, uint64(head.receivedAt), uint64(before));
}

export function decodeHead(size: number, value: Uint8Array): Head {
  return { size, root: asHash(value.slice(0, 32)), receivedAt: readUint64(value, 32) };
}

/** The size that the commit of this head extended. */
export function sizeBefore(value: Uint8Array): number {
  return readUint64(value, 40);
}
