/**
 * Fills a log with typed records to a size, in process: sequencer, gate, index and store, without HTTP and without
 * signatures (nothing verifies what is already logged). Some thirty kinds of action, a thousand issuers' worth of traces.
 */
import { sha256 } from "#crypto";
import { leafHash } from "../merkle/index.js";
import { utf8 } from "../src/format/bytes.js";
import { packTerms, termsOf } from "../src/index/terms.js";
import { readSigningKey } from "../src/cli/key-files.js";
import type { Admitted } from "../src/log/admit/admit.js";
import { RECORD_MEDIA_TYPE } from "../src/record/record.js";
import { canonicalJson } from "../src/statement/jcs.js";
import type { JsonObject } from "../src/statement/json.js";
import { formatDsse } from "../src/statement/dsse.js";
import { LevelStore } from "../src/store/level.js";
import { openSequencer } from "./sequencer.js";
import { AGENT, agent } from "./server.js";

const [folder = "", sizeText = "0"] = process.argv.slice(2);
const size = Number(sizeText);
const GROUP = 500;
const AHEAD = 4;
const SIGNATURE = new Uint8Array(64).fill(7);
const NOTHING = new Uint8Array(0);
const hashes = new Map<string, Uint8Array>();

const key = await readSigningKey(`${folder}/keys/log.key`);
const store = await LevelStore.open(`${folder}/db`);
const { sequencer, size: had, keys } = await openSequencer(store, key);
let next = had;
const began = performance.now();
await Promise.all(
  Array.from({ length: AHEAD }, async () => {
    while (next < size) {
      const from = next;
      next += GROUP;
      await sequencer.sequence(
        Array.from({ length: Math.min(GROUP, size - from) }, (_, i) => entry(from + i)),
      );
      if (process.stderr.isTTY) process.stderr.write(`\rfilling ${next}/${size}`);
    }
  }),
);
await store.close();
process.stdout.write(`${JSON.stringify({ size, seconds: (performance.now() - began) / 1000 })}\n`);

function entry(n: number): Admitted {
  const value = recordOf(n);
  const payload = utf8(canonicalJson(value));
  const signatures = [{ keyId: agent.publicKey.keyId, algorithm: null, signature: SIGNATURE }];
  const stored = formatDsse(RECORD_MEDIA_TYPE, payload, signatures);
  const record = {
    hash: sha256(payload),
    value,
    type: value["type"] as string,
    issuer: AGENT,
    traceId: `trace-${Math.floor(n / 4)}`,
    previousTraceHash: null,
  };
  const statement = {
    form: "dsse" as const,
    stored,
    contentType: RECORD_MEDIA_TYPE,
    payload,
    signedBytes: NOTHING,
    signatures,
    claims: null,
    hashed: null,
  };
  return {
    stored,
    entryHash: sha256(stored),
    leafHash: leafHash(stored),
    recordHash: record.hash,
    type: record.type,
    issuer: record.issuer,
    traceId: record.traceId,
    previousTraceHash: null,
    terms: packTerms(termsOf(statement, record), hashes),
    facts: NOTHING,
    subject: null,
    keyEvents: keys.events,
  };
}

/** Of four neighbours: a request, a decision, a receipt, a fact. */
function recordOf(n: number): JsonObject {
  const trace = Math.floor(n / 4);
  const common = {
    v: 1,
    issuer: AGENT,
    issued_at: "2026-05-01T12:00:00Z",
    trace_id: `trace-${trace}`,
    mission_id: `mission-${trace % 1000}`,
  };
  const request = `sha256:${Buffer.from(sha256(utf8(String(trace)))).toString("hex")}`;
  switch (n % 4) {
    case 0:
      return {
        ...common,
        type: "action-request",
        agent_id: AGENT,
        delegator_id: "user://acme/cfo",
        action_type: `action-${trace % 30}`,
        target: { vendor: `vendor-${trace % 5000}` },
        constraints: { amount_max: "50000.00 USD" },
        policy_version: "1",
        requested_at: "2026-05-01T12:00:00Z",
      };
    case 1:
      return {
        ...common,
        type: "policy-decision",
        request_hash: request,
        policy_digest: "p",
        decision: trace % 10 === 0 ? "deny" : "allow",
        decided_at: "2026-05-01T12:00:00Z",
      };
    case 2:
      return {
        ...common,
        type: "execution-receipt",
        request_hash: request,
        capability_hash: null,
        executor_id: AGENT,
        tool_call_hash: `c-${n}`,
        outcome: trace % 7 === 0 ? "failed" : "executed",
        postcondition_hashes: {},
        executed_at: "2026-05-01T12:00:00Z",
      };
    default:
      return {
        ...common,
        type: "fact",
        subject: `subject-${trace % 20_000}`,
        fact_type: "f",
        value_hash: `v-${n}`,
        writer_id: AGENT,
        writer_class: "agent",
        control_domain: "acme",
        observed_at: "2026-05-01T12:00:00Z",
      };
  }
}
