/** `get` and `prove`: one entry, or the proof of it. */
import { toBase64 } from "#crypto";
import { type FoundEntry, proofFile } from "../../client/index.js";
import { FLAG, type Command, onlyWord, type OptionSpec, STRING, usageError } from "../command.js";
import { writeWhole } from "../files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";

const OUTPUT: OptionSpec = { type: "string", short: "o" };

export const get: Command = {
  usage: "writ get REF --log URL [--key VKEY] [--patience SECONDS] [--raw] [-o FILE]",
  about:
    "Shows an entry by index, entry hash or record id, after verifying that it is in the log. --raw: the statement's bytes.",
  options: { ...REMOTE_OPTIONS, raw: FLAG, output: OUTPUT },
  async run(invocation, voice) {
    const ref = onlyWord(invocation, "reference");
    const entry = await withClient(invocation, voice, (client) => client.entry(ref));
    const view = viewOf(entry);
    const text = invocation.flag("raw") ? entry.statement : JSON.stringify(view, null, 2);
    const output = invocation.text("output");
    if (output === undefined) return { ok: true, text, json: view };
    await writeWhole(output, text);
    return {
      ok: true,
      text: `entry ${entry.index} is in ${output}`,
      json: { index: entry.index, file: output },
    };
  },
};

/** The entry in the interface's spelling, made from the statement that was verified, not from the log's description of it. */
function viewOf(entry: FoundEntry): object {
  return {
    index: entry.index,
    entry_hash: entry.entryHash,
    record_id: entry.recordId,
    content_type: entry.contentType,
    signers: entry.signers,
    statement: toBase64(entry.statement),
    record: entry.record,
    received_at: entry.receivedAt,
  };
}

export const prove: Command = {
  usage:
    "writ prove REF --log URL [--key VKEY | --policy FILE] [--patience SECONDS] [--wait witnessed] [-o FILE]",
  about:
    "Fetches, verifies and prints (or saves) the tlog-proof of an entry; with --wait witnessed one whose checkpoint the log's witnesses have cosigned (the quorum of --policy FILE, where that is given).",
  options: { ...REMOTE_OPTIONS, wait: STRING, output: OUTPUT },
  async run(invocation, voice) {
    const ref = onlyWord(invocation, "reference");
    const wait = invocation.text("wait");
    if (wait !== undefined && wait !== "witnessed") throw usageError("--wait: want witnessed");
    const entry = await withClient(invocation, voice, async (client) => {
      const found = await client.entry(ref);
      return wait === undefined ? found : client.witnessed(found);
    });
    const file = proofFile(entry);
    const output = invocation.text("output");
    const json = { index: entry.index, entry_hash: entry.entryHash, record_id: entry.recordId };
    if (output === undefined)
      return { ok: true, text: file, json: { ...json, proof: Buffer.from(file).toString() } };
    await writeWhole(output, file);
    return {
      ok: true,
      text: `the proof of entry ${entry.index} is in ${output}`,
      json: { ...json, file: output },
    };
  },
};
