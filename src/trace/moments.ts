/** When something was done, what vouches for that, and what hangs on nobody's word but the executor's own. */
import { iso, time } from "./context.js";
import { outcomeOf, type Use } from "./use.js";

/** What is judged by when: the moments and what vouches for them. */
export type Moment = Pick<Use, "time" | "claimed" | "receivedAt">;

/** A claimed time this much before the log took the record in may have been chosen to fit. */
export const BACKDATED_MS = 3_600_000;

/** When it was used, by the log's clock where it was consumed; and when each receipt says that something was done. */
export function momentsOf(use: Use): number[] {
  // Where the log says when it was begun, that it failed may have been found out later.
  const done = use.claimed ? use.acts : use.acts.filter((receipt) => outcomeOf(receipt) !== "failed");
  const claims = done.flatMap((receipt) => time(receipt, "executed_at") ?? []);
  return [...(use.time === undefined ? [] : [use.time]), ...claims];
}

/**
 * Would a limit not have been kept if the receipt were as old as the log's clock says, and is what it claims more than an hour
 * older? What nothing vouches for is as bad as the worst it could be.
 */
export function hangsOnClaim(use: Moment, isBeyond: (moment: number) => boolean): boolean {
  if (!use.claimed || use.time === undefined) return false;
  if (use.receivedAt === null) return true;
  return use.receivedAt - use.time > BACKDATED_MS && isBeyond(use.receivedAt);
}

export function claimOf({ time: claimed, receivedAt }: Moment): string {
  const logged = receivedAt === null ? "nobody knows when" : `at ${iso(receivedAt)}`;
  return `the executor's own date (${claimed === undefined ? "none" : iso(claimed)}; logged ${logged})`;
}
