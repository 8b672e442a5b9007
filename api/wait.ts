/** `?wait=witnessed[&wait_ms=N]`: an answer that is held until the witnesses have come, or the time has passed. */
import { WritError } from "../src/errors.js";
import { parseDecimal } from "../src/format/bytes.js";
import type { Log } from "../src/log/log.js";

export const WAIT_MEMBERS = ["wait", "wait_ms"] as const;
export const DEFAULT_WAIT_MS = 10_000;
export const MAX_WAIT_MS = 30_000;

/** Milliseconds that the answer may wait for the witnesses; null when it need not. */
export type Wait = number | null;

/** QUERY_INVALID; WITNESSES_MISSING when there are none to wait for. */
export function waitOf(
  log: Log,
  { wait, wait_ms: text }: Partial<Record<(typeof WAIT_MEMBERS)[number], string>>,
): Wait {
  if (wait === undefined && text === undefined) return null;
  if (wait !== "witnessed") throw invalid("wait", "witnessed", wait);
  log.view.demandQuorum();
  const ms = text === undefined ? DEFAULT_WAIT_MS : parseDecimal(text);
  if (ms === undefined || ms > MAX_WAIT_MS)
    throw invalid("wait_ms", `milliseconds up to ${MAX_WAIT_MS}`, text);
  return ms;
}

/** What to say to those whose time has passed. */
export const RETRY_LATER = { "retry-after": "1", "cache-control": "no-store" } as const;

function invalid(path: string, want: string, got = "none"): WritError {
  return new WritError("QUERY_INVALID", `${path}: want ${want}, got ${JSON.stringify(got.slice(0, 40))}`, {
    path,
  });
}
