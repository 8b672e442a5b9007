/**
 * The findings table: every check, from which risk tier on it is asked for, and when there is nothing yet to ask it of.
 * Tier 0: a light receipt only; 1: request and receipt; 2: and decision and grant; 3: and approvals, postconditions,
 * independent confirmation and the witness quorum.
 */
import { objectMember } from "../../record/links.js";
import { type Case, type Context, rulesOf } from "../context.js";
import { textMember } from "../graph.js";
import { fails, type Problem } from "../verdict.js";
import { approvals } from "./approvals.js";
import { boundarySealed, rolesApart, sealsOf } from "./boundary.js";
import {
  decisionAllows,
  grantThere,
  oneRequest,
  requestThere,
  stepsInOrder,
  unexpired,
} from "./decisions.js";
import { citedBy, confirmed, evidenceStands, hasPriors, priorActions } from "./evidence.js";
import { equivocations } from "./history.js";
import { actionTypeRegistered, hasMission, missionOpen, policyInForce } from "./registration.js";
import { attenuates, sameAction, withinConstraints } from "./scope.js";
import {
  consumedBefore,
  loggedInTime,
  notRevoked,
  oneReceiptPerUse,
  rightExecutor,
  usedWithinLimit,
  withinWindow,
} from "./uses.js";

export interface Check {
  readonly name: string;
  /** What is true when it passes. */
  readonly about: string;
  /** The lowest risk tier that asks for it. */
  readonly tier: number;
  /** Why there is nothing to check (yet); undefined when there is. */
  readonly idle?: (one: Case, context: Context) => string | undefined;
  readonly run: (one: Case, context: Context) => Problem[];
}

const noUse = ({ uses }: Case): string | undefined =>
  uses.length === 0 ? "nothing was executed (yet)" : undefined;
const noGrant = ({ action }: Case): string | undefined =>
  action.grants.length === 0 ? "there is no grant (yet)" : undefined;
const noGrantedUse = ({ uses }: Case): string | undefined =>
  uses.some(({ grant }) => grant !== undefined) ? undefined : "no grant was used (yet)";
const noDecision = ({ action }: Case): string | undefined =>
  action.decisions.length === 0 ? "there is no decision (yet)" : undefined;

export const CHECKS: readonly Check[] = [
  {
    name: "one-history",
    about: "one set of bytes for each idempotency key and chain position",
    tier: 0,
    run: equivocations,
  },
  { name: "request-there", about: "the request is logged", tier: 1, run: requestThere },
  {
    name: "action-type",
    about: "the action type was registered, complete, by one owner",
    tier: 0,
    run: actionTypeRegistered,
  },
  {
    name: "policy",
    about: "the policy was logged and in force at the decision",
    tier: 2,
    idle: noDecision,
    run: policyInForce,
  },
  {
    name: "mission",
    about: "the mission exists and was open",
    tier: 1,
    idle: (one) => (hasMission(one) ? undefined : "no mission is named"),
    run: missionOpen,
  },
  {
    name: "evidence",
    about: "every evidence hash is a fact that stood",
    tier: 1,
    idle: (one) => (wantsEvidence(one) ? undefined : "no evidence is named"),
    run: evidenceStands,
  },
  {
    name: "confirmation",
    about: "the evidence was independently confirmed",
    tier: 3,
    idle: (one) => (demandsConfirmation(one) ? undefined : "the action type does not ask for it"),
    run: confirmed,
  },
  {
    name: "prior-actions",
    about: "what it rests on was itself authorized",
    tier: 0,
    idle: (one, context) => (hasPriors(one, context) ? undefined : "it rests on no earlier action"),
    run: priorActions,
  },
  {
    name: "decision",
    about: "the grant follows from a decision that allows",
    tier: 2,
    idle: noGrant,
    run: decisionAllows,
  },
  {
    name: "order",
    about: "request before decision before grant",
    tier: 2,
    idle: noDecision,
    run: stepsInOrder,
  },
  {
    name: "approvals",
    about: "approved by enough people of the right roles, before the grant",
    tier: 3,
    idle: noGrant,
    run: approvals,
  },
  { name: "separation", about: "no key played two roles that must be apart", tier: 2, run: rolesApart },
  {
    name: "grant",
    about: "every receipt has one logged grant, before it",
    tier: 2,
    idle: noUse,
    run: grantThere,
  },
  { name: "one-request", about: "one request through all steps", tier: 2, run: oneRequest },
  { name: "unexpired", about: "request and decision were unexpired when used", tier: 1, run: unexpired },
  {
    name: "attenuation",
    about: "each grant is no wider than what it is for",
    tier: 2,
    idle: noGrant,
    run: attenuates,
  },
  {
    name: "constraints",
    about: "what was asked for, granted and executed keeps the constraints",
    tier: 1,
    run: withinConstraints,
  },
  {
    name: "same-action",
    about: "what was granted and executed is what was asked for",
    tier: 1,
    idle: (one) => noGrant(one) && noUse(one),
    run: sameAction,
  },
  {
    name: "window",
    about: "executed within the grant's time",
    tier: 2,
    idle: noGrantedUse,
    run: withinWindow,
  },
  {
    name: "audience",
    about: "the executor is the grant's audience",
    tier: 2,
    idle: noGrant,
    run: rightExecutor,
  },
  {
    name: "uses",
    about: "the grant was used no more often than it may be",
    tier: 2,
    idle: noGrant,
    run: usedWithinLimit,
  },
  {
    name: "consumption",
    about: "the grant was consumed before it was used",
    tier: 3,
    idle: noGrantedUse,
    run: consumedBefore,
  },
  {
    name: "not-revoked",
    about: "nothing in the chain was revoked before the execution",
    tier: 1,
    idle: noUse,
    run: notRevoked,
  },
  {
    name: "receipts",
    about: "one terminal receipt for each use",
    tier: 2,
    idle: noGrant,
    run: oneReceiptPerUse,
  },
  {
    name: "registration-delay",
    about: "the receipt was logged soon enough to tell",
    tier: 2,
    idle: noGrantedUse,
    run: loggedInTime,
  },
  {
    name: "postconditions",
    about: "the receipt shows postconditions",
    tier: 2,
    idle: (one) => (finished(one).length === 0 ? "nothing was executed (yet)" : undefined),
    run: postconditions,
  },
  {
    name: "boundary",
    about: "boundary seals agree with the receipts logged",
    tier: 0,
    idle: (one, context) => (sealsOf(one, context).length === 0 ? "no seal covers its receipts" : undefined),
    run: boundarySealed,
  },
];

function demandsConfirmation(one: Case): boolean {
  return rulesOf(one).some(({ record }) => record.value["independent_confirmation"] === true);
}

function wantsEvidence(one: Case): boolean {
  return (
    citedBy(one).length > 0 ||
    rulesOf(one).some(({ record }) => record.value["required_evidence"] !== undefined)
  );
}

function finished({ uses }: Case): Case["uses"] {
  return uses.filter(({ receipt }) =>
    ["executed", "partial", "reverted"].includes(textMember(receipt.record.value, "outcome") ?? ""),
  );
}

function postconditions(one: Case): Problem[] {
  const without = finished(one)
    .map(({ receipt }) => receipt)
    .filter(({ record }) => Object.keys(objectMember(record.value, "postcondition_hashes")).length === 0);
  return without.map((receipt) =>
    fails("POSTCONDITION_MISSING", [receipt], "the receipt shows no postcondition"),
  );
}
