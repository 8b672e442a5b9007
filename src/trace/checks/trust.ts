/**
 * Trust state: how far a fact can be relied on. Unknown < claimed < attested (a recorder's word whose key record says human,
 * external system or sensor, apart from the agent) < confirmed (independently). It decays to claimed past its age; and a fact
 * that is not confirmed is worth no more than the weakest record that it was written from.
 */
import { type Anchor, anchorsOf, type Case, caseOf, firstAnchor, smallestRule } from "../case.js";
import { controlDomains, takenBack, time } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem, unknown } from "../verdict.js";
import { confirmations, isIndependent } from "./confirmation.js";
import { citedBy, factsFor, OLD_MS, supersederOf } from "./evidence.js";

export const TRUST_STATES = ["refuted", "unknown", "claimed", "attested", "confirmed"] as const;
export type TrustState = (typeof TRUST_STATES)[number];

const MAX_HOPS = 8;
const OUTSIDE: readonly unknown[] = ["human", "external-system", "sensor"];

/** "Tier 3 wants confirmed for every evidence name, tier 2 attested." */
export function trustedEnough(one: Case): Problem[] {
  const { tier, context } = one;
  const want: TrustState = tier >= 3 ? "confirmed" : "attested";
  return anchorsOf(one).flatMap((anchor) =>
    citedBy(one).flatMap(({ name, hash }): Problem[] => {
      const facts = factsFor(hash, anchor.index, context);
      // How old it may be is the evidence check's to say, and an owner's to excuse.
      const states = facts.map((fact) => freshTrust(fact, anchor, one, 0));
      const best = TRUST_STATES.findLast((state) => states.includes(state));
      if (best === undefined || rank(best) >= rank(want)) return [];
      return [
        (tier >= 3 ? fails : unknown)(
          "WEAK_PROVENANCE",
          facts,
          `${name} is ${best}, and an action of risk tier ${tier} wants ${want}`,
        ),
      ];
    }),
  );
}

/** The state of a fact, as of an anchor of the action that cites it. */
export function trustOf(fact: RecordEntry, anchor: Anchor, one: Case): TrustState {
  const fresh = freshTrust(fact, anchor, one, 0);
  return isOld(fact, anchor, one) ? weakest([fresh, "claimed"]) : fresh;
}

function freshTrust(fact: RecordEntry, anchor: Anchor, one: Case, hops: number): TrustState {
  const { context } = one;
  if (supersederOf(fact, anchor.index, context) !== undefined) return "refuted";
  if (takenBack(fact, anchor.index, context) !== undefined) return "refuted";
  const isConfirmed = confirmations(fact, anchor, one).some((other) => isIndependent(other, fact, one));
  if (isConfirmed) return "confirmed";
  return weakest([isAttested(fact, one) ? "attested" : "claimed", ...sources(fact, one, hops)]);
}

function isAttested(fact: RecordEntry, { action, context }: Case): boolean {
  const { graph, keys, asOf } = context;
  const agents = action.request === undefined ? [] : graph.speakersOf(action.request);
  const domains = action.request === undefined ? [] : controlDomains(action.request, context);
  return graph
    .speakersOf(fact)
    .some(
      (signer) =>
        !agents.includes(signer) &&
        keys
          .registrations(signer, { index: fact.index, asOf })
          .some(
            ({ ids, roles, writerClass, controlDomain }) =>
              ids.includes(fact.record.issuer) &&
              roles.includes("recorder") &&
              OUTSIDE.includes(writerClass) &&
              !domains.includes(controlDomain.normalize("NFKC").trim().toLowerCase()),
          ),
    );
}

function isOld(fact: RecordEntry, { entry, grant }: Anchor, one: Case): boolean {
  const used =
    entry === null ? one.context.at : time(entry, grant === undefined ? "executed_at" : "issued_at");
  const observed = time(fact, "observed_at");
  if (used === undefined || observed === undefined) return false;
  const oldest = smallestRule(one, "max_evidence_age_s");
  const until = time(fact, "valid_until");
  if (until !== undefined && used > until) return true;
  const limit =
    oldest === undefined ? (until === undefined ? OLD_MS : Number.POSITIVE_INFINITY) : oldest * 1000;
  return used - observed > limit;
}

/** The states of the records that the writing action cited: none where nothing says what it was written from. */
function sources(fact: RecordEntry, one: Case, hops: number): TrustState[] {
  const receipt = one.context.graph.record(textMember(fact.record.value, "via_receipt"));
  const requestId = textMember(receipt?.record.value ?? {}, "request_hash");
  if (requestId === undefined || hops >= MAX_HOPS) return [];
  const writing = caseOf(requestId, one.context, receipt);
  const before = firstAnchor(writing);
  return citedBy(writing).flatMap(({ hash }) => {
    const found = factsFor(hash, before.index, writing.context).filter(({ id }) => id !== fact.id);
    if (found.length === 0) return ["unknown"];
    const states = found.map((source) => freshTrust(source, before, writing, hops + 1));
    return TRUST_STATES.findLast((state) => states.includes(state)) ?? [];
  });
}

function weakest(states: readonly TrustState[]): TrustState {
  return TRUST_STATES.find((state) => states.includes(state)) ?? "unknown";
}

function rank(state: TrustState): number {
  return TRUST_STATES.indexOf(state);
}
