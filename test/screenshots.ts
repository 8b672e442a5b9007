/** `npm run screenshots [-- FOLDER]`: each screen of the explorer, over a log that the worked example filled, as PNG. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readFile } from "node:fs/promises";
import { createApp } from "../api/app.js";
import { listen } from "../api/server.js";
import { wireTransfer } from "../src/demo/stories.js";
import { pictureOfPage, skipWithoutBrowser } from "./support/browser.js";
import { logKey } from "./support/log.js";
import { PROJECT } from "./support/process.js";
import { play, START } from "./support/story.js";

if (skipWithoutBrowser !== false) throw new Error(skipWithoutBrowser);
const folder = resolve(process.argv[2] ?? join(PROJECT, "screenshots"));
await mkdir(folder, { recursive: true });
const played = await play(wireTransfer);
const explorer = await readFile(join(PROJECT, "dist/src/page/explorer.js"), "utf8");
const service = { key: logKey, url: () => "http://log.example", now: () => START };
const app = createApp(played.log, { verifierKeys: [logKey], version: "screenshots", explorer, service });
const server = await listen(app, "127.0.0.1", 0);
const screens: readonly (readonly [string, string])[] = [
  ["home", ""],
  ["entry", "#/entry/22"],
  ["trace", `#/trace/${played.stage.id("receipt")}`],
  ["search", "#/search?type=approval"],
  ["impact", `#/impact/${played.stage.id("profile")}`],
  ["approve", `#/approve/${played.stage.id("request")}`],
  ["open", "#/open"],
  ["status", "#/status/0"],
  ["witnesses", "#/witnesses"],
  ["file", "#/file"],
  ["trust", "#/trust"],
];
/** Shown, and its rows verified. */
const READY = `document.querySelector("h1") && !document.querySelector("[role=status]:not(:empty)") && ![...document.querySelectorAll("td span")].some(({ textContent }) => textContent === "…")`;
for (const [name, hash] of screens) {
  const file = join(folder, `${name}.png`);
  await writeFile(file, await pictureOfPage(`http://127.0.0.1:${server.port}/${hash}`, READY));
  process.stdout.write(`${file}\n`);
}
await server.close();
await played.log.close();
