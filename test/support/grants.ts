/** Grants, uses and revocations in the clean-up story, as many as a test likes. */
import assert from "node:assert/strict";
import { drop, edit } from "../../src/demo/changes.js";
import type { Stage, Story } from "../../src/demo/stage.js";
import { stagingCleanUp } from "../../src/demo/stories.js";
import { isPlaced, type Log } from "../../src/log/log.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import {
  buildRecord,
  type CommonMembers,
  type RecordMembers,
  type RecordRef,
} from "../../src/record/build.js";
import type { Signer } from "../../src/statement/sign.js";
import { dsse } from "./log.js";
import { START } from "./story.js";

/** The clean-up, up to its grants: nothing consumed yet, and its request may be executed as often as a test likes. */
export const granted: Story = edit("request", () => ({ max_executions: 1_000_000 }))(
  drop("consumption", "receipt")(stagingCleanUp),
);

export type GrantRef = RecordRef<"capability-grant">;

/** A grant with the nonce `nonce-${n}`, by the story's authority. */
export function grant(
  stage: Stage,
  n: number | string,
  parent?: GrantRef,
  more: object = {},
  by: Signer = stage.signer("authority"),
): { readonly ref: GrantRef; readonly bytes: Uint8Array; readonly submission: Submission } {
  const members: CommonMembers & RecordMembers["capability-grant"] = {
    issuer: stage.party("authority").id,
    issued_at: stage.time(0),
    request_hash: stage.ref("action-request", "request"),
    decision_hash: stage.ref("policy-decision", "decision"),
    permitted_action: { action_type: "db.drop", target: { table: `t${n}` }, constraints: { rows: 1 } },
    audience: stage.party("executor").id,
    nonce: `nonce-${n}`,
    expiry: new Date(START + 3_600_000).toISOString(),
    revocation_registry: "log.example/test",
    ...(parent === undefined ? {} : { parent_capability_hash: parent }),
    ...more,
  };
  const ref = buildRecord("capability-grant", members);
  return { ref, bytes: ref.bytes, submission: dsse(ref.bytes, by) };
}

export function revoke(
  stage: Stage,
  target: RecordRef,
  action: "revoke" | "suspend" | "resume" = "revoke",
  more: object = {},
  by: Signer = stage.signer("authority"),
  issuer = stage.party("authority").id,
): Submission {
  const members: CommonMembers & RecordMembers["revocation"] = {
    issuer,
    issued_at: stage.time(1),
    target,
    action,
    reason: "a test",
    ...more,
  };
  return dsse(buildRecord("revocation", members).bytes, by);
}

export function consume(stage: Stage, ref: GrantRef, n: number | string, call = "call"): Submission {
  const { bytes } = buildRecord("consumption", {
    issuer: stage.party("executor").id,
    issued_at: stage.time(1),
    request_hash: stage.ref("action-request", "request"),
    capability_hash: ref,
    nonce: `nonce-${n}`,
    executor_id: stage.party("executor").id,
    tool_call_hash: stage.hash(call),
    consumed_at: stage.time(2),
  });
  return dsse(bytes, stage.signer("executor"));
}

/** Logs them in one batch and answers where they stand; throws the first refusal. */
export async function put(log: Log, ...submissions: readonly Submission[]): Promise<number[]> {
  const { results } = await log.submit(submissions);
  return results.map((result) => {
    if (result instanceof Error) throw result;
    assert.ok(isPlaced(result));
    return result.index;
  });
}
