/**
 * Approvals: enough, of the right role or by the person who is named, by distinct people with distinct keys, not by the agent's
 * side, of this very request, after it and before the grant.
 */
import { isJsonObject, type Json } from "../../statement/json.js";
import { type Anchor, anchorsOf, type Case, rulesOf } from "../case.js";
import {
  controlDomains,
  type Context,
  decisionFor,
  evaluatedBy,
  folded,
  isDigest,
  takenBack,
} from "../context.js";
import type { RecordEntry } from "../entry.js";
import { textMember } from "../graph.js";
import { Memory } from "../memory.js";
import { fails, type Problem, unknown } from "../verdict.js";

/** What is asked for. */
export interface Demand {
  /** Seats by role: the largest number that anybody asks for. */
  readonly roles: ReadonlyMap<string, number>;
  /** People who are named, by approver id. */
  readonly people: ReadonlySet<string>;
  /** Policies that must have said yes. */
  readonly policies: ReadonlySet<string>;
  /** Words that nobody understands. */
  readonly words: readonly string[];
}

const ANY_ROLE = "any role";
/** More approvals than this for one role are not to be had. */
const MAX_SEATS = 100;

/** What these records ask for: `{role, min}`, `human:<id>`, `role:<role>`, `policy:<name>`, and words that are none of these. */
export function demandsOf(sources: readonly (RecordEntry | undefined)[]): Demand {
  const roles = new Map<string, number>();
  const people = new Set<string>();
  const policies = new Set<string>();
  const words: string[] = [];
  const seat = (role: string, min: number): void => {
    if (min > 0) roles.set(role, Math.max(min, roles.get(role) ?? 0));
  };
  for (const demand of sources.flatMap((source) => listOf(source?.record.value["required_approvals"]))) {
    if (isJsonObject(demand) && typeof demand["role"] === "string" && typeof demand["min"] === "number")
      seat(demand["role"], demand["min"]);
    else if (typeof demand === "string") {
      const [kind, name] = splitWord(demand);
      if (kind === "human") people.add(name);
      else if (kind === "role") seat(name, 1);
      else if (kind === "policy") policies.add(name);
      else words.push(demand);
    } else words.push(JSON.stringify(demand));
  }
  return { roles, people, policies, words };
}

function splitWord(word: string): readonly [string, string] {
  const at = word.indexOf(":");
  return at < 1 || at === word.length - 1 ? ["", word] : [word.slice(0, at), word.slice(at + 1)];
}

function listOf(member: Json | undefined): readonly Json[] {
  return Array.isArray(member) ? member : [];
}

function isEmpty({ roles, people, policies, words }: Demand): boolean {
  return roles.size === 0 && people.size === 0 && policies.size === 0 && words.length === 0;
}

export function approvals(one: Case): Problem[] {
  return anchorsOf(one).flatMap((anchor): Problem[] => {
    if (anchor.entry === null) return [];
    const demand = demandAt(anchor, one);
    return isEmpty(demand) ? rejectedWithout(anchor, one) : judgeDemand(demand, anchor, one);
  });
}

/** What the rules, the decision that counts and the request ask for together. */
function demandAt({ grant }: Pick<Anchor, "grant">, one: Case): Demand {
  const decisions = grant === undefined ? one.decisions : [decisionFor(grant, one.context)];
  const asked = demandsOf([...rulesOf(one), ...decisions, one.action.request]);
  // Tier 3 asks for approval even where nobody wrote down how much.
  return isEmpty(asked) && one.tier >= 3 ? { ...asked, roles: new Map([[ANY_ROLE, 1]]) } : asked;
}

/**
 * Is what is asked for at an anchor lacking without these approvals? Those that were given again before `before`, by whoever
 * had given them, count for them; and where nothing is asked for nothing is lacking.
 */
export function lackingWithout(
  gone: readonly RecordEntry[],
  anchor: Pick<Anchor, "grant" | "index">,
  before: number,
  one: Case,
): boolean {
  if (gone.length === 0) return false;
  const demand = demandAt(anchor, one);
  if (isEmpty(demand)) return false;
  const again = countedApprovals({ index: before }, one).filter(
    (approval) =>
      approval.index >= anchor.index && gone.some(({ record }) => record.issuer === approval.record.issuer),
  );
  const left = countedApprovals(anchor, one).filter((approval) => !gone.includes(approval));
  return lackingAmong([...left, ...again], demand, anchor, one).length > 0;
}

