/** The six questions for each fact that the action rested on, answered from links alone; and how far it can be relied on. */
import { objectMember } from "../record/links.js";
import { citedBy, confirmations, factsFor, isIndependent, superseders } from "./checks/evidence.js";
import { actionOf, textMember } from "./graph.js";
import { type Case, caseOf, type Context, firstCut, smallestRule, takenBack, time } from "./context.js";
import { type RecordEntry, signersOf } from "./entry.js";

/**
 * From worst to best. `refuted`: superseded or taken back before its use. `stale`: too old. `claimed`: an agent's own word.
 * `attested`: written by somebody else, or through a receipt. `confirmed`: and independently confirmed.
 */
export const TRUST_STATES = ["refuted", "stale", "claimed", "attested", "confirmed"] as const;
export type TrustState = (typeof TRUST_STATES)[number];

export interface Provenance {
  readonly name: string;
  readonly hash: string;
  /** The fact's entry; null when nothing resolves the hash. */
  readonly fact: number | null;
  /** Who wrote it. */
  readonly writer: {
    readonly id: string;
    readonly writerClass: string;
    readonly signers: readonly string[];
  } | null;
  /** Under which authority: the grant that its writing was done by, and who gave it. */
  readonly authority: { readonly grant: number; readonly issuer: string } | null;
  /** Under which policy: entries that define it. */
  readonly policy: { readonly digest: string; readonly entries: readonly number[] } | null;
  /** On what evidence: the hashes that the writing action named. */
  readonly evidence: Readonly<Record<string, string>>;
  /** Was the write backed by a receipt? */
  readonly receipt: number | null;
  /** Facts by others that took its place since. */
  readonly changedBy: readonly number[];
  /** Independent confirmations before its use. */
  readonly confirmedBy: readonly number[];
  readonly trust: TrustState | null;
}

/** Where an action type does not say how old evidence may be. */
const DEFAULT_MAX_AGE_S = 90 * 24 * 3600;
const MAX_HOPS = 8;

export function provenanceOf(one: Case, context: Context): Provenance[] {
  const cut = firstCut(one);
  return citedBy(one).map(({ name, hash }) => {
    const fact = factsFor(hash, cut, context).at(-1);
    return fact === undefined ? unresolved(name, hash) : answered(name, hash, fact, cut, one, context);
  });
}

function answered(
  name: string,
  hash: string,
  fact: RecordEntry,
  cut: RecordEntry | null,
  one: Case,
  context: Context,
): Provenance {
  const { graph } = context;
  const { value } = fact.record;
  const receipt = graph.record(textMember(value, "via_receipt"));
  const grant = graph.record(textMember(receipt?.record.value ?? {}, "capability_hash"));
  const request = graph.record(textMember(receipt?.record.value ?? {}, "request_hash"));
  const digest = textMember(value, "policy_digest");
  return {
    name,
    hash,
    fact: fact.index,
    writer: {
      id: textMember(value, "writer_id") ?? "",
      writerClass: textMember(value, "writer_class") ?? "",
      signers: signersOf(fact),
    },
    authority: grant === undefined ? null : { grant: grant.index, issuer: grant.record.issuer },
    policy: digest === undefined ? null : { digest, entries: policiesOf(digest, context) },
    evidence: textsOf(objectMember(request?.record.value ?? {}, "evidence_hashes")),
    receipt: receipt?.index ?? null,
    changedBy: superseders(fact, context)
      .filter(({ record }) => record.issuer !== fact.record.issuer)
      .map(({ index }) => index),
    confirmedBy: independent(fact, one, context).map(({ index }) => index),
    trust: trustOf(fact, cut, one, context, 0),
  };
}

function unresolved(name: string, hash: string): Provenance {
  return {
    name,
    hash,
    fact: null,
    writer: null,
    authority: null,
    policy: null,
    evidence: {},
    receipt: null,
    changedBy: [],
    confirmedBy: [],
    trust: null,
  };
}

/** Its own state, decayed by age, and no more than that of the weakest writer it goes back to. */
function trustOf(
  fact: RecordEntry,
  cut: RecordEntry | null,
  one: Case,
  context: Context,
  hops: number,
): TrustState {
  const own = ownTrust(fact, cut, one, context);
  const receipt = context.graph.record(textMember(fact.record.value, "via_receipt"));
  const requestId = textMember(receipt?.record.value ?? {}, "request_hash");
  if (requestId === undefined || hops >= MAX_HOPS) return own;
  const writing = caseOf(actionOf(context.graph, requestId), context);
  const before = firstCut(writing);
  const below = citedBy(writing).flatMap(({ hash }) => {
    const [source] = factsFor(hash, before, context);
    return source === undefined || source.id === fact.id
      ? []
      : [trustOf(source, before, writing, context, hops + 1)];
  });
  return weakest([own, ...below]);
}

function ownTrust(fact: RecordEntry, cut: RecordEntry | null, one: Case, context: Context): TrustState {
  const before = cut?.index ?? context.asOf;
  if (superseders(fact, context).some(({ index }) => index < before)) return "refuted";
  if (takenBack(fact, before, context) !== undefined) return "refuted";
  const used = cut === null ? context.at : (time(cut, "issued_at") ?? context.at);
  const maxAge = (smallestRule(one, "max_evidence_age_s") ?? DEFAULT_MAX_AGE_S) * 1000;
  const age = used - (time(fact, "observed_at") ?? used);
  if (age > maxAge || used > (time(fact, "valid_until") ?? Number.POSITIVE_INFINITY)) return "stale";
  const fresh = freshTrust(fact, one, context);
  // Past half its life it is worth one step less.
  return age > maxAge / 2 ? (TRUST_STATES[TRUST_STATES.indexOf(fresh) - 1] ?? "stale") : fresh;
}

function freshTrust(fact: RecordEntry, one: Case, context: Context): TrustState {
  if (independent(fact, one, context).length > 0) return "confirmed";
  const { via_receipt: via, writer_class: writerClass } = fact.record.value;
  const backed = typeof via === "string" && context.graph.record(via) !== undefined;
  return backed || writerClass !== "agent" ? "attested" : "claimed";
}

function independent(fact: RecordEntry, one: Case, context: Context): RecordEntry[] {
  return confirmations(fact, firstCut(one), one, context).filter((other) =>
    isIndependent(other, fact, one, context),
  );
}

function weakest(states: readonly TrustState[]): TrustState {
  return TRUST_STATES.find((state) => states.includes(state)) ?? "refuted";
}

function policiesOf(digest: string, { graph }: Context): number[] {
  return graph
    .all("policy")
    .filter(({ record }) => record.value["policy_digest"] === digest)
    .map(({ index }) => index);
}

function textsOf(hashes: { readonly [name: string]: unknown }): Record<string, string> {
  return Object.fromEntries(
    Object.entries(hashes).flatMap(([name, hash]) => (typeof hash === "string" ? [[name, hash]] : [])),
  );
}
