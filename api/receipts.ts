/**
 * Receipts (RFC 9942) as the log issues them: a proof under a published root, signed with the log's own Ed25519 key.
 *
 * One signature would do for all receipts under a checkpoint, if their protected headers were the same. They are not: RFC
 * 9943 §6.1 puts the statement's subject there. So a signature is made once for each root and subject, and kept while that
 * root is asked for: statements about the same thing share it, and so do all fresh receipts of one entry.
 */
import { ed25519Signer } from "#crypto";
import type { Hash } from "../merkle/index.js";
import type { Log } from "../src/log/log.js";
import { type PublicKey, publicKey } from "../src/statement/key.js";
import {
  formatConsistencyReceipt,
  formatInclusionReceipt,
  ReceiptHeaders,
  receiptMessage,
} from "../src/statement/receipt.js";
import type { Tree } from "../src/store/contract.js";
import type { ServiceOptions } from "./service.js";

/** What is kept under the checkpoint that was asked for last: a subject may be nearly as long as an entry. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;
/** Of one signature, beside its subject. */
const KEPT_BYTES = 512;

interface Signed {
  readonly header: Uint8Array;
  /** 64 bytes */
  readonly signature: Uint8Array;
}

interface Kept {
  readonly size: number;
  bytes: number;
  readonly signed: Map<string, Signed>;
}

export class Receipts {
  /** The key that they verify by. */
  readonly publicKey: PublicKey;
  private readonly sign: (message: Uint8Array) => Uint8Array;
  /** By subject, under one size: a log has one root of each. */
  private kept: Kept = { size: 0, bytes: 0, signed: new Map() };
  private headers: ReceiptHeaders | undefined;

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
  async inclusion(index: number, subject: string, { size, root }: Tree): Promise<Uint8Array> {
    const hashes = await this.log.read.inclusion(index, size);
    const { header, signature } = this.signed(size, root, subject);
    return formatInclusionReceipt(header, { size, index, hashes }, signature);
  }

  /** That the published tree extends the tree of `from`, 1 or more. Its subject is the log itself. */
  async consistency(from: number, { size, root }: Tree): Promise<Uint8Array> {
    const hashes = await this.log.read.consistency(from, size);
    const { header, signature } = this.signed(size, root, this.service.url());
    return formatConsistencyReceipt(header, { from, to: size, hashes }, signature);
  }

  private signed(size: number, root: Hash, subject: string): Signed {
    if (this.kept.size !== size || this.kept.bytes >= MAX_KEPT_BYTES)
      this.kept = { size, bytes: 0, signed: new Map() };
    const known = this.kept.signed.get(subject);
    if (known !== undefined) return known;
    // The URL is known once the log listens, and is the same from then on.
    this.headers ??= new ReceiptHeaders(this.publicKey.keyId, this.service.url());
    const header = this.headers.about(subject);
    const made = { header, signature: this.sign(receiptMessage(header, root)) };
    this.kept.signed.set(subject, made);
    // As the map's key, and in the header.
    this.kept.bytes += KEPT_BYTES + 2 * subject.length + header.length;
    return made;
  }
}
