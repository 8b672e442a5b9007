/**
 * The report: one HTML file about one judged bundle, for somebody who has never heard of us. It has everything in it, asks nobody for
 * anything, and holds the bundle and the verifier: the page judges it again when it is opened, and says so.
 */
import { sha256 } from "#crypto";
import { toBase64 } from "../format/base64.js";
import { fromUtf8, toHex, utf8 } from "../format/bytes.js";
import { formatPolicy, type Policy } from "../format/policy.js";
import { timeText, type TraceVerdict, verdictJson } from "../trace/answer.js";
import { type Bundle, bundleBytes } from "../trace/bundle.js";
import { explain } from "../trace/codes.js";
import { moment } from "../trace/draw/card.js";
import { pictureOf } from "../trace/draw/model.js";
import { svg } from "../trace/draw/svg.js";
import { escaped } from "../trace/draw/text.js";
import { MARKS } from "../trace/draw/tree.js";
import type { Finding, Outcome } from "../trace/verdict.js";
import { Html, html, table } from "./html.js";
import { partiesOf } from "./parties.js";
import { STYLE } from "./style.js";

export interface ReportOptions {
  readonly policy: Policy;
  /** What was pinned, and where that came from, in words. */
  readonly pinned: string;
  /** Of the program. */
  readonly version: string;
  /** The page's own script (`src/page/report`). */
  readonly script: string;
}

/** What the page reads to judge again. */
export interface ReportData {
  /** Base64. */
  readonly bundle: string;
  readonly policy: string;
  readonly at: number;
  readonly profile: string;
  readonly complete: boolean;
  /** In the words of whoever made the page. */
  readonly pinned: string;
  readonly version: string;
  /** What this file says, in the interface's spelling. */
  readonly stated: ReturnType<typeof verdictJson>;
}

export const DATA_ID = "writ-data";
export const AGAIN_ID = "writ-again";

export function reportHtml(bundle: Bundle, verdict: TraceVerdict, options: ReportOptions): string {
  const { policy, script } = options;
  const data: ReportData = {
    bundle: toBase64(bundleBytes(bundle)),
    policy: toBase64(formatPolicy(policy)),
    at: verdict.at,
    profile: verdict.profile.name,
    complete: verdict.complete,
    pinned: options.pinned,
    version: options.version,
    stated: verdictJson(verdict),
  };
  const csp = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(STYLE)}'; img-src data:; base-uri 'none'; form-action 'none'`;
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${csp}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>${escaped(`${verdict.verdict}: ${verdict.actionType ?? "a record"}`)}</title>`,
    `<style>${STYLE}</style></head><body>`,
    bodyHtml(bundle, verdict, options),
    `<script type="application/json" id="${DATA_ID}">${scriptSafe(JSON.stringify(data))}</script>`,
    `<script>${script}</script>`,
    "</body></html>",
    "",
  ].join("\n");
}

/** As a Content-Security-Policy names a script or a style: by what is between its tags. */
export function hashOf(content: string): string {
  return `sha256-${toBase64(sha256(utf8(content)))}`;
}

/** JSON that ends no script element, whatever is in it. */
export function scriptSafe(json: string): string {
  return json.replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** Everything that is read in a report: the page makes it again from its records when it is opened. */
export function bodyHtml(
  bundle: Bundle,
  verdict: TraceVerdict,
  options: Omit<ReportOptions, "script">,
): string {
  return bodyOf(bundle, verdict, options).text;
}

function bodyOf(bundle: Bundle, verdict: TraceVerdict, options: Omit<ReportOptions, "script">): Html {
  const whole = pictureOf(bundle, verdict);
  return html`
