/**
 * Who is known to the log, and who is believed: every key, the roles it may play and the ids it may speak for, derived
 * from entry 0 and from the `key` records and their revocations in log order. Admission and the trace ask the same
 * question here: is this key believed at that index?
 *
 * Three ranks. The log's own key registers and takes back whom it likes: it is what everything under this name rests on
 * anyway. The registrars of entry 0 are taken back by it, or by one another. Every other key is taken back by any
 * registrar but itself. What a key said after the last index it is believed for counts for nothing, its registrations and
 * revocations of others included: so the log survives a registrar's compromise.
 *
 * From the second version of the rules on each registrar speaks in its own trust domain only (`domains.ts`): it registers ids
 * of that domain and takes back keys as far as they speak for such ids. Those of entry 0 and the log's key have the log's own;
 * they also found domains, place parties in them, and take back their registrars.
 */
import { type ErrorCode, WritError } from "../errors.js";
import type { Registration } from "../record/key-record.js";
import type { RevocationAction } from "../record/revocation.js";
import type { PublicKey } from "../statement/key.js";
import { Domains } from "./domains.js";

export type Standing = "believed" | "unknown" | "role-missing" | "distrusted";

/** A point of view: what stood in the log before `asOf`, about an entry at `index`, at a time where that matters. */
export interface View {
  readonly index: number;
  /** Infinity for everything that is known. */
  readonly asOf?: number;
  /** Milliseconds since 1970: a key is not believed beyond its `not_after`. */
  readonly time?: number;
}

/** A revocation, suspension or resumption of the `key` record (or of the policy's registrars) with this id. */
export interface KeyRevocation {
  /** Its own record id: the same revocation said again, in another envelope, changes nothing. */
  readonly recordId: string;
  readonly target: string;
  readonly action: RevocationAction;
  /** The last index that the key may be believed for; null for all before the revocation. */
  readonly effectiveIndex: number | null;
  readonly issuer: string;
  /** Key ids. */
  readonly signers: readonly string[];
}

/** What changes who is known. */
export type KeyEvent =
  | { readonly kind: "register"; readonly registration: Registration; readonly signers: readonly string[] }
  | { readonly kind: "revoke"; readonly revocation: KeyRevocation }
  /** The log says which rules apply from here on. */
  | { readonly kind: "rules"; readonly version: number; readonly signers: readonly string[] };

export interface KeyRoots {
  /** The registrars that entry 0 names. */
  readonly registrars: readonly PublicKey[];
  /** The log's own key; null where it is not known. */
  readonly logKey: PublicKey | null;
  /** The record id of entry 0: a revocation of it takes back the registrars it names. */
  readonly policyId: string;
  /** The log's name, and that of its own domain. */
  readonly origin: string;
  /** The version of the rules that entry 0 says. */
  readonly rulesVersion: number;
}

export interface LoggedRegistration extends Registration {
  readonly index: number;
  readonly signers: readonly string[];
  /** The trust domain of the ids. */
  readonly domain: string;
  /** How many registrars stand above it. */
  readonly depth: number;
  /** Was it made for another domain, by a registrar of entry 0 or the log's key? */
  readonly placed: boolean;
}

interface Cut {
  readonly index: number;
  readonly action: RevocationAction | "replace";
  /** The last index that is believed. */
  readonly last: number;
  /** As it was stated; null where nothing was. */
  readonly effective: number | null;
  readonly issuer: string;
  readonly signers: readonly string[];
  /** The trust domain in which it counts. */
  readonly domain: string;
}

export interface KnownKey {
  readonly key: PublicKey;
  readonly registrations: readonly LoggedRegistration[];
}

const RANKS = { other: 0, root: 1, log: 2 } as const;

/** What is judged: a statement by everything known; a revocation by what stood before it and by its signer's superiors. */
type Weight = "of-a-statement" | "of-a-cut";

const REGISTRAR: readonly string[] = ["registrar"];
const MAX_MEMO = 10_000;
/** Registrars above one another: nobody registers below that, and none more is looked through. */
const MAX_REGISTRARS = 32;
/**
 * Registrations of one key. Together with the depth it bounds what one question may cost, whoever has made them: each
 * registrar on the way is judged once for each registration below it, 32 · 100² steps at most.
 */
export const MAX_REGISTRATIONS = 100;
const MAX_JUDGED = 100_000;

