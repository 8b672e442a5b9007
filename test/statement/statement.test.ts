/** Envelopes and the strict readers under them: one stored form each, coded errors on everything else. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { parseRecord } from "../../src/record/record.js";
import { preAuthEncoding } from "../../src/statement/dsse.js";
import { hasLowS } from "../../src/statement/es256.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import { type Json, parseJson } from "../../src/statement/json.js";
import { fromJwk, toJwk } from "../../src/statement/key.js";
import { guessForm, parseStatement } from "../../src/statement/parse.js";
import { signDsse } from "../../src/statement/sign.js";
import { agent, cose, dsse, record, registrar } from "../support/log.js";
import { FUZZ_RUNS, RUNS } from "../support/runs.js";

const coded = (code: string) => (error: unknown) => error instanceof WritError && error.code === code;
const json = (text: string | Uint8Array) =>
  parseJson(typeof text === "string" ? utf8(text) : text, "RECORD_MALFORMED");
const parse = (bytes: Uint8Array) => parseStatement(bytes, guessForm(bytes));

const base64 = (hex: string): string => Buffer.from(hex, "hex").toString("base64");

function hasUnsafeInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnsafeInteger);
}

test("JSON: what JSON.parse reads, the strict reader reads alike, unless a rule of ours forbids it", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      if (/__proto__|\\ud[89a-f]/i.test(text) || hasUnsafeInteger(value)) return;
      assert.deepEqual(json(text), JSON.parse(text));
    }),
    { numRuns: RUNS },
  );
});

test("JSON: each forbidden thing is refused with a code", () => {
  for (const bad of [
    "",
    " ",
    "{",
    "}",
    "[1,]",
    "[1 2]",
    '{"a":1,}',
    '{"a" 1}',
    "{a:1}",
    "{'a':1}",
    "tru",
    "nul",
    "+1",
    "01",
    ".5",
    "1.",
    "1e",
    "--1",
    "NaN",
    "Infinity",
    '"',
    '"\n"',
    '"\\x"',
    '"\\u12"',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1}',
    '{"a":{"__proto__":{}}}',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
    "9007199254740992",
    "-9007199254740992",
    "1e400",
    "1e20",
    "1 2",
    "[]]",
    "\ufeff{}",
    `${"[".repeat(66)}${"]".repeat(66)}`,
    "// x\n1",
    "/**/1",
  ]) {
    assert.throws(() => json(bad), coded("RECORD_MALFORMED"), bad.slice(0, 40));
  }
  assert.throws(() => json(Uint8Array.of(0x22, 0xff, 0x22)), coded("RECORD_MALFORMED"));
  assert.throws(
    () => json(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)),
    coded("RECORD_MALFORMED"),
    "a surrogate in UTF-8",
  );
  assert.deepEqual(json('{"constructor":1,"toString":{"hasOwnProperty":[]}}'), {
    constructor: 1,
    toString: { hasOwnProperty: [] },
  });
  assert.deepEqual(json(' \t\r\n[ 9007199254740991 , -9007199254740991,1.5e-3, "\\ud83d\\ude00\\/" ] '), [
    9007199254740991,
    -9007199254740991,
    0.0015,
    "😀/",
  ]);
});

test("JCS: RFC 8785's order and spelling, integer-like names and all", () => {
  assert.equal(
    canonicalJson({ b: 1, a: [true, null, "\u20ac$\n"], "10": 1, "9": 2, "\u00e9": 0 }),
    '{"10":1,"9":2,"a":[true,null,"€$\\n"],"b":1,"é":0}',
  );
  assert.equal(
    canonicalJson([333333333.3333333, 1e30, 4.5, 0.002, 1e-27, -0]),
    "[333333333.3333333,1e+30,4.5,0.002,1e-27,0]",
  );
  assert.throws(() => canonicalJson(Number.NaN), TypeError);
  assert.throws(() => canonicalJson("\ud800"), TypeError);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = canonicalJson(value as Json);
      assert.equal(canonicalJson(JSON.parse(text) as Json), text);
    }),
    { numRuns: RUNS },
  );
});

test("DSSE: whatever form is accepted, there is one stored form, and it is stable", () => {
  const stored = dsse(record({ n: 1 }), agent, registrar).bytes;
  const envelope = JSON.parse(Buffer.from(stored).toString()) as {
    payload: string;
    payloadType: string;
    signatures: { keyid: string; sig: string }[];
  };
  const variants = [
    envelope,
    { ...envelope, signatures: envelope.signatures.toReversed() },
    { extra: [1], ...envelope, signatures: envelope.signatures.map((s) => ({ ...s, cert: "x" })) },
    { ...envelope, payload: Buffer.from(envelope.payload, "base64").toString("base64url") },
    { ...envelope, payload: envelope.payload.replaceAll("+", "-").replaceAll("/", "_") },
  ];
  for (const variant of variants) {
    const parsed = parse(utf8(JSON.stringify(variant, null, 2)));
    assert.equal(Buffer.from(parsed.stored).toString(), Buffer.from(stored).toString());
    assert.deepEqual(Buffer.from(parse(parsed.stored).stored), Buffer.from(parsed.stored));
  }
  assert.equal(
    Buffer.from(stored).toString(),
    canonicalJson(JSON.parse(Buffer.from(stored).toString()) as Json),
  );
});

