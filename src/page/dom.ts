/** Elements made of text: what comes from records is never markup. */
import { visible } from "../format/visible.js";

type Child = Node | string | number | null;

/** Lines stay. */
function visibleLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}

export function element(
  tag: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  for (const child of children)
    if (child !== null) made.append(child instanceof Node ? child : visibleLines(String(child)));
  return made;
}

export function link(to: string, text: string): HTMLElement {
  return element("a", { href: to }, text);
}

export function list(items: readonly Child[]): HTMLElement {
  return element("ul", {}, ...items.map((item) => element("li", {}, item)));
}

export function facts(rows: readonly (readonly [string, Child])[]): HTMLElement {
  return element(
    "dl",
    {},
    ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  );
}

export function table(head: readonly string[], body: readonly (readonly Child[])[]): HTMLElement {
  const cells = body.map((row) =>
    element("tr", {}, ...row.map((cell, i) => element("td", { "data-label": head[i] ?? "" }, cell))),
  );
  const heads = element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)));
  return element("table", {}, element("thead", {}, heads), element("tbody", {}, ...cells));
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no #${id} in this page`);
  return found;
}

/** Markup that was made here: a picture. */
export function drawn(svg: string): HTMLElement {
  const holder = element("div", { class: "picture", tabindex: "0" });
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  holder.append(document.importNode(parsed, true));
  return holder;
}

export function save(name: string, bytes: Uint8Array): void {
  const anchor = element("a", {
    href: URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>])),
    download: name,
  });
  anchor.click();
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
