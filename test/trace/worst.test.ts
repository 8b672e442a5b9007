/** The worst that fits the bounds: traces of nearly 2000 entries of one kind, each judged within three seconds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, extra, insert } from "../../src/demo/changes.js";
import { essayWire } from "../../src/demo/essay.js";
import type { Step } from "../../src/demo/stage.js";
import { MAX_NODES } from "../../src/trace/walk/walk.js";
import { SLOW } from "../support/runs.js";
import { bundleOf, judge, play, START } from "../support/story.js";
import { atFirst, copyOf, last, memberOf, receiptOf } from "./verdict-changes.js";

const MANY = MAX_NODES - 100;
/** "A verdict on the worst bundle that fits the bounds": in milliseconds. */
const MAX_MS = 3000;

const many = (step: (n: number) => Step): Step[] => Array.from({ length: MANY }, (_, n) => step(n));
const fact = (n: number, more: (s: Parameters<Step["members"]>[0]) => object): Step =>
  extra("fact", `fact-${n}`, "erp", -1500, (s) => ({ ...memberOf(s, "profile"), n, ...more(s) }));

const kinds: Readonly<Record<string, Change>> = {
  "receipts of as many calls": last(
    ...many((n) => receiptOf(`r${n}`, "executed", -200, (s) => ({ tool_call_hash: s.hash(`call ${n}`) }))),
  ),
  "versions of one fact, one after the other": atFirst(
    ...many((n) => fact(n, (s) => ({ supersedes: s.ref("fact", n === 0 ? "profile" : `fact-${n - 1}`) }))),
  ),
  ...(SLOW
    ? {
        "receipts of one call": last(
          ...many((n) => receiptOf(`r${n}`, n % 2 === 0 ? "partial" : "unknown", -200, () => ({ n }))),
        ),
        "decisions, each in the stead of the one before": insert(
          "after",
          "decision",
          ...many((n) =>
            copyOf("decision", `d${n}`, -580, (s) => ({
              decision: n % 2 === 0 ? "deny" : "escalate",
              ...(n > 0 ? { supersedes: s.ref("policy-decision", `d${n - 1}`) } : {}),
            })),
          ),
        ),
        "approvals and rejections": insert(
          "before",
          "grant",
          ...many((n) =>
            copyOf("approval", `a${n}`, -480, () => ({ n, approval: n % 2 === 0 ? "approve" : "reject" })),
          ),
        ),
        "grants below one another": insert(
          "after",
          "grant",
          ...many((n) =>
            copyOf("grant", `g${n}`, -390, (s) => ({
              nonce: s.own(`n${n}`),
              parent_capability_hash: s.ref("capability-grant", n % 32 === 0 ? "grant" : `g${n - 1}`),
            })),
          ),
        ),
        confirmations: atFirst(...many((n) => fact(n, (s) => ({ confirms: s.ref("fact", "profile") })))),
        "equal facts": atFirst(...many((n) => fact(n, () => ({})))),
        "policies of one digest": atFirst(
          ...many((n) => extra("policy", `p${n}`, "owner", -1500, (s) => ({ ...memberOf(s, "policy"), n }))),
        ),
        "versions of the action type": atFirst(
          ...many((n) =>
            extra("action-type", `t${n}`, "owner", -1500, (s) => ({ ...memberOf(s, "type"), n })),
          ),
        ),
        "suspensions and resumptions": atFirst(
          ...many((n) =>
            extra("revocation", `v${n}`, "owner", -1500, (s) => ({
              target: s.ref("policy", "policy"),
              action: n % 2 === 0 ? "suspend" : "resume",
              reason: `${n}`,
            })),
          ),
        ),
      }
    : {}),
};

for (const [name, change] of Object.entries(kinds))
  test(`${name}: ${MANY} of them are judged within ${MAX_MS} ms`, async () => {
    const played = await play(change(essayWire));
    const bundle = await bundleOf(played, "receipt");
    assert.ok(bundle.entries.length > MANY || bundle.bounded.nodes, `${bundle.entries.length}`);
    const began = performance.now();
    judge(bundle, START + 1_800_000);
    const ms = performance.now() - began;
    assert.ok(ms <= MAX_MS, `${ms.toFixed(0)} ms`);
    await played.log.close();
  });
