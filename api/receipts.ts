/**
 * Receipts (RFC 9942) as the log issues them: a proof under a published root, signed with the log's own Ed25519 key.
 *
 * One signature would do for all receipts under a checkpoint, if their protected headers were the same. They are not: RFC
 * 9943 §6.1 puts the statement's subject there. So a signature is made once for each root and subject, and kept: statements
 * about the same thing share it, and so do all fresh receipts of one entry.
 */
import { ed25519Signer } from "#crypto";
import type { Hash } from "../merkle/index.js";
import { ByteLru } from "../src/log/byte-lru.js";
import type { Log } from "../src/log/log.js";
import type { Published } from "../src/log/publish.js";
import { type PublicKey, publicKey } from "../src/statement/key.js";
import {
  formatConsistencyReceipt,
  formatInclusionReceipt,
  receiptHeader,
  receiptMessage,
} from "../src/statement/receipt.js";
import type { ServiceOptions } from "./service.js";

const CACHE_BYTES = 8 * 1024 * 1024;
/** What one kept signature takes, with its header and its name. */
const KEPT_BYTES = 512;

interface Signed {
  readonly header: Uint8Array;
  /** 64 bytes */
  readonly signature: Uint8Array;
}

export class Receipts {
  /** The key that they verify by. */
  readonly publicKey: PublicKey;
  private readonly sign: (message: Uint8Array) => Uint8Array;
  private readonly kept = new ByteLru<string, Signed>(CACHE_BYTES);

  constructor(
    private readonly log: Log,
    private readonly service: ServiceOptions,
  ) {
    const known = publicKey("Ed25519", service.key.publicKey);
    if (known === undefined) throw new RangeError("want an Ed25519 key");
    this.publicKey = known;
    this.sign = ed25519Signer(service.key.seed);
  }

  /** That the entry at `index`, about `subject`, is in the published tree. */
  async inclusion(index: number, subject: string, { size, root }: Published): Promise<Uint8Array> {
    const hashes = await this.log.inclusion(index, size);
    const { header, signature } = this.signed(size, root, subject);
    return formatInclusionReceipt(header, { size, index, hashes }, signature);
  }

  /** That the published tree extends the tree of `from`, 1 or more. Its subject is the log itself. */
  async consistency(from: number, { size, root }: Published): Promise<Uint8Array> {
    const hashes = await this.log.consistency(from, size);
    const { header, signature } = this.signed(size, root, this.service.url());
    return formatConsistencyReceipt(header, { from, to: size, hashes }, signature);
  }

  private signed(size: number, root: Hash, subject: string): Signed {
    // A log has one root of each size.
    const name = `${size} ${subject}`;
    const known = this.kept.get(name);
    if (known !== undefined) return known;
    const header = receiptHeader(this.publicKey.keyId, this.service.url(), subject);
    const made = { header, signature: this.sign(receiptMessage(header, root)) };
    this.kept.set(name, made, KEPT_BYTES + 2 * subject.length);
    return made;
  }
}
