/**
 * A second opinion: a verifier written from the RFCs in another language, and published libraries, asked about the same
 * statements and receipts and about their mutations. Each must say what ours says.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { sha256, toHex } from "#crypto";
import { ProofError, WritError } from "../../src/errors.js";
import { fromHex } from "../../src/format/bytes.js";
import { isPlaced } from "../../src/log/log.js";
import type { Json } from "../../src/statement/json.js";
import { fromJwk, type PublicKey, verifierOf } from "../../src/statement/key.js";
import { parseStatement } from "../../src/statement/parse.js";
import { attachReceipts } from "../../src/statement/transparent.js";
import { verifyReceipt } from "../../src/statement/verify-receipt.js";
import { checkPeer, sample, service } from "../support/cose-peer.js";
import { registrar, registration } from "../support/log.js";
import { askPython, CBOR2_AS_LISTS, withoutPython } from "../support/python.js";
import { SLOW } from "../support/runs.js";
import { scittLog } from "../support/scitt.js";

const COUNT = SLOW ? 30_000 : 1_500;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** One byte set, put in or taken out. */
const mutation = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "remove"));

function mutated(bytes: Uint8Array, [at, value, how]: readonly [number, number, string]): Uint8Array {
  const place = at % bytes.length;
  return Uint8Array.from(
    [...bytes].toSpliced(place, how === "insert" ? 0 : 1, ...(how === "remove" ? [] : [value])),
  );
}

function holds(act: () => unknown): boolean {
  try {
    return act() !== false;
  } catch (error) {
    if (error instanceof ProofError || error instanceof WritError) return false;
    throw error;
  }
}

function weSay(question: Question): boolean {
  const { ask, statement, receipt, key } = question;
  if (ask === "statement")
    return holds(() => {
      const { signatures, signedBytes } = parseStatement(statement, "cose");
      const [signature] = signatures;
      return signature?.algorithm === key.algorithm && verifierOf(key)(signature.signature, signedBytes);
    });
  const services = [{ url: null, keys: [{ kid: fromHex(key.keyId) ?? null, key }] }];
  return holds(() => verifyReceipt(statement, receipt, services));
}

interface Question {
  readonly ask: "statement" | "receipt";
  readonly statement: Uint8Array;
  readonly receipt: Uint8Array;
  readonly key: PublicKey;
}

function asked({ ask, statement, receipt, key }: Question): object {
  const common = { ask, statement: hex(statement), alg: key.algorithm, key: hex(key.bytes) };
  return ask === "statement" ? common : { ...common, receipt: hex(receipt), kid: key.keyId };
}

test("a verifier written from the RFCs agrees on statements, receipts and what becomes of them", {
  skip: withoutPython(["cbor2", "cryptography"]),
}, async () => {
  const cases = fc.sample(fc.tuple(sample, mutation, mutation), { numRuns: COUNT, seed: 20261126 });
  const questions = cases.flatMap(([{ statement, receipt, issuer }, one, other]): Question[] => [
    { ask: "statement", statement, receipt, key: issuer },
    { ask: "receipt", statement, receipt, key: service.publicKey },
    { ask: "receipt", statement: attachReceipts(statement, [receipt]), receipt, key: service.publicKey },
    { ask: "statement", statement: mutated(statement, one), receipt, key: issuer },
    { ask: "receipt", statement: mutated(statement, one), receipt, key: service.publicKey },
    { ask: "receipt", statement, receipt: mutated(receipt, other), key: service.publicKey },
    { ask: "receipt", statement, receipt, key: issuer },
  ]);
  const answers = await askPython("verify.py", questions.map(asked));
  const ourAnswers = questions.map(weSay);
  for (const [i, question] of questions.entries())
    assert.equal(
      ourAnswers[i] === true ? "yes" : "no",
      answers[i]?.slice(0, 3).trim().replace(/:$/, ""),
      `${answers[i]}: ${JSON.stringify(asked(question))}`,
    );
  const yes = ourAnswers.filter(Boolean).length;
  assert.ok(yes >= 3 * COUNT && yes < 4 * COUNT, `${yes} of ${questions.length} hold`);
});

test("pycose verifies our statements and receipts, and what it signs is registered", {
  skip: withoutPython(["pycose", "cbor2"], CBOR2_AS_LISTS),
}, async () => {
  await checkPeer((questions) => askPython("pycose_peer.py", questions));
});

test("securesystemslib's in-toto envelopes are logged, found by their subjects, and ours verify there", {
  skip: withoutPython(["securesystemslib", "cryptography"]),
}, async () => {
  const { log: running, app } = await scittLog();
  for (const pair of [generateKeyPairSync("ed25519"), generateKeyPairSync("ec", { namedCurve: "P-256" })]) {
    const key = fromJwk(pair.publicKey.export({ format: "jwk" }) as Json) ?? assert.fail("a key");
    const registered = await running.submit([
      registration(
        { publicKey: key, sign: (message) => registrar.sign(message) },
        ["agent"],
        ["builder://acme"],
      ),
    ]);
    assert.ok(registered.results.every(isPlaced));
    const digest = toHex(sha256(Buffer.from(key.keyId)));
    const statement = JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "app.tar.gz", digest: { sha256: digest } }],
      predicateType: "https://slsa.dev/provenance/v1",
      predicate: { buildDefinition: { buildType: "https://acme.example/build" } },
    });
    const pem = pair.privateKey.export({ format: "pem", type: "pkcs8" }) as string;
    const common = { alg: key.algorithm, pem, keyid: key.keyId };
    const envelopes = await askPython(
      "securesystemslib_peer.py",
      Array.from({ length: 4 }, () => ({ ask: "sign", ...common, payload: statement })),
    );
    for (const envelope of envelopes) {
      const { results } = await running.submit([{ bytes: Buffer.from(envelope), form: "dsse" }]);
      assert.ok(results.every(isPlaced), JSON.stringify(results));
    }
    const found = await app.request(`/v1/search?digest=sha256:${digest}`);
    const { entries } = (await found.json()) as { entries: { index: number }[] };
    // Ed25519 signs the same the same way; ES256 does not.
    assert.equal(entries.length, key.algorithm === "Ed25519" ? 1 : 4);
    if (key.algorithm !== "Ed25519") continue;
    const stored = Buffer.from((await running.read.entry(entries[0]?.index ?? 0)).stored).toString();
    const bad = stored.replace('"sig":"', '"sig":"AAAA').replace(/.{4}"\}\]\}$/, '"}]}');
    const verdicts = await askPython(
      "securesystemslib_peer.py",
      [stored, bad].map((envelope) => ({ ask: "verify", ...common, envelope })),
    );
    assert.deepEqual(verdicts, ["yes", "no"]);
  }
  await running.close();
});
