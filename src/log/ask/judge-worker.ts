/** The thread in which the server judges: one bundle after another, by the log's own trust. */
import { asHash } from "../../../merkle/index.js";
import { parsePolicy } from "../../format/policy.js";
import { answerQuestions } from "../../thread.js";
import { verdictJson } from "../../trace/answer.js";
import { evaluate } from "../../trace/evaluate.js";
import type { JudgeQuestion } from "./judge.js";

answerQuestions<JudgeQuestion, string>({ answer: judge });

function judge({ bundle, policy, at, profile }: JudgeQuestion): string {
  // Hashes lose their brand on the way between threads.
  const entries = bundle.entries.map((entry) => ({
    ...entry,
    hashes: entry.hashes.map((hash) => asHash(hash)),
  }));
  const verdict = evaluate({ ...bundle, entries }, parsePolicy(policy), { at, profile });
  return JSON.stringify(verdictJson(verdict));
}
