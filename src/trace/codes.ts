/**
 * What can be found, in one plain sentence each: the one place where codes are explained. Codes are matched on by users; one
 * that goes is named in the changelog.
 */
export const CODES = {
  NOT_INCLUDED:
    "A record in the file is not in the log's tree: the file is damaged, or not of this log. Nobody is accused.",
  CHECKPOINT_INVALID:
    "The log's signed summary in the file cannot be trusted: it is damaged, or signed by another key than the one you pinned. Nobody is accused.",
  UNWITNESSED:
    "Not enough independent witnesses have countersigned the log, and for this kind of action they must.",
  COMPLETENESS:
    "Nobody has vouched that the file holds everything that bears on the action, or the log's word for it does not fit the file.",
  DEPTH_EXCEEDED:
    "The trace is longer than is followed, and something was left out; what is missing may be among it.",
  SIGNATURE_INVALID: "A signature does not verify: the record was not signed by the key that it names.",
  KEY_UNKNOWN: "A record is signed by a key that nobody had made known to the log.",
  ROLE_MISSING: "A key signed something that it was not registered to sign.",
  SIGNER_DISTRUSTED:
    "A key signed something at a time for which it is no longer believed, because it was reported stolen or taken back.",
  NO_STANDING:
    "Something that the action rests on was said by an organisation whose word does not count here.",
  REQUEST_MISSING: "Something was done for a request that the log did not hold at the time.",
  GRANT_MISSING: "Something was done without the permission that it should have had in the log.",
  GRANT_AFTER_RECEIPT: "The permission was written down only after the act.",
  EQUIVOCATION: "Two different versions of one thing were signed where there may be only one.",
  CHAIN_GAP: "A party's own chain of records has a gap, or leads somewhere else.",
  DELEGATION_MISSING:
    "It is not shown that a person on whose behalf the agent acted had given it that authority.",
  DELEGATION_EXCEEDED: "The action went beyond what the person had delegated to the agent.",
  DELEGATION_EXPIRED: "The delegation had run out when the permission was used.",
  DECISION_MISSING: "The permission refers to a policy decision that is not in the log.",
  DENIED_BUT_GRANTED:
    "The policy decision did not allow it, or the approvals that it asked for were not complete, and permission was given all the same.",
  DENIED_BUT_EXECUTED: "The policy decision did not allow it, and it was done all the same.",
  DECISION_CONTRADICTED:
    "A decision against it stood beside the one that allowed it, and nobody had withdrawn it.",
  DECISION_BEFORE_REQUEST: "The decision was written down before the request that it is about.",
  DECISION_AFTER_GRANT: "The decision was written down only after the permission that rests on it.",
  DECISION_EXPIRED: "The decision had run out when the permission was used.",
  REQUEST_MISMATCH: "Records that belong together are about different requests.",
  REQUEST_EXPIRED: "The request had run out when it was acted upon.",
  APPROVAL_EXPIRED: "An approval had run out when the permission was used.",
  GRANT_EXPIRED: "It was done after the permission had ended.",
  GRANT_NOT_YET_VALID: "It was done before the permission began.",
  TIME_DISAGREES:
    "The times that the parties state contradict the order in which the log took the records in.",
  TIME_IN_FUTURE: "A record states a time that had not come when the log took it in.",
  BACKDATED: "Whether a limit of time was kept hangs on a date that a party stated and nothing bears out.",
  NONCE_REUSED: "A permission was used more often than it allows.",
  EXECUTED_TWICE: "One request was carried out more often than was approved.",
  CONSUMPTION_MISSING:
    "The permission was not used up in the log before it was acted on, so nothing shows that it was used only once.",
  AUDIENCE_MISMATCH: "The permission was used by somebody it was not given to.",
  APPROVAL_INSUFFICIENT: "Approvals that were asked for are missing.",
  APPROVAL_SELF: "The agent's own side approved it.",
  APPROVAL_LATE: "An approval came only after permission was given.",
  APPROVAL_SAW_OTHER: "The person who approved was shown something else than this request.",
  APPROVAL_UNKNOWN:
    "An approval is asked for in words that are not understood, or it cannot be told whether the person who approved is independent of the agent.",
  SCOPE_WIDENED: "The permission allows more than was asked for.",
  ATTENUATION_BROKEN:
    "A permission was handed down by somebody who may not, or allows more than the one it was made from.",
  CONSTRAINT_UNKNOWN:
    "A limit is stated in a form that cannot be checked, or what it limits cannot be compared with it.",
  CONSTRAINT_VIOLATED: "A stated limit was not kept.",
  CONSTRAINT_UNCHECKED: "Nothing shows whether a stated limit was kept.",
  EXECUTION_UNSTATED: "The receipt does not say fully what was done.",
  ACTION_MISMATCH: "What was done, or permitted, is not what was asked for.",
  TOOL_DRIFT: "Another tool, or another call of it, was used than was permitted.",
  WITHDRAWN_BEFORE_USE: "Something that the action rests on was taken back before the permission was used.",
  WITHDRAWN_DURING_USE:
    "Something that the action rests on was taken back at about the time of the act; which came first cannot be told.",
  POLICY_UNREGISTERED:
    "The policy that was decided by was not in the log before the decision, or not from its owner.",
  POLICY_STALE: "The policy that was decided by was not the one in force.",
  POLICY_RETROACTIVE: "The policy was written down after the request and made to apply from before.",
  ACTION_TYPE_UNREGISTERED: "No owner had registered rules for this kind of action.",
  REGISTRATION_INCOMPLETE: "The rules for this kind of action leave open something that they must settle.",
  ACTION_TYPE_CONTESTED: "Two owners claim the rules for this kind of action.",
  TIER_LOWERED: "The rules for this kind of action were relaxed within a day before it, by one owner alone.",
  POSTCONDITION_MISSING: "The receipt does not show the result that it must show.",
  EVIDENCE_UNRESOLVED: "Evidence is named that nobody whose word counts had written down.",
  EVIDENCE_UNRELATED: "Evidence is about something else than what it is named for.",
  EVIDENCE_SUPERSEDED: "Evidence had been replaced or taken back before it was relied on.",
  EVIDENCE_STALE: "Evidence was too old, or no longer valid.",
  EVIDENCE_OLD: "Evidence was more than 30 days old, and no rule says how old it may be.",
  EVALUATED_OTHER: "The policy engine looked at other evidence than the request names.",
  EVALUATION_FAILED: "The decision allows although its own evaluation found something to fail.",
  SELF_CORROBORATED: "Evidence is confirmed only by those who wrote it, use it or decided on it.",
  CONFIRMATION_MISSING: "Nobody independent confirmed the evidence.",
  VIA_UNRELATED: "Evidence claims to come from an act whose receipt says no such thing.",
  WEAK_PROVENANCE: "Evidence goes back to a source that is not good enough for an action of this risk.",
  PRIOR_UNRESOLVED: "An earlier act that this one rests on is missing, or not itself shown to be authorized.",
  PRIOR_VIOLATION: "An earlier act that this one rests on was itself a violation.",
  FORWARD_REFERENCE: "Something is named as coming before that came after.",
  ROLE_COLLAPSE: "One key played two roles that must be kept apart.",
  TERMINAL_DUPLICATE: "Contradicting or repeated final receipts exist for one use.",
  USE_UNRECEIPTED: "A permission was used and has ended, and nothing says what came of it.",
  OUTCOME_UNKNOWN: "The last word on what was done is that it is not known.",
  OMISSION: "The boundary counted other receipts than the log holds.",
  SEQ_GAP: "Numbers are missing, or there twice, where the boundary numbers its receipts without a gap.",
  UNSEALED: "The boundary has sealed later numbers and not this one.",
  REVOCATION_ELSEWHERE: "Whether the permission was taken back is recorded somewhere that is not read here.",
  MISSION_MISMATCH: "The mission that the action belongs to is missing, was not open, or had been stopped.",
} as const;

export type FindingCode = keyof typeof CODES;

/** The words of a verdict, likewise. */
export const WORDS = {
  NOT_VERIFIED:
    "The file is damaged, cut, or not of this log: nothing can be said from it, and nobody is accused.",
  VIOLATION:
    "Something was done, or may still be done, that the rules of then did not allow: what fails says what.",
  NOT_EXECUTED: "Nobody says that anything was done: it is pending, was denied, or was refused.",
  NOT_ESTABLISHED:
    "Something is missing or cannot be told, so that nobody can say that it was authorized: unknown is not pass.",
  AUTHORIZED_WITH_EXCEPTION:
    "A rule was not kept, and its owner had excused that beforehand, for this case and for a limited time.",
  RECORDED:
    "What was done, or said, is recorded as it must be, and no decision stands behind it: rules as light as these ask for none.",
  AUTHORIZED:
    "A decision, and where the risk asks for it a grant, stood behind what was done, and everything that was asked for is there and right.",
} as const;

/** The explanation of a code, or of a verdict's word; undefined for what is neither. */
export function explain(code: string): string | undefined {
  const all: Readonly<Record<string, string>> = { ...CODES, ...WORDS };
  return Object.hasOwn(all, code) ? all[code] : undefined;
}
