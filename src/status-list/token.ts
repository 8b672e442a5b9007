/**
 * A status list as the IETF Token Status List has it (draft-ietf-oauth-status-list-21): two bits an entry, least
 * significant first, compressed with zlib; signed as a JWT (§5.1) or a CWT (§5.2) with the log's Ed25519 key.
 */
import { deflateSync, inflateSync } from "node:zlib";
import { ed25519Sign } from "#crypto";
import { toBase64, toBase64url } from "../format/base64.js";
import { fromHex, utf8 } from "../format/bytes.js";
import type { SigningKey, VerifierKey } from "../format/vkey.js";
import { LIST_BYTES } from "../index/bits.js";
import { encodeCbor } from "../statement/cbor.js";
import { formatSign1, sigStructure } from "../statement/sign1.js";
import { publicKey, toJwk } from "../statement/key.js";
import { ALG, EDDSA, IAT, ISS, KID, SUB, TYP } from "../statement/labels.js";
import type { JsonObject } from "../statement/json.js";
import { openedList, type OpenedList, readListJwt } from "./open.js";

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

/** Reads a list's JWT, inflated. Errors: as of `readListJwt` and `openedList`. */
export function openStatusListJwt(token: Uint8Array, key: VerifierKey): OpenedList {
  const read = readListJwt(token, key);
  return openedList(read, inflated(read.lst));
}

/** Null when it is not zlib of a list's size. */
function inflated(lst: Uint8Array): Uint8Array | null {
  try {
    return inflateSync(lst, { maxOutputLength: LIST_BYTES });
  } catch {
    return null;
  }
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
