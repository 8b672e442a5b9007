/** The scripts of our pages, as they were built. */
import { readFile } from "node:fs/promises";

export async function pageScript(name: "report" | "explorer"): Promise<string> {
  return readFile(new URL(`../page/${name}.js`, import.meta.url), "utf8");
}
