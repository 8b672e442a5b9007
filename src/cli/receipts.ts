/** Receipts on the command line: whose are believed, and what several of them together say. */
import { toHex } from "#crypto";
import { ProofError } from "../errors.js";
import {
  judgeReceipt,
  type PinnedService,
  type ReceiptOutcome,
  serviceOfKeySet,
  trustService,
} from "../verify/index.js";
import { formatVerifierKey } from "../format/vkey.js";
import { type Invocation, usageError } from "./command.js";
import { readBytes } from "./files.js";
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
  if (key !== undefined) services.push(trustService(formatVerifierKey(await verifierKeyOf(key))));
  if (services.length > 0) return services;
  throw usageError("whose receipts are believed? want --keys [URL=]FILE (a COSE key set), or --key VKEY");
}

async function pinnedSet(text: string): Promise<PinnedService> {
  const [, url, file] = /^(https?:\/\/[^=]*)=(.*)$/s.exec(text) ?? [];
  return serviceOfKeySet(await readBytes(file ?? text), url?.replace(/\/+$/, "") ?? null);
}

/** What the receipts of one statement come to. */
export interface JudgedReceipts {
  readonly outcomes: readonly ReceiptOutcome[];
  readonly lines: readonly string[];
}

/**
 * One at least is verified, and none that is by a pinned service fails; with `all`, every service has given one. ProofError
 * otherwise.
 */
export function demandReceipts(
  statement: Uint8Array,
  receipts: readonly Uint8Array[],
  services: readonly PinnedService[],
  all: boolean,
): JudgedReceipts {
  const outcomes = receipts.map((receipt) => judgeReceipt(statement, receipt, services));
  const bad = outcomes.find((one) => one.outcome === "invalid");
  if (bad?.outcome === "invalid") throw new ProofError(`a receipt does not hold: ${bad.reason}`);
  const good = outcomes.flatMap((one) => (one.outcome === "verified" ? [one.receipt] : []));
  if (good.length === 0) {
    const [first] = outcomes;
    throw new ProofError(
      first?.outcome === "unknown" ? `no receipt counts: one ${first.reason}` : "there is no receipt",
    );
  }
  const missing = services.filter((service) => good.every((one) => one.service !== service));
  if (all && missing.length > 0)
    throw new ProofError(`no receipt by ${missing.map(nameOf).join(", ")}, and --all wants one of each`);
  return { outcomes, lines: outcomes.map(lineOf) };
}

function lineOf(one: ReceiptOutcome): string {
  if (one.outcome !== "verified") return `not counted: one ${one.reason}`;
  const { index, size, issuer, subject } = one.receipt;
  return `VERIFIED: entry ${index} of ${issuer ?? "a service without a name"}, in its tree of ${size} entries; about ${subject ?? "nothing named"}`;
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
