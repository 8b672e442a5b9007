/** The rules that an action stands under: its registered type, the policy, the mission. */
import { objectMember, strings } from "../../record/links.js";
import { type Case, partsOf, rulesOf } from "../case.js";
import { domainOf, isDigest, takenBack, time } from "../context.js";
import { type RecordEntry, signersOf } from "../entry.js";
import { distinctRecords, textMember } from "../graph.js";
import { Memory } from "../memory.js";
import { BACKDATED_MS, claimOf, hangsOnClaim, type Moment } from "../moments.js";
import { isFinished } from "../use.js";
import { fails, type Problem, unknown } from "../verdict.js";

const DAY_MS = 86_400_000;

/** What a registration has to settle. */
export const TO_BE_FILLED = [
  "owner",
  "escalation_path",
  "conflict_rule",
  "test_suite_digest",
  "receipt_schema_digest",
];

/** "Action type registered, complete, with one owner at home, in force at the request": also those that decisions put it under. */
export function actionTypeRegistered({ action, registrations, tier, home }: Case): Problem[] {
  const about = action.request === undefined ? action.receipts : [action.request];
  return registrations.flatMap(({ inForce, contesting, name }) => {
    if (inForce === undefined) {
      const what = name === undefined ? "what was done" : name;
      return [
        fails(
          "ACTION_TYPE_UNREGISTERED",
          about,
          `no owner of ${home} had a registration of ${what} in force at the request`,
        ),
      ];
    }
    const problems: Problem[] = [];
    if (contesting.length > 0)
      problems.push(
        fails(
          "ACTION_TYPE_CONTESTED",
          [inForce, ...contesting],
          `${name} is claimed by ${inForce.record.issuer} and by ${contesting[0]?.record.issuer}`,
        ),
      );
    const empty = TO_BE_FILLED.filter((member) => isEmpty(inForce.record.value[member]));
    if (empty.length > 0) {
      const detail = `the registration of ${name} leaves open: ${empty.join(", ")}`;
      const denies = tier >= 2 || inForce.record.value["incompleteness_rule"] === "deny";
      problems.push((denies ? fails : unknown)("REGISTRATION_INCOMPLETE", [inForce], detail));
    }
    return problems;
  });
}

function isEmpty(member: unknown): boolean {
  return member === "" || (Array.isArray(member) && member.length === 0);
}

/** "Its tier not lowered within a day before it, unless a second owner's or a reviewer's key co-signed that." */
export function tierKept({ action, registration, context, home }: Case): Problem[] {
  const { inForce, before, revoked } = registration;
  const { request } = action;
  if (inForce === undefined || request === undefined) return [];
  const tier = Number(inForce.record.value["risk_tier"]);
  const chain = [...before, inForce];
  const withdrawn = revoked.filter(
    ({ entry, by }) =>
      Number(entry.record.value["risk_tier"]) > tier &&
      by.index > inForce.index &&
      isRecent(by) &&
      !isCosigned(by),
  );
  if (withdrawn.length > 0)
    return withdrawn.map(({ entry, by }) =>
      unknown(
        "TIER_LOWERED",
        [entry, by, request],
        `${by.record.issuer} alone revoked the registration of risk tier ${Number(entry.record.value["risk_tier"])} within a day before the request, which leaves ${tier}`,
      ),
    );
  return chain.flatMap((later, i): Problem[] => {
    const earlier = chain[i - 1];
    if (earlier === undefined || isCosigned(later)) return [];
    const [was, is] = [earlier, later].map(({ record }) => Number(record.value["risk_tier"])) as [
      number,
      number,
    ];
    // Raised again since, it has lowered nothing.
    if (is >= was || tier >= was) return [];
    if (!isRecent(later)) return [];
    return [
      unknown(
        "TIER_LOWERED",
        [earlier, later, request],
        `${later.record.issuer} alone lowered the risk tier from ${was} to ${is} within a day before the request`,
      ),
    ];
  });

  /** Within a day before the request, by the log's clock; as bad as it could be where nothing vouches for that. */
  function isRecent({ receivedAt }: RecordEntry): boolean {
    const asked = request?.receivedAt ?? null;
    return receivedAt === null || asked === null || asked - receivedAt <= DAY_MS;
  }

  /** By a second owner's key, or a reviewer's, of the home: another person's, not another key of his own. */
  function isCosigned(entry: RecordEntry): boolean {
    const { graph, keys, asOf } = context;
    const own = graph.speakersOf(entry);
    return signersOf(entry).some(
      (signer) =>
        !own.includes(signer) &&
        keys
          .registrations(signer, { index: entry.index, asOf })
          .some(
            ({ roles, ids, domain }) =>
              domain === home &&
              !ids.includes(entry.record.issuer) &&
              (roles.includes("owner") || roles.includes("reviewer")),
          ),
    );
  }
}

/** The policies of a decision's digest, logged before it, by those whose policy it may be. */
export function policiesFor(decision: RecordEntry, one: Case): readonly RecordEntry[] {
  return POLICIES.of(one, decision.index, () =>
    logged(decision, one).filter((policy) => isOfOwner(policy, one)),
  );
}

