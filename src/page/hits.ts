/** Records that the log names, one a row: first in its words, and once verified in their own. */
import { isRecordEntry, type RecordEntry } from "../trace/entry.js";
import { claimsOf } from "../trace/sentence.js";
import { byId, element, reasonOf, table } from "./dom.js";
import type { Hit, SeenLog } from "./seen-log.js";
import { placeLink } from "./verdict-view.js";

/** Rows of what was found. Each is verified by itself, says so, and says from then on what `say` makes of the record. */
export function hits(
  of: SeenLog,
  found: readonly Hit[],
  here: () => boolean,
  say: (record: RecordEntry["record"]) => string = claimsOf,
): HTMLElement {
  const marks = found.map(() => element("span", { title: "not verified yet" }, "…"));
  const body = table(
    ["", "entry", "what", "by", "logged, by its clock"],
    found.map(({ index, record, received_at }, i) => [
      marks[i] ?? null,
      placeLink(index),
      whatOf(record),
      textOf(record?.["issuer"]),
      received_at.slice(0, 19).replace("T", " "),
    ]),
  );
  void (async () => {
    for (const [i, { index }] of found.entries()) {
      if (!here()) return;
      const mark = marks[i];
      const [, , cell, by] = body.querySelectorAll("tbody tr")[i]?.children ?? [];
      try {
        const { entry } = await of.entry(index);
        // What stands here from now on is what was verified.
        cell?.replaceChildren(
          element("span", {}, isRecordEntry(entry) ? say(entry.record) : "foreign content"),
        );
        by?.replaceChildren(element("span", {}, entry.record?.issuer ?? ""));
        mark?.replaceChildren("✓");
        mark?.setAttribute("title", "verified here: it is in the log");
      } catch (error) {
        mark?.replaceChildren("✗");
        mark?.setAttribute("title", "not verified");
        by?.replaceChildren("");
        cell?.replaceChildren(element("span", {}, `not what the log proves: ${reasonOf(error)}`));
      }
    }
    byId("screen").setAttribute("data-verified", String(found.length));
  })();
  return body;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function whatOf(record: Hit["record"]): string {
  if (record === null) return "foreign content";
  const words = ["type", "action_type", "decision", "outcome"]
    .map((name) => record[name])
    .filter((word) => typeof word === "string");
  return words.join(" ");
}
