/**
 * The log's own ML-DSA-44 line where no witnesses are asked, which would bring it: made in the thread, behind the write path, for one
 * checkpoint a second at most. The newest checkpoint may lack it; an idle log's has it within a second.
 */
import { formatNote, parseNote, withSignatures } from "../../format/note.js";
import type { SigningKey } from "../../format/vkey.js";
import type { Published } from "../tree/publish.js";
import { type CosignThread, cosignThread } from "./cosign-thread.js";

/** Milliseconds between two of them. */
export const SECOND_LINE_MS = 1000;

export class SecondLine {
  private readonly thread: CosignThread;
  private signed: Published | null = null;
  private newest: Published | null = null;
  private begunAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;
  private signing = false;
  private closed = false;

  /** `now`: milliseconds since 1970. */
  constructor(
    key: SigningKey,
    private readonly now: () => number,
    private readonly onTrouble: (error: unknown) => void = () => {},
  ) {
    this.thread = cosignThread({ key, witnesses: [] });
  }

  /** A new checkpoint. Never waits, never throws. */
  offer(published: Published): void {
    this.newest = published;
    this.advance();
  }

  /** The checkpoint with the line, if it was made for this one. */
  under(published: Published): Published {
    return this.signed?.size === published.size ? this.signed : published;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.thread.stop();
  }

  private advance(): void {
    const { newest } = this;
    if (this.closed || this.signing || newest === null || newest.size === this.signed?.size) return;
    const wait = this.begunAt + SECOND_LINE_MS - performance.now();
    if (wait <= 0) return void this.sign(newest);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.advance();
    }, wait).unref();
  }

  private async sign(published: Published): Promise<void> {
    this.signing = true;
    this.begunAt = performance.now();
    const note = parseNote(published.checkpoint);
    try {
      const time = BigInt(Math.max(1, Math.floor(this.now() / 1000)));
      const lines = await this.thread.ask({ kind: "sign", text: note.text, time });
      const checkpoint = formatNote(withSignatures(note, lines));
      this.signed = { ...published, checkpoint, text: new TextDecoder().decode(checkpoint) };
    } catch (error) {
      // The Ed25519 line alone is a checkpoint too.
      if (!this.closed) this.onTrouble(error);
    }
    this.signing = false;
    this.advance();
  }
}
