/** The script of a report: judges the bundle that is in the page, again, by what the page pinned; and by a key that the reader has. */
import { parseBase64 } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import { parsePolicy, type Policy, policyOfKey } from "../format/policy.js";
import { parseVerifierKey } from "../format/vkey.js";
import { AGAIN_ID, bodyHtml, DATA_ID, type ReportData } from "../report/report.js";
import { evaluate, parseBundleFile, PROFILES, type TraceVerdict } from "../verify/index.js";

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no #${id} in this page`);
  return found;
}

const data = JSON.parse(byId(DATA_ID).textContent ?? "") as ReportData;

function bytesOf(text: string): Uint8Array {
  return parseBase64(text) ?? new Uint8Array(0);
}

function judge(policy: Policy): TraceVerdict {
  const { at, complete } = data;
  const profile = PROFILES.find(({ name }) => name === data.profile);
  return evaluate(parseBundleFile(bytesOf(data.bundle)), policy, {
    at,
    complete,
    ...(profile === undefined ? {} : { profile }),
  });
}

/** Word, sentence and findings: does the page say what its records say? */
function differences(verdict: TraceVerdict): string[] {
  const { stated } = data;
  const codes = (findings: TraceVerdict["findings"]): string =>
    findings
      .map(({ check, outcome, code, nodes, detail }) => [check, outcome, code, nodes, detail].join(" "))
      .join("\n");
  return [
    ...(verdict.verdict === stated.verdict
      ? []
      : [`it says ${stated.verdict}, and the records say ${verdict.verdict}`]),
    ...(verdict.sentence === stated.sentence ? [] : ["it tells another story than the records"]),
    ...(codes(verdict.findings) === codes(stated.findings)
      ? []
      : ["it shows other findings than the records give"]),
  ];
}

function say(id: string, text: string, isGood: boolean): void {
  const place = byId(id);
  place.textContent = text;
  place.className = `again ${isGood ? "good" : "bad"}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is read here is made from the records, now: whatever stood in the file before is gone. */
function makeAgain(verdict: TraceVerdict, policy: Policy): void {
  const { pinned, version } = data;
  const main = document.createElement("template");
  main.innerHTML = bodyHtml(parseBundleFile(bytesOf(data.bundle)), verdict, {
    policy,
    pinned: `${pinned} (so this file says)`,
    version,
  });
  document.body.replaceChildren(main.content);
  document.title = `${verdict.verdict}: ${verdict.actionType ?? "a record"}`;
  listen();
}

function judgeAgain(): void {
  const began = performance.now();
  try {
    const policy = parsePolicy(bytesOf(data.policy));
    const verdict = judge(policy);
    const wrong = differences(verdict);
    makeAgain(verdict, policy);
    const ms = Math.round(performance.now() - began);
    if (wrong.length === 0)
      say(
        AGAIN_ID,
        `✓ Checked again in this page, just now, in ${ms} ms: its records say ${verdict.verdict}. Every signature, every proof and every rule was looked at, by the key that this file pinned, and what you read was made from them.`,
        true,
      );
    else
      say(
        AGAIN_ID,
        `✗ This file was not what its records say: ${wrong.join("; ")}. What you read now was made from the records.`,
        false,
      );
  } catch (error) {
    const nothing = document.createElement("p");
    nothing.id = AGAIN_ID;
    document.body.replaceChildren(nothing);
    say(AGAIN_ID, `✗ The records in this page do not hold: ${reasonOf(error)}. Do not rely on it.`, false);
  }
}

function judgeByOwn(): void {
  const text = (byId("writ-own") as HTMLTextAreaElement).value.trim();
  try {
    const policy = /^\s*(?:(?:log|witness|group|quorum)\s|#)/m.test(text)
      ? parsePolicy(utf8(`${text}\n`))
      : policyOfKey(parseVerifierKey(text));
    const verdict = judge(policy);
    say(
      "writ-own-answer",
      `By what you trust: ${verdict.verdict}. ${verdict.sentence}`,
      verdict.verdict !== "NOT_VERIFIED",
    );
  } catch (error) {
    say(
      "writ-own-answer",
      `It does not hold by what you trust, or that is no key or policy: ${reasonOf(error)}`,
      false,
    );
  }
}

function save(name: string, bytes: Uint8Array): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  link.download = name;
  link.click();
}

function listen(): void {
  byId("writ-judge").addEventListener("click", judgeByOwn);
  byId("writ-save").addEventListener("click", () => save("bundle.json", bytesOf(data.bundle)));
  byId("writ-save-policy").addEventListener("click", () => save("policy", bytesOf(data.policy)));
}

// After the page was painted.
setTimeout(judgeAgain, 0);