interface Complaint {
  readonly code: ErrorCode;
  readonly why: string;
  readonly path?: string;
}

export class KeyTable {
  private readonly keys = new Map<
    string,
    { key: PublicKey; registrations: LoggedRegistration[]; cuts: Cut[] }
  >();
  private readonly rootIds: ReadonlySet<string>;
  private readonly logKeyId: string | null;
  /** Which keys a revocation of this record takes back. */
  private readonly keysOfRecord = new Map<string, readonly string[]>();
  private readonly memo = new Map<string, { readonly standing: Standing; readonly until: number }>();
  /** Registrars judged since the last event, by key, issuer, place, size and weight: else one is judged once for each way to it. */
  private readonly judged = new Map<string, boolean>();
  private readonly voids = new Map<string, number | null>();
  /** Until when a key stands for anything, in milliseconds since 1970. */
  private readonly standsUntil = new Map<string, number>();
  /** Whether a cut counts, as of the size asked about last. */
  private readonly validity = new Map<Cut, { readonly asOf: number; readonly valid: boolean }>();
  private readonly revocations = new Set<string>();
  private readonly ids = new Set<string>();
  /** Which rules apply to entries after these. */
  private readonly rules: { readonly index: number; readonly version: number }[];
  private applied = 0;
  private backdated = false;
  /** Whose word counts where. */
  readonly domains: Domains;

  constructor({ registrars, logKey, policyId, origin, rulesVersion }: KeyRoots) {
    this.domains = new Domains(origin);
    this.rules = [{ index: -1, version: rulesVersion }];
    this.rootIds = new Set(registrars.map(({ keyId }) => keyId));
    this.logKeyId = logKey?.keyId ?? null;
    for (const key of logKey === null ? registrars : [...registrars, logKey]) this.entry(key);
    this.keysOfRecord.set(policyId, [...this.rootIds]);
  }

  /** Takes in what the entry at `index` changes. Call in log order. */
  apply(index: number, event: KeyEvent): void {
    this.applied++;
    this.memo.clear();
    this.judged.clear();
    this.voids.clear();
    this.standsUntil.clear();
    this.validity.clear();
    if (event.kind === "register") this.register(index, event.registration, event.signers);
    else if (event.kind === "revoke") this.cut(index, event.revocation);
    else if (this.isLogKey(event.signers) && event.version > this.rulesAt(index))
      this.rules.push({ index, version: event.version });
  }

  /** Is the log's own key among these? */
  isLogKey(signers: readonly string[]): boolean {
    return this.logKeyId !== null && signers.includes(this.logKeyId);
  }

  /** The version of the rules that apply to the entry at `index`; the newest unless given. */
  rulesAt(index = Number.POSITIVE_INFINITY): number {
    return this.rules.findLast((one) => one.index < index)?.version ?? 1;
  }

  /** DOMAIN_TAKEN, ID_OF_ANOTHER_DOMAIN, KEY_DISTRUSTED, RECORD_INVALID: why the registration may not be made now. */
  demandRegistrable(registration: Registration, signers: readonly string[]): void {
    const refused = this.complaint(registration, signers, Number.POSITIVE_INFINITY);
    if (refused !== null)
      throw new WritError(
        refused.code,
        refused.why,
        refused.path === undefined ? {} : { path: refused.path },
      );
  }

  /** Is the id one that a registrar of this domain made known before `index`? */
  knowsId(id: string, domain: string, view: View): boolean {
    if (this.domains.of(id) !== domain || !this.ids.has(id)) return false;
    return [...this.keys.keys()].some((keyId) =>
      this.registrations(keyId, view).some(({ ids }) => ids.includes(id)),
    );
  }

  /**
   * The entry by which the key, which said something at `index` as `issuer`, was revoked or suspended between that and
   * `before`; null when it was not, was resumed, or was revoked with an `effective_index` at or after what it said.
   */
  withdrawnAt(keyId: string, issuer: string, index: number, before: number): number | null {
    const registration =
      this.registrations(keyId, { index, asOf: before }).find(({ ids }) => ids.includes(issuer)) ?? null;
    let suspended: number | null = null;
    let isReplaced = false;
    for (const cut of this.keys.get(keyId)?.cuts ?? []) {
      if (cut.index <= index || cut.index >= before) continue;
      if (!this.reaches(cut, registration) || !this.isValid(cut, keyId, before)) continue;
      if (cut.action === "replace") isReplaced = true;
      // Tidying up after a key that was replaced says nothing against what it had said.
      if (cut.action === "revoke" && cut.effective === null && isReplaced) continue;
      if (cut.action === "revoke" && (cut.effective === null || cut.effective < index)) return cut.index;
      if (cut.action === "suspend") suspended ??= cut.index;
      if (cut.action === "resume") suspended = null;
    }
    return suspended;
  }

