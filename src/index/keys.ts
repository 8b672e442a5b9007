/**
 * Who is known to the log: every key, the roles it may play and the ids it may speak for, derived from entry 0 and the
 * `key` records in log order. Admission and, later, the trace ask the same question here.
 */
import type { Registration } from "../record/key-record.js";
import type { PublicKey } from "../statement/key.js";

export interface KnownKey {
  readonly key: PublicKey;
  /** Named by the log's own policy: a registrar from the start. */
  readonly root: boolean;
  /** In log order; each adds what it says to what was said before. */
  readonly registrations: readonly (Registration & { readonly index: number })[];
}

export class KeyTable {
  private readonly keys = new Map<string, KnownKey>();

  constructor(roots: readonly PublicKey[]) {
    for (const key of roots) this.keys.set(key.keyId, { key, root: true, registrations: [] });
  }

  /** Adds what the `key` record at `index` says. Call in log order. */
  register(index: number, registration: Registration): void {
    const { key } = registration;
    const known = this.keys.get(key.keyId) ?? { key, root: false, registrations: [] };
    this.keys.set(key.keyId, {
      ...known,
      registrations: [...known.registrations, { ...registration, index }],
    });
  }

  /** The key, if anything at all before `index` made it known. */
  known(keyId: string, index: number): KnownKey | undefined {
    const known = this.keys.get(keyId);
    return known?.root || known?.registrations.some((r) => r.index < index) ? known : undefined;
  }

  /**
   * May this key sign as `issuer` in one of `roles`, believed at `index`? A registrar that the policy itself names may
   * use any id: it could register itself for any.
   */
  believed(keyId: string, issuer: string, roles: readonly string[], index: number): boolean {
    const known = this.known(keyId, index);
    if (known === undefined) return false;
    if (known.root && roles.includes("registrar")) return true;
    return known.registrations.some(
      (r) => r.index < index && r.ids.includes(issuer) && r.roles.some((role) => roles.includes(role)),
    );
  }
}
