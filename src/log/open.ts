/** The composition of a log: opening a stored one, which is also recovery, and making a new one. */
import { availableParallelism } from "node:os";
import { WritError } from "../errors.js";
import { type Policy, policyOfKey } from "../format/policy.js";
import type { SigningKey, VerifierKey } from "../format/vkey.js";
import { Domains } from "../index/domains.js";
import type { KeyTable } from "../index/keys.js";
import { openLogPolicy, signRulesVersion } from "../record/log-policy.js";
import { RULES_VERSION } from "../record/registration.js";
import { publicKey } from "../statement/key.js";
import { secretSigner, type Signer } from "../statement/sign.js";
import type { Store } from "../store/contract.js";
import { readStored } from "./admit/admit.js";
import { firstRow } from "./admit/places.js";
import { hashOf } from "./state/entry-names.js";
import { rowsOf, WHOLE_INDEX } from "./admit/rows.js";
import { Verifiers } from "./admit/verifiers.js";
import { Budget } from "./ask/budget.js";
import { EntryBundles } from "./ask/entry-bundles.js";
import { Judge } from "./ask/judge.js";
import { Queries } from "./ask/queries.js";
import { Reading } from "./ask/reading.js";
import { type ClockOptions, demandClock, LogClock } from "./clock.js";
import { demandIndex, demandNotBehind, demandStoredRoot, loadPolicy, reopen } from "./check/start.js";
import { Feed } from "./feed/feed.js";
import { Log } from "./log.js";
import { Pool, type PoolLimits } from "./sequence/pool.js";
import { Sequencer, type SequencerParts } from "./sequence/sequencer.js";
import { type Admission, openAdmission } from "./state/admission.js";
import { StatusBits } from "./state/bits.js";
import { Statuses } from "./state/statuses.js";
import type { Sweep } from "./state/sweeps.js";
import { Edge } from "./tree/integrate.js";
import { Prover } from "./tree/prove.js";
import { type Published, publish } from "./tree/publish.js";
import { TileReader } from "./tree/tile-reader.js";
import { View, type WitnessRequirement } from "./view.js";
import { holdings } from "./witnessed/holdings.js";
import { SecondLine } from "./witnessed/second-line.js";
import { Witnessing, type WitnessingOptions } from "./witnessed/witnessing.js";

export interface LogOptions extends ClockOptions {
  readonly key: SigningKey;
  readonly verifierThreads?: number;
  readonly pool?: PoolLimits;
  /** Bytes that all readers together may hold; READING_BYTES unless given. */
  readonly readingBytes?: number;
  /** Where entry bundles of full tiles are kept; in memory unless given. */
  readonly bundleFolder?: string;
  /** Told of every checkpoint as it is published, before anybody is answered. Must not throw. */
  readonly onPublish?: (published: Published) => void;
  /** Told once, when the log goes over to newer rules of admission at its start: which, and by which entry. */
  readonly onRules?: (version: number, index: number) => void;
  /** Told once, when the log cannot go on and the process should end. */
  readonly onFatal?: (error: WritError) => void;
  /** The log's second key, of type 6, whose line its checkpoints have where no witnesses are asked. */
  readonly mlDsaKey?: SigningKey;
  /** Told what an operator should see, and nothing ends for. */
  readonly onTrouble?: (error: WritError) => void;
  /** Who cosigns, and what the log demands of them. */
  readonly witnessing?: WitnessingOptions & {
    readonly requirement?: WitnessRequirement;
    /** Are they asked what they hold before anything is signed? A log that holds less does not start. */
    readonly asksFirst?: boolean;
    /** A checkpoint that was shown before the log demanded witnesses, as a signed note: it stays shown. */
    readonly shownBefore?: Uint8Array | null;
  };
}

export const DEFAULT_POOL: PoolLimits = { entries: 20_000, bytes: 64 * 1024 * 1024 };

