/** The thread that signs subtrees. */
import { asHash } from "../merkle/index.js";
import { cosignSubtree } from "../src/format/cosignature.js";
import type { SignatureLine } from "../src/format/note.js";
import type { SigningKey } from "../src/format/vkey.js";
import { answerQuestions, startOfThread } from "../src/thread.js";
import type { Subtree } from "./subtree-signer.js";

const keys = startOfThread() as readonly SigningKey[];

// SPEC: If the cosignature format supports timestamps, the timestamp MUST be zero.
answerQuestions<Subtree, readonly SignatureLine[]>({
  // A hash loses its brand on the way between threads.
  answer: ({ hash, ...place }) => keys.map((key) => cosignSubtree({ ...place, hash: asHash(hash) }, key)),
});
