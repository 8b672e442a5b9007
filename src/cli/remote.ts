/** The log that a command talks to: `--log URL`, its key pinned by `--key VKEY`, its last checkpoint kept between calls. */
import { LogClient } from "../client/index.js";
import { fromUtf8 } from "../format/bytes.js";
import { WritError } from "../errors.js";
import { parsePolicy, type Policy } from "../format/policy.js";
import { ED25519, formatVerifierKey, parseVerifierKey, type VerifierKey } from "../format/vkey.js";
import { type Invocation, type OptionSpec, required, STRING, usageError, type Voice } from "./command.js";
import { readBytes } from "./files.js";
import { rememberedIn, stateFolder } from "./state-folder.js";

export const REMOTE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  log: STRING,
  key: STRING,
  policy: STRING,
  patience: STRING,
};

/** What is trusted of a log: its key, and with `--policy FILE` the quorum of its witnesses. */
export interface Trust {
  readonly key: VerifierKey;
  /** Null when only a key is pinned. */
  readonly policy: Policy | null;
}

/** Does something with a client, and lets go of it afterwards. */
export async function withClient<T>(
  invocation: Invocation,
  voice: Voice,
  use: (client: LogClient) => Promise<T>,
  trusted?: Trust,
): Promise<T> {
  const url = required(invocation, "log");
  const patienceMs = patienceOf(invocation);
  const { key, policy } = trusted ?? (await trustOf(invocation, voice));
  const client = new LogClient({
    url,
    key,
    patienceMs,
    memory: await rememberedIn(stateFolder(voice), voice),
    ...(policy === null ? {} : { policy }),
  });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

function patienceOf(invocation: Invocation): number {
  const seconds = Number(invocation.text("patience") ?? "30");
  if (!Number.isFinite(seconds) || seconds < 0) throw usageError("--patience: want seconds");
  return seconds * 1000;
}

/** What `--key` or `--policy` says; without either, the log's own word for its key. */
export async function trustOf(invocation: Invocation, voice: Voice): Promise<Trust> {
  const file = invocation.text("policy");
  if (file === undefined) return { key: await pinnedKey(invocation, voice), policy: null };
  if (invocation.text("key") !== undefined)
    throw usageError("want --key or --policy, not both: a policy names its log");
  const policy = parsePolicy(await readBytes(file));
  const keys = policy.logs.map(({ key }) => key).filter(({ type }) => type === ED25519);
  const [only] = keys;
  if (only !== undefined && keys.length === 1) return { key: only, policy };
  const announced = await pinnedKey(invocation, voice);
  const key = keys.find((one) => formatVerifierKey(one) === formatVerifierKey(announced));
  if (key !== undefined) return { key, policy };
  throw new WritError(
    "POLICY_MALFORMED",
    `${file}: no log line with an Ed25519 key of the log at ${required(invocation, "log")}`,
  );
}

/** The key given by `--key`, or else the one that the log says is its own. */
export async function pinnedKey(invocation: Invocation, voice: Voice): Promise<VerifierKey> {
  const given = invocation.text("key");
  if (given !== undefined) return verifierKeyOf(given);
  const key = await LogClient.announcedKey({
    url: required(invocation, "log"),
    patienceMs: patienceOf(invocation),
  });
  voice.hint(`no --key: believing the log's own word that its key is ${formatVerifierKey(key)}`);
  return key;
}

/** A verifier key given as text, or as the file that holds it. */
export async function verifierKeyOf(textOrFile: string): Promise<VerifierKey> {
  const isText = /^[^+]+\+[0-9a-f]{8}\+/.test(textOrFile);
  if (isText) return parseVerifierKey(textOrFile.trim());
  const file = await readBytes(textOrFile).catch((error: unknown) => {
    if (!(error instanceof WritError)) throw error;
    throw new WritError(
      error.code,
      `${error.message}; --key wants a verifier key (name+hash+key, as writ init prints it) or the file that holds one`,
      {},
      { cause: error },
    );
  });
  return parseVerifierKey((fromUtf8(file) ?? "").trim());
}
