/** The use of grants: by whom, how often, consumed before, and with one word on what came of it. */
import { type Case } from "../case.js";
import { ancestry, type Context, descent, grantIn, time } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords, type Graph, textMember } from "../graph.js";
import { isSequence, isUse, outcomeOf, type Use, usesUnder } from "../use.js";
import { fails, type Problem, unknown } from "../verdict.js";

/** "Executor = grant's audience = receipt's signer." (That the signer is the executor is a condition of admission.) */
export function rightExecutor({ uses, action, context }: Case): Problem[] {
  const problems: Problem[] = [];
  // Who refused a grant that was not for it has kept to it.
  const used = action.receipts.filter((receipt) => outcomeOf(receipt) !== "refused");
  for (const user of [...action.consumptions, ...used]) {
    const grant = grantIn(context.graph, textMember(user.record.value, "capability_hash"));
    if (grant !== undefined && grant.record.value["audience"] !== user.record.value["executor_id"])
      problems.push(
        fails(
          "AUDIENCE_MISMATCH",
          [grant, user],
          `the grant is for ${textMember(grant.record.value, "audience")}, and ${user.record.issuer} used it`,
        ),
      );
  }
  for (const { grant, executor, pending } of uses)
    if (
      pending &&
      grant !== undefined &&
      executor !== undefined &&
      grant.record.value["audience"] !== executor
    )
      problems.push(
        fails(
          "AUDIENCE_MISMATCH",
          [grant],
          `the grant is for ${textMember(grant.record.value, "audience")}, not for ${executor}`,
        ),
      );
  return problems;
}

/** "Consumed before the receipt, by its executor; the receipt's nonce, where stated, is the grant's." */
export function consumedBefore({ uses, tier }: Case): Problem[] {
  return uses.flatMap((use) => {
    const { grant, consumption, receipts } = use;
    const [receipt] = receipts;
    if (grant === undefined || receipt === undefined) return [];
    const problems: Problem[] = [];
    for (const each of receipts) {
      const nonce = each.record.value["nonce"];
      if (nonce !== undefined && nonce !== grant.record.value["nonce"])
        problems.push(
          fails("CONSUMPTION_MISSING", [each, grant], "the receipt states another nonce than the grant's"),
        );
    }
    if (!isUse(use) || tier < 2 || (tier === 2 && maxUses(grant) !== 1)) return problems;
    const fits =
      consumption !== undefined &&
      consumption.index < receipt.index &&
      consumption.record.issuer === receipt.record.issuer &&
      consumption.record.value["nonce"] === grant.record.value["nonce"];
    if (!fits)
      problems.push(
        (tier >= 3 ? fails : unknown)(
          "CONSUMPTION_MISSING",
          [receipt, grant],
          `${receipt.record.issuer} did not use the grant up in the log before the receipt`,
        ),
      );
    return problems;
  });
}

/** "Uses of (authority, nonce) ≤ max_uses", each use counted for every grant above as well. */
export function usedWithinLimit(one: Case): Problem[] {
  const { context, grants } = one;
  const { graph } = context;
  const checked = new Set(grants.flatMap((grant) => ancestry(grant, graph)));
  const pools = groupByNonce(graph);
  const counted = new Map<string, readonly Use[]>();
  return [...checked].flatMap((grant) => {
    const name = nonceName(grant);
    const pool = pools.get(name) ?? [grant];
    const uses =
      counted.get(name) ??
      usesUnder(below(pool, graph), graph, context).filter(
        (use) => isUse(use) || use.consumption !== undefined,
      );
    counted.set(name, uses);
    const about = one.uses.filter(
      (use) =>
        use.pending &&
        context.proposal !== null &&
        use.grant !== undefined &&
        ancestry(use.grant, graph).includes(grant),
    );
    // A consumption for one call and a receipt of another may be of one use: what was called instead is another finding.
    const count =
      Math.max(
        uses.filter(isUse).length,
        uses.filter(({ consumption }) => consumption !== undefined).length,
      ) + about.length;
    const limit = maxUses(grant);
    if (count <= limit) return [];
    const others = pool.length - 1;
    const pooled = others > 0 ? ` (with ${others} more grants of the same authority and nonce)` : "";
    const receipts = uses.flatMap((use) => use.receipts);
    return [fails("NONCE_REUSED", [grant, ...receipts], `${count} uses of a grant for ${limit}${pooled}`)];
  });
}

