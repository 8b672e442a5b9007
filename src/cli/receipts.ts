/** Receipts on the command line: whose are believed, and what several of them together say. */
import { toHex } from "#crypto";
import { ProofError } from "../errors.js";
import { serviceOfKey } from "../statement/verify-receipt.js";
import { printable } from "../trace/draw/text.js";
import { judgeReceipt, type PinnedService, type ReceiptOutcome, serviceOfKeySet } from "../verify/index.js";
import { type Invocation, usageError } from "./command.js";
import { readAs } from "./files.js";
import { verifierKeyOf } from "./remote.js";

/**
 * The services that `--key VKEY` and `--keys [URL=]FILE` pin, one for each: a key set is believed for its own service only,
 * by its URL if that is given.
 */
export async function pinnedServices(invocation: Invocation): Promise<PinnedService[]> {
  if (invocation.text("policy") !== undefined)
    throw usageError(
      "a receipt has no cosignatures to hold against a policy: want --key or --keys, or --proof",
    );
  const services = await Promise.all(invocation.texts("keys").map(pinnedSet));
  const key = invocation.text("key");
  if (key !== undefined) services.push(serviceOfKey((await verifierKeyOf(key)).publicKey));
  if (services.length > 0) return services;
  throw usageError("whose receipts are believed? want --keys [URL=]FILE (a COSE key set), or --key VKEY");
}

async function pinnedSet(text: string): Promise<PinnedService> {
  const [, url = null, file = text] = /^(https?:\/\/[^=]+)=(.+)$/is.exec(text) ?? [];
  if (url === null && /^https?:\/\//i.test(text))
    throw usageError(`--keys: want FILE or URL=FILE, got ${JSON.stringify(text)}`);
  return readAs(file, (bytes) => serviceOfKeySet(bytes, url));
}

/** A receipt and where it is from: a file, or its place in the statement. */
export interface NamedReceipt {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Did the caller ask for this one? Then it has to hold; what merely was attached may be anybody's junk. */
  readonly isAsked: boolean;
}

/** What the receipts of one statement come to. */
export interface JudgedReceipts {
  readonly outcomes: readonly ReceiptOutcome[];
  readonly lines: readonly string[];
}

/**
 * One at least is verified, and none fails that was asked for by its name; with `all`, every service has given one. ProofError
 * otherwise.
 */
export function demandReceipts(
  statement: Uint8Array,
  receipts: readonly NamedReceipt[],
  services: readonly PinnedService[],
  all: boolean,
): JudgedReceipts {
  const judged = receipts.map(({ name, bytes, isAsked }) => ({
    name,
    isAsked,
    result: judgeReceipt(statement, bytes, services),
    // Two pins may be of one key: each is asked by itself.
    by: services.filter((service) => judgeReceipt(statement, bytes, [service]).outcome === "verified"),
  }));
  const lineOfEach = ({ name, result }: (typeof judged)[number]): string => lineOf(name, result);
  // What was proven comes first.
  const lines = [
    ...judged.filter(({ by }) => by.length > 0).map(lineOfEach),
    ...judged.filter(({ by }) => by.length === 0).map(lineOfEach),
  ];
  const isProven = judged.some(({ by }) => by.length > 0);
  for (const { name, isAsked, result } of judged)
    if (result.outcome === "invalid" && (isAsked || !isProven))
      throw new ProofError(`${name} does not hold: ${quoted(result.reason)}`);
  if (!isProven) throw new ProofError(`no receipt counts: ${lines.join("; ")}`);
  const missing = services.filter((service) => judged.every(({ by }) => !by.includes(service)));
  if (all && missing.length > 0)
    throw new ProofError(`no receipt by ${missing.map(nameOf).join(", ")}, and --all wants one of each`);
  return { outcomes: judged.map(({ result }) => result), lines };
}

function lineOf(name: string, one: ReceiptOutcome): string {
  if (one.outcome === "invalid") return `does not hold: ${name}, ${quoted(one.reason)}`;
  if (one.outcome === "unknown") return `not counted: ${name}, ${quoted(one.reason)}`;
  const { index, size, issuer, subject } = one.receipt;
  return `VERIFIED: entry ${index} of ${quoted(issuer ?? "")}, in its tree of ${size} entries; about ${quoted(subject ?? "")}`;
}

const LONGEST_QUOTE = 300;

/** Other people's text in a line of ours: on one line, in quotes, and not longer than a line is read. */
export function quoted(text: string): string {
  const cut = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
  return JSON.stringify(printable(cut));
}

function nameOf({ url, keys }: PinnedService): string {
  const [key] = keys;
  return url ?? (key === undefined ? "a service without keys" : `the service of key ${key.key.keyId}`);
}

/** For `--json`. */
export function outcomeJson(one: ReceiptOutcome): object {
  if (one.outcome !== "verified") return one;
  const { index, size, root, issuer, subject } = one.receipt;
  return { outcome: "verified", issuer, subject, index, tree_size: size, root: toHex(root) };
}