  /**
   * Does all that makes this key known to speak as `issuer` go back to one of `others`: registered by it, or through
   * registrars that it registered?
   */
  restsOn(keyId: string, issuer: string, others: ReadonlySet<string>, view: View): boolean {
    const fitting = this.registrations(keyId, view).filter(({ ids }) => ids.includes(issuer));
    const known = new Map<LoggedRegistration, boolean>();
    return fitting.length > 0 && fitting.every((one) => this.isThrough(one, others, view.asOf, known));
  }

  private isThrough(
    one: LoggedRegistration,
    others: ReadonlySet<string>,
    asOf: number | undefined,
    known: Map<LoggedRegistration, boolean>,
  ): boolean {
    const before = known.get(one);
    if (before !== undefined) return before;
    // Registrations go back in log order: never in a circle.
    const is = this.isThroughOthers(one, others, asOf, known);
    known.set(one, is);
    return is;
  }

  private isThroughOthers(
    one: LoggedRegistration,
    others: ReadonlySet<string>,
    asOf: number | undefined,
    known: Map<LoggedRegistration, boolean>,
  ): boolean {
    const view = { index: one.index, ...(asOf === undefined ? {} : { asOf }) };
    const by = one.signers.filter((signer) => this.believed(signer, one.issuer, REGISTRAR, view));
    return (
      by.length > 0 &&
      by.every((signer) => {
        if (others.has(signer)) return true;
        if (this.speaksAsRoot(signer, one.issuer)) return false;
        const own = this.registrations(signer, view).filter(
          ({ ids, roles }) => ids.includes(one.issuer) && roles.includes("registrar"),
        );
        return own.length > 0 && own.every((above) => this.isThrough(above, others, asOf, known));
      })
    );
  }

  /** Has a key ever been taken back from an entry before the revocation on? Nearly never, and then nobody has to ask. */
  get hasBackdated(): boolean {
    return this.backdated;
  }

  /** Did the entry at `index` take a key back, suspend or resume one, as somebody who may? */
  hasCutAt(index: number): boolean {
    return [...this.keys].some(([keyId, { cuts }]) =>
      cuts.some(
        (cut) => cut.index === index && this.reachesAny(cut, keyId) && this.isValid(cut, keyId, index + 1),
      ),
    );
  }

  /**
   * The keys whose word counts for nothing since the entry at `index`, with the last entry that each is believed for: those
   * that it took back from an earlier entry on, and those that they registered since.
   */
  revokedAt(index: number): { readonly keyId: string; readonly last: number }[] {
    const taken = new Map<string, number>();
    for (const [keyId, { cuts }] of this.keys)
      for (const cut of cuts)
        if (
          cut.index === index &&
          cut.action === "revoke" &&
          cut.last < index &&
          this.reachesAny(cut, keyId) &&
          this.isValid(cut, keyId, index + 1)
        )
          taken.set(keyId, cut.last);
    for (let before = -1; before < taken.size; ) {
      before = taken.size;
      for (const [keyId, { registrations }] of this.keys)
        for (const { index: at, signers } of registrations)
          if (!taken.has(keyId) && signers.some((signer) => at > (taken.get(signer) ?? index)))
            taken.set(keyId, at);
    }
    return [...taken].map(([keyId, last]) => ({ keyId, last }));
  }

  /**
   * The revocation after which what the key said at `index`, when it was believed, counts for nothing; null when there is
   * none before `asOf`.
   */
  takenBackBy(keyId: string, index: number, asOf: number): number | null {
    const cut = this.keys
      .get(keyId)
      ?.cuts.find(
        (one) =>
          one.action === "revoke" &&
          one.index > index &&
          one.index < asOf &&
          one.last < index &&
          this.isValid(one, keyId, asOf),
      );
    return cut?.index ?? null;
  }

