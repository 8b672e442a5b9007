/** `approve`, `reject`: a person reads exactly what is asked, and signs a yes or a no with a key that stays with him. */
import { createInterface } from "node:readline/promises";
import { policyOfKey } from "../../format/policy.js";
import { RECORD_MEDIA_TYPE } from "../../record/record.js";
import { type Answer, approvalRecord, judgedOf, requestIn, shownOf } from "../../report/asked.js";
import { signDsse } from "../../statement/sign.js";
import { evaluate } from "../../trace/evaluate.js";
import { Graph } from "../../trace/graph.js";
import { entriesIn } from "../../trace/open.js";
import { type Command, FLAG, onlyWord, required, STRING, usageError, type Voice } from "../command.js";
import { readSigner } from "../key-files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { millisecondsOf } from "../seconds.js";

const ABOUT =
  "Shows the request exactly as it was signed, what was decided about it, each fact that it names as evidence, and how it stands by the rules, all of it verified; then asks, and signs the answer with FILE, a key that is registered as an approver's. The signature is over the id of what was shown. --seat: the role that it is given in. --yes asks nothing: whoever says it has read what is shown.";

function answering(answer: Answer): Command {
  return {
    usage: `writ ${answer} REF --sign FILE --seat ROLE --log URL [--key VKEY] [--id ID]${answer === "approve" ? " [--expires SECONDS]" : ""} [--yes] [--patience SECONDS]`,
    about: `${answer === "approve" ? "Approves" : "Rejects"} a request (record id, index or entry hash). ${ABOUT}`,
    options: { ...REMOTE_OPTIONS, sign: STRING, id: STRING, seat: STRING, expires: STRING, yes: FLAG },
    async run(invocation, voice) {
      const ref = onlyWord(invocation, "request");
      const signer = await readSigner(required(invocation, "sign"));
      const seat = required(invocation, "seat");
      const approver = invocation.text("id") ?? signer.keyName;
      if (approver === null || approver === undefined)
        throw usageError("--id is missing: the key file has no name to sign as");
      const expires =
        invocation.text("expires") === undefined ? null : millisecondsOf(invocation, "expires", 1);
      return withClient(invocation, voice, async (client) => {
        const bundle = await client.trace(ref);
        const verdict = evaluate(bundle, policyOfKey(client.logKey), { at: Date.now() });
        const graph = Graph.of(entriesIn(bundle));
        const request = requestIn(graph, bundle, ref, verdict);
        for (const line of [...shownOf(graph, request, verdict), ...judgedOf(verdict)]) voice.say(line);
        if (!invocation.flag("yes") && !(await isMeant(answer, voice)))
          return { ok: false, text: "nothing was signed", json: { signed: false } };
        const bytes = approvalRecord(request, answer, { approver, seat, now: Date.now(), expires });
        const entry = await client.submit(signDsse(RECORD_MEDIA_TYPE, bytes, signer));
        return {
          ok: true,
          text: `${answer === "approve" ? "approved" : "rejected"} ${request.id} as ${seat} (entry ${entry.index})`,
          json: {
            signed: true,
            approval: answer,
            request_hash: request.id,
            index: entry.index,
            record_id: entry.recordId,
          },
        };
      });
    },
  };
}

export const approve = answering("approve");
export const reject = answering("reject");

async function isMeant(answer: Answer, voice: Voice): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw usageError(`nobody can be asked here: read what is shown above, and say --yes to ${answer} it`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const said = await lines.question(`type ${answer} to ${answer} this: `);
  lines.close();
  voice.say("");
  return said.trim() === answer;
}
