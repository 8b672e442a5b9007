/** `open-items`: what somebody still has to look after. */
import { isJsonObject } from "../../statement/json.js";
import { findOpenItems, isOverdue, MAX_ASKED, MAX_OF_TYPE, whatToDo } from "../../report/open-items.js";
import { type Command, usageError } from "../command.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";

export const openItems: Command = {
  usage: "writ open-items --log URL [--key VKEY]",
  about: `Lists what somebody still has to look after: exceptions open, expired or due for review, with their owners; rules that leave something open or are contested; overdue reviews; uses without a receipt. It looks at the newest ${MAX_OF_TYPE} records of each type, leaves out what was revoked (asked of the first ${MAX_ASKED}), and exits 1 when something is overdue. What is found is the log's word: writ get verifies an entry.`,
  options: REMOTE_OPTIONS,
  async run(invocation, voice) {
    if (invocation.words.length > 0) throw usageError("want no words");
    return withClient(invocation, voice, async (client) => {
      const log = {
        search: async (type: string, limit: number, cursor: string | null) => {
          const { hits, next } = await client.search({
            type,
            order: "desc",
            limit,
            ...(cursor === null ? {} : { cursor }),
          });
          const found = hits.flatMap(({ index, record }) =>
            isJsonObject(record) ? [{ index, value: record }] : [],
          );
          return { found, next };
        },
        state: async (index: number) => (await client.status(index)).state,
      };
      const items = await findOpenItems(log, Date.now());
      const overdue = items.filter(isOverdue).length;
      return {
        ok: overdue === 0,
        text: [
          ...items.map((item) => `#${item.index}  ${item.kind}: ${whatToDo(item)}`),
          `${items.length} open, ${overdue} of them overdue`,
        ].join("\n"),
        json: {
          items: items.map((item) => ({
            index: item.index,
            kind: item.kind,
            overdue: isOverdue(item),
            what: whatToDo(item),
          })),
          overdue,
        },
      };
    });
  },
};
