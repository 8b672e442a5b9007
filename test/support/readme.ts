/** What the README tells people to paste. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "./process.js";

/** The shell block of the README with this word after `sh`. */
export async function readmeBlock(name: string): Promise<string> {
  const readme = await readFile(join(PROJECT, "README.md"), "utf8");
  const block = new RegExp(`\`\`\`sh ${name}\\n([^]*?)\`\`\``).exec(readme)?.[1];
  assert.ok(block, `the README has a block named ${name}`);
  return block;
}
