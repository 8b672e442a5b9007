/** Signed statements: what RFC 9943 asks of their headers, and every way in which one can fail to give it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type ErrorCode, WritError } from "../../src/errors.js";
import { concat } from "../../src/format/bytes.js";
import { artifactsOf } from "../../src/statement/artifacts.js";
import { decodeCbor, encodeCbor } from "../../src/statement/cbor.js";
import { formatHeader } from "../../src/statement/cose.js";
import { thumbprint } from "../../src/statement/key.js";
import { parseStatement } from "../../src/statement/parse.js";
import { formatSign1, sigStructure } from "../../src/statement/sign1.js";
import { attachReceipts, splitTransparent } from "../../src/statement/transparent.js";
import { agent, cose, record } from "../support/log.js";
import { coseClaims, coseHeader, type Label } from "../support/cose-header.js";
import { FUZZ_RUNS } from "../support/runs.js";
import { readJsonVector, without } from "../support/vectors.js";

const parse = (bytes: Uint8Array) => parseStatement(bytes, "cose");
const kid = new Uint8Array(Buffer.from(agent.publicKey.keyId, "hex"));
const claims = coseClaims("urn:example:a");

/** The header of `coseHeader`, about `urn:example:a`. */
const headerOf = (...labels: readonly Label[]): Uint8Array =>
  coseHeader({ keyId: agent.publicKey.keyId, subject: "urn:example:a" }, ...labels);

/** A statement of any parts, with a signature of the right length. */
function statement(
  header: Uint8Array,
  {
    payload = Uint8Array.of(1),
    signature = new Uint8Array(64),
    unprotected = new Map(),
  }: { payload?: Uint8Array | null; signature?: Uint8Array; unprotected?: unknown } = {},
): Uint8Array {
  return formatSign1(header, payload, signature, encodeCbor(unprotected));
}

