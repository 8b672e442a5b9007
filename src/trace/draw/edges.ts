/** The lines of a picture: from each record to every other in it that it names, by record id, by a value, or by its signature. */
import { idLinksOf, objects, valueLinksOf } from "../../record/links.js";
import { fromJwk } from "../../statement/key.js";
import { isRecordEntry, type RecordEntry, signersOf, type TraceEntry } from "../entry.js";
import { type Graph, textMember } from "../graph.js";

/** Indexes of entries; `name`: the member that names it. */
export interface Edge {
  readonly from: number;
  readonly name: string;
  readonly to: number;
}

export function edgesOf(graph: Graph, entries: readonly TraceEntry[]): Edge[] {
  const records = entries.filter(isRecordEntry);
  const keys = definitions(records);
  const registrars = registrarsOf(records);
  const edges = new Map<string, Edge>();
  const add = (from: number, name: string, to: number | undefined): void => {
    if (to !== undefined && to !== from) edges.set(`${from} ${name} ${to}`, { from, name, to });
  };
  for (const entry of records) {
    for (const { member, value } of idLinksOf(entry.record))
      add(entry.index, member, graph.record(value)?.index);
    for (const { kind, member, value } of valueLinksOf(entry.record))
      if (kind !== "id") for (const to of defined(graph, kind, value, entry)) add(entry.index, member, to);
    // The registration that was there when it signed: the last before it; a registrar's may be entry 0 itself.
    for (const signer of signersOf(entry)) {
      const registered = keys.get(signer)?.findLast((index) => index < entry.index);
      add(entry.index, "signed by", registered ?? registrars.get(signer));
    }
  }
  return [...edges.values()];
}

/** The entries that define a value: of evidence the facts, else what wrote it; of a policy or an action type the last before it. */
function defined(graph: Graph, kind: string, value: string, entry: RecordEntry): number[] {
  if (kind === "evidence") {
    const writers = graph.writers(value);
    const facts = writers.filter(({ record }) => record.type === "fact");
    return (facts.length > 0 ? facts : writers).map(({ index }) => index);
  }
  const member = { policy: "policy_digest", "action-type": "action_type", mission: "mission_id" }[kind] ?? "";
  const named = graph.all(kind).filter(({ record }) => record.value[member] === value);
  const last = named.findLast(({ index }) => index < entry.index) ?? named[0];
  return last === undefined ? [] : [last.index];
}

/** Key id → the policy of the log that names it as a registrar. */
function registrarsOf(records: readonly RecordEntry[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { record, index } of records)
    for (const jwk of record.type === "log-policy" ? objects(record.value["registrars"]) : []) {
      const key = fromJwk(jwk);
      if (key !== undefined && !found.has(key.keyId)) found.set(key.keyId, index);
    }
  return found;
}

/** Key id → the entries that register it. */
function definitions(records: readonly RecordEntry[]): ReadonlyMap<string, number[]> {
  const keys = new Map<string, number[]>();
  for (const { record, index } of records) {
    const id = record.type === "key" ? textMember(record.value, "key_id") : undefined;
    if (id !== undefined) keys.set(id, [...(keys.get(id) ?? []), index]);
  }
  return keys;
}