/** Makes a log out of an empty store: entry 0 is its policy, signed by its key. LOG_EXISTS when there is one. */
export async function createLog(
  store: Store,
  policy: Uint8Array,
  key: SigningKey,
  now: number,
): Promise<void> {
  if ((await store.head()) !== null) throw new WritError("LOG_EXISTS", "the store holds a log already");
  openLogPolicy(policy, key);
  const entry = readStored(policy, false);
  const edge = new Edge();
  edge.append([entry.leafHash]);
  await store.commit({
    expectedSize: 0,
    head: { size: 1, root: entry.leafHash, receivedAt: now },
    entries: [entry.stored],
    tiles: [],
    rows: [...rowsOf(entry, 0, now), firstRow(hashOf(entry), 0), WHOLE_INDEX],
  });
}

/** What is told of commits: known only when the rest is there. */
interface Told {
  secondLine: SecondLine | null;
  witnessing: Witnessing | null;
  feed: Feed | null;
}

/**
 * Opens a stored log; this is also recovery, there is no other. LOG_MISSING for an empty store, LOG_KEY_MISMATCH when
 * the key is not the one that signed entry 0, STORE_CORRUPT when the stored tree does not have the stored root.
 */
export async function openLog(store: Store, options: LogOptions): Promise<Log> {
  const { key } = options;
  const head = await store.head();
  if (head === null)
    throw new WritError("LOG_MISSING", "the store holds no log yet; make one with writ init");
  const policy = await loadPolicy(store, key);
  demandClock(head.receivedAt, options);
  const silent = await askWitnesses(options, store);
  const clock = new LogClock(options, head.receivedAt);
  const now = (): number => clock.time;
  const raw = policy.admission === "raw";
  const edge = await Edge.restore(store, head.size);
  const tiles = new TileReader(store, edge);
  const prover = new Prover(tiles);
  await demandStoredRoot(prover, head);
  await demandIndex(store);
  const bits = await StatusBits.open(store);
  const admission = raw ? null : await openAdmission(store, policy, key, bits);
  const verifiers = admission === null ? null : verifiersOf(admission, options, now);
  const told: Told = { witnessing: null, feed: null, secondLine: null };
  const sequencer = new Sequencer(
    {
      store,
      edge,
      gate: admission?.gate ?? null,
      bits,
      reader: tiles,
      key,
      clock,
      root: (size) => prover.root(size),
      onCommit: onCommit(options, admission, verifiers, told),
      onFatal: (error) => options.onFatal?.(error),
    },
    publish(head, key),
  );
  const witnessing = await openWitnessing(options, store, prover, told, now, silent);
  told.witnessing = witnessing;
  witnessing?.offer(sequencer.published);
  const secondLine = witnessing === null ? secondLineOf(options, now) : null;
  told.secondLine = secondLine;
  secondLine?.offer(sequencer.published);
  const view = new View({
    store,
    prover,
    key,
    raw,
    newest: () => sequencer.published,
    witnessing,
    secondLine,
    requirement: options.witnessing?.requirement ?? null,
    shownBefore: await shownBefore(options, store),
  });
  const published = (): Published => view.published;
  const durableSize = (): number => view.durableSize;
  const checkpointOver = (size: number): Promise<Published> => view.checkpointOver(size);
  const feed = new Feed({ store, raw, published, witnessed: () => view.witnessed, now });
  told.feed = feed;
  const pool = new Pool(options.pool ?? DEFAULT_POOL);
  const read = new Reading({ store, tiles, prover, raw, published, durableSize });
  const log = new Log({
    origin: key.name,
    policy,
    store,
    pool,
    clock,
    verifiers,
    sequencer,
    sweeps: admission?.sweeps ?? null,
    witnessing,
    secondLine,
    view,
    read,
    bundles: new EntryBundles((start, end) => read.stored(start, end), options.bundleFolder ?? null),
    queries: new Queries({
      store,
      prover,
      origin: key.name,
      raw,
      // In a raw log nobody has a domain.
      domains: admission?.keys.domains ?? new Domains(key.name),
      signer: signerOfLog(key),
      published,
      checkpointOver,
    }),
    feed,
    statuses: new Statuses({ store, bits, admission, now, published, durableSize, checkpointOver }),
    judge: new Judge(judgingPolicy(key, witnessing)),
    readers: new Budget(options.readingBytes, () => pool.isWaiting),
  });
  if (admission !== null) {
    const upgraded = await goOverToRules(sequencer, admission.keys, key, now);
    if (upgraded !== null) options.onRules?.(RULES_VERSION, upgraded);
  }
  return log;
}

