/**
 * "Nothing that it rests on was taken back before the use": request, delegations, decision, approvals, grants, action type,
 * policy, mission, facts and what confirms them, and the keys of agent, delegator, engine, approvers and authority. Judged as
 * things stand at the use: what is resumed is nothing, what is renewed neither.
 */
import { revocationAction } from "../../record/revocation.js";
import { type Anchor, type Case, rulesOf } from "../case.js";
import {
  ancestry,
  type Context,
  decisionFor,
  decisionOf,
  effectiveDecision,
  suspensions,
  takenBack,
  time,
} from "../context.js";
import { isRecordEntry, type RecordEntry, type TraceEntry } from "../entry.js";
import { textMember } from "../graph.js";
import type { Use } from "../use.js";
import { fails, type Problem, unknown } from "../verdict.js";
import { countedApprovals, lackingWithout, rejectionOf } from "./approvals.js";
import { delegationsOf, delegatorsKeys } from "./delegation.js";
import { confirmationLost, wantsConfirmation } from "./confirmation.js";
import { citedBy, factsFor, isWrittenAgain, supersederOf } from "./evidence.js";
import { missionsFor, policiesFor } from "./registration.js";

/** What took something back. */
interface Withdrawal {
  readonly what: RecordEntry;
  readonly by: TraceEntry;
  readonly how: string;
}

export function notWithdrawn(one: Case): Problem[] {
  return one.uses.flatMap((use) => {
    const before = withdrawals(use, use.index, one);
    // Until the last word on it: what was withdrawn while it was under way is no less withdrawn.
    const until = use.acts.at(-1)?.index;
    const known = new Set(before.map(({ what, by }) => `${what.index} ${by.index}`));
    const during = (until === undefined ? [] : withdrawals(use, until, one)).filter(
      ({ what, by }) => by.index > use.index && !known.has(`${what.index} ${by.index}`),
    );
    return [...before.map((found) => beforeUse(found, use)), ...during.map((found) => duringUse(found, use))];
  });
}

/** Whether it was revoked or suspended, where the sentence leaves that to the entry. */
function told({ how, by }: Withdrawal): string {
  if (!how.endsWith(" was")) return how;
  const action =
    isRecordEntry(by) && by.record.type === "revocation" ? revocationAction(by.record) : "revoke";
  return `${how} ${action === "suspend" ? "suspended" : "revoked"} by entry ${by.index}`;
}

function beforeUse({ what, by, how }: Withdrawal, use: Use): Problem {
  const [executed] = use.receipts.flatMap((receipt) => time(receipt, "executed_at") ?? []);
  // Without a consumption only the executor says when it was: before, he says, but logged after.
  const mayBeBefore =
    use.consumption === undefined &&
    !use.pending &&
    executed !== undefined &&
    (by.receivedAt === null || executed < by.receivedAt);
  return mayBeBefore
    ? duringUse({ what, by, how }, use)
    : fails(
        "WITHDRAWN_BEFORE_USE",
        [what, by, ...use.receipts.slice(0, 1)],
        `${told({ what, by, how })} before ${momentOf(use)}`,
      );
}

function duringUse({ what, by, how }: Withdrawal, use: Use): Problem {
  return unknown(
    "WITHDRAWN_DURING_USE",
    [what, by, ...use.receipts.slice(0, 1)],
    `${told({ what, by, how })} before the receipt was logged; whether before the act cannot be told`,
  );
}

function momentOf({ grant, pending }: Use): string {
  if (pending) return "it was used";
  return grant === undefined ? "it was done" : "the grant was used";
}

