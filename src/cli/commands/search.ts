import type { JsonObject } from "../../statement/json.js";
import type { SearchFilters, SearchHit } from "../../client/index.js";
import { printable } from "../../trace/draw/text.js";
import { type Command, FLAG, type Invocation, STRING, usageError } from "../command.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { sizeOf } from "./trace.js";

const TEXT_FILTERS = [
  "type",
  "issuer",
  "signer",
  "content-type",
  "trace-id",
  "mission-id",
  "action-type",
  "decision",
  "outcome",
  "subject",
  "target",
  "digest",
  "tool-call-hash",
  "evidence",
  "party",
  "hash-prefix",
  "linked",
  "since",
  "until",
  "cursor",
] as const;

export const search: Command = {
  usage: `writ search [${TEXT_FILTERS.map((name) => `--${name} …`).join("] [")}] [--from INDEX] [--to INDEX] [--desc] [--limit N] [--all] --log URL [--key VKEY]`,
  about:
    "Finds entries by what their records say; several filters must all hold. --linked takes a record id and finds what names it; --digest (sha256:…) finds what was attested of an artifact; --party an id in any role; --hash-prefix (sha256: and 8 digits or more) what is left of a hash that was cut, without other filters; --evidence who wrote a hash down or relied on it; --since and --until are times of the log's clock. --desc: newest first. --all goes on to the last page. What is found is the log's word: writ get verifies an entry.",
  options: {
    ...REMOTE_OPTIONS,
    ...Object.fromEntries(TEXT_FILTERS.map((name) => [name, STRING])),
    from: STRING,
    to: STRING,
    limit: STRING,
    desc: FLAG,
    all: FLAG,
  },
  async run(invocation, voice) {
    if (invocation.words.length > 0) throw usageError("want filters, no words");
    const filters = filtersOf(invocation);
    return withClient(invocation, voice, async (client) => {
      const hits: SearchHit[] = [];
      let answer = await client.search(filters);
      hits.push(...answer.hits);
      while (invocation.flag("all") && answer.next !== null) {
        answer = await client.search({ ...filters, cursor: answer.next });
        hits.push(...answer.hits);
      }
      const { completeTo, next } = answer;
      if (next !== null) voice.hint(`there is more: --cursor ${next}, or --all`);
      return {
        ok: true,
        text: [...hits.map(line), `${hits.length} found; complete up to size ${completeTo}`].join("\n"),
        json: { entries: hits.map(viewOf), complete_to: completeTo, next },
      };
    });
  },
};

function filtersOf(invocation: Invocation): SearchFilters {
  const texts = TEXT_FILTERS.flatMap((name) => {
    const value = invocation.text(name);
    const wanted = value === undefined || name !== "digest" ? value : digestOf(value);
    return wanted === undefined ? [] : [[name.replaceAll("-", "_"), wanted] as const];
  });
  const numbers = (["from", "to", "limit"] as const).flatMap((name) => {
    const value = sizeOf(invocation, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries([...texts, ...numbers]),
    ...(invocation.flag("desc") ? { order: "desc" } : {}),
  };
}

/** A digest as it is found: by its algorithm, SHA-256 when none is named, and in lower case. */
function digestOf(text: string): string {
  const [, algorithm = "sha256", hex] = /^(?:([^:]+):)?([0-9a-f]+)$/i.exec(text) ?? [];
  if (hex === undefined)
    throw usageError(`--digest: want ALGORITHM:HEX or the hex of a SHA-256, got ${text}`);
  return `${algorithm}:${hex.toLowerCase()}`;
}

function viewOf({ index, entryHash, recordId, record, receivedAt }: SearchHit): object {
  return { index, entry_hash: entryHash, record_id: recordId, record, received_at: receivedAt };
}

function line({ index, recordId, entryHash, record, receivedAt }: SearchHit): string {
  const text = (of: JsonObject | null, name: string): string => {
    const value = of?.[name];
    return typeof value === "string" ? value : "";
  };
  const words = [
    `#${index}`,
    text(record, "type") || "foreign",
    text(record, "issuer"),
    receivedAt,
    recordId ?? entryHash,
  ];
  return printable(words.join("  "));
}
