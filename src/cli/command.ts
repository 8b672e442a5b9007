/** What a command is: words in, an outcome out. Only `main.ts` prints and exits. */
import { type ErrorCode, WritError } from "../errors.js";

export interface OptionSpec {
  readonly type: "string" | "boolean";
  /** May be given several times, and takes the words after it that `more` accepts. */
  readonly multiple?: boolean;
  readonly more?: (word: string) => boolean;
  readonly short?: string;
}

export interface Invocation {
  readonly words: readonly string[];
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  flag(name: string): boolean;
}

/** How a command says what it is doing: all of it goes to standard error. */
export interface Voice {
  say(line: string): void;
  hint(line: string): void;
  /** A bar when standard error is a terminal, nothing otherwise. */
  progress(what: string, done: number, total: number): void;
}

/** One of many results, told as they come. */
export interface ResultLine {
  readonly text: string;
  readonly json: unknown;
}

export interface Outcome {
  /** Exit 0 (yes), 1 (no), 3 (null: it could not be told). */
  readonly ok: boolean | null;
  /** Results as they come, each on a line of standard output of its own; what it returns at the end is the outcome. */
  readonly lines?: AsyncGenerator<ResultLine, boolean | null>;
  /** Standard output for people, without the last newline; bytes are written as they are. */
  readonly text?: string | Uint8Array;
  /** Standard output with `--json`. */
  readonly json: unknown;
}

export interface Command {
  /** Errors after which neither yes nor no can be said, beyond those of every command: exit 3. */
  readonly untold?: readonly ErrorCode[];
  /** One line: `writ init DIR --origin NAME …`. */
  readonly usage: string;
  /** What it does, for `--help`. */
  readonly about: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  run(invocation: Invocation, voice: Voice): Promise<Outcome>;
}

export const STRING: OptionSpec = { type: "string" };
export const FLAG: OptionSpec = { type: "boolean" };

/** A wrong call: exit 2. */
export function usageError(message: string): WritError {
  return new WritError("USAGE", message);
}

/** The only word after the verb. */
export function onlyWord(invocation: Invocation, what: string): string {
  const [word, ...rest] = invocation.words;
  if (word === undefined || rest.length > 0)
    throw usageError(`want one ${what}, got ${invocation.words.length}`);
  return word;
}

export function required(invocation: Invocation, name: string): string {
  const value = invocation.text(name);
  if (value === undefined) throw usageError(`--${name} is missing`);
  return value;
}