  /** The same where it is not the key that was taken back, but whoever registered it, or registered that one. */
  voidedBy(
    keyId: string,
    issuer: string,
    roles: readonly string[],
    index: number,
    asOf: number,
  ): number | null {
    const name = [keyId, roles.join(), index, asOf, issuer].join(" ");
    const known = this.voids.get(name);
    if (known !== undefined) return known;
    const by = this.firstVoiding(keyId, issuer, roles, index, asOf);
    if (this.voids.size >= MAX_JUDGED) this.voids.clear();
    this.voids.set(name, by);
    return by;
  }

  private firstVoiding(
    keyId: string,
    issuer: string,
    roles: readonly string[],
    index: number,
    asOf: number,
  ): number | null {
    const fitting = (this.keys.get(keyId)?.registrations ?? []).filter(
      (r) => r.index < index && r.ids.includes(issuer) && r.roles.some((role) => roles.includes(role)),
    );
    const by = fitting.flatMap((r) =>
      r.signers.flatMap(
        (signer) =>
          this.takenBackBy(signer, r.index, asOf) ??
          this.voidedBy(signer, r.issuer, REGISTRAR, r.index, asOf) ??
          [],
      ),
    );
    return by.length === 0 ? null : Math.min(...by);
  }

  /** How many events it has taken in: two tables of one log with the same number say the same. */
  get events(): number {
    return this.applied;
  }

  /** The key, if anything before `index` made it known. */
  known(keyId: string, index = Number.POSITIVE_INFINITY): KnownKey | undefined {
    const known = this.keys.get(keyId);
    if (known === undefined) return undefined;
    return this.isRoot(keyId) || known.registrations.some((r) => r.index < index) ? known : undefined;
  }

  /** Does a revocation of this record concern keys? */
  concerns(recordId: string): boolean {
    return this.keysOfRecord.has(recordId);
  }

  /** Is this key believed to speak as `issuer` in one of `roles`, from that point of view? */
  standing(keyId: string, issuer: string, roles: readonly string[], view: View): Standing {
    const { index, asOf = Number.POSITIVE_INFINITY, time = Number.NEGATIVE_INFINITY } = view;
    if (index !== Number.POSITIVE_INFINITY)
      return this.judge(keyId, issuer, roles, index, asOf, time).standing;
    // Admission asks the same few questions of the newest state again and again.
    const name = `${keyId}\u0000${roles.join()}\u0000${issuer}`;
    let known = this.memo.get(name);
    if (known === undefined || time > known.until) {
      known = this.judge(keyId, issuer, roles, index, asOf, time);
      if (this.memo.size >= MAX_MEMO) this.memo.clear();
      this.memo.set(name, known);
    }
    return known.standing;
  }

  /** Does the key stand for anything now: registered, not taken back, not expired? `time`: milliseconds since 1970. */
  stands(keyId: string, time: number): boolean {
    let until = this.standsUntil.get(keyId);
    if (until === undefined) {
      const view = { index: Number.POSITIVE_INFINITY };
      const isRoot = this.isRoot(keyId) && !this.isCut(keyId, null, view.index, view.index, "of-a-statement");
      until = isRoot
        ? Number.POSITIVE_INFINITY
        : Math.max(...this.registrations(keyId, view).map(({ notAfter }) => notAfter));
      this.standsUntil.set(keyId, until);
    }
    return time <= until;
  }

  believed(keyId: string, issuer: string, roles: readonly string[], view: View): boolean {
    return this.standing(keyId, issuer, roles, view) === "believed";
  }

  /** The registrations that count at `index`, oldest first. */
  registrations(keyId: string, { index, asOf = Number.POSITIVE_INFINITY }: View): LoggedRegistration[] {
    return (this.keys.get(keyId)?.registrations ?? []).filter(
      (r) =>
        r.index < index &&
        r.index < asOf &&
        this.counts(r, asOf, "of-a-statement") &&
        !this.isCut(keyId, r, index, asOf, "of-a-statement"),
    );
  }

