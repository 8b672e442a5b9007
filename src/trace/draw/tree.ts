/** The trace as a text tree, each finding at the node it is about. */
import type { Finding } from "../verdict.js";
import type { Picture, PictureNode } from "./model.js";
import { printable } from "./text.js";

export const MARKS = {
  PASS: "✓",
  FAIL: "✗",
  UNKNOWN: "?",
  EXCEPTED: "~",
  REMARK: "!",
  NOT_APPLICABLE: "·",
} as const;

export function textTree({ heading, roots, general }: Picture): string {
  const lines = [heading];
  roots.forEach((root, i) => branch(root, "", i === roots.length - 1, lines));
  for (const finding of general) lines.push(`${MARKS[finding.outcome]} ${findingText(finding)}`);
  return lines.join("\n");
}

function branch(node: PictureNode, indent: string, last: boolean, lines: string[]): void {
  lines.push(
    `${indent}${last ? "└─" : "├─"} ${MARKS[node.mark]} #${node.index} ${node.title}  ${node.issuer}`,
  );
  const inner = `${indent}${last ? "   " : "│  "}`;
  const stem = node.children.length > 0 ? "│  " : "   ";
  for (const finding of node.findings)
    lines.push(`${inner}${stem}${MARKS[finding.outcome]} ${findingText(finding)}`);
  node.children.forEach((child, i) => branch(child, inner, i === node.children.length - 1, lines));
}

export function findingText({ outcome, code, detail }: Finding): string {
  return `${outcome} ${code ?? ""}: ${printable(detail)}`;
}
