import { reindex } from "../../log/check/reindex.js";
import { type Command, onlyWord } from "../command.js";
import { openFolder } from "../folder.js";

export const reindexCommand: Command = {
  usage: "writ reindex DIR",
  about:
    "Makes the index of a log again from its entries: links, search, state, who is known. The log must not be running; interrupted, it is started again from the beginning.",
  options: {},
  async run(invocation, voice) {
    const { store, key } = await openFolder(onlyWord(invocation, "folder"));
    try {
      const { size, rows } = await reindex(store, key, (done, total) =>
        voice.progress("reindexing", done, total),
      );
      return { ok: true, text: `indexed ${size} entries: ${rows} rows`, json: { size, rows } };
    } finally {
      await store.close();
    }
  },
};