  private judge(
    keyId: string,
    issuer: string,
    roles: readonly string[],
    index: number,
    asOf: number,
    time: number,
    weight: Weight = "of-a-statement",
  ): { standing: Standing; until: number } {
    const forEver = (standing: Standing) => ({ standing, until: Number.POSITIVE_INFINITY });
    const known = this.keys.get(keyId);
    if (known === undefined) return forEver("unknown");
    if (roles.includes("registrar") && this.speaksAsRoot(keyId, issuer)) {
      if (!this.isCut(keyId, null, index, asOf, weight)) return forEver("believed");
    } else if (!known.registrations.some((r) => r.index < index && r.index < asOf)) {
      return forEver(this.isRoot(keyId) ? "role-missing" : "unknown");
    }
    const fitting = known.registrations.filter(
      (r) =>
        r.index < index &&
        r.index < asOf &&
        r.ids.includes(issuer) &&
        r.roles.some((role) => roles.includes(role)),
    );
    if (fitting.length === 0)
      return forEver(
        this.speaksAsRoot(keyId, issuer) && roles.includes("registrar") ? "distrusted" : "role-missing",
      );
    let until = Number.NEGATIVE_INFINITY;
    for (const one of fitting) {
      // The longest one is the answer: the others need not be asked.
      if (one.notAfter <= until) continue;
      if (this.counts(one, asOf, weight) && !this.isCut(keyId, one, index, asOf, weight))
        until = one.notAfter;
    }
    // Beyond `until` the answer stays what it then is.
    return until > Number.NEGATIVE_INFINITY && time <= until
      ? { standing: "believed", until }
      : forEver("distrusted");
  }

  private register(index: number, registration: Registration, signers: readonly string[]): void {
    const { key, recordId, replaces, issuer, trustDomain, idPrefixes, ids } = registration;
    // The same record again, in an envelope with one signature more, would undo what was revoked since.
    if (this.keysOfRecord.has(recordId)) return;
    // What no honest log would have admitted registers nothing.
    if (this.complaint(registration, signers, index) !== null) return;
    const dated = this.rulesAt(index) >= 2;
    if (dated && trustDomain !== null && idPrefixes.length > 0)
      this.domains.found(trustDomain, idPrefixes, index);
    const domain = this.domains.of(ids[0] ?? "");
    const placed = domain !== this.domains.origin && this.isOfOrigin(signers, issuer);
    if (placed && idPrefixes.length === 0 && registration.roles.includes("registrar"))
      this.domains.reset(domain, index);
    const depth = this.depthBelow(signers, issuer);
    this.entry(key).registrations.push({ ...registration, index, signers, domain, placed, depth });
    this.keysOfRecord.set(recordId, [key.keyId]);
    for (const id of ids) this.ids.add(id);
    const replaced = replaces === null ? undefined : this.keys.get(replaces);
    replaced?.cuts.push({ index, action: "replace", last: index, effective: null, issuer, signers, domain });
  }

  /** Why the rules of trust domains forbid a registration at `index`; null when they do not, or did not apply yet. */
  private complaint(registration: Registration, signers: readonly string[], index: number): Complaint | null {
    // The same record again changes nothing, and is no mistake.
    if (this.rulesAt(index) < 2 || this.keysOfRecord.has(registration.recordId)) return null;
    const { issuer, ids, roles, trustDomain, idPrefixes } = registration;
    const { domains } = this;
    const tooMany = this.tooMany(registration, signers);
    if (tooMany !== null) return { code: "RECORD_INVALID", ...tooMany };
    const isOfOrigin = this.isOfOrigin(signers, issuer);
    const another = (why: string, path = "ids"): Complaint => ({ code: "ID_OF_ANOTHER_DOMAIN", why, path });
    if (idPrefixes.length > 0) {
      if (!isOfOrigin)
        return another("a domain is founded by a registrar of entry 0 or by the log's key", "id_prefixes");
      const why = domains.complaint(trustDomain ?? "", idPrefixes, this.ids);
      if (why !== null)
        return { code: "DOMAIN_TAKEN", why: `the domain cannot be founded: ${why}`, path: "id_prefixes" };
      const beyond = ids.find((id) => !idPrefixes.some((prefix) => id.startsWith(prefix)));
      if (beyond !== undefined) return another(`the id ${beyond} is beneath none of the prefixes`);
      return roles.includes("registrar")
        ? this.revivalComplaint(registration, signers, trustDomain ?? "", index)
        : {
            code: "RECORD_INVALID",
            why: "who founds a domain is its first registrar: want the role registrar",
            path: "roles",
          };
    }
    const own = isOfOrigin ? (trustDomain ?? domains.origin) : domains.of(issuer);
    if (own !== domains.origin && domains.get(own) === undefined)
      return another(`no domain ${own} is founded in this log`, "trust_domain");
    if (trustDomain !== null && trustDomain !== own)
      return another(
        `a registrar of ${own} registers parties of ${own}, not of ${trustDomain}`,
        "trust_domain",
      );
    const foreign = ids.find((id) => domains.of(id) !== own);
    if (foreign !== undefined)
      return another(
        `the id ${foreign} belongs to ${domains.of(foreign)}, and the registrar speaks for ${own}`,
      );
    if (isOfOrigin && own !== domains.origin && roles.includes("registrar") && !this.mayReset(own, signers))
      return another(`${own} has registrars of its own: they register further ones`, "roles");
    return this.revivalComplaint(registration, signers, own, index);
  }

