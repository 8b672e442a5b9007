/**
 * The findings table: every check, in the order in which it is told, and when there is nothing (yet) to ask it of. Which risk
 * tier a check asks something of is said in it: the tier decides what must be there, and what is there is judged at every tier.
 */
import type { Case } from "../case.js";
import { rulesOf } from "../case.js";
import { textMember } from "../graph.js";
import { isFinished } from "../use.js";
import type { Problem } from "../verdict.js";
import { approvals } from "./approvals.js";
import { boundarySealed, isNumbered, rolesApart } from "./boundary.js";
import { delegated } from "./delegation.js";
import { confirmed, wantsConfirmation } from "./confirmation.js";
import { citedBy, evaluatedRight, evidenceStands } from "./evidence.js";
import { hasPriors, priorActions, provenanceFits } from "./priors.js";
import { equivocations } from "./history.js";
import {
  actionTypeRegistered,
  hasMission,
  missionOpen,
  policyInForce,
  policyNotRetroactive,
  postconditions,
  tierKept,
} from "./registration.js";
import { attenuates, executionStated, sameAction, sameTool, withinConstraints } from "./scope.js";
import { namedByThose } from "./standing.js";
import {
  decisionAllows,
  grantThere,
  oneRequest,
  requestThere,
  stepsInOrder,
  uncontradicted,
} from "./steps.js";
import { inClaimedOrder, notInFuture, unexpired, withinWindow } from "./times.js";
import { trustedEnough } from "./trust.js";
import {
  consumedBefore,
  executedWithinLimit,
  oneReceiptPerUse,
  registryHere,
  rightExecutor,
  usedWithinLimit,
} from "./uses.js";
import { notWithdrawn } from "./withdrawn.js";

export interface Check {
  readonly name: string;
  /** What is true when it passes. */
  readonly about: string;
  /** Why there is nothing to check (yet); undefined when there is. */
  readonly idle?: (one: Case) => string | undefined;
  readonly run: (one: Case) => Problem[];
}

const unless = (holds: (one: Case) => boolean, why: string) => (one: Case) => (holds(one) ? undefined : why);
const whenUsed = unless(({ uses }) => uses.length > 0, "nothing was used (yet)");
const whenDone = unless(
  ({ uses }) => uses.some(({ receipts, stated }) => receipts.length > 0 || stated.length > 0),
  "nothing was executed (yet)",
);
const whenFinished = unless(({ done }) => done.some(isFinished), "nothing was executed (yet)");
const whenGranted = unless(({ grants }) => grants.length > 0, "there is no grant (yet)");
const whenDecided = unless(({ decisions }) => decisions.length > 0, "there is no decision (yet)");
const whenAnchored = unless(
  ({ grants, done }) => grants.length + done.length > 0,
  "nothing was granted or done (yet)",
);
const whenCited = unless(
  (one) =>
    citedBy(one).length > 0 ||
    rulesOf(one).some(({ record }) => record.value["required_evidence"] !== undefined),
  "no evidence is named",
);

