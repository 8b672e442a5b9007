/** The worked examples, played against a log as gateways, policy engine, approvers and executors would, and judged. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../../api/app.js";
import { listen } from "../../../api/server.js";
import { LogClient } from "../../client/index.js";
import { Stage, type Story } from "../../demo/stage.js";
import { sdJwtVc, verifiableCredential } from "../../demo/credentials.js";
import { stagingCleanUp, STORIES } from "../../demo/stories.js";
import { type Twist, TWISTS } from "../../demo/twists.js";
import { WritError } from "../../errors.js";
import { policyOfKey } from "../../format/policy.js";
import type { VerifierKey } from "../../format/vkey.js";
import { LIST_ENTRIES, listOf, readBits, REVOKED, VALID } from "../../index/bits.js";
import { openLog } from "../../log/open.js";
import { buildRecord } from "../../record/build.js";
import { RECORD_MEDIA_TYPE } from "../../record/record.js";
import { signDsse } from "../../statement/sign.js";
import { openStatusListJwt } from "../../status-list/token.js";
import { bundleBytes } from "../../trace/bundle.js";
import { type Picture, pictureOf } from "../../trace/draw/model.js";
import { svg } from "../../trace/draw/svg.js";
import { textTree } from "../../trace/draw/tree.js";
import { type TraceVerdict } from "../../trace/answer.js";
import { evaluate } from "../../trace/evaluate.js";
import type { Bundle } from "../../trace/bundle.js";
import {
  type Command,
  FLAG,
  type Invocation,
  type Outcome,
  required,
  STRING,
  usageError,
  type Voice,
} from "../command.js";
import { writeWhole } from "../files.js";
import { initFolder, keyFile, openFolder } from "../folder.js";
import { type NamedSigner, readSigner } from "../key-files.js";
import { firstSignal, urlOf } from "../listen.js";
import { pageScript } from "../page-script.js";
import { pinnedKey, REMOTE_OPTIONS } from "../remote.js";
import { version } from "../version.js";

export const demo: Command = {
  usage: "writ demo [--open | --log URL --registrar FILE [--key VKEY]] [--out DIR]",
  about:
    "Plays the worked examples (a wire transfer, a staging clean-up, a retention campaign) and shows each trace, verdict and picture; a grant as two credentials, before and after it is revoked; then the same stories each with one change, and what is found. Without --log it starts a log of its own in a temporary folder. --out keeps the bundles, pictures and credentials. --open plays the examples and one that went wrong, says where they are to be looked at in a browser, and waits.",
  options: { ...REMOTE_OPTIONS, registrar: STRING, out: STRING, open: FLAG },
  async run(invocation, voice) {
    if (invocation.words.length > 0) throw usageError("want no words here");
    const theatre = await openTheatre(invocation, voice);
    try {
      if (invocation.flag("open")) return await exhibit(theatre, voice);
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
  /** Where it is to be looked at. */
  readonly url: string;
  close(): Promise<void>;
}

interface Told {
  readonly text: string;
  readonly verdict: TraceVerdict;
}

