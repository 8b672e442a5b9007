import { pino } from "pino";
import { createApp } from "../../../api/app.js";
import { listen } from "../../../api/server.js";
import { WritError } from "../../errors.js";
import { formatVerifierKey } from "../../format/vkey.js";
import { Log } from "../../log/log.js";
import { type Command, FLAG, STRING, usageError, type Voice } from "../command.js";
import { DEFAULT_FOLDER, holdsLog, initFolder, openFolder } from "../folder.js";
import { demandNoRollback, PublishedFile } from "../published-file.js";
import { version } from "../version.js";

const DEFAULT_ORIGIN = "localhost/writ";
/** The number of the RFC that the tree is from. */
const DEFAULT_LISTEN = "127.0.0.1:6962";

export const serve: Command = {
  usage: "writ serve [DIR] [--listen HOST:PORT] [--origin NAME] [--log]",
  about: `Runs a log (DIR: ${DEFAULT_FOLDER}; ${DEFAULT_LISTEN}), and makes one first when there is none. SIGTERM answers what was taken in, then ends; a second one ends at once. Errors go to standard error as JSON lines; --log adds starts and stops.`,
  options: { listen: STRING, origin: STRING, log: FLAG },
  async run(invocation, voice) {
    const [folder = DEFAULT_FOLDER, ...rest] = invocation.words;
    if (rest.length > 0) throw usageError("want at most one folder");
    const { host, port } = parseListen(invocation.text("listen") ?? DEFAULT_LISTEN);
    await makeIfMissing(folder, invocation.text("origin"), voice);
    const logger = pino(
      { level: invocation.flag("log") ? "info" : "error" },
      pino.destination({ dest: 2, sync: true }),
    );
    const { store, key } = await openFolder(folder);
    await demandNoRollback(folder, store, key);
    const file = new PublishedFile(folder);
    const log = await Log.open(store, {
      key,
      onFatal: (error) => endNow(logger, error),
      onPublish: (published) => file.keep(published),
    });
    const verifierKey = formatVerifierKey(key);
    const app = createApp(log, {
      verifierKeys: [key],
      version: version(),
      onError: (error, method, path) => logger.error({ err: error, method, path }, "request failed"),
    });
    const server = await listen(app, host, port).catch((error: unknown) => {
      throw new WritError(
        "ADDRESS_UNAVAILABLE",
        `cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
        {},
        { cause: error },
      );
    });
    const url = `http://${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`;
    const { origin, policy, published } = log;
    logger.info(
      { url, origin, size: published.size, admission: policy.admission, verifierKey },
      "the log is up",
    );
    voice.say(`${origin} is up at ${url} with ${published.size} entries; its verifier key is ${verifierKey}`);
    const signal = await firstSignal();
    logger.info({ signal }, "draining");
    voice.say(`${signal}: answering what was taken in, then ending; a second signal ends at once`);
    await server.close();
    await log.close();
    await file.settled();
    logger.info({ size: log.published.size }, "the log is down");
    return { ok: true, json: { size: log.published.size } };
  },
};

async function makeIfMissing(folder: string, origin: string | undefined, voice: Voice): Promise<void> {
  if (await holdsLog(folder)) {
    if (origin !== undefined)
      voice.hint(`--origin is for a new log; ${folder} holds one, which keeps its name`);
    return;
  }
  const key = await initFolder(folder, origin ?? DEFAULT_ORIGIN, "registered", new Date());
  voice.say(`there was no log in ${folder}: made one named ${key.name}`);
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw usageError(`--listen: want HOST:PORT, got ${text}`);
  return { host, port };
}

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process where it stands. */
async function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    let draining = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (draining) process.exit(1);
        draining = true;
        resolve(signal);
      });
    }
  });
}

/** After a failed commit nobody knows what is on disk: end, and let the next start recover. */
function endNow(logger: { fatal(facts: object, message: string): void }, error: WritError): void {
  logger.fatal({ err: error }, "the log has stopped; start it again to recover");
  setImmediate(() => process.exit(1));
}
