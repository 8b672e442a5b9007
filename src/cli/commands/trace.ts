/** `trace` and `impact`: the chain behind a record, judged and drawn; and who relied on something. */
import { type LogClient, traceFromTiles, type TilesTrace } from "../../client/index.js";
import { type Policy, policyOfKey } from "../../format/policy.js";
import type { JsonObject } from "../../statement/json.js";
import { type Bundle, bundleBytes } from "../../trace/bundle.js";
import { printable } from "../../trace/draw/text.js";
import { evaluate, type EvaluateOptions } from "../../trace/evaluate.js";
import { parseDecimal } from "../../format/bytes.js";
import {
  type Command,
  type Invocation,
  type Outcome,
  onlyWord,
  STRING,
  usageError,
  type Voice,
} from "../command.js";
import { writeWhole } from "../files.js";
import { JUDGE_OPTIONS, JUDGE_USAGE, judgeOptions, verdictOutcome } from "../judging.js";
import { drawPictures, PICTURE_ABOUT, PICTURE_OPTIONS, PICTURE_USAGE } from "../pictures.js";
import { REMOTE_OPTIONS, trustOf, withClient } from "../remote.js";

export const trace: Command = {
  usage:
    "writ trace ID (--log URL | --from-tiles URL) [--key VKEY | --policy FILE] [--as-of SIZE] [--out BUNDLE.json] " +
    `${PICTURE_USAGE} ${JUDGE_USAGE}`,
  about: `Shows the authority trace of a record (record id, entry hash or index): everything it rests on and everything that bears on it, judged, as a tree. ${PICTURE_ABOUT} --from-tiles reads the whole log and builds the trace itself, trusting nobody's index; of the log it only asks when the entries came in. --checks also shows what passes and what was not asked. Exit 0 only for AUTHORIZED, and for what the --allow- flags name.`,
  options: {
    ...REMOTE_OPTIONS,
    ...JUDGE_OPTIONS,
    ...PICTURE_OPTIONS,
    "from-tiles": STRING,
    "as-of": STRING,
    out: STRING,
  },
  async run(invocation, voice) {
    const ref = onlyWord(invocation, "record id, entry hash or index");
    const asOf = sizeOf(invocation, "as-of");
    const options = judgeOptions(invocation);
    const fromTiles = invocation.text("from-tiles");
    if ((fromTiles === undefined) === (invocation.text("log") === undefined))
      throw usageError("want either --log URL or --from-tiles URL");
    const at = fromTiles === undefined ? invocation : aliased(invocation, fromTiles);
    const trusted = await trustOf(at, voice);
    const policy = trusted.policy ?? policyOfKey(trusted.key);
    const wanted = { asOf, fromTiles: fromTiles !== undefined, witnessed: policy.quorum !== null };
    const fetched = await withClient(at, voice, (client) => fetchBundle(client, ref, wanted, voice), trusted);
    if (fetched.untimed !== null) voice.say(fetched.untimed);
    // Who has read the whole log himself needs nobody's word that this is all.
    return judged(fetched.bundle, policy, invocation, { ...options, complete: wanted.fromTiles });
  },
};

async function fetchBundle(
  client: LogClient,
  ref: string,
  {
    asOf,
    fromTiles,
    witnessed,
  }: { readonly asOf: number | undefined; readonly fromTiles: boolean; readonly witnessed: boolean },
  voice: Voice,
): Promise<TilesTrace> {
  if (!fromTiles)
    return {
      bundle: await client.trace(ref, { witnessed, ...(asOf === undefined ? {} : { asOf }) }),
      untimed: null,
    };
  return traceFromTiles(client, ref, asOf, (done, total) => voice.progress("reading the log", done, total));
}

async function judged(
  bundle: Bundle,
  policy: Policy,
  invocation: Invocation,
  options: EvaluateOptions,
): Promise<Outcome> {
  const verdict = evaluate(bundle, policy, options);
  const out = invocation.text("out");
  if (out !== undefined) await writeWhole(out, bundleBytes(bundle));
  return verdictOutcome(verdict, invocation, await drawPictures(bundle, verdict, policy, invocation));
}

/** The same invocation, with the URL of the tiles as that of the log. */
function aliased(invocation: Invocation, url: string): Invocation {
  return { ...invocation, text: (name) => (name === "log" ? url : invocation.text(name)) };
}

export function sizeOf(invocation: Invocation, name: string): number | undefined {
  const text = invocation.text(name);
  if (text === undefined) return undefined;
  const size = parseDecimal(text);
  if (size === undefined) throw usageError(`--${name}: want a number, got ${text}`);
  return size;
}

export const impact: Command = {
  usage: "writ impact ID --log URL [--key VKEY] [--patience SECONDS]",
  about:
    "Lists everything that relied on something, through all levels, with the path: ID is a record id, an index, a key id, an evidence hash, a policy digest or an action type.",
  options: REMOTE_OPTIONS,
  async run(invocation, voice) {
    const name = onlyWord(invocation, "record id, key id, hash or action type");
    const lines = await withClient(invocation, voice, (client) => client.impact(name));
    const found = lines.filter((line) => line["index"] !== undefined);
    const end = lines.find((line) => line["index"] === undefined) ?? {};
    const more = end["truncated"] === true ? " (there is more than is followed)" : "";
    const note = end["known"] === false ? `${more}; nothing in the log goes by that name` : more;
    const text = [
      ...found.map(lineText),
      `${found.length} relied on it, of ${Number(end["complete_to"])} entries${note}`,
    ];
    return { ok: true, text: text.join("\n"), json: lines };
  },
};

function lineText({ index, type, issuer, via, path, depth }: JsonObject): string {
  const steps = Array.isArray(path) ? path.join(" → ") : "";
  const indent = "  ".repeat(Math.max(0, Math.min(20, Number(depth) - 1)));
  return printable(
    `${indent}#${Number(index)} ${textOf(type)}  ${textOf(issuer)}  by ${textOf(via)}  (${steps})`,
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