function refused(bytes: Uint8Array, code: ErrorCode, says: string | RegExp): void {
  try {
    parse(bytes);
  } catch (error) {
    assert.ok(error instanceof WritError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(
      error.message,
      typeof says === "string" ? new RegExp(says.replaceAll(/[[\]()]/g, "\\$&")) : says,
    );
    return;
  }
  assert.fail(`accepted, want ${code}: ${says}`);
}

test("COSE: the labels of a statement, each with what is wanted of it", () => {
  assert.deepEqual(parse(statement(headerOf())).claims, {
    issuer: "https://issuer.example",
    subject: "urn:example:a",
  });
  const bad: readonly (readonly [Label, ErrorCode, string])[] = [
    [[1, -36], "ALGORITHM_UNSUPPORTED", "got -36"],
    [[1, 5], "ALGORITHM_UNSUPPORTED", "got 5"],
    [[1, "EdDSA"], "ALGORITHM_UNSUPPORTED", 'got "EdDSA"'],
    [[1, undefined], "ALGORITHM_UNSUPPORTED", "got none"],
    [[3, -1], "ENVELOPE_INVALID", "protected[3]"],
    [[3, ""], "ENVELOPE_INVALID", "protected[3]"],
    [[4, undefined], "ENVELOPE_INVALID", "protected[4]"],
    [[4, kid.subarray(1)], "ENVELOPE_INVALID", "protected[4]"],
    [[4, "kid"], "ENVELOPE_INVALID", "protected[4]"],
    [[15, undefined], "ENVELOPE_INVALID", "protected[15]"],
    [[15, 1], "ENVELOPE_INVALID", "protected[15]"],
    [[15, new Map([[2, "s"]])], "ENVELOPE_INVALID", "protected[15][1]"],
    [[15, new Map([[1, "i"]])], "ENVELOPE_INVALID", "protected[15][2]"],
    [
      [
        15,
        new Map<unknown, unknown>([
          [1, 1],
          [2, "s"],
        ]),
      ],
      "ENVELOPE_INVALID",
      "protected[15][1]",
    ],
    [
      [
        15,
        new Map([
          [1, ""],
          [2, "s"],
        ]),
      ],
      "ENVELOPE_INVALID",
      "protected[15][1]",
    ],
    [
      [
        15,
        new Map([
          [1, "x".repeat(8193)],
          [2, "s"],
        ]),
      ],
      "ENVELOPE_INVALID",
      "protected[15][1]",
    ],
    [[32, kid], "CERTIFICATES_UNSUPPORTED", "x5bag"],
    [[32, kid], "CERTIFICATES_UNSUPPORTED", "x5bag"],
    [[33, kid], "CERTIFICATES_UNSUPPORTED", "x5chain"],
    [[35, "https://a.example"], "CERTIFICATES_UNSUPPORTED", "x5u"],
    [[35, "https://a.example"], "CERTIFICATES_UNSUPPORTED", "x5u"],
    [[34, [-16, kid]], "CERTIFICATES_UNSUPPORTED", "x5t"],
    [[-111, 1], "ENVELOPE_INVALID", "superseded"],
    [[13, 1], "ENVELOPE_INVALID", "superseded"],
    [[14, claims], "ENVELOPE_INVALID", "superseded"],
    [[391, 1], "ENVELOPE_INVALID", "superseded"],
    [[392, 1], "ENVELOPE_INVALID", "superseded"],
    [[393, new Map()], "ENVELOPE_INVALID", "superseded"],
    [[394, [kid]], "ENVELOPE_INVALID", "no receipts or proofs under the signature"],
    [[396, new Map()], "ENVELOPE_INVALID", "no receipts or proofs under the signature"],
  ];
  for (const [label, code, says] of bad) refused(statement(headerOf(label)), code, says);
  for (const alg of [-19, -8, -7]) assert.ok(parse(statement(headerOf([1, alg]))), `alg ${alg}`);
  assert.equal(parse(statement(headerOf([3, 50]))).contentType, "coap:50");
  assert.ok(parse(statement(headerOf([99, "unknown and not critical"], ["x", 1]))));
});

test("COSE: crit names labels that are understood and there, or the statement is refused", () => {
  assert.ok(parse(statement(headerOf([2, [3]]))));
  assert.ok(parse(statement(headerOf([2, [4, 15]]))));
  for (const crit of [[], [99], [258], [3, "x"], "x", 3, [[3]], null, Array(100).fill(3)])
    refused(statement(headerOf([2, crit])), "ENVELOPE_INVALID", "protected[2]");
  refused(statement(headerOf([2, [99]], [99, 1])), "ENVELOPE_INVALID", "protected[2]");
});

test("COSE: hash envelopes (RFC 9995): a digest of the right length, no content type beside it, all of it signed", () => {
  const digest = new Uint8Array(32).fill(7);
  const hashed = (...labels: readonly Label[]): Uint8Array => headerOf([3, undefined], [258, -16], ...labels);
  const good = parse(
    statement(hashed([259, "text/plain"], [260, "https://a.example/x"]), { payload: digest }),
  );
  assert.deepEqual(good.hashed, {
    algorithm: -16,
    contentType: "text/plain",
    location: "https://a.example/x",
  });
  assert.equal(good.contentType, null);
  assert.deepEqual(artifactsOf(good), [
    { name: "https://a.example/x", digests: new Map([["sha256", "07".repeat(32)]]) },
  ]);
  for (const [algorithm, length] of [
    [-43, 48],
    [-44, 64],
  ] as const) {
    const longer = parse(statement(hashed([258, algorithm]), { payload: new Uint8Array(length) }));
    const name = algorithm === -43 ? "sha384" : "sha512";
    assert.deepEqual(artifactsOf(longer), [{ name: null, digests: new Map([[name, "00".repeat(length)]]) }]);
    const short = statement(hashed([258, algorithm]), { payload: new Uint8Array(length - 1) });
    refused(short, "ENVELOPE_INVALID", `a digest of ${length} bytes`);
  }
  assert.deepEqual(
    artifactsOf(parse(statement(hashed([258, -18])))),
    [],
    "a digest that we have no name for",
  );
  refused(statement(hashed(), { payload: digest.subarray(1) }), "ENVELOPE_INVALID", "a digest of 32 bytes");
  refused(statement(headerOf([258, -16]), { payload: digest }), "ENVELOPE_INVALID", "protected[3]");
  refused(statement(headerOf([3, undefined], [259, "x"])), "ENVELOPE_INVALID", "protected[258]");
  refused(statement(hashed([258, "sha-256"]), { payload: digest }), "ENVELOPE_INVALID", "protected[258]");
  refused(statement(hashed([260, 5]), { payload: digest }), "ENVELOPE_INVALID", "protected[260]");
  for (const label of [2, 258, 259, 260])
    refused(
      statement(headerOf(), { unprotected: new Map([[label, "x"]]) }),
      "ENVELOPE_INVALID",
      `unprotected[${label}]`,
    );
});

test("COSE: what is no COSE_Sign1, has no payload or no signature, is told so", () => {
  const sign1 = (tag: string, parts: unknown): Uint8Array =>
    concat(new Uint8Array(Buffer.from(tag, "hex")), encodeCbor(parts));
  const parts = [headerOf(), new Map(), Uint8Array.of(1), new Uint8Array(64)];
  assert.ok(parse(sign1("d2", parts)));
  const malformed: readonly (readonly [Uint8Array, string])[] = [
    [new Uint8Array(0), "short"],
    [Uint8Array.of(0xd2), "short"],
    [sign1("", parts), "tag 18"],
    [sign1("d1", parts), "tag 18"],
    [sign1("d862", parts), "tag 18"],
    [sign1("d2d2", parts), "an array"],
    [sign1("d9d9f7d2", parts), "tag 18"],
    [sign1("d2", parts.slice(0, 3)), "an array of 4"],
    [sign1("d2", [...parts, 0]), "an array of 4"],
    [sign1("d2", new Map([[1, 2]])), "an array"],
    [sign1("d2", [new Map(), ...parts.slice(1)]), "a byte string"],
    [sign1("d2", [encodeCbor([1]), ...parts.slice(1)]), "a map in the protected header"],
    [sign1("d2", [headerOf(), [], ...parts.slice(2)]), "a map"],
    [sign1("d2", [headerOf(), null, ...parts.slice(2)]), "a map"],
    [sign1("d2", [headerOf(), new Map(), "text", parts[3]]), "the payload"],
    [sign1("d2", [headerOf(), new Map(), Uint8Array.of(1), null]), "the signature"],
    [concat(sign1("d2", parts), Uint8Array.of(0)), "after the end"],
    [sign1("d2", [headerOf(), new Map([[4, kid]]), ...parts.slice(2)]), "one header only"],
    [sign1("d2", [headerOf(["x", 1]), new Map([["x", 2]]), ...parts.slice(2)]), "one header only"],
  ];
  for (const [bytes, says] of malformed) refused(bytes, "ENVELOPE_MALFORMED", says);
  refused(statement(headerOf(), { payload: null }), "PAYLOAD_MISSING", "detached");
  refused(statement(headerOf(), { signature: new Uint8Array(0) }), "SIGNATURE_MISSING", "no bytes");
  refused(statement(headerOf(), { signature: new Uint8Array(63) }), "ENVELOPE_INVALID", "got 63");
  refused(statement(new Uint8Array(0)), "ALGORITHM_UNSUPPORTED", "got none");
  refused(
    statement(headerOf([4, undefined]), { unprotected: new Map([[33, kid]]) }),
    "CERTIFICATES_UNSUPPORTED",
    "x5chain",
  );
});

test("COSE: a deviation inside the protected header is told with its offset in the message", () => {
  const header = (third: string): Uint8Array =>
    new Uint8Array(
      Buffer.from(
        `a401320f${Buffer.from(encodeCbor(claims)).toString("hex")}${third}6174045820${"00".repeat(32)}`,
        "hex",
      ),
    );
  // d2 84 58 xx, then the header; its third key stands after 01 32 0f and the claims.
  const third = 4 + 4 + encodeCbor(claims).length;
  // The order of labels is the signer's; that each is there once, and in its shortest form, is not.
  assert.equal(parse(statement(header("03"))).contentType, "t");
  refused(statement(header("01")), "ENVELOPE_MALFORMED", new RegExp(`twice \\(at byte ${third}\\)`));
  refused(
    statement(header("1803")),
    "ENVELOPE_MALFORMED",
    new RegExp(`shortest form \\(at byte ${third}\\)`),
  );
});

test("COSE: what no reader can tell from a label that is absent is refused, and so are very many labels", () => {
  const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
  for (const label of ["02", "03", "0f"])
    refused(statement(hex(`a2 01 32 ${label} f7`)), "ENVELOPE_MALFORMED", "simple value");
  const many = (count: number): Map<number, number> =>
    new Map(Array.from({ length: count }, (_, i) => [1000 + i, 0]));
  assert.ok(
    parse(
      statement(headerOf(...[...many(60)]), {
        unprotected: new Map([...many(64)].map(([k]) => [`u${k}`, 0])),
      }),
    ),
  );
  const start = performance.now();
  refused(statement(headerOf(...[...many(30_000)])), "ENVELOPE_MALFORMED", "at most 64 keys, got 30004");
  refused(
    statement(headerOf(), { unprotected: many(30_000) }),
    "ENVELOPE_MALFORMED",
    "at most 64 keys, got 30000",
  );
  assert.ok(performance.now() - start < 1000);
});

test("COSE: unprotected junk need only be well-formed, and is not kept", () => {
  const stored = statement(headerOf());
  for (const junk of [
    new Map<unknown, unknown>([[394, [stored]]]),
    new Map<unknown, unknown>([["x", [new Map([[1, [2]]])]]]),
    new Map<unknown, unknown>([[-70_000, null]]),
  ]) {
    const { stored: again } = parse(statement(headerOf(), { unprotected: junk }));
    assert.deepEqual(Buffer.from(again), Buffer.from(stored));
  }
  const dressed = (unprotected: string): Uint8Array =>
    formatSign1(
      headerOf(),
      Uint8Array.of(1),
      new Uint8Array(64),
      new Uint8Array(Buffer.from(unprotected, "hex")),
    );
  assert.ok(parse(dressed("a1186301")), "label 99");
  assert.ok(parse(dressed("a11863c11a514b67b0")), "a tag where nobody reads it");
  for (const junk of [
    "a2186400186300",
    "a2186300186300",
    "bf186300ff",
    "a118631817",
    "a1410000",
    "a1f93e0000",
    "a1f500",
  ])
    assert.deepEqual(
      Buffer.from(parse(dressed(junk)).stored),
      Buffer.from(parse(dressed("a0")).stored),
      junk,
    );
  for (const [junk, says] of [
    [`a11863${"81".repeat(10_000)}00`, "levels"],
    ["bf1863", "indefinite"],
    ["80", "a map"],
    ["b8411863", "at most 64 keys"],
  ] as const)
    refused(dressed(junk.replaceAll(" ", "")), "ENVELOPE_MALFORMED", new RegExp(says));
});

test("COSE: ES256 is taken by its old number and by its new one (RFC 9864), and the bytes are kept as they were signed", () => {
  for (const alg of [-7, -9]) {
    const bytes = statement(headerOf([1, alg]));
    const { signatures, stored } = parse(bytes);
    assert.deepEqual([signatures[0]?.algorithm, Buffer.from(stored)], ["ES256", Buffer.from(bytes)]);
  }
});

test("COSE: the stored form has an empty unprotected header, and gives itself", () => {
  const stored = cose(record({ n: 1 })).bytes;
  const parsed = parse(stored);
  assert.deepEqual(Buffer.from(parsed.stored), Buffer.from(stored));
  const transparent = attachReceipts(stored, []);
  assert.deepEqual(Buffer.from(transparent), Buffer.from(stored));
  assert.deepEqual(splitTransparent(stored).receipts, []);
});

test("COSE: any change of a good statement is a statement or a coded error, and stored forms are stable", () => {
  const seeds = [
    statement(headerOf()),
    statement(headerOf([3, undefined], [258, -16]), { payload: new Uint8Array(32) }),
    cose(record({ n: 2 })).bytes,
    statement(headerOf(), { unprotected: new Map([[394, [Uint8Array.of(1)]]]) }),
  ];
  const edit = fc.tuple(fc.nat(600), fc.nat(255), fc.constantFrom("set", "insert", "remove"));
  fc.assert(
    fc.property(fc.nat(seeds.length - 1), fc.array(edit, { maxLength: 3 }), (which, edits) => {
      let bytes: number[] = [...(seeds[which] ?? [])];
      for (const [at, value, how] of edits) {
        const place = at % bytes.length;
        bytes = bytes.toSpliced(place, how === "insert" ? 0 : 1, ...(how === "remove" ? [] : [value]));
      }
      try {
        const { stored } = parse(Uint8Array.from(bytes));
        assert.deepEqual(Buffer.from(parse(stored).stored), Buffer.from(stored));
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
      }
    }),
    { numRuns: FUZZ_RUNS },
  );
});

interface Golden {
  readonly issuer_pk: string;
  readonly issuer_kid: string;
  readonly s0: { readonly protected: string; readonly payload: string; readonly sig_structure: string };
}

test("COSE: the worked SCITT example has our thumbprint and Sig_structure", {
  skip: without("scitt-golden.json"),
}, () => {
  const golden = readJsonVector("scitt-golden.json") as Golden;
  assert.equal(
    Buffer.from(thumbprint("Ed25519", Buffer.from(golden.issuer_pk, "hex"))).toString("hex"),
    golden.issuer_kid,
  );
  const [header, payload] = [Buffer.from(golden.s0.protected, "hex"), Buffer.from(golden.s0.payload, "hex")];
  assert.equal(Buffer.from(sigStructure(header, payload)).toString("hex"), golden.s0.sig_structure);
});

test("COSE headers as we write them are strict", () => {
  for (const content of ["text/plain", { algorithm: -16, contentType: "text/plain", location: null }]) {
    const header = formatHeader({
      algorithm: "Ed25519",
      content,
      keyId: new Uint8Array(32),
      claims: { issuer: "a", subject: "b", issuedAt: 1_777_636_800 },
    });
    assert.ok(decodeCbor(header) instanceof Map);
  }
});
