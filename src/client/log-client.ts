/**
 * The client of a log. It believes nothing: every proof is checked against the pinned key before anything is returned,
 * every checkpoint must be consistent with the last one seen, and a submission is retried until the answer is definite.
 */
import {
  emptyRoot,
  type Hash,
  leafHash,
  sameHash,
  verifyConsistency,
  verifyInclusion,
} from "../../merkle/index.js";
import { readTile } from "./tile-reading.js";
import { ProofError, WritError } from "../errors.js";
import { concat, fromUtf8, toHex, utf8 } from "../format/bytes.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { openCheckpoint } from "../format/cosignature.js";
import { type Policy, policyOfKey } from "../format/policy.js";
import { seeCheckpoint } from "../format/trusted.js";
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from "../format/vkey.js";
import { isJsonObject, type JsonObject } from "../statement/json.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import { RECEIPT_MEDIA_TYPE } from "../statement/receipt.js";
import { serviceOfKey, storedForm, verifyReceipt } from "../statement/verify-receipt.js";
import type { Form } from "../statement/statement.js";
import { type Bundle, parseBundleFile } from "../trace/bundle.js";
import { DSSE_MEDIA_TYPE } from "../statement/statement.js";
import { openBundle, subjectNames } from "../trace/open.js";
import type { TraceEntry } from "../trace/entry.js";
import { prefixProof } from "./tile-proof.js";
import { sha256 } from "#crypto";
import {
  bytesAt,
  hashesAt,
  invalid,
  listAt,
  noteAt,
  numberAt,
  objectAt,
  parseObject,
  textAt,
} from "./answers.js";
import {
  described,
  expandedProofs,
  type FoundEntry,
  hitOf,
  isOpen,
  type LoggedEntry,
  mediaTypeOf,
  notYet,
  readStatement,
  type RefusedEntry,
  refusedEntry,
  resultsIn,
  type SearchHit,
} from "./results.js";
import { EventStreamReader, type SentEvent } from "./event-stream.js";
import { type CheckpointMemory, ProcessMemory } from "./memory.js";
import { readStatus, type RecordStatus } from "./status.js";
import { Transport, type TransportOptions } from "./transport.js";

export interface ClientOptions extends TransportOptions {
  /** The log's verifier key, pinned: text or parsed. */
  readonly key: string | VerifierKey;
  /** Who has to have cosigned what is submitted with `witnessed`; the log's own word on it counts for nothing then. */
  readonly policy?: Policy;
  /** Where the last checkpoint is kept; for the life of the process unless given. */
  readonly memory?: CheckpointMemory;
  /** Another client of the same log: what one has seen the other is held to, and both keep it in one place. */
  readonly sharedWith?: LogClient;
  /** Told of every checkpoint that was verified, and is consistent with those before. Must not throw. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
}

/** Filters of a search, by the names of the interface: all of them must hold. */
export interface SearchFilters {
  readonly type?: string;
  readonly issuer?: string;
  readonly signer?: string;
  readonly content_type?: string;
  readonly trace_id?: string;
  readonly mission_id?: string;
  readonly action_type?: string;
  readonly decision?: string;
  readonly outcome?: string;
  readonly subject?: string;
  readonly target?: string;
  /** Of an artifact that foreign content is about: `sha256:` and hex. */
  readonly digest?: string;
  /** Of a consumption, a receipt or a grant's use. */
  readonly tool_call_hash?: string;
  /** An evidence hash: who wrote it down, or relied on it. */
  readonly evidence?: string;
  /** An id in any role: as the issuer, or named as a party. */
  readonly party?: string;
  /** `sha256:` and 8 to 64 hex digits that an entry's hash or a record id begins with; alone, without another filter. */
  readonly hash_prefix?: string;
  /** A record id, in whichever member. */
  readonly linked?: string;
  /** Indexes [from, to). */
  readonly from?: number;
  readonly to?: number;
  /** The log's clock, RFC 3339: taken in at `since` or later, before `until`. */
  readonly since?: string;
  readonly until?: string;
  readonly order?: "asc" | "desc";
  readonly limit?: number;
  /** `next` of the answer before. */
  readonly cursor?: string;
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  /** The size of the log up to which the answer is complete, together with the pages that follow. */
  readonly completeTo: number;
  readonly next: string | null;
}

export interface SubmitOptions {
  /**
   * Wait until the witnesses have cosigned a checkpoint over it. With a policy in the client's options its quorum must be
   * met; without one the log's word is taken for it.
   */
  readonly witnessed?: boolean;
}

type SizedRoot = Pick<Checkpoint, "size" | "root">;

const RESEND_PAUSE_MS = 200;

/** How long one request may hold the log's answer back. */
const MAX_ONE_WAIT_MS = 5_000;

/** 256 entries of 64 KiB, each after its length. */
const MAX_TILE_BYTES = 256 * (65_535 + 2);

export class LogClient {
  private readonly key: VerifierKey;
  private readonly policy: Policy | null;
  private readonly memory: CheckpointMemory;
  private readonly transport: Transport;
  /** Checkpoints are compared one after another: two at once would both be compared with the same older one. */
  private readonly turn: { last: Promise<unknown> };
  private readonly onCheckpoint: (checkpoint: Checkpoint) => void;

