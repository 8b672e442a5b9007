/** The trace as an SVG picture: a column for each step away from the record asked for. */
import type { Picture, PictureNode } from "./model.js";

const WIDTH = 250;
const HEIGHT = 46;
const GAP_X = 70;
const GAP_Y = 14;
const MARGIN = 20;
const TOP = 50;
const FILLS = {
  PASS: "#e6f4ea",
  FAIL: "#fce8e6",
  UNKNOWN: "#fef7e0",
  EXCEPTED: "#e8eaed",
  REMARK: "#e8f0fe",
  NOT_APPLICABLE: "#ffffff",
};
const STROKES = {
  PASS: "#137333",
  FAIL: "#c5221f",
  UNKNOWN: "#b06000",
  EXCEPTED: "#5f6368",
  REMARK: "#1a73e8",
  NOT_APPLICABLE: "#5f6368",
};

interface Spot {
  readonly x: number;
  readonly y: number;
}

export function svg({ heading, nodes, links }: Picture): string {
  const spots = place(nodes);
  const width = MARGIN * 2 + Math.max(WIDTH, ...[...spots.values()].map(({ x }) => x - MARGIN + WIDTH));
  const height = MARGIN + TOP + Math.max(HEIGHT, ...[...spots.values()].map(({ y }) => y - TOP + HEIGHT));
  const lines = links.flatMap(({ from, member, to }) => arrow(spots.get(from), spots.get(to), member));
  const boxes = nodes.map((node) => box(node, spots.get(node.index) ?? { x: 0, y: 0 }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${MARGIN}" y="28" font-size="15" font-weight="bold">${escape(heading)}</text>`,
    ...lines,
    ...boxes,
    "</svg>",
    "",
  ].join("\n");
}

function place(nodes: readonly PictureNode[]): Map<number, Spot> {
  const rows = new Map<number, number>();
  return new Map(
    nodes.map(({ index, depth }) => {
      const row = rows.get(depth) ?? 0;
      rows.set(depth, row + 1);
      return [index, { x: MARGIN + depth * (WIDTH + GAP_X), y: TOP + row * (HEIGHT + GAP_Y) }];
    }),
  );
}

function box({ index, title, issuer, mark, findings }: PictureNode, { x, y }: Spot): string {
  const codes = findings.map(({ code }) => code).join(", ");
  return (
    `<g><title>${escape(findings.map(({ code, detail }) => `${code}: ${detail}`).join("\n"))}</title>` +
    `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="5" fill="${FILLS[mark]}" stroke="${STROKES[mark]}"/>` +
    `<text x="${x + 8}" y="${y + 18}" font-weight="bold">#${index} ${escape(title.slice(0, 34))}</text>` +
    `<text x="${x + 8}" y="${y + 36}" fill="${codes === "" ? "#5f6368" : STROKES[mark]}">${escape((codes === "" ? issuer : codes).slice(0, 38))}</text></g>`
  );
}

function arrow(from: Spot | undefined, to: Spot | undefined, member: string): string[] {
  if (from === undefined || to === undefined) return [];
  const forward = to.x > from.x;
  const [x1, x2] = [from.x + (forward ? WIDTH : 0), to.x + (forward ? 0 : WIDTH)];
  const [y1, y2] = [from.y + HEIGHT / 2, to.y + HEIGHT / 2];
  const middle = (x1 + x2) / 2;
  return [
    `<path d="M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}" fill="none" stroke="#9aa0a6"><title>${escape(member)}</title></path>`,
  ];
}

function escape(text: string): string {
  return text
    .replaceAll(/\p{C}/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
