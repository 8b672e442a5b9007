/**
 * What a witness has vouched for: one checkpoint an origin, in memory and in a journal. `replace` is a compare-and-swap:
 * the new state is taken in memory before anything else can run, and is on disk when it resolves; only then may it be
 * signed. Two requests that race are two swaps, one after the other, and the second sees the first.
 */
import { WritError } from "../src/errors.js";
import { parseCheckpoint } from "../src/format/checkpoint.js";
import { formatNote, parseNote, type SignatureLine, withSignatures } from "../src/format/note.js";
import type { Held } from "./decide.js";
import { Journal } from "./journal.js";

interface Slot {
  readonly held: Held;
  /** Resolves when `held` is on disk. */
  readonly durable: Promise<void>;
}

export class WitnessState {
  private constructor(
    private readonly slots: Map<string, Slot>,
    private readonly journal: Journal,
    private readonly onFatal: (error: WritError) => void,
  ) {}

  /**
   * STATE_CORRUPT when the journal is damaged. `onFatal` is told when a write failed: nobody knows what is on disk, so the
   * process must end, and nothing is signed until then.
   */
  static async open(
    path: string,
    {
      create = false,
      onFatal = () => {},
      onCut = () => {},
    }: {
      readonly create?: boolean;
      readonly onFatal?: (error: WritError) => void;
      readonly onCut?: (bytes: number) => void;
    } = {},
  ): Promise<WitnessState> {
    const slots = new Map<string, Slot>();
    const durable = Promise.resolve();
    const journal = await Journal.open(
      path,
      (body) => {
        const { origin, held } = readHeld(path, body);
        slots.set(origin, { held, durable });
      },
      () => [...slots.values()].map(({ held }) => formatNote(held.note)),
      { create, onCut },
    );
    return new WitnessState(slots, journal, onFatal);
  }

  /** What is held for an origin. It may not be on disk yet: sign and answer only what `durable` gives. */
  held(origin: string): Held | null {
    return this.slots.get(origin)?.held ?? null;
  }

  /** What is held for an origin and is on disk. */
  async durable(origin: string): Promise<Held | null> {
    const slot = this.slots.get(origin);
    await slot?.durable;
    return slot?.held ?? null;
  }

  get origins(): Iterable<string> {
    return this.slots.keys();
  }

  /** Takes `next` in the place of `expected`, at once; resolves when it is on disk. RangeError when another came first. */
  async replace(origin: string, expected: Held | null, next: Held): Promise<void> {
    if (this.held(origin) !== expected) throw new RangeError("the state has changed since it was looked at");
    const durable = this.journal.append(formatNote(next.note)).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      const fatal = new WritError("STORE_FAILED", `the witness has stopped: ${why}`, {}, { cause: error });
      this.onFatal(fatal);
      throw fatal;
    });
    this.slots.set(origin, { held: next, durable });
    return durable;
  }

  /** Keeps our own lines under the checkpoint that they are for, if it is still the newest. */
  addLines(origin: string, text: string, lines: readonly SignatureLine[]): void {
    const slot = this.slots.get(origin);
    if (slot?.held.note.text !== text) return;
    const note = withSignatures(slot.held.note, lines);
    this.slots.set(origin, { ...slot, held: { ...slot.held, note } });
    // A crash may forget them: the log is asked to be told again, and the same tree is signed again.
    this.journal.appendLater(origin, formatNote(note));
  }

  async close(): Promise<void> {
    await this.journal.close();
  }
}

function readHeld(path: string, body: Uint8Array): { readonly origin: string; readonly held: Held } {
  try {
    const note = parseNote(body);
    const { origin, size, root } = parseCheckpoint(note.text);
    return { origin, held: { size, root, note } };
  } catch (error) {
    throw new WritError("STATE_CORRUPT", `${path} holds what is no checkpoint`, {}, { cause: error });
  }
}