  constructor(options: ClientOptions) {
    this.key = typeof options.key === "string" ? parseVerifierKey(options.key.trim()) : options.key;
    this.policy = options.policy ?? null;
    this.memory = options.sharedWith?.memory ?? options.memory ?? new ProcessMemory();
    this.turn = options.sharedWith?.turn ?? { last: Promise.resolve() };
    this.onCheckpoint = options.onCheckpoint ?? (() => {});
    this.transport = new Transport(options);
  }

  /** The verifier key that a log says is its own. Believe it only if you have no other way to learn it. */
  static async announcedKey(options: TransportOptions): Promise<VerifierKey> {
    const transport = new Transport(options);
    try {
      const [key] = listAt(parseObject(await transport.get("/v1/log", "application/json")), "verifier_keys");
      return parseVerifierKey(typeof key === "string" ? key : invalid("verifier_keys"));
    } finally {
      await transport.close();
    }
  }

  /**
   * Logs one statement (DSSE or COSE) and returns it with its verified proof. SERVER_REFUSED when the log will not have it;
   * NOT_WITNESSED, with its index, when it is in the log and the witnesses have not come while there was patience.
   */
  async submit(statement: Uint8Array, options: SubmitOptions = {}): Promise<LoggedEntry> {
    const form = guessForm(statement);
    const { stored } = parseStatement(statement, form);
    const path = `/v1/entries${options.witnessed === true ? this.waiting() : ""}`;
    const { status, body } = await this.transport.post(path, mediaTypeOf(form), stored);
    const answer = parseObject(body);
    const isNew = status === 201 || status === 202;
    if (status === 202 || (options.witnessed === true && !this.quorumIn(answer)))
      return this.laterProof(stored, numberAt(answer, "index"), isNew);
    const note = noteAt(answer, "log_checkpoint");
    return this.logged(stored, objectAt(answer, "inclusion_proof"), note, await this.accept(note), isNew);
  }

  /** A logged entry again, under a checkpoint that the witnesses have cosigned. NOT_WITNESSED as in `submit`. */
  async witnessed(entry: LoggedEntry): Promise<LoggedEntry> {
    return this.laterProof(entry.statement, entry.index, entry.isNew);
  }

  /** The query that waits for the witnesses; for no longer than half of our patience, which has to cover the way too. */
  private waiting(leftMs = this.transport.patienceMs): string {
    const ms = Math.floor(Math.max(0, Math.min(MAX_ONE_WAIT_MS, leftMs / 2)));
    return `?wait=witnessed&wait_ms=${ms}`;
  }

  /** Does an answer's checkpoint meet our quorum? Without a policy of ours the log's word is taken. */
  private quorumIn(answer: JsonObject): boolean {
    if (answer["log_checkpoint"] === null) return false;
    if (this.policy === null) return true;
    return seeCheckpoint(noteAt(answer, "log_checkpoint"), this.policy).quorum !== false;
  }

  /** Asks for the proof of a logged statement until it is witnessed. */
  private async laterProof(stored: Uint8Array, index: number, isNew: boolean): Promise<LoggedEntry> {
    const answer = await this.witnessedProof(index);
    const note = noteAt(answer, "log_checkpoint");
    return this.logged(stored, objectAt(answer, "inclusion_proof"), note, await this.accept(note), isNew);
  }

