/**
 * Where the lines of a picture run. Boxes stand in one column, in log order; a line leaves its box to the right, runs up or down
 * beside all boxes, and comes back into the box that it names: none can pass behind a box. Everything that names one box
 * shares one lane, and two lanes share a place where neither reaches the other's stretch.
 */
export interface Span {
  readonly target: string;
  readonly from: number;
  readonly to: number;
}

/** The lane of each target, from 0, the nearest: short ones are nearer, so that they cross fewer. */
export function lanesOf(spans: readonly Span[]): ReadonlyMap<string, number> {
  const inOrder = spans.toSorted(
    (a, b) => a.to - a.from - (b.to - b.from) || a.from - b.from || (a.target < b.target ? -1 : 1),
  );
  const taken: Span[][] = [];
  const lanes = new Map<string, number>();
  for (const span of inOrder) {
    const free = taken.findIndex((lane) => lane.every(({ from, to }) => to < span.from || span.to < from));
    const lane = free < 0 ? taken.length : free;
    (taken[lane] ??= []).push(span);
    lanes.set(span.target, lane);
  }
  return lanes;
}
