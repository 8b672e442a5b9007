/** What every check may ask: the records, who is believed, what was taken back, which registration was in force. */
import type { KeyTable } from "../index/keys.js";
import { objectMember, objects, strings } from "../record/links.js";
import { mayRevoke, revocationAction } from "../record/revocation.js";
import { timeOf } from "../record/time.js";
import type { JsonObject } from "../statement/json.js";
import type { RecordEntry } from "./entry.js";
import { distinctRecords, type Graph, textMember } from "./graph.js";
import { Memory } from "./memory.js";
import type { VerdictWord } from "./verdict.js";

/** How strictly to judge: the lowest risk tier that any action is judged by, whatever its registration says. */
export interface Profile {
  readonly name: string;
  readonly leastTier: number;
}

export const PROFILES: readonly Profile[] = [
  { name: "registered", leastTier: 0 },
  { name: "tier-1", leastTier: 1 },
  { name: "tier-2", leastTier: 2 },
  { name: "tier-3", leastTier: 3 },
];

/** What somebody is about to do under a grant, and has not done: judged as if it were done now. */
export interface Proposal {
  /** The grant's record id. */
  readonly grant: string;
  readonly executor: string;
  /** The id of the key that the executor signs with. */
  readonly signer: string;
  readonly action: JsonObject;
  readonly toolDigest: string | undefined;
  /** The record id of the consumption by which it is under way; then that is no use besides. */
  readonly consumption?: string;
}

/** A grant of an action under which a grant of another was used: and when. */
export interface HandedDown {
  readonly grant: RecordEntry;
  /** The entry before which, and the time in milliseconds at which. */
  readonly use: { readonly index: number; readonly time: number | undefined };
}

export interface Context {
  /** Of an action: the records that have standing in it. */
  readonly graph: Graph;
  /** Every record, strangers' too. */
  readonly everything: Graph;
  readonly keys: KeyTable;
  /** The log's name, as entry 0 spells it. */
  readonly origin: string;
  /** Only what stands before this size is known. */
  readonly asOf: number;
  /** "Now": milliseconds since 1970, passed in. */
  readonly at: number;
  /** How far claimed times may disagree, in milliseconds. */
  readonly toleranceMs: number;
  readonly profile: Profile;
  /** Did the witness quorum of the verifier's policy cosign? Null when it asks for none. */
  readonly witnessed: boolean | null;
  /** Was anything left out? Then what is not there may be among it. */
  readonly bounded: boolean;
  readonly proposal: Proposal | null;
  /**
   * The verdict on another action, judged once; with a grant of it, up to that grant and as used where a grant below it was.
   * Null while it is itself being judged: a circle.
   */
  supporting(actionId: string, handed?: HandedDown): VerdictWord | null;
}

/** What stands registered under an action type's name. */
export interface Registration {
  readonly name: string | undefined;
  /** The one in force; undefined when there is none. */
  readonly inForce: RecordEntry | undefined;
  /** Those before it by the same owner, in log order. */
  readonly before: readonly RecordEntry[];
  /** Those of the same owner that were revoked, and by what. */
  readonly revoked: readonly { readonly entry: RecordEntry; readonly by: RecordEntry }[];
  /** Records by others than the owner, of the same domain. */
  readonly contesting: readonly RecordEntry[];
}

/**
 * "The last `action-type` record for that name before the request by the home owner that registered it first; one for the same
 * name by another owner of the home makes it contested, until one of the two withdraws."
 */
export function registrationOf(
  name: string | undefined,
  before: number,
  home: string,
  context: Context,
): Registration {
  const named = context.everything
    .all("action-type")
    .filter(
      (entry) =>
        entry.record.value["action_type"] === name &&
        entry.index < before &&
        domainOf(entry, context) === home &&
        speaksAs(entry, ["owner"], context),
    )
    .map((entry) => ({ entry, by: takenBack(entry, before, context) }));
  const isRevoked = ({ by }: { by: RecordEntry | undefined }): boolean =>
    by !== undefined && revocationAction(by.record) === "revoke";
  const standing = named.filter((one) => !isRevoked(one));
  const owner = standing[0]?.entry.record.issuer;
  const own = standing.filter(({ entry }) => entry.record.issuer === owner);
  const last = own.at(-1);
  return {
    name,
    // While the last is suspended none is in force: an older one may have asked for less.
    inForce: last?.by === undefined ? last?.entry : undefined,
    before: own.slice(0, -1).map(({ entry }) => entry),
    revoked: named.flatMap(({ entry, by }) =>
      by !== undefined && isRevoked({ by }) && entry.record.issuer === owner ? [{ entry, by }] : [],
    ),
    contesting: standing.flatMap(({ entry, by }) =>
      entry.record.issuer !== owner && by === undefined ? [entry] : [],
    ),
  };
}

