/** "Tell me about every record by this key, for this subject, of this type": filters with the words of the search. */
import { WritError } from "../errors.js";
import { type Field, type Term, termsOf } from "../index/terms.js";
import { isRecordEntry, type TraceEntry } from "./entry.js";

export const FILTER_FIELDS = [
  "type",
  "issuer",
  "signer",
  "content_type",
  "trace_id",
  "mission_id",
  "action_type",
  "decision",
  "outcome",
  "subject",
  "target",
  "digest",
  "audience",
] as const satisfies readonly Field[];

export interface Filter {
  /** As it was given. */
  readonly text: string;
  /** All of them must hold. */
  readonly terms: readonly Term[];
  /** A record id, in whichever member. */
  readonly linked: string | null;
}

/** `type=revocation,signer=…`; `all` for every entry. USAGE for what is no filter; `option` is what it was given by. */
export function parseFilter(text: string, option = "--alert"): Filter {
  const terms: Term[] = [];
  let linked: string | null = null;
  if (text === "all") return { text, terms, linked };
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const [name, value] = [part.slice(0, at), part.slice(at + 1)];
    const field = FILTER_FIELDS.find((one) => one === name);
    if (at < 1 || value === "" || (field === undefined && name !== "linked"))
      throw new WritError(
        "USAGE",
        `${option}: want all, or name=value[,name=value…] with names of ${[...FILTER_FIELDS, "linked"].join(", ")}; got ${JSON.stringify(part)}`,
      );
    if (field === undefined) linked = value;
    else terms.push({ field, value });
  }
  return { text, terms, linked };
}

/** Does an entry pass? Raw bytes pass `all` only. */
export function passes({ terms, linked }: Filter, entry: TraceEntry): boolean {
  if (terms.length === 0 && linked === null) return true;
  if (entry.statement === null) return false;
  const has = termsOf(entry.statement, isRecordEntry(entry) ? entry.record : null);
  const includes = (field: Field, value: string): boolean =>
    has.some((term) => term.field === field && term.value === value);
  // (A link in no member is the record itself.)
  const links =
    linked === null ||
    has.some((term) => term.field === "link" && term.member !== undefined && term.value === linked);
  return links && terms.every(({ field, value }) => includes(field, value));
}
