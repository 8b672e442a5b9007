/** What a walk asks of an index, and how it is answered: from a store, from tiles, or from the entries of a bundle. */
import type { Term } from "../../index/terms.js";
import type { TraceEntry } from "../entry.js";

/** What a walk asks for: entries, by what they carry or have. */
export type Want =
  /** The entries that carry a record; `first`: so many of them. */
  | { readonly id: string; readonly first?: number }
  /** Those that have a term; `domain`: among the records of this trust domain. */
  | { readonly term: Term; readonly domain?: string; readonly after?: number; readonly first?: number }
  /** The receipts of a boundary with sequence numbers from `first` to `last`. */
  | { readonly boundary: string; readonly from: number; readonly to: number; readonly domain?: string }
  /** Those that have a term and are of no domain of these: the strangers'. */
  | { readonly term: Term; readonly except: readonly string[]; readonly first: number };

/** A round of a walk: answered with ascending indexes for each want, at most `limit`; or with the entries asked for. */
export type Round =
  | { readonly wants: readonly Want[]; readonly limit: number }
  | { readonly read: readonly number[] };
export type Answer = readonly (readonly number[])[] | readonly TraceEntry[];

/** One question, by name: the same is never asked twice. */
export function nameOf(want: Want): string {
  if ("id" in want) return want.id;
  if ("boundary" in want) return JSON.stringify(["seq", want.boundary, want.from, want.to, want.domain]);
  const { field, value, member } = want.term;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const where =
    "except" in want
      ? JSON.stringify(want.except)
      : `${want.domain?.length ?? ""}:${want.domain ?? ""} ${want.after ?? ""} ${want.first ?? ""}`;
  // With its length, no text can be taken for two.
  return `${field} ${member ?? ""} ${want.term.seq ?? ""} ${text.length}:${text} ${where}`;
}

/** Walks with a source that answers at once. */
export function walkSync<T>(walk: Generator<Round, T, Answer>, answer: (round: Round) => Answer): T {
  let step = walk.next();
  while (step.done !== true) step = walk.next(answer(step.value));
  return step.value;
}

/** Walks with a source that takes its time. */
export async function walkAsync<T>(
  walk: Generator<Round, T, Answer>,
  answer: (round: Round) => Promise<Answer>,
): Promise<T> {
  let step = walk.next();
  while (step.done !== true) step = walk.next(await answer(step.value));
  return step.value;
}
