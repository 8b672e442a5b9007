/**
 * A witness (c2sp.org/tlog-witness): cosigns each checkpoint of a log it knows that extends the last one it cosigned.
 * Decide, take, persist, sign, in this order: whatever ends the process, it has signed nothing that it can forget.
 */
import { WritError } from "../src/errors.js";
import { fromHex } from "../src/format/bytes.js";
import { cosign } from "../src/format/cosignature.js";
import { formatNote, type Note, type SignatureLine, withSignatures } from "../src/format/note.js";
import { parseAddCheckpoint, parseSignSubtree, originHash } from "../src/format/proof-request.js";
import { isLineOf, type SigningKey } from "../src/format/vkey.js";
import { demandExtension, type Held, isFork, openSubmitted, openSubtree, type Submitted } from "./decide.js";
import type { Logs } from "./logs.js";
import type { WitnessState } from "./state.js";
import { SubtreeSigner } from "./subtree-signer.js";

export interface WitnessParts {
  /** One or more, of type 4 or 6: each signs every checkpoint. */
  readonly keys: readonly SigningKey[];
  readonly logs: Logs;
  readonly state: WitnessState;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of two roots of one size, both signed by the log: the notes prove it. */
  readonly onFork: (origin: string, held: Note, submitted: Note) => void;
}

export class Witness {
  /** Hex SHA-256 of an origin → the origin, for those that are held. */
  private readonly hashed = new Map<string, string>();

  /** What was signed last, by origin. */
  private readonly signed = new Map<
    string,
    { readonly text: string; readonly time: bigint; readonly lines: readonly SignatureLine[] }
  >();

  private readonly subtrees: SubtreeSigner;

  constructor(private readonly parts: WitnessParts) {
    this.subtrees = new SubtreeSigner(parts.keys);
    for (const origin of parts.state.origins) this.hashed.set(originHash(origin), origin);
  }

  get keys(): readonly SigningKey[] {
    return this.parts.keys;
  }

  get logCount(): number {
    return this.parts.logs.count;
  }

  /** `add-checkpoint`: our lines for the checkpoint. WritErrors as in `decide.ts`, and QUOTA_EXCEEDED. */
  async addCheckpoint(body: Uint8Array): Promise<readonly SignatureLine[]> {
    const { logs, state } = this.parts;
    const request = parseAddCheckpoint(body);
    const submitted = openSubmitted(request.checkpoint, logs.trusted);
    const { origin, size, root } = submitted.checkpoint;
    // SPEC: Note that checking the old size against the latest checkpoint and persisting the new checkpoint must be
    // performed atomically. Nothing else runs between here and `replace`, which takes the new state at once.
    const held = state.held(origin);
    try {
      demandExtension(request, submitted, held);
    } catch (error) {
      throw await this.refused(error, submitted, held);
    }
    // What is answered is what is served afterwards: of the same tree another note, too (other lines, the same root).
    if (held === null || held.note.text !== submitted.note.text) {
      // Only what is taken counts: old checkpoints are public, and a stranger who sends them again must not use it up.
      logs.spend(origin);
      // SPEC: The witness MUST persist the new checkpoint before responding.
      await state.replace(origin, held, { size, root, note: submitted.note });
      this.hashed.set(originHash(origin), origin);
    } else await state.durable(origin);
    return this.sign(origin, submitted.note.text);
  }

  /** `sign-subtree`: our lines of type 6 for it. NOT_FOUND when this witness has no such key. */
  async signSubtree(body: Uint8Array): Promise<readonly SignatureLine[]> {
    // SPEC: The cosignature format MUST support subtree cosigning.
    if (!this.subtrees.isAble)
      throw new WritError("NOT_FOUND", "this witness has no ML-DSA-44 key, so it signs no subtrees");
    const { logs } = this.parts;
    const subtree = openSubtree(parseSignSubtree(body), logs.trusted, this.parts.keys);
    return this.subtrees.sign(subtree, () => logs.spendSubtree(subtree.origin));
  }

  /** The newest checkpoint of an origin, by the hex SHA-256 of it: with the log's lines and ours. NOT_FOUND. */
  async checkpoint(hash: string): Promise<Uint8Array> {
    const { state } = this.parts;
    const origin = fromHex(hash)?.length === 32 ? this.hashed.get(hash) : undefined;
    const held = origin === undefined ? null : await state.durable(origin);
    // SPEC: If the witness has never cosigned a checkpoint for that log, it MUST respond with a "404 Not Found".
    if (origin === undefined || held === null)
      throw new WritError("NOT_FOUND", "this witness has cosigned no checkpoint of that origin");
    const ours = this.parts.keys.every((key) => held.note.signatures.some((line) => isLineOf(key, line)));
    // After a crash our lines may be forgotten; what they say is as true as it was.
    return formatNote(ours ? held.note : withSignatures(held.note, this.sign(origin, held.note.text)));
  }

  async close(): Promise<void> {
    this.parts.logs.close();
    await this.subtrees.close();
    await this.parts.state.close();
  }

  private sign(origin: string, text: string): readonly SignatureLine[] {
    // SPEC: The cosignature MUST NOT omit the timestamp, i.e. the timestamp MUST NOT be zero.
    const time = BigInt(Math.max(1, Math.floor(this.parts.now() / 1000)));
    const last = this.signed.get(origin);
    // The same question in the same second has the same answer: whoever replays it costs nothing.
    if (last?.text === text && last.time === time) return last.lines;
    const lines = this.parts.keys.map((key) => cosign(text, key, time));
    this.signed.set(origin, { text, time, lines });
    this.parts.state.addLines(origin, text, lines);
    return lines;
  }

  private async refused(error: unknown, submitted: Submitted, held: Held | null): Promise<unknown> {
    const { origin } = submitted.checkpoint;
    if (held !== null && isFork(submitted, held)) this.parts.onFork(origin, held.note, submitted.note);
    // A size that we say we hold is one that we hold after a power cut too.
    if (error instanceof WritError && error.code === "CHECKPOINT_STALE")
      await this.parts.state.durable(origin);
    return error;
  }
}
