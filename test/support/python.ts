/** Python with packages of its own: WRIT_PYTHON, or python3. Tests that need packages it lacks are skipped with a message. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { PROJECT, run } from "./process.js";

const PYTHON = process.env["WRIT_PYTHON"] ?? "python3";

/** Why a test that needs these packages is skipped, or false. */
export function withoutPython(...packages: readonly string[]): string | false {
  const { status } = spawnSync(PYTHON, ["-c", `import ${packages.join(", ")}`], { stdio: "ignore" });
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
