/** `monitor`: a log followed for ever, or looked at once, by somebody who does not trust it. */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../../durable.js";
import { type Evidence, formatEvidence } from "../../format/evidence.js";
import { ED25519, formatVerifierKey, type SigningKey } from "../../format/vkey.js";
import { eventText } from "../../monitor/events.js";
import { parseFilter } from "../../trace/filter.js";
import { LogReader } from "../../monitor/log-reader.js";
import { loadState, stateFile } from "../../monitor/memory.js";
import { Mirror } from "../../monitor/mirror.js";
import { Monitor } from "../../monitor/monitor.js";
import { Outbox, type Receiver } from "../../monitor/outbox.js";
import { execHook, webhook } from "../../monitor/receivers.js";
import { LevelStore } from "../../store/level.js";
import {
  type Command,
  FLAG,
  type Invocation,
  type ResultLine,
  STRING,
  usageError,
  type Voice,
} from "../command.js";
import { unreadable, writeWhole } from "../files.js";
import { LineQueue } from "../lines.js";
import { newSigningKey, readSigningKey, writeKeyPair } from "../key-files.js";
import { type Trust, trustOf } from "../remote.js";
import type { Policy } from "../../format/policy.js";
import { millisecondsOf } from "../seconds.js";
import { stateFolder } from "../state-folder.js";

const DEFAULT_INTERVAL_S = 30;
const DEFAULT_SILENCE_S = 600;
/** How long one question is put again to a log that does not answer. */
const DEFAULT_PATIENCE_S = 10;
/** New entries are taken in for so long before everything else is looked at again. */
const MAX_BUDGET_MS = 20_000;

export const monitor: Command = {
  usage:
    "writ monitor URL (--key VKEY | --policy FILE) [--once] [--interval SECONDS] [--silence SECONDS] [--patience SECONDS] [--mirror URL…] [--witness-at NAME=URL…] [--alert FILTER…] [--exec COMMAND] [--webhook URL [--allow-private]] [--state DIR]",
  about: `Follows a log as someone who does not trust it: each checkpoint against the last, each new entry downloaded, its signatures and admission judged again, the root rebuilt, and what the policy's witnesses and the --mirror URLs hold for the same origin compared. It works on any C2SP log and on a static copy: what only questions could tell (times, status) is then said not to be checked. --witness-at: where a witness of the policy shows what it holds, if not where it takes checkpoints. Reports forks (with a file that writ verify takes as proof), rollbacks, entries that should not be there, states that the entries do not justify, and silence. --alert tells of every entry that matches ("all", or name=value[,name=value]: type, issuer, signer, subject, action_type, trace_id, target, linked, …), with its proof. --exec and --webhook are told each event, again and again until they take it; the webhook is signed by DIR/webhook.key. Looks every ${DEFAULT_INTERVAL_S} s; --once looks once, for cron. Keeps a copy of the log in DIR. Exit 1 when there was a finding.`,
  options: {
    key: STRING,
    policy: STRING,
    once: FLAG,
    interval: STRING,
    silence: STRING,
    patience: STRING,
    mirror: { type: "string", multiple: true },
    "witness-at": { type: "string", multiple: true },
    alert: { type: "string", multiple: true },
    exec: STRING,
    webhook: STRING,
    "allow-private": FLAG,
    state: STRING,
  },
  async run(invocation, voice) {
    const [url, ...rest] = invocation.words;
    if (url === undefined || rest.length > 0) throw usageError("want the URL of one log");
    if (invocation.text("key") === undefined && invocation.text("policy") === undefined)
      throw usageError("want --key VKEY or --policy FILE: a monitor does not take the log's own word");
    const plan = {
      url,
      once: invocation.flag("once"),
      intervalMs: millisecondsOf(invocation, "interval", DEFAULT_INTERVAL_S),
      silenceMs: millisecondsOf(invocation, "silence", DEFAULT_SILENCE_S),
      patienceMs: millisecondsOf(invocation, "patience", DEFAULT_PATIENCE_S),
      filters: invocation.texts("alert").map((text) => parseFilter(text)),
      mirrors: invocation.texts("mirror"),
      trust: await trustOf(withLog(invocation, url), voice),
      witnessAt: new Map(invocation.texts("witness-at").map(placeOf)),
    };
    const names = new Set(plan.trust.policy?.witnesses.map(({ name }) => name));
    for (const name of plan.witnessAt.keys())
      if (!names.has(name))
        throw usageError(
          `--witness-at ${name}: want the name of a witness line of the policy (--policy FILE)`,
        );
    const folder = invocation.text("state") ?? defaultFolder(plan.trust, voice);
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw unreadable(folder, error);
    });
    const receivers = await receiversOf(invocation, folder, plan.trust);
    return { ok: true, json: null, lines: watch(plan, folder, receivers, voice) };
  },
};

