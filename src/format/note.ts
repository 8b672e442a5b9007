/**
 * Signed notes (c2sp.org/signed-note): a text, and signature lines under it. Bytes ⇄ values; which key a line
 * belongs to and whether it verifies is said in `cosignature.ts`.
 *
 *     This is an example message.
 *
 *     — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1E…
 */
import { WritError } from "../errors.js";
import { parseBase64, toBase64 } from "./base64.js";
import { concat, fromUtf8, toHex, utf8 } from "./bytes.js";

export interface SignatureLine {
  /** Key name: not empty, no Unicode space, no `+`. */
  readonly name: string;
  /** 4 bytes. With the name it identifies the key and its algorithm. */
  readonly keyId: Uint8Array;
  /** What follows the key id: at least one byte. */
  readonly signature: Uint8Array;
}

export interface Note {
  /** Ends in a newline. What is signed. */
  readonly text: string;
  /** At least one, no two with the same name and key id. */
  readonly signatures: readonly SignatureLine[];
}

/** The specification asks for at least 16 signatures; 32 witnesses with an Ed25519 and an ML-DSA line each fit. */
export const MAX_SIGNATURES = 128;
export const MAX_NOTE_BYTES = 256 * 1024;

/** The note in these bytes. WritError NOTE_MALFORMED unless `formatNote` would write exactly them. */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_NOTE_BYTES) fail(`at most ${MAX_NOTE_BYTES} bytes, got ${bytes.length}`);
  const whole = fromUtf8(bytes);
  if (whole === undefined) fail("not valid UTF-8");
  demandNoControls(whole);
  // "the text is separated from the signatures by the last empty line in the note"
  const split = whole.lastIndexOf("\n\n");
  if (split < 0) fail("no empty line between text and signatures");
  const text = whole.slice(0, split + 1);
  const lines = whole.slice(split + 2).split("\n");
  if (lines.pop() !== "") fail("the last signature line does not end in a newline");
  if (lines.length === 0) fail("no signature line");
  if (lines.length > MAX_SIGNATURES) fail(`at most ${MAX_SIGNATURES} signatures, got ${lines.length}`);
  const signatures = lines.map(parseSignatureLine);
  demandDistinct(signatures);
  return { text, signatures };
}

/** One line without its newline: `— <name> base64(keyID ‖ signature)`. */
export function parseSignatureLine(line: string): SignatureLine {
  const match = /^— ([^ ]+) ([^ ]+)$/u.exec(line);
  const [, name, blob] = match ?? [];
  if (name === undefined || blob === undefined)
    fail(`not a signature line: ${JSON.stringify(line.slice(0, 80))}`);
  if (!isKeyName(name)) fail(`not a key name: ${JSON.stringify(name)}`);
  const bytes = parseBase64(blob);
  if (bytes === undefined || bytes.length < 5)
    fail(`signature of ${name}: want canonical base64 of 5 bytes or more`);
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** Signature lines on their own, as a witness answers with them. WritError NOTE_MALFORMED; no lines are no error. */
export function parseSignatureLines(bytes: Uint8Array): SignatureLine[] {
  const text = fromUtf8(bytes);
  if (text === undefined) fail("not valid UTF-8");
  const lines = text.split("\n");
  if (lines.pop() !== "") fail("the last signature line does not end in a newline");
  if (lines.length > MAX_SIGNATURES) fail(`at most ${MAX_SIGNATURES} signatures, got ${lines.length}`);
  const signatures = lines.map(parseSignatureLine);
  demandDistinct(signatures);
  return signatures;
}

/** The note with these lines under it as well; a line of the same key takes the place of the one that was there. */
export function withSignatures(note: Note, lines: readonly SignatureLine[]): Note {
  const byKey = new Map([...note.signatures, ...lines].map((line) => [keyOf(line), line]));
  return { text: note.text, signatures: [...byKey.values()] };
}

export function formatSignatureLine({ name, keyId, signature }: SignatureLine): string {
  return `— ${name} ${toBase64(concat(keyId, signature))}\n`;
}

export function formatNote(note: Note): Uint8Array {
  return utf8(`${note.text}\n${note.signatures.map(formatSignatureLine).join("")}`);
}

/** Is this a key name: not empty, no Unicode space, no `+`, no control character? */
export function isKeyName(name: string): boolean {
  // \s lacks U+0085, which Unicode counts as white space, and has U+FEFF, which it does not: refusing both is safe.
  return name !== "" && !/[\s\u0085+]/u.test(name) && !hasControls(name);
}

function demandDistinct(signatures: readonly SignatureLine[]): void {
  const seen = new Set<string>();
  for (const line of signatures) {
    const key = keyOf(line);
    if (seen.has(key)) fail(`two signatures by ${key}`);
    seen.add(key);
  }
}

function keyOf({ name, keyId }: SignatureLine): string {
  return `${name}+${toHex(keyId)}`;
}

function demandNoControls(text: string): void {
  if (hasControls(text.replaceAll("\n", ""))) fail("a control character other than newline");
}

/** Is there a control character, of which a note has none but newlines? */
export function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 0x20) return true;
  return false;
}

function fail(why: string): never {
  throw new WritError("NOTE_MALFORMED", `signed note: ${why}`);
}
