import { join } from "node:path";
import { type Logger, pino } from "pino";
import { Askers } from "../../../api/asker.js";
import { createApp } from "../../../api/app.js";
import { KEEP_ALIVE_MS, listen } from "../../../api/server.js";
import { WritError } from "../../errors.js";
import { parsePolicy, type Policy } from "../../format/policy.js";
import { formatVerifierKey, type SigningKey } from "../../format/vkey.js";
import { HookFolder } from "../../hooks/folder.js";
import { Hooks } from "../../hooks/hooks.js";
import { openLog } from "../../log/open.js";
import { type WitnessRequirement } from "../../log/view.js";
import { loadPolicy } from "../../log/check/start.js";
import { reindex } from "../../log/check/reindex.js";
import { indexIsWhole } from "../../log/admit/rows.js";
import type { Store } from "../../store/contract.js";
import { RISK_TIERS } from "../../log/state/tier.js";
import { RENEW_MS, type WitnessTrouble } from "../../log/witnessed/witnessing.js";
import { type Command, FLAG, type Invocation, STRING, usageError, type Voice } from "../command.js";
import { readBytes } from "../files.js";
import { DEFAULT_FOLDER, holdsLog, initFolder, mlDsaKey, openFolder, pastKeys } from "../folder.js";
import { demandNoRollback, forgetShown, PublishedFile, readShown } from "../published-file.js";
import { cannotListen, firstSignal, parseListen, urlOf } from "../listen.js";
import { pageScript } from "../page-script.js";
import { millisecondsOf } from "../seconds.js";
import { version } from "../version.js";
import { WitnessFile } from "../witness-file.js";

const DEFAULT_ORIGIN = "localhost/writ";
/** The number of the RFC that the tree is from. */
const DEFAULT_LISTEN = "127.0.0.1:6962";

