/** A real browser, where there is one: Chromium without a window. */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { accessSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { WebSocket } from "undici";

/** Without a network: nothing but files and this machine can be had. */
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const CHROMIUM = working(pathOf(NAMES));
export const PDFTOTEXT = pathOf(["pdftotext"]);

/** For `skip`: why a test with a browser is not run; false where it is. */
export const skipWithoutBrowser =
  CHROMIUM === null ? "no Chromium that runs here: .ci/run installs one (apt-get install chromium)" : false;
export const skipWithoutPdf =
  CHROMIUM === null || PDFTOTEXT === null
    ? "no Chromium, or no pdftotext here: .ci/run installs them (chromium, poppler-utils)"
    : false;

/** One that cannot open an empty page here is none. */
function working(path: string | null): string | null {
  if (path === null) return null;
  try {
    execFileSync(path, [...FLAGS, "--dump-dom", "about:blank"], { stdio: "ignore", timeout: 30_000 });
    return path;
  } catch {
    return null;
  }
}

function pathOf(names: readonly string[]): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(":"))
    for (const name of names)
      try {
        accessSync(join(folder, name));
        return join(folder, name);
      } catch {
        // The next one.
      }
  return null;
}

const run = promisify(execFile);
/** Every page of ours is done within it, on a machine that does other things too. */
const MAX_MS = 60_000;
const POLL_MS = 50;
const WINDOW = ["--window-size=1000,1300", "--hide-scrollbars"];

/** What a page is once `ready`, an expression in it, is true: its DOM as HTML. As it is after a minute, where it never was. */
export async function domOf(url: string, ready = "true"): Promise<string> {
  return once(url, ready, async (page) => page.value("document.documentElement.outerHTML"));
}

/** The same, as a picture: PNG, of a window of 1,000 by 1,300. */
export async function pictureOfPage(url: string, ready: string): Promise<Uint8Array> {
  return once(url, ready, async (page) => {
    const { result } = await page.ask("Page.captureScreenshot", { format: "png" });
    return Buffer.from(result?.data ?? "", "base64");
  });
}

async function once<T>(url: string, ready: string, use: (page: Page) => Promise<T>): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), "writ-browser-"));
  const child = spawn(
    CHROMIUM ?? "chromium",
    [...FLAGS, ...WINDOW, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  try {
    const page = await Page.open(await portOf(child));
    await page.ask("Page.navigate", { url });
    const until = Date.now() + MAX_MS;
    while (Date.now() < until && !(await page.isTrue(`document.readyState === "complete" && (${ready})`)))
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    return await use(page);
  } finally {
    child.kill("SIGKILL");
  }
}

async function portOf(child: ChildProcess): Promise<string> {
  let said = "";
  return new Promise((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const [, port] = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said) ?? [];
      if (port !== undefined) resolve(port);
    });
    child.once("exit", () => reject(new Error(said)));
  });
}

/** A tab, by the DevTools protocol. */
class Page {
  private nextId = 1;
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  private constructor(private readonly socket: WebSocket) {
    socket.addEventListener("message", ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      this.waiting.get(answer.id)?.(answer);
    });
  }

  static async open(port: string): Promise<Page> {
    const response = await fetch(`http://127.0.0.1:${port}/json/new?about:blank`, { method: "PUT" });
    const { webSocketDebuggerUrl: url } = (await response.json()) as { webSocketDebuggerUrl: string };
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", reject);
    });
    return new Page(socket);
  }

  async ask(method: string, params: object): Promise<Answer> {
    const id = this.nextId++;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  async isTrue(expression: string): Promise<boolean> {
    return (await this.evaluate(`Boolean(${expression})`)) === true;
  }

  async value(expression: string): Promise<string> {
    return String(await this.evaluate(expression));
  }

  private async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.ask("Runtime.evaluate", { expression, returnByValue: true });
    return result?.result?.value;
  }
}

interface Answer {
  readonly id: number;
  readonly result?: { readonly result?: { readonly value?: unknown }; readonly data?: string };
}

/** To paper, once the page has been still for a while. */
export async function printPage(url: string, pdf: string): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), "writ-browser-"));
  const still = ["--virtual-time-budget=8000", "--no-pdf-header-footer"];
  const args = [...FLAGS, `--user-data-dir=${profile}`, ...still, `--print-to-pdf=${pdf}`, url];
  await run(CHROMIUM ?? "chromium", args, { timeout: 90_000 });
}
