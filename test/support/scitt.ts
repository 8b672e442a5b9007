/** A log as a SCITT service: an app to ask, issuers of both algorithms, and statements by them. */
import assert from "node:assert/strict";
import type { Hono } from "hono";
import { createApp } from "../../api/app.js";
import type { ServiceOptions } from "../../api/service.js";
import type { Log } from "../../src/log/log.js";
import { type LogOptions } from "../../src/log/open.js";
import { isPlaced } from "../../src/log/log.js";
import { es256PublicKey } from "../../src/crypto/node.js";
import { decodeCbor } from "../../src/statement/cbor.js";
import { publicKey } from "../../src/statement/key.js";
import { type Signer, secretSigner, signCose } from "../../src/statement/sign.js";
import { type PinnedService, serviceOfKey } from "../../src/statement/verify-receipt.js";
import { agent, logKey, logWithAgent, registration } from "./log.js";

export const URL_OF_LOG = "https://log.example";
export const ISSUER = "https://issuer.example";

const secret = new Uint8Array(32).fill(9);
const known = publicKey("ES256", es256PublicKey(secret));
assert.ok(known);
/** Entry 2 of the log registers it. */
export const es256Issuer: Signer = secretSigner(known, secret);

export const ours: PinnedService = serviceOfKey(logKey.publicKey);

export interface ScittLog {
  readonly log: Log;
  readonly app: Hono;
}

export async function scittLog(
  options: Partial<LogOptions> = {},
  service: Partial<ServiceOptions> = {},
): Promise<ScittLog> {
  const log = await logWithAgent(options);
  const { results } = await log.submit([registration(es256Issuer, ["agent"], [ISSUER])]);
  assert.ok(results.every(isPlaced));
  return { log, app: appOf(log, service) };
}

export function appOf(log: Log, service: Partial<ServiceOptions> = {}, bodyBudget?: number): Hono {
  return createApp(log, {
    verifierKeys: [logKey],
    version: "test",
    service: { key: logKey, url: () => URL_OF_LOG, now: Date.now, ...service },
    ...(bodyBudget === undefined ? {} : { bodyBudget }),
  });
}

/** A statement of foreign content. */
export function foreign(
  payload: Uint8Array,
  { subject = "urn:example:a", signer = agent }: { subject?: string; signer?: Signer } = {},
): Uint8Array {
  return signCose("text/plain", payload, { issuer: ISSUER, subject, issuedAt: 1_777_636_800 }, signer);
}

export async function post(
  app: Hono,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = { "content-type": "application/cose" },
): Promise<Response> {
  return app.request("/entries", { method: "POST", body: new Uint8Array(body), headers });
}

export async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

/** The title and detail of a concise problem body; fails when the answer is anything else. */
export async function problemOf(response: Response): Promise<{ title: string; detail: string }> {
  assert.equal(response.headers.get("content-type"), "application/concise-problem-details+cbor");
  const problem = decodeCbor(await bytesOf(response));
  assert.ok(problem instanceof Map);
  assert.deepEqual([...problem.keys()], [-1, -2]);
  const [title, detail] = [problem.get(-1), problem.get(-2)] as unknown[];
  assert.ok(typeof title === "string" && typeof detail === "string");
  return { title, detail };
}
