/** Command lines: `writ verb [subverb] words --options`. Unknown options are errors that say what there is. */
import { parseArgs } from "node:util";
import { type Command, type Invocation, type OptionSpec, usageError } from "./command.js";

const GENERAL: Readonly<Record<string, OptionSpec>> = {
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
};

export function parseInvocation(command: Command, args: readonly string[]): Invocation {
  const options = { ...command.options, ...GENERAL };
  try {
    const { values, positionals } = parseArgs({
      args: spread(args, options),
      options: specs(options),
      allowPositionals: true,
    });
    const all = (name: string): readonly unknown[] => [values[name] ?? []].flat();
    return {
      words: positionals,
      text: (name) => all(name).find((value) => typeof value === "string"),
      texts: (name) => all(name).filter((value) => typeof value === "string"),
      flag: (name) => values[name] === true,
    };
  } catch (error) {
    if (error instanceof TypeError) throw usageError(error.message.split(". ")[0] ?? error.message);
    throw error;
  }
}

function specs(options: Readonly<Record<string, OptionSpec>>) {
  const entries = Object.entries(options).map(([name, { type, multiple = false, short }]) => [
    name,
    { type, multiple, ...(short === undefined ? {} : { short }) },
  ]);
  return Object.fromEntries(entries) as Record<
    string,
    { type: "string" | "boolean"; multiple: boolean; short?: string }
  >;
}

/** `--role agent approver` means `--role agent --role approver`, for options that take several words. */
function spread(args: readonly string[], options: Readonly<Record<string, OptionSpec>>): string[] {
  const out: string[] = [];
  let current: string | undefined;
  args.forEach((word, i) => {
    const more = current === undefined ? undefined : options[current]?.more;
    const isSecond = current !== undefined && args[i - 1] !== `--${current}`;
    if (word.startsWith("--")) current = word.slice(2);
    else if (current !== undefined && isSecond && more?.(word) === true) out.push(`--${current}`);
    else if (isSecond) current = undefined;
    out.push(word);
  });
  return out;
}