/** Where nobody asks for approval a person's no is still a no. */
function rejectedWithout(anchor: Anchor, one: Case): Problem[] {
  const { action, uses, context } = one;
  const end = Math.max(
    anchor.index,
    ...uses.filter(({ grant }) => grant === anchor.grant).map(({ index }) => index),
  );
  const before = action.approvals.filter(
    (approval) => approval.index < end && !isSelf(approval, one) && hasRole(approval, context),
  );
  const last = new Map(before.map((approval) => [approval.record.issuer, approval]));
  const no = [...last.values()].filter(isRejection);
  if (no.length === 0 || no.length < last.size) return [];
  return [
    fails(
      "APPROVAL_INSUFFICIENT",
      [...no, ...(anchor.entry === null ? [] : [anchor.entry])],
      `rejected by ${no.map(({ record }) => record.issuer).join(", ")}, and approved by nobody`,
    ),
  ];
}

function judgeDemand(demand: Demand, anchor: Anchor, one: Case): Problem[] {
  const entry = anchor.entry as RecordEntry;
  const counted = countedApprovals(anchor, one);
  const problems: Problem[] = counted.flatMap((approval) => sawOther(approval, one));
  if (demand.words.length > 0)
    problems.push(
      unknown(
        "APPROVAL_UNKNOWN",
        [entry],
        `nobody can give the approval ${demand.words.map((word) => JSON.stringify(word)).join(", ")}`,
      ),
    );
  const lacking = shortfall(demand, anchor, one);
  if (lacking.length === 0) return [...problems, ...undeclared(demand, counted, anchor, one)];
  const wanted = one.action.approvals.filter((approval) => !isRejection(approval));
  const own = wanted.filter((approval) => approval.index < anchor.index && isSelf(approval, one));
  if (own.length > 0) problems.push(fails("APPROVAL_SELF", own, "approved by the agent's own side"));
  const late = wanted.filter((approval) => approval.index > anchor.index && !isSelf(approval, one));
  if (late.length > 0)
    problems.push(fails("APPROVAL_LATE", [...late, entry], "approved only after it was granted or done"));
  problems.push(fails("APPROVAL_INSUFFICIENT", [entry], `lacking before it: ${lacking.join(", ")}`));
  return problems;
}

/** "A hash of what was shown: another than this request's is APPROVAL_SAW_OTHER." */
function sawOther(approval: RecordEntry, { action }: Case): Problem[] {
  const shown = approval.record.value["displayed_hash"];
  return !isDigest(shown) || shown === action.id
    ? []
    : [
        fails(
          "APPROVAL_SAW_OTHER",
          [approval],
          `${approval.record.issuer} was shown ${shown.slice(0, 20)}…, which is not this request`,
        ),
      ];
}

/** "A control domain that is absent or the log's origin: APPROVAL_UNKNOWN at tier 3, nothing below." */
function undeclared(demand: Demand, counted: readonly RecordEntry[], anchor: Anchor, one: Case): Problem[] {
  if (one.tier < 3) return [];
  const { context } = one;
  const { request } = one.action;
  const isStated = (entry: RecordEntry | undefined): boolean => {
    const domains = entry === undefined ? [] : controlDomains(entry, context);
    return domains.length > 0 && !domains.includes(folded(context.origin));
  };
  const good = isStated(request) ? counted.filter(isStated) : [];
  if (lackingAmong(good, demand, anchor, one).length === 0) return [];
  return [
    unknown(
      "APPROVAL_UNKNOWN",
      [...counted, ...(request === undefined ? [] : [request])],
      "the key records do not say under whose control agent and approver are, so nobody can tell that they are apart",
    ),
  ];
}

/** What is still lacking before an anchor, as words; empty when it is complete. */
export function shortfall(
  asked: Demand,
  anchor: { readonly grant: RecordEntry | undefined; readonly index: number },
  one: Case,
): string[] {
  const demand = isEmpty(asked) ? { ...asked, roles: new Map([[ANY_ROLE, 1]]) } : asked;
  return lackingAmong(countedApprovals(anchor, one), demand, anchor, one);
}

function lackingAmong(
  counted: readonly RecordEntry[],
  { roles, people, policies }: Demand,
  anchor: { readonly grant: RecordEntry | undefined },
  one: Case,
): string[] {
  const persons = distinctPeople(counted, one.context);
  const unnamed = [...people].filter((id) => !persons.has(id));
  // Who is named fills, besides, one seat of each role that he approved in.
  const seated = [...persons].flatMap(([id, own]) =>
    people.has(id) ? [...own].map((role) => new Set([role])) : [own],
  );
  const seats = [...roles].flatMap(([role, min]) =>
    Array.from({ length: Math.min(min, MAX_SEATS) }, () => role),
  );
  const filled = seatPeople(seats, seated);
  return [
    ...unnamed,
    ...[...roles].flatMap(([role, min]) => {
      const got = filled.filter((seat) => seats[seat] === role).length;
      return got >= min ? [] : [`${min - got} of ${min} by ${role}`];
    }),
    ...[...policies].filter((name) => !saidYes(name, anchor.grant, one)).map((name) => `policy ${name}`),
  ];
}

