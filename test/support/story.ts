/** Stories played into a log in memory, and judged. */
import assert from "node:assert/strict";
import { sha256 } from "#crypto";
import { Stage, type Step, type Story } from "../../src/demo/stage.js";
import { utf8 } from "../../src/format/bytes.js";
import { policyOfKey } from "../../src/format/policy.js";
import { isPlaced, type Log } from "../../src/log/log.js";
import type { Bundle } from "../../src/trace/bundle.js";
import { PROFILES, type Profile } from "../../src/trace/context.js";
import { type TraceVerdict } from "../../src/trace/answer.js";
import { evaluate } from "../../src/trace/evaluate.js";
import { logKey, newStore, openLog, ORIGIN, registrar } from "./log.js";
import type { Store } from "../../src/store/contract.js";

/** When stories begin, and what the log's clock says. */
export const START = Date.parse("2026-05-01T12:00:00Z");
export const AT = START + 600_000;
export const POLICY = policyOfKey(logKey);

export function stageOf(story: Story, tag = ""): Stage {
  return new Stage(story, {
    start: START,
    tag,
    seed: (party) => sha256(utf8(`${tag}/${party}`)),
    registrar: { id: `${ORIGIN}/registrar`, signer: registrar },
    logOrigin: ORIGIN,
  });
}

/** The log's clock while stories are played: each record comes in when its step says. */
export interface Clock {
  now: number;
}

export interface Played {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly stage: Stage;
}

/** Into a log of its own, or `into` one that keeps its own time unless it shares a clock. `mayBeRefused`: steps that the log may refuse, and then were not. */
export async function play(
  story: Story,
  into?: Omit<Played, "clock"> & { readonly clock?: Clock },
  tag = "",
  mayBeRefused: (step: Step) => boolean = () => false,
): Promise<Played> {
  const clock = into?.clock ?? { now: 0 };
  const store = into?.store ?? (await newStore());
  const log = into?.log ?? (await openLog(store, { now: () => clock.now }));
  const stage = stageOf(story, tag);
  await stage.play(async (bytes, at, step) => {
    clock.now = START + at * 1000;
    const { results } = await log.submit([{ bytes, form: "dsse" }]);
    const [result] = results;
    if (result instanceof Error && step !== undefined && mayBeRefused(step)) return { index: -1 };
    if (result instanceof Error) throw result;
    assert.ok(result !== undefined && isPlaced(result));
    return { index: result.index };
  });
  return { clock, log, store, stage };
}

export async function bundleOf(
  { log, stage }: Pick<Played, "log" | "stage">,
  step: string,
  asOf?: number,
): Promise<Bundle> {
  const indexes = await log.read.find({ hash: stage.id(step).slice("sha256:".length) });
  return log.queries.bundle(indexes, asOf);
}

export function judge(bundle: Bundle, at = AT, profile: Profile = PROFILES[0] as Profile): TraceVerdict {
  return evaluate(bundle, POLICY, { at, profile });
}

/** Outcome and code of everything that did not pass. */
export function complaints(verdict: TraceVerdict): string[] {
  return verdict.findings
    .filter(({ outcome }) => outcome !== "PASS" && outcome !== "NOT_APPLICABLE")
    .map(({ outcome, code }) => `${outcome} ${code}`);
}
