/**
 * The uses of grants: what was consumed, called and receipted, put together. A call is (`capability_hash`, `tool_call_hash`);
 * its receipts in sequence, and the consumption for it, are one use.
 */
import { objectMember } from "../record/links.js";
import type { JsonObject } from "../statement/json.js";
import { type Context, grantIn, time } from "./context.js";
import type { RecordEntry } from "./entry.js";
import { distinctRecords, type Graph, textMember } from "./graph.js";

export interface Use {
  /** The grant, if one was named and is there. */
  readonly grant: RecordEntry | undefined;
  readonly consumption: RecordEntry | undefined;
  /** In log order; none while nothing was said of it. Each counts: the later ones are no less of the use than the first. */
  readonly receipts: readonly RecordEntry[];
  /** The last word; null while nothing was said. */
  readonly outcome: string | null;
  /** Where everything it rests on is looked at again: the consumption's place, else the first receipt's, else the end. */
  readonly index: number;
  /** When it was, in milliseconds since 1970: by the log's clock where it was consumed, else as claimed; undefined when unknown. */
  readonly time: number | undefined;
  /** Is the time the executor's claim alone? Then the log's clock at the receipt bounds it, where that is known. */
  readonly claimed: boolean;
  readonly receivedAt: number | null;
  /** Those of the receipts that are of the act itself: without what took it back afterwards. */
  readonly acts: readonly RecordEntry[];
  /** What was done, as each receipt states it; what is about to be done. */
  readonly stated: readonly Stated[];
  readonly executor: string | undefined;
  /** It has not happened: a grant that stands, or what somebody is about to do. */
  readonly pending: boolean;
}

export interface Stated {
  readonly action: JsonObject;
  /** Of what was done in part, or taken back: less of it is no other. */
  readonly isPart: boolean;
}

/** Which outcome may follow which, in one use. */
const FOLLOWS: Readonly<Record<string, readonly string[]>> = {
  unknown: ["unknown", "executed", "failed", "partial"],
  partial: ["executed", "reverted"],
  executed: ["reverted"],
};

export function outcomeOf({ record }: RecordEntry): string {
  return textMember(record.value, "outcome") ?? "";
}

/** Do these outcomes make one use? */
export function isSequence(receipts: readonly RecordEntry[]): boolean {
  return receipts.every((receipt, i) => {
    const before = receipts[i - 1];
    return before === undefined || (FOLLOWS[outcomeOf(before)] ?? []).includes(outcomeOf(receipt));
  });
}

/** Something was done, or may have been: every outcome but `refused`. */
export function isUse({ receipts }: Use): boolean {
  return receipts.some((receipt) => outcomeOf(receipt) !== "refused");
}

/** A boundary said that it did nothing, and nobody that it did. */
export function isRefused(use: Use): boolean {
  return use.receipts.length > 0 && !isUse(use);
}

/** Something was done, and the receipt must say what. */
export function isFinished({ outcome }: Use): boolean {
  return outcome === "executed" || outcome === "partial" || outcome === "reverted";
}

/** The uses that these consumptions and receipts make. */
export function usesIn(
  consumptions: readonly RecordEntry[],
  receipts: readonly RecordEntry[],
  context: Context,
): Use[] {
  const calls = new Map<string, { consumptions: RecordEntry[]; receipts: RecordEntry[] }>();
  const call = (name: string) => {
    const known = calls.get(name) ?? { consumptions: [], receipts: [] };
    calls.set(name, known);
    return known;
  };
  for (const receipt of distinctRecords(receipts)) call(callOf(receipt)).receipts.push(receipt);
  const unnamed: RecordEntry[] = [];
  for (const consumption of distinctRecords(consumptions))
    if (textMember(consumption.record.value, "tool_call_hash") === undefined) unnamed.push(consumption);
    else call(callOf(consumption)).consumptions.push(consumption);
  // One that names no call is for the first call of its grant that has none.
  for (const consumption of unnamed) {
    const grant = grantId(consumption);
    const found = [...calls.values()].find(
      (one) => one.consumptions.length === 0 && one.receipts.some((receipt) => grantId(receipt) === grant),
    );
    (found ?? call(`${grant} ${consumption.id}`)).consumptions.push(consumption);
  }
  return [...calls.values()].flatMap((one) => usesOfCall(one.consumptions, one.receipts, context));
}