export function tierOf({ inForce }: Registration): number {
  const tier = inForce?.record.value["risk_tier"];
  // "Unregistered is tier 3."
  return typeof tier === "number" ? tier : 3;
}

/** The trust domain whose word a record is. */
export function domainOf({ record }: RecordEntry, { keys }: Pick<Context, "keys">): string {
  return keys.domains.of(record.issuer);
}

/** The grant of that id, if it is logged. */
export function grantIn(graph: Graph, id: string | undefined): RecordEntry | undefined {
  const grant = graph.record(id);
  return grant?.record.type === "capability-grant" ? grant : undefined;
}

/** The decision that a grant names. */
export function decisionOf(grant: RecordEntry, { graph }: Context): RecordEntry | undefined {
  const decision = graph.record(textMember(grant.record.value, "decision_hash"));
  return decision?.record.type === "policy-decision" ? decision : undefined;
}

/** The last decision before `before` that superseded this one, by the same engine, for the same request; itself where none did. */
export function effectiveDecision(decision: RecordEntry, before: number, { graph }: Context): RecordEntry {
  let current = decision;
  for (;;) {
    const { id, index, record } = current;
    const next = graph
      .naming(id, "supersedes", "policy-decision")
      .findLast(
        (later) =>
          later.index < before &&
          later.index > index &&
          later.record.issuer === record.issuer &&
          later.record.value["request_hash"] === record.value["request_hash"],
      );
    if (next === undefined) return current;
    current = next;
  }
}

/** The decision that counts for a grant, as it was when it was granted; undefined when the one it names is not there. */
export function decisionFor(grant: RecordEntry, context: Context): RecordEntry | undefined {
  const named = decisionOf(grant, context);
  return named === undefined ? undefined : effectiveDecision(named, grant.index, context);
}

/** Everything that took a record back before `before`, by those who may, and stood then: what is resumed is nothing. */
export function takenBack(target: RecordEntry, before: number, context: Context): RecordEntry | undefined {
  let suspended: RecordEntry | undefined;
  for (const entry of distinctRecords(context.everything.naming(target.id, "target", "revocation"))) {
    if (entry.index >= before || !isEntitled(entry, target, context)) continue;
    const action = revocationAction(entry.record);
    if (action === "revoke") return entry;
    if (action === "suspend") suspended ??= entry;
    else suspended = undefined;
  }
  return suspended;
}

/** The stretches before `before` in which a record was suspended and after which it was resumed. */
export function suspensions(
  target: RecordEntry,
  before: number,
  context: Context,
): { readonly from: RecordEntry; readonly to: RecordEntry }[] {
  const found: { from: RecordEntry; to: RecordEntry }[] = [];
  let from: RecordEntry | undefined;
  for (const entry of distinctRecords(context.everything.naming(target.id, "target", "revocation"))) {
    if (entry.index >= before || !isEntitled(entry, target, context)) continue;
    const action = revocationAction(entry.record);
    if (action === "suspend") from ??= entry;
    if (action !== "resume" || from === undefined) continue;
    found.push({ from, to: entry });
    from = undefined;
  }
  return found;
}

/** May this revocation take the target back? */
export function isEntitled(revocation: RecordEntry, target: RecordEntry, context: Context): boolean {
  const { everything, keys } = context;
  const request = everything.record(textMember(target.record.value, "request_hash"));
  const isOfDomain = domainOf(revocation, context) === domainOf(target, context);
  if (target.record.type === "key")
    return keys.hasCutAt(revocation.index) && speaksAs(revocation, ["registrar"], context);
  return mayRevoke(revocation.record, target.record, request?.record ?? null, {
    isRegistrar: isOfDomain && speaksAs(revocation, ["registrar"], context),
    isOwner: speaksAs(revocation, ["owner"], context),
    isPrincipal: speaksAs(revocation, ["principal"], context),
  });
}

