/** The key of whoever sits here: made in this browser, which signs with it and hands it to nobody, this page included. */
import { formatVerifierKey, ED25519, verifierKey } from "../format/vkey.js";
import { RECORD_MEDIA_TYPE } from "../record/record.js";
import { formatDsse, preAuthEncoding } from "../statement/dsse.js";
import { publicKey, type PublicKey } from "../statement/key.js";

const [DATABASE, TABLE, ONLY] = ["writ", "keys", "mine"];
const NO_ROOM = "no room to keep a key here";

export interface OwnKey {
  /** The id that it signs as. */
  readonly name: string;
  /** The verifier key to be registered. */
  readonly vkey: string;
  /** The record in its envelope, signed. */
  sign(record: Uint8Array): Promise<Uint8Array>;
}

interface Kept {
  readonly name: string;
  readonly pair: CryptoKeyPair;
}

/** The key that was made here before; null when there is none. */
export async function ownKey(): Promise<OwnKey | null> {
  const kept = await inTable<Kept | undefined>("readonly", (table) => table.get(ONLY));
  return kept === undefined ? null : usable(kept);
}

/** Makes it, where there is none yet: one that may be registered is never written over. Its secret cannot be exported: it is gone with the browser's profile, and another is registered then. */
export async function makeOwnKey(name: string): Promise<OwnKey> {
  if (!isSecureContext)
    throw new Error("browsers make keys only for pages over https, or from this very machine");
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const own = await usable({ name, pair });
  await inTable("readwrite", (table) => table.add({ name, pair } satisfies Kept, ONLY));
  return own;
}

async function usable({ name, pair }: Kept): Promise<OwnKey> {
  const bytes = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const known: PublicKey | undefined = publicKey("Ed25519", bytes);
  if (known === undefined) throw new Error("this browser made no Ed25519 key");
  const { keyId } = known;
  return {
    name,
    vkey: formatVerifierKey(verifierKey(name, ED25519, bytes)),
    async sign(record) {
      const message = preAuthEncoding(RECORD_MEDIA_TYPE, record) as Uint8Array<ArrayBuffer>;
      const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message));
      return formatDsse(RECORD_MEDIA_TYPE, record, [{ keyId, signature }]);
    },
  };
}

async function inTable<T>(
  mode: IDBTransactionMode,
  ask: (table: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(TABLE));
  const database = await done(opening);
  try {
    const transaction = database.transaction(TABLE, mode);
    const kept = new Promise<void>((resolve, reject) => {
      transaction.addEventListener("complete", () => resolve());
      transaction.addEventListener("abort", () => reject(transaction.error ?? new Error(NO_ROOM)));
    });
    const answer = await Promise.all([done(ask(transaction.objectStore(TABLE))), kept]);
    return answer[0];
  } finally {
    database.close();
  }
}

async function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error(NO_ROOM)));
  });
}