<main>
<header>
<p class="word ${verdict.verdict}">${verdict.verdict}</p>
<h1>${verdict.sentence}</h1>
<p>${qualifiers(verdict)}</p>
<p id="${AGAIN_ID}" class="again" role="status">This page has not checked itself yet. (It does when scripts may run in it; nothing is fetched.)</p>
</header>
${section("What this means", meaning(verdict))}
${section("What was found", found(verdict))}
${section("The picture", html`<div class="picture" tabindex="0">${new Html(svg(whole))}</div>`)}
${section("The parties, and how each key came to be", parties(bundle))}
${section("What was written down, in order", timeline(whole))}
${section("What it relied on", evidence(verdict))}
${section("Exceptions, overrides, strangers", besides(verdict))}
${section("What passed, and what was not asked", checks(verdict))}
${section("What this rests on", foundation(verdict, options, bundle))}
${section("How to repeat it", repeating(verdict))}
</main>`;
}

function section(title: string, content: Html): Html {
  return html`<section><h2>${title}</h2>${content}</section>`;
}

function qualifiers({ tier, profile, witnessed, cosigners, complete, asOf }: TraceVerdict): string {
  const names = cosigners.map(({ name }) => name).join(", ");
  const vouching =
    witnessed === null
      ? "the operator of the log vouched alone"
      : witnessed
        ? `independent witnesses vouch: ${names}`
        : "not enough independent witnesses vouch for the log";
  const asked = tier === null ? "a record of no action" : `risk tier ${tier}`;
  return `Judged as ${asked}, by the profile ${profile.name}; ${vouching}; ${complete ? `complete up to ${asOf} entries` : "not known to be complete"}.`;
}

function meaning({ verdict, notes }: TraceVerdict): Html {
  return html`<p>${explain(verdict) ?? ""}</p>
<p><strong>What it does not mean.</strong> That an act was authorized does not say that it was wise, or that what people wrote down is true of the world:
it says who wrote what, in which order, and whether the rules that they had agreed on were kept.</p>
${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

const TOLD: readonly (readonly [Outcome, string])[] = [
  ["FAIL", "What fails"],
  ["UNKNOWN", "What is unknown"],
  ["REMARK", "Remarks, while nothing was executed"],
  ["EXCEPTED", "What is excused"],
];

function found({ findings }: TraceVerdict): Html {
  const groups = TOLD.flatMap(([outcome, title]) => {
    const these = findings.filter((one) => one.outcome === outcome);
    return these.length === 0
      ? []
      : [html`<h3>${title}</h3><ul class="findings ${outcome}">${these.map(findingItem)}</ul>`];
  });
  return groups.length === 0
    ? html`<p>${MARKS.PASS} Nothing fails, and nothing is unknown.</p>`
    : html`${groups}`;
}

function findingItem({ outcome, code, detail, nodes }: Finding): Html {
  return html`<li><strong>${MARKS[outcome]} ${code ?? ""}</strong> ${explain(code ?? "") ?? ""}<br>
<span class="detail">${detail} ${places(nodes)}</span></li>`;
}

function places(nodes: readonly number[]): string {
  return nodes.length === 0 ? "" : `(${nodes.map((index) => `#${index}`).join(", ")})`;
}

function parties(bundle: Bundle): Html {
  return table(
    ["who", "as", "key", "made known by", "belongs to"],
    partiesOf(bundle).map(({ ids, roles, keyId, registered, belongs }) => [
      ids.join(", "),
      roles.join(", "),
      `${keyId.slice(0, 16)}…`,
      registered,
      belongs,
    ]),
  );
}

function timeline({ cards }: ReturnType<typeof pictureOf>): Html {
  return table(
    ["", "entry", "what", "by", "when"],
    cards.map(({ mark, indexes, title, word, what, who, when, standing }) => [
      MARKS[mark],
      indexes.length > 1 ? `#${indexes[0]}–#${indexes.at(-1)}` : indexes.map((index) => `#${index}`).join(""),
      html`<strong>${title}</strong> ${word}<br>${[...what, ...standing].join(" · ")}`,
      who,
      when,
    ]),
  );
}

/** The six questions of each fact. */
function evidence({ evidence: relied }: TraceVerdict): Html {
  if (relied.length === 0) return html`<p>It relied on nothing that was written down as evidence.</p>`;
  return html`${relied.map((one) => {
    const answers: readonly (readonly [string, string])[] = [
      [
        "Who wrote it?",
        one.writer === null ? "nobody that is in the log" : `${one.writer.id} (${one.writer.writerClass})`,
      ],
      [
        "Under which authority?",
        one.authority === null
          ? "none is stated"
          : `grant #${one.authority.grant} by ${one.authority.issuer}`,
      ],
      [
        "Under which policy?",
        one.policy === null
          ? "none is stated"
          : `${one.policy.digest.slice(0, 20)}… ${places(one.policy.entries)}`,
      ],
      ["On what evidence?", Object.keys(one.evidence).join(", ") || "none is stated"],
      ["Was its writing receipted?", one.receipt === null ? "no" : `yes, #${one.receipt}`],
      ["Has another changed it since?", one.changedBy.length === 0 ? "no" : `yes ${places(one.changedBy)}`],
      [
        "Did somebody independent confirm it?",
        one.confirmedBy.length === 0 ? "no" : `yes ${places(one.confirmedBy)}`,
      ],
    ];
    return html`<h3>${one.name} ${one.fact === null ? "(not in the log)" : `(#${one.fact})`}: ${one.trust}</h3>
<dl>${answers.map(([question, answer]) => html`<dt>${question}</dt><dd>${answer}</dd>`)}</dl>`;
  })}`;
}

