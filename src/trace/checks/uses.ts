/** The use of grants: by whom, when, how often, and that it was recorded. */
import {
  ancestry,
  type Case,
  type Context,
  decisionFor,
  descent,
  grantsOf,
  smallestRule,
  time,
  type Use,
  type Withdrawal,
  withdrawals,
} from "../context.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords, type Graph, textMember } from "../graph.js";
import { countedApprovals } from "./approvals.js";
import { fails, type Problem, unknown } from "../verdict.js";

const HOUR_MS = 3_600_000;

/** "not_before ≤ executed_at ≤ expiry", of the grant and of every grant above it. */
export function withinWindow(one: Case, { graph }: Context): Problem[] {
  return one.uses.flatMap(({ receipt, grant }) => {
    const executed = time(receipt, "executed_at");
    if (grant === undefined || executed === undefined) return [];
    return ancestry(grant, graph).flatMap((link) => {
      const opens = time(link, "not_before");
      const closes = link === grant ? lifetimeEnd(link, one) : time(link, "expiry");
      if (closes !== undefined && executed > closes)
        return [fails("GRANT_EXPIRED", [link, receipt], "executed after the grant's expiry")];
      return opens !== undefined && executed < opens
        ? [fails("GRANT_NOT_YET_VALID", [link, receipt], "executed before the grant's not_before")]
        : [];
    });
  });
}

/** The expiry, or what the action type's longest lifetime leaves of it. */
function lifetimeEnd(grant: RecordEntry, one: Case): number | undefined {
  const longest = smallestRule(one, "max_grant_lifetime_s");
  const [expiry, granted] = [time(grant, "expiry"), time(grant, "issued_at")];
  if (longest === undefined || granted === undefined || expiry === undefined) return expiry;
  return Math.min(expiry, granted + longest * 1000);
}

/** "LATE_REGISTRATION: the receipt's `received_at` is more than an hour after the grant's expiry." */
export function loggedInTime({ uses }: Case): Problem[] {
  return uses.flatMap(({ receipt, grant }) => {
    const expiry = grant === undefined ? undefined : time(grant, "expiry");
    if (grant === undefined || expiry === undefined || receipt.receivedAt === null) return [];
    return receipt.receivedAt > expiry + HOUR_MS
      ? [
          unknown(
            "LATE_REGISTRATION",
            [receipt, grant],
            "the receipt was logged more than an hour after the grant's expiry",
          ),
        ]
      : [];
  });
}

/** "executor = grant's audience = receipt's signer" (that the signer is the executor is a condition of admission) */
export function rightExecutor({ uses, action }: Case, { graph }: Context): Problem[] {
  const users = [
    ...uses,
    ...action.consumptions.map((receipt) => ({ receipt, grant: graph.record(grantId(receipt)) })),
  ];
  return users.flatMap(({ receipt, grant }) =>
    grant !== undefined && grant.record.value["audience"] !== receipt.record.value["executor_id"]
      ? [fails("AUDIENCE_MISMATCH", [grant, receipt], `${receipt.record.issuer} is not the grant's audience`)]
      : [],
  );
}

/** "tier 3: the receipt's grant was consumed before it, by its executor": each consumption for one use */
export function consumedBefore({ uses }: Case, { graph }: Context): Problem[] {
  const spent = new Set<RecordEntry>();
  return uses.flatMap(({ receipt, grant }) => {
    if (grant === undefined) return [];
    const { executor_id: executor, tool_call_hash: call } = receipt.record.value;
    const fitting = graph
      .naming(grant.id, "capability_hash", "consumption")
      .filter(
        ({ index, record: { value } }) =>
          index < receipt.index &&
          value["executor_id"] === executor &&
          value["nonce"] === grant.record.value["nonce"] &&
          (value["tool_call_hash"] ?? call) === call,
      );
    // One that names the call is for all receipts of that call; one that names none is for one receipt.
    const consumed =
      fitting.find(({ record }) => record.value["tool_call_hash"] === call) ??
      fitting.find((one) => !spent.has(one));
    if (consumed !== undefined) spent.add(consumed);
    const detail = "the executor did not consume the grant before the receipt";
    return consumed === undefined ? [fails("CONSUMPTION_MISSING", [receipt, grant], detail)] : [];
  });
}

/** "uses of (authority, nonce) ≤ max_uses", each use counted for every grant above as well. */
export function usedWithinLimit(one: Case, { graph }: Context): Problem[] {
  const checked = new Set([...grantsOf(one)].flatMap((grant) => ancestry(grant, graph)));
  const pools = groupByNonce(graph);
  const counted = new Map<string, Pool>();
  return [...checked].flatMap((grant) => {
    const name = nonceName(grant);
    const grantsOfNonce = pools.get(name) ?? [grant];
    const pool = counted.get(name) ?? usesBelow(grantsOfNonce, graph);
    counted.set(name, pool);
    const { receipts, consumptions } = pool;
    const count = Math.max(countUses(receipts), consumptions.length);
    const limit = maxUses(grant);
    if (count <= limit) return [];
    const others = grantsOfNonce.length - 1;
    const pooled = others > 0 ? ` (with ${others} more grants of the same authority and nonce)` : "";
    return [fails("NONCE_REUSED", [grant, ...receipts], `${count} uses of a grant for ${limit}${pooled}`)];
  });
}

