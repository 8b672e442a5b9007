/**
 * A status list as the IETF Token Status List has it (draft-ietf-oauth-status-list-21): two bits an entry, least
 * significant first, compressed with zlib; signed as a JWT (§5.1) or a CWT (§5.2) with the log's Ed25519 key.
 */
import { deflateSync, inflateSync } from "node:zlib";
import { ed25519Sign, ed25519Verify } from "#crypto";
import { ProofError, WritError } from "../errors.js";
import { parseBase64url, toBase64, toBase64url } from "../format/base64.js";
import { fromHex, fromUtf8, utf8 } from "../format/bytes.js";
import type { SigningKey, VerifierKey } from "../format/vkey.js";
import { LIST_BYTES } from "../index/bits.js";
import { encodeCbor } from "../statement/cbor.js";
import { formatSign1, sigStructure } from "../statement/sign1.js";
import { publicKey, toJwk } from "../statement/key.js";
import { ALG, EDDSA, IAT, ISS, KID, SUB, TYP } from "../statement/labels.js";
import { isJsonObject, type JsonObject, parseJson } from "../statement/json.js";
import { listRoot } from "./root.js";

export const JWT_MEDIA_TYPE = "application/statuslist+jwt";
export const CWT_MEDIA_TYPE = "application/statuslist+cwt";

/** What a token says beside the bits. Times in whole seconds since 1970. */
export interface ListFacts {
  /** The list's own URL: what a credential's `status_list.uri` says. */
  readonly uri: string;
  /** The log's URL. */
  readonly issuer: string;
  readonly aggregationUri: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** How long a client may keep it, in seconds. */
  readonly ttl: number;
  /** Where in the log it is from: what makes it checkable by whoever has the entries. */
  readonly tlog: {
    readonly origin: string;
    readonly treeSize: number;
    /** 32 bytes: `listRoot` of the bits. */
    readonly listRoot: Uint8Array;
    /** Revocations before this entry have been followed to everything that they take with them. */
    readonly sweptTo: number;
  };
}

/** zlib (RFC 1950) of the packed bits. Compressors differ: never compare or hash what comes out. */
export function compressed(bits: Uint8Array): Uint8Array {
  return deflateSync(bits);
}

/** The JWT over bits that are compressed already. */
export function statusListJwt(lst: Uint8Array, facts: ListFacts, key: SigningKey): string {
  const header = { alg: "EdDSA", kid: keyIdOf(key), typ: "statuslist+jwt" };
  const claims = {
    iss: facts.issuer,
    sub: facts.uri,
    iat: facts.issuedAt,
    exp: facts.expiresAt,
    ttl: facts.ttl,
    status_list: { bits: 2, lst: toBase64url(lst), aggregation_uri: facts.aggregationUri },
    tlog: {
      origin: facts.tlog.origin,
      tree_size: facts.tlog.treeSize,
      list_root: toBase64(facts.tlog.listRoot),
      swept_to: facts.tlog.sweptTo,
    },
  };
  const input = `${toBase64url(utf8(JSON.stringify(header)))}.${toBase64url(utf8(JSON.stringify(claims)))}`;
  return `${input}.${toBase64url(ed25519Sign(utf8(input), key.seed))}`;
}

/** A token that was read: signed by the key, and of that log. */
export interface OpenedList {
  /** Two bits an entry: 32 KiB. */
  readonly bits: Uint8Array;
  readonly treeSize: number;
  readonly sweptTo: number;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
}

/**
 * Reads a list's JWT. SERVER_ANSWER_INVALID for what this key has not signed: anybody can have put that there. ProofError for
 * what it has signed and is no list of this log.
 */
export function openStatusListJwt(token: Uint8Array, key: VerifierKey): OpenedList {
  const [header = "", claims = "", signature = "", ...rest] = (fromUtf8(token) ?? "").split(".");
  const [signed, over] = [parseBase64url(signature), utf8(`${header}.${claims}`)];
  if (rest.length > 0 || signed?.length !== 64 || !ed25519Verify(signed, over, key.publicKey))
    throw new WritError("SERVER_ANSWER_INVALID", "no JWT that is signed by the log's key");
  const value = parseJson(parseBase64url(claims) ?? new Uint8Array(0), "SERVER_ANSWER_INVALID");
  const { status_list: list, tlog, iat } = isJsonObject(value) ? value : {};
  if (!isJsonObject(list) || !isJsonObject(tlog) || list["bits"] !== 2)
    throw new ProofError("it lacks status_list with two bits an entry, or tlog");
  if (tlog["origin"] !== key.name) throw new ProofError("it is of another log");
  const { tree_size: treeSize, swept_to: sweptTo, list_root: root } = tlog;
  if (typeof treeSize !== "number" || typeof sweptTo !== "number" || typeof iat !== "number")
    throw new ProofError("it names no tree size, or no time");
  const bits = inflated(parseBase64url(typeof list["lst"] === "string" ? list["lst"] : ""));
  if (toBase64(listRoot(bits)) !== root) throw new ProofError("its root is not that of its bits");
  return { bits, treeSize, sweptTo, issuedAt: iat * 1000 };
}

function inflated(lst: Uint8Array | undefined): Uint8Array {
  try {
    const bits = inflateSync(lst ?? new Uint8Array(0), { maxOutputLength: LIST_BYTES });
    if (bits.length === LIST_BYTES) return bits;
  } catch {
    // What cannot be read is said below.
  }
  throw new ProofError(`its bits are not ${LIST_BYTES} bytes, compressed`);
}

/** CWT claims that only status lists have here (RFC 8392 §4, the draft's §14). */
const [EXP, TTL, STATUS_LIST] = [4, 65_534, 65_533];

/** The CWT: COSE_Sign1 with its tag (18) and without the CWT tag (61), as §5.2 demands. */
export function statusListCwt(lst: Uint8Array, facts: ListFacts, key: SigningKey): Uint8Array {
  const header = encodeCbor(
    new Map<number, unknown>([
      [ALG, EDDSA],
      [KID, fromHex(keyIdOf(key))],
      [TYP, CWT_MEDIA_TYPE],
    ]),
  );
  const { origin, treeSize, listRoot: root, sweptTo } = facts.tlog;
  const payload = encodeCbor(
    new Map<number | string, unknown>([
      [ISS, facts.issuer],
      [SUB, facts.uri],
      [EXP, facts.expiresAt],
      [IAT, facts.issuedAt],
      [TTL, facts.ttl],
      [
        STATUS_LIST,
        new Map<string, unknown>([
          ["bits", 2],
          ["lst", lst],
          // Optional in the draft; one client fails without it.
          ["aggregation_uri", facts.aggregationUri],
        ]),
      ],
      [
        "tlog",
        new Map<string, unknown>([
          ["origin", origin],
          ["tree_size", treeSize],
          ["list_root", root],
          ["swept_to", sweptTo],
        ]),
      ],
    ]),
  );
  return formatSign1(header, payload, ed25519Sign(sigStructure(header, payload), key.seed));
}

/** The key that tokens are signed with, as a JWK with the `kid` that they name. */
export function listJwk(key: SigningKey): JsonObject {
  return { ...toJwk(known(key)), kid: keyIdOf(key), alg: "EdDSA", use: "sig" };
}

/** RFC 9679 SHA-256 thumbprint: 64 hex digits, as everywhere in a log. */
function keyIdOf(key: SigningKey): string {
  return known(key).keyId;
}

function known(key: SigningKey) {
  const found = publicKey("Ed25519", key.publicKey);
  if (found === undefined) throw new RangeError("want an Ed25519 key");
  return found;
}