function besides({ findings, overrides, strangers, supporting, withoutEffect }: TraceVerdict): Html {
  const excused = findings.filter(({ outcome }) => outcome === "EXCEPTED");
  const count = `${strangers.indexes.length}${strangers.more ? " and more" : ""}`;
  const lines = [
    excused.length === 0
      ? "No exception was used."
      : `Excused: ${excused.map(({ code, detail }) => `${code ?? ""}: ${detail}`).join("; ")}`,
    overrides.length === 0
      ? "Nothing was overridden."
      : `Overridden, which changes no verdict: ${places(overrides)}`,
    strangers.indexes.length === 0
      ? "Nobody whose word does not count here said anything about it."
      : `${count} records by those whose word does not count here ${places(strangers.indexes.slice(0, 20))}: shown, and neither for nor against.`,
    ...(withoutEffect.length === 0 ? [] : [`Revocations by somebody who may not: ${places(withoutEffect)}`]),
    ...supporting.map(
      ({ action, verdict }) => `It rests on another action, ${action.slice(0, 20)}…: ${verdict}`,
    ),
  ];
  return html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}

function checks({ findings }: TraceVerdict): Html {
  const list = (outcome: Outcome): Html =>
    html`<ul>${findings.filter((one) => one.outcome === outcome).map(({ check, detail }) => html`<li>${check}: ${detail}</li>`)}</ul>`;
  return html`<details open><summary>What passed</summary>${list("PASS")}</details>
<details open><summary>What was not asked, and why</summary>${list("NOT_APPLICABLE")}</details>`;
}

function foundation(
  verdict: TraceVerdict,
  { policy, pinned, version }: Omit<ReportOptions, "script">,
  bundle: Bundle,
): Html {
  const { tree, cosigners, log, asOf, at, profile, trusted, toleranceS, rulesVersion, walk } = verdict;
  const rows: readonly (readonly [string, string])[] = [
    ["log", log],
    ["as of", `${asOf} entries`],
    ["tree", tree === null ? "not trusted" : `${tree.size} entries, root ${toBase64(tree.root)}`],
    ["pinned", pinned],
    ["trusted keys", trusted.join(", ")],
    ["SHA-256 of the policy", toHex(sha256(formatPolicy(policy)))],
    ["SHA-256 of the bundle", toHex(sha256(bundleBytes(bundle)))],
    [
      "cosigned",
      cosigners.map(({ name, time }) => `${name} at ${timeText(Number(time) * 1000) ?? ""}`).join(", ") ||
        "by nobody",
    ],
    ["judged at", moment(at)],
    [
      "by",
      `writ ${version}, profile ${profile.name}, rules ${rulesVersion}, walk ${walk}; clocks may differ by ${toleranceS} s`,
    ],
  ];
  return html`<dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
<p>The log's signed checkpoint, as it came:</p><pre>${new Html(escapedLines(bundle.checkpoint))}</pre>`;
}

function escapedLines(text: string): string {
  return text.split("\n").map(escaped).join("\n");
}

function repeating({ at, profile }: TraceVerdict): Html {
  const command = `writ verify bundle.json --policy policy --at ${timeText(at) ?? ""} --profile ${profile.name}`;
  return html`<p>Open this page again: it judges the bundle that is in it, and makes everything above from it anew, with nothing from anywhere else.
Whoever made the page chose the key, and could have changed its script: if that matters, save the bundle, and judge it with a program that you had from
somebody else (below), or with the page of a log that you know ("Check a file"), by a key that you had from somebody you trust.</p>
<p><label>Another key, or policy, for this page's own script <textarea id="writ-own" rows="3" spellcheck="false"></textarea></label> <button id="writ-judge" type="button">Judge</button></p>
<p id="writ-own-answer" role="status"></p>
<p><button id="writ-save" type="button">Save the bundle</button> <button id="writ-save-policy" type="button">Save the policy</button> On a machine with the program:</p>
<pre>${command}</pre>`;
}

/** The policy of a report as text, for whoever saves it. */
export function policyText(policy: Policy): string {
  return fromUtf8(formatPolicy(policy)) ?? "";
}
