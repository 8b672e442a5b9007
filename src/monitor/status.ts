/** Does the log say of a record what its entries say? Records whose state new entries changed are asked about, and a few others. */
import { isRefusal } from "../client/transport.js";
import { fromHex, toHex } from "../format/bytes.js";
import { statusOf } from "../log/state/status.js";
import { optionalString } from "../record/record.js";
import { isRecordEntry, type TraceEntry } from "../trace/entry.js";
import { isUnreachable, type MonitorParts } from "./parts.js";

export interface Unjustified {
  /** The record's id. */
  readonly name: string;
  readonly detail: string;
}

type StatusParts = Pick<MonitorParts, "mirror" | "reader" | "now">;

/** The clock decides between these two, and there are two clocks. */
const BY_TIME: readonly string[] = ["active", "expired"];
/** Records of each kind that are asked about again in a pass. */
const SAMPLE = 4;

/** What the log says of records that these entries are about, and the entries below `size` do not. */
export async function unjustified(
  parts: StatusParts,
  entries: readonly TraceEntry[],
  size: number,
): Promise<Unjustified[]> {
  return ask(parts, new Set(entries.flatMap(subjects)), size);
}

/** The same for a few of the records that were asked about before, others each time. */
export async function sampled(parts: StatusParts, size: number): Promise<Unjustified[]> {
  const ids = new Set<string>();
  for (const table of ["grant", "state"] as const) {
    // Keys are hashes: any first byte is as good as another.
    const first = Uint8Array.of(Math.floor(Math.random() * 256));
    const near = await parts.mirror.store.rows(table, first, { limit: SAMPLE });
    const rows =
      near.length > 0 ? near : await parts.mirror.store.rows(table, new Uint8Array(0), { limit: SAMPLE });
    for (const { key } of rows) ids.add(`sha256:${toHex(key.subarray(0, 32))}`);
  }
  return ask(parts, ids, size);
}

async function ask(
  { mirror, reader, now }: StatusParts,
  ids: Iterable<string>,
  size: number,
): Promise<Unjustified[]> {
  const found: Unjustified[] = [];
  const { keys } = mirror;
  // Without the log's policy there are no rules by which a record would have a state.
  if (keys === null) return found;
  for (const id of ids) {
    const hash = fromHex(id.slice("sha256:".length));
    if (hash?.length !== 32) continue;
    const { state, decidedBy } = await statusOf(mirror.store, keys, hash, size, now());
    if (state === "unknown") continue;
    const told = await toldOf(reader, id, size);
    if (told === null || told === state || (BY_TIME.includes(told) && BY_TIME.includes(state))) continue;
    const why =
      decidedBy.length === 0 ? "nothing in them says otherwise" : `entries ${decidedBy.join(", ")} decide`;
    found.push({
      name: id,
      detail: `the log calls ${id} ${told}; by its entries below ${size} it is ${state} (${why})`,
    });
  }
  return found;
}

/** The word of the log; null when there was none to be had: that it is silent is said elsewhere. */
async function toldOf(reader: StatusParts["reader"], id: string, size: number): Promise<string | null> {
  try {
    return await reader.status(id, size);
  } catch (error) {
    if (isRefusal(error)) return error.facts.refusal === "ENTRY_NOT_FOUND" ? "not there" : null;
    if (isUnreachable(error)) return null;
    throw error;
  }
}

/** The records whose state an entry may change, or begin. */
function subjects(entry: TraceEntry): string[] {
  if (!isRecordEntry(entry)) return [];
  const { type, value } = entry.record;
  if (type === "revocation") return [optionalString(value, "target") ?? []].flat();
  if (type === "consumption") return [optionalString(value, "capability_hash") ?? []].flat();
  return type === "capability-grant" ? [entry.id] : [];
}