  /** More than anybody needs, and than a question about them may cost. */
  private tooMany(
    { key, issuer }: Registration,
    signers: readonly string[],
  ): { readonly why: string; readonly path: string } | null {
    if (this.depthBelow(signers, issuer) > MAX_REGISTRARS)
      return { why: `registrars stand at most ${MAX_REGISTRARS} below one another`, path: "issuer" };
    const { registrations = [] } = this.keys.get(key.keyId) ?? {};
    return registrations.length >= MAX_REGISTRATIONS
      ? {
          why: `the key has been registered ${MAX_REGISTRATIONS} times already: register another key`,
          path: "key_id",
        }
      : null;
  }

  /** How many registrars stand above what these register, the nearest way; 1 below entry 0. */
  private depthBelow(signers: readonly string[], issuer: string): number {
    const depths = signers.map((signer) =>
      this.speaksAsRoot(signer, issuer)
        ? 0
        : Math.min(
            ...(this.keys.get(signer)?.registrations ?? []).map((one) =>
              one.ids.includes(issuer) && one.roles.includes("registrar")
                ? one.depth
                : Number.POSITIVE_INFINITY,
            ),
          ),
    );
    const nearest = Math.min(...depths);
    // Whoever is no registrar makes nobody known anyway.
    return Number.isFinite(nearest) ? nearest + 1 : 1;
  }

  /** "A key id that was revoked is registered again only by whoever revoked it, or from above." */
  private revivalComplaint(
    { key }: Registration,
    signers: readonly string[],
    domain: string,
    index: number,
  ): Complaint | null {
    const asOf = index === Number.POSITIVE_INFINITY ? index : index + 1;
    const cut = this.keys
      .get(key.keyId)
      ?.cuts.find(
        (one) =>
          one.action === "revoke" &&
          one.index < asOf &&
          (one.domain === domain || one.domain === this.domains.origin) &&
          this.isValid(one, key.keyId, asOf) &&
          !signers.some(
            (signer) =>
              one.signers.includes(signer) || one.signers.every((by) => this.rank(signer) > this.rank(by)),
          ),
      );
    return cut === undefined
      ? null
      : {
          code: "KEY_DISTRUSTED",
          why: `the key was revoked by entry ${cut.index}: it is registered again by whoever revoked it, or from above`,
          path: "key_id",
        };
  }

  /** The log's key names a new registrar of a domain whose registrars are all lost. */
  private mayReset(domain: string, signers: readonly string[]): boolean {
    if (this.logKeyId === null || !signers.includes(this.logKeyId)) return false;
    const view = { index: Number.POSITIVE_INFINITY };
    return ![...this.keys.keys()].some((keyId) =>
      this.registrations(keyId, view).some((r) => r.domain === domain && r.roles.includes("registrar")),
    );
  }

  private cut(
    index: number,
    { recordId, target, action, effectiveIndex, issuer, signers }: KeyRevocation,
  ): void {
    if (this.revocations.has(recordId)) return;
    this.revocations.add(recordId);
    const last = Math.min(index, effectiveIndex ?? index);
    const domain = this.domains.of(issuer);
    for (const keyId of this.keysOfRecord.get(target) ?? []) {
      const cut: Cut = { index, action, last, effective: effectiveIndex, issuer, signers, domain };
      this.keys.get(keyId)?.cuts.push(cut);
      this.backdated ||=
        action === "revoke" &&
        last < index &&
        this.reachesAny(cut, keyId) &&
        this.isValid(cut, keyId, index + 1);
    }
  }

