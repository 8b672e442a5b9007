/**
 * The log: what the HTTP room and the commands see. It ties the stages of the journey together and owns nothing else:
 * submit → admitted → waiting → durable → checkpoint → proof → witnessed.
 */
import { availableParallelism } from "node:os";
import { emptyRoot, type Hash } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import { fromHex, readUint64 } from "../format/bytes.js";
import { TILE_WIDTH, type TileId, tileWidth } from "../format/tile-path.js";
import { type Policy, policyOfKey } from "../format/policy.js";
import { Feed } from "./feed.js";
import type { SigningKey, VerifierKey } from "../format/vkey.js";
import { formatBundle } from "../format/bundle.js";
import { Domains } from "../index/domains.js";
import type { KeyTable } from "../index/keys.js";
import { type LogPolicy, openLogPolicy, signRulesVersion } from "../record/log-policy.js";
import { RULES_VERSION } from "../record/registration.js";
import { publicKey } from "../statement/key.js";
import { secretSigner, type Signer } from "../statement/sign.js";
import type { Head, Store, Tree } from "../store/contract.js";
import { type Admitted, admitRaw, readStored } from "./admit.js";
import { describeEntry, type LogEntry } from "./entry.js";
import { Edge } from "./integrate.js";
import { Judge } from "./judge.js";
import {
  type Admission,
  demandIndex,
  demandStoredRoot,
  loadPolicy,
  openAdmission,
  reopen,
} from "./opening.js";
import { Pool, type PoolLimits } from "./pool.js";
import { Prover } from "./prove.js";
import { type Published, publish } from "./publish.js";
import { Queries } from "./queries.js";
import { rowsOf, WHOLE_INDEX } from "./rows.js";
import { StatusBits } from "./bits.js";
import { type Placed, type Placement, Sequencer, type SequencerParts } from "./sequencer.js";
import type { Sweep } from "./sweeps.js";
import { TileReader } from "./tile-reader.js";
import { Statuses } from "./statuses.js";
import { type RiskTier, tierOf } from "./tier.js";
import { type Submission, Verifiers } from "./verifiers.js";
import { isAdmitted, type Verdict } from "./verify-protocol.js";
import { Witnessing, type WitnessingOptions } from "./witnessing.js";

export interface LogOptions {
  readonly key: SigningKey;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly verifierThreads?: number;
  readonly pool?: PoolLimits;
  /** Told of every checkpoint as it is published, before anybody is answered. Must not throw. */
  readonly onPublish?: (published: Published) => void;
  /** Told once, when the log goes over to newer rules of admission at its start: which, and by which entry. */
  readonly onRules?: (version: number, index: number) => void;
  /** Told once, when the log cannot go on and the process should end. */
  readonly onFatal?: (error: WritError) => void;
  /** Who cosigns, and what the log demands of them. */
  readonly witnessing?: WitnessingOptions & {
    readonly requirement?: WitnessRequirement;
    /** A checkpoint that was shown before the log demanded witnesses, as a signed note: it stays shown. */
    readonly shownBefore?: Uint8Array | null;
  };
}

/**
 * What the operator demands of the witnesses. `all`: a checkpoint that does not meet the quorum is not published, to
 * anybody. A tier: a submission for an action type of that risk tier or above is answered once the quorum is there.
 */
export type WitnessRequirement = "all" | RiskTier | null;

export const DEFAULT_POOL: PoolLimits = { entries: 20_000, bytes: 64 * 1024 * 1024 };

/** An entry at its place. */
export interface PlacedEntry extends Placed {
  readonly entry: Admitted;
}

/** What a submission became, or why it did not. */
export type Submitted = PlacedEntry | WritError;

export function isPlaced(result: Submitted): result is PlacedEntry {
  return !(result instanceof WritError);
}

export interface SubmittedGroup {
  /** One for each statement, in order. New entries stand in a row. */
  readonly results: readonly Submitted[];
  /** A checkpoint that covers every one of them. The log has signed it; the outside may not see it before it is witnessed. */
  readonly published: Published;
}

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
    rows: [...rowsOf(entry, 0, now), WHOLE_INDEX],
  });
}

