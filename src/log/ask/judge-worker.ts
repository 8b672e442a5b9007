/** The thread in which the server judges: one bundle after another, by the log's own trust. */
import { parentPort } from "node:worker_threads";
import { asHash } from "../../../merkle/index.js";
import { parsePolicy } from "../../format/policy.js";
import { verdictJson } from "../../trace/answer.js";
import { evaluate } from "../../trace/evaluate.js";
import type { JudgeAnswer, JudgeQuestion } from "./judge.js";

parentPort?.on("message", ({ id, bundle, policy, at, profile }: JudgeQuestion) => {
  parentPort?.postMessage(answer());

  function answer(): JudgeAnswer {
    try {
      // Hashes lose their brand on the way between threads.
      const entries = bundle.entries.map((entry) => ({
        ...entry,
        hashes: entry.hashes.map((hash) => asHash(hash)),
      }));
      const trusted = parsePolicy(policy);
      return {
        id,
        json: JSON.stringify(verdictJson(evaluate({ ...bundle, entries }, trusted, { at, profile }))),
      };
    } catch (error) {
      return { id, error: error instanceof Error ? error.message : String(error) };
    }
  }
});
