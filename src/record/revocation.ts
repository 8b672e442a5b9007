/** Who may take back what: a revocation by anybody else is logged, has no effect, and is shown as such. */
import type { Record } from "./record.js";

export type RevocationAction = "revoke" | "suspend" | "resume";

export function revocationAction({ value }: Record): RevocationAction {
  const { action } = value;
  return action === "suspend" || action === "resume" ? action : "revoke";
}

/** Does it take everything below its target with it? A suspension does not: those below are held against it when asked about. */
export function cascades(revocation: Record): boolean {
  return revocationAction(revocation) === "revoke" && revocation.value["cascade"] === true;
}

/** What the signing key was believed to be when the revocation was logged. */
export interface Speaks {
  /** A registrar whose word counts for records of the target's issuer. */
  readonly isRegistrar: boolean;
  readonly isOwner: boolean;
  readonly isPrincipal: boolean;
}

/**
 * May this revocation take `target` back? Its own issuer may (the authority that granted, the owner of a policy, action
 * type, mission or exception, the writer of a fact, the engine that decided, the principal who delegated), and so may the
 * delegator of the request that a record is for, as an owner or principal, and a registrar of its issuer's domain. A `key`
 * record is taken back by a registrar alone; whether by the right one, the key table says.
 */
export function mayRevoke(
  revocation: Record,
  target: Record,
  request: Record | null,
  { isRegistrar, isOwner, isPrincipal }: Speaks,
): boolean {
  if (isRegistrar) return true;
  if (target.type === "key" || target.type === "log-policy") return false;
  if (revocation.issuer === target.issuer) return true;
  const asked = target.type === "action-request" ? target : request;
  return (isOwner || isPrincipal) && asked !== null && asked.value["delegator_id"] === revocation.issuer;
}