/** Is one of those who signed the entry believed, at its place, for its issuer in one of these roles? */
export function speaksAs(
  entry: RecordEntry,
  roles: readonly string[],
  { everything, keys, asOf }: Context,
): boolean {
  const { record, index } = entry;
  return everything
    .speakersOf(entry)
    .some((signer) => keys.believed(signer, record.issuer, roles, { index, asOf }));
}

/** A grant and every grant above it that is there, nearest first. */
export function ancestry(grant: RecordEntry, graph: Graph): RecordEntry[] {
  const chain = [grant];
  for (;;) {
    const parent = grantIn(graph, textMember(chain.at(-1)?.record.value ?? {}, "parent_capability_hash"));
    // Hashes cannot go in circles; the bound is for a depth that the walk would not follow either.
    if (parent === undefined || chain.length > 32) return chain;
    chain.push(parent);
  }
}

/** "A child grant is made by its parent's issuer or its parent's audience. Any other is no child of it." */
export function isMadeUnder(child: RecordEntry, parent: RecordEntry): boolean {
  const { issuer } = child.record;
  return issuer === parent.record.issuer || issuer === parent.record.value["audience"];
}

/** A grant and every grant below it that is there, made by those who may. */
export function descent(grant: RecordEntry, graph: Graph): RecordEntry[] {
  const found = new Map([[grant.id, grant]]);
  for (const one of found.values())
    for (const child of graph.naming(one.id, "parent_capability_hash", "capability-grant"))
      if (!found.has(child.id) && isMadeUnder(child, one)) found.set(child.id, child);
  return [...found.values()];
}

export function time(entry: RecordEntry, member: string): number | undefined {
  return timeOf(entry.record.value[member]);
}

export function permitted(grant: RecordEntry): JsonObject {
  return objectMember(grant.record.value, "permitted_action");
}

/** `<algorithm>:<text>`, for sha256 64 lower-case hex digits: what has not that form counts as not there. */
export function isDigest(value: unknown): value is string {
  if (typeof value !== "string") return false;
  return value.startsWith("sha256:")
    ? /^sha256:[0-9a-f]{64}$/.test(value)
    : /^[a-z0-9][a-z0-9._+-]*:.+$/i.test(value);
}

/** Names compared as people would: after NFKC, case folding and trimming. */
export function folded(text: string): string {
  return text.normalize("NFKC").trim().toLowerCase();
}

/** What the records of who signed an entry say of them: control domains as stated, folded; none where none is. */
export function controlDomains(entry: RecordEntry, context: Context): readonly string[] {
  return CONTROL.of(context.keys, entry.index, () => statedDomains(entry, context));
}

const CONTROL = new Memory<KeyTable, readonly string[]>();

function statedDomains(entry: RecordEntry, { everything, keys, asOf }: Context): string[] {
  return everything
    .speakersOf(entry)
    .flatMap((signer) =>
      keys
        .registrations(signer, { index: entry.index, asOf })
        .filter(({ ids }) => ids.includes(entry.record.issuer))
        .map(({ controlDomain }) => folded(controlDomain)),
    )
    .filter((domain) => domain !== "");
}

/** Evidence that decisions say they evaluated. */
export interface Evaluated {
  readonly name: string;
  readonly outcome: string;
  readonly hash: string | undefined;
}

export function evaluatedBy({ record }: RecordEntry): Evaluated[] {
  return objects(record.value["evaluated_evidence"]).flatMap(({ name, outcome, hash }) =>
    typeof name === "string" && typeof outcome === "string"
      ? [{ name, outcome, hash: isDigest(hash) ? hash : undefined }]
      : [],
  );
}

export function textsIn(entry: RecordEntry | undefined, member: string): string[] {
  return strings(entry?.record.value[member]);
}

export function iso(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace(".000Z", "Z") : "an unknown time";
}

/** Did one key speak for both? */
export function shareKey(a: RecordEntry, b: RecordEntry, { graph }: Pick<Context, "graph">): boolean {
  const speakers = graph.speakersOf(a);
  return graph.speakersOf(b).some((speaker) => speakers.includes(speaker));
}
