/** A log to test with: keys that never change, statements on demand, and a check of everything a store holds. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/format/bytes.js";
import { type SigningKey, signingKey } from "../../src/format/vkey.js";
import { fsckStore } from "../../src/log/check/fsck.js";
import { isPlaced, Log } from "../../src/log/log.js";
import { createLog, type LogOptions, openLog as openStored } from "../../src/log/open.js";
import { type Admission, signLogPolicy } from "../../src/record/log-policy.js";
import { RECORD_MEDIA_TYPE } from "../../src/record/record.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import type { JsonObject } from "../../src/statement/json.js";
import { publicKey, toJwk } from "../../src/statement/key.js";
import { type Signer, secretSigner, signCose, signDsse } from "../../src/statement/sign.js";
import type { Submission } from "../../src/log/admit/verifiers.js";
import { MemoryStore } from "../../src/store/memory.js";
import type { Store } from "../../src/store/contract.js";

export const ORIGIN = "log.example/test";
export const AGENT = "agent://acme/buyer";
const TIME = "2026-05-01T12:00:00Z";

export function keyOf(name: string, n: number): SigningKey {
  return signingKey(name, new Uint8Array(32).fill(n));
}

export function signerOf(key: SigningKey): Signer {
  const known = publicKey("Ed25519", key.publicKey);
  assert.ok(known);
  return secretSigner(known, key.seed);
}

export const logKey = keyOf(ORIGIN, 1);
export const registrar = signerOf(keyOf(`${ORIGIN}/registrar`, 2));
export const agent = signerOf(keyOf(AGENT, 3));
export const stranger = signerOf(keyOf("agent://nobody", 4));

/** How long the log had been there when its tests begin: its clock never goes back. */
const WEEK_MS = 7 * 86_400_000;

export async function newStore(
  admission: Admission = "registered",
  store: Store = new MemoryStore(),
): Promise<Store> {
  const policy = { origin: ORIGIN, admission, registrars: [registrar.publicKey] };
  await createLog(store, signLogPolicy(policy, TIME, signerOf(logKey)), logKey, Date.parse(TIME) - WEEK_MS);
  return store;
}

export async function openLog(store: Store, options: Partial<LogOptions> = {}): Promise<Log> {
  // Tests play times as they need them; what the clock is held against has tests of its own.
  return openStored(store, { key: logKey, verifierThreads: 1, acceptClock: true, ...options });
}

/** A log in which the agent's key is registered (entry 1). */
export async function logWithAgent(options: Partial<LogOptions> = {}, store?: Store): Promise<Log> {
  const log = await openLog(await newStore("registered", store), options);
  const { results } = await log.submit([registration(agent, ["agent"], [AGENT])]);
  const [registered] = results;
  assert.ok(registered !== undefined && isPlaced(registered));
  return log;
}

/** A record's bytes; an action request unless the members say otherwise. */
export function record(members: JsonObject): Uint8Array {
  const requestMembers = {
    type: "action-request",
    agent_id: AGENT,
    delegator_id: "user://acme/cfo",
    action_type: "wire.transfer",
    target: { vendor: "acme-supplies" },
    constraints: { amount_max: "50000.00 USD" },
    policy_version: "2026-04",
    requested_at: TIME,
  };
  const common = { v: 1, issuer: AGENT, issued_at: TIME };
  const isRequest = members["type"] === undefined || members["type"] === "action-request";
  return utf8(canonicalJson({ ...common, ...(isRequest ? requestMembers : {}), ...members }));
}

/** The members of a fact beyond the common ones. */
export const factMembers = {
  type: "fact",
  subject: "vendor:acme-supplies",
  fact_type: "bank-account",
  value_hash: `sha256:${"ab".repeat(32)}`,
  writer_id: "agent://nobody",
  writer_class: "agent",
  control_domain: "acme",
  observed_at: TIME,
} as const;

export function dsse(payload: Uint8Array, ...signers: readonly Signer[]): Submission {
  return {
    bytes: signDsse(RECORD_MEDIA_TYPE, payload, ...(signers.length > 0 ? signers : [agent])),
    form: "dsse",
  };
}

export function cose(payload: Uint8Array, signer: Signer = agent, issuer = AGENT): Submission {
  const claims = { issuer, subject: "test", issuedAt: 1_777_636_800 };
  return { bytes: signCose(RECORD_MEDIA_TYPE, payload, claims, signer), form: "cose" };
}

export function request(n: number): Submission {
  return dsse(record({ n }));
}

export function keyRecord(
  of: Signer,
  roles: readonly string[],
  ids: readonly string[],
  more: JsonObject = {},
): JsonObject {
  return {
    type: "key",
    v: 1,
    issuer: `${ORIGIN}/registrar`,
    issued_at: TIME,
    key_id: of.publicKey.keyId,
    public_key: toJwk(of.publicKey),
    algorithm: of.publicKey.algorithm,
    roles,
    ids,
    control_domain: "acme",
    ...more,
  };
}

export function registration(of: Signer, roles: readonly string[], ids: readonly string[]): Submission {
  return dsse(record(keyRecord(of, roles, ids)), registrar);
}

/** Re-verifies everything a store holds: leaves, tiles, rows, every stored root. */
export async function checkStore(store: Store, size: number): Promise<void> {
  assert.deepEqual(await fsckStore(store, logKey), { size, faults: [] });
}