  /** The log's answer with the proof of an entry, once its checkpoint meets the quorum. NOT_WITNESSED. */
  private async witnessedProof(index: number): Promise<JsonObject> {
    const deadline = Date.now() + this.transport.patienceMs;
    for (;;) {
      const path = `/v1/entries/${index}/proof${this.waiting(deadline - Date.now())}`;
      const { status, body } = await this.transport.getAnswer(path, "application/json");
      const answer = parseObject(body);
      if (status === 200 && this.quorumIn(answer)) return answer;
      if (Date.now() > deadline) throw new WritError("NOT_WITNESSED", notYet(index), { index });
      await this.transport.pause(RESEND_PAUSE_MS);
    }
  }

  /**
   * Logs many statements of one form under one checkpoint. The one compact proof of the new ones is verified and expanded
   * into an ordinary proof for each. What the log refuses for the moment only is sent again while there is patience.
   */
  async submitBatch(
    statements: readonly Uint8Array[],
    options: SubmitOptions = {},
  ): Promise<(LoggedEntry | RefusedEntry)[]> {
    const [first] = statements;
    if (first === undefined) return [];
    const form = guessForm(first);
    const stored = statements.map((statement) => parseStatement(statement, form).stored);
    const deadline = Date.now() + this.transport.patienceMs;
    const results = await this.sendBatch(stored, form, options);
    for (;;) {
      const again = [...results.keys()].filter((i) => isOpen(results[i]));
      if (again.length === 0 || Date.now() > deadline) return results;
      await this.transport.pause(RESEND_PAUSE_MS);
      const answers = await this.sendBatch(
        again.map((i) => stored[i] as Uint8Array),
        form,
        options,
      );
      again.forEach((i, n) => (results[i] = answers[n] as LoggedEntry | RefusedEntry));
    }
  }

  private async sendBatch(
    stored: readonly Uint8Array[],
    form: Form,
    options: SubmitOptions,
  ): Promise<(LoggedEntry | RefusedEntry)[]> {
    const body =
      form === "dsse" ? concat(...stored.flatMap((line) => [line, utf8("\n")])) : concat(...stored);
    const type = form === "dsse" ? "application/x-ndjson" : "application/cbor-seq";
    const path = `/v1/entries/batch${options.witnessed === true ? this.waiting() : ""}`;
    const { status, body: bytes } = await this.transport.post(path, type, body);
    const answer = parseObject(bytes);
    if (status !== 202 && (options.witnessed !== true || this.quorumIn(answer)))
      return this.batchResults(answer, stored);
    return this.laterProofs(answer, stored);
  }

  /** The results of a batch whose witnesses come late: a proof for each, once they have. */
  private async laterProofs(
    answer: JsonObject,
    stored: readonly Uint8Array[],
  ): Promise<(LoggedEntry | RefusedEntry)[]> {
    const results = resultsIn(answer, stored);
    const placed = results.map((result) =>
      result["problem"] === undefined ? numberAt(result, "index") : -1,
    );
    // One wait for all: what covers the last of them covers the others.
    const last = Math.max(...placed);
    const late = last < 0 ? null : await this.waitFor(last);
    const finished: (LoggedEntry | RefusedEntry)[] = [];
    for (const [i, result] of results.entries()) {
      const statement = stored[i] ?? invalid("results");
      if (result["problem"] !== undefined) finished.push(refusedEntry(objectAt(result, "problem")));
      else if (late !== null)
        finished.push({ code: late.code, detail: notYet(placed[i] ?? 0), retryable: false });
      else finished.push(await this.laterProof(statement, placed[i] ?? 0, result["status"] !== 200));
    }
    return finished;
  }

  /** Null once the witnesses have come for an entry; NOT_WITNESSED when they have not while there was patience. */
  private async waitFor(index: number): Promise<WritError | null> {
    try {
      await this.witnessedProof(index);
      return null;
    } catch (error) {
      if (error instanceof WritError && error.code === "NOT_WITNESSED") return error;
      throw error;
    }
  }