export const CHECKS: readonly Check[] = [
  {
    name: "standing",
    about: "everything that it rests on was said by those whose word counts here",
    run: namedByThose,
  },
  {
    name: "one-history",
    about: "one request was granted for each idempotency key, and no chain forks or has a gap",
    run: equivocations,
  },
  { name: "request-there", about: "the request was logged before it was acted upon", run: requestThere },
  {
    name: "delegation",
    about: "a person whom the home knows had given the agent this authority",
    idle: unless(
      ({ tier, action }) =>
        tier >= 2 || textMember(action.request?.record.value ?? {}, "delegation_hash") !== undefined,
      "no delegation is named, and the risk tier does not ask for one",
    ),
    run: delegated,
  },
  {
    name: "action-type",
    about: "the action type was registered, complete, by one owner",
    run: actionTypeRegistered,
  },
  { name: "tier-kept", about: "the risk tier was not lowered just before", run: tierKept },
  {
    name: "policy",
    about: "the policy was logged by its owner and in force at the decision",
    idle: whenDecided,
    run: policyInForce,
  },
  {
    name: "policy-date",
    about: "the policy was not made to apply from before",
    idle: whenDecided,
    run: policyNotRetroactive,
  },
  {
    name: "mission",
    about: "the mission exists and was open",
    idle: unless(hasMission, "no mission is named"),
    run: missionOpen,
  },
  {
    name: "evidence",
    about: "every evidence hash is a fact that fits and stood",
    idle: whenCited,
    run: evidenceStands,
  },
  {
    name: "evaluation",
    about: "the engine evaluated what is cited, and found nothing to fail",
    idle: whenDecided,
    run: evaluatedRight,
  },
  {
    name: "confirmation",
    about: "the evidence was independently confirmed",
    idle: unless(wantsConfirmation, "nobody asks for confirmation"),
    run: confirmed,
  },
  {
    name: "provenance",
    about: "what evidence was written through wrote it",
    idle: whenCited,
    run: provenanceFits,
  },
  {
    name: "trust",
    about: "the evidence is good enough for the risk",
    idle: unless(({ tier }) => tier >= 2, "the risk tier does not ask for it"),
    run: trustedEnough,
  },
  {
    name: "prior-actions",
    about: "what it rests on was itself authorized",
    idle: unless(hasPriors, "it rests on no earlier action"),
    run: priorActions,
  },
  {
    name: "decision",
    about: "a decision that allows stands behind it",
    idle: whenAnchored,
    run: decisionAllows,
  },
  {
    name: "no-contradiction",
    about: "no decision against it stood beside",
    idle: whenUsed,
    run: uncontradicted,
  },
  { name: "order", about: "request before decision before grant", idle: whenDecided, run: stepsInOrder },
  {
    name: "claimed-times",
    about: "the times that are stated agree with the order of the log",
    run: inClaimedOrder,
  },
  { name: "not-in-future", about: "nothing is dated after the log took it in", run: notInFuture },
  {
    name: "approvals",
    about: "approved by enough people of the right roles, of this request, before the grant",
    idle: whenAnchored,
    run: approvals,
  },
  { name: "separation", about: "no key played two roles that must be apart", run: rolesApart },
  { name: "grant", about: "every receipt has one logged grant, before it", idle: whenDone, run: grantThere },
  { name: "one-request", about: "one request through all steps", run: oneRequest },
  {
    name: "unexpired",
    about: "request, decision, approvals and delegation had not ended when it was used",
    idle: whenUsed,
    run: unexpired,
  },
  {
    name: "attenuation",
    about: "each grant is no wider than what it is for, and made by those who may",
    idle: whenGranted,
    run: attenuates,
  },
  {
    name: "constraints",
    about: "what was asked for, granted and executed keeps the constraints",
    run: withinConstraints,
  },
  { name: "stated", about: "the receipt says what was done", idle: whenDone, run: executionStated },
  {
    name: "same-action",
    about: "what was granted and executed is what was asked for",
    idle: whenAnchored,
    run: sameAction,
  },
  {
    name: "same-tool",
    about: "the call and the tool are those that were granted",
    idle: whenDone,
    run: sameTool,
  },
  { name: "window", about: "executed within the grant's time", idle: whenUsed, run: withinWindow },
  { name: "audience", about: "the executor is the grant's audience", idle: whenGranted, run: rightExecutor },
  {
    name: "uses",
    about: "the grant was used no more often than it may be",
    idle: whenGranted,
    run: usedWithinLimit,
  },
  {
    name: "executions",
    about: "the request was carried out no more often than was approved",
    idle: whenUsed,
    run: executedWithinLimit,
  },
  {
    name: "consumption",
    about: "the grant was consumed before it was used",
    idle: whenDone,
    run: consumedBefore,
  },
  {
    name: "not-withdrawn",
    about: "nothing that it rests on was taken back before the use",
    idle: whenUsed,
    run: notWithdrawn,
  },
  {
    name: "registry",
    about: "revocations of the grant are said in this log",
    idle: whenGranted,
    run: registryHere,
  },
  {
    name: "receipts",
    about: "one final receipt for each use",
    idle: unless(({ calls }) => calls.length > 0, "nothing was used (yet)"),
    run: oneReceiptPerUse,
  },
  {
    name: "postconditions",
    about: "the receipt shows the result that it must show",
    idle: whenFinished,
    run: postconditions,
  },
  {
    name: "boundary",
    about: "boundary seals agree with the receipts logged",
    idle: unless(isNumbered, "its receipts are not numbered"),
    run: boundarySealed,
  },
];
