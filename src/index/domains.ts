/**
 * Trust domains: whose word counts here ("trust domain" as in SPIFFE: who issues identities, and under which names). An id
 * belongs to one domain for good: to the founded domain with a prefix that it begins with, or to the log's own, which is
 * named by its origin. Prefixes do not overlap and cover no id that is registered, so what an id belongs to never changes.
 */

interface Domain {
  readonly name: string;
  readonly prefixes: readonly string[];
  /** The entry that founded it. */
  readonly index: number;
}

export interface FoundedDomain extends Domain {
  /** Entries by which the log's key named a registrar anew, when all were lost. */
  readonly resets: readonly number[];
}

export class Domains {
  private readonly founded = new Map<string, Domain & { resets: number[] }>();
  private readonly byPrefix = new Map<string, string>();
  /** The lengths of prefixes, so that an id is looked up once a length and not once a domain. */
  private lengths: number[] = [];

  /** `origin`: the name of the log's own domain. */
  constructor(readonly origin: string) {}

  /** The domain of an id: a look-up for each distinct length of a prefix. */
  of(id: string): string {
    for (const length of this.lengths) {
      const domain = id.length < length ? undefined : this.byPrefix.get(id.slice(0, length));
      if (domain !== undefined) return domain;
    }
    return this.origin;
  }

  get(name: string): FoundedDomain | undefined {
    return this.founded.get(name);
  }

  all(): readonly FoundedDomain[] {
    return [...this.founded.values()];
  }

  /** The first entry that founded a domain; null while everything is in the log's own. */
  get firstFounding(): number | null {
    return this.all()[0]?.index ?? null;
  }

  /** Why a domain cannot be founded so, as a sentence; null when it can. `ids`: those that are registered. */
  complaint(name: string, prefixes: readonly string[], ids: Iterable<string>): string | null {
    if (name === this.origin) return `${name} is the log's own domain`;
    const known = this.founded.get(name);
    if (known !== undefined) return `${name} was founded by entry ${known.index}`;
    for (const prefix of prefixes) {
      if (overlap(prefix, this.origin)) return `the prefix ${prefix} covers ids of the log's own name`;
      for (const [other, domain] of this.byPrefix)
        if (overlap(prefix, other)) return `the prefix ${prefix} overlaps ${other}, of ${domain}`;
    }
    for (const id of ids) {
      const prefix = prefixes.find((one) => id.startsWith(one));
      if (prefix !== undefined) return `the prefix ${prefix} covers ${id}, which is registered`;
    }
    return null;
  }

  found(name: string, prefixes: readonly string[], index: number): void {
    this.founded.set(name, { name, prefixes, index, resets: [] });
    for (const prefix of prefixes) this.byPrefix.set(prefix, name);
    this.lengths = [...new Set([...this.byPrefix.keys()].map((prefix) => prefix.length))];
  }

  reset(name: string, index: number): void {
    this.founded.get(name)?.resets.push(index);
  }
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}
