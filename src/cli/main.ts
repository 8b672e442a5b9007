#!/usr/bin/env node
/** The `writ` command. The one file that prints and exits: commands return what they have to say. */
import { type ErrorCode, ProofError, WritError } from "../errors.js";
import type { Command, Outcome } from "./command.js";
import { parseInvocation } from "./parse.js";
import { version } from "./version.js";
import { printableLines, TerminalVoice } from "./voice.js";

/** Each is loaded when it is asked for: `verify` has no use for a web server, and starts in half the time without. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["init", async () => (await import("./commands/init.js")).init],
  ["serve", async () => (await import("./commands/serve.js")).serve],
  ["keys new", async () => (await import("./commands/keys.js")).keysNew],
  ["keys register", async () => (await import("./commands/keys.js")).keysRegister],
  ["keys revoke", async () => (await import("./commands/keys.js")).keysRevoke],
  ["keys list", async () => (await import("./commands/keys.js")).keysList],
  ["domains found", async () => (await import("./commands/domains.js")).domainsFound],
  ["domains list", async () => (await import("./commands/domains.js")).domainsList],
  ["digest", async () => (await import("./commands/digest.js")).digest],
  ["sign", async () => (await import("./commands/sign.js")).sign],
  ["submit", async () => (await import("./commands/submit.js")).submit],
  ["receipt", async () => (await import("./commands/receipt.js")).receipt],
  ["receipt attach", async () => (await import("./commands/receipt.js")).receiptAttach],
  ["receipt extract", async () => (await import("./commands/receipt.js")).receiptExtract],
  ["get", async () => (await import("./commands/look.js")).get],
  ["prove", async () => (await import("./commands/look.js")).prove],
  ["verify", async () => (await import("./commands/verify.js")).verify],
  ["open-items", async () => (await import("./commands/open-items.js")).openItems],
  ["search", async () => (await import("./commands/search.js")).search],
  ["trace", async () => (await import("./commands/trace.js")).trace],
  ["impact", async () => (await import("./commands/trace.js")).impact],
  ["approve", async () => (await import("./commands/approve.js")).approve],
  ["reject", async () => (await import("./commands/approve.js")).reject],
  ["revoke", async () => (await import("./commands/standing.js")).revoke],
  ["suspend", async () => (await import("./commands/standing.js")).suspend],
  ["resume", async () => (await import("./commands/standing.js")).resume],
  ["consume", async () => (await import("./commands/standing.js")).consume],
  ["status", async () => (await import("./commands/standing.js")).status],
  ["hooks add", async () => (await import("./commands/hooks.js")).hooksAdd],
  ["hooks list", async () => (await import("./commands/hooks.js")).hooksList],
  ["hooks remove", async () => (await import("./commands/hooks.js")).hooksRemove],
  ["hooks enable", async () => (await import("./commands/hooks.js")).hooksEnable],
  ["demo", async () => (await import("./commands/demo.js")).demo],
  ["witness init", async () => (await import("./commands/witness.js")).witnessInit],
  ["witness add-log", async () => (await import("./commands/witness.js")).witnessAddLog],
  ["witness serve", async () => (await import("./commands/witness.js")).witnessServe],
  ["monitor", async () => (await import("./commands/monitor.js")).monitor],
  ["reindex", async () => (await import("./commands/reindex.js")).reindexCommand],
  ["fsck", async () => (await import("./commands/fsck.js")).fsck],
]);

const EXIT = { yes: 0, no: 1, usage: 2, unknown: 3 } as const;
/** Nobody could be asked: that says neither yes nor no. */
const UNTOLD: readonly ErrorCode[] = ["SERVER_UNREACHABLE"];

const voice = new TerminalVoice(process.stderr);

async function main(args: readonly string[]): Promise<number> {
  const found = await findCommand(args);
  if (found === undefined) return help(args);
  const { command, rest } = found;
  if (rest.includes("--help") || rest.includes("-h")) return print(`${command.usage}\n\n${command.about}`);
  try {
    const invocation = parseInvocation(command, rest);
    return await report(await command.run(invocation, voice), invocation.flag("json"));
  } catch (error) {
    return complain(error, command, rest.includes("--json"));
  }
}

async function findCommand(
  args: readonly string[],
): Promise<{ command: Command; rest: readonly string[] } | undefined> {
  for (const length of [2, 1]) {
    const load = COMMANDS.get(args.slice(0, length).join(" "));
    if (load !== undefined) return { command: await load(), rest: args.slice(length) };
  }
  return undefined;
}

async function help(args: readonly string[]): Promise<number> {
  const [verb] = args;
  if (verb === "--version" || verb === "version") return print(version());
  const list = await usages([...COMMANDS.keys()]);
  const text = `writ: a transparency log for machine authority\n\n${list}\n\nwrit VERB --help says more. --json gives every result as JSON. Exit: 0 yes, 1 no, 2 usage, 3 could not tell.`;
  if (verb === undefined || verb === "help" || verb === "--help" || verb === "-h") return print(text);
  const group = await usages([...COMMANDS.keys()].filter((name) => name.startsWith(`${verb} `)));
  if (group !== "" && args.length === 1) return print(group);
  voice.error(`there is no verb ${JSON.stringify(args.slice(0, 2).join(" "))}`);
  voice.hint("writ --help lists the verbs");
  return EXIT.usage;
}

async function usages(names: readonly string[]): Promise<string> {
  const lines = names.map(async (name) => {
    const command = await COMMANDS.get(name)?.();
    return `  ${command?.usage ?? ""}`;
  });
  return (await Promise.all(lines)).join("\n");
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return EXIT.yes;
}

async function report({ ok, text, json, lines }: Outcome, asJson: boolean): Promise<number> {
  if (lines !== undefined) return reportLines(lines, asJson);
  if (asJson) process.stdout.write(`${JSON.stringify(json)}\n`);
  else if (text instanceof Uint8Array) process.stdout.write(text);
  else if (text !== undefined) process.stdout.write(`${printableLines(text)}\n`);
  return exitOf(ok);
}

function exitOf(ok: boolean | null): number {
  if (ok === null) return EXIT.unknown;
  return ok ? EXIT.yes : EXIT.no;
}

async function reportLines(lines: NonNullable<Outcome["lines"]>, asJson: boolean): Promise<number> {
  for (;;) {
    const { done, value } = await lines.next();
    if (done === true) return exitOf(value);
    process.stdout.write(`${asJson ? JSON.stringify(value.json) : printableLines(value.text)}\n`);
  }
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
    voice.hint(
      "try again later, or look whether --log is right: sending a statement twice is safe, it keeps its one place",
    );
  if (code === "USAGE") return EXIT.usage;
  const untold = [...UNTOLD, ...(command.untold ?? [])];
  return untold.some((one) => one === code) ? EXIT.unknown : EXIT.no;
}

// Whoever reads may stop reading: `writ search | head` is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

// The code is set and not forced: what was written to a pipe is allowed to arrive.
process.exitCode = await main(process.argv.slice(2));
