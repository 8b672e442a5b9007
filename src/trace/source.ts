/** An index in memory, over entries that somebody holds: those of a bundle, or a whole log read from its tiles. */
import { toHex } from "../format/bytes.js";
import { termName, termsOf } from "../index/terms.js";
import type { Answer, Round, Want } from "./closure.js";
import { isRecordEntry, type TraceEntry } from "./entry.js";

export class MemorySource {
  private readonly entries = new Map<number, TraceEntry>();
  private readonly byId = new Map<string, number[]>();
  private readonly byTerm = new Map<string, number[]>();

  /** Adds an entry. Call in log order. */
  add(entry: TraceEntry): void {
    this.entries.set(entry.index, entry);
    if (entry.id !== null) push(this.byId, entry.id, entry.index);
    if (entry.statement === null) return;
    for (const term of termsOf(entry.statement, isRecordEntry(entry) ? entry.record : null))
      push(this.byTerm, toHex(termName(term)), entry.index);
  }

  answer(round: Round): Answer {
    if ("read" in round) return round.read.flatMap((index) => this.entries.get(index) ?? []);
    return round.wants.map((want) => this.find(want).slice(0, round.limit));
  }

  /** The entries that a want means, ascending. */
  find(want: Want): readonly number[] {
    if ("id" in want) return this.byId.get(want.id) ?? [];
    return this.byTerm.get(toHex(termName(want.term))) ?? [];
  }

  entry(index: number): TraceEntry | undefined {
    return this.entries.get(index);
  }
}

function push(lists: Map<string, number[]>, name: string, index: number): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [index]);
  else list.push(index);
}
