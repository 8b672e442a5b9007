/** The explorer as one HTML file: served by a log at `/`, and the same opened from a disk. */
import { hashOf } from "./report.js";
import { STYLE } from "./style.js";

const MORE_STYLE = `
nav { padding: .4rem 1rem; border-bottom: 1px solid #dadce0; }
form { margin: .5rem 0; }
.filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .4rem 1rem; }
.sentence { font-weight: 600; }
td[data-label="entry"], td[data-label="logged, by its clock"] { white-space: nowrap; }
td[data-label="by"] { min-width: 9rem; }
#screen { max-width: 62rem; }
#screen:has(.two) { max-width: none; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
#screen.alarm { border: 8px solid #b3261e; background: #fdecea; }
canvas { width: 100%; image-rendering: pixelated; border: 1px solid #5f6368; }
.finding { display: inline-block; margin-bottom: .4rem; }
`;

export interface ExplorerPage {
  readonly html: string;
  /** What the page may do: its own script and style, and questions to where it came from. */
  readonly policy: string;
}

/** `script`: of the page, as it was built (`src/page/explorer`). */
export function explorerPage(script: string): ExplorerPage {
  const style = STYLE + MORE_STYLE;
  const policy = `default-src 'none'; script-src '${hashOf(script)}'; style-src '${hashOf(style)}'; connect-src 'self'; worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'`;
  const html = [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    `<meta name="viewport" content="width=device-width, initial-scale=1">`,
    "<title>Writ</title>",
    `<style>${style}</style></head><body>`,
    `<nav><a href="#/">Home</a> · <a href="#/search">Search</a> · <a href="#/open">Open items</a> · <a href="#/status/0">Status</a> · <a href="#/witnesses">Witnesses</a> · <a href="#/file">Check a file</a> · <a href="#/trust">Trust</a> <span id="pinned"></span></nav>`,
    `<main id="screen"><p>Everything here is verified in this browser. It wants scripts for that; nothing is fetched but from this log.</p></main>`,
    `<script>${script}</script>`,
    "</body></html>",
    "",
  ].join("\n");
  return { html, policy };
}