interface Pool {
  readonly receipts: readonly RecordEntry[];
  readonly consumptions: readonly RecordEntry[];
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

function usesBelow(pool: readonly RecordEntry[], graph: Graph): Pool {
  const below = new Set<RecordEntry>();
  for (const grant of pool) if (!below.has(grant)) for (const one of descent(grant, graph)) below.add(one);
  const naming = (type: string): RecordEntry[] =>
    graph.distinctBySpeaker([...below].flatMap(({ id }) => graph.naming(id, "capability_hash", type)));
  return { receipts: naming("execution-receipt").filter(isUse), consumptions: naming("consumption") };
}

/** An outcome still unknown and the terminal receipt that follows it are one use, if they are of one tool call. */
function countUses(receipts: readonly RecordEntry[]): number {
  const settled = new Set(receipts.filter(isTerminal).map(callOf));
  return receipts.filter((receipt) => isTerminal(receipt) || !settled.has(callOf(receipt))).length;
}

function maxUses({ record }: RecordEntry): number {
  const { max_uses: most } = record.value;
  return typeof most === "number" ? most : 1;
}

function isUse({ record }: RecordEntry): boolean {
  return record.value["outcome"] !== "refused";
}

function isTerminal(receipt: RecordEntry): boolean {
  return isUse(receipt) && receipt.record.value["outcome"] !== "unknown";
}

function callOf({ record }: RecordEntry): string {
  return textMember(record.value, "tool_call_hash") ?? "";
}

function grantId({ record }: RecordEntry): string | undefined {
  return textMember(record.value, "capability_hash");
}

/** "one terminal receipt per use; a grant past expiry without one" */
export function oneReceiptPerUse(one: Case, { graph, at }: Context): Problem[] {
  return [...grantsOf(one)].flatMap((grant): Problem[] => {
    const receipts = graph.naming(grant.id, "capability_hash", "execution-receipt").filter(isTerminal);
    const calls = new Set(receipts.map(callOf));
    if (receipts.length > calls.size)
      return [
        fails(
          "TERMINAL_DUPLICATE",
          receipts,
          `${receipts.length} terminal receipts for ${calls.size} tool calls`,
        ),
      ];
    const consumed = graph.naming(grant.id, "capability_hash", "consumption");
    const expiry = time(grant, "expiry");
    return receipts.length === 0 && consumed.length > 0 && expiry !== undefined && at > expiry
      ? [
          unknown(
            "GRANT_UNRECEIPTED",
            [grant, ...consumed],
            "consumed, expired, and no terminal receipt is there",
          ),
        ]
      : [];
  });
}

/** "nothing in the chain revoked or suspended before execution", judged up to the receipt's index */
export function notRevoked(one: Case, context: Context): Problem[] {
  const { action, uses } = one;
  return uses.flatMap((use) => {
    const { receipt, grant } = use;
    const chain = [
      ...(action.request === undefined ? [] : [action.request]),
      ...(grant === undefined
        ? []
        : [...ancestry(grant, context.graph), ...countedApprovals(grant, one, context)]),
      ...(grant === undefined ? [] : [decisionFor(grant, context) ?? []].flat()),
    ];
    return chain.flatMap((link) =>
      withdrawals(link, receipt.index, context).flatMap((withdrawal) =>
        revoked(link, withdrawal, use, context),
      ),
    );
  });
}

/**
 * A grant can be revoked until it is used: a consumption before the revocation settles it, if the execution does not say
 * that it came later. Which came first, where log and clock disagree, cannot be told. A suspension that was lifted before
 * the receipt counts for an execution that says it was in between.
 */
function revoked(
  link: RecordEntry,
  { by, resumedBy }: Withdrawal,
  { receipt, grant }: Use,
  { graph }: Context,
): Problem[] {
  const executed = time(receipt, "executed_at") ?? 0;
  const executedFirst = executed < (time(by, "issued_at") ?? 0);
  if (resumedBy !== null && (executedFirst || executed >= (time(resumedBy, "issued_at") ?? 0))) return [];
  const speakers = graph.speakersOf(receipt);
  const consumedFirst =
    grant !== undefined &&
    graph
      .naming(grant.id, "capability_hash", "consumption")
      .some(
        (use) => use.index < by.index && graph.speakersOf(use).some((signer) => speakers.includes(signer)),
      );
  if (consumedFirst && executedFirst) return [];
  const nodes = [by, link, receipt];
  const what = `the ${link.record.type} was revoked or suspended`;
  if (consumedFirst || executedFirst) {
    const why = consumedFirst
      ? "after the grant was consumed, and before it says it was executed"
      : "before the receipt was logged, and after it says it was executed";
    return [unknown("REVOCATION_RACE", nodes, `${what} ${why}`)];
  }
  return [fails("REVOKED_BEFORE_EXECUTION", nodes, `${what} before the execution`)];
}
