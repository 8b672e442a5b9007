/** What `GET /v1/log` says of the witnesses: who they are, how far each is, and what they complain of. */
import { formatVerifierKey } from "../src/format/vkey.js";
import type { Log } from "../src/log/log.js";
import type { Published } from "../src/log/tree/publish.js";

/** One object a line of the policy. Times are RFC 3339. */
export function witnessAnswers(log: Log): object[] {
  return (log.witnessing?.standings ?? []).map(({ witness, size, cosignedAt, failures, trouble, alarm }) => ({
    name: witness.key.name,
    verifier_key: formatVerifierKey(witness.key),
    url: witness.url,
    // What is not shown yet is not told by this way either.
    size: Math.min(size, log.published.size),
    cosigned_at: timeText(cosignedAt),
    failures,
    trouble,
    // It could not verify that we extend what it holds: never swallowed, and kept when the log is started again.
    fork_alarms: alarm?.count ?? 0,
    fork_alarm:
      alarm === null
        ? null
        : { first_at: timeText(alarm.firstAt), last_at: timeText(alarm.lastAt), why: alarm.why },
  }));
}

/** The newest checkpoint that meets the quorum; it may be older than the newest there is. */
export function witnessedAnswer(witnessed: Published | null): object | null {
  if (witnessed === null) return null;
  const { size, text, cosignedBy } = witnessed;
  return { size, log_checkpoint: text, cosigned_by: cosignedBy };
}

function timeText(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
