/** Other people's text in pictures: without characters that a terminal or a page acts on, and cut to what there is room for. */

/** Records hold any text; a terminal or a picture gets no control, format or line characters from them. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

/** At most so many characters, the last a … where some were cut. */
export function cut(text: string, most: number): string {
  const characters = Array.from(printable(text));
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : characters.join("");
}

/** In lines of at most so many characters, broken at spaces where there are any; what is beyond `mostLines` of them is cut. */
export function wrapped(text: string, most: number, mostLines = 40): string[] {
  const lines: string[] = [];
  let line = "";
  // Cut first: other people's texts may be long, and nobody reads the rest here.
  for (const word of cut(text.slice(0, 4 * most * mostLines), most * mostLines).split(" ")) {
    const pieces = Array.from(word).reduce<string[]>((found, char) => {
      const last = found.at(-1);
      if (last === undefined || Array.from(last).length >= most) found.push(char);
      else found[found.length - 1] = last + char;
      return found;
    }, []);
    for (const piece of pieces.length === 0 ? [""] : pieces) {
      if (line !== "" && Array.from(line).length + 1 + Array.from(piece).length > most) {
        lines.push(line);
        line = piece;
      } else line = line === "" ? piece : `${line} ${piece}`;
    }
  }
  return (line === "" ? lines : [...lines, line]).slice(0, mostLines);
}

/** For XML and HTML, in text and between quotes. */
export function escaped(text: string): string {
  return printable(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