function secondLineOf({ mlDsaKey, onTrouble }: LogOptions, now: () => number): SecondLine | null {
  if (mlDsaKey === undefined) return null;
  return new SecondLine(mlDsaKey, now, (cause) =>
    onTrouble?.(new WritError("INTERNAL", "the log's ML-DSA-44 line could not be made", {}, { cause })),
  );
}

function verifiersOf(
  { start }: Admission,
  { verifierThreads, onTrouble }: LogOptions,
  now: () => number,
): Verifiers {
  return new Verifiers(verifierThreads ?? availableParallelism(), start, now, (error) => onTrouble?.(error));
}

/** What follows a commit, before anybody is answered; and the sweeps that a crash interrupted, at once. */
function onCommit(
  { onPublish, onFatal }: LogOptions,
  admission: Admission | null,
  verifiers: Verifiers | null,
  told: Told,
): SequencerParts["onCommit"] {
  const sweep = (sweeps: readonly Sweep[]): void => {
    admission?.sweeps.add(sweeps);
    admission?.sweeps.run().catch((error: unknown) => {
      onFatal?.(error instanceof WritError ? error : new WritError("INTERNAL", String(error)));
    });
  };
  sweep([]);
  return (published, keyEvents, sweeps) => {
    onPublish?.(published);
    told.witnessing?.offer(published);
    told.secondLine?.offer(published);
    if (keyEvents.length > 0) verifiers?.tell(keyEvents);
    if (sweeps.length > 0) sweep(sweeps);
    told.feed?.notify();
  };
}

/** Before anything is signed: what do the witnesses hold? Those that say nothing, with why. */
async function askWitnesses(
  { witnessing, key }: LogOptions,
  store: Store,
): Promise<ReadonlyMap<string, string>> {
  if (witnessing === undefined || witnessing.asksFirst !== true) return new Map();
  const asked = await holdings(witnessing.policy, key);
  await demandNotBehind(store, asked, witnessing.policy, witnessing.requirement === "all");
  return new Map(asked.flatMap(({ url, silent }) => (silent === null ? [] : [[url, silent] as const])));
}

async function openWitnessing(
  { witnessing, key }: LogOptions,
  store: Store,
  prover: Prover,
  told: Told,
  now: () => number,
  silent: ReadonlyMap<string, string>,
): Promise<Witnessing | null> {
  if (witnessing === undefined) return null;
  return Witnessing.open(
    { ...witnessing, silent },
    {
      now,
      consistency: (from, to) => prover.consistency(from, to),
      onWitnessed: () => told.feed?.notify(),
    },
    (note) => reopen(note, store, key),
  );
}

async function shownBefore({ witnessing, key }: LogOptions, store: Store): Promise<Published | null> {
  const note = witnessing?.shownBefore ?? null;
  return note === null ? null : reopen(note, store, key);
}

/** A log that was begun under older rules says from which entry on the newer ones apply: that entry's index; null where it has said so. */
async function goOverToRules(
  sequencer: Sequencer,
  keys: KeyTable,
  key: SigningKey,
  now: () => number,
): Promise<number | null> {
  const version = keys.rulesAt();
  if (version > RULES_VERSION)
    throw new WritError(
      "STORE_CORRUPT",
      `the log's rules are of version ${version}, and this software knows them up to ${RULES_VERSION}: run a newer one`,
    );
  if (version === RULES_VERSION) return null;
  const statement = signRulesVersion(
    key.name,
    RULES_VERSION,
    new Date(now()).toISOString(),
    signerOfLog(key),
  );
  const { places } = await sequencer.sequence([{ ...readStored(statement, false), keyEvents: keys.events }]);
  const [place] = places;
  return place === undefined || place instanceof WritError ? null : place.index;
}

/** The log's own key as one that signs statements. */
function signerOfLog(key: SigningKey): Signer {
  const own = publicKey("Ed25519", key.publicKey);
  if (own === undefined) throw new RangeError("a sound key");
  return secretSigner(own, key.seed);
}

/** The log's own trust: its key, and its witnesses if it has any. */
function judgingPolicy(key: VerifierKey, witnessing: Witnessing | null): Policy {
  const own = policyOfKey(key);
  return witnessing === null ? own : { ...witnessing.policy, logs: own.logs };
}
