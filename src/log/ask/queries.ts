/** Questions about what the records say, answered from the index, always below the size that was published when asked. */
import { WritError } from "../../errors.js";
import { toHex } from "../../format/bytes.js";
import { sha256 } from "#crypto";
import type { Store } from "../../store/contract.js";
import type { Bundle } from "../../trace/bundle.js";
import type { TraceEntry } from "../../trace/entry.js";
import { describeEntry, type LogEntry } from "../admit/entry.js";
import { type Dependant, type ImpactEnd, impactOf } from "./impact.js";
import { type EntryLinks, linksOfEntry } from "./links.js";
import { Postings } from "./postings.js";
import type { Prover } from "../tree/prove.js";
import type { Published } from "../tree/publish.js";
import { search, type SearchPage, type SearchQuery } from "./search.js";
import { type Library, makeBundle, makeClosure, readEntries } from "./bundle.js";
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
  private making = 0;

  constructor(private readonly parts: QueryParts) {
    const { store, raw } = parts;
    this.postings = new Postings(store, parts.domains);
    this.library = { store, raw, postings: this.postings };
  }

  /** The entries of a page that `accepts` takes, and where the next one begins. */
  async search(
    query: SearchQuery,
    accepts: (entry: LogEntry) => boolean = () => true,
  ): Promise<{ readonly entries: readonly LogEntry[]; readonly page: SearchPage }> {
    const page = await search(this.postings, this.parts.published().size, query);
    const { indexes } = page;
    const stored = (await this.parts.store.entriesAt(indexes)).map((bytes, i) => {
      if (bytes !== undefined) return bytes;
      throw new WritError("STORE_CORRUPT", `entry ${indexes[i]} is missing; run writ fsck`);
    });
    const times = await this.postings.receivedAt(stored);
    const entries = stored.map((bytes, i) =>
      describeEntry(indexes[i] ?? 0, bytes, times[i] ?? 0, this.parts.raw),
    );
    return { entries: entries.filter(accepts), page };
  }

  /** RangeError unless index < the published size. */
  async links(index: number): Promise<EntryLinks & { readonly entry: TraceEntry }> {
    const entry = await this.traceEntry(index);
    return {
      ...(await linksOfEntry(this.library, this.parts.published().size, entry)),
      entry,
    };
  }

  /**
   * The trace bundle of what these entries carry (one record, or one entry of foreign content), as it stood before size
   * `asOf`: exactly what it would have been then. `under`: a checkpoint that covers it; the one the log would choose unless
   * given. ENTRY_NOT_FOUND when nothing of it was there yet.
   */
  async bundle(indexes: readonly number[], asOf: number | undefined, under?: Published): Promise<Bundle> {
    const { parts, subject, subjects, size, published } = await this.traced(indexes, asOf, under);
    return this.oneOfFew(() => makeBundle(parts, subject, subjects, size, published));
  }

  /** The closure statement of that trace alone: what the log says is all of it, and when each entry came in. */
  async closure(
    indexes: readonly number[],
    asOf: number | undefined,
    under?: Published,
  ): Promise<Uint8Array> {
    const { parts, subject, subjects, size, published } = await this.traced(indexes, asOf, under);
    return this.oneOfFew(() => makeClosure(parts, subject, subjects, size, published));
  }

  private async traced(indexes: readonly number[], asOf: number | undefined, under?: Published) {
    const [first] = indexes;
    const published =
      under ?? (asOf === undefined ? this.parts.published() : await this.parts.checkpointOver(asOf));
    const size = asOf ?? published.size;
    if (first === undefined || first >= size) {
      throw new WritError("ENTRY_NOT_FOUND", `it was not in the log of ${size} entries yet`);
    }
    const { id, stored } = await this.traceEntry(first);
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

  /** A bundle may take megabytes and a second: so many are made at a time. POOL_FULL beyond. */
  private async oneOfFew<T>(make: () => Promise<T>): Promise<T> {
    if (this.making >= MAX_BUNDLES)
      throw new WritError("POOL_FULL", `${MAX_BUNDLES} traces are being put together; try again`);
    this.making++;
    try {
      return await make();
    } finally {
      this.making--;
    }
  }

  /** Everything that relied on what these entries carry, or on a bare name. */
  impact(name: string, indexes: readonly number[]): AsyncGenerator<Dependant, ImpactEnd> {
    return impactOf(this.library, this.parts.published().size, name, indexes);
  }

  private async traceEntry(index: number): Promise<TraceEntry> {
    if (index >= this.parts.published().size) throw new RangeError(`no entry ${index}`);
    const [entry] = await readEntries(this.library, [index]);
    if (entry === undefined) throw new RangeError(`no entry ${index}`);
    return entry;
  }
}

/** Entries that carry one record and are traced from. */
const MAX_COPIES = 100;
const MAX_BUNDLES = 16;
