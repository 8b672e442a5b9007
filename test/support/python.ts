/** Python with packages of its own: WRIT_PYTHON, or python3. Tests that need packages it lacks are skipped with a message. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { PROJECT, run } from "./process.js";

const PYTHON = process.env["WRIT_PYTHON"] ?? "python3";

/** pycose reads what cbor2 gives it as lists, which it does up to version 5. */
export const CBOR2_AS_LISTS = "assert type(__import__('cbor2').loads(bytes.fromhex('d280')).value) is list";

/** Why a test that needs these packages, and that this holds of them, is skipped; or false. */
export function withoutPython(packages: readonly string[], demand = "pass"): string | false {
  const code = `import ${packages.join(", ")}\n${demand}`;
  const { status } = spawnSync(PYTHON, ["-c", code], { stdio: "ignore" });
  return status === 0
    ? false
    : `${PYTHON} with ${packages.join(" and ")} is not here (npm run interop installs it)`;
}

/** A script of test/second-opinion, asked one question a line and answering one line each. */
export async function askPython(script: string, questions: readonly object[]): Promise<string[]> {
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join("");
  const path = join(PROJECT, "test/second-opinion", script);
  const { code, stdout, stderr } = await run(PROJECT, PYTHON, ["-W", "ignore", path], { input });
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  const lines = stdout.trimEnd().split("\n");
  if (lines.length !== questions.length)
    throw new Error(`${script}: ${lines.length} answers to ${questions.length} questions: ${stderr}`);
  return lines;
}