export class Log {
  /** What the records say: search, links, traces, impact. */
  readonly queries: Queries;
  /** What every entry was and what it changed, as it comes and from any point on. */
  readonly feed: Feed;
  /** Where records stand: by one, and in lists. */
  readonly statuses: Statuses;
  /** The log's own verdicts on traces: a convenience, the bundle is the truth. */
  readonly judge: Judge;
  private readonly pool: Pool;
  /** What the outside sees of a log that demands witnesses and has none yet. */
  private readonly unborn: Published;
  private stopping = false;

  private constructor(
    readonly policy: LogPolicy,
    private readonly key: SigningKey,
    private readonly store: Store,
    private readonly reader: TileReader,
    private readonly prover: Prover,
    private readonly sequencer: Sequencer,
    private readonly verifiers: Verifiers | null,
    private readonly admission: Admission | null,
    bits: StatusBits,
    /** Null when the log has no witnesses. */
    readonly witnessing: Witnessing | null,
    readonly requirement: WitnessRequirement,
    /** What this log showed before it demanded witnesses. */
    private readonly shownBefore: Published | null,
    now: () => number,
    pool: PoolLimits,
  ) {
    this.pool = new Pool(pool);
    this.unborn = publish({ size: 0, root: emptyRoot(), receivedAt: 0 }, key);
    this.judge = new Judge(judgingPolicy(key, witnessing));
    const published = (): Published => this.published;
    const checkpointOver = (size: number): Promise<Published> => this.checkpointOver(size);
    const raw = policy.admission === "raw";
    // In a raw log nobody has a domain.
    const domains = admission?.keys.domains ?? new Domains(key.name);
    const signer = signerOfLog(key);
    this.queries = new Queries({
      store,
      prover,
      origin: key.name,
      raw,
      domains,
      signer,
      published,
      checkpointOver,
    });
    this.feed = new Feed({ store, raw, published, witnessed: () => this.witnessed, now });
    this.statuses = new Statuses({
      store,
      bits,
      admission,
      now,
      published,
      durableSize: () => this.durableSize,
      checkpointOver,
    });
  }

  /**
   * Opens a stored log; this is also recovery, there is no other. LOG_MISSING for an empty store, LOG_KEY_MISMATCH when
   * the key is not the one that signed entry 0, STORE_CORRUPT when the stored tree does not have the stored root.
   */
  static async open(store: Store, options: LogOptions): Promise<Log> {
    const { key, now = Date.now, pool = DEFAULT_POOL, onPublish = () => {}, onFatal = () => {} } = options;
    const head = await store.head();
    if (head === null)
      throw new WritError("LOG_MISSING", "the store holds no log yet; make one with writ init");
    const policy = await loadPolicy(store, key);
    const edge = await Edge.restore(store, head.size);
    const reader = new TileReader(store, edge);
    const prover = new Prover(reader);
    await demandStoredRoot(prover, head);
    await demandIndex(store);
    const threads = options.verifierThreads ?? availableParallelism();
    const bits = await StatusBits.open(store);
    const admission = policy.admission === "raw" ? null : await openAdmission(store, policy, key, bits);
    const verifiers = admission === null ? null : new Verifiers(threads, admission.start, now, onFatal);
    let witnessing: Witnessing | null = null;
    let opened: Log | null = null;
    const sweep = (sweeps: readonly Sweep[]): void => {
      admission?.sweeps.add(sweeps);
      admission?.sweeps.run().catch((error: unknown) => {
        onFatal(error instanceof WritError ? error : new WritError("INTERNAL", String(error)));
      });
    };
    const onCommit: SequencerParts["onCommit"] = (published, keyEvents, sweeps) => {
      onPublish(published);
      witnessing?.offer(published);
      if (keyEvents.length > 0) verifiers?.tell(keyEvents);
      if (sweeps.length > 0) sweep(sweeps);
      opened?.feed.notify();
    };
    sweep([]);
    const root = (size: number): Promise<Hash> => prover.root(size);
    const sequencer = new Sequencer(
      { store, edge, gate: admission?.gate ?? null, bits, reader, key, now, root, onCommit, onFatal },
      publish(head, key),
    );
    if (options.witnessing !== undefined) {
      witnessing = await Witnessing.open(
        options.witnessing,
        {
          now,
          consistency: (from, to) => prover.consistency(from, to),
          onWitnessed: () => opened?.feed.notify(),
        },
        (note) => reopen(note, store, key),
      );
      witnessing.offer(sequencer.published);
    }
    const requirement = options.witnessing?.requirement ?? null;
    const before = options.witnessing?.shownBefore ?? null;
    const shown = before === null ? null : await reopen(before, store, key);
    opened = new Log(
      policy,
      key,
      store,
      reader,
      prover,
      sequencer,
      verifiers,
      admission,
      bits,
      witnessing,
      requirement,
      shown,
      now,
      pool,
    );
    if (admission !== null) {
      const upgraded = await goOverToRules(sequencer, admission.keys, key, now);
      if (upgraded !== null) options.onRules?.(RULES_VERSION, upgraded);
    }
    return opened;
  }

