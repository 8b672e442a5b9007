/** Media types: what a request brings (Content-Type) and what it would like (Accept, RFC 9110 §12.5.1). */
import { WritError } from "../src/errors.js";

/** The media type without parameters, in lower case; "" when there is none. */
export function mediaType(header: string | null | undefined): string {
  return (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * The offer that the Accept header likes best; among equals the first. NOT_ACCEPTABLE when it likes none. No header is
 * the same as liking everything.
 */
export function negotiate<T extends string>(accept: string | null | undefined, offers: readonly T[]): T {
  const [first] = offers;
  if (first === undefined) throw new RangeError("want at least one offer");
  if (accept === undefined || accept === null || accept === "" || accept === "*/*") return first;
  const ranges = accept.split(",").map(parseRange);
  let best: { offer: T; quality: number } | undefined;
  for (const offer of offers) {
    const quality = qualityOf(offer, ranges);
    if (quality > (best?.quality ?? 0)) best = { offer, quality };
  }
  if (best !== undefined) return best.offer;
  throw new WritError(
    "NOT_ACCEPTABLE",
    `this can be had as ${offers.join(" or ")}, not as ${accept.slice(0, 100)}`,
  );
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith("q="));
  const quality = q === undefined ? 1 : Number(q.slice(2));
  return { type, quality: Number.isFinite(quality) ? Math.min(1, Math.max(0, quality)) : 0 };
}

/** The most specific range that matches decides. */
function qualityOf(offer: string, ranges: readonly MediaRange[]): number {
  const type = mediaType(offer);
  const group = `${type.split("/", 1)[0]}/*`;
  for (const wanted of [type, group, "*/*"]) {
    const range = ranges.find((candidate) => candidate.type === wanted);
    if (range !== undefined) return range.quality;
  }
  return 0;
}

/** Does the Accept-Encoding header take gzip? */
export function takesGzip(acceptEncoding: string | null | undefined): boolean {
  const ranges = (acceptEncoding ?? "").split(",").map(parseRange);
  const range = ranges.find(({ type }) => type === "gzip") ?? ranges.find(({ type }) => type === "*");
  return range !== undefined && range.quality > 0;
}