  /** An entry by index, entry hash or record id, with its verified proof. SERVER_REFUSED when there is none or several. */
  async entry(ref: string | number): Promise<FoundEntry> {
    const path = `/v1/entries/${encodeURIComponent(String(ref))}`;
    const answer = parseObject(await this.transport.get(path, "application/json"));
    if (answer["entries"] !== undefined) {
      const indexes = listAt(answer, "entries").map((one) =>
        isJsonObject(one) ? numberAt(one, "index") : invalid("entries"),
      );
      throw new WritError(
        "REF_AMBIGUOUS",
        `entries ${indexes.join(", ")} carry this record; ask for one by its index`,
        { indexes },
      );
    }
    const proofAnswer = await this.transport.get(
      `/v1/entries/${numberAt(answer, "index")}/proof`,
      "application/json",
    );
    const proof = parseObject(proofAnswer);
    const note = noteAt(proof, "log_checkpoint");
    const entry = this.logged(
      bytesAt(answer, "statement"),
      objectAt(proof, "inclusion_proof"),
      note,
      await this.accept(note),
      false,
    );
    if (![String(entry.index), entry.entryHash, entry.recordId].includes(String(ref))) {
      throw new ProofError(`the log answered ${String(ref)} with another entry, ${entry.entryHash}`);
    }
    const { contentType, signers, record } = readStatement(entry.statement);
    return { ...entry, contentType, signers, record, receivedAt: textAt(answer, "received_at") };
  }

  /**
   * The trace bundle of a record, by record id, entry hash or index: sound, under a checkpoint that is consistent with the
   * last one seen. Judge it with `evaluate` of `writ/verify`. `asOf`: as it stood before that size. `witnessed`: under a
   * checkpoint that meets the log's own quorum, if there is one within the log's time.
   */
  async trace(
    ref: string | number,
    { asOf, witnessed = false }: { readonly asOf?: number; readonly witnessed?: boolean } = {},
  ): Promise<Bundle> {
    const query = new URLSearchParams();
    if (asOf !== undefined) query.set("as_of", String(asOf));
    if (witnessed) new URLSearchParams(this.waiting()).forEach((value, name) => query.set(name, value));
    const path = `/v1/traces/${encodeURIComponent(String(ref))}?${query.toString()}`;
    const bundle = parseBundleFile(await this.transport.get(path, "application/json"));
    await this.accept(utf8(bundle.checkpoint));
    const { subject, problems } = openBundle(bundle, policyOfKey(this.key));
    const [problem] = problems;
    if (problem !== undefined)
      throw new ProofError(`the log answered with a bundle that is not sound: ${problem.detail}`);
    if (!subjectNames(bundle).includes(String(ref)) && !(await this.carries(ref, subject)))
      throw new ProofError(
        `the log answered ${String(ref)} with the trace of another record, ${bundle.subject}`,
      );
    if (asOf !== undefined && bundle.asOf !== asOf)
      throw new ProofError(`the log answered as of ${bundle.asOf}, not of ${asOf}`);
    return bundle;
  }

  /** Is the record of a trace in this entry, too: one of more envelopes than a bundle has? */
  private async carries(ref: string | number, { id }: TraceEntry): Promise<boolean> {
    return id !== null && (await this.entry(ref)).recordId === id;
  }

  /** The verifier key of the log that is trusted. */
  get logKey(): VerifierKey {
    return this.key;
  }

  /**
   * The closure statement of a record's trace as of `asOf`, under the checkpoint of `size`: the log's signed word what belongs to
   * it and when each entry came in. A DSSE, unopened.
   */
  async closure(ref: string | number, asOf: number, size: number): Promise<Uint8Array> {
    const path = `/v1/traces/${encodeURIComponent(String(ref))}/closure?as_of=${asOf}&size=${size}`;
    return this.transport.get(path, DSSE_MEDIA_TYPE);
  }

  /**
   * Where a record stands: its state, and the entries that decided it, verified. `asOf`: as it was before that size. See
   * `readStatus` for what that proves.
   */
  async status(ref: string | number, { asOf }: { readonly asOf?: number } = {}): Promise<RecordStatus> {
    const query = asOf === undefined ? "" : `?as_of=${asOf}`;
    const path = `/v1/entries/${encodeURIComponent(String(ref))}/status${query}`;
    const answer = parseObject(await this.transport.get(path, "application/json"));
    const checkpoint = await this.accept(noteAt(answer, "log_checkpoint"));
    const status = readStatus(answer, checkpoint, String(ref));
    if (asOf !== undefined && status.asOf !== asOf)
      throw new ProofError(`the log answered as of ${status.asOf}, not of ${asOf}`);
    return status;
  }

