/** Keys that must be apart, and boundaries whose numbers must agree. */
import { type Case, type Context } from "../context.js";
import { covers } from "../closure.js";
import { type RecordEntry, signersOf } from "../entry.js";
import { distinctRecords } from "../graph.js";
import { fails, type Problem } from "../verdict.js";

/** "one key does not play two roles that must be apart (agent/policy engine/authority/approver)" */
export function rolesApart({ action }: Case): Problem[] {
  const roles: (readonly [string, readonly RecordEntry[]])[] = [
    ["agent", action.request === undefined ? [] : [action.request]],
    ["policy engine", action.decisions],
    ["authority", action.grants],
    ["approver", action.approvals],
  ];
  return roles.flatMap(([role, entries], i) =>
    roles.slice(i + 1).flatMap(([other, others]) => {
      const both = entries.flatMap((a) => others.flatMap((b) => (shareSigner(a, b) ? [a, b] : [])));
      return both.length === 0
        ? []
        : [fails("ROLE_COLLAPSE", [...new Set(both)], `one key is ${role} and ${other}`)];
    }),
  );
}

function shareSigner(a: RecordEntry, b: RecordEntry): boolean {
  const signers = signersOf(a);
  return signersOf(b).some((signer) => signers.includes(signer));
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

export function sealsOf({ action }: Case, { graph }: Context): RecordEntry[] {
  return graph.all("boundary-seal").filter((seal) =>
    action.receipts.some(({ record }) => {
      const { boundary_id: boundary, seq } = record.value;
      return (
        typeof boundary === "string" && typeof seq === "number" && covers(seal.record.value, boundary, seq)
      );
    }),
  );
}
