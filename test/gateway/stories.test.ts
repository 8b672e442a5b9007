/**
 * The gateway asks what the trace asks: what it lets through, and is done as it was let through, the trace calls AUTHORIZED; what
 * it refuses because of the records would have been none, had it been done then. Over the stories of the trace.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Story } from "../../src/demo/stage.js";
import type { ProposedAction } from "../../src/gateway/index.js";
import { buildRecord } from "../../src/record/build.js";
import { DECEITS } from "../trace/verdict-deceits.js";
import { HONEST } from "../trace/verdict-honest.js";
import { inside, type VerdictStory } from "../trace/verdict-changes.js";
import { VERDICT_STORIES } from "../trace/verdict-stories.js";
import { gatewayTo, refusal, standIn } from "../support/gateway.js";
import { put } from "../support/grants.js";
import { dsse } from "../support/log.js";
import { SLOW } from "../support/runs.js";
import { bundleOf, complaints, judge } from "../support/story.js";

/** Every how many stories: all of them are slow. */
const EVERY = SLOW ? 1 : 6;
/** Said by the log itself, or of what nobody has written down: no word about the records behind a grant. */
const NOT_OF_RECORDS = new Set([
  "GATEWAY_UNSURE",
  "GRANT_USED",
  "REQUEST_USED",
  "GRANT_UNKNOWN",
  "ENTRY_NOT_FOUND",
]);

/** Up to where the grant would be used. */
function untilUse(story: Story): Story | undefined {
  const end = story.steps.findIndex(
    ({ name, type }) => type === "consumption" || (type === "execution-receipt" && name !== "refusal"),
  );
  const steps = end < 0 ? story.steps : story.steps.slice(0, end);
  const grant = steps.find(({ name }) => name === "grant");
  return grant === undefined || grant.withheld === true ? undefined : { ...story, steps, subject: "grant" };
}

const all: readonly VerdictStory[] = [...VERDICT_STORIES, ...DECEITS, ...HONEST];
const usable = all.flatMap((one) => {
  const story = one.refused === undefined ? untilUse(one.story) : undefined;
  return story === undefined ? [] : [{ name: one.name, story }];
});

for (const [n, { name, story }] of usable.entries())
  if (n % EVERY === 0)
    test(`${story.name}, ${name}`, async () => {
      const stand = await standIn(story);
      const { stage, log, now } = stand;
      const clocks = { wall: now, steady: () => performance.now() };
      const gateway = await gatewayTo(stand, { clocks, withoutWitnesses: true });
      await gateway.ready();
      const permitted = inside(stage.value("grant"), "permitted_action");
      const action = {
        action_type: permitted["action_type"],
        target: permitted["target"],
        ...(permitted["parameters"] === undefined ? {} : { parameters: permitted["parameters"] }),
      } as ProposedAction;
      const toolDigest = stage.value("grant")["tool_digest"];
      const proposed = typeof toolDigest === "string" ? { ...action, tool_digest: toolDigest } : action;
      const call = stage.hash("the call");
      // What the type asks to be shown is shown, as somebody does who keeps to it.
      const wanted = stage.value("type")["required_postconditions"];
      const results = {
        ...Object.fromEntries(
          (Array.isArray(wanted) ? wanted : []).map((one) => [String(one), stage.hash(String(one))]),
        ),
        settlement: stage.hash("settlement"),
        tables_gone: stage.hash("tables"),
      };
      const asked = gateway.authorize(stage.id("grant"), proposed, call);
      const code = await refusal(asked);
      if (code === "allowed") {
        const permit = await asked;
        await (await gateway.record(permit, { outcome: "executed", postcondition_hashes: results }))
          .delivered;
      } else {
        if (NOT_OF_RECORDS.has(code)) return gateway.close();
        await put(log, ...acted(stand, proposed, call, results)).catch(() => undefined);
      }
      const verdict = judge(await bundleOf({ log, stage }, "grant"), now());
      const good = ["AUTHORIZED", "RECORDED", "AUTHORIZED_WITH_EXCEPTION"].includes(verdict.verdict);
      assert.equal(
        good,
        code === "allowed",
        `${code}, and ${verdict.verdict}: ${complaints(verdict).join(", ")}`,
      );
      return gateway.close();
    });

/** The use and its receipt, by an executor who asks no gateway. */
function acted(
  { stage, now }: Awaited<ReturnType<typeof standIn>>,
  action: ProposedAction,
  call: string,
  results: Readonly<Record<string, string>>,
) {
  const at = new Date(now()).toISOString();
  const { nonce } = stage.value("grant");
  const common = {
    issuer: stage.party("executor").id,
    issued_at: at,
    request_hash: stage.ref("action-request", "request"),
    capability_hash: stage.ref("capability-grant", "grant"),
    nonce: typeof nonce === "string" ? nonce : "",
    executor_id: stage.party("executor").id,
    tool_call_hash: call,
  };
  const signer = stage.signer("executor");
  return [
    dsse(buildRecord("consumption", { ...common, consumed_at: at }).bytes, signer),
    dsse(
      buildRecord("execution-receipt", {
        ...common,
        executed_action: { ...action },
        outcome: "executed",
        postcondition_hashes: results,
        executed_at: at,
      }).bytes,
      signer,
    ),
  ];
}
