/** A witness of its own: made, told which logs to cosign for, run. It needs nothing of a log's. */
import { MAX_QPD } from "../../format/log-list.js";
import { hasControls } from "../../format/note.js";
import { formatVerifierKey, ML_DSA_44 } from "../../format/vkey.js";
import { isKeyName } from "../../format/note.js";
import { createWitnessApp } from "../../../witness/app.js";
import {
  addLog,
  initWitness,
  keepEvidence,
  listFile,
  lockPath,
  readKeys,
  stateFile,
  type WitnessAlgorithm,
} from "../../../witness/folder.js";
import { lockFolder } from "../../../witness/lock.js";
import { Logs } from "../../../witness/logs.js";
import { listenWitness } from "../../../witness/server.js";
import { WitnessState } from "../../../witness/state.js";
import { Witness } from "../../../witness/witness.js";
import { type Command, onlyWord, required, STRING, usageError } from "../command.js";
import { cannotListen, firstSignal, parseListen, urlOf } from "../listen.js";
import { verifierKeyOf } from "../remote.js";

const DEFAULT_LISTEN = "127.0.0.1:7380";
const ALGORITHMS: readonly WitnessAlgorithm[] = ["both", "ed25519", "ml-dsa-44"];

export const witnessInit: Command = {
  usage: "writ witness init DIR --name NAME [--algorithm both|ed25519|ml-dsa-44]",
  about:
    "Makes a witness in a new folder: its keys (an Ed25519 and an ML-DSA-44 one unless told otherwise), an empty list of logs. Prints its verifier keys, which go into other people's policies.",
  options: { name: STRING, algorithm: STRING },
  async run(invocation) {
    const folder = onlyWord(invocation, "folder");
    const name = required(invocation, "name");
    if (!isKeyName(name))
      throw usageError(`--name: want a name such as witness.example.org/w1, got ${JSON.stringify(name)}`);
    const text = invocation.text("algorithm") ?? "both";
    const algorithm = ALGORITHMS.find((one) => one === text);
    if (algorithm === undefined) throw usageError(`--algorithm: want ${ALGORITHMS.join(", ")}, got ${text}`);
    const keys = (await initWitness(folder, name, algorithm)).map(formatVerifierKey);
    return { ok: true, text: keys.join("\n"), json: { folder, verifier_keys: keys } };
  },
};

export const witnessAddLog: Command = {
  usage: "writ witness add-log DIR VKEY [--qpd NUMBER] [--contact TEXT]",
  about:
    "Adds a log to the witness's list (DIR/logs, in the format of the witness network's lists; it may be edited or replaced). A running witness reads it within a second. VKEY: the log's verifier key or the file that holds it; --qpd bounds the requests a day (no bound that matters, unless given); --contact: how to reach whoever runs the log.",
  options: { qpd: STRING, contact: STRING },
  async run(invocation) {
    const [folder, vkey, ...rest] = invocation.words;
    if (folder === undefined || vkey === undefined || rest.length > 0)
      throw usageError("want a folder and a verifier key");
    const qpdText = invocation.text("qpd");
    const qpd = qpdText === undefined ? MAX_QPD : Number(qpdText);
    if (!Number.isInteger(qpd) || qpd < 1 || qpd > MAX_QPD)
      throw usageError(`--qpd: want a whole number from 1 to ${MAX_QPD}`);
    const contact = invocation.text("contact") ?? "not given";
    if (contact.trim() === "" || hasControls(contact)) throw usageError("--contact: want one line of text");
    const key = await verifierKeyOf(vkey);
    await addLog(folder, key, { qpd, contact });
    return { ok: true, text: `cosigning for ${key.name}`, json: { origin: key.name } };
  },
};

export const witnessServe: Command = {
  usage: "writ witness serve DIR [--listen HOST:PORT]",
  about: `Runs a witness (${DEFAULT_LISTEN} unless told): add-checkpoint, sign-subtree, and GET /<sha256 of the origin>/checkpoint. SIGTERM answers what was asked, then ends; SIGHUP reads the list of logs at once.`,
  options: { listen: STRING },
  async run(invocation, voice) {
    const folder = onlyWord(invocation, "folder");
    const { host, port } = parseListen(invocation.text("listen") ?? DEFAULT_LISTEN);
    const keys = await readKeys(folder);
    const unlock = await lockFolder(lockPath(folder));
    const logs = new Logs(listFile(folder));
    const state = await WitnessState.open(stateFile(folder), {
      onCut: (bytes) =>
        voice.say(
          `the last ${bytes} bytes of ${stateFile(folder)} are no whole write, and were cut off: after a crash or a power cut that is as it should be (nobody was answered for them); if there was none, the file was damaged, and what it cosigned there is forgotten`,
        ),
      onFatal: (error) => {
        voice.say(`${error.message}; start it again to recover`);
        setImmediate(() => process.exit(1));
      },
    });
    const complain = (error: unknown): void =>
      voice.say(error instanceof Error ? error.message : String(error));
    const reload = (): void =>
      void logs.reload().then(() => voice.say(`cosigning for ${logs.count} logs`), complain);
    logs.watch((count) => voice.say(`the list has changed: cosigning for ${count} logs`), complain);
    // Read once it is watched: a change in between is not missed.
    await logs.reload();
    process.on("SIGHUP", reload);
    const witness = new Witness({
      keys,
      logs,
      state,
      now: Date.now,
      onFork: (origin, held, submitted) => {
        keepEvidence(folder, origin, held, submitted).then(
          (file) =>
            voice.say(
              `FORK: ${origin} has signed two histories${file === null ? "" : `; the proof is in ${file}`}`,
            ),
          complain,
        );
      },
    });
    const app = createWitnessApp(witness, { onError: complain });
    const server = await listenWitness(app, host, port).catch(async (error: unknown) => {
      await witness.close();
      return cannotListen(host, port)(error);
    });
    // An ML-DSA-44 key is a page of text.
    for (const key of keys.filter(({ type }) => type !== ML_DSA_44))
      voice.say(`its verifier key is ${formatVerifierKey(key)}`);
    if (keys.some(({ type }) => type === ML_DSA_44))
      voice.say(`its ML-DSA-44 key is in ${folder}/witness-mldsa.key.pub`);
    voice.say(
      `the witness ${keys[0]?.name ?? ""} is up at ${urlOf(server)}, cosigning for ${logs.count} logs`,
    );
    const signal = await firstSignal();
    voice.say(`${signal}: answering what was asked, then ending`);
    await server.close();
    await witness.close();
    await unlock();
    return { ok: true, json: { logs: logs.count } };
  },
};
