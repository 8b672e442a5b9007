/** The script of a report: judges the bundle that is in the page, again, by what the page pinned; and by a key that the reader has. */
import { parseBase64 } from "../format/base64.js";
import { fromUtf8, utf8 } from "../format/bytes.js";
import { parsePolicy, type Policy, policyOfKey } from "../format/policy.js";
import { parseVerifierKey } from "../format/vkey.js";
import { AGAIN_ID, DATA_ID, type ReportData } from "../report/report.js";
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
    findings.map(({ check, outcome, code, nodes }) => [check, outcome, code, nodes].join(" ")).join("\n");
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

function judgeAgain(): void {
  const began = performance.now();
  try {
    const verdict = judge(parsePolicy(bytesOf(data.policy)));
    const wrong = differences(verdict);
    const ms = Math.round(performance.now() - began);
    if (wrong.length === 0)
      say(
        AGAIN_ID,
        `✓ Checked again in this page, just now, in ${ms} ms: its records say ${verdict.verdict}. Every signature, every proof and every rule, was looked at, by the key that this file pinned.`,
        true,
      );
    else
      say(
        AGAIN_ID,
        `✗ This page is not what its records say: ${wrong.join("; ")}. Do not rely on it.`,
        false,
      );
  } catch (error) {
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

byId("writ-judge").addEventListener("click", judgeByOwn);
byId("writ-save").addEventListener("click", () => save("bundle.json", bytesOf(data.bundle)));
byId("writ-save-policy").addEventListener("click", () =>
  save("policy", utf8(fromUtf8(bytesOf(data.policy)) ?? "")),
);
// After the page was painted.
setTimeout(judgeAgain, 0);
