/** The forms in which `trace` and `verify` draw a judged bundle: files, and the tree of the terminal, all from one model. */
import { basename } from "node:path";
import type { Policy } from "../format/policy.js";
import { reportHtml } from "../report/report.js";
import type { TraceVerdict } from "../trace/answer.js";
import type { Bundle } from "../trace/bundle.js";
import { mermaid } from "../trace/draw/mermaid.js";
import { type Picture, pictureOf } from "../trace/draw/model.js";
import { svg } from "../trace/draw/svg.js";
import { textTree } from "../trace/draw/tree.js";
import { FLAG, type Invocation, type OptionSpec, STRING } from "./command.js";
import { writeWhole } from "./files.js";
import { pageScript } from "./page-script.js";
import { version } from "./version.js";

export const PICTURE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  svg: STRING,
  mermaid: STRING,
  text: STRING,
  html: STRING,
  each: FLAG,
};

export const PICTURE_USAGE = "[--svg FILE] [--mermaid FILE] [--text FILE] [--html FILE] [--each]";

export const PICTURE_ABOUT =
  "--svg, --mermaid and --text draw it into files, from top to bottom in log order, each line with the member that names; records that are alike are one box with their count, unless --each. --html writes a report: one file, with the bundle in it, that checks itself again when it is opened.";

const FORMS: Readonly<Record<string, (picture: Picture) => string>> = {
  svg,
  mermaid,
  text: (picture) => `${textTree(picture)}\n`,
};

/** Draws what was asked for, and answers with the tree. `policy`: what was trusted. FILE_UNREADABLE for what cannot be written. */
export async function drawPictures(
  bundle: Bundle,
  verdict: TraceVerdict,
  policy: Policy,
  invocation: Invocation,
): Promise<string> {
  const picture = pictureOf(bundle, verdict, { aggregated: !invocation.flag("each") });
  for (const [name, draw] of Object.entries(FORMS)) {
    const file = invocation.text(name);
    if (file !== undefined) await writeWhole(file, draw(picture));
  }
  const report = invocation.text("html");
  if (report !== undefined) {
    const options = {
      policy,
      pinned: pinnedBy(invocation),
      version: version(),
      script: await pageScript("report"),
    };
    await writeWhole(report, reportHtml(bundle, verdict, options));
  }
  return textTree(picture);
}

function pinnedBy(invocation: Invocation): string {
  const [key, file] = [invocation.text("key"), invocation.text("policy")];
  if (file !== undefined) return `the policy file ${basename(file)}, given by whoever made this page`;
  if (key !== undefined) return "the log's key, given by whoever made this page";
  return "the log's key, as the log itself told it: nobody else vouches for it";
}
