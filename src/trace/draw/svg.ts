/**
 * The trace as an SVG picture, as wide as a sheet of A4: boxes from top to bottom in log order, every line beside them and into
 * the box that it names, with its name where it leaves. Marks are shapes and words, and colour besides.
 */
import type { Outcome, VerdictWord } from "../verdict.js";
import { lanesOf, type Span } from "./lanes.js";
import type { Card, Line, Picture } from "./model.js";
import { cut, escaped, wrapped } from "./text.js";
import { MARKS } from "./tree.js";

/** A4 at 96 dots an inch. */
const PAGE = 794;
const MARGIN = 16;
const BOX = 400;
const PAD = 10;
const ROW = 15;
const PORT = 13;
const GAP = 12;
/** Where the name of a line stands, between its box and the lanes. */
const NAMES = 128;
const LANES_AT = MARGIN + BOX + NAMES;
const LANE = 9;
const ARROW = 6;
/** Characters that fit, about: nobody measures text here, and what is too wide is cut by the box. */
const BOX_CHARACTERS = 56;
const NAME_CHARACTERS = 23;
const PAGE_CHARACTERS = 112;

const FILLS: Readonly<Record<Outcome, string>> = {
  PASS: "#f3faf5",
  FAIL: "#fdecea",
  UNKNOWN: "#fff8e1",
  EXCEPTED: "#f1f3f4",
  REMARK: "#eaf1fe",
  NOT_APPLICABLE: "#ffffff",
};
const STROKES: Readonly<Record<Outcome, string>> = {
  PASS: "#137333",
  FAIL: "#b3261e",
  UNKNOWN: "#8a4b00",
  EXCEPTED: "#4d5156",
  REMARK: "#1558b0",
  NOT_APPLICABLE: "#5f6368",
};
const WORDS: Readonly<Record<VerdictWord, Outcome>> = {
  AUTHORIZED: "PASS",
  RECORDED: "PASS",
  AUTHORIZED_WITH_EXCEPTION: "EXCEPTED",
  NOT_EXECUTED: "REMARK",
  NOT_ESTABLISHED: "UNKNOWN",
  VIOLATION: "FAIL",
  NOT_VERIFIED: "UNKNOWN",
};
/** Lines that run side by side are told apart. */
const INKS = ["#3c4043", "#5b6b8c", "#7a5c8c", "#4a7a6a"];

interface Box {
  readonly card: Card;
  readonly y: number;
  readonly height: number;
  readonly rows: readonly string[];
}

export function svg(picture: Picture): string {
  const head = headOf(picture);
  const boxes = placed(picture, head.bottom);
  const byName = new Map(boxes.map((box) => [box.card.name, box]));
  const end = boxes.at(-1);
  const foot = footOf(picture, end === undefined ? head.bottom : end.y + end.height + GAP);
  const height = foot.bottom + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${PAGE}" height="${height}" viewBox="0 0 ${PAGE} ${height}" font-family="system-ui, Arial, sans-serif" font-size="12" role="img">`,
    `<title>${escaped(picture.heading)}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    ...head.parts,
    ...linesOf(picture.lines, byName),
    ...boxes.map(boxOf),
    ...foot.parts,
    "</svg>",
    "",
  ].join("\n");
}

interface Parts {
  readonly parts: readonly string[];
  readonly bottom: number;
}

function headOf({ heading, sentence, word }: Picture): Parts {
  const mark = WORDS[word];
  const lines = wrapped(sentence, PAGE_CHARACTERS);
  return {
    parts: [
      text(
        MARGIN,
        30,
        `${MARKS[mark]} ${cut(heading, 96)}`,
        `font-size="16" font-weight="bold" fill="${STROKES[mark]}"`,
      ),
      ...lines.map((line, i) => text(MARGIN, 52 + i * 16, line)),
    ],
    bottom: 52 + lines.length * 16 + 6,
  };
}

function footOf({ general, footer }: Picture, top: number): Parts {
  const legend =
    "✓ passes   ✗ fails   ? unknown   ~ excused   ! remark;   → names (the arrow points at what is named)";
  const rows = [
    legend,
    ...general.map(({ outcome, code, detail }) => `${MARKS[outcome]} ${code ?? ""}: ${detail}`),
    ...footer,
  ].flatMap((line) => wrapped(line, PAGE_CHARACTERS + 12));
  return {
    parts: [
      `<path d="M${MARGIN} ${top} H${PAGE - MARGIN}" stroke="#dadce0"/>`,
      ...rows.map((row, i) => text(MARGIN, top + 18 + i * 14, row, `font-size="10.5" fill="#3c4043"`)),
    ],
    bottom: top + 18 + rows.length * 14,
  };
}

/** Each box as high as what it says, or as many lines leave it. */
function placed({ cards, lines }: Picture, top: number): Box[] {
  const out = count(lines.map(({ from }) => from));
  const into = new Set(lines.map(({ to }) => to));
  const boxes: Box[] = [];
  let y = top;
  for (const card of cards) {
    const rows = rowsOf(card);
    const ports = (out.get(card.name) ?? 0) + (into.has(card.name) ? 1 : 0);
    const height = Math.max((rows.length + 1) * ROW + PAD, ports * PORT + PAD);
    boxes.push({ card, y, height, rows });
    y += height + GAP;
  }
  return boxes;
}

function count(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** What stands under the title. */
function rowsOf({ isSmall, what, who, when, standing, findings }: Card): string[] {
  if (isSmall) return [[...what, who].join(" · ")];
  return [
    ...what.flatMap((line) => wrapped(line, BOX_CHARACTERS, 3)),
    who === "" ? "" : `by ${who}`,
    when,
    ...standing,
    ...findings.map(({ outcome, code }) => `${MARKS[outcome]} ${outcome} ${code ?? ""}`),
  ].filter((row) => row !== "");
}

function boxOf({ card, y, height, rows }: Box): string {
  const { title, word, tone, mark, findings, indexes, isSubject, kind } = card;
  const details = findings.map(({ code, detail }) => escaped(`${code}: ${detail}`)).join("\n");
  const places =
    indexes.length > 1 ? `#${indexes[0]} … #${indexes.at(-1)}` : indexes.map((index) => `#${index}`).join("");
  const stroke = isSubject || mark === "FAIL" ? 2.5 : 1;
  const dash = kind === "record" && mark !== "UNKNOWN" ? "" : ` stroke-dasharray="5 3"`;
  const name = `${MARKS[mark]} ${places} ${title}`;
  const standing = new Set(card.standing);
  return [
    `<svg x="${MARGIN}" y="${y}" width="${BOX}" height="${height}" data-card="${escaped(card.name)}">`,
    details === "" ? "" : `<title>${details}</title>`,
    `<rect x="1.5" y="1.5" width="${BOX - 3}" height="${height - 3}" rx="4" fill="${FILLS[mark]}" stroke="${STROKES[mark]}" stroke-width="${stroke}"${dash}/>`,
    text(
      PAD,
      ROW + 2,
      `${cut(name, BOX_CHARACTERS - 14)}${isSubject ? "  ◀ asked for" : ""}`,
      `font-weight="bold"`,
    ),
    word === "" ? "" : pill(word, tone),
    ...rows.map((row, i) =>
      text(
        PAD,
        (i + 2) * ROW + 2,
        cut(row, BOX_CHARACTERS),
        standing.has(row) || /^[✗?~!] /.test(row)
          ? `font-weight="bold" fill="${/^[✗?~!] /.test(row) ? STROKES[mark] : "#3c4043"}"`
          : `fill="#3c4043"`,
      ),
    ),
    "</svg>",
  ]
    .filter((part) => part !== "")
    .join("");
}

