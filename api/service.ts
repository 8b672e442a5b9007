/** What a log signs beside its checkpoints, and under which name: status lists and receipts. */
import type { SigningKey } from "../src/format/vkey.js";
import type { PublicKey } from "../src/statement/key.js";

export interface ServiceOptions {
  /** Signs: the log's own Ed25519 key. */
  readonly key: SigningKey;
  /** The log's URL as the outside knows it, without a slash at the end. */
  readonly url: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Keys of logs that were served under this URL before: their receipts still verify by the key set. */
  readonly pastKeys?: readonly PublicKey[];
}
