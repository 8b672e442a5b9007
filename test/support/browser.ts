/** A real browser, where there is one: Chromium without a window. */
import { execFile } from "node:child_process";
import { accessSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const CHROMIUM = pathOf(NAMES);
export const PDFTOTEXT = pathOf(["pdftotext"]);

/** For `skip`: why a test with a browser is not run; false where it is. */
export const skipWithoutBrowser =
  CHROMIUM === null ? "no Chromium here: .ci/run installs one (apt-get install chromium)" : false;
export const skipWithoutPdf =
  CHROMIUM === null || PDFTOTEXT === null
    ? "no Chromium, or no pdftotext here: .ci/run installs them (chromium, poppler-utils)"
    : false;

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

/** What a page is when its scripts have run: its DOM as HTML. `more`: further arguments of the browser. */
export async function domOf(url: string, ...more: readonly string[]): Promise<string> {
  return browse("--dump-dom", url, more);
}

export async function printPage(url: string, pdf: string): Promise<void> {
  await browse(`--print-to-pdf=${pdf}`, url, ["--no-pdf-header-footer"]);
}

export async function pictureOfPage(url: string, png: string): Promise<void> {
  await browse(`--screenshot=${png}`, url, ["--window-size=1000,1300", "--hide-scrollbars"]);
}

/** Without a network: nothing but files can be had. */
async function browse(what: string, url: string, more: readonly string[]): Promise<string> {
  const profile = await mkdtemp(join(tmpdir(), "writ-browser-"));
  const { stdout } = await run(
    CHROMIUM ?? "chromium",
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      `--user-data-dir=${profile}`,
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      "--virtual-time-budget=8000",
      ...more,
      what,
      url,
    ],
    { maxBuffer: 64 * 1024 * 1024, timeout: 90_000 },
  );
  return stdout;
}
