/** Other people's COSE: go-cose, and Python's cbor2, cryptography, pycose and securesystemslib in an environment of their own. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkPeer } from "../support/cose-peer.js";
import { PROJECT, run as runToEnd } from "../support/process.js";

const run = promisify(execFile);

/** pycose reads what cbor2 gives it as lists, which it is up to this version. */
const PYTHON_PACKAGES = ["cbor2==5.7.1", "cryptography==50.0.2", "pycose==1.1.0", "securesystemslib==1.6.0"];

/** Builds the program in test/interop/cose and asks it. */
export async function goCose(programs: string): Promise<string> {
  const program = join(programs, "cose-peer");
  await run("go", ["build", "-o", program, "."], { cwd: join(PROJECT, "test/interop/cose") });
  return checkPeer(async (questions) => {
    const input = questions.map((question) => `${JSON.stringify(question)}\n`).join("");
    const { code, stdout, stderr } = await runToEnd(programs, program, [], { input });
    if (code !== 0) throw new Error(stderr);
    return stdout.trimEnd().split("\n");
  });
}

/** The Python of an environment with the packages, made when it is not there; or what is missing. */
export async function pythonEnvironment(
  programs: string,
): Promise<{ readonly path: string } | { readonly missing: string }> {
  const folder = join(programs, "python");
  const path = join(folder, "bin/python");
  try {
    if (!existsSync(path)) await run("python3", ["-m", "venv", folder]);
    await run(path, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...PYTHON_PACKAGES]);
    return { path };
  } catch (error) {
    return {
      missing: error instanceof Error ? (error.message.trim().split("\n").at(-1) ?? "") : String(error),
    };
  }
}

/** The tests of second opinions, with nothing skipped. */
export async function secondOpinions(python: string): Promise<string> {
  const file = join(PROJECT, "dist/test/scitt/second-opinion.test.js");
  const { code, stdout } = await runToEnd(
    PROJECT,
    process.execPath,
    ["--test", "--test-reporter=tap", file],
    {
      env: { ...process.env, WRIT_PYTHON: python },
    },
  );
  const passed = /^# pass (\d+)$/m.exec(stdout)?.[1];
  if (code !== 0 || !/^# skipped 0$/m.test(stdout)) throw new Error(stdout);
  return `${passed} tests with ${PYTHON_PACKAGES.join(", ")}`;
}
