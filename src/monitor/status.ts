/** Does the log say of a record what its entries say? Every record whose state new entries changed is asked about. */
import { fromHex } from "../format/bytes.js";
import type { VerifierKey } from "../format/vkey.js";
import { statusOf } from "../log/status.js";
import { optionalString } from "../record/record.js";
import { isRecordEntry, type TraceEntry } from "../trace/entry.js";
import type { LogReader } from "./log-reader.js";
import type { Mirror } from "./mirror.js";

export interface StatusParts {
  readonly key: VerifierKey;
  readonly mirror: Mirror;
  readonly reader: LogReader;
  readonly now: () => number;
}

/** The clock decides between these two, and there are two clocks. */
const BY_TIME: readonly string[] = ["active", "expired"];

/** What the log says of records that these entries are about, and the entries below `size` do not. */
export async function unjustified(
  { mirror, reader, now }: StatusParts,
  entries: readonly TraceEntry[],
  size: number,
): Promise<{ readonly name: string; readonly detail: string }[]> {
  const found = [];
  for (const id of new Set(entries.flatMap(subjects))) {
    const hash = fromHex(id.slice("sha256:".length));
    if (hash?.length !== 32) continue;
    const told = await reader.status(id, size);
    if (told === null) continue;
    const { state, decidedBy } = await statusOf(mirror.store, hash, size, now());
    if (told.state === state || (BY_TIME.includes(told.state) && BY_TIME.includes(state))) continue;
    const why =
      decidedBy.length === 0 ? "nothing in them says otherwise" : `entries ${decidedBy.join(", ")} decide`;
    found.push({
      name: id,
      detail: `the log calls ${id} ${told.state}; by its entries below ${size} it is ${state} (${why})`,
    });
  }
  return found;
}

/** The records whose state an entry may change, or begin. */
function subjects(entry: TraceEntry): string[] {
  if (!isRecordEntry(entry)) return [];
  const { type, value } = entry.record;
  if (type === "revocation") return [optionalString(value, "target") ?? []].flat();
  if (type === "consumption") return [optionalString(value, "capability_hash") ?? []].flat();
  return type === "capability-grant" ? [entry.id] : [];
}
