/** Parameters, parsed once at the edge into what the log understands. */
import type { Context } from "hono";
import { WritError } from "../src/errors.js";
import { parseDecimal } from "../src/format/bytes.js";

/** What `{ref}` names: an index, or the hash of a statement or record. */
export type Ref = { readonly index: number } | { readonly hash: string };

/** REF_MALFORMED unless a decimal index below 2^53, or `sha256:` and 64 lower-case hex digits. */
export function parseRef(text: string): Ref {
  const index = parseDecimal(text);
  if (index !== undefined) return { index };
  const hash = /^sha256:([0-9a-f]{64})$/.exec(text)?.[1];
  if (hash !== undefined) return { hash };
  throw new WritError(
    "REF_MALFORMED",
    `want an index (a decimal below 2^53), an entry hash or a record id (sha256: and 64 lower-case hex digits), got ${JSON.stringify(text.slice(0, 80))}`,
  );
}

/** The query's members, each at most once. QUERY_INVALID for one that is not in `names`: unknown is not ignored. */
export function query<Name extends string>(
  c: Context,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  const { url } = c.req;
  const at = url.indexOf("?");
  if (at < 0) return found;
  for (const [name, value] of new URLSearchParams(url.slice(at + 1))) {
    const known = names.find((candidate) => candidate === name);
    if (known === undefined) {
      const want = names.length === 0 ? "no query here" : `one of ${names.join(", ")}`;
      throw new WritError(
        "QUERY_INVALID",
        `unknown query member ${JSON.stringify(name.slice(0, 40))}; want ${want}`,
        { path: name.slice(0, 40) },
      );
    }
    if (found[known] !== undefined)
      throw new WritError("QUERY_INVALID", `query member ${name} twice`, { path: name });
    found[known] = value;
  }
  return found;
}

/** A decimal query member below 2^53, or undefined when absent. */
export function sizeParam(value: string | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  const size = parseDecimal(value);
  if (size !== undefined) return size;
  throw new WritError(
    "QUERY_INVALID",
    `${name}: want a decimal below 2^53, got ${JSON.stringify(value.slice(0, 40))}`,
    { path: name },
  );
}

export function requiredSize(value: string | undefined, name: string): number {
  const size = sizeParam(value, name);
  if (size === undefined)
    throw new WritError("QUERY_INVALID", `${name}: missing; want a size`, { path: name });
  return size;
}
