import { isMissing } from "../../durable.js";
import { WritError } from "../../errors.js";
import { parseReceipt } from "../../statement/receipt.js";
import { readSign1 } from "../../statement/sign1.js";
import { attachReceipts, splitTransparent } from "../../statement/transparent.js";
import { type Command, FLAG, onlyWord, STRING, usageError } from "../command.js";
import { readAs, readBytes, writeWhole } from "../files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { sizeOf } from "./trace.js";

/** Where a statement's receipt is kept: beside it. */
export function receiptFile(statement: string): string {
  return `${statement}.receipt`;
}

/** The receipt beside a statement, if there is one. */
export async function receiptBeside(statement: string): Promise<Uint8Array | null> {
  try {
    return await readBytes(receiptFile(statement));
  } catch (error) {
    if (error instanceof WritError && isMissing(error.cause)) return null;
    throw error;
  }
}

export const receipt: Command = {
  usage:
    "writ receipt STATEMENT --log URL [--key VKEY | --policy FILE] [--size N] [--attach] [-o FILE] [--patience SECONDS]",
  about:
    "Fetches the receipt (COSE, RFC 9942) of a statement that is in a log, verifies it, and saves it as STATEMENT.receipt: under the newest checkpoint, or under --size. --attach writes the transparent statement instead, the statement with its receipts in it, to -o FILE. A receipt has no cosignatures of witnesses: the proof file of writ submit has.",
  options: { ...REMOTE_OPTIONS, size: STRING, attach: FLAG, output: { type: "string", short: "o" } },
  async run(invocation, voice) {
    const file = onlyWord(invocation, "statement");
    const statement = await readBytes(file);
    const size = sizeOf(invocation, "size");
    const output = invocation.text("output");
    const attach = invocation.flag("attach");
    if (attach && output === undefined)
      throw usageError("--attach: want -o FILE for the transparent statement");
    if (file === "-" && output === undefined)
      throw usageError("standard input: want -o FILE for the receipt");
    const bytes = await withClient(invocation, voice, (client) =>
      client.receipt(statement, size === undefined ? {} : { size }),
    );
    const target = output ?? receiptFile(file);
    await writeWhole(target, attach ? attachReceipts(statement, [bytes]) : bytes);
    const [proof] = parseReceipt(bytes).inclusion;
    const { index = null, size: treeSize = null } = proof ?? {};
    return {
      ok: true,
      text: `${target}: entry ${index} in the tree of ${treeSize} entries`,
      json: { file: target, index, tree_size: treeSize, attached: attach },
    };
  },
};

export const receiptAttach: Command = {
  usage: "writ receipt attach STATEMENT [RECEIPT…] -o FILE",
  about:
    "Puts receipts (STATEMENT.receipt, unless named) into the unprotected header of a COSE statement, beside those it has: a transparent statement (RFC 9943). Nothing that was signed changes, and nothing is verified: writ verify does that.",
  options: { output: { type: "string", short: "o" } },
  async run(invocation) {
    const [file, ...named] = invocation.words;
    if (file === undefined) throw usageError("want a statement");
    if (file === "-" && named.length === 0) throw usageError("standard input: want the receipts by name");
    const files = named.length > 0 ? named : [receiptFile(file)];
    const output = invocation.text("output");
    if (output === undefined) throw usageError("want -o FILE for the transparent statement");
    const receipts = await Promise.all(files.map(readReceipt));
    const transparent = attachReceipts(await readBytes(file), receipts);
    await writeWhole(output, transparent);
    const count = splitTransparent(transparent).receipts.length;
    return {
      ok: true,
      text: `${output}: ${count} ${count === 1 ? "receipt" : "receipts"}`,
      json: { file: output, receipts: count },
    };
  },
};

/** Any COSE_Sign1 will do: others' receipts are of profiles that are not read here. */
function readReceipt(file: string): Promise<Uint8Array> {
  return readAs(file, (bytes) => {
    readSign1(bytes, { code: "RECEIPT_MALFORMED", anyOrder: true });
    return bytes;
  });
}

export const receiptExtract: Command = {
  usage: "writ receipt extract TRANSPARENT [-o STATEMENT]",
  about:
    "Takes the receipts out of a transparent statement: each to TRANSPARENT.receipt, or .receipt.1, .receipt.2 and so on when there are several, and the statement without them to -o.",
  options: { output: { type: "string", short: "o" } },
  async run(invocation) {
    const file = onlyWord(invocation, "transparent statement");
    if (file === "-") throw usageError("want a file: the receipts are written beside it");
    const { statement, receipts } = splitTransparent(await readBytes(file));
    const files = receipts.map((_, i) => receiptFile(file) + (receipts.length === 1 ? "" : `.${i + 1}`));
    for (const [i, bytes] of receipts.entries()) await writeWhole(files[i] ?? "", bytes);
    const output = invocation.text("output");
    if (output !== undefined) await writeWhole(output, statement);
    const written = output === undefined ? files : [...files, output];
    return {
      ok: receipts.length > 0,
      text: receipts.length === 0 ? "no receipt in it" : written.join("\n"),
      json: { receipts: files, statement: output ?? null },
    };
  },
};
