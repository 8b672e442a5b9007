/** Delegation: that a person whom the home knows had given the agent this authority, and that it covers what was done. */
import { objectMember, strings } from "../../record/links.js";
import { loosened } from "../constraints.js";
import { anchorsOf, type Case } from "../case.js";
import { type Context, time } from "../context.js";
import { type RecordEntry, signersOf } from "../entry.js";
import { textMember } from "../graph.js";
import { fails, type Problem, unknown } from "../verdict.js";
import { countedApprovals } from "./approvals.js";
import { judgeConstraints } from "./scope.js";

const MAX_CHAIN = 32;

/** Tier 2: the delegator is known to the home. Tier 3: it is shown that he delegated. What is named is judged at every tier. */
export function delegated(one: Case): Problem[] {
  const { action, tier, home } = one;
  const { request } = action;
  if (request === undefined) return [];
  const delegator = textMember(request.record.value, "delegator_id") ?? "";
  const named = textMember(request.record.value, "delegation_hash");
  const problems = named === undefined ? [] : judgeNamed(named, request, one);
  if (tier >= 2 && !isKnown(delegator, home, one))
    problems.push(
      (tier >= 3 ? fails : unknown)(
        "DELEGATION_MISSING",
        [request],
        `no registrar of ${home} knows the delegator ${delegator}`,
      ),
    );
  if (tier >= 3 && named === undefined && !isShown(delegator, request, one)) {
    const who = delegator === textMember(request.record.value, "agent_id") ? "the agent itself" : delegator;
    problems.push(
      fails(
        "DELEGATION_MISSING",
        [request],
        `nothing shows that ${who} delegated this: no delegation, no approval of it by the delegator before the grant, no signature on the request`,
      ),
    );
  }
  // The delegation that was named is also the one that must be there.
  return problems.map((problem) =>
    problem.code === "DELEGATION_MISSING" && tier < 3 ? { ...problem, outcome: "UNKNOWN" } : problem,
  );
}

function isKnown(id: string, home: string, { context, action }: Pick<Case, "context" | "action">): boolean {
  const { keys, asOf } = context;
  const domain = keys.domains.of(id);
  // Known when it was asked: whoever has left since had been there.
  const index = action.request?.index ?? asOf;
  return (domain === home || domain === context.origin) && keys.knowsId(id, domain, { index, asOf });
}

/** The delegator approved this very request before each grant, or signed it, by a key that is not an agent's. */
function isShown(delegator: string, request: RecordEntry, one: Case): boolean {
  if (delegator === request.record.issuer) return false;
  if (delegatorsKeys(request, one).length > 0) return true;
  return anchorsOf(one).every((anchor) =>
    countedApprovals(anchor, one).some(({ record }) => record.issuer === delegator),
  );
}

/** The keys that signed the request for its delegator: registered for his id in a domain whose word counts, and not as an agent's. */
export function delegatorsKeys(request: RecordEntry, { context, home }: Case): string[] {
  const { keys, asOf, origin } = context;
  const delegator = textMember(request.record.value, "delegator_id") ?? "";
  const agents = new Set(context.graph.speakersOf(request));
  return signersOf(request).filter(
    (signer) =>
      !agents.has(signer) &&
      keys
        .registrations(signer, { index: request.index, asOf })
        .some(
          ({ ids, roles, domain }) =>
            ids.includes(delegator) && !roles.includes("agent") && (domain === home || domain === origin),
        ),
  );
}

/** The delegations that the request names, the nearest first, as far as they are there. */
export function delegationsOf({ action, context }: Case): RecordEntry[] {
  const chain: RecordEntry[] = [];
  let next = textMember(action.request?.record.value ?? {}, "delegation_hash");
  while (next !== undefined && chain.length < MAX_CHAIN) {
    const found = context.graph.record(next);
    if (found?.record.type !== "delegation") break;
    chain.push(found);
    next = textMember(found.record.value, "parent_delegation");
  }
  return chain;
}

