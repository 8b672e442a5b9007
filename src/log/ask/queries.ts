/** Questions about what the records say, answered from the index, always below the size that was published when asked. */
import { WritError } from "../../errors.js";
import { toHex } from "../../format/bytes.js";
import { sha256 } from "#crypto";
import type { Store } from "../../store/contract.js";
import type { Bundle } from "../../trace/bundle.js";
import type { TraceEntry } from "../../trace/entry.js";
import { describeEntry, type LogEntry } from "../admit/entry.js";
import { type Cost, FREE } from "./budget.js";
import { type Dependant, type ImpactEnd, impactOf } from "./impact.js";
import { type EntryLinks, linksOfEntry } from "./links.js";
import { Postings } from "./postings.js";
import type { Prover } from "../tree/prove.js";
import type { Published } from "../tree/publish.js";
import { beginningWith } from "./beginning.js";
import { search, type SearchPage, type SearchQuery } from "./search.js";
import { type Library, makeBundle, makeClosure, readEntries, readStored } from "./bundle.js";
import type { Signer } from "../../statement/sign.js";
import type { DomainView } from "../../trace/walk/walk.js";

export interface QueryParts {
  readonly store: Store;
  readonly prover: Prover;
  readonly origin: string;
  readonly raw: boolean;
  /** Which of the records are whose. */
  readonly domains: DomainView;
  /** The log's own key: says that a trace is all there is. */
  readonly signer: Signer;
  readonly published: () => Published;
  /** A checkpoint that covers `size`. */
  readonly checkpointOver: (size: number) => Promise<Published>;
}

export class Queries {
  private readonly postings: Postings;
  private readonly library: Library;

  constructor(private readonly parts: QueryParts) {
    const { store, raw } = parts;
    this.postings = new Postings(store, parts.domains);
    this.library = { store, raw, postings: this.postings };
  }

  /**
   * The entries of a page that `accepts` takes, and where the next one begins: MAX_PAGE_BYTES of entries at most, or the first
   * alone. Costs at worst 64 stretches of the index and a page, read 2 MiB at a time.
   */
  async search(
    query: SearchQuery,
    accepts: (entry: LogEntry) => boolean = () => true,
    cost: Cost = FREE,
  ): Promise<{ readonly entries: readonly LogEntry[]; readonly page: SearchPage }> {
    const page = await search(this.postings, this.parts.published().size, query, cost);
    const { entries, isCut } = await this.entries(page.indexes, cost);
    return {
      entries: entries.filter(accepts),
      page: isCut ? cutPage(page, entries.length, query) : page,
    };
  }

  /** The entries whose hash or record id begins with these digits; null when too many do. See `beginningWith`. */
  async beginningWith(digits: string, cost: Cost = FREE): Promise<readonly LogEntry[] | null> {
    const indexes = await beginningWith(this.library.store, digits, this.parts.published().size);
    return indexes === null ? null : (await this.entries(indexes, cost)).entries;
  }

  /** The first of these entries, MAX_PAGE_BYTES of them at most or the first alone. */
  async entries(
    indexes: readonly number[],
    cost: Cost = FREE,
  ): Promise<{ readonly entries: readonly LogEntry[]; readonly isCut: boolean }> {
    const entries: LogEntry[] = [];
    let bytes = 0;
    for await (const page of readStored(this.library, indexes, cost))
      for (const { index, stored, receivedAt } of page) {
        bytes += stored.length;
        if (entries.length > 0 && bytes > MAX_PAGE_BYTES) return { entries, isCut: true };
        await cost.turn();
        entries.push(describeEntry(index, stored, receivedAt, this.parts.raw));
      }
    return { entries, isCut: false };
  }

  /** RangeError unless index < the published size. */
  async links(index: number, cost: Cost = FREE): Promise<EntryLinks & { readonly entry: TraceEntry }> {
    const entry = await this.traceEntry(index, cost);
    return { ...(await linksOfEntry(this.library, this.parts.published().size, entry, cost)), entry };
  }

  /**
   * The trace bundle of what these entries carry (one record, or one entry of foreign content), as it stood before size
   * `asOf`: exactly what it would have been then. `under`: a checkpoint that covers it; the one the log would choose unless
   * given. ENTRY_NOT_FOUND when nothing of it was there yet.
   */
  async bundle(
    indexes: readonly number[],
    asOf: number | undefined,
    under?: Published,
    cost: Cost = FREE,
  ): Promise<Bundle> {
    const { parts, subject, subjects, size, published } = await this.traced(indexes, asOf, under, cost);
    return makeBundle(parts, subject, subjects, size, published, cost);
  }

  /** The closure statement of that trace alone: what the log says is all of it, and when each entry came in. */
  async closure(
    indexes: readonly number[],
    asOf: number | undefined,
    under?: Published,
    cost: Cost = FREE,
  ): Promise<Uint8Array> {
    const { parts, subject, subjects, size, published } = await this.traced(indexes, asOf, under, cost);
    return makeClosure(parts, subject, subjects, size, published, cost);
  }

  private async traced(
    indexes: readonly number[],
    asOf: number | undefined,
    under: Published | undefined,
    cost: Cost,
  ) {
    const [first] = indexes;
    const published =
      under ?? (asOf === undefined ? this.parts.published() : await this.parts.checkpointOver(asOf));
    const size = asOf ?? published.size;
    if (first === undefined || first >= size) {
      throw new WritError("ENTRY_NOT_FOUND", `it was not in the log of ${size} entries yet`);
    }
    const { id, stored } = await this.traceEntry(first, cost);
    const subject = id ?? `sha256:${toHex(sha256(stored))}`;
    const subjects =
      id === null ? [first] : await this.postings.record(id)({ from: 0, to: size, limit: MAX_COPIES });
    const { prover, origin, domains, signer } = this.parts;
    return {
      parts: { ...this.library, prover, origin, domains, signer },
      subject,
      subjects,
      size,
      published,
    };
  }

  /** Everything that relied on what these entries carry, or on a bare name. */
  impact(name: string, indexes: readonly number[], cost: Cost = FREE): AsyncGenerator<Dependant, ImpactEnd> {
    return impactOf(this.library, this.parts.published().size, name, indexes, cost);
  }

  private async traceEntry(index: number, cost: Cost): Promise<TraceEntry> {
    if (index >= this.parts.published().size) throw new RangeError(`no entry ${index}`);
    const [entry] = await readEntries(this.library, [index], cost);
    if (entry === undefined) throw new RangeError(`no entry ${index}`);
    return entry;
  }
}

/** Entries that carry one record and are traced from. */
const MAX_COPIES = 100;
/** Of the entries of one page of a search. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** A page that ends before its entry number `read`. */
function cutPage({ indexes, completeTo }: SearchPage, read: number, { order }: SearchQuery): SearchPage {
  const last = indexes[read - 1] ?? 0;
  const at = order === "desc" ? last : last + 1;
  return { indexes: indexes.slice(0, read), completeTo, next: { at, size: completeTo } };
}
