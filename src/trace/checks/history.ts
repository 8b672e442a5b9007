/** One request granted per idempotency key, one record per issuer chain position; chains without gaps. */
import { type Case, partsOf } from "../case.js";
import { type Context, takenBack, time } from "../context.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords } from "../graph.js";
import { fails, type Problem } from "../verdict.js";

export function equivocations(one: Case): Problem[] {
  const { action, context } = one;
  const { graph } = context;
  const { request } = action;
  const problems: Problem[] = [];
  const key = request?.record.value["idempotency_key"];
  if (request !== undefined && key !== undefined) {
    const twins = distinctRecords(graph.all("action-request")).filter(
      ({ record }) => record.issuer === request.record.issuer && record.value["idempotency_key"] === key,
    );
    // A rebuilt request is an honest retry, as long as only one of them is granted, or the first came to nothing before.
    const grants = twins.flatMap(({ id }) => graph.naming(id, "request_hash", "capability-grant"));
    const last = grants.reduce(
      (a: RecordEntry | undefined, b) => (a !== undefined && a.index > b.index ? a : b),
      undefined,
    );
    const open = new Set(
      grants
        .filter((grant) => last === undefined || mayBeUsed(grant, last, context))
        .map(({ record }) => record.value["request_hash"]),
    );
    const granted = twins.filter(({ id }) => open.has(id));
    if (granted.length > 1)
      problems.push(
        fails(
          "EQUIVOCATION",
          granted,
          `${granted.length} different requests of ${request.record.issuer} under one idempotency key were granted`,
        ),
      );
  }
  for (const member of distinctRecords(partsOf(one))) {
    const { previousTraceHash: previous, issuer, traceId } = member.record;
    if (previous === null) continue;
    const forks = distinctRecords(graph.naming(previous, "previous_trace_hash")).filter(
      ({ record }) => record.issuer === issuer && record.traceId === traceId,
    );
    if (forks.length > 1)
      problems.push(
        fails("EQUIVOCATION", forks, `${forks.length} records of ${issuer} follow one record of its chain`),
      );
    problems.push(...gap(member, previous, graph.record(previous)));
  }
  return problems;
}

/** Was a grant used, or could it still be when the last one was given? */
function mayBeUsed(grant: RecordEntry, last: RecordEntry, context: Context): boolean {
  const given = last.receivedAt ?? time(last, "issued_at") ?? Number.NEGATIVE_INFINITY;
  const isOver =
    given > (time(grant, "expiry") ?? Number.POSITIVE_INFINITY) ||
    takenBack(grant, last.index, context) !== undefined;
  return !isOver || context.graph.naming(grant.id, "capability_hash").length > 0;
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