export const serve: Command = {
  usage:
    "writ serve [DIR] [--listen HOST:PORT] [--url URL] [--create [--origin NAME]] [--accept-clock] [--log] [--trusted-proxy ADDRESS]… [--keep-alive SECONDS] [--witness-policy FILE [--require-witnesses | --require-witnesses-tier N] [--renew-cosignatures SECONDS]]",
  about: `Runs a log (DIR: ${DEFAULT_FOLDER}; ${DEFAULT_LISTEN}), and makes one first where DIR is not given and there is none, or with --create. A clock that leaps, or is behind the newest entry, is not believed: --accept-clock says that it is right. SIGTERM answers what was taken in, then ends; a second one ends at once. Errors go to standard error as JSON lines; --log adds starts and stops. --url: what the log is called from outside, in status lists and receipts (where it listens, unless given). --trusted-proxy, once for each: the address, or range of addresses, of a proxy in front of it that is believed when X-Forwarded-For says whom they ask for; one address may have a quarter of what all readers may. --keep-alive: how long an idle connection stays open (${KEEP_ALIVE_MS / 1000}, unless given: longer than a load balancer waits). --witness-policy names the witnesses that each checkpoint is sent to, and the quorum; --require-witnesses publishes nothing that does not meet it; --require-witnesses-tier N lets submissions for action types of that risk tier or above wait for it; --renew-cosignatures: how old the cosignatures of a log in which nothing happens get (${RENEW_MS / 1000}).`,
  options: {
    listen: STRING,
    url: STRING,
    origin: STRING,
    create: FLAG,
    "accept-clock": FLAG,
    log: FLAG,
    "trusted-proxy": { type: "string", multiple: true },
    "witness-policy": STRING,
    "require-witnesses": FLAG,
    "require-witnesses-tier": STRING,
    "renew-cosignatures": STRING,
    "keep-alive": STRING,
  },
  async run(invocation, voice) {
    const [folder = DEFAULT_FOLDER, ...rest] = invocation.words;
    if (rest.length > 0) throw usageError("want at most one folder");
    const { host, port } = parseListen(invocation.text("listen") ?? DEFAULT_LISTEN);
    const witnesses = await witnessOptions(invocation);
    let publicUrl = publicUrlOf(invocation);
    const keepAliveMs = millisecondsOf(invocation, "keep-alive", KEEP_ALIVE_MS / 1000);
    const renewMs = millisecondsOf(invocation, "renew-cosignatures", RENEW_MS / 1000);
    if (witnesses === null && invocation.text("renew-cosignatures") !== undefined)
      throw usageError("--renew-cosignatures wants a --witness-policy");
    const askers = askersOf(invocation.texts("trusted-proxy"));
    const mayMake = invocation.words.length === 0 || invocation.flag("create");
    await makeIfMissing(folder, invocation.text("origin"), mayMake, voice);
    const logger = pino(
      { level: invocation.flag("log") ? "info" : "warn" },
      pino.destination({ dest: 2, sync: true }),
    );
    // Of what was not foreseen, too, one line is all there is to see.
    process.on("uncaughtException", (error) => endNow(logger, error));
    const { store, key } = await openFolder(folder);
    await loadPolicy(store, key);
    await demandNoRollback(folder, store, key);
    await renewIndex(store, key, voice);
    const file = new PublishedFile(folder);
    const second = await mlDsaKey(folder, key);
    const before = await shownBefore(folder, witnesses, store, key);
    const log = await openLog(store, {
      key,
      bundleFolder: join(folder, "bundles"),
      mlDsaKey: second,
      acceptClock: invocation.flag("accept-clock"),
      onClock: (leapt) => tellClock(leapt, logger),
      ...(witnesses === null
        ? {}
        : {
            witnessing: {
              ...witnesses,
              ...witnessParts(folder, second, witnesses, logger),
              asksFirst: true,
              renewMs,
              shownBefore: before,
            },
          }),
      onFatal: (error) => endNow(logger, error),
      onTrouble: (error) => logger.error({ err: error }, "a thread failed"),
      onPublish: (published) => file.keep(published),
      onRules: (rules, index) =>
        voice.say(
          `from entry ${index} on the log goes by rules ${rules} (trust domains, one use for each request); what older rules admitted stays right`,
        ),
    });
    const verifierKey = formatVerifierKey(key);
    const app = createApp(log, {
      verifierKeys: [key, second],
      explorer: await pageScript("explorer"),
      askers,
      version: version(),
      service: { key, url: () => publicUrl ?? "", now: Date.now, pastKeys: await pastKeys(folder) },
      onError: (error, method, path) => logger.error({ err: error, method, path }, "request failed"),
    });
    const server = await listen(app, host, port, keepAliveMs).catch(async (error: unknown) => {
      // Its witnesses are being asked already: a process that serves nobody must not go on with that.
      await log.close();
      return cannotListen(host, port)(error);
    });
    const url = urlOf(server);
    if (publicUrl === undefined && ["0.0.0.0", "::"].includes(server.host))
      voice.hint(`no --url: status lists and receipts will call this log ${url}, where nobody finds it`);
    publicUrl ??= url;
    const hooks = new Hooks({
      folder: new HookFolder(folder),
      feed: log.feed,
      origin: log.origin,
      raw: log.policy.admission === "raw",
      now: Date.now,
      onTrouble: (hook, what) => logger.warn({ hook }, what),
    });
    await hooks.start();
    const { origin, policy, published } = log;
    logger.info(
      { url, origin, size: published.size, admission: policy.admission, verifierKey },
      "the log is up",
    );
    const unseen = log.durableSize - published.size;
    const more = unseen === 0 ? "" : ` (and ${unseen} that are not shown before the witnesses have cosigned)`;
    voice.say(
      `${origin} is up at ${url} with ${published.size} ${published.size === 1 ? "entry" : "entries"}${more}; its verifier key is ${verifierKey}`,
    );
    const signal = await firstSignal();
    logger.info({ signal }, "draining");
    voice.say(`${signal}: answering what was taken in, then ending; a second signal ends at once`);
    log.release();
    await hooks.stop();
    await server.close();
    await log.close();
    await file.settled();
    logger.info({ size: log.published.size }, "the log is down");
    return { ok: true, json: { size: log.published.size } };
  },
};

/** An index that was made by older rules, or not to its end, is made again from the entries. */
async function renewIndex(store: Store, key: SigningKey, voice: Voice): Promise<void> {
  if ((await store.head()) === null || (await indexIsWhole(store))) return;
  voice.say("the index is of an older version, or unfinished: making it again from the entries");
  const { size, rows } = await reindex(store, key, (done, total) =>
    voice.progress("making the index", done, total),
  );
  voice.say(`made ${rows} rows from ${size} entries`);
}