/** What was said, at the right of the title: a no is white on dark, a yes dark on white. */
function pill(word: string, tone: Card["tone"]): string {
  const label = cut(word, 20);
  const width = Array.from(label).length * 7 + 14;
  const [fill, ink] = tone === "no" ? ["#3c1614", "#ffffff"] : ["#ffffff", "#202124"];
  const x = BOX - PAD - width;
  return (
    `<rect x="${x}" y="5" width="${width}" height="16" rx="8" fill="${fill}" stroke="#3c4043"/>` +
    text(
      x + width / 2,
      17,
      tone === "no" ? label.toUpperCase() : label,
      `fill="${ink}" font-size="11" font-weight="bold" text-anchor="middle"`,
    )
  );
}

function linesOf(lines: readonly Line[], boxes: ReadonlyMap<string, Box>): string[] {
  const order = [...boxes.keys()];
  const ports = new Map<string, number>();
  const ends = lines
    .toSorted(
      (a, b) => order.indexOf(a.from) - order.indexOf(b.from) || order.indexOf(a.to) - order.indexOf(b.to),
    )
    .flatMap((line) => {
      const [from, to] = [boxes.get(line.from), boxes.get(line.to)];
      if (from === undefined || to === undefined) return [];
      const port = ports.get(line.from) ?? 0;
      ports.set(line.from, port + 1);
      return [{ line, y1: from.y + PAD + port * PORT, y2: to.y + to.height - PAD / 2 - 2, to }];
    });
  const spans = new Map<string, Span>();
  for (const { line, y1, y2 } of ends) {
    const known = spans.get(line.to) ?? { target: line.to, from: y2, to: y2 };
    spans.set(line.to, { ...known, from: Math.min(known.from, y1), to: Math.max(known.to, y1) });
  }
  const lanes = lanesOf([...spans.values()]);
  const most = Math.max(1, ...lanes.values());
  const pitch = Math.min(LANE, (PAGE - MARGIN - LANES_AT) / (most + 1));
  return ends.map(({ line, y1, y2 }) => {
    const lane = lanes.get(line.to) ?? 0;
    return lineOf(line, { x: LANES_AT + (lane + 0.5) * pitch, y1, y2, ink: INKS[lane % INKS.length] ?? "" });
  });
}

function lineOf(
  { from, name, to }: Line,
  { x, y1, y2, ink }: { readonly x: number; readonly y1: number; readonly y2: number; readonly ink: string },
): string {
  const edge = MARGIN + BOX;
  const at = round(x);
  const target = to.startsWith("#") ? to : "?";
  return (
    `<g data-from="${escaped(from)}" data-name="${escaped(name)}" data-to="${escaped(to)}"><title>${escaped(`${from} ${name} ${to}`)}</title>` +
    `<path d="M${edge} ${y1} H${at} V${y2} H${edge + ARROW}" fill="none" stroke="${ink}" stroke-width="1"/>` +
    `<path d="M${edge} ${y2} l${ARROW} -3.5 v7 z" fill="${ink}"/>` +
    text(
      edge + 8,
      y1 - 2,
      `${cut(name, NAME_CHARACTERS - target.length)} ${target}`,
      `font-size="9" fill="${ink}"`,
    ) +
    "</g>"
  );
}

function round(x: number): number {
  return Math.round(x * 10) / 10;
}

function text(x: number, y: number, content: string, style = `fill="#202124"`): string {
  return `<text x="${round(x)}" y="${y}" ${style}>${escaped(content)}</text>`;
}