  /** Does a revocation count for what the key says on the word of this registration (null: of entry 0)? */
  private reaches(cut: Cut, registration: LoggedRegistration | null): boolean {
    const { origin } = this.domains;
    if (registration === null) return cut.domain === origin;
    if (cut.domain === registration.domain) return true;
    return (
      cut.domain === origin &&
      cut.action !== "replace" &&
      (registration.placed || registration.roles.includes("registrar")) &&
      cut.signers.some((signer) => this.isRoot(signer))
    );
  }

  private reachesAny(cut: Cut, keyId: string): boolean {
    const { registrations = [] } = this.keys.get(keyId) ?? {};
    return (
      (this.isRoot(keyId) && this.reaches(cut, null)) || registrations.some((one) => this.reaches(cut, one))
    );
  }

  /** Does it speak for the log's own domain: a registrar of entry 0, or the log's key? */
  private isOfOrigin(signers: readonly string[], issuer: string): boolean {
    return signers.some((signer) => this.speaksAsRoot(signer, issuer));
  }

  private speaksAsRoot(keyId: string, issuer: string): boolean {
    return this.isRoot(keyId) && this.domains.of(issuer) === this.domains.origin;
  }

  /** Was the registrar who made this registration believed when it did? */
  private counts({ index, issuer, signers }: LoggedRegistration, asOf: number, weight: Weight): boolean {
    return signers.some((signer) => this.isRegistrar(signer, issuer, index, asOf, weight));
  }

  private isRegistrar(keyId: string, issuer: string, index: number, asOf: number, weight: Weight): boolean {
    const name = [keyId, index, asOf, weight, issuer].join(" ");
    const known = this.judged.get(name);
    if (known !== undefined) return known;
    const { standing } = this.judge(keyId, issuer, REGISTRAR, index, asOf, Number.NEGATIVE_INFINITY, weight);
    if (this.judged.size >= MAX_JUDGED) this.judged.clear();
    this.judged.set(name, standing === "believed");
    return standing === "believed";
  }

  /** Is what the key says at `index`, on the word of a registration (null: of entry 0), no longer believed? */
  private isCut(
    keyId: string,
    registration: LoggedRegistration | null,
    index: number,
    asOf: number,
    weight: Weight,
  ): boolean {
    let suspended = false;
    for (const cut of this.keys.get(keyId)?.cuts ?? []) {
      if (cut.index >= asOf || cut.index <= (registration?.index ?? -1)) continue;
      if (!this.reaches(cut, registration)) continue;
      // A cut is judged by what stood before it, and by what those above its signer said later: never in a circle.
      const later = cut.index >= index;
      if (
        weight === "of-a-cut" &&
        later &&
        !cut.signers.some((signer) => this.rank(signer) > this.rank(keyId))
      )
        continue;
      if (!this.isValid(cut, keyId, asOf)) continue;
      const { action } = cut;
      if (action === "suspend" || action === "resume") {
        if (!later) suspended = action === "suspend";
      } else if (index > cut.last) return true;
    }
    return suspended;
  }

  private isValid(cut: Cut, keyId: string, asOf: number): boolean {
    const known = this.validity.get(cut);
    if (known?.asOf === asOf) return known.valid;
    const valid = cut.signers.some((signer) => {
      // A key may hand over to another, and may not clear or condemn itself.
      if (signer === keyId)
        return cut.action === "replace" && this.isRegistrar(signer, cut.issuer, cut.index, asOf, "of-a-cut");
      if (
        this.rank(keyId) === RANKS.log ||
        (this.rank(keyId) === RANKS.root && this.rank(signer) < RANKS.root)
      )
        return false;
      return this.isRegistrar(signer, cut.issuer, cut.index, asOf, "of-a-cut");
    });
    this.validity.set(cut, { asOf, valid });
    return valid;
  }

  private rank(keyId: string): number {
    if (keyId === this.logKeyId) return RANKS.log;
    return this.rootIds.has(keyId) ? RANKS.root : RANKS.other;
  }

  private isRoot(keyId: string): boolean {
    return this.rootIds.has(keyId) || keyId === this.logKeyId;
  }

  private entry(key: PublicKey): { key: PublicKey; registrations: LoggedRegistration[]; cuts: Cut[] } {
    const found = this.keys.get(key.keyId) ?? { key, registrations: [], cuts: [] };
    this.keys.set(key.keyId, found);
    return found;
  }
}