interface Plan {
  readonly url: string;
  readonly once: boolean;
  readonly intervalMs: number;
  readonly silenceMs: number;
  readonly patienceMs: number;
  readonly filters: readonly ReturnType<typeof parseFilter>[];
  readonly mirrors: readonly string[];
  readonly trust: Trust;
  readonly witnessAt: ReadonlyMap<string, string>;
}

/** `NAME=URL`. */
function placeOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  const url = text.slice(at + 1);
  if (at < 1 || !/^https?:\/\/\S+$/.test(url)) throw usageError(`--witness-at ${text}: want NAME=URL`);
  return [text.slice(0, at), url];
}

/** Events as they come; true at the end when nothing that was found stands. */
async function* watch(
  plan: Plan,
  folder: string,
  receivers: readonly Receiver[],
  voice: Voice,
): AsyncGenerator<ResultLine, boolean | null> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const lines = new LineQueue();
  const printed: Receiver = {
    name: "output",
    deliver: (_, event) => lines.push({ text: eventText(event), json: event }),
  };
  const watching = follow(plan, folder, [printed, ...receivers], stop.signal, voice, (line) =>
    lines.push(line),
  ).finally(() => lines.end());
  // Looked at when the lines have ended.
  watching.catch(() => {});
  yield* lines;
  return watching;
}

/** What a single look came to, in a line. */
function lineOf(url: string, { seen, clean, unchecked }: Monitor, policy: Policy | null): ResultLine {
  if (typeof seen === "string" && !clean)
    return { text: `NOT CLEAN: ${seen}`, json: { clean, url, why: seen } };
  if (typeof seen === "string") {
    const text = `nothing could be read of ${url}: ${seen}`;
    return { text, json: { clean: null, url, why: seen } };
  }
  const { size, cosignedBy, before } = seen;
  const nobody =
    policy === null ? "nobody that was asked about (--policy names witnesses)" : "no witness of the policy";
  const cosigned = cosignedBy.length === 0 ? nobody : cosignedBy.join(" ");
  const stale = before === null ? "" : ` (an older copy: it showed ${before.toLocaleString("en")} before)`;
  const left = unchecked.length === 0 ? "" : `; not checked: ${unchecked.join(", ")}`;
  const text = `${clean ? "clean" : "NOT CLEAN"}: ${size.toLocaleString("en")} entries${stale}, cosigned by ${cosigned}${left}`;
  return {
    text,
    json: { clean, size, cosigned_by: cosignedBy, not_checked: unchecked, showed_before: before },
  };
}

