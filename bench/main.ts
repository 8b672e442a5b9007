/** `npm run bench [-- QUESTION…]`: one table a question, each figure beside its baseline from the same run. */
import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";
import { abuse } from "./abuse-questions.js";
import { batches, disk, type Question, raw, type Row, single, sizes, steady } from "./questions.js";
import { receipts, registering } from "./scitt-questions.js";
import { cascade, gateway, kept, lists, restart, revoked, standing } from "./status-questions.js";
import { consume, lookups, typed } from "./trace-questions.js";
import { cosigning, unwaited, witnessed } from "./witness-questions.js";

const QUESTIONS: Readonly<Record<string, Question>> = {
  steady,
  single,
  batches,
  typed,
  consume,
  raw,
  disk,
  witnessed,
  cosigning,
  unwaited,
  standing,
  lists,
  revoked,
  gateway,
  kept,
  restart,
  cascade,
  registering,
  receipts,
  sizes,
  lookups,
  abuse,
};

const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(QUESTIONS);
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"]).toString().trim();
const memory = Math.round(totalmem() / 2 ** 30);
process.stdout.write(
  `${cpus()[0]?.model}, ${cpus().length} cores, ${memory} GiB; Node ${process.version}; commit ${commit}\n`,
);

for (const name of names) {
  const question = QUESTIONS[name];
  if (question === undefined)
    throw new RangeError(`no question ${name}; there are ${Object.keys(QUESTIONS).join(", ")}`);
  process.stdout.write(`\n## ${name}\n\n${table(await question())}`);
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ what, got, reach, baseline, ratio }) => `| ${what} | ${got} | ${reach} | ${baseline} | ${ratio} |\n`,
  );
  return `| question | measured | reach | baseline, same run | ratio |\n|---|---|---|---|---|\n${lines.join("")}`;
}