const POLICIES = new Memory<Case, readonly RecordEntry[]>();

function logged(decision: RecordEntry, { context }: Case): RecordEntry[] {
  const { policy_digest: digest } = decision.record.value;
  return context.graph
    .all("policy")
    .filter(({ record, index }) => record.value["policy_digest"] === digest && index < decision.index);
}

/** "By the action type's owner, one of its `policy_owners`, or an owner of a domain that it trusts." */
function isOfOwner(policy: RecordEntry, one: Case): boolean {
  const { issuer } = policy.record;
  if (domainOf(policy, one.context) !== one.home) return true;
  const owns = ({ record }: RecordEntry): boolean =>
    record.issuer === issuer || strings(record.value["policy_owners"]).includes(issuer);
  // Of the type that was asked for: whoever decides chooses what else he puts it under. Without a registration nobody says.
  const { inForce } = one.registration;
  return inForce === undefined ? rulesOf(one).every(owns) : owns(inForce);
}

/** "Policy logged before the decision and in force at it …; not superseded; no newer one in force." */
export function policyInForce(one: Case): Problem[] {
  const { action, tier } = one;
  return one.decisions.flatMap((decision) => {
    const all = logged(decision, one);
    const own = all.filter((policy) => isOfOwner(policy, one));
    if (own.length === 0) {
      const others = all.map(({ record }) => record.issuer);
      if (all.length === 0 && tier < 2) return [];
      return [
        fails(
          "POLICY_UNREGISTERED",
          [decision, ...all],
          all.length === 0
            ? "no policy of that digest was logged before the decision"
            : `the policy was logged by ${others.join(", ")}, who does not own this action type's policies`,
        ),
      ];
    }
    const at = (moment: number | undefined) =>
      own.map((policy) => staleness(policy, decision, action.request, moment, one));
    const judged = at(time(decision, "decided_at"));
    if (judged.includes(undefined)) return decidedLater(decision, at);
    const [first] = judged;
    const isSure = judged.every((found) => found?.isSure === true);
    return first === undefined
      ? []
      : [(isSure ? fails : unknown)("POLICY_STALE", [...own, decision], first.why)];
  });
}

/** Would it have been stale by the log's clock, more than an hour after the date that the decision gives itself? */
function decidedLater(
  decision: RecordEntry,
  at: (moment: number | undefined) => (Stale | undefined)[],
): Problem[] {
  const { receivedAt } = decision;
  const decided = time(decision, "decided_at");
  if (receivedAt === null || decided === undefined || receivedAt - decided <= BACKDATED_MS) return [];
  const [stale, ...others] = at(receivedAt);
  return stale === undefined || others.includes(undefined)
    ? []
    : [
        unknown(
          "BACKDATED",
          [decision],
          `that it was decided in time rests on the decision's own date: ${stale.why}`,
        ),
      ];
}

interface Stale {
  readonly why: string;
  readonly isSure: boolean;
}

/** Why a policy was not the one to decide by; undefined when it was. */
function staleness(
  policy: RecordEntry,
  decision: RecordEntry,
  request: RecordEntry | undefined,
  decided: number | undefined,
  one: Case,
): Stale | undefined {
  const { context } = one;
  const sure = (why: string): Stale => ({ why, isSure: true });
  const begins = (policy_: RecordEntry, slackMs = 0): boolean => {
    const from = time(policy_, "effective_from");
    return from === undefined || decided === undefined || decided + slackMs >= from;
  };
  // Its owner's clock and the engine's may be apart.
  if (!begins(policy, context.toleranceMs)) return sure("the policy was not in force yet");
  const inForce = (later: RecordEntry): boolean =>
    later.index < decision.index &&
    later.index > policy.index &&
    later.record.issuer === policy.record.issuer &&
    // Announced ahead of time, it takes over when it says.
    begins(later) &&
    takenBack(later, decision.index, context) === undefined;
  if (context.graph.naming(policy.id, "supersedes", "policy").some(inForce))
    return sure("the policy was superseded before the decision");
  if (takenBack(policy, decision.index, context) !== undefined)
    return sure("the policy was revoked before the decision");
  const { policy_version: version, policy_name: name, policy_digest: digest } = policy.record.value;
  const versions = [request?.record.value["policy_version"], decision.record.value["policy_version"]];
  if (versions.some((other) => other !== undefined && other !== version))
    return sure(
      `request or decision name another version than the policy's ${textMember(policy.record.value, "policy_version")}`,
    );
  const newer = context.graph
    .all("policy")
    .find(
      (other) =>
        inForce(other) &&
        other.record.value["policy_name"] === name &&
        other.record.value["policy_digest"] !== digest,
    );
  if (newer === undefined) return undefined;
  const which = textMember(newer.record.value, "policy_version");
  return typeof name === "string"
    ? sure(`a newer version of ${name}, ${which}, was in force`)
    : {
        why: `the same owner had logged another policy since, ${which}, and neither has a name that tells them apart`,
        isSure: false,
      };
}

