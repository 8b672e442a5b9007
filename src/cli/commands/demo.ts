/** The worked examples, played against a log as gateways, policy engine, approvers and executors would, and judged. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../../api/app.js";
import { listen } from "../../../api/server.js";
import { LogClient } from "../../client/index.js";
import { Stage, type Story } from "../../demo/stage.js";
import { STORIES } from "../../demo/stories.js";
import { type Twist, TWISTS } from "../../demo/twists.js";
import { WritError } from "../../errors.js";
import { policyOfKey } from "../../format/policy.js";
import type { VerifierKey } from "../../format/vkey.js";
import { Log } from "../../log/log.js";
import { bundleBytes } from "../../trace/bundle.js";
import { type Picture, pictureOf } from "../../trace/draw/model.js";
import { svg } from "../../trace/draw/svg.js";
import { textTree } from "../../trace/draw/tree.js";
import { evaluate, type TraceVerdict } from "../../trace/evaluate.js";
import type { Bundle } from "../../trace/bundle.js";
import { type Command, type Invocation, required, STRING, usageError, type Voice } from "../command.js";
import { writeWhole } from "../files.js";
import { initFolder, keyFile, openFolder } from "../folder.js";
import { type NamedSigner, readSigner } from "../key-files.js";
import { pinnedKey, REMOTE_OPTIONS } from "../remote.js";
import { version } from "../version.js";

export const demo: Command = {
  usage: "writ demo [--log URL --registrar FILE [--key VKEY]] [--out DIR]",
  about:
    "Plays the worked examples (a wire transfer, a staging clean-up, a retention campaign) and shows each trace, verdict and picture; then the same stories each with one change, and what is found. Without --log it starts a log of its own in a temporary folder. --out keeps the bundles and pictures.",
  options: { ...REMOTE_OPTIONS, registrar: STRING, out: STRING },
  async run(invocation, voice) {
    if (invocation.words.length > 0) throw usageError("want no words here");
    const theatre = await openTheatre(invocation, voice);
    try {
      return await perform(theatre, invocation.text("out"), voice);
    } finally {
      await theatre.close();
    }
  },
};

/** A log to play against. */
interface Theatre {
  readonly client: LogClient;
  readonly key: VerifierKey;
  readonly registrar: NamedSigner;
  /** A log of the demo's own: nobody else's names can be in the way. */
  readonly isOwn: boolean;
  close(): Promise<void>;
}

interface Told {
  readonly text: string;
  readonly verdict: TraceVerdict;
}

async function perform(theatre: Theatre, out: string | undefined, voice: Voice) {
  const told: string[] = [];
  const results: object[] = [];
  let wrong = 0;
  for (const story of STORIES) {
    const { text, verdict } = await tell(theatre, story, out);
    told.push(`## ${story.title}`, "", text, "");
    results.push({ story: story.name, title: story.title, want: "AUTHORIZED", verdict: verdict.verdict });
    if (verdict.verdict !== "AUTHORIZED") wrong++;
  }
  told.push(`## The same stories, each with one change: ${TWISTS.length} of them`, "");
  for (const [i, twist] of TWISTS.entries()) {
    const { line, json, ok } = await tellTwist(theatre, twist);
    told.push(line);
    results.push(json);
    if (!ok) wrong++;
    voice.progress("playing", i + 1, TWISTS.length);
  }
  told.push("", wrong === 0 ? "All of it came out as it must." : `${wrong} did not come out as they must.`);
  return { ok: wrong === 0, text: told.join("\n"), json: { ok: wrong === 0, results } };
}

async function tell(theatre: Theatre, story: Story, out: string | undefined): Promise<Told> {
  const bundle = await played(theatre, story, 0, theatre.isOwn ? "" : nonce());
  const verdict = judge(theatre, bundle);
  const picture: Picture = pictureOf(bundle, verdict);
  if (out !== undefined) {
    await writeWhole(join(out, `${story.name}.bundle.json`), bundleBytes(bundle));
    await writeWhole(join(out, `${story.name}.svg`), svg(picture));
  }
  return { text: textTree(picture), verdict };
}

async function tellTwist(
  theatre: Theatre,
  twist: Twist,
): Promise<{ line: string; json: object; ok: boolean }> {
  const { story, title, finds, refused, ago = 0 } = twist;
  const want = refused === undefined ? [twist.verdict, ...finds] : [refused];
  const got = await outcomeOf(theatre, twist, ago);
  const ok = want.every((word) => got.includes(word));
  const line = `${ok ? "ok   " : "WRONG"} ${story.name}: ${title} → ${got.join(" ")}${ok ? "" : ` (want ${want.join(" ")})`}`;
  return { line, json: { story: story.name, title, want, got, ok }, ok };
}

/** The verdict and the codes of what was found; or the code with which the log refused a step. */
async function outcomeOf(theatre: Theatre, { story }: Twist, ago: number): Promise<string[]> {
  try {
    const verdict = judge(theatre, await played(theatre, story, ago, nonce()));
    return [verdict.verdict, ...new Set(verdict.findings.flatMap(({ code }) => code ?? []))];
  } catch (error) {
    if (!(error instanceof WritError) || error.facts.refusal === undefined) throw error;
    return [error.facts.refusal];
  }
}

function nonce(): string {
  return randomBytes(4).toString("hex");
}

async function played(
  { client, registrar, key }: Theatre,
  story: Story,
  ago: number,
  tag: string,
): Promise<Bundle> {
  const seeds = new Map<string, Uint8Array>();
  const stage = new Stage(story, {
    start: Date.now() - ago * 1000,
    tag,
    seed: (party) => {
      const seed = seeds.get(party) ?? new Uint8Array(randomBytes(32));
      seeds.set(party, seed);
      return seed;
    },
    registrar: { id: registrar.keyName ?? key.name, signer: registrar },
    logOrigin: key.name,
  });
  await stage.play((statement) => client.submit(statement));
  return client.trace(stage.id(story.subject));
}

function judge({ key }: Theatre, bundle: Bundle): TraceVerdict {
  // Past the expiry of the one grant whose missing receipt is a story of its own.
  return evaluate(bundle, policyOfKey(key), { at: Date.now() + 600_000 });
}

async function openTheatre(invocation: Invocation, voice: Voice): Promise<Theatre> {
  const url = invocation.text("log");
  if (url !== undefined) {
    const registrar = await readSigner(required(invocation, "registrar"));
    const key = await pinnedKey(invocation, voice);
    const client = new LogClient({ url, key });
    return { client, key, registrar, isOwn: false, close: () => client.close() };
  }
  const place = await mkdtemp(join(tmpdir(), "writ-demo-"));
  const folder = join(place, "log");
  await initFolder(folder, "localhost/demo", "registered", new Date());
  const { store, key } = await openFolder(folder);
  const log = await Log.open(store, { key });
  const server = await listen(createApp(log, { verifierKeys: [key], version: version() }), "127.0.0.1", 0);
  voice.say(`playing against a log of its own at http://${server.host}:${server.port}`);
  const client = new LogClient({ url: `http://${server.host}:${server.port}`, key });
  return {
    client,
    key,
    registrar: await readSigner(keyFile(folder, "registrar")),
    isOwn: true,
    close: async () => {
      await client.close();
      await server.close();
      await log.close();
      await rm(place, { recursive: true, force: true });
    },
  };
}
