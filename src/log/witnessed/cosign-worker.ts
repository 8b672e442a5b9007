/** The thread that signs checkpoints for the log's second key, and verifies what witnesses answer. */
import { cosign, verifyLine } from "../../format/cosignature.js";
import type { SignatureLine } from "../../format/note.js";
import { isLineOf } from "../../format/vkey.js";
import { answerQuestions, startOfThread } from "../../thread.js";
import type { CosignAnswer, CosignQuestion, CosignStart } from "./cosign-protocol.js";

const { key, witnesses } = startOfThread() as CosignStart;

answerQuestions<CosignQuestion, CosignAnswer>({ answer });

function answer(question: CosignQuestion): CosignAnswer {
  const { text } = question;
  if (question.kind === "sign") return key === null ? [] : [cosign(text, key, question.time)];
  return question.lines.filter((line) => verified(line, text));
}

/** Lines of unknown keys are ignored; a line of a known key that does not verify throws. */
function verified(line: SignatureLine, text: string): boolean {
  const witness = witnesses.find((one) => isLineOf(one, line));
  if (witness === undefined) return false;
  verifyLine(line, witness, text);
  return true;
}
