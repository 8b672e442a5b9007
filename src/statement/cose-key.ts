/**
 * COSE_Key and COSE_KeySet (RFC 9052 §7, RFC 9053 §7): how a transparency service publishes the keys that its receipts
 * verify by (`/.well-known/scitt-keys`), and how a verifier pins them.
 *
 *     [{1: 1, 2: h'6ee4…af48', 3: -8, -1: 6, -2: h'a09a…a4f0'}]
 */
import { WritError } from "../errors.js";
import { concat, fromHex, utf8 } from "../format/bytes.js";
import { CborReader, decodeCbor, encodeCbor, head } from "./cbor.js";
import { algorithmOf } from "./cose.js";
import { type PublicKey, publicKey } from "./key.js";
import { EDDSA } from "./labels.js";

const [KTY, KID, ALG, KEY_OPS, CRV, X, Y] = [1, 2, 3, 4, -1, -2, -3];
/** Of `key_ops` (RFC 9052 §7.1). */
const VERIFY = 2;
const [OKP, EC2] = [1, 2];
const [P_256, ED25519] = [1, 6];

/** A key of a service, by the name that its receipts use. */
export interface ServiceKey {
  /** Our own is the RFC 9679 thumbprint, 32 bytes; others' are any bytes. Null when the set names none. */
  readonly kid: Uint8Array | null;
  readonly key: PublicKey;
}

const ALG_NUMBERS = { Ed25519: EDDSA, ES256: -7 } as const;

/** A COSE_Key whose kid is the thumbprint. */
export function formatCoseKey({ algorithm, bytes, keyId }: PublicKey): Uint8Array {
  const kid = fromHex(keyId);
  const coordinates =
    algorithm === "Ed25519"
      ? ([
          [KTY, OKP],
          [CRV, ED25519],
          [X, bytes],
        ] as const)
      : ([
          [KTY, EC2],
          [CRV, P_256],
          [X, bytes.subarray(0, 32)],
          [Y, bytes.subarray(32)],
        ] as const);
  return encodeCbor(new Map<unknown, unknown>([[KID, kid], [ALG, ALG_NUMBERS[algorithm]], ...coordinates]));
}

export function formatCoseKeySet(keys: readonly PublicKey[]): Uint8Array {
  return concat(head(4, keys.length), ...keys.map(formatCoseKey));
}

/**
 * The keys in a set, or in a single key: those that we can verify by; others are passed over, as RFC 9052 §7 says, whatever
 * they are. COSE_KEY_MALFORMED when it is neither, or holds none that we can use.
 */
export function parseCoseKeySet(bytes: Uint8Array): ServiceKey[] {
  const known = itemsIn(bytes).flatMap((item) => serviceKey(decodeKey(item)) ?? []);
  if (known.length > 0) return known;
  throw new WritError(
    "COSE_KEY_MALFORMED",
    "want a COSE_Key or a set of them with an Ed25519 or P-256 key in it",
  );
}

const READING = { code: "COSE_KEY_MALFORMED", anyOrder: true } as const;
const ARRAY = 4;

/** The elements of an array, or the one item that is none. */
function itemsIn(bytes: Uint8Array): Uint8Array[] {
  const reader = new CborReader(bytes, READING);
  const count = reader.peek() === ARRAY ? reader.expect(ARRAY, "a set of keys") : 1;
  const items: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    reader.skip();
    items.push(bytes.subarray(start, reader.offset));
  }
  reader.end();
  return items;
}

/** A key of a kind that is not ours may hold what we do not read. */
function decodeKey(item: Uint8Array): unknown {
  try {
    return decodeCbor(item, READING);
  } catch (error) {
    if (error instanceof WritError) return null;
    throw error;
  }
}

function serviceKey(value: unknown): ServiceKey | undefined {
  if (!(value instanceof Map)) return undefined;
  const key = keyOf(value);
  const [alg, operations] = [value.get(ALG), value.get(KEY_OPS)];
  if (key === undefined || (alg !== undefined && algorithmOf(alg) !== key.algorithm)) return undefined;
  if (Array.isArray(operations) && !operations.includes(VERIFY)) return undefined;
  return { kid: kidOf(value.get(KID)), key };
}

function keyOf(value: ReadonlyMap<unknown, unknown>): PublicKey | undefined {
  const [kty, crv] = [value.get(KTY), value.get(CRV)];
  const x = coordinate(value.get(X));
  if (kty === OKP && crv === ED25519) return x && publicKey("Ed25519", x);
  const y = coordinate(value.get(Y));
  return kty === EC2 && crv === P_256 && x && y ? publicKey("ES256", concat(x, y)) : undefined;
}

function coordinate(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array && value.length === 32 ? new Uint8Array(value) : undefined;
}

/** A kid is a byte string; some write text. */
export function kidOf(value: unknown): Uint8Array | null {
  if (typeof value === "string") return utf8(value);
  return value instanceof Uint8Array ? new Uint8Array(value) : null;
}