test("DSSE: the pre-authentication encoding is the specification's", () => {
  const { signedBytes } = parse(signDsse("http://example.com/HelloWorld", utf8("hello world"), agent));
  assert.equal(Buffer.from(signedBytes).toString(), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
});

test("DSSE: wrong shapes name the member and what was wanted", () => {
  const good = JSON.parse(Buffer.from(dsse(record({})).bytes).toString()) as Record<string, unknown> & {
    signatures: { keyid: string; sig: string }[];
  };
  const [signature] = good.signatures;
  assert.ok(signature);
  const bad: readonly (readonly [object | string, string])[] = [
    ["[]", ""],
    [{ ...good, payloadType: undefined }, "payloadType"],
    [{ ...good, payloadType: "" }, "payloadType"],
    [{ ...good, payload: 5 }, "payload"],
    [{ ...good, payload: "a" }, "payload"],
    [{ ...good, payload: "e30" }, ""],
    [{ ...good, payload: "ab+/-_==" }, "payload"],
    [{ ...good, signatures: [] }, "signatures"],
    [{ ...good, signatures: {} }, "signatures"],
    [{ ...good, signatures: [signature, signature] }, "signatures"],
    [{ ...good, signatures: Array(17).fill(signature) }, "signatures"],
    [{ ...good, signatures: [{ sig: signature.sig }] }, "signatures[0].keyid"],
    [
      { ...good, signatures: [{ ...signature, keyid: signature.keyid.toUpperCase() }] },
      "signatures[0].keyid",
    ],
    [{ ...good, signatures: [{ ...signature, sig: "AAAA" }] }, "signatures[0].sig"],
    [{ ...good, signatures: [{ ...signature, sig: base64("3006020101020101ff") }] }, "signatures[0].sig"],
    [{ ...good, signatures: [{ ...signature, sig: base64("300702020001020101") }] }, "signatures[0].sig"],
    [{ ...good, signatures: [{ ...signature, sig: base64("3006020181020101") }] }, "signatures[0].sig"],
    [{ ...good, signatures: [{ ...signature, sig: base64("30060201010201") }] }, "signatures[0].sig"],
    [{ ...good, signatures: ["x"] }, "signatures[0]"],
  ];
  for (const [envelope, path] of bad) {
    const bytes = utf8(typeof envelope === "string" ? envelope : JSON.stringify(envelope));
    if (path === "" && typeof envelope !== "string") {
      assert.doesNotThrow(() => parseStatement(bytes, "dsse"), "URL-safe and bare is allowed");
      continue;
    }
    assert.throws(
      () => parseStatement(bytes, "dsse"),
      (error) => coded("ENVELOPE_INVALID")(error) && error instanceof WritError && error.facts.path === path,
      path,
    );
  }
});

test("any bytes give a statement or a coded error, and a statement's stored form gives itself", () => {
  const seeds = [dsse(record({ n: 1 })).bytes, cose(record({ n: 2 })).bytes];
  const mutated = fc
    .tuple(fc.nat(1), fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 4 }), fc.nat(2000))
    .map(([which, edits, cut]) => {
      const bytes = Uint8Array.from(seeds[which] ?? new Uint8Array(0));
      for (const [at, value] of edits) bytes[at % bytes.length] = value;
      return cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
    });
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated),
      fc.constantFrom("dsse", "cose"),
      (bytes, form) => {
        try {
          const { stored } = parseStatement(bytes, form);
          assert.deepEqual(Buffer.from(parseStatement(stored, form).stored), Buffer.from(stored));
        } catch (error) {
          if (!(error instanceof WritError)) throw error;
        }
        try {
          parseRecord(bytes);
        } catch (error) {
          if (!(error instanceof WritError)) throw error;
        }
      },
    ),
    { numRuns: FUZZ_RUNS },
  );
});

test("DSSE: an ES256 signature in DER is the same statement as r ‖ s with the low s", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyid = "ab".repeat(32);
  const payload = utf8("hello");
  const message = preAuthEncoding("text/plain", payload);
  for (let i = 0; i < 8; i++) {
    const der = sign("sha256", message, { key: privateKey, dsaEncoding: "der" });
    const envelope = {
      payloadType: "text/plain",
      payload: Buffer.from(payload).toString("base64"),
      signatures: [{ keyid, sig: der.toString("base64") }],
    };
    const { stored, signatures } = parse(utf8(JSON.stringify(envelope)));
    assert.equal(signatures[0]?.signature.length, 64);
    assert.ok(hasLowS(signatures[0].signature));
    assert.deepEqual(Buffer.from(parse(stored).stored), Buffer.from(stored));
  }
});

test("keys: JWK both ways, RFC 9679 thumbprints; unsound keys are none", () => {
  const back = fromJwk(toJwk(agent.publicKey));
  assert.equal(back?.keyId, agent.publicKey.keyId);
  assert.deepEqual(Buffer.from(back?.bytes ?? []), Buffer.from(agent.publicKey.bytes));
  const { x } = toJwk(agent.publicKey) as { x: string };
  for (const bad of [
    null,
    "x",
    {},
    { kty: "OKP", crv: "X25519", x },
    { kty: "OKP", crv: "Ed25519", x: `${x}=` },
    { kty: "OKP", crv: "Ed25519", x: "AA" },
    { kty: "OKP", crv: "Ed25519", x: Buffer.alloc(32).toString("base64url") },
    { kty: "EC", crv: "P-256", x, y: x },
    { kty: "EC", crv: "P-384", x, y: x },
  ]) {
    assert.equal(fromJwk(bad as Json), undefined, JSON.stringify(bad));
  }
});