/** As many uses as were consumed, the receipts in order: each goes on where it may, and else begins the next. */
function usesOfCall(
  consumptions: readonly RecordEntry[],
  receipts: readonly RecordEntry[],
  context: Context,
): Use[] {
  const stretches: RecordEntry[][] = [[]];
  for (const receipt of receipts) {
    const current = stretches.at(-1) ?? [];
    const fits = isSequence([...current, receipt]);
    if (fits || stretches.length >= consumptions.length) current.push(receipt);
    else stretches.push([receipt]);
  }
  while (stretches.length < consumptions.length) stretches.push([]);
  return stretches.map((stretch, i) => useOf(consumptions[i], stretch, context));
}

function useOf(
  consumption: RecordEntry | undefined,
  receipts: readonly RecordEntry[],
  { graph }: Context,
): Use {
  const first = receipts[0];
  const anchor = consumption ?? first;
  const grant = anchor === undefined ? undefined : grantIn(graph, grantId(anchor));
  const claimed = consumption === undefined || consumption.receivedAt === null;
  const acts = receipts.filter((receipt, i) => i === 0 || outcomeOf(receipt) !== "reverted");
  return {
    grant,
    consumption,
    receipts,
    acts,
    outcome: receipts.length === 0 ? null : outcomeOf(receipts.at(-1) as RecordEntry),
    index: anchor?.index ?? 0,
    time: claimed
      ? first === undefined
        ? consumption && time(consumption, "consumed_at")
        : time(first, "executed_at")
      : (consumption.receivedAt ?? undefined),
    claimed,
    receivedAt: acts.at(-1)?.receivedAt ?? null,
    stated: receipts.flatMap((receipt) => {
      const { value } = receipt.record;
      const isPart = ["partial", "reverted"].includes(outcomeOf(receipt));
      return value["executed_action"] === undefined
        ? []
        : [{ action: objectMember(value, "executed_action"), isPart }];
    }),
    executor: anchor?.record.issuer,
    pending: false,
  };
}

/** A use that has not happened: of a grant that nobody has used. */
export function pendingUse(grant: RecordEntry, { asOf, at, proposal }: Context): Use {
  const mine = proposal?.grant === grant.id ? proposal : null;
  return {
    ...handedUse(grant, { index: asOf, time: at }),
    stated: mine === null ? [] : [{ action: mine.action, isPart: false }],
    executor: mine?.executor,
  };
}

/**
 * The use of a grant by a grant below it, of another request: everything that it rests on is looked at there, and nothing of
 * what else was done under it.
 */
export function handedUse(grant: RecordEntry, { index, time: at }: Pick<Use, "index" | "time">): Use {
  return {
    grant,
    consumption: undefined,
    receipts: [],
    acts: [],
    outcome: null,
    index,
    time: at,
    claimed: false,
    receivedAt: null,
    stated: [],
    executor: undefined,
    pending: true,
  };
}

/** Everything that was consumed and receipted under these grants, strangers' apart. */
export function usesUnder(grants: readonly RecordEntry[], graph: Graph, context: Context): Use[] {
  const naming = (type: string): RecordEntry[] =>
    grants.flatMap(({ id }) => graph.naming(id, "capability_hash", type));
  return usesIn(naming("consumption"), naming("execution-receipt"), context);
}

function callOf(entry: RecordEntry): string {
  return `${grantId(entry)} ${textMember(entry.record.value, "tool_call_hash") ?? ""}`;
}

function grantId({ record }: RecordEntry): string | undefined {
  return textMember(record.value, "capability_hash");
}