  /**
   * The log's events from an index on, or from now on, until `signal` ends it; throws when the connection does. Nothing of
   * it is verified but what `seen` has verified: an event is news, and the log's word.
   */
  async *events(
    { from, query = {} }: { readonly from?: number; readonly query?: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ): AsyncGenerator<SentEvent> {
    const asked = new URLSearchParams({ ...query, ...(from === undefined ? {} : { from: String(from) }) });
    const reader = new EventStreamReader();
    const path = `/v1/events?${asked.toString()}`;
    for await (const chunk of this.transport.stream(path, { accept: "text/event-stream" }, signal))
      yield* reader.push(chunk);
  }

  /**
   * The receipt (RFC 9942) of a statement that the log has, verified: under the newest checkpoint, or under `size`. Its root is
   * consistent with the newest checkpoint, and that with the last one seen. SERVER_REFUSED when the log does not have the
   * statement, or never had the size; NOT_WITNESSED when it has the statement and may not show it yet.
   */
  async receipt(statement: Uint8Array, { size }: { readonly size?: number } = {}): Promise<Uint8Array> {
    const id = toHex(sha256(storedForm(statement)));
    const path = `/entries/${id}${size === undefined ? "" : `?size=${size}`}`;
    const deadline = Date.now() + this.transport.patienceMs;
    for (;;) {
      const { status, body } = await this.transport.getAnswer(path, RECEIPT_MEDIA_TYPE);
      if (status === 200) return this.demandReceipt(statement, body, size);
      if (Date.now() > deadline)
        throw new WritError("NOT_WITNESSED", "it is in the log, which may not show it before it is cosigned");
      await this.transport.pause(RESEND_PAUSE_MS);
    }
  }

  private async demandReceipt(
    statement: Uint8Array,
    receipt: Uint8Array,
    size: number | undefined,
  ): Promise<Uint8Array> {
    const verified = verifyReceipt(statement, receipt, [serviceOfKey(this.key.publicKey)]);
    if (size !== undefined && verified.size !== size)
      throw new ProofError(`the log answered with a receipt of size ${verified.size}, not of ${size}`);
    await this.demandConsistency(await this.checkpoint(), verified);
    return receipt;
  }

  /** A checkpoint that was shown somewhere: verified, and consistent with the last one seen. ProofError when it is not. */
  async seen(note: Uint8Array): Promise<Checkpoint> {
    return this.accept(note);
  }

  /**
   * Entries by what their records say, a page at a time. What is found is the log's word; `entry` verifies one. Nobody can
   * prove that nothing was left out: `traceFromTiles` and `writ fsck` read the log itself.
   */
  async search(filters: SearchFilters): Promise<SearchAnswer> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filters))
      if (value !== undefined) query.set(name, String(value));
    const answer = parseObject(
      await this.transport.get(`/v1/search?${query.toString()}`, "application/json"),
    );
    const { next } = answer;
    return {
      hits: listAt(answer, "entries").map((hit) => (isJsonObject(hit) ? hitOf(hit) : invalid("entries"))),
      completeTo: numberAt(answer, "complete_to"),
      next: typeof next === "string" ? next : null,
    };
  }

  /** Everything that relied on a record, key, evidence hash, policy digest or action type: the log's word, line by line. */
  async impact(name: string): Promise<JsonObject[]> {
    const body = await this.transport.get(`/v1/impact/${encodeURIComponent(name)}`, "application/x-ndjson");
    const lines = (fromUtf8(body) ?? "").split("\n").filter((line) => line !== "");
    return lines.map((line) => parseObject(utf8(line)));
  }

  /** What the log says of itself (`/v1/log`): its word. */
  async description(): Promise<JsonObject> {
    return parseObject(await this.transport.get("/v1/log", "application/json"));
  }

  /** A status list as a JWT, as the log serves it: `openStatusListJwt` reads it. */
  async statusList(k: number): Promise<Uint8Array> {
    return this.transport.get(`/v1/status/lists/${k}`, "application/statuslist+jwt");
  }

  /** The newest checkpoint, verified and consistent with the last one seen. */
  async checkpoint(): Promise<Checkpoint> {
    return (await this.signedCheckpoint()).checkpoint;
  }

  /** The same, with the signed note that says it. */
  async signedCheckpoint(): Promise<{ readonly note: Uint8Array; readonly checkpoint: Checkpoint }> {
    const note = await this.transport.get("/checkpoint", "text/plain");
    return { note, checkpoint: await this.accept(note) };
  }

  /** The bytes at a path of the tile interface, unverified: whoever rebuilds the tree from them verifies them. */
  async tile(path: string): Promise<Uint8Array> {
    return readTile((one) => this.transport.get(`/${one}`, "application/octet-stream", MAX_TILE_BYTES), path);
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private async batchResults(
    answer: JsonObject,
    stored: readonly Uint8Array[],
  ): Promise<(LoggedEntry | RefusedEntry)[]> {
    const note = noteAt(answer, "log_checkpoint");
    const checkpoint = await this.accept(note);
    const results = resultsIn(answer, stored);
    const isNew = (result: JsonObject): boolean => result["status"] === 201;
    const leaves = stored.filter((_, i) => isNew(results[i] ?? {})).map(leafHash);
    const proofs = leaves.length === 0 ? [] : expandedProofs(objectAt(answer, "run"), leaves, checkpoint);
    let n = 0;
    return results.map((result, i) => {
      const statement = stored[i] ?? invalid("results");
      if (result["problem"] !== undefined) return refusedEntry(objectAt(result, "problem"));
      if (!isNew(result))
        return this.logged(statement, objectAt(result, "inclusion_proof"), note, checkpoint, false);
      const proof = proofs[n++] ?? invalid("run");
      if (numberAt(result, "index") !== proof.index)
        throw new ProofError(`the log says index ${numberAt(result, "index")}, the proof ${proof.index}`);
      return described(statement, { extra: null, ...proof, checkpoint: note }, true);
    });
  }

  private logged(
    stored: Uint8Array,
    proof: JsonObject,
    note: Uint8Array,
    checkpoint: Checkpoint,
    isNew: boolean,
  ): LoggedEntry {
    const index = numberAt(proof, "index");
    const hashes = hashesAt(proof, "hashes");
    verifyInclusion(index, checkpoint.size, leafHash(stored), hashes, checkpoint.root);
    return described(stored, { extra: null, index, hashes, checkpoint: note }, isNew);
  }

  /** Verifies a checkpoint's signature and its consistency with the last one seen, and remembers the larger. */
  private async accept(note: Uint8Array): Promise<Checkpoint> {
    const { checkpoint } = openCheckpoint(note, this.key);
    const name = formatVerifierKey(this.key);
    const mine = this.turn.last.then(async () => {
      const last = this.keptCheckpoint(await this.memory.load(name));
      if (last !== null) await this.demandConsistency(last, checkpoint);
      if (last === null || checkpoint.size > last.size) await this.memory.save(name, note);
    });
    this.turn.last = mine.catch(() => {});
    await mine;
    this.onCheckpoint(checkpoint);
    return checkpoint;
  }

  private keptCheckpoint(kept: Uint8Array | null): Checkpoint | null {
    try {
      return kept === null ? null : openCheckpoint(kept, this.key).checkpoint;
    } catch (error) {
      throw new WritError(
        "STATE_CORRUPT",
        `the checkpoint that was kept of ${this.key.name} is damaged: compare with another client's, then remove it`,
        {},
        { cause: error },
      );
    }
  }

  /** Where nobody answers questions, the tiles of a log prove as much. */
  private async proofByTiles(older: SizedRoot, newer: SizedRoot, refused: WritError): Promise<Hash[]> {
    try {
      const { hashes } = await prefixProof((path) => this.tile(path), older.size, newer.size, newer.root);
      return [...hashes];
    } catch (error) {
      if (!(error instanceof WritError) || error.code !== "SERVER_REFUSED") throw error;
      throw new ProofError(
        `the log cannot show that its checkpoint of ${newer.size} extends that of ${older.size}: ${refused.message}`,
        { cause: refused },
      );
    }
  }

  private async demandConsistency(a: SizedRoot, b: SizedRoot): Promise<void> {
    const [older, newer] = a.size <= b.size ? [a, b] : [b, a];
    if (older.size === 0) {
      if (!sameHash(older.root, emptyRoot()))
        throw new ProofError("a checkpoint of size 0 without the empty root");
      return;
    }
    let hashes: Hash[] = [];
    if (older.size < newer.size) {
      const path = `/v1/consistency?from=${older.size}&to=${newer.size}`;
      try {
        hashes = hashesAt(parseObject(await this.transport.get(path, "application/json")), "hashes");
      } catch (error) {
        if (!(error instanceof WritError) || error.code !== "SERVER_REFUSED") throw error;
        hashes = await this.proofByTiles(older, newer, error);
      }
    }
    try {
      verifyConsistency(older.size, newer.size, hashes, older.root, newer.root);
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      throw new ProofError(
        `the log cannot show that its tree of ${b.size} entries extends the tree of ${a.size} that was seen of it before: keep both, one of them is a second history (${error.message})`,
        { cause: error },
      );
    }
  }
}
