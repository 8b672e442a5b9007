import { stat, readdir } from "node:fs/promises";
import { join } from "node:path";
import {
  isLogged,
  type LogClient,
  type LoggedEntry,
  proofFile,
  type RefusedEntry,
} from "../../client/index.js";
import { ProofError, WritError } from "../../errors.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import { type Command, type Invocation, STRING, usageError, type Voice } from "../command.js";
import { readBytes, unreadable, writeWhole } from "../files.js";
import { type NamedSigner, readSigner } from "../key-files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { looksLikeRecord, signRecord } from "./sign.js";

/** A statement and where it came from; `file` null for a line of standard input. */
interface Item {
  readonly name: string;
  readonly file: string | null;
  readonly statement: Uint8Array;
}

/** What was given and is no statement: reported with the results, and no reason to hold back the others. */
interface BadItem {
  readonly name: string;
  readonly refused: RefusedEntry;
}

type Result = { readonly name: string } & (
  | { readonly entry: LoggedEntry; readonly proof: string | null }
  | { readonly refused: RefusedEntry }
);

const BATCH_ENTRIES = 500;
const BATCH_BYTES = 4 * 1024 * 1024;
const STATEMENT_FILE = /\.(json|dsse|cose|cbor|statement)$/;

export const submit: Command = {
  usage:
    "writ submit FILE… --log URL [--key VKEY | --policy FILE] [--patience SECONDS] [--sign FILE] [--wait witnessed] [--out DIR]",
  about:
    "Logs statements, and verifies and saves the proof of each beside it as FILE.tlog-proof. FILE may be a folder (its .json, .dsse, .cose, .cbor and .statement files) or - (one DSSE statement a line). Records are signed on the way with --sign FILE. --out puts the proofs elsewhere; those of standard input go nowhere without it. --wait witnessed waits until the log's witnesses have cosigned, and with --policy until the quorum of that policy is met.",
  options: { ...REMOTE_OPTIONS, sign: STRING, wait: STRING, out: STRING },
  async run(invocation, voice) {
    if (invocation.words.length === 0) throw usageError("want at least one file, a folder or -");
    const { wait } = { wait: invocation.text("wait") };
    if (wait !== undefined && wait !== "witnessed") throw usageError("--wait: want witnessed");
    if (wait !== undefined && invocation.text("policy") === undefined)
      voice.hint("no --policy: believing the log's own word that its witnesses have cosigned");
    const given = await itemsOf(invocation, voice);
    const bad = given.filter((item): item is BadItem => "refused" in item);
    const good = given.filter((item): item is Item => !("refused" in item));
    const sent =
      good.length === 0
        ? []
        : await withClient(invocation, voice, (client) =>
            submitAll(client, good, { out: invocation.text("out"), witnessed: wait !== undefined }, voice),
          );
    const results: Result[] = [...sent, ...bad];
    return {
      ok: results.every((result) => "entry" in result),
      text: results.map(line).join("\n"),
      json: results.map(summary),
    };
  },
};

async function submitAll(
  client: LogClient,
  items: readonly Item[],
  { out, witnessed }: { readonly out: string | undefined; readonly witnessed: boolean },
  voice: Voice,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const batch of batches(items)) {
    const [only] = batch;
    const answers =
      batch.length === 1 && only !== undefined
        ? [await submitOne(client, only, witnessed)]
        : await client.submitBatch(
            batch.map(({ statement }) => statement),
            { witnessed },
          );
    for (const [i, answer] of answers.entries()) {
      const item = batch[i];
      if (item !== undefined) results.push(await keep(item, answer, out));
    }
    voice.progress("submitting", results.length, items.length);
  }
  return results;
}

async function submitOne(
  client: LogClient,
  { statement }: Item,
  witnessed: boolean,
): Promise<LoggedEntry | RefusedEntry> {
  try {
    return await client.submit(statement, { witnessed });
  } catch (error) {
    if (!(error instanceof WritError) || !["SERVER_REFUSED", "NOT_WITNESSED"].includes(error.code))
      throw error;
    return { code: error.facts.refusal ?? error.code, detail: error.message, retryable: false };
  }
}

