/**
 * The index made again from the entries alone: what `fsck` compares with and `reindex` writes. Entries go in in log
 * order, a stretch at a time; each stretch's rows must be in the store before the next is asked about.
 */
import { WritError } from "../../errors.js";
import { sameBytes } from "../../format/bytes.js";
import type { VerifierKey } from "../../format/vkey.js";
import { KeyTable } from "../../index/keys.js";
import { checkLaterPolicy, openLogPolicy } from "../../record/log-policy.js";
import { type Row, type Store } from "../../store/contract.js";
import { registrationOf } from "../../record/key-record.js";
import { checkRecord, parseRecord } from "../../record/record.js";
import { type PublicKey, publicKey, verifierOf } from "../../statement/key.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import { type AdmissionState, type Admitted, admissionState, admit, readStored } from "../admit/admit.js";
import { StatusBits } from "../state/bits.js";
import { Gate } from "../state/gate.js";
import { keyRoots, storedKeyEvents } from "../state/key-history.js";
import { firstRow } from "../admit/places.js";
import { rowsOf } from "../admit/rows.js";
import { type Sweep } from "../state/sweeps.js";

/** An entry that should not have been admitted, and why, as a sentence. */
export interface Fault {
  readonly index: number;
  readonly why: string;
}

export interface Replayed {
  readonly rows: readonly Row[];
  /** What the entries take with them; to be looked for once the rows are in the store. */
  readonly sweeps: readonly Sweep[];
  readonly faults: readonly Fault[];
}

export class Replay {
  private readonly gate: Gate;
  private readonly raw: boolean;
  private readonly policy: PolicyOf;
  private readonly admission: AdmissionState | null;

  /**
   * Before the first entry. `first`: entry 0; ProofError unless it is the policy that this key signed. `strict`: every
   * signature and rule of admission is checked again, as somebody does who does not trust the log.
   */
  constructor(
    store: Store,
    first: Uint8Array,
    key: VerifierKey,
    {
      strict = false,
      keys = keysOf(first, key),
      bits = StatusBits.empty(),
    }: { readonly strict?: boolean; readonly keys?: KeyTable; readonly bits?: StatusBits } = {},
  ) {
    this.raw = openLogPolicy(first, key).admission === "raw";
    const own = publicKey("Ed25519", key.publicKey);
    if (own === undefined) throw new RangeError("a sound key");
    this.policy = { origin: key.name, key: own };
    this.keys = keys;
    this.bits = bits;
    this.gate = new Gate(store, keys);
    this.admission = strict && !this.raw ? admissionState(keys) : null;
  }

  /** Who is known, by the entries so far. */
  readonly keys: KeyTable;
  private readonly bits: StatusBits;

  /** After the entries that a store holds, whose rows are in it. */
  static async resume(
    store: Store,
    key: VerifierKey,
    options: { readonly strict: boolean },
  ): Promise<Replay> {
    const [first = new Uint8Array(0)] = await store.entries(0, 1);
    const keys = keysOf(first, key);
    await storedKeyEvents(store, keys);
    const bits = await StatusBits.open(store);
    const replay = new Replay(store, first, key, { ...options, keys, bits });
    return replay;
  }

  /**
   * The rows of the entries from `start` on; `times`: when the log took each in, milliseconds since 1970. Unless `isTimed` that is
   * not known, and nothing is held against an entry that only the time of its coming could say.
   */
  async rows(
    start: number,
    entries: readonly Uint8Array[],
    times: readonly number[],
    isTimed = true,
  ): Promise<Replayed> {
    const rows: Row[] = [];
    const sweeps: Sweep[] = [];
    const faults: Fault[] = [];
    let version = this.keys.rulesAt();
    const read = entries.flatMap((stored, i) => {
      try {
        const raw = this.raw && start + i > 0;
        const entry = readStored(stored, raw);
        if (!sameBytes(entry.stored, stored))
          throw new WritError("ENVELOPE_MALFORMED", "it is not in its stored form");
        // What is not of its type's shape was never admitted, and the gate does not expect it.
        if (!raw && start + i > 0) version = demandWellFormed(entry, version, this.policy);
        return [{ index: start + i, entry }];
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
        faults.push({ index: start + i, why: `${error.code}: ${error.message}` });
        return [];
      }
    });
    if (!this.raw)
      await this.gate.prepare(
        read.map(({ entry }) => entry),
        start,
      );
    for (const { index, entry } of read) {
      const time = times[index - start] ?? 0;
      rows.push(...rowsOf(entry, index, time));
      if (this.raw) {
        if (entry.recordHash !== null) rows.push(firstRow(entry.recordHash, index));
        continue;
      }
      // Entry 0, and a later policy, are the log's own: their signature was checked when they were read.
      const isOwn = index === 0 || entry.type === "log-policy";
      const judgedAt = isTimed ? time : 0;
      const why = this.admission === null || isOwn ? null : complaint(this.admission, entry, judgedAt);
      if (why !== null) {
        faults.push({ index, why: `it should have been refused: ${why}` });
        // What admission would not have let in changes nothing for those after it.
        rows.push(...this.gate.place(entry, index));
        continue;
      }
      // Who was believed was settled when it was admitted, at a moment that is not on record.
      const admitted = { ...entry, keyEvents: this.keys.events };
      const refusal = this.gate.refusal(admitted, isTimed ? time : null);
      if (refusal !== undefined)
        faults.push({ index, why: `it should have been refused: ${refusal.message}` });
      const applied = this.gate.apply(entry, index);
      for (const row of applied.rows) rows.push(row);
      for (const row of this.bits.plan(applied.changes)) rows.push(row);
      this.bits.apply();
      for (const sweep of applied.sweeps) sweeps.push(sweep);
    }
    return { rows, sweeps, faults };
  }
}

/**
 * RECORD_INVALID and its kin for a record that breaks the rules of its own type, whoever signed it, as they stood in this
 * version of the rules; ProofError for a policy that the log's key did not sign. The version for the entries after it.
 */
function demandWellFormed({ stored, recordHash }: Admitted, version: number, policy: PolicyOf): number {
  if (recordHash === null) return version;
  const { payload, signatures, signedBytes } = parseStatement(stored, guessForm(stored));
  const record = parseRecord(payload);
  if (record.type === "log-policy") {
    checkLaterPolicy(record, policy.origin);
    const [own] = signatures;
    const isSigned = own?.keyId === policy.key.keyId && verifierOf(policy.key)(own.signature, signedBytes);
    if (!isSigned || signatures.length !== 1)
      throw new WritError("SIGNATURE_INVALID", "a log-policy that the log's key did not sign, or not alone");
    return Math.max(version, Number(record.value["rules_version"]));
  }
  checkRecord(record, version);
  if (record.type === "key") registrationOf(record);
  return version;
}

interface PolicyOf {
  readonly origin: string;
  readonly key: PublicKey;
}

/** A statement is judged when it arrives and placed when its batch is written: a key may expire between the two. */
const ADMISSION_MS = 60_000;

/** Why admission would not have taken an entry in: nothing, or one sentence. */
function complaint(admission: AdmissionState, { stored }: Admitted, time: number): string | null {
  const form = guessForm(stored);
  const at = (when: number): string | null => {
    try {
      admit(stored, form, when, admission);
      return null;
    } catch (error) {
      if (error instanceof WritError) return `${error.code}: ${error.message}`;
      throw error;
    }
  };
  const why = at(time);
  return why === null || at(time - ADMISSION_MS) === null ? null : why;
}

function keysOf(first: Uint8Array, key: VerifierKey): KeyTable {
  return new KeyTable(keyRoots(openLogPolicy(first, key), key));
}