/** "`policy:<name>`: the decision that counts allows or requires approvals, and the name is its policy's version, digest or name, or has `pass` in its evaluation." */
function saidYes(name: string, grant: RecordEntry | undefined, { decisions, context }: Case): boolean {
  const decision = grant === undefined ? undefined : decisionFor(grant, context);
  const candidates = grant === undefined ? decisions : decision === undefined ? [] : [decision];
  return candidates.some((one) => {
    const { decision: word, policy_digest: digest, policy_version: version } = one.record.value;
    if (word !== "allow" && word !== "require-approval") return false;
    const evaluated = evaluatedBy(one).filter((evidence) => evidence.name === name);
    if (evaluated.length > 0) return evaluated.every(({ outcome }) => outcome === "pass");
    const policies = context.graph
      .all("policy")
      .filter(({ record }) => record.value["policy_digest"] === digest);
    const names = policies.flatMap(({ record }) => [
      record.value["policy_version"],
      record.value["policy_name"],
    ]);
    return [digest, version, ...names].includes(name);
  });
}

/** Which seats can be filled at once, each by another person of its role: augmenting paths. */
function seatPeople(seats: readonly string[], people: readonly ReadonlySet<string>[]): number[] {
  const seatOf = new Map<number, number>();
  const fill = (seat: number, tried: Set<number>): boolean =>
    people.some((roles, person) => {
      if (tried.has(person) || !(seats[seat] === ANY_ROLE || roles.has(seats[seat] ?? ""))) return false;
      tried.add(person);
      const held = seatOf.get(person);
      if (held !== undefined && !fill(held, tried)) return false;
      seatOf.set(person, seat);
      return true;
    });
  seats.forEach((_, seat) => fill(seat, new Set()));
  return [...seatOf.values()];
}

/** The approvals that count at an anchor: what takes them back later is looked at where the grant is used. */
export function countedApprovals({ index }: { readonly index: number }, one: Case): readonly RecordEntry[] {
  return COUNTED.of(one, index, () => countApprovals({ index }, one));
}

const COUNTED = new Memory<Case, readonly RecordEntry[]>();

function countApprovals(anchor: { readonly index: number }, one: Case): RecordEntry[] {
  const { action, context } = one;
  const from = action.request?.index ?? 0;
  return action.approvals.filter(
    (approval) =>
      !isRejection(approval) &&
      approval.index > from &&
      approval.index < anchor.index &&
      !isSelf(approval, one) &&
      hasRole(approval, context) &&
      rejectionOf(approval, anchor.index, one) === undefined &&
      takenBack(approval, anchor.index, context) === undefined,
  );
}

/** "A later `reject` by the same person takes the approval back." */
export function rejectionOf(
  approval: RecordEntry,
  before: number,
  { action }: Case,
): RecordEntry | undefined {
  return action.approvals.find(
    (later) =>
      isRejection(later) &&
      later.record.issuer === approval.record.issuer &&
      later.index > approval.index &&
      later.index < before,
  );
}

/** "The seat's role is among the signer's `approver_roles`." */
function hasRole(approval: RecordEntry, { graph, keys, asOf }: Context): boolean {
  const claimed = textMember(approval.record.value, "approver_role") ?? "";
  return graph
    .speakersOf(approval)
    .some((signer) =>
      keys
        .registrations(signer, { index: approval.index, asOf })
        .some(
          ({ approverRoles, ids }) => approverRoles.includes(claimed) && ids.includes(approval.record.issuer),
        ),
    );
}

/** "Distinct people are distinct `approver_id` and distinct keys": by approver id, the roles that each approved in. */
function distinctPeople(
  counted: readonly RecordEntry[],
  { graph }: Context,
): Map<string, ReadonlySet<string>> {
  const people = new Map<string, Set<string>>();
  const holders = new Map<string, string>();
  for (const approval of counted) {
    const { issuer, value } = approval.record;
    const signers = graph.speakersOf(approval);
    if (signers.some((signer) => (holders.get(signer) ?? issuer) !== issuer)) continue;
    for (const signer of signers) holders.set(signer, issuer);
    const roles = people.get(issuer) ?? new Set<string>();
    people.set(issuer, roles.add(textMember(value, "approver_role") ?? ""));
  }
  return people;
}

/** "Same key, same id, or same *stated* control domain as the agent." */
function isSelf(approval: RecordEntry, { action: { request }, context }: Case): boolean {
  if (request === undefined) return false;
  const { graph, origin } = context;
  const signers = graph.speakersOf(request);
  if (approval.record.issuer === request.record.value["agent_id"]) return true;
  if (graph.speakersOf(approval).some((signer) => signers.includes(signer))) return true;
  const agents = controlDomains(request, context);
  return controlDomains(approval, context).some(
    (domain) => domain !== folded(origin) && agents.includes(domain),
  );
}

export function isRejection({ record }: RecordEntry): boolean {
  return record.value["approval"] !== "approve";
}