  /** The newest checkpoint that the outside may see, with the cosignatures it has. Its size never goes back. */
  get published(): Published {
    const newest = this.sequencer.published;
    if (this.witnessing === null) return newest;
    if (this.requirement !== "all") return this.witnessing.cosigned(newest);
    return largest(this.unborn, this.shownBefore, this.witnessing.shown, this.witnessing.witnessed);
  }

  /** Entries that are durable, whether the outside may see them or not. */
  get durableSize(): number {
    return this.sequencer.published.size;
  }

  /** The newest checkpoint that meets the quorum of the log's own witness policy, or null. */
  get witnessed(): Published | null {
    return this.witnessing?.witnessed ?? null;
  }

  /** The best there is to prove an entry under: the newest witnessed checkpoint if it covers it, or the newest. */
  bestOver(size: number): Published {
    const { witnessed } = this;
    return witnessed !== null && witnessed.size >= size ? witnessed : this.published;
  }

  /**
   * A checkpoint of `size` or more that meets the quorum, or null when none came within the time (milliseconds).
   * WITNESSES_MISSING when the log's policy asks for none.
   */
  async reached(size: number, withinMs: number): Promise<Published | null> {
    return this.demandQuorum().reached(size, withinMs);
  }

  /** WITNESSES_MISSING when there is no quorum to wait for. */
  demandQuorum(): Witnessing {
    if (this.witnessing !== null && this.witnessing.policy.quorum !== null) return this.witnessing;
    throw new WritError("WITNESSES_MISSING", "this log has no witnesses that an answer could wait for");
  }

  /** Must the answer for these entries wait for the witnesses, whoever asks? */
  async demandsWitnesses(entries: readonly PlacedEntry[]): Promise<boolean> {
    const { requirement } = this;
    if (requirement === null || requirement === "all") return requirement === "all";
    for (const { entry } of entries) {
      const tier = await tierOf(this.store, entry);
      if (tier !== null && tier >= requirement) return true;
    }
    return false;
  }

  /**
   * Is this entry one whose answer waits for the witnesses, and they have not come yet? Under a demand for all it is not shown
   * at all; this is for a demand by tier.
   */
  async isHeldBack(index: number): Promise<boolean> {
    const { requirement } = this;
    if (requirement === null || requirement === "all" || index < (this.witnessed?.size ?? 0)) return false;
    const entry = readStored(await this.statement(index), this.policy.admission === "raw" && index > 0);
    return this.demandsWitnesses([{ index, isNew: false, entry }]);
  }

  get origin(): string {
    return this.key.name;
  }

  get poolLimits(): PoolLimits {
    return this.pool.limits;
  }

  /**
   * Logs statements, all under one checkpoint, and answers when they are durable. Statements that are refused do not
   * spoil the others. POOL_FULL at once when too much is waiting; SHUTTING_DOWN, LOG_STOPPED.
   */
  async submit(statements: readonly Submission[]): Promise<SubmittedGroup> {
    const { verifiers } = this;
    if (verifiers === null) throw new RangeError("a raw log takes bytes, not statements: submitRaw");
    const bytes = statements.map((statement) => statement.bytes);
    return this.submitJudged(bytes, () => verifiers.verify(statements));
  }

