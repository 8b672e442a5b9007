/** Who is known to a log: its roots, and what its entries have said about keys since, in log order. */
import { readUint64 } from "../../format/bytes.js";
import type { VerifierKey } from "../../format/vkey.js";
import { keyEventOf } from "../../index/key-events.js";
import type { KeyEvent, KeyRoots, KeyTable } from "../../index/keys.js";
import type { LogPolicy } from "../../record/log-policy.js";
import { idOf } from "../../record/record.js";
import { publicKey } from "../../statement/key.js";
import { allRows, type Store } from "../../store/contract.js";
import { readEntry } from "./known-states.js";
import type { IndexedKeyEvent } from "../admit/verify-protocol.js";

/** Who is known before any `key` record: the registrars of the policy, and the log's own key. */
export function keyRoots(policy: LogPolicy, key: VerifierKey): KeyRoots {
  return {
    registrars: policy.registrars,
    logKey: publicKey("Ed25519", key.publicKey) ?? null,
    policyId: idOf(policy.record),
    origin: policy.origin,
    rulesVersion: policy.rulesVersion,
  };
}

/** The key events of a stored log, taken into `keys` (which knows the roots only) and returned. */
export async function storedKeyEvents(store: Store, keys: KeyTable): Promise<IndexedKeyEvent[]> {
  const events: IndexedKeyEvent[] = [];
  for await (const { key: at } of allRows(store, "key-event")) {
    const index = readUint64(at);
    const [stored] = await store.entries(index, index + 1);
    const event = stored === undefined ? undefined : eventIn(stored, keys);
    if (event === undefined) continue;
    keys.apply(index, event);
    events.push({ index, event });
  }
  return events;
}

function eventIn(stored: Uint8Array, keys: KeyTable): KeyEvent | undefined {
  const { record, signers } = readEntry(stored);
  return keyEventOf(record, signers, keys);
}
