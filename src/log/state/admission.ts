/** What admission under the policy `registered` stands on. */
import type { SigningKey } from "../../format/vkey.js";
import { KeyTable } from "../../index/keys.js";
import type { LogPolicy } from "../../record/log-policy.js";
import type { Store } from "../../store/contract.js";
import type { VerifierStart } from "../admit/verify-protocol.js";
import type { StatusBits } from "./bits.js";
import { Gate } from "./gate.js";
import { keyRoots, storedKeyEvents } from "./key-history.js";
import { Sweeps } from "./sweeps.js";

export interface Admission {
  readonly gate: Gate;
  readonly start: VerifierStart;
  readonly keys: KeyTable;
  readonly sweeps: Sweeps;
}

/** Who is believed, the gate, and what revocations take with them: what admission under the policy `registered` stands on. */
export async function openAdmission(
  store: Store,
  policy: LogPolicy,
  key: SigningKey,
  bits: StatusBits,
): Promise<Admission> {
  const roots = keyRoots(policy, key);
  const keys = new KeyTable(roots);
  const events = await storedKeyEvents(store, keys);
  const gate = new Gate(store, keys);
  const sweeps = await Sweeps.open(store, keys, (positions, at) => bits.sweep(positions, at));
  return { gate, start: { roots, events }, keys, sweeps };
}
