/** The thread that signs checkpoints for the log's second key, and verifies what witnesses answer. */
import { parentPort, workerData } from "node:worker_threads";
import { cosign, verifyLine } from "../../format/cosignature.js";
import type { SignatureLine } from "../../format/note.js";
import { isLineOf } from "../../format/vkey.js";
import type { CosignStart, FromCosigner, ToCosigner } from "./cosign-protocol.js";

const { key, witnesses } = workerData as CosignStart;

parentPort?.on("message", (question: ToCosigner) => {
  parentPort?.postMessage(answer(question));
});

function answer(question: ToCosigner): FromCosigner {
  const { id, text } = question;
  try {
    if (question.kind === "sign")
      return { id, lines: key === null ? [] : [cosign(text, key, question.time)] };
    return { id, lines: question.lines.filter((line) => verified(line, text)) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

/** Lines of unknown keys are ignored; a line of a known key that does not verify throws. */
function verified(line: SignatureLine, text: string): boolean {
  const witness = witnesses.find((one) => isLineOf(one, line));
  if (witness === undefined) return false;
  verifyLine(line, witness, text);
  return true;
}