/** Passes until it is over; what each finds goes to the receivers. True when nothing stands at the end. */
async function follow(
  plan: Plan,
  folder: string,
  receivers: readonly Receiver[],
  stop: AbortSignal,
  voice: Voice,
  say: (line: ResultLine) => Promise<void>,
): Promise<boolean | null> {
  const { key, policy } = plan.trust;
  const store = await openStore(join(folder, "db"));
  const state = await loadState(folder);
  const reader = new LogReader(plan.url, plan.patienceMs, stop);
  const trouble = (name: string, why: string): void =>
    voice.say(`the ${name} did not take an event, which is kept and tried again: ${why}`);
  const outbox = new Outbox(join(folder, "outbox"), receivers, Date.now, trouble, stop);
  const saveState = (): Promise<void> => writeWhole(stateFile(folder), `${JSON.stringify(state, null, 2)}\n`);
  const following = new Monitor({
    key,
    policy,
    reader,
    mirror: await Mirror.open(store, key),
    state,
    saveState,
    mirrors: plan.mirrors,
    witnessAt: plan.witnessAt,
    filters: plan.filters,
    silenceMs: plan.silenceMs,
    budgetMs: Math.min(plan.intervalMs, MAX_BUDGET_MS),
    now: Date.now,
    kept: keptIn(join(folder, "checkpoint")),
    keepEvidence: (evidence) => keepEvidence(folder, evidence),
    report: async (events) => {
      await outbox.put(events);
      outbox.kick();
    },
    progress: (done, total) => voice.progress("reading the log", done, total),
  });
  try {
    for (;;) {
      const done = await following.pass().catch((error: unknown) => {
        if (!stop.aborted) throw error;
        return true;
      });
      if (plan.once && done) {
        const left = await outbox.deliver();
        if (left > 0) voice.hint("some events wait for the next run to be delivered");
        await say(lineOf(plan.url, following, policy));
        return typeof following.seen === "string" && following.clean ? null : following.clean;
      }
      outbox.kick();
      if (stop.aborted || (done && !(await pause(plan.intervalMs, stop)))) return following.clean;
    }
  } finally {
    await outbox.deliver().catch(() => 0);
    await following.close();
    await reader.close();
    await store.close();
  }
}

async function keepEvidence(folder: string, evidence: Evidence): Promise<string> {
  const bytes = formatEvidence(evidence);
  const name = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const file = join(folder, "evidence", `${evidence.kind}-${name}.json`);
  await writeWhole(file, bytes);
  return file;
}

/** True when the time has passed, false when the monitor is to end. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve(false);
      },
      { once: true },
    );
  });
}

async function openStore(folder: string): Promise<LevelStore> {
  const there = await readFile(join(folder, "CURRENT")).then(
    () => true,
    () => false,
  );
  return LevelStore.open(folder, { create: !there });
}

function keptIn(file: string) {
  return {
    async load(): Promise<Uint8Array | null> {
      try {
        return await readFile(file);
      } catch (error) {
        if (isMissing(error)) return null;
        throw unreadable(file, error);
      }
    },
    save: (note: Uint8Array): Promise<void> => writeWhole(file, note),
  };
}

async function receiversOf(invocation: Invocation, folder: string, { key }: Trust): Promise<Receiver[]> {
  const receivers: Receiver[] = [];
  const [command, url] = [invocation.text("exec"), invocation.text("webhook")];
  if (command !== undefined) receivers.push(execHook(command));
  if (url !== undefined) {
    const signer = await webhookKey(join(folder, "webhook.key"), `${key.name}/monitor`);
    receivers.push(
      webhook({ url, key: signer, allowPrivate: invocation.flag("allow-private"), now: Date.now }),
    );
  }
  return receivers;
}

/** Made at its first use; the receiver gets the `.pub`. */
async function webhookKey(file: string, name: string): Promise<SigningKey> {
  const there = await readFile(file).then(
    () => true,
    () => false,
  );
  if (!there) await writeKeyPair(file, newSigningKey(name));
  const key = await readSigningKey(file);
  if (key.type !== ED25519) throw usageError(`${file}: want an Ed25519 key`);
  return key;
}

/** The invocation as one whose `--log` is the monitored URL. */
function withLog(invocation: Invocation, url: string): Invocation {
  return { ...invocation, text: (name) => (name === "log" ? url : invocation.text(name)) };
}

function defaultFolder({ key }: Trust, voice: Voice): string {
  const name = createHash("sha256").update(formatVerifierKey(key)).digest("hex").slice(0, 16);
  return join(stateFolder(voice), "monitor", name);
}