  /** The policy `raw`: any bytes. RangeError under another policy. */
  async submitRaw(entries: readonly Uint8Array[]): Promise<SubmittedGroup> {
    if (this.verifiers !== null) throw new RangeError("the log's policy is not raw: submit");
    return this.submitJudged(entries, async () => entries.map(rawVerdict));
  }

  private async submitJudged(
    submitted: readonly Uint8Array[],
    judge: () => Promise<readonly Verdict[]>,
  ): Promise<SubmittedGroup> {
    if (this.stopping) throw new WritError("SHUTTING_DOWN", "the log is shutting down");
    const size = submitted.reduce((sum, bytes) => sum + bytes.length, 0);
    const giveBack = this.pool.take(submitted.length, size);
    try {
      const verdicts = await judge();
      const admitted = verdicts.filter(isAdmitted);
      const { places, published } =
        admitted.length === 0
          ? { places: [], published: this.published }
          : await this.sequencer.sequence(admitted);
      return { results: placeVerdicts(verdicts, places), published };
    } finally {
      giveBack();
    }
  }

  /** Inclusion of `index` under the checkpoint of `size`. */
  async inclusion(index: number, size: number): Promise<Hash[]> {
    this.demandPublished(size);
    return this.prover.inclusion(index, size);
  }

  /** The one proof of the neighbours [start, end) under the checkpoint of `size`. */
  async run(start: number, end: number, size: number): Promise<Hash[]> {
    this.demandPublished(size);
    return this.prover.run(start, end, size);
  }

  /** RangeError unless from ≤ to ≤ the published size. */
  async consistency(from: number, to: number): Promise<Hash[]> {
    this.demandPublished(to);
    return this.prover.consistency(from, to);
  }

  /** The checkpoint of a size that was published once, or null. Signed again: the bytes are the same. */
  async checkpointAt(size: number): Promise<Published | null> {
    if (size === this.published.size) return this.published;
    if (size === this.witnessed?.size) return this.witnessed;
    if (size === 0) return publish({ size, root: await this.prover.root(0), receivedAt: 0 }, this.key);
    const head = this.requirement === "all" ? null : await this.headAt(size);
    return head === null ? null : publish(head, this.key);
  }

  /**
   * The tree of a size that the log had once and that what the outside may see extends, or null. Under a demand for witnesses
   * not every such size was published as a checkpoint; what vouches for no more than its root may be given under it.
   */
  treeAt(size: number): Promise<Tree | null> {
    return this.headAt(size);
  }

  private async headAt(size: number): Promise<Head | null> {
    if (size === 0 || size > this.published.size) return null;
    const head = await this.store.headOver(size - 1);
    return head?.size === size ? head : null;
  }

  /**
   * A checkpoint that covers `size`: the newest witnessed one if it does, or the smallest. SIZE_UNPUBLISHED beyond the
   * newest, and for the empty log.
   */
  private async checkpointOver(size: number): Promise<Published> {
    const { witnessed } = this;
    if (witnessed !== null && size > 0 && size <= witnessed.size) return witnessed;
    const head = size === 0 || size > this.published.size ? null : await this.store.headOver(size - 1);
    if (head !== null) return publish(head, this.key);
    throw new WritError("SIZE_UNPUBLISHED", `want a size from 1 to ${this.published.size}, got ${size}`, {
      path: "as_of",
    });
  }

  /** The bytes of a tile or entry bundle, or null when the published tree has no such one of that width. */
  async tile(id: TileId): Promise<Uint8Array | null> {
    const { size } = this.published;
    if (id.width > tileWidth(id.kind === "entries" ? 0 : id.level, id.index, size)) return null;
    const start = id.index * TILE_WIDTH;
    if (id.kind === "entries") return formatBundle(await this.stored(start, start + id.width));
    return (await this.reader.tile(id.level, id.index)).hashes(id.width);
  }