/** Everything that a use rests on and that was taken back, as things stood before `index`. */
function withdrawals(use: Use, index: number, one: Case): Withdrawal[] {
  const { action, context, grants } = one;
  const { grant } = use;
  const anchor: Anchor = { grant, entry: grant ?? null, index: grant?.index ?? use.index };
  const decision = grant === undefined ? undefined : decisionFor(grant, context);
  const ungranted = grants.length === 0 ? one.decisions : [];
  const decisions = grant === undefined ? ungranted : decision === undefined ? [] : [decision];
  const approvals = countedApprovals(anchor, one);
  const delegations = delegationsOf(one);
  const chain = grant === undefined ? [] : ancestry(grant, context.graph);
  const request = action.request === undefined ? [] : [action.request];
  const policies = decisions.flatMap((each) => policiesFor(each, one));
  const found: Withdrawal[] = [];
  const add = (what: RecordEntry, by: TraceEntry | undefined, how: string): void => {
    if (by !== undefined && by.index < index) found.push({ what, by, how });
  };
  const whole = [
    ...request,
    ...delegations,
    ...decisions,
    ...chain,
    ...rulesOf(one),
    ...missionsFor(one, index),
  ];
  for (const what of whole)
    add(
      what,
      takenBack(what, index, context) ?? suspendedAt(what, use, index, context),
      `the ${what.record.type} of ${what.record.issuer} was`,
    );
  // What was taken back before it was decided by is the policy check's to say.
  for (const policy of policies) {
    const by = takenBack(policy, index, context) ?? suspendedAt(policy, use, index, context);
    if (by !== undefined && decisions.every((each) => each.index < by.index))
      add(policy, by, `the policy ${textMember(policy.record.value, "policy_version")} was`);
  }
  // An approval that nobody asked for, or that was given again since, may be taken back.
  const lost = approvals.flatMap((approval): Withdrawal[] => {
    const { issuer } = approval.record;
    const ways: readonly (readonly [TraceEntry | undefined, string])[] = [
      [
        takenBack(approval, index, context) ?? suspendedAt(approval, use, index, context),
        `the approval of ${issuer} was`,
      ],
      [rejectionOf(approval, index, one), `${issuer} took the approval back`],
      [keyWithdrawn(approval, index, context), `the key of ${issuer} was`],
    ];
    return ways.flatMap(([by, how]) =>
      by === undefined || by.index >= index ? [] : [{ what: approval, by, how }],
    );
  });
  if (lackingWithout([...new Set(lost.map(({ what }) => what))], anchor, index, one)) found.push(...lost);
  if (grant !== undefined)
    for (const superseded of supersededDecision(grant, index, context)) found.push(superseded);
  found.push(...factWithdrawals(anchor, index, one));
  const speakers = [...request, ...delegations, ...decisions, ...chain];
  for (const what of speakers)
    add(what, keyWithdrawn(what, index, context), `the key of ${what.record.issuer} was`);
  for (const asker of request)
    for (const keyId of delegatorsKeys(asker, one))
      add(
        asker,
        withdrawalOf(keyId, asker, index, context),
        "the key of the delegator who signed the request was",
      );
  return found;
}

/**
 * What was done, by the executor's own date, while something was suspended that was resumed before the receipt. (Where the log
 * says when it was consumed, his clock may be behind by the tolerance.)
 */
function suspendedAt(what: RecordEntry, use: Use, index: number, context: Context): RecordEntry | undefined {
  const slack = use.claimed ? 0 : context.toleranceMs;
  const claims = use.acts.flatMap((receipt) => time(receipt, "executed_at") ?? []);
  return suspensions(what, index, context).find(({ from, to }) =>
    claims.some(
      (executed) =>
        from.receivedAt !== null &&
        to.receivedAt !== null &&
        from.receivedAt <= executed &&
        executed + slack < to.receivedAt,
    ),
  )?.from;
}

/** "Decision (also superseded by another outcome)." */
function supersededDecision(grant: RecordEntry, index: number, context: Context): Withdrawal[] {
  const named = decisionOf(grant, context);
  if (named === undefined) return [];
  const [then, now] = [
    effectiveDecision(named, grant.index, context),
    effectiveDecision(named, index, context),
  ];
  const [was, is] = [then, now].map(({ record }) => textMember(record.value, "decision"));
  return was === is
    ? []
    : [{ what: then, by: now, how: `${now.record.issuer} superseded the decision by ${is}` }];
}

function factWithdrawals(anchor: Anchor, index: number, one: Case): Withdrawal[] {
  const { context } = one;
  const found: Withdrawal[] = [];
  for (const { name, hash } of citedBy(one)) {
    const facts = factsFor(hash, anchor.index, context);
    for (const fact of facts) {
      const by = takenBack(fact, index, context) ?? supersederOf(fact, index, context);
      if (by !== undefined && by.index >= anchor.index && !isWrittenAgain(fact, index, context))
        found.push({ what: fact, by, how: `the evidence ${name} was taken back or replaced` });
    }
    if (!wantsConfirmation(one)) continue;
    const lost = confirmationLost(hash, anchor, index, one);
    if (lost !== undefined) found.push({ ...lost, how: `what confirmed ${name} was taken back` });
  }
  return found;
}

/** The entry by which every key that spoke for it was taken back. */
function keyWithdrawn(
  entry: RecordEntry,
  index: number,
  { graph, everything, keys }: Context,
): TraceEntry | undefined {
  const speakers = graph.speakersOf(entry);
  const cuts = speakers.map((keyId) => keys.withdrawnAt(keyId, entry.record.issuer, entry.index, index));
  const [cut] = cuts;
  if (cut === undefined || cuts.some((at) => at === null)) return undefined;
  return entryAt(cut, everything);
}

/** The entry by which one key was taken back that spoke for the delegator. */
function withdrawalOf(
  keyId: string,
  request: RecordEntry,
  index: number,
  { keys, everything }: Context,
): TraceEntry | undefined {
  const delegator = textMember(request.record.value, "delegator_id") ?? "";
  return entryAt(keys.withdrawnAt(keyId, delegator, request.index, index), everything);
}

function entryAt(
  index: number | null | undefined,
  everything: Context["everything"],
): TraceEntry | undefined {
  return everything.nodes.find(({ entry }) => entry.index === index)?.entry;
}
