/** HTML made of text: what comes from records is escaped where it is put in, and nowhere else. */
import { escaped } from "../trace/draw/text.js";

/** Markup that was made here. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = string | number | Html | readonly Html[];

/** Everything that is put in is text, but for what is Html already. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((piece, i) => (i === 0 ? piece : markup(parts[i - 1] ?? "") + piece)).join(""));
}

function markup(part: Part): string {
  if (part instanceof Html) return part.text;
  return typeof part === "object" ? part.map(({ text }) => text).join("\n") : escaped(String(part));
}

export function table(head: readonly string[], rows: readonly (readonly (string | Html)[])[]): Html {
  if (rows.length === 0) return html`<p>None.</p>`;
  const cells = rows.map(
    (row) => html`<tr>${row.map((cell, i) => html`<td data-label="${head[i] ?? ""}">${cell}</td>`)}</tr>`,
  );
  return html`<table><thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${cells}</tbody></table>`;
}
