#!/usr/bin/env node
/** The `writ` command. The one file that prints and exits: commands return what they have to say. */
import { ProofError, WritError } from "../errors.js";
import type { Command, Outcome } from "./command.js";
import { fsck } from "./commands/fsck.js";
import { init } from "./commands/init.js";
import { keysList, keysNew, keysRegister } from "./commands/keys.js";
import { get, prove } from "./commands/look.js";
import { serve } from "./commands/serve.js";
import { sign } from "./commands/sign.js";
import { submit } from "./commands/submit.js";
import { verify } from "./commands/verify.js";
import { parseInvocation } from "./parse.js";
import { version } from "./version.js";
import { TerminalVoice } from "./voice.js";

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["init", init],
  ["serve", serve],
  ["keys new", keysNew],
  ["keys register", keysRegister],
  ["keys list", keysList],
  ["sign", sign],
  ["submit", submit],
  ["get", get],
  ["prove", prove],
  ["verify", verify],
  ["fsck", fsck],
]);

const EXIT = { yes: 0, no: 1, usage: 2 } as const;

const voice = new TerminalVoice(process.stderr);

async function main(args: readonly string[]): Promise<number> {
  const found = findCommand(args);
  if (found === undefined) return help(args);
  const { command, rest } = found;
  if (rest.includes("--help") || rest.includes("-h")) return print(`${command.usage}\n\n${command.about}`);
  try {
    const invocation = parseInvocation(command, rest);
    return report(await command.run(invocation, voice), invocation.flag("json"));
  } catch (error) {
    return complain(error, command, rest.includes("--json"));
  }
}

function findCommand(args: readonly string[]): { command: Command; rest: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const command = COMMANDS.get(args.slice(0, length).join(" "));
    if (command !== undefined) return { command, rest: args.slice(length) };
  }
  return undefined;
}

function help(args: readonly string[]): number {
  const [verb] = args;
  if (verb === "--version" || verb === "version") return print(version());
  const list = [...COMMANDS.values()].map(({ usage }) => `  ${usage}`).join("\n");
  const text = `writ: a transparency log for machine authority\n\n${list}\n\nwrit VERB --help says more. --json gives every result as JSON. Exit: 0 yes, 1 no, 2 usage.`;
  if (verb === undefined || verb === "help" || verb === "--help" || verb === "-h") return print(text);
  const group = [...COMMANDS]
    .filter(([name]) => name.startsWith(`${verb} `))
    .map(([, { usage }]) => `  ${usage}`);
  if (group.length > 0) return print(group.join("\n"));
  voice.error(`there is no verb ${JSON.stringify(args.slice(0, 2).join(" "))}`);
  voice.hint("writ --help lists the verbs");
  return EXIT.usage;
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return EXIT.yes;
}

function report({ ok, text, json }: Outcome, asJson: boolean): number {
  if (asJson) process.stdout.write(`${JSON.stringify(json)}\n`);
  else if (text instanceof Uint8Array) process.stdout.write(text);
  else if (text !== undefined) process.stdout.write(`${text}\n`);
  return ok ? EXIT.yes : EXIT.no;
}

function complain(error: unknown, command: Command, asJson: boolean): number {
  const code = error instanceof WritError || error instanceof ProofError ? error.code : "INTERNAL";
  const message = error instanceof Error ? error.message : String(error);
  if (asJson)
    process.stdout.write(
      `${JSON.stringify({ error: { code, message, ...(error instanceof WritError ? error.facts : {}) } })}\n`,
    );
  voice.error(`${code}: ${message}`);
  if (code === "USAGE") voice.hint(command.usage);
  if (code === "INTERNAL" && error instanceof Error) voice.say(error.stack ?? "");
  if (code === "SERVER_UNREACHABLE")
    voice.hint("try again later: sending a statement twice is safe, it keeps its one place");
  return code === "USAGE" ? EXIT.usage : EXIT.no;
}

// The code is set and not forced: what was written to a pipe is allowed to arrive.
process.exitCode = await main(process.argv.slice(2));
