/**
 * Walking a whole log from outside: every entry bundle up to a verified checkpoint, its leaf hashes rebuilt into the root.
 * Nothing is yielded as true until the root has come out right.
 */
import {
  type CompactRange,
  emptyRange,
  extendRange,
  type Hash,
  leafHash,
  rangeRoot,
  sameHash,
} from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { parseBundle } from "../format/bundle.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { registrationOf } from "../record/key-record.js";
import { readLogPolicy } from "../record/log-policy.js";
import { idOf, parseRecord, RECORD_MEDIA_TYPE } from "../record/record.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import type { LogClient } from "./log-client.js";

const READ_AHEAD = 4;

export interface Bundle {
  readonly index: number;
  readonly entries: readonly Uint8Array[];
  readonly leaves: readonly Hash[];
}

/** The bundles under a checkpoint, in order; after the last, ProofError unless they have its root. */
export async function* bundlesOf(client: LogClient, { size, root }: Checkpoint): AsyncGenerator<Bundle> {
  const count = Math.ceil(size / TILE_WIDTH);
  const pending: Promise<Bundle>[] = [];
  let range: CompactRange = emptyRange();
  for (let next = 0, index = 0; index < count; index++) {
    while (next < count && pending.length < READ_AHEAD)
      pending.push(settled(readBundle(client, next++, size)));
    const bundle = await (pending.shift() as Promise<Bundle>);
    range = extendRange(range, bundle.leaves);
    yield bundle;
  }
  if (!sameHash(rangeRoot(range), root))
    throw new ProofError(`the entries of the log do not have the root of its checkpoint of ${size}`);
}

async function readBundle(client: LogClient, index: number, size: number): Promise<Bundle> {
  const width = tileWidth(0, index, size);
  const entries = parseBundle(await client.tile(formatTilePath({ kind: "entries", index, width })), width);
  return { index, entries, leaves: entries.map(leafHash) };
}

/** A read ahead that fails is looked at when its turn comes, not reported as unhandled before. */
function settled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export interface ListedKey {
  /** The entry that says so: 0 for the registrars of the log's policy. */
  readonly index: number;
  readonly keyId: string;
  readonly algorithm: string;
  readonly roles: readonly string[];
  readonly ids: readonly string[];
  /** Of the record that makes it known: what a revocation of it names. */
  readonly recordId: string;
  /** The trust domain that its record names; null for none. */
  readonly trustDomain: string | null;
  /** The beginnings of the ids of the domain that it founds; none for all other keys. */
  readonly idPrefixes: readonly string[];
}

/** Every key that the log's entries make known. */
export async function registeredKeys(
  client: LogClient,
  progress: (done: number, total: number) => void,
): Promise<ListedKey[]> {
  const checkpoint = await client.checkpoint();
  const keys: ListedKey[] = [];
  for await (const { index, entries } of bundlesOf(client, checkpoint)) {
    const start = index * TILE_WIDTH;
    entries.forEach((entry, i) => keys.push(...keysIn(entry, start + i)));
    progress(start + entries.length, checkpoint.size);
  }
  return keys;
}

function keysIn(entry: Uint8Array, index: number): ListedKey[] {
  try {
    const { payload, contentType } = parseStatement(entry, guessForm(entry));
    if (contentType !== RECORD_MEDIA_TYPE) return [];
    if (index === 0) {
      const { registrars, record: policy } = readLogPolicy(payload);
      return registrars.map(({ keyId, algorithm }) => ({
        index,
        keyId,
        algorithm,
        roles: ["registrar"],
        ids: ["*"],
        recordId: idOf(policy),
        trustDomain: null,
        idPrefixes: [],
      }));
    }
    const record = parseRecord(payload);
    if (record.type !== "key") return [];
    const { key, roles, ids, recordId, trustDomain, idPrefixes } = registrationOf(record);
    return [
      { index, keyId: key.keyId, algorithm: key.algorithm, roles, ids, recordId, trustDomain, idPrefixes },
    ];
  } catch (error) {
    // Raw bytes and foreign content are no keys.
    if (error instanceof WritError) return [];
    throw error;
  }
}
