/** The trace as a Mermaid flowchart. */
import type { Card, Picture } from "./model.js";
import { cut } from "./text.js";

export function mermaid({ heading, cards, lines }: Picture): string {
  const names = new Map(cards.map(({ name }, i) => [name, `n${i}`]));
  const text = ["---", `title: ${JSON.stringify(heading)}`, "---", "flowchart TD"];
  for (const card of cards) text.push(`  ${names.get(card.name)}["${labelOf(card)}"]:::${card.mark}`);
  for (const { from, name, to } of lines)
    text.push(`  ${names.get(from)} -->|${escape(name)}| ${names.get(to)}`);
  text.push("  classDef PASS fill:#e6f4ea,stroke:#137333", "  classDef FAIL fill:#fce8e6,stroke:#c5221f");
  text.push(
    "  classDef UNKNOWN fill:#fef7e0,stroke:#b06000",
    "  classDef EXCEPTED fill:#e8eaed,stroke:#5f6368",
    "  classDef REMARK fill:#e8f0fe,stroke:#1a73e8",
    "  classDef NOT_APPLICABLE fill:#ffffff,stroke:#5f6368",
  );
  return `${text.join("\n")}\n`;
}

function labelOf({ indexes, title, word, what, who, findings }: Card): string {
  const codes = findings.flatMap(({ code }) => code ?? []);
  const place = indexes[0] === undefined ? "" : `#${indexes[0]} `;
  return [`${place}${title} ${word}`.trimEnd(), ...what.slice(0, 1), who, ...codes]
    .filter((line) => line !== "")
    .map((line) => escape(cut(line, 80)))
    .join("<br/>");
}

/** Mermaid's own escapes: no quote, bracket or markup of a record reaches the chart. */
function escape(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N} .:/_-]/gu, (char) => `#${char.codePointAt(0)};`);
}