/** The examples, and one that went wrong, to be looked at until somebody ends it. */
async function exhibit(theatre: Theatre, voice: Voice): Promise<Outcome> {
  if (!theatre.isOwn) throw usageError("--open shows a log of its own: the page of another is at its URL");
  voice.say(`the log's page: ${theatre.url}/`);
  const wrong = TWISTS.filter(({ title }) => title === "an expired grant").map(({ story, title }) => ({
    ...story,
    title,
  }));
  for (const story of [...STORIES, ...wrong]) {
    const isPlain = story.name !== "essay-drop" && !wrong.includes(story);
    const bundle = await played(theatre, story, isPlain ? "" : nonce());
    voice.say(
      `${judge(theatre, bundle).verdict}: ${story.title}\n  ${theatre.url}/#/trace/${bundle.subject}`,
    );
  }
  voice.say("Ctrl-C ends it, and the log with it");
  await firstSignal();
  return { ok: true, json: { url: theatre.url } };
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
  const credentials = await tellCredentials(theatre, out);
  told.push("## A grant as a credential for stock wallets and verifiers", "", credentials.text, "");
  results.push(credentials.json);
  if (!credentials.ok) wrong++;
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

/** A grant issued as two credentials that point at its entry in the status lists, before and after it is taken back. */
async function tellCredentials(
  { client, registrar, key }: Theatre,
  out: string | undefined,
): Promise<{ text: string; json: object; ok: boolean }> {
  const { url } = await client.description();
  if (typeof url !== "string")
    return { text: "this log has no status lists", json: { credentials: null }, ok: true };
  const steps = stagingCleanUp.steps.filter(({ name }) => !["consumption", "receipt"].includes(name));
  const stage = stageOf({ ...stagingCleanUp, steps }, nonce(), registrar, key);
  await stage.play((statement) => client.submit(statement));
  const grant = {
    id: stage.id("child-grant"),
    index: stage.index("child-grant"),
    audience: stage.party("executor").id,
    expiry: new Date(Date.now() + 600_000).toISOString(),
  };
  const issue = { grant, logUrl: url, key: stage.key("authority"), now: Date.now() };
  const [vc, sdJwt] = [JSON.stringify(verifiableCredential(issue), null, 2), sdJwtVc(issue)];
  if (out !== undefined) {
    await writeWhole(join(out, "grant.vc.json"), `${vc}\n`);
    await writeWhole(join(out, "grant.sd-jwt"), `${sdJwt}\n`);
  }
  const bits = async (): Promise<number> => {
    const list = openStatusListJwt(await client.statusList(listOf(grant.index)), key);
    return readBits(list.bits, grant.index % LIST_ENTRIES);
  };
  const before = await bits();
  const { bytes } = buildRecord("revocation", {
    issuer: stage.party("authority").id,
    issued_at: new Date().toISOString(),
    target: stage.ref("capability-grant", "child-grant"),
    action: "revoke",
    reason: "the demo is over",
  });
  await client.submit(signDsse(RECORD_MEDIA_TYPE, bytes, stage.signer("authority")));
  const after = await bits();
  const files = out === undefined ? "" : ` (grant.vc.json and grant.sd-jwt in ${out})`;
  return {
    text:
      `entry ${grant.index}, as a W3C credential and as an SD-JWT VC${files}, status at ${url}/v1/status/lists/${listOf(grant.index)}:\n` +
      `before the revocation ${before} (valid), after it ${after} (invalid)`,
    json: { credentials: { index: grant.index, before, after } },
    ok: before === VALID && after === REVOKED,
  };
}

async function tell(theatre: Theatre, story: Story, out: string | undefined): Promise<Told> {
  // Two of the stories speak of one action type, and an action type has one owner.
  const isPlain = theatre.isOwn && story.name !== "essay-drop";
  const bundle = await played(theatre, story, isPlain ? "" : nonce());
  const verdict = judge(theatre, bundle);
  const picture: Picture = pictureOf(bundle, verdict);
  if (out !== undefined) {
    await writeWhole(join(out, `${story.name}.bundle.json`), bundleBytes(bundle));
    await writeWhole(join(out, `${story.name}.svg`), svg(picture));
  }
  return { text: [verdict.sentence, "", textTree(picture)].join("\n"), verdict };
}

async function tellTwist(
  theatre: Theatre,
  twist: Twist,
): Promise<{ line: string; json: object; ok: boolean }> {
  const { story, title, finds, refused } = twist;
  const want = refused === undefined ? [twist.verdict, ...finds] : [refused];
  const { got, sentence } = await outcomeOf(theatre, twist);
  const ok = want.every((word) => got.includes(word));
  const line = `${ok ? "ok   " : "WRONG"} ${story.name}: ${title} → ${got.join(" ")}${ok ? "" : ` (want ${want.join(" ")})`}${sentence === "" ? "" : `\n      ${sentence}`}`;
  return { line, json: { story: story.name, title, want, got, ok, sentence }, ok };
}

/** The verdict and the codes of what was found, with the sentence that a person would have written; or the code with which the log refused a step. */
async function outcomeOf(
  theatre: Theatre,
  { story }: Twist,
): Promise<{ readonly got: readonly string[]; readonly sentence: string }> {
  try {
    const verdict = judge(theatre, await played(theatre, story, nonce()));
    const codes = new Set(verdict.findings.flatMap(({ code }) => code ?? []));
    return { got: [verdict.verdict, ...codes], sentence: verdict.sentence };
  } catch (error) {
    if (!(error instanceof WritError) || error.facts.refusal === undefined) throw error;
    return { got: [error.facts.refusal], sentence: "" };
  }
}

function nonce(): string {
  return randomBytes(4).toString("hex");
}

async function played({ client, registrar, key }: Theatre, story: Story, tag: string): Promise<Bundle> {
  const stage = stageOf(story, tag, registrar, key);
  await stage.play((statement) => client.submit(statement));
  return client.trace(stage.id(story.subject));
}

function stageOf(story: Story, tag: string, registrar: NamedSigner, key: VerifierKey): Stage {
  const seeds = new Map<string, Uint8Array>();
  return new Stage(story, {
    start: Date.now(),
    tag,
    seed: (party) => {
      const seed = seeds.get(party) ?? new Uint8Array(randomBytes(32));
      seeds.set(party, seed);
      return seed;
    },
    registrar: { id: registrar.keyName ?? key.name, signer: registrar },
    logOrigin: key.name,
  });
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
    return { client, key, registrar, isOwn: false, url, close: () => client.close() };
  }
  const place = await mkdtemp(join(tmpdir(), "writ-demo-"));
  const folder = join(place, "log");
  await initFolder(folder, "localhost/demo", "registered", new Date());
  const { store, key } = await openFolder(folder);
  const log = await openLog(store, { key });
  let own = "";
  const service = { key, url: () => own, now: Date.now };
  const app = createApp(log, {
    verifierKeys: [key],
    version: version(),
    service,
    explorer: await pageScript("explorer"),
  });
  const server = await listen(app, "127.0.0.1", 0);
  own = urlOf(server);
  voice.say(`playing against a log of its own at ${own}`);
  const client = new LogClient({ url: own, key });
  return {
    client,
    key,
    registrar: await readSigner(keyFile(folder, "registrar")),
    isOwn: true,
    url: own,
    close: async () => {
      await client.close();
      await server.close();
      await log.close();
      await rm(place, { recursive: true, force: true });
    },
  };
}
