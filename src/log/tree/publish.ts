/**
 * Stage 4, checkpoint: a head becomes a signed note. Ed25519 is deterministic and the text carries no time, so signing
 * a head again after a crash gives the same bytes: a checkpoint needs no storage of its own.
 */
import { signCheckpoint } from "../../format/cosignature.js";
import type { SigningKey } from "../../format/vkey.js";
import type { Head } from "../../store/contract.js";

export interface Published extends Head {
  /** The signed note, verbatim. */
  readonly checkpoint: Uint8Array;
  /** The same as text, for the answers that embed it. */
  readonly text: string;
  /** The names of the witnesses whose lines are under it too. */
  readonly cosignedBy: readonly string[];
}

export function publish(head: Head, key: SigningKey): Published {
  const checkpoint = signCheckpoint(
    { origin: key.name, size: head.size, root: head.root, extensions: [] },
    key,
  );
  return { ...head, checkpoint, text: new TextDecoder().decode(checkpoint), cosignedBy: [] };
}
