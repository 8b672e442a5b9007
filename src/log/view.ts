/**
 * Which checkpoint may be shown, and to whom: the newest, the newest witnessed one, one of a size that is past; and whether an
 * answer has to wait for the witnesses. What was shown once is never taken back.
 */
import { emptyRoot } from "../../merkle/index.js";
import { WritError } from "../errors.js";
import type { SigningKey } from "../format/vkey.js";
import type { Head, Store, Tree } from "../store/contract.js";
import { type Admitted, readStored } from "./admit/admit.js";
import { type RiskTier, tierOf } from "./state/tier.js";
import type { Prover } from "./tree/prove.js";
import { type Published, publish } from "./tree/publish.js";
import type { SecondLine } from "./witnessed/second-line.js";
import type { Witnessing } from "./witnessed/witnessing.js";

/**
 * What the operator demands of the witnesses. `all`: a checkpoint that does not meet the quorum is not published, to
 * anybody. A tier: a submission for an action type of that risk tier or above is answered once the quorum is there.
 */
export type WitnessRequirement = "all" | RiskTier | null;

export interface ViewParts {
  readonly store: Store;
  readonly prover: Prover;
  readonly key: SigningKey;
  readonly raw: boolean;
  /** The newest checkpoint that is durable. */
  readonly newest: () => Published;
  /** Null when the log has no witnesses. */
  readonly witnessing: Witnessing | null;
  /** What puts the log's ML-DSA-44 line under its checkpoints where no witnesses do; null where it has no such key. */
  readonly secondLine: SecondLine | null;
  readonly requirement: WitnessRequirement;
  /** What this log showed before it demanded witnesses. */
  readonly shownBefore: Published | null;
}

export class View {
  /** What the outside sees of a log that demands witnesses and has none yet. */
  private readonly unborn: Published;

  constructor(private readonly parts: ViewParts) {
    this.unborn = publish({ size: 0, root: emptyRoot(), receivedAt: 0 }, parts.key);
  }

  get requirement(): WitnessRequirement {
    return this.parts.requirement;
  }

  /** The newest checkpoint that the outside may see, with the cosignatures it has. Its size never goes back. */
  get published(): Published {
    const newest = this.parts.newest();
    if (this.parts.witnessing === null) return this.parts.secondLine?.under(newest) ?? newest;
    if (this.parts.requirement !== "all") return this.parts.witnessing.cosigned(newest);
    return largest(
      this.unborn,
      this.parts.shownBefore,
      this.parts.witnessing.shown,
      this.parts.witnessing.witnessed,
    );
  }

  /** Entries that are durable, whether the outside may see them or not. */
  get durableSize(): number {
    return this.parts.newest().size;
  }

  /** The newest checkpoint that meets the quorum of the log's own witness policy, or null. */
  get witnessed(): Published | null {
    return this.parts.witnessing?.witnessed ?? null;
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
    if (this.parts.witnessing !== null && this.parts.witnessing.policy.quorum !== null)
      return this.parts.witnessing;
    throw new WritError("WITNESSES_MISSING", "this log has no witnesses that an answer could wait for");
  }

  /** Must the answer for these entries wait for the witnesses, whoever asks? */
  async demandsWitnesses(entries: readonly { readonly entry: Admitted }[]): Promise<boolean> {
    const { requirement } = this.parts;
    if (requirement === null || requirement === "all") return requirement === "all";
    for (const { entry } of entries) {
      const tier = await tierOf(this.parts.store, entry);
      if (tier !== null && tier >= requirement) return true;
    }
    return false;
  }

  /**
   * Is this entry one whose answer waits for the witnesses, and they have not come yet? Under a demand for all it is not shown
   * at all; this is for a demand by tier.
   */
  async isHeldBack(index: number): Promise<boolean> {
    const { requirement } = this.parts;
    if (requirement === null || requirement === "all" || index < (this.witnessed?.size ?? 0)) return false;
    const [stored] = await this.parts.store.entries(index, index + 1);
    const entry = readStored(stored ?? new Uint8Array(0), this.parts.raw && index > 0);
    return this.demandsWitnesses([{ entry }]);
  }

  /** The checkpoint of a size that was published once, or null. Signed again: the bytes are the same. */
  async checkpointAt(size: number): Promise<Published | null> {
    if (size === this.published.size) return this.published;
    if (size === this.witnessed?.size) return this.witnessed;
    if (size === 0)
      return publish({ size, root: await this.parts.prover.root(0), receivedAt: 0 }, this.parts.key);
    const head = this.parts.requirement === "all" ? null : await this.headAt(size);
    return head === null ? null : publish(head, this.parts.key);
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
    const head = await this.parts.store.headOver(size - 1);
    return head?.size === size ? head : null;
  }

  /**
   * A checkpoint that covers `size`: the newest witnessed one if it does, or the smallest. SIZE_UNPUBLISHED beyond the
   * newest, and for the empty log.
   */
  async checkpointOver(size: number): Promise<Published> {
    const { witnessed } = this;
    if (witnessed !== null && size > 0 && size <= witnessed.size) return witnessed;
    const head = size === 0 || size > this.published.size ? null : await this.parts.store.headOver(size - 1);
    if (head !== null) return publish(head, this.parts.key);
    throw new WritError("SIZE_UNPUBLISHED", `want a size from 1 to ${this.published.size}, got ${size}`, {
      path: "as_of",
    });
  }
}

/** The one of the largest size; of several, the last. */
function largest(first: Published, ...others: readonly (Published | null)[]): Published {
  return others.reduce<Published>((most, one) => (one !== null && one.size >= most.size ? one : most), first);
}
