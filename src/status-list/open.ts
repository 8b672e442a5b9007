/** Reading a status list's JWT, wherever that is: what inflates its bits differs between a browser and a server. */
import { ed25519Verify } from "#crypto";
import { ProofError, WritError } from "../errors.js";
import { parseBase64url, toBase64 } from "../format/base64.js";
import { fromUtf8, utf8 } from "../format/bytes.js";
import type { VerifierKey } from "../format/vkey.js";
import { LIST_BYTES } from "../index/bits.js";
import { isJsonObject, parseJson } from "../statement/json.js";
import { listRoot } from "./root.js";

/** A token that was read: signed by the key, and of that log. */
export interface OpenedList {
  /** Two bits an entry: 32 KiB. */
  readonly bits: Uint8Array;
  readonly treeSize: number;
  readonly sweptTo: number;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
}

/** The same, its bits as they came: zlib (RFC 1950). */
export interface ReadList extends Omit<OpenedList, "bits"> {
  readonly lst: Uint8Array;
  readonly root: unknown;
  /** What it says it is: its own URL; empty when it says nothing. */
  readonly uri: string;
  /** Milliseconds since 1970; as old as can be when it does not say. */
  readonly expiresAt: number;
}

/**
 * Reads a list's JWT. SERVER_ANSWER_INVALID for what this key has not signed: anybody can have put that there. ProofError for
 * what it has signed and is no list of this log.
 */
export function readListJwt(token: Uint8Array, key: VerifierKey): ReadList {
  const [header = "", claims = "", signature = "", ...rest] = (fromUtf8(token) ?? "").split(".");
  const [signed, over] = [parseBase64url(signature), utf8(`${header}.${claims}`)];
  if (rest.length > 0 || signed?.length !== 64 || !ed25519Verify(signed, over, key.publicKey))
    throw new WritError("SERVER_ANSWER_INVALID", "no JWT that is signed by the log's key");
  const value = parseJson(parseBase64url(claims) ?? new Uint8Array(0), "SERVER_ANSWER_INVALID");
  const { status_list: list, tlog, iat, exp, sub } = isJsonObject(value) ? value : {};
  if (!isJsonObject(list) || !isJsonObject(tlog) || list["bits"] !== 2)
    throw new ProofError("it lacks status_list with two bits an entry, or tlog");
  if (tlog["origin"] !== key.name) throw new ProofError("it is of another log");
  const { tree_size: treeSize, swept_to: sweptTo, list_root: root } = tlog;
  if (!isCount(treeSize) || !isCount(sweptTo) || !isCount(iat))
    throw new ProofError("it names no tree size, or no time");
  const lst = parseBase64url(typeof list["lst"] === "string" ? list["lst"] : "") ?? new Uint8Array(0);
  return {
    lst,
    root,
    treeSize,
    sweptTo,
    issuedAt: iat * 1000,
    uri: typeof sub === "string" ? sub : "",
    expiresAt: isCount(exp) ? exp * 1000 : 0,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The list with its bits, inflated (null: that failed). ProofError when they are not those that were signed. */
export function openedList(
  { treeSize, sweptTo, issuedAt, root }: ReadList,
  bits: Uint8Array | null,
): OpenedList {
  if (bits?.length !== LIST_BYTES) throw new ProofError(`its bits are not ${LIST_BYTES} bytes, compressed`);
  if (toBase64(listRoot(bits)) !== root) throw new ProofError("its root is not that of its bits");
  return { bits, treeSize, sweptTo, issuedAt };
}
