/** A verifier thread: runs admission with its own copy of the key table. Never touches the store. */
import { WritError } from "../../errors.js";
import { KeyTable } from "../../index/keys.js";
import type { Form } from "../../statement/statement.js";
import { answerQuestions, startOfThread } from "../../thread.js";
import { admissionState, admit } from "./admit.js";
import {
  type FromVerifier,
  type IndexedKeyEvent,
  packVerdicts,
  type Verdict,
  type VerifierStart,
  type VerifyQuestion,
} from "./verify-protocol.js";

const { roots, events } = startOfThread() as VerifierStart;
const keys = new KeyTable(roots);
hear(events);
const state = admissionState(keys);

answerQuestions<VerifyQuestion, FromVerifier, readonly IndexedKeyEvent[]>({
  answer: ({ bytes, lengths, forms, time }) => {
    let offset = 0;
    const verdicts = Array.from(lengths, (length, i) => {
      const statement = bytes.subarray(offset, (offset += length));
      return verdictOn(statement, forms[i] ?? "dsse", time);
    });
    return packVerdicts(keys.events, verdicts);
  },
  hear,
  handOver: ({ bytes }) => [bytes.buffer as ArrayBuffer],
});

function hear(news: readonly IndexedKeyEvent[]): void {
  for (const { index, event } of news) keys.apply(index, event);
}

function verdictOn(bytes: Uint8Array, form: Form, time: number): Verdict {
  try {
    return admit(bytes, form, time, state);
  } catch (error) {
    if (error instanceof WritError) return error;
    // A bug of ours must not take the thread, and with it everybody's answers, down.
    const why = "admission failed unexpectedly; the statement was not logged";
    return new WritError("INTERNAL", why, {}, { cause: error });
  }
}
