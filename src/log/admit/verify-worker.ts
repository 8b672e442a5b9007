/** A verifier thread: runs admission with its own copy of the key table. Never touches the store. */
import { parentPort, workerData } from "node:worker_threads";
import { WritError } from "../../errors.js";
import { KeyTable } from "../../index/keys.js";
import type { Form } from "../../statement/statement.js";
import { admissionState, admit } from "./admit.js";
import { packVerdicts, type ToVerifier, type Verdict, type VerifierStart } from "./verify-protocol.js";

const { roots, events } = workerData as VerifierStart;
const keys = new KeyTable(roots);
for (const { index, event } of events) keys.apply(index, event);
const state = admissionState(keys);

parentPort?.on("message", (message: ToVerifier) => {
  if (message.kind === "keys") {
    for (const { index, event } of message.events) keys.apply(index, event);
    return;
  }
  let offset = 0;
  const verdicts = Array.from(message.lengths, (length, i) => {
    const bytes = message.bytes.subarray(offset, (offset += length));
    return verdictOn(bytes, message.forms[i] ?? "dsse", message.time);
  });
  const reply = packVerdicts(message.id, keys.events, verdicts);
  parentPort?.postMessage(reply, [reply.bytes.buffer as ArrayBuffer]);
});

function verdictOn(bytes: Uint8Array, form: Form, time: number): Verdict {
  try {
    return admit(bytes, form, time, state);
  } catch (error) {
    if (error instanceof WritError) return error;
    // A bug of ours must not take the thread, and with it everybody's answers, down.
    return new WritError("INTERNAL", "admission failed unexpectedly; the statement was not logged");
  }
}
