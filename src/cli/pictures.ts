/** The forms in which `trace` and `verify` draw a judged bundle: files, and the tree of the terminal, all from one model. */
import type { TraceVerdict } from "../trace/answer.js";
import type { Bundle } from "../trace/bundle.js";
import { mermaid } from "../trace/draw/mermaid.js";
import { type Picture, pictureOf } from "../trace/draw/model.js";
import { svg } from "../trace/draw/svg.js";
import { textTree } from "../trace/draw/tree.js";
import { FLAG, type Invocation, type OptionSpec, STRING } from "./command.js";
import { writeWhole } from "./files.js";

export const PICTURE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  svg: STRING,
  mermaid: STRING,
  text: STRING,
  each: FLAG,
};

export const PICTURE_USAGE = "[--svg FILE] [--mermaid FILE] [--text FILE] [--each]";

export const PICTURE_ABOUT =
  "--svg, --mermaid and --text draw it into files, from top to bottom in log order, each line with the member that names; records that are alike are one box with their count, unless --each.";

const FORMS: Readonly<Record<string, (picture: Picture) => string>> = {
  svg,
  mermaid,
  text: (picture) => `${textTree(picture)}\n`,
};

/** Draws what was asked for, and answers with the tree. FILE_UNREADABLE for what cannot be written. */
export async function drawPictures(
  bundle: Bundle,
  verdict: TraceVerdict,
  invocation: Invocation,
): Promise<string> {
  const picture = pictureOf(bundle, verdict, { aggregated: !invocation.flag("each") });
  for (const [name, draw] of Object.entries(FORMS)) {
    const file = invocation.text(name);
    if (file !== undefined) await writeWhole(file, draw(picture));
  }
  return textTree(picture);
}
