/** `approve`, `reject`: a person reads exactly what is asked, and signs a yes or a no with a key that stays with him. */
import { createInterface } from "node:readline/promises";
import { WritError } from "../../errors.js";
import { policyOfKey } from "../../format/policy.js";
import { buildRecord, RecordRef } from "../../record/build.js";
import { RECORD_MEDIA_TYPE } from "../../record/record.js";
import { signDsse } from "../../statement/sign.js";
import type { Bundle } from "../../trace/bundle.js";
import type { TraceVerdict } from "../../trace/answer.js";
import { findingText } from "../../trace/draw/tree.js";
import { objectMember } from "../../record/links.js";
import { printable } from "../../trace/draw/text.js";
import type { RecordEntry } from "../../trace/entry.js";
import { evaluate } from "../../trace/evaluate.js";
import { actionOf, Graph, textMember } from "../../trace/graph.js";
import { entriesIn } from "../../trace/open.js";
import { type Command, FLAG, onlyWord, required, STRING, usageError, type Voice } from "../command.js";
import { readSigner } from "../key-files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { millisecondsOf } from "../seconds.js";

type Answer = "approve" | "reject";

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
        const graph = new Graph(entriesIn(bundle).map((entry) => ({ entry, mode: "leaf" as const })));
        const request = requestIn(graph, bundle, ref);
        for (const line of [...shownOf(graph, request), ...judgedOf(verdict)]) voice.say(line);
        if (!invocation.flag("yes") && !(await isMeant(answer, voice)))
          return { ok: false, text: "nothing was signed", json: { signed: false } };
        const now = new Date();
        const { bytes } = buildRecord("approval", {
          issuer: approver,
          issued_at: now.toISOString(),
          request_hash: new RecordRef("action-request", request.id),
          approver_id: approver,
          approver_role: seat,
          approval: answer,
          approved_at: now.toISOString(),
          displayed_hash: request.id,
          ...(expires === null ? {} : { expires_at: new Date(now.getTime() + expires).toISOString() }),
        });
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

function requestIn(graph: Graph, { subject }: Bundle, ref: string): RecordEntry {
  const request = graph.record(subject);
  if (request === undefined || request.record.type !== "action-request")
    throw new WritError(
      "USAGE",
      `want a request, ${printable(ref)} is ${request === undefined ? "no record" : `of the type ${request.record.type}`}`,
    );
  return request;
}

/** What is asked, what was said about it, and what it rests on: nothing that was not verified. */
function shownOf(graph: Graph, request: RecordEntry): string[] {
  const action = actionOf(graph, request.id);
  const { decisions, approvals, grants } = action;
  const { value } = request.record;
  const evidence = Object.entries(objectMember(value, "evidence_hashes")).flatMap(([name, hash]) => {
    const facts =
      typeof hash === "string" ? graph.writers(hash).filter(({ record }) => record.type === "fact") : [];
    if (facts.length === 0) return [printable(`  ${name}: nothing in the log says what it is`)];
    return facts.flatMap((fact) => [
      printable(`  ${name}: #${fact.index}, by ${fact.record.issuer}:`),
      ...JSON.stringify(fact.record.value, null, 2)
        .split("\n")
        .map((line) => `    ${printable(line)}`),
    ]);
  });
  const said = ({ index, record }: RecordEntry, word: string): string =>
    printable(
      `  #${index} ${record.type} by ${record.issuer}: ${textMember(record.value, word) ?? ""} ${textMember(record.value, "reason") ?? textMember(record.value, "approver_role") ?? ""}`.trimEnd(),
    );
  return [
    `the request, entry ${request.index}, ${request.id}, as ${printable(request.record.issuer)} signed it:`,
    ...JSON.stringify(request.record.value, null, 2).split("\n").map(printable),
    "what was decided:",
    ...(decisions.length === 0 ? ["  nothing yet"] : decisions.map((one) => said(one, "decision"))),
    "approvals so far:",
    ...(approvals.length === 0 ? ["  none"] : approvals.map((one) => said(one, "approval"))),
    "the evidence that it names:",
    ...(evidence.length === 0 ? ["  none"] : evidence),
    "a grant for it may allow no more than its action, target, parameters and constraints above.",
    ...(grants.length === 0 ? [] : ["it was granted already:", ...grants.map((one) => said(one, "nonce"))]),
  ];
}

/** How it stands before the answer: what the rules would say of it now. */
function judgedOf({ verdict, sentence, findings }: TraceVerdict): string[] {
  const told = findings.filter(
    ({ outcome }) => outcome === "FAIL" || outcome === "UNKNOWN" || outcome === "REMARK",
  );
  return ["", sentence, `as it stands: ${verdict}`, ...told.map((finding) => `  ${findingText(finding)}`)];
}

async function isMeant(answer: Answer, voice: Voice): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw usageError(`nobody can be asked here: read what is shown above, and say --yes to ${answer} it`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const said = await lines.question(`type ${answer} to ${answer} this: `);
  lines.close();
  voice.say("");
  return said.trim() === answer;
}
