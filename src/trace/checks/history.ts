/** One set of bytes per idempotency key and per issuer chain position; chains without gaps. */
import type { Case, Context } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords, membersOf } from "../graph.js";
import { fails, type Problem } from "../verdict.js";

export function equivocations({ action }: Case, { graph }: Context): Problem[] {
  const { request } = action;
  const key = request?.record.value["idempotency_key"];
  const twins =
    request === undefined || key === undefined
      ? []
      : distinctRecords(
          graph
            .all("action-request")
            .filter(
              ({ record }) =>
                record.issuer === request.record.issuer && record.value["idempotency_key"] === key,
            ),
        );
  const problems =
    twins.length > 1
      ? [
          fails(
            "EQUIVOCATION",
            twins,
            `${twins.length} different requests by one issuer have one idempotency key`,
          ),
        ]
      : [];
  for (const member of distinctRecords(membersOf(action))) {
    const { previousTraceHash: previous, issuer, traceId } = member.record;
    if (previous === null) continue;
    const forks = distinctRecords(graph.naming(previous, "previous_trace_hash")).filter(
      ({ record }) => record.issuer === issuer && record.traceId === traceId,
    );
    if (forks.length > 1)
      problems.push(
        fails("EQUIVOCATION", forks, `${forks.length} records follow one record of the issuer's chain`),
      );
    problems.push(...gap(member, previous, graph.record(previous)));
  }
  return problems;
}

function gap(entry: RecordEntry, previousId: string, previous: RecordEntry | undefined): Problem[] {
  const wrong = (why: string): Problem[] => [
    fails(
      "CHAIN_GAP",
      previous === undefined ? [entry] : [entry, previous],
      `previous_trace_hash names ${why}`,
    ),
  ];
  if (previous === undefined) return wrong(`${previousId}, which is not there`);
  if (previous.index >= entry.index) return wrong("a later record");
  if (previous.record.issuer !== entry.record.issuer) return wrong("another issuer's record");
  return previous.record.traceId === entry.record.traceId ? [] : wrong("a record of another trace");
}
