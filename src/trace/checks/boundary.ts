/** Keys that must be apart, and boundaries whose numbers must agree. */
import { type Case, type Context, speaksAs } from "../context.js";
import { covers } from "../closure.js";
import type { RecordEntry } from "../entry.js";
import { distinctRecords, type Graph } from "../graph.js";
import { fails, type Problem } from "../verdict.js";

/** "one key does not play two roles that must be apart (agent/policy engine/authority/approver)" */
export function rolesApart({ action }: Case, { graph }: Context): Problem[] {
  const roles: (readonly [string, readonly RecordEntry[]])[] = [
    ["agent", action.request === undefined ? [] : [action.request]],
    ["policy engine", action.decisions],
    ["authority", action.grants],
    ["approver", action.approvals],
  ];
  return roles.flatMap(([role, entries], i) =>
    roles.slice(i + 1).flatMap(([other, others]) => {
      const both = entries.flatMap((a) => others.flatMap((b) => (shareSpeaker(a, b, graph) ? [a, b] : [])));
      return both.length === 0
        ? []
        : [fails("ROLE_COLLAPSE", [...new Set(both)], `one key is ${role} and ${other}`)];
    }),
  );
}

function shareSpeaker(a: RecordEntry, b: RecordEntry, graph: Graph): boolean {
  const speakers = graph.speakersOf(a);
  return graph.speakersOf(b).some((speaker) => speakers.includes(speaker));
}

/** "boundary seals agree with the sequence numbers logged" */
export function boundarySealed(one: Case, context: Context): Problem[] {
  const seals = sealsOf(one, context);
  return distinctRecords(seals).flatMap((seal) => {
    const { boundary_id: boundary, first_seq: first, last_seq: last, count } = seal.record.value;
    if (typeof boundary !== "string" || typeof first !== "number" || typeof last !== "number") return [];
    const receipts = distinctRecords(context.graph.all("execution-receipt")).filter(({ record }) => {
      const { boundary_id: own, seq } = record.value;
      return own === boundary && typeof seq === "number" && seq >= first && seq <= last;
    });
    const problems: Problem[] = [];
    if (receipts.length !== count)
      problems.push(
        fails(
          "OMISSION",
          [seal, ...receipts],
          `the boundary counted ${typeof count === "number" ? count : "?"} receipts, ${receipts.length} are logged`,
        ),
      );
    const numbers = receipts.map(({ record }) => Number(record.value["seq"]));
    const distinct = new Set(numbers);
    if (distinct.size !== numbers.length)
      problems.push(fails("SEQ_GAP", [seal, ...receipts], "a sequence number is there twice"));
    else if (distinct.size < last - first + 1)
      problems.push(
        fails(
          "SEQ_GAP",
          [seal, ...receipts],
          `of ${first} to ${last}, ${last - first + 1 - distinct.size} are missing`,
        ),
      );
    return problems;
  });
}

/** The seals of its receipts' boundaries: by the executor that the receipts are from, or by a gateway. */
export function sealsOf({ action }: Case, context: Context): RecordEntry[] {
  return context.graph.all("boundary-seal").filter((seal) =>
    action.receipts.some(({ record: { issuer, value } }) => {
      const { boundary_id: boundary, seq } = value;
      if (
        typeof boundary !== "string" ||
        typeof seq !== "number" ||
        !covers(seal.record.value, boundary, seq)
      )
        return false;
      return maySeal(seal, issuer, context);
    }),
  );
}

function maySeal(seal: RecordEntry, executor: string, context: Context): boolean {
  return speaksAs(seal, seal.record.issuer === executor ? ["executor", "gateway"] : ["gateway"], context);
}
