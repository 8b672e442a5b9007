/**
 * `npm run mutate [-- WORDS…]`: breaks one line of the log at a time, in a copy, and demands that a test notices. Each takes a build
 * and a few test files; all of them some minutes. It is run by hand, before a release.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Mutation, MUTATIONS } from "./mutations.js";

const PROJECT = resolve(import.meta.dirname, "../../..");
const TEST_MS = 180_000;

function copyOfProject(): string {
  const copy = mkdtempSync(join(tmpdir(), "writ-mutate-"));
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: PROJECT }).toString().split("\0");
  for (const file of files.filter((name) => name !== "")) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(PROJECT, file), join(copy, file));
  }
  symlinkSync(join(PROJECT, "node_modules"), join(copy, "node_modules"));
  return copy;
}

function build(copy: string): boolean {
  return spawnSync("npx", ["tsc", "-p", ".", "--noUnusedLocals", "false"], { cwd: copy }).status === 0;
}

/** Do these tests pass? */
function passes(copy: string, tests: readonly string[]): boolean {
  const files = tests.map((name) => join("dist/test", `${name}.test.js`));
  const { status } = spawnSync(process.execPath, ["--test", "--test-timeout=60000", ...files], {
    cwd: copy,
    timeout: TEST_MS,
  });
  return status === 0;
}

/** Is it noticed? As a word. */
function outcomeOf(copy: string, { file, line, broken, tests }: Mutation): string {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  if (text.split(line).length !== 2) return "LOST: the line is not there, or there twice";
  writeFileSync(
    path,
    text.replace(line, () => broken),
  );
  try {
    if (!build(copy)) return "noticed by the compiler";
    return passes(copy, tests) ? "SURVIVED" : "noticed";
  } finally {
    writeFileSync(path, text);
  }
}

const words = process.argv.slice(2);
const chosen = MUTATIONS.filter(({ what }) => words.every((word) => what.includes(word)));
const copy = copyOfProject();
let bad = 0;
try {
  const all = [...new Set(chosen.flatMap(({ tests }) => tests))];
  if (!build(copy) || !passes(copy, all)) throw new Error("want the tests to pass before anything is broken");
  for (const mutation of chosen) {
    const outcome = outcomeOf(copy, mutation);
    if (!outcome.startsWith("noticed")) bad++;
    process.stdout.write(`${outcome}\t${mutation.what}\t${mutation.file}\n`);
  }
} finally {
  rmSync(copy, { recursive: true });
}
process.stdout.write(`${chosen.length - bad} of ${chosen.length} noticed\n`);
process.exitCode = bad === 0 ? 0 : 1;
