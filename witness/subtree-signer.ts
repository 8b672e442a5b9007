/**
 * Subtrees are signed with ML-DSA-44, which takes milliseconds: in a thread, and each once. Anybody may ask, with a public checkpoint;
 * what he can make this cost is bounded by the log's quota for subtrees, and by how many may wait.
 */
import type { Hash } from "../merkle/index.js";
import { WritError } from "../src/errors.js";
import { toHex } from "../src/format/bytes.js";
import type { SignatureLine } from "../src/format/note.js";
import { ML_DSA_44, type SigningKey } from "../src/format/vkey.js";
import { Thread } from "../src/thread.js";

export interface Subtree {
  readonly origin: string;
  readonly start: number;
  readonly end: number;
  readonly hash: Hash;
}

/** Subtrees that are signed or wait for it. */
export const MAX_WAITING_SUBTREES = 64;
/** Subtrees whose lines are kept: some 3 KB a key. */
export const MAX_KEPT_SUBTREES = 1024;

export class SubtreeSigner {
  private readonly thread: Thread<Subtree, readonly SignatureLine[]>;
  private readonly kept = new Map<string, Promise<readonly SignatureLine[]>>();
  /** Is there a key that can? */
  readonly isAble: boolean;

  constructor(keys: readonly SigningKey[]) {
    const able = keys.filter(({ type }) => type === ML_DSA_44);
    this.isAble = able.length > 0;
    const module = new URL("./subtree-worker.js", import.meta.url);
    this.thread = new Thread(module, "the thread that signs subtrees", { start: () => able });
  }

  /** Our lines of type 6 for it. `spend` is called for one that was not signed lately. QUOTA_EXCEEDED when too many wait. */
  async sign(subtree: Subtree, spend: () => void): Promise<readonly SignatureLine[]> {
    const { origin, start, end, hash } = subtree;
    const name = `${start} ${end} ${toHex(hash)} ${origin}`;
    const known = this.kept.get(name);
    if (known !== undefined) return known;
    spend();
    if (this.thread.asked >= MAX_WAITING_SUBTREES)
      throw new WritError("QUOTA_EXCEEDED", `${MAX_WAITING_SUBTREES} subtrees are being signed; ask again`);
    const signing = this.thread.ask(subtree);
    this.kept.set(name, signing);
    // What failed is asked for anew.
    signing.catch(() => this.kept.delete(name));
    if (this.kept.size > MAX_KEPT_SUBTREES) this.kept.delete(this.kept.keys().next().value ?? "");
    return signing;
  }

  async close(): Promise<void> {
    await this.thread.stop();
  }
}
