/** A thread to ask in tests: it says what it was born with and told since, throws what it is asked to, and dies when it must. */
import { ProofError, WritError } from "../../src/errors.js";
import { answerQuestions, startOfThread } from "../../src/thread.js";

const told: string[] = [String(startOfThread())];

answerQuestions<string, readonly string[], string>({
  answer(question) {
    if (question === "writ")
      throw new WritError("KEY_UNKNOWN", "a code", { index: 7 }, { cause: new RangeError("deeper") });
    if (question === "proof") throw new ProofError("no proof");
    if (question === "bug") throw new TypeError("a bug");
    // eslint-disable-next-line -- anything may be thrown
    if (question === "text") throw "only text";
    if (question === "die") process.exit(3);
    return [...told, question];
  },
  hear: (news) => told.push(news),
});
