import { formatVerifierKey } from "../../format/vkey.js";
import { type Command, onlyWord, required, STRING, usageError } from "../command.js";
import { initFolder, keyFile } from "../folder.js";

export const init: Command = {
  usage: "writ init DIR --origin NAME [--admission registered|raw]",
  about:
    "Makes a log: its two keys (Ed25519, and ML-DSA-44 for what goes to witnesses), its registrar's key, and entry 0, its policy. Prints the verifier key to give to others.",
  options: { origin: STRING, admission: STRING },
  async run(invocation, voice) {
    const folder = onlyWord(invocation, "folder");
    const origin = required(invocation, "origin");
    const admission = invocation.text("admission") ?? "registered";
    if (admission !== "registered" && admission !== "raw")
      throw usageError("--admission: want registered or raw");
    const key = await initFolder(folder, origin, admission, new Date());
    const vkey = formatVerifierKey(key);
    voice.say(
      `made the log ${origin} in ${folder}; its secret keys are ${keyFile(folder, "log")}, ${keyFile(folder, "log-mldsa")} (for what goes to witnesses) and ${keyFile(folder, "registrar")}`,
    );
    voice.hint("back the keys up now: without log.key the log can never sign again");
    return { ok: true, text: vkey, json: { origin, verifier_key: vkey, folder } };
  },
};