  /**
   * The indexes that a reference names, in log order: an index, an entry hash, a record id, tried in this order. Empty
   * when nothing published has that name. `unseen`: what is durable and not published yet counts too.
   */
  async find(ref: { readonly index: number } | { readonly hash: string }, unseen = false): Promise<number[]> {
    const { size } = unseen ? this.sequencer.published : this.published;
    if ("index" in ref) return ref.index < size ? [ref.index] : [];
    const hash = fromHex(ref.hash);
    if (hash === undefined) return [];
    const place = await this.placeOf(hash);
    if (place !== null) return [place].filter((index) => index < size);
    const rows = await this.store.rows("record-id", hash, { limit: MAX_SAME_RECORD });
    return rows.map(({ key }) => readUint64(key, 32)).filter((index) => index < size);
  }

  /** The index of the statement with this SHA-256 (32 bytes), published or not; null when it is not in the log. */
  async placeOf(entryHash: Uint8Array): Promise<number | null> {
    const [found] = await this.store.lookup("entry-hash", [entryHash]);
    return found === undefined ? null : readUint64(found);
  }

  /** RangeError unless index < the published size. */
  async entry(index: number): Promise<LogEntry> {
    if (index >= this.published.size) throw new RangeError(`no entry ${index}`);
    const [stored] = await this.stored(index, index + 1);
    const head = await this.store.headOver(index);
    if (stored === undefined || head === null)
      throw new WritError("STORE_CORRUPT", `entry ${index} is missing; run writ fsck`);
    return describeEntry(index, stored, head.receivedAt, this.policy.admission === "raw");
  }

  /** The stored bytes of an entry. RangeError unless index < the published size. */
  async statement(index: number): Promise<Uint8Array> {
    if (index >= this.published.size) throw new RangeError(`no entry ${index}`);
    const [stored] = await this.stored(index, index + 1);
    return stored ?? new Uint8Array(0);
  }

  /** Lets those who wait for witnesses go: their entries are safe, and a log that ends has no time to wait. */
  release(): void {
    this.witnessing?.release();
    this.feed.end();
  }

  /** Answers everything that was taken in, takes in nothing more, and lets go of store and threads. */
  async close(): Promise<void> {
    this.stopping = true;
    this.feed.end();
    await this.pool.drained();
    await this.witnessing?.close();
    await this.verifiers?.close();
    await this.admission?.sweeps.stop();
    await this.judge.close();
    await this.store.close();
  }

  /** Entries below the published size: that one is missing is not the asker's mistake. */
  private async stored(start: number, end: number): Promise<Uint8Array[]> {
    try {
      return await this.store.entries(start, end);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new WritError(
        "STORE_CORRUPT",
        `an entry of [${start}, ${end}) is missing; run writ fsck`,
        {},
        { cause: error },
      );
    }
  }

  private demandPublished(size: number): void {
    if (size > this.published.size)
      throw new RangeError(`size ${size} is beyond the published ${this.published.size}`);
  }
}

/** Entries with one record id that an answer names at most. */
export const MAX_SAME_RECORD = 1000;

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

function rawVerdict(bytes: Uint8Array): Verdict {
  try {
    return admitRaw(bytes);
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
}

/** Puts places and refusals back into the order of submission. */
function placeVerdicts(verdicts: readonly Verdict[], places: readonly Placement[]): Submitted[] {
  let n = 0;
  return verdicts.map((verdict): Submitted => {
    if (verdict instanceof WritError) return verdict;
    const place = places[n++];
    if (place === undefined) throw new RangeError("a place for each entry");
    return place instanceof WritError ? place : { ...place, entry: verdict };
  });
}

/** The one of the largest size; of several, the last. */
function largest(first: Published, ...others: readonly (Published | null)[]): Published {
  return others.reduce<Published>((most, one) => (one !== null && one.size >= most.size ? one : most), first);
}

/** The log's own trust: its key, and its witnesses if it has any. */
function judgingPolicy(key: VerifierKey, witnessing: Witnessing | null): Policy {
  const own = policyOfKey(key);
  return witnessing === null ? own : { ...witnessing.policy, logs: own.logs };
}