/** "Executions of the request ≤ `max_executions` (unstated: the first grant's `max_uses`; at tier 3 one)." */
export function executedWithinLimit(one: Case): Problem[] {
  const { action, uses, tier, context } = one;
  const { request } = action;
  const executions = uses
    .filter(isExecution)
    .concat(uses.filter(({ pending }) => pending && context.proposal !== null));
  const stated = request?.record.value["max_executions"];
  const [first] = action.grants;
  // Without a grant nobody has said how often; what must be granted and was not is another finding.
  if (first === undefined && typeof stated !== "number") return [];
  const limit = typeof stated === "number" ? stated : tier >= 3 || first === undefined ? 1 : maxUses(first);
  if (executions.length <= limit) return [];
  return [
    fails(
      "EXECUTED_TWICE",
      [
        ...(request === undefined ? [] : [request]),
        ...executions.flatMap(({ receipts }) => receipts.slice(0, 1)),
      ],
      `carried out ${executions.length} times, and ${limit === 1 ? "once was" : `${limit} times were`} approved`,
    ),
  ];
}

/** A use that is receipted `failed` or `refused` by the key that consumed gives the execution back. */
function isExecution(use: Use): boolean {
  const { outcome, consumption, receipts } = use;
  if (!isUse(use)) return false;
  if (outcome !== "failed") return true;
  const last = receipts.at(-1);
  return consumption !== undefined && last !== undefined && consumption.record.issuer !== last.record.issuer;
}

/** Grants by authority and nonce: those that share both share their uses. */
function groupByNonce(graph: Graph): Map<string, RecordEntry[]> {
  const pools = new Map<string, RecordEntry[]>();
  for (const grant of distinctRecords(graph.all("capability-grant"))) {
    const pool = pools.get(nonceName(grant));
    if (pool === undefined) pools.set(nonceName(grant), [grant]);
    else pool.push(grant);
  }
  return pools;
}

function nonceName({ record }: RecordEntry): string {
  return JSON.stringify([record.issuer, record.value["nonce"]]);
}

function below(pool: readonly RecordEntry[], graph: Graph): RecordEntry[] {
  const found = new Set<RecordEntry>();
  for (const grant of pool) if (!found.has(grant)) for (const one of descent(grant, graph)) found.add(one);
  return [...found];
}

export function maxUses({ record }: RecordEntry): number {
  const { max_uses: most } = record.value;
  return typeof most === "number" ? most : 1;
}

/** "Every use has its one terminal receipt; a use past its grant's expiry without one; a use whose last word is `unknown`." */
export function oneReceiptPerUse({ calls, context }: Case): Problem[] {
  return calls.flatMap((use): Problem[] => {
    const { grant, consumption, receipts, outcome } = use;
    if (!isSequence(receipts))
      return [
        fails(
          "TERMINAL_DUPLICATE",
          receipts,
          `${receipts.length} receipts for one call that do not follow one from another: ${receipts.map(outcomeOf).join(", ")}`,
        ),
      ];
    if (outcome === "unknown")
      return [
        unknown(
          "OUTCOME_UNKNOWN",
          receipts.slice(-1),
          "the last word on what was done is that it is unknown",
        ),
      ];
    if (receipts.length > 0 || grant === undefined || consumption === undefined) return [];
    return isOver(grant, context)
      ? [
          unknown(
            "USE_UNRECEIPTED",
            [grant, consumption],
            `consumed by ${consumption.record.issuer}, the grant has ended, and no receipt says what came of it`,
          ),
        ]
      : [];
  });
}

function isOver(grant: RecordEntry, { at }: Context): boolean {
  const expiry = time(grant, "expiry");
  return expiry !== undefined && at > expiry;
}

/** Was something consumed under a grant that has ended, with no receipt? */
export function isUnaccounted({ uses, context }: Case): boolean {
  return uses.some(
    ({ grant, consumption, receipts, pending }) =>
      !pending &&
      receipts.length === 0 &&
      consumption !== undefined &&
      grant !== undefined &&
      isOver(grant, context),
  );
}

/** "`revocation_registry` is spelled as entry 0's `origin`": elsewhere is not read here. */
export function registryHere({ grants, context }: Case): Problem[] {
  const chain = new Set(grants.flatMap((grant) => ancestry(grant, context.graph)));
  return [...chain].flatMap((grant) => {
    const registry = textMember(grant.record.value, "revocation_registry");
    return registry === context.origin
      ? []
      : [
          unknown(
            "REVOCATION_ELSEWHERE",
            [grant],
            `the grant's revocations are said at ${registry}, which is not read here (this log is ${context.origin})`,
          ),
        ];
  });
}
