/** The trace as a Mermaid flowchart. */
import type { Picture } from "./model.js";

export function mermaid({ heading, nodes, links }: Picture): string {
  const lines = ["---", `title: ${JSON.stringify(heading)}`, "---", "flowchart TD"];
  for (const { index, title, issuer, mark } of nodes)
    lines.push(`  n${index}["#${index} ${escape(title)}<br/>${escape(issuer)}"]:::${mark}`);
  for (const { from, member, to } of links) lines.push(`  n${from} -->|${member}| n${to}`);
  lines.push("  classDef PASS fill:#e6f4ea,stroke:#137333", "  classDef FAIL fill:#fce8e6,stroke:#c5221f");
  lines.push(
    "  classDef UNKNOWN fill:#fef7e0,stroke:#b06000",
    "  classDef EXCEPTED fill:#e8eaed,stroke:#5f6368",
    "  classDef REMARK fill:#e8f0fe,stroke:#1a73e8",
  );
  return `${lines.join("\n")}\n`;
}

/** Mermaid's own escapes: no quote, bracket or markup of a record reaches the chart. */
function escape(text: string): string {
  return text.slice(0, 80).replaceAll(/[^\p{L}\p{N} .:/_-]/gu, (char) => `#${char.codePointAt(0)};`);
}
