/** A log in process: sequencer, gate, index and store, without HTTP. */
import type { SigningKey } from "../src/format/vkey.js";
import { LogClock } from "../src/log/clock.js";
import { KeyTable } from "../src/index/keys.js";
import { StatusBits } from "../src/log/state/bits.js";
import { Gate } from "../src/log/state/gate.js";
import { Edge } from "../src/log/tree/integrate.js";
import { keyRoots } from "../src/log/state/key-history.js";
import { Prover } from "../src/log/tree/prove.js";
import { publish } from "../src/log/tree/publish.js";
import { Sequencer } from "../src/log/sequence/sequencer.js";
import { TileReader } from "../src/log/tree/tile-reader.js";
import { openLogPolicy } from "../src/record/log-policy.js";
import type { Store } from "../src/store/contract.js";

/** Goes on with the log in a store, which was created before. Also gives its size and its keys. */
export async function openSequencer(
  store: Store,
  key: SigningKey,
): Promise<{ readonly sequencer: Sequencer; readonly size: number; readonly keys: KeyTable }> {
  const [head, [policy]] = [await store.head(), await store.entries(0, 1)];
  if (head === null || policy === undefined) throw new Error("no log there");
  const edge = await Edge.restore(store, head.size);
  const reader = new TileReader(store, edge);
  const prover = new Prover(reader);
  const keys = new KeyTable(keyRoots(openLogPolicy(policy, key), key));
  const sequencer = new Sequencer(
    {
      store,
      edge,
      gate: new Gate(store, keys),
      bits: await StatusBits.open(store),
      reader,
      key,
      clock: new LogClock({ acceptClock: true }, head.receivedAt),
      root: (n) => prover.root(n),
      onCommit: () => {},
      onFatal: (error) => {
        throw error;
      },
    },
    publish(head, key),
  );
  return { sequencer, size: head.size, keys };
}