async function keep(
  { name, file, statement }: Item,
  answer: LoggedEntry | RefusedEntry,
  out: string | undefined,
): Promise<Result> {
  if (!isLogged(answer)) return { name, refused: answer };
  if (!sameStatement(answer, statement))
    throw new ProofError(`${name}: the log answered with another statement`);
  const proof = proofPath(name, file, answer, out);
  if (proof !== null) await writeWhole(proof, proofFile(answer));
  return { name, entry: answer, proof };
}

function sameStatement(entry: LoggedEntry, statement: Uint8Array): boolean {
  return Buffer.compare(entry.statement, parseStatement(statement, guessForm(statement)).stored) === 0;
}

function proofPath(
  name: string,
  file: string | null,
  entry: LoggedEntry,
  out: string | undefined,
): string | null {
  if (out !== undefined) {
    const base = file === null ? entry.entryHash.slice("sha256:".length) : name.replaceAll(/[\\/]/g, "_");
    return join(out, `${base}.tlog-proof`);
  }
  return file === null ? null : `${file}.tlog-proof`;
}

/** Batches of one form each, bounded in number and bytes, in the order given. */
function* batches(items: readonly Item[]): Generator<Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const [first] = batch;
    const sameForm = first === undefined || guessForm(first.statement) === guessForm(item.statement);
    if (
      batch.length > 0 &&
      (!sameForm || batch.length >= BATCH_ENTRIES || bytes + item.statement.length > BATCH_BYTES)
    ) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += item.statement.length;
  }
  if (batch.length > 0) yield batch;
}

async function itemsOf(invocation: Invocation, voice: Voice): Promise<(Item | BadItem)[]> {
  const signFile = invocation.text("sign");
  const signer = signFile === undefined ? null : await readSigner(signFile);
  const items: (Item | BadItem)[] = [];
  for (const word of invocation.words) {
    if (word === "-") items.push(...linesOf(await readBytes("-"), signer, voice));
    else
      for (const file of await filesIn(word))
        items.push(itemOf(file, file, await readBytes(file), signer, voice));
  }
  if (items.length === 0) throw usageError("there is no statement in what was given");
  return items;
}

function itemOf(
  name: string,
  file: string | null,
  bytes: Uint8Array,
  signer: NamedSigner | null,
  voice: Voice,
): Item | BadItem {
  try {
    return { name, file, statement: statementOf(bytes, signer, voice) };
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return { name, refused: { code: error.code, detail: error.message, retryable: false } };
  }
}

function statementOf(bytes: Uint8Array, signer: NamedSigner | null, voice: Voice): Uint8Array {
  if (looksLikeRecord(bytes)) {
    if (signer !== null) return signRecord(bytes, signer, false, voice).statement;
    throw new WritError(
      "ENVELOPE_INVALID",
      "a record, not a statement: sign it with writ sign, or give --sign FILE",
    );
  }
  parseStatement(bytes, guessForm(bytes));
  return bytes;
}

/** Standard input: one statement or record (COSE, or JSON over any number of lines), or else one a line. */
function linesOf(bytes: Uint8Array, signer: NamedSigner | null, voice: Voice): (Item | BadItem)[] {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  const full = lines.flatMap((text, i) => (text.trim() === "" ? [] : [{ text, number: i + 1 }]));
  const areMany = full.length > 1 && full.some(({ text }) => isJson(text)) && !isJson(lines.join("\n"));
  if (!areMany) return [itemOf("standard input", null, bytes, signer, voice)];
  return full.map(({ text, number }) =>
    itemOf(`line ${number}`, null, new Uint8Array(Buffer.from(text)), signer, voice),
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function filesIn(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => STATEMENT_FILE.test(name))
      .toSorted()
      .map((name) => join(path, name));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function line(result: Result): string {
  if ("refused" in result) {
    // It is in the log: what is missing is others' word for it.
    const word = result.refused.code === "NOT_WITNESSED" ? "not witnessed yet" : "refused";
    return `${result.name}\t${word}\t${result.refused.code}: ${result.refused.detail}`;
  }
  const { entry, proof } = result;
  return `${result.name}\t${entry.isNew ? "logged" : "already there"}\t${entry.index}\t${entry.recordId ?? entry.entryHash}\t${proof ?? ""}`;
}

function summary(result: Result): object {
  if ("refused" in result) return { name: result.name, refused: result.refused };
  const { index, entryHash, recordId, isNew } = result.entry;
  return {
    name: result.name,
    index,
    entry_hash: entryHash,
    record_id: recordId,
    new: isNew,
    proof: result.proof,
  };
}
