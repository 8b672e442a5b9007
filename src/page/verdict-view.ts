/** A judged bundle on the screen: the word, the sentence, what was found, and the picture. */
import type { TraceVerdict } from "../trace/answer.js";
import { explain } from "../trace/codes.js";
import type { Bundle } from "../trace/bundle.js";
import { isComplaint, pictureOf } from "../trace/draw/model.js";
import { svg } from "../trace/draw/svg.js";
import { MARKS } from "../trace/draw/tree.js";
import type { Finding } from "../trace/verdict.js";
import { drawn, element, facts, link, list } from "./dom.js";

export function verdictView(bundle: Bundle, verdict: TraceVerdict, aggregated: boolean): HTMLElement {
  const told = verdict.findings.filter(isComplaint);
  const passed = verdict.findings.length - told.length;
  return element(
    "div",
    {},
    element("p", { class: `word ${verdict.verdict}` }, verdict.verdict),
    element("p", { class: "sentence" }, verdict.sentence),
    element("p", {}, explain(verdict.verdict) ?? ""),
    element("h2", {}, "What was found"),
    told.length === 0
      ? element("p", {}, `${MARKS.PASS} Nothing fails, and nothing is unknown (${passed} checks).`)
      : list(told.map(findingView)),
    element("h2", {}, "The picture"),
    drawn(svg(pictureOf(bundle, verdict, { aggregated }))),
    element("h2", {}, "The six questions"),
    ...verdict.evidence.map((one) =>
      element(
        "div",
        {},
        element("h3", {}, `${one.name}: ${one.trust}`),
        facts([
          [
            "Who wrote it?",
            one.writer === null
              ? "nobody that is in the log"
              : `${one.writer.id} (${one.writer.writerClass})`,
          ],
          [
            "Under which authority?",
            one.authority === null
              ? "none is stated"
              : `grant #${one.authority.grant} by ${one.authority.issuer}`,
          ],
          ["Under which policy?", one.policy === null ? "none is stated" : one.policy.digest],
          ["Was its writing receipted?", one.receipt === null ? "no" : placeLink(one.receipt)],
          [
            "Has another changed it since?",
            one.changedBy.length === 0 ? "no" : one.changedBy.map((index) => `#${index}`).join(", "),
          ],
          [
            "Did somebody independent confirm it?",
            one.confirmedBy.length === 0 ? "no" : one.confirmedBy.map((index) => `#${index}`).join(", "),
          ],
        ]),
      ),
    ),
  );
}

function findingView({ outcome, code, detail, nodes }: Finding): HTMLElement {
  return element(
    "span",
    { class: `finding ${outcome}` },
    element("strong", {}, `${MARKS[outcome]} ${outcome} ${code ?? ""} `),
    explain(code ?? "") ?? "",
    element("br"),
    element("span", { class: "detail" }, `${detail} `),
    ...nodes.flatMap((index) => [placeLink(index), " "]),
  );
}

export function placeLink(index: number): HTMLElement {
  return link(`#/entry/${index}`, `#${index}`);
}