/** "When it was logged after the request, not effective from before its own logging." */
export function policyNotRetroactive(one: Case): Problem[] {
  const { request } = one.action;
  if (request === undefined) return [];
  return one.decisions.flatMap((decision) => {
    const policies = policiesFor(decision, one);
    const retroactive = policies.filter((policy) => {
      const from = time(policy, "effective_from");
      if (policy.index < request.index || from === undefined) return false;
      return policy.receivedAt === null || from < policy.receivedAt - one.context.toleranceMs;
    });
    return policies.length === 0 || retroactive.length < policies.length
      ? []
      : [
          unknown(
            "POLICY_RETROACTIVE",
            [request, ...retroactive],
            "the policy was logged after the request and made to apply from before",
          ),
        ];
  });
}

/** "Those postconditions that the action type names, and at least one from tier 2 on", each a digest. */
export function postconditions(one: Case): Problem[] {
  const wanted = rulesOf(one).flatMap(({ record }) => strings(record.value["required_postconditions"]));
  return one.done.filter(isFinished).flatMap(({ receipts }) => {
    const shown = receipts.flatMap(({ record }) =>
      Object.entries(objectMember(record.value, "postcondition_hashes")).flatMap(([name, hash]) =>
        isDigest(hash) ? [name] : [],
      ),
    );
    const missing = [...new Set(wanted)].filter((name) => !shown.includes(name));
    const [receipt] = receipts;
    if (receipt === undefined || (missing.length === 0 && (shown.length > 0 || one.tier < 2))) return [];
    const what = missing.length > 0 ? `does not show ${missing.join(", ")}` : "shows no result by a digest";
    return [fails("POSTCONDITION_MISSING", [receipt], `the receipt ${what}`)];
  });
}

/** The last word, before a place, of the owner who first said what the action's mission is. */
export function missionsFor({ action, context, grants }: Case, before: number): RecordEntry[] {
  const id = missionIds({ action, grants })[0];
  if (id === undefined) return [];
  const named = context.graph
    .all("mission")
    .filter((mission) => mission.record.value["mission_id"] === id && mission.index < before);
  // The name is its first owner's: another's mission of that name is another mission.
  const last = distinctRecords(named).findLast(({ record }) => record.issuer === named[0]?.record.issuer);
  return last === undefined ? [] : [last];
}

function missionIds({ action, grants }: Pick<Case, "action" | "grants">): string[] {
  const { request, decisions, receipts, consumptions } = action;
  const parts = [
    ...(request === undefined ? [] : [request]),
    ...decisions,
    ...grants,
    ...consumptions,
    ...receipts,
  ];
  return [...new Set(parts.flatMap(({ record }) => textMember(record.value, "mission_id") ?? []))];
}

/** "Mission exists, was open and not stopped at the use." (Stopped: with everything else that may be taken back.) */
export function missionOpen(one: Case): Problem[] {
  const { action, uses, context } = one;
  const ids = missionIds(one);
  const members = partsOf(one);
  const anchor = action.request ?? members[0];
  if (anchor === undefined) return [];
  if (ids.length > 1) return [fails("MISSION_MISMATCH", members, `one action in ${ids.length} missions`)];
  const [mission] = missionsFor(one, anchor.index);
  if (mission === undefined)
    return [fails("MISSION_MISMATCH", [anchor], `no mission ${ids[0]} was logged before`)];
  const problems: Problem[] = [];
  const demandOpen = (at: RecordEntry, moment: Moment, when: string, about: RecordEntry): void => {
    const { time: claimed } = moment;
    if (claimed === undefined) return;
    const begins = time(at, "starts_at") ?? 0;
    const ends = time(at, "ends_at") ?? Number.POSITIVE_INFINITY;
    // Its owner's clock may be ahead when it begins; its end is as written.
    if (claimed + context.toleranceMs < begins || claimed > ends)
      problems.push(fails("MISSION_MISMATCH", [at, about], `the mission ${ids[0]} was not open ${when}`));
    else if (hangsOnClaim(moment, (later) => later > ends))
      problems.push(
        unknown(
          "BACKDATED",
          [at, about],
          `that the mission ${ids[0]} was still open ${when} rests on ${claimOf(moment)}`,
        ),
      );
  };
  const { request } = action;
  if (request !== undefined) {
    const asked = { time: time(request, "requested_at"), claimed: false, receivedAt: request.receivedAt };
    demandOpen(mission, asked, "at the request", request);
  }
  if (takenBack(mission, anchor.index, context) !== undefined)
    problems.push(
      fails(
        "MISSION_MISMATCH",
        [mission, anchor],
        `the mission ${ids[0]} had been stopped before the request`,
      ),
    );
  for (const use of uses)
    for (const last of missionsFor(one, use.index))
      demandOpen(last, use, "when it was done", use.receipts.at(-1) ?? last);
  return problems;
}

export function hasMission(one: Case): boolean {
  return missionIds(one).length > 0;
}