function askersOf(trusted: readonly string[]): Askers {
  try {
    return new Askers(trusted);
  } catch (error) {
    throw usageError(`--trusted-proxy: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The URL without a slash at its end: paths are put behind it. */
function publicUrlOf(invocation: Invocation): string | undefined {
  const url = invocation.text("url");
  if (url === undefined || (/^https?:\/\/[^/?#]+[^?#]*$/.test(url) && URL.canParse(url)))
    return url?.replace(/\/+$/, "");
  throw usageError(`--url: want http://… or https://…, got ${JSON.stringify(url)}`);
}

interface WitnessOptions {
  readonly policy: Policy;
  readonly requirement: WitnessRequirement;
}

async function witnessOptions(invocation: Invocation): Promise<WitnessOptions | null> {
  const file = invocation.text("witness-policy");
  const all = invocation.flag("require-witnesses");
  const tierText = invocation.text("require-witnesses-tier");
  if (all && tierText !== undefined)
    throw usageError("want --require-witnesses or --require-witnesses-tier, not both");
  const tier = RISK_TIERS.find((one) => String(one) === tierText) ?? null;
  if (tierText !== undefined && tier === null)
    throw usageError(`--require-witnesses-tier: want ${RISK_TIERS.join(", ")}, got ${tierText}`);
  const requirement = all ? "all" : tier;
  if (file === undefined) {
    if (requirement !== null) throw usageError("what is required of witnesses wants a --witness-policy");
    return null;
  }
  const policy = parsePolicy(await readBytes(file));
  const homeless = policy.witnesses.find(({ url }) => url === null || !/^https?:\/\/[^/]/.test(url));
  if (homeless !== undefined)
    throw new WritError(
      "POLICY_MALFORMED",
      `${file}: the witness ${homeless.name} has no http URL to send checkpoints to`,
    );
  if (requirement !== null && policy.quorum === null)
    throw new WritError("POLICY_MALFORMED", `${file}: the quorum is none, so there is nothing to require`);
  return { policy, requirement };
}

/** What a log showed before it demanded witnesses; nothing while it does not. */
async function shownBefore(
  folder: string,
  witnesses: WitnessOptions | null,
  store: Store,
  key: SigningKey,
): Promise<Uint8Array | null> {
  if (witnesses?.requirement === "all") return readShown(folder, store, key);
  await forgetShown(folder);
  return null;
}

function witnessParts(folder: string, key: SigningKey, { requirement }: WitnessOptions, logger: Logger) {
  return {
    mlDsaKey: key,
    memory: new WitnessFile(folder, requirement === "all", (error) =>
      logger.error({ err: error }, "witnesses.json could not be written"),
    ),
    onTrouble: ({ url, fork, why }: WitnessTrouble): void => {
      if (fork)
        logger.error(
          { witness: url, why },
          "FORK ALARM: a witness could not verify that this log extends what it holds",
        );
      else logger.warn({ witness: url, why }, "a witness did not cosign");
    },
  };
}

async function makeIfMissing(
  folder: string,
  origin: string | undefined,
  mayMake: boolean,
  voice: Voice,
): Promise<void> {
  if (await holdsLog(folder)) {
    if (origin !== undefined)
      voice.hint(`--origin is for a new log; ${folder} holds one, which keeps its name`);
    return;
  }
  if (!mayMake)
    throw new WritError(
      "LOG_MISSING",
      `there is no log in ${folder}, and a folder that was mistyped must not become one: make one with writ init ${folder} --origin NAME, or start with --create`,
    );
  const key = await initFolder(folder, origin ?? DEFAULT_ORIGIN, "registered", new Date());
  voice.say(`there was no log in ${folder}: made one named ${key.name}`);
}

function tellClock(leaptByMs: number | null, logger: Logger): void {
  if (leaptByMs === null) logger.warn("the clock is right again: statements are logged again");
  else
    logger.error(
      { leapt_by_ms: Math.round(leaptByMs) },
      "THE CLOCK LEAPT AHEAD: nothing is logged until it is right, or the log is started with --accept-clock",
    );
}

/** After a failed commit nobody knows what is on disk: end, and let the next start recover. */
function endNow(logger: { fatal(facts: object, message: string): void }, error: Error): void {
  logger.fatal({ err: error }, "the log has stopped; start it again to recover");
  setImmediate(() => process.exit(1));
}
