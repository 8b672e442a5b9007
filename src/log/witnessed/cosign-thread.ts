/** The thread that signs with the log's ML-DSA-44 key and verifies what witnesses answer. */
import { Thread } from "../../thread.js";
import type { CosignAnswer, CosignQuestion, CosignStart } from "./cosign-protocol.js";

export type CosignThread = Thread<CosignQuestion, CosignAnswer>;

export function cosignThread(start: CosignStart): CosignThread {
  return new Thread(new URL("./cosign-worker.js", import.meta.url), "the cosigning thread", {
    start: () => start,
  });
}
