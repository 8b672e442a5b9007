/**
 * `npm run interop`: other people's witnesses, unmodified, against a running log, and their load test against our witness.
 * Needs Go and its module proxy; says what it skipped without them. Exit 0 when all that ran has passed.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PROJECT } from "../support/process.js";
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

const problem = await whyNoGo();
if (problem !== null) {
  console.log(`skipped: omniwitness, litewitness and loadtest (${problem})`);
} else process.exitCode = await all();

async function whyNoGo(): Promise<string | null> {
  try {
    await run("go", ["version"]);
    return null;
  } catch {
    return "there is no go command here";
  }
}

async function all(): Promise<number> {
  const programs = join(PROJECT, "dist", "interop");
  await mkdir(programs, { recursive: true });
  console.log("building the programs at their pinned versions");
  await install(programs, "omni", `${COMMANDS}/omniwitness@${OMNI}`, `${COMMANDS}/generate_keys@${OMNI}`);
  await install(programs, "loadtest", `${COMMANDS}/loadtest@${LOADTEST}`);
  await install(programs, "lite", `filippo.io/torchwood/cmd/litewitness@${LITE}`);
  await install(programs, "lite-next", `filippo.io/torchwood/cmd/litewitness@${LITE_NEXT}`);
  const helper = join(programs, "lite-helper");
  await run("go", ["build", "-o", helper, "."], { cwd: join(PROJECT, "test/interop/lite") });

  const folder = await mkdtemp(join(tmpdir(), "writ-interop-"));
  const results: boolean[] = [];
  const attempt = async (name: string, what: () => Promise<string>): Promise<void> => {
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
  };
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
  if (results.every(Boolean)) await rm(folder, { recursive: true, force: true });
  const passed = results.filter(Boolean).length;
  console.log(`${passed} passed, ${results.length - passed} failed`);
  return passed === results.length ? 0 : 1;
}

async function install(programs: string, name: string, ...paths: readonly string[]): Promise<void> {
  const environment = { ...process.env, GOBIN: join(programs, name) };
  for (const path of paths)
    await run("go", ["install", path], { env: environment, maxBuffer: 64 * 1024 * 1024 });
}