function judgeNamed(named: string, request: RecordEntry, one: Case): Problem[] {
  const chain = delegationsOf(one);
  const [first] = chain;
  if (first === undefined)
    return [
      fails(
        "DELEGATION_MISSING",
        [request],
        `the delegation ${named} that the request names is not in the log`,
      ),
    ];
  const exceeded = (entry: RecordEntry, why: string): Problem =>
    fails("DELEGATION_EXCEEDED", [entry, request], why);
  const problems: Problem[] = [];
  const deadline = Math.min(...anchorsOf(one).map(({ index }) => index));
  let delegator = textMember(request.record.value, "delegator_id");
  let delegate = textMember(request.record.value, "agent_id");
  for (const [i, link] of chain.entries()) {
    const { value } = link.record;
    if (link.index >= deadline)
      problems.push(
        fails("DELEGATION_MISSING", [link, request], "the delegation was logged only after the grant"),
      );
    if (value["delegator_id"] !== delegator)
      problems.push(
        exceeded(link, `it is by ${textMember(value, "delegator_id")}, and ${delegator} is named`),
      );
    if (value["delegate_id"] !== delegate)
      problems.push(exceeded(link, `it is to ${textMember(value, "delegate_id")}, not to ${delegate}`));
    if (value["delegator_id"] === value["delegate_id"])
      problems.push(exceeded(link, "somebody delegates to himself"));
    problems.push(...coverage(link, one, exceeded));
    const child = chain[i - 1];
    if (child !== undefined) problems.push(...widened(child, link, exceeded));
    delegate = textMember(value, "delegator_id");
    const above = chain[i + 1];
    delegator = above === undefined ? undefined : textMember(above.record.value, "delegator_id");
    const parent = textMember(value, "parent_delegation");
    if (parent !== undefined && above === undefined)
      problems.push(
        fails("DELEGATION_MISSING", [link], `the delegation ${parent} above it is not in the log`),
      );
  }
  const root = chain.at(-1) as RecordEntry;
  if (isAgents(root, request, one.context))
    problems.push(exceeded(root, `${root.record.issuer}, where it begins, is an agent`));
  return problems;
}

/** "Action type, `max_tier` and times cover it; asked, granted and executed satisfy its constraints." */
function coverage(
  link: RecordEntry,
  one: Case,
  exceeded: (entry: RecordEntry, why: string) => Problem,
): Problem[] {
  const { value } = link.record;
  const types = strings(value["action_types"]);
  const problems: Problem[] = [];
  const names = one.registrations.flatMap(({ name }) => name ?? []);
  for (const name of names)
    if (!types.includes(name) && !types.includes("*"))
      problems.push(exceeded(link, `it is for ${types.join(", ")}, not for ${name}`));
  const most = value["max_tier"];
  if (typeof most === "number" && one.registeredTier > most)
    problems.push(
      exceeded(link, `it goes up to risk tier ${most}, the action is of tier ${one.registeredTier}`),
    );
  const mission = textMember(value, "mission_id");
  if (mission !== undefined && mission !== textMember(one.action.request?.record.value ?? {}, "mission_id"))
    problems.push(exceeded(link, `it is for the mission ${mission} alone`));
  const opens = time(link, "not_before");
  for (const use of one.uses)
    if (opens !== undefined && use.time !== undefined && use.time < opens)
      problems.push(exceeded(link, "it had not begun when the grant was used"));
  const judged = judgeConstraints(link, objectMember(value, "constraints"), one);
  return [
    ...problems,
    ...judged.map((problem) =>
      problem.code === "CONSTRAINT_VIOLATED" ? { ...problem, code: "DELEGATION_EXCEEDED" as const } : problem,
    ),
  ];
}

/** "The child no wider (as grants)." */
function widened(
  child: RecordEntry,
  parent: RecordEntry,
  exceeded: (entry: RecordEntry, why: string) => Problem,
): Problem[] {
  const [own, above] = [child.record.value, parent.record.value];
  const wider = loosened(objectMember(above, "constraints"), objectMember(own, "constraints"));
  const types = strings(above["action_types"]);
  const more = strings(own["action_types"]).filter((name) => !types.includes(name) && !types.includes("*"));
  if (more.length > 0) wider.push(`action types ${more.join(", ")} were added`);
  const [most, least] = [above["max_tier"], own["max_tier"] ?? 3];
  if (typeof most === "number" && typeof least === "number" && least > most) wider.push("max_tier is higher");
  return wider.length === 0
    ? []
    : [exceeded(child, `it is wider than the one above it: ${wider.join("; ")}`)];
}

/** "The first delegator's key has not the role agent", under whatever id; nor is it one of those who asked. */
function isAgents(entry: RecordEntry, request: RecordEntry, { graph, keys, asOf }: Context): boolean {
  const askers = graph.speakersOf(request);
  return graph
    .speakersOf(entry)
    .some(
      (signer) =>
        askers.includes(signer) ||
        keys.registrations(signer, { index: entry.index, asOf }).some(({ roles }) => roles.includes("agent")),
    );
}
