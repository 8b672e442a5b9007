/** `digest`: the hash of a file, in the spelling that records want. */
import { sha256 } from "#crypto";
import { toHex } from "../../format/bytes.js";
import { type Command, usageError } from "../command.js";
import { readBytes } from "../files.js";

export const digest: Command = {
  usage: "writ digest FILE…",
  about:
    "Prints the SHA-256 of each file as records spell it, sha256: and 64 hex digits: for policy_digest, value_hash, postcondition_hashes, tool_digest and their kin. - is standard input.",
  options: {},
  async run({ words }) {
    if (words.length === 0) throw usageError("want a file, or - for standard input");
    const found = [];
    for (const file of words) found.push({ file, digest: `sha256:${toHex(sha256(await readBytes(file)))}` });
    const lines = found.map(({ file, digest: text }) => (found.length === 1 ? text : `${text}  ${file}`));
    return { ok: true, text: lines.join("\n"), json: found.length === 1 ? found[0] : found };
  },
};
