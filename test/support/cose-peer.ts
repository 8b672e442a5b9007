/** Statements and receipts by the hundred, and what another project's COSE library has to say of them, and makes itself. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { toHex } from "#crypto";
import { fromHex } from "../../src/format/bytes.js";
import type { PublicKey } from "../../src/statement/key.js";
import { formatInclusionReceipt, ReceiptHeaders, receiptMessage } from "../../src/statement/receipt.js";
import type { Signer } from "../../src/statement/sign.js";
import { formatSign1, sigStructure } from "../../src/statement/sign1.js";
import { verifyReceipt } from "../../src/statement/verify-receipt.js";
import { coseHeader } from "./cose-header.js";
import { agent, logKey, signerOf } from "./log.js";
import { mth, path } from "./rfc6962.js";
import { bytesOf, es256Issuer, ours, post, problemOf, scittLog } from "./scitt.js";

export const service = signerOf(logKey);

export interface Sample {
  readonly statement: Uint8Array;
  readonly receipt: Uint8Array;
  readonly issuer: PublicKey;
  /** -19, -8 or -7 */
  readonly alg: number;
}

function statementOf(subject: string, payload: Uint8Array, signer: Signer, alg: number): Uint8Array {
  const header = coseHeader({ alg, keyId: signer.publicKey.keyId, subject });
  return formatSign1(header, payload, signer.sign(sigStructure(header, payload)));
}

/** A statement somewhere in a tree of others, and its receipt. */
export const sample: fc.Arbitrary<Sample> = fc
  .record({
    subject: fc.string({ unit: "grapheme", maxLength: 40 }),
    payload: fc.uint8Array({ maxLength: 300 }),
    who: fc.constantFrom([agent, -19] as const, [agent, -8] as const, [es256Issuer, -7] as const),
    size: fc.integer({ min: 1, max: 70 }),
    place: fc.nat(),
    seed: fc.nat(),
  })
  .map(({ subject, payload, who: [signer, alg], size, place, seed }) => {
    const statement = statementOf(subject, payload, signer, alg);
    const index = place % size;
    const entries = Array.from({ length: size }, (_, i) =>
      i === index ? statement : Uint8Array.of(i, seed % 256),
    );
    const header = new ReceiptHeaders(service.publicKey.keyId, "https://log.example").about(subject);
    const signature = service.sign(receiptMessage(header, mth(entries)));
    const receipt = formatInclusionReceipt(header, { size, index, hashes: path(index, entries) }, signature);
    return { statement, receipt, issuer: signer.publicKey, alg };
  });

/** One answer a question, in order. */
export type AskPeer = (questions: readonly object[]) => Promise<string[]>;

/** A library verifies what we made, refuses it changed, and what it signs is registered. Says how much it was asked. */
export async function checkPeer(ask: AskPeer): Promise<string> {
  const samples = fc.sample(sample, { numRuns: 300, seed: 7 });
  const messages = samples.flatMap(({ statement, receipt, issuer, alg }) => [
    // Published libraries know EdDSA by -8 only.
    ...(alg === -19 ? [] : [{ message: statement, payload: new Uint8Array(0), key: issuer }]),
    {
      message: receipt,
      payload: verifyReceipt(statement, receipt, [ours]).root,
      key: service.publicKey,
    },
  ]);
  const verify = (message: Uint8Array, payload: Uint8Array, key: PublicKey): object => ({
    ask: "verify",
    message: toHex(message),
    payload: toHex(payload),
    alg: key.algorithm,
    key: toHex(key.bytes),
  });
  const good = await ask(messages.map(({ message, payload, key }) => verify(message, payload, key)));
  good.forEach((answer, i) => assert.equal(answer, "yes", toHex(messages[i]?.message ?? new Uint8Array(0))));
  const bent = messages.map(({ message, payload, key }) => verify(lastBitFlipped(message), payload, key));
  for (const answer of await ask(bent)) assert.match(answer, /^no/);
  const registered = await registerWhatItSigns(ask);
  return `${messages.length} statements and receipts verified, as many bent ones refused, ${registered} of its own registered`;
}

function lastBitFlipped(message: Uint8Array): Uint8Array {
  const bent = message.slice();
  bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
  return bent;
}

async function registerWhatItSigns(ask: AskPeer): Promise<number> {
  const { log, app } = await scittLog();
  const issuers = [
    { signer: agent, secret: new Uint8Array(32).fill(3) },
    { signer: es256Issuer, secret: new Uint8Array(32).fill(9) },
  ];
  const payloads = ["", ...Array.from({ length: 12 }, (_, i) => "x".repeat(3 ** i % 9_000))];
  const wanted = payloads.flatMap((payload) => issuers.map((issuer) => ({ ...issuer, payload })));
  const made = await ask(
    wanted.map(({ signer, secret, payload }) => ({
      ask: "sign",
      kid: signer.publicKey.keyId,
      alg: signer.publicKey.algorithm,
      key: toHex(signer.publicKey.bytes),
      secret: toHex(secret),
      payload: toHex(Buffer.from(payload)),
    })),
  );
  for (const text of made) {
    const statement = fromHex(text) ?? assert.fail(`want hex, got ${text}`);
    const response = await post(app, statement);
    if (response.status !== 201) assert.fail(JSON.stringify(await problemOf(response)));
    assert.ok(verifyReceipt(statement, await bytesOf(response), [ours]));
  }
  await log.close();
  return made.length;
}
