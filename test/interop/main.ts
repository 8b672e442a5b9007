/**
 * `npm run interop`: other people's witnesses, unmodified, against a running log, their load test against our witness, and
 * their COSE libraries on our statements and receipts. Needs Go and Python and their package indexes; says what it skipped
 * without. Exit 0 when all that ran has passed.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PROJECT } from "../support/process.js";
import { goCose, pythonEnvironment, secondOpinions } from "./cose.js";
import { loadTest } from "./load.js";
import { litewitness, omniwitness } from "./programs.js";
import { witnessScenario } from "./scenario.js";

const run = promisify(execFile);

const OMNI = "v0.0.0-20260720115447-2e1c6971d19e";
const LITE = "v0.9.0";
/** The first that verifies logs' ML-DSA-44 lines. */
const LITE_NEXT = "v0.9.1-0.20260706112420-c22a68158d96";
/**
 * loadtest of the version above cannot begin: it asks its own library for a consistency proof from size 0, which that
 * refuses since 2026-06-18. This is the last that can.
 */
const LOADTEST = "v0.0.0-20260617164027-9332986a94a4";
const COMMANDS = "github.com/transparency-dev/witness/cmd";

const programs = join(PROJECT, "dist", "interop");
const results: boolean[] = [];
await mkdir(programs, { recursive: true });

const noGo = await whyNot("go", "version");
if (noGo !== null) console.log(`skipped: omniwitness, litewitness, loadtest and go-cose (${noGo})`);
else await withGo();
const python = await pythonEnvironment(programs);
if ("missing" in python) console.log(`skipped: the second opinions in Python (${python.missing})`);
else await attempt("second opinions", () => secondOpinions(python.path));

const passed = results.filter(Boolean).length;
console.log(`${passed} passed, ${results.length - passed} failed`);
process.exitCode = passed === results.length ? 0 : 1;

async function whyNot(command: string, ...args: readonly string[]): Promise<string | null> {
  try {
    await run(command, args);
    return null;
  } catch {
    return `there is no ${command} command here`;
  }
}

async function attempt(name: string, what: () => Promise<string>): Promise<void> {
  const start = performance.now();
  try {
    const said = await what();
    console.log(`ok      ${name}: ${said} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    results.push(true);
  } catch (error) {
    console.log(
      `FAILED  ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    results.push(false);
  }
}

async function withGo(): Promise<void> {
  console.log("building the programs at their pinned versions");
  await install("omni", `${COMMANDS}/omniwitness@${OMNI}`, `${COMMANDS}/generate_keys@${OMNI}`);
  await install("loadtest", `${COMMANDS}/loadtest@${LOADTEST}`);
  await install("lite", `filippo.io/torchwood/cmd/litewitness@${LITE}`);
  await install("lite-next", `filippo.io/torchwood/cmd/litewitness@${LITE_NEXT}`);
  const helper = join(programs, "lite-helper");
  await run("go", ["build", "-o", helper, "."], { cwd: join(PROJECT, "test/interop/lite") });

  const folder = await mkdtemp(join(tmpdir(), "writ-interop-"));
  const omni = { program: join(programs, "omni/omniwitness"), keys: join(programs, "omni/generate_keys") };
  await attempt(`omniwitness ${OMNI}, Ed25519`, () =>
    witnessScenario(folder, "omni", omniwitness(omni, false)),
  );
  await attempt(`omniwitness ${OMNI}, ML-DSA-44`, () =>
    witnessScenario(folder, "omni-mldsa", omniwitness(omni, true)),
  );
  for (const [name, version] of [
    ["lite", LITE],
    ["lite-next", LITE_NEXT],
  ] as const)
    await attempt(`litewitness ${version}`, () =>
      witnessScenario(folder, name, litewitness(join(programs, name, "litewitness"), helper)),
    );
  await attempt(`loadtest ${LOADTEST} against writ witness`, () =>
    loadTest(folder, join(programs, "loadtest/loadtest")),
  );
  await attempt("go-cose v1.3.0", () => goCose(programs));
  if (results.every(Boolean)) await rm(folder, { recursive: true, force: true });
}

async function install(name: string, ...paths: readonly string[]): Promise<void> {
  const environment = { ...process.env, GOBIN: join(programs, name) };
  for (const path of paths)
    await run("go", ["install", path], { env: environment, maxBuffer: 64 * 1024 * 1024 });
}
