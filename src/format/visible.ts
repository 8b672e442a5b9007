/** Other people's text beside ours: what would turn, hide or break it is written out, so that two texts that differ look different. */

/** On one line: every control, format and line character as `\u{…}`. */
export function visible(text: string): string {
  return text.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
