import { fsckRemote } from "../../client/fsck.js";
import { fsckStore } from "../../log/check/fsck.js";
import { type Command, onlyWord, type Outcome } from "../command.js";
import { WritError } from "../../errors.js";
import { formatVerifierKey, type VerifierKey } from "../../format/vkey.js";
import { openFolder } from "../folder.js";
import { rollback } from "../../log/check/start.js";
import { lastPublished } from "../published-file.js";
import { REMOTE_OPTIONS, verifierKeyOf, withClient } from "../remote.js";

export const fsck: Command = {
  usage: "writ fsck (DIR | URL) [--key VKEY]",
  about:
    "Checks a whole log: hashes every entry again, rebuilds every tile and, in a folder, every index row and stored root, and compares. A folder must not be in use.",
  // Nothing was read: the log may be as sound as ever.
  untold: ["SERVER_REFUSED", "SERVER_ANSWER_INVALID", "LOG_MISSING", "STORE_LOCKED", "FILE_UNREADABLE"],
  options: { key: REMOTE_OPTIONS["key"] ?? { type: "string" }, patience: { type: "string" } },
  async run(invocation, voice) {
    const target = onlyWord(invocation, "folder or URL");
    const bar = (done: number, total: number): void => voice.progress("checking entries", done, total);
    if (/^https?:\/\//.test(target)) {
      const at = { ...invocation, text: (name: string) => (name === "log" ? target : invocation.text(name)) };
      return outcome(await withClient(at, voice, (client) => fsckRemote(client, bar)));
    }
    const { store, key } = await openFolder(target);
    try {
      await demandKey(invocation.text("key"), key);
      const published = await lastPublished(target, key);
      const report = await fsckStore(store, key, bar);
      const rolledBack = published === null ? null : await rollback(store, published);
      return outcome({ ...report, faults: [...report.faults, ...(rolledBack === null ? [] : [rolledBack])] });
    } finally {
      await store.close();
    }
  },
};

/** The pinned key, where one is given, must be that of the folder's log. */
async function demandKey(pinned: string | undefined, key: VerifierKey): Promise<void> {
  if (pinned === undefined) return;
  const want = formatVerifierKey(await verifierKeyOf(pinned));
  if (want !== formatVerifierKey(key))
    throw new WritError("LOG_KEY_MISMATCH", `the folder's log is ${formatVerifierKey(key)}, not ${want}`);
}

function outcome({ size, faults }: { readonly size: number; readonly faults: readonly string[] }): Outcome {
  const ok = faults.length === 0;
  return {
    ok,
    text: ok
      ? `clean: ${size} entries`
      : [`NOT CLEAN: ${faults.length} faults in ${size} entries`, ...faults].join("\n"),
    json: { clean: ok, size, faults },
  };
}
