/** The real command in real processes: started, talked to, killed. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const PROJECT = resolve(import.meta.dirname, "../../..");
export const MAIN = join(PROJECT, "dist/src/cli/main.js");

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "writ-test-"));
}

/** Runs a command to its end; its state (remembered checkpoints) stays in the folder. */
export async function run(
  folder: string,
  command: string,
  args: readonly string[],
  {
    input = "",
    env = process.env,
    state = join(folder, "state"),
  }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly state?: string } = {},
): Promise<Ran> {
  return new Promise((done) => {
    const environment = { ...env, XDG_STATE_HOME: state };
    const child = execFile(
      command,
      args,
      { cwd: folder, env: environment, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        done({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      },
    );
    // A command may end without having read what it was given.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

export async function writ(folder: string, ...args: readonly string[]): Promise<Ran> {
  return run(folder, process.execPath, [MAIN, ...args]);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve_) => server.listen(0, "127.0.0.1", resolve_));
  const address = server.address();
  await new Promise((resolve_) => server.close(resolve_));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A log, in the folder `log` of this one, in a process of its own. */
export async function startLog(
  folder: string,
  port: number,
  ...args: readonly string[]
): Promise<ChildProcess> {
  return startIn(folder, "serve", "log", "--create", "--listen", `127.0.0.1:${port}`, ...args);
}

/** A witness, in the folder of this name, in a process of its own. */
export async function startWitness(folder: string, name: string, port: number): Promise<ChildProcess> {
  return startIn(folder, "witness", "serve", name, "--listen", `127.0.0.1:${port}`);
}

/** Resolves when it says that it is up; rejects with what it said when it is not. */
export async function startIn(folder: string, ...args: readonly string[]): Promise<ChildProcess> {
  const child = own(
    spawn(process.execPath, [MAIN, ...args], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    }),
  );
  let said = "";
  await new Promise<void>((up, down) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(" is up at ")) up();
    });
    child.once("exit", () => down(new Error(said)));
  });
  return child;
}

const owned = new Set<ChildProcess>();
process.once("exit", () => owned.forEach((child) => child.kill("SIGKILL")));

/** A child that does not outlive this process. */
export function own<C extends ChildProcess>(child: C): C {
  owned.add(child);
  child.once("exit", () => owned.delete(child));
  return child;
}

/** Sends a signal and resolves with the exit code, or the signal's name when that ended it. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string | null> {
  const exited = new Promise<number | string | null>((resolve_) =>
    child.once("exit", (code, by) => resolve_(code ?? by)),
  );
  child.kill(signal);
  return exited;
}
