/**
 * Who is known to the log, and who is believed: every key, the roles it may play and the ids it may speak for, derived
 * from entry 0 and from the `key` records and their revocations in log order. Admission and the trace ask the same
 * question here: is this key believed at that index?
 *
 * Three ranks. The log's own key registers and takes back whom it likes: it is what everything under this name rests on
 * anyway. The registrars of entry 0 are taken back by it, or by one another. Every other key is taken back by any
 * registrar but itself. What a key said after the last index it is believed for counts for nothing, its registrations and
 * revocations of others included: so the log survives a registrar's compromise.
 */
import type { Registration } from "../record/key-record.js";
import type { RevocationAction } from "../record/revocation.js";
import type { PublicKey } from "../statement/key.js";

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
  | { readonly kind: "revoke"; readonly revocation: KeyRevocation };

export interface KeyRoots {
  /** The registrars that entry 0 names. */
  readonly registrars: readonly PublicKey[];
  /** The log's own key; null where it is not known. */
  readonly logKey: PublicKey | null;
  /** The record id of entry 0: a revocation of it takes back the registrars it names. */
  readonly policyId: string;
}

export interface LoggedRegistration extends Registration {
  readonly index: number;
  readonly signers: readonly string[];
}

interface Cut {
  readonly index: number;
  readonly action: RevocationAction | "replace";
  /** The last index that is believed. */
  readonly last: number;
  readonly issuer: string;
  readonly signers: readonly string[];
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
  /** Until when a key stands for anything, in milliseconds since 1970. */
  private readonly standsUntil = new Map<string, number>();
  /** Whether a cut counts, as of the size asked about last. */
  private readonly validity = new Map<Cut, { readonly asOf: number; readonly valid: boolean }>();
  private readonly revocations = new Set<string>();
  private applied = 0;
  private backdated = false;

  constructor({ registrars, logKey, policyId }: KeyRoots) {
    this.rootIds = new Set(registrars.map(({ keyId }) => keyId));
    this.logKeyId = logKey?.keyId ?? null;
    for (const key of logKey === null ? registrars : [...registrars, logKey]) this.entry(key);
    this.keysOfRecord.set(policyId, [...this.rootIds]);
  }

  /** Takes in what the entry at `index` changes. Call in log order. */
  apply(index: number, event: KeyEvent): void {
    this.applied++;
    this.memo.clear();
    this.standsUntil.clear();
    this.validity.clear();
    if (event.kind === "register") this.register(index, event.registration, event.signers);
    else this.cut(index, event.revocation);
  }

  /** Has a key ever been taken back from an entry before the revocation on? Nearly never, and then nobody has to ask. */
  get hasBackdated(): boolean {
    return this.backdated;
  }

  /** Did the entry at `index` take a key back, suspend or resume one, as somebody who may? */
  hasCutAt(index: number): boolean {
    return [...this.keys].some(([keyId, { cuts }]) =>
      cuts.some((cut) => cut.index === index && this.isValid(cut, keyId, index + 1)),
    );
  }

  /**
   * The keys whose word counts for nothing since the entry at `index`, with the last entry that each is believed for: those
   * that it took back from an earlier entry on, and those that they registered since.
   */
  takenBackAt(index: number): { readonly keyId: string; readonly last: number }[] {
    const taken = new Map<string, number>();
    for (const [keyId, { cuts }] of this.keys)
      for (const cut of cuts)
        if (
          cut.index === index &&
          cut.action === "revoke" &&
          cut.last < index &&
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
      const isRoot = this.isRoot(keyId) && !this.isCut(keyId, -1, view.index, view.index, "of-a-statement");
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
        !this.isCut(keyId, r.index, index, asOf, "of-a-statement"),
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
    if (roles.includes("registrar") && this.isRoot(keyId)) {
      if (!this.isCut(keyId, -1, index, asOf, weight)) return forEver("believed");
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
      return forEver(this.isRoot(keyId) && roles.includes("registrar") ? "distrusted" : "role-missing");
    const good = fitting.filter(
      (r) => this.counts(r, asOf, weight) && !this.isCut(keyId, r.index, index, asOf, weight),
    );
    const until = Math.max(...good.map((r) => r.notAfter));
    // Beyond `until` the answer stays what it then is.
    return good.length > 0 && time <= until ? { standing: "believed", until } : forEver("distrusted");
  }

  private register(index: number, registration: Registration, signers: readonly string[]): void {
    const { key, recordId, replaces, issuer } = registration;
    // The same record again, in an envelope with one signature more, would undo what was revoked since.
    if (this.keysOfRecord.has(recordId)) return;
    this.entry(key).registrations.push({ ...registration, index, signers });
    this.keysOfRecord.set(recordId, [key.keyId]);
    const replaced = replaces === null ? undefined : this.keys.get(replaces);
    replaced?.cuts.push({ index, action: "replace", last: index, issuer, signers });
  }

  private cut(
    index: number,
    { recordId, target, action, effectiveIndex, issuer, signers }: KeyRevocation,
  ): void {
    if (this.revocations.has(recordId)) return;
    this.revocations.add(recordId);
    const last = Math.min(index, effectiveIndex ?? index);
    for (const keyId of this.keysOfRecord.get(target) ?? []) {
      const cut: Cut = { index, action, last, issuer, signers };
      this.keys.get(keyId)?.cuts.push(cut);
      this.backdated ||= action === "revoke" && last < index && this.isValid(cut, keyId, index + 1);
    }
  }

  /** Was the registrar who made this registration believed when it did? */
  private counts({ index, issuer, signers }: LoggedRegistration, asOf: number, weight: Weight): boolean {
    return signers.some((signer) => this.isRegistrar(signer, issuer, index, asOf, weight));
  }

  private isRegistrar(keyId: string, issuer: string, index: number, asOf: number, weight: Weight): boolean {
    return (
      this.judge(keyId, issuer, REGISTRAR, index, asOf, Number.NEGATIVE_INFINITY, weight).standing ===
      "believed"
    );
  }

  /** Is what the key says at `index`, on the word of its registration at `from`, no longer believed? */
  private isCut(keyId: string, from: number, index: number, asOf: number, weight: Weight): boolean {
    let suspended = false;
    for (const cut of this.keys.get(keyId)?.cuts ?? []) {
      if (cut.index >= asOf || cut.index <= from) continue;
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
