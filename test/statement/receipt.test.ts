/** Receipts and transparent statements: byte for byte the worked example; what others write, what strangers attach, what is none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ed25519Sign, es256PublicKey, es256Sign } from "#crypto";
import { asHash, consistencyRoot, type Hash, inclusionRoot, leafHash } from "../../merkle/index.js";
import { ProofError, WritError } from "../../src/errors.js";
import { concat, utf8 } from "../../src/format/bytes.js";
import { encodeCbor } from "../../src/statement/cbor.js";
import { formatCoseKeySet, parseCoseKeySet } from "../../src/statement/cose-key.js";
import { publicKey } from "../../src/statement/key.js";
import {
  formatConsistencyReceipt,
  formatInclusionReceipt,
  parseReceipt,
  ReceiptHeaders,
  receiptMessage,
} from "../../src/statement/receipt.js";
import { parseStatement } from "../../src/statement/parse.js";
import { formatSign1, readSign1 } from "../../src/statement/sign1.js";
import {
  judgeReceipt,
  serviceOfKeySet,
  verifyConsistencyReceipt,
  verifyReceipt,
} from "../../src/statement/verify-receipt.js";
import { attachReceipts, splitTransparent } from "../../src/statement/transparent.js";
import { FUZZ_RUNS } from "../support/runs.js";
import { example } from "../support/scitt-example.js";
import { readJsonVector, without } from "../support/vectors.js";

interface GoldenReceipt {
  readonly protected: string;
  readonly proof: string;
  readonly root: string;
  readonly sig_structure: string;
  readonly receipt: string;
}

interface Golden {
  readonly ts_seed: string;
  readonly ts_pk: string;
  readonly ts_kid: string;
  readonly cose_key_set: string;
  readonly s0: { readonly signed_statement: string; readonly leaf_hash: string };
  readonly s1: { readonly signed_statement: string; readonly leaf_hash: string };
  readonly s2: { readonly signed_statement: string; readonly leaf_hash: string };
  readonly roots: readonly string[];
  readonly r0_at_1: GoldenReceipt;
  readonly r0_at_3: GoldenReceipt;
  readonly r2_at_3: GoldenReceipt;
  readonly c1_3: GoldenReceipt;
  readonly c2_3: GoldenReceipt;
  readonly transparent_s0: string;
}

const LOG = "https://log.example";
const skip = { skip: without("scitt-golden.json") };
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const hashOf = (text: string): Hash => asHash(bytesOf(text));
const golden = (): Golden => readJsonVector("scitt-golden.json") as Golden;

test("the worked example, made here from its seeds, is the one that is shared", skip, () => {
  const shared = readJsonVector("scitt-golden.json") as Record<string, unknown>;
  for (const [name, value] of Object.entries(example())) {
    const same = shared[name];
    if (typeof value !== "object" || Array.isArray(value)) assert.deepEqual(value, same, name);
    else assert.deepEqual({ ...(same as object), ...value }, same, name);
  }
});

test("the worked example: statements parse, and their leaves are of the bytes as stored", skip, () => {
  const { s0, s1, s2 } = golden();
  for (const { signed_statement: statement, leaf_hash: leaf } of [s0, s1, s2]) {
    const { stored, claims } = parseStatement(bytesOf(statement), "cose");
    assert.equal(hex(stored), statement);
    assert.equal(hex(leafHash(stored)), leaf);
    assert.equal(claims?.issuer, "https://issuer.example");
  }
});

test("the worked example: inclusion receipts of its seeds, byte for byte", skip, () => {
  const { ts_seed: seed, ts_kid: kid, s0, s1, s2, roots, ...receipts } = golden();
  const leaves = [s0, s1, s2].map(({ leaf_hash: leaf }) => hashOf(leaf));
  const [, l1, l2] = leaves as [Hash, Hash, Hash];
  const rootOfTwo = hashOf(roots[1] ?? "");
  const cases = [
    ["urn:example:action:0", { size: 1, index: 0, hashes: [] }, receipts.r0_at_1],
    ["urn:example:action:0", { size: 3, index: 0, hashes: [l1, l2] }, receipts.r0_at_3],
    ["urn:example:action:2", { size: 3, index: 2, hashes: [rootOfTwo] }, receipts.r2_at_3],
  ] as const;
  for (const [subject, proof, want] of cases) {
    const header = new ReceiptHeaders(kid, LOG).about(subject);
    assert.equal(hex(header), want.protected);
    const root = inclusionRoot(proof.index, proof.size, leaves[proof.index] as Hash, proof.hashes);
    assert.equal(hex(root), want.root);
    assert.equal(hex(receiptMessage(header, root)), want.sig_structure);
    const signature = ed25519Sign(receiptMessage(header, root), bytesOf(seed));
    const receipt = formatInclusionReceipt(header, proof, signature);
    assert.equal(hex(receipt), want.receipt);
    const read = parseReceipt(receipt);
    assert.deepEqual(
      read.inclusion,
      [proof].map(({ hashes, ...rest }) => ({ ...rest, hashes: [...hashes] })),
    );
    assert.deepEqual([read.issuer, read.subject, read.algorithm], [LOG, subject, "Ed25519"]);
  }
});

test("the worked example: consistency receipts, byte for byte", skip, () => {
  const { ts_seed: seed, ts_kid: kid, roots, s1, s2, c1_3, c2_3 } = golden();
  const cases = [
    [{ from: 1, to: 3, hashes: [hashOf(s1.leaf_hash), hashOf(s2.leaf_hash)] }, c1_3],
    [{ from: 2, to: 3, hashes: [hashOf(s2.leaf_hash)] }, c2_3],
  ] as const;
  for (const [proof, want] of cases) {
    const header = new ReceiptHeaders(kid, LOG).about(LOG);
    const root = consistencyRoot(proof.from, proof.to, proof.hashes, hashOf(roots[proof.from - 1] ?? ""));
    assert.equal(hex(root), want.root);
    const signature = ed25519Sign(receiptMessage(header, root), bytesOf(seed));
    const receipt = formatConsistencyReceipt(header, proof, signature);
    assert.equal(hex(receipt), want.receipt);
    assert.deepEqual(parseReceipt(receipt).consistency[0]?.to, 3);
  }
});

test(
  "the worked example: the transparent statement, attached and taken apart again; the key set",
  skip,
  () => {
    const { s0, r0_at_3: receipt, transparent_s0: transparent, cose_key_set: set, ts_pk: pk } = golden();
    const statement = bytesOf(s0.signed_statement);
    const attached = attachReceipts(statement, [bytesOf(receipt.receipt)]);
    assert.equal(hex(attached), transparent);
    assert.equal(hex(attachReceipts(attached, [bytesOf(receipt.receipt)])), transparent, "once is enough");
    const parts = splitTransparent(attached);
    assert.equal(hex(parts.statement), s0.signed_statement);
    assert.deepEqual(parts.receipts.map(hex), [receipt.receipt]);
    assert.equal(hex(parseStatement(attached, "cose").stored), s0.signed_statement);
    const key = publicKey("Ed25519", bytesOf(pk));
    assert.ok(key);
    assert.equal(hex(formatCoseKeySet([key])), set);
    const [read] = parseCoseKeySet(bytesOf(set));
    assert.equal(read?.key.keyId, key.keyId);
    assert.equal(hex(read?.kid ?? new Uint8Array()), key.keyId);
  },
);

test("a receipt that is not one is refused with what was wanted", () => {
  const { receipt } = example().r0_at_3;
  const changed = (from: string, to: string): string => {
    assert.ok(receipt.includes(from), from);
    return receipt.replace(from, to);
  };
  const bad: readonly (readonly [string, string])[] = [
    ["", "short"],
    [receipt.slice(2), "tag 18"],
    [`${receipt}00`, "after the end"],
    [changed("19018b01", "19018b02"), "RFC9162_SHA256"],
    [changed("19018ca120", "19018ca122"), "inclusion"],
    [changed("19018ca120", "19018da120"), "396"],
    [changed("815848", "825848"), "short"],
    [changed("83030082", "84030082"), "array of 3"],
    [changed("83030082", "83030081"), "after the end"],
    [changed("83030082", "83200082"), "number of the proof"],
  ];
  for (const [text, want] of bad)
    assert.throws(
      () => parseReceipt(bytesOf(text)),
      (error) =>
        error instanceof WritError && error.code === "RECEIPT_MALFORMED" && error.message.includes(want),
      want,
    );
});

/** Receipts of any shape, signed by the example's service: what other services might write, and what strangers attach. */
function receiptOf(
  seed: string,
  root: Hash,
  {
    header,
    proofs,
    payload = null,
  }: { header: Map<unknown, unknown>; proofs: unknown; payload?: Uint8Array | null },
): Uint8Array {
  const protectedBytes = encodeCbor(header);
  const signature = ed25519Sign(receiptMessage(protectedBytes, root), bytesOf(seed));
  return formatSign1(protectedBytes, payload, signature, encodeCbor(new Map([[396, proofs]])));
}

test("strangers' receipts spoil nothing; what a pinned key names and does not hold does", () => {
  const { ts_seed: seed, ts_kid: kid, cose_key_set: set, s0, s1, s2, roots, r0_at_3: good } = example();
  const statement = bytesOf(s0.signed_statement);
  const pinned = serviceOfKeySet(bytesOf(set), LOG);
  const path = [s1, s2].map(({ leaf_hash: leaf }) => bytesOf(leaf));
  const inclusion = new Map([[-1, [encodeCbor([3, 0, path])]]]);
  const root = hashOf(roots[2] ?? "");
  const header = (...more: [unknown, unknown][]): Map<unknown, unknown> =>
    new Map<unknown, unknown>([
      [1, -8],
      [4, bytesOf(kid)],
      [
        15,
        new Map([
          [1, LOG],
          [2, "s"],
        ]),
      ],
      [395, 1],
      ...more,
    ]);
  const headerWithout = (label: number): Map<unknown, unknown> => {
    const map = header();
    map.delete(label);
    return map;
  };
  const make = (
    of: Map<unknown, unknown>,
    proofs: unknown = inclusion,
    at: Hash = root,
    payload: Uint8Array | null = null,
  ) => receiptOf(seed, at, { header: of, proofs, payload });
  const wrongRoot = hashOf(roots[1] ?? "");
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ["the example's", bytesOf(good.receipt), "verified"],
    ["of our making", make(header()), "verified"],
    ["-19", make(header([1, -19])), "verified"],
    ["without a kid", make(headerWithout(4)), "verified"],
    ["the root attached", make(header(), inclusion, root, root), "verified"],
    [
      "the same proof twice",
      make(header(), new Map([[-1, [encodeCbor([3, 0, path]), encodeCbor([3, 0, path])]]])),
      "verified",
    ],
    ["another root attached", make(header(), inclusion, root, wrongRoot), "invalid"],
    ["another root signed", make(header(), inclusion, wrongRoot), "invalid"],
    [
      "a path that is too short",
      make(header(), new Map([[-1, [encodeCbor([3, 0, path.slice(1)])]]])),
      "invalid",
    ],
    [
      "two proofs, two roots",
      make(header(), new Map([[-1, [encodeCbor([3, 0, path]), encodeCbor([2, 0, path.slice(1)])]]])),
      "invalid",
    ],
    ["without a kid, and broken", make(headerWithout(4), inclusion, wrongRoot), "unknown"],
    ["by another kid", make(header([4, utf8("other")])), "unknown"],
    [
      "under another URL",
      make(
        header([
          15,
          new Map([
            [1, "https://evil.example"],
            [2, "s"],
          ]),
        ]),
      ),
      "unknown",
    ],
    ["by an algorithm that is not ours", make(header([1, -35])), "unknown"],
    ["of another profile", make(header([395, 2])), "unknown"],
    ["of an unknown critical label", make(header([2, [99]], [99, 1])), "unknown"],
    ["of critical claims", make(header([2, [15]])), "unknown"],
    ["of consistency", make(header(), new Map([[-2, [encodeCbor([1, 3, path])]]])), "unknown"],
    ["of both kinds", make(header(), new Map([...inclusion, [-2, [encodeCbor([1, 3, path])]]])), "unknown"],
    ["of no proof", make(header(), new Map([[-1, []]])), "unknown"],
    [
      "of too many proofs",
      make(header(), new Map([[-1, Array(64).fill(encodeCbor([3, 0, path]))]])),
      "unknown",
    ],
    [
      "of too long a path",
      make(header(), new Map([[-1, [encodeCbor([3, 0, Array(64).fill(path[0])])]]])),
      "unknown",
    ],
    [
      "of a short hash",
      make(header(), new Map([[-1, [encodeCbor([3, 0, [path[0]?.subarray(1), path[1]]])]]])),
      "unknown",
    ],
    [
      "of a proof with more behind it",
      make(header(), new Map([[-1, [concat(encodeCbor([3, 0, path]), bytesOf("00"))]]])),
      "unknown",
    ],
    ["with a short payload", make(header(), inclusion, root, root.subarray(1)), "unknown"],
    ["junk", utf8("junk"), "unknown"],
  ];
  for (const [what, receipt, outcome] of cases) {
    assert.equal(judgeReceipt(statement, receipt, [pinned]).outcome, outcome, what);
    if (outcome === "verified") assert.ok(verifyReceipt(statement, receipt, [pinned]));
    else assert.throws(() => verifyReceipt(statement, receipt, [pinned]), Error, what);
  }
  const elsewhere = serviceOfKeySet(bytesOf(set), "https://b.example");
  for (const services of [
    [elsewhere, pinned],
    [elsewhere, { ...pinned, url: null }],
  ])
    assert.equal(
      judgeReceipt(statement, bytesOf(good.receipt), services).outcome,
      "verified",
      "whichever is pinned first",
    );
  assert.equal(judgeReceipt(statement, bytesOf(good.receipt), [elsewhere]).outcome, "unknown");
});

test("every byte of a receipt changed: it is not verified, or it says the same root of the same statement", () => {
  const made = example();
  const pinned = [serviceOfKeySet(bytesOf(made.cose_key_set), LOG)];
  const cases = [
    [made.s0, made.r0_at_1, made.roots[0]],
    [made.s0, made.r0_at_3, made.roots[2]],
    [made.s2, made.r2_at_3, made.roots[2]],
  ] as const;
  for (const [{ signed_statement: statement }, { receipt: text }, root] of cases) {
    const receipt = bytesOf(text);
    for (let at = 0; at < receipt.length; at++)
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const bent = receipt.slice();
        bent[at] = (bent[at] ?? 0) ^ bit;
        const judged = judgeReceipt(bytesOf(statement), bent, pinned);
        // The size and the place are not under the signature, and may be rewritten where the path has the same shape.
        if (judged.outcome === "verified")
          assert.equal(hex(judged.receipt.root), root, `byte ${at}, bit ${bit}`);
      }
    for (let at = 0; at < statement.length / 2; at++) {
      const bent = bytesOf(statement);
      bent[at] = (bent[at] ?? 0) ^ 1;
      assert.notEqual(judgeReceipt(bent, receipt, pinned).outcome, "verified", `statement byte ${at}`);
    }
  }
});

test("ES256 receipts and key sets of other services, in any order of labels, with keys that are not ours among them", () => {
  const { s0 } = example();
  const secret = new Uint8Array(32).fill(5);
  const key = publicKey("ES256", es256PublicKey(secret)) ?? assert.fail("a key");
  const statement = bytesOf(s0.signed_statement);
  // kid, alg, vds, claims: the order of the draft's own example.
  const header = bytesOf(`a4 0443010203 01 28 19018b 01 0f a2 01 6162 02 6173`.replaceAll(" ", ""));
  const root = leafHash(statement);
  const signature = es256Sign(receiptMessage(header, root), secret);
  const receipt = formatInclusionReceipt(header, { size: 1, index: 0, hashes: [] }, signature);
  const own = new Map<unknown, unknown>([
    [1, 2],
    [2, Uint8Array.of(1, 2, 3)],
    [-1, 1],
    [-2, key.bytes.subarray(0, 32)],
    [-3, key.bytes.subarray(32)],
  ]);
  const p384 = new Map<unknown, unknown>([
    [1, 2],
    [-1, 2],
    [-2, new Uint8Array(48)],
    [-3, new Uint8Array(48)],
  ]);
  const tagged = bytesOf("a1 01 d864 00".replaceAll(" ", ""));
  const set = concat(bytesOf("83"), encodeCbor(p384), tagged, encodeCbor(own));
  assert.ok(verifyReceipt(statement, receipt, [serviceOfKeySet(set)]), "-9 is ES256 by another name");
  const signOnly = encodeCbor(new Map<unknown, unknown>([...own, [4, [1]]]));
  assert.throws(
    () => serviceOfKeySet(signOnly),
    (error) => error instanceof WritError && error.code === "COSE_KEY_MALFORMED",
  );
  assert.ok(serviceOfKeySet(encodeCbor(new Map<unknown, unknown>([...own, [4, [2]]]))));
  for (const bad of ["", "80", "f6", "82", "a0", "8101"])
    assert.throws(
      () => parseCoseKeySet(bytesOf(bad)),
      (error) => error instanceof WritError && error.code === "COSE_KEY_MALFORMED",
      bad,
    );
});

test("key sets: an alg that is not the key's, a coordinate that is short; a kid may be text", () => {
  const [okp] = parseCoseKeySet(bytesOf(example().cose_key_set));
  const x = okp?.key.bytes ?? assert.fail("a key");
  const keyWith = (...labels: [unknown, unknown][]): Uint8Array =>
    encodeCbor(new Map<unknown, unknown>([[1, 1], [-1, 6], [-2, x], ...labels]));
  assert.deepEqual(parseCoseKeySet(keyWith([2, "kid"]))[0]?.kid, utf8("kid"));
  assert.equal(parseCoseKeySet(keyWith())[0]?.kid, null);
  for (const bad of [
    keyWith([3, -7]),
    keyWith([-2, x.subarray(1)]),
    keyWith([-1, 7]),
    keyWith([1, 2]),
    keyWith([-2, new Uint8Array(32)]),
  ])
    assert.throws(
      () => parseCoseKeySet(bad),
      (error) => error instanceof WritError && error.code === "COSE_KEY_MALFORMED",
    );
});

test("attaching keeps what else is beside the signature, in order, and stops at 64 receipts", () => {
  const { s0, r0_at_3: receipt } = example();
  const { protected: header, payload, signature } = readSign1(bytesOf(s0.signed_statement));
  const dressed = (unprotected: unknown): Uint8Array =>
    formatSign1(header.bytes, payload, signature, encodeCbor(unprotected));
  const others = [
    [5, "a"],
    [1000, "b"],
    ["tool", 1],
  ] as const;
  const attached = attachReceipts(dressed(new Map<unknown, unknown>(others)), [bytesOf(receipt.receipt)]);
  assert.equal(
    hex(attached),
    hex(dressed(new Map<unknown, unknown>([...others, [394, [bytesOf(receipt.receipt)]]]))),
  );
  const many = Array.from({ length: 65 }, (_, i) => Uint8Array.of(i));
  assert.equal(splitTransparent(attachReceipts(dressed(new Map()), many.slice(1))).receipts.length, 64);
  const invalid = (error: unknown): boolean =>
    error instanceof WritError && error.code === "ENVELOPE_INVALID";
  assert.throws(() => attachReceipts(dressed(new Map()), many), invalid);
  assert.throws(() => splitTransparent(dressed(new Map([[394, many]]))), invalid);
  assert.throws(() => splitTransparent(dressed(new Map([[394, []]]))), invalid);
  assert.throws(() => attachReceipts(utf8("{}"), []), /got what begins as JSON/);
});

test("a statement whose header is another service's business gives its receipts all the same", () => {
  const { r0_at_3: receipt } = example();
  // x5u with its tag, a date as a whole float, and an integer in its long form, all under somebody's signature.
  const header = bytesOf("a3 1823 d820 6161 06 f93c00 01 1826".replaceAll(" ", ""));
  const statement = formatSign1(header, utf8("x"), new Uint8Array(64));
  const transparent = attachReceipts(statement, [bytesOf(receipt.receipt)]);
  assert.deepEqual(splitTransparent(transparent).receipts.map(hex), [receipt.receipt]);
  assert.equal(hex(splitTransparent(transparent).statement), hex(statement));
});

test("consistency: every proof from the root that is held is tried, for the service that is pinned", () => {
  const { ts_seed: seed, ts_kid: kid, cose_key_set: set, s2, roots, c2_3: good } = example();
  const older = { size: 2, root: hashOf(roots[1] ?? "") };
  const pinned = [serviceOfKeySet(bytesOf(set), LOG)];
  assert.equal(hex(verifyConsistencyReceipt(bytesOf(good.receipt), older, pinned).root), roots[2]);
  const header = new Map<unknown, unknown>([
    [1, -8],
    [4, bytesOf(kid)],
    [
      15,
      new Map([
        [1, LOG],
        [2, LOG],
      ]),
    ],
    [395, 1],
  ]);
  const proofs = new Map([[-2, [encodeCbor([2, 2, []]), encodeCbor([2, 3, [bytesOf(s2.leaf_hash)]])]]]);
  const several = receiptOf(seed, hashOf(roots[2] ?? ""), { header, proofs });
  assert.equal(verifyConsistencyReceipt(several, older, pinned).size, 3);
  for (const [receipt, held, services] of [
    [good.receipt, { ...older, root: hashOf(roots[0] ?? "") }, pinned],
    [good.receipt, { ...older, size: 1 }, pinned],
    [good.receipt, older, [serviceOfKeySet(bytesOf(set), "https://evil.example")]],
    [example().r0_at_3.receipt, older, pinned],
  ] as const)
    assert.throws(() => verifyConsistencyReceipt(bytesOf(receipt), held, services), ProofError);
});

test("a receipt about the longest subject that an entry can have is read again", () => {
  const header = new ReceiptHeaders("ab".repeat(32), LOG).about("s".repeat(65_400));
  const hashes = Array.from({ length: 53 }, () => asHash(new Uint8Array(32)));
  const receipt = formatInclusionReceipt(header, { size: 2 ** 53 - 1, index: 0, hashes }, new Uint8Array(64));
  assert.equal(parseReceipt(receipt).subject?.length, 65_400);
});

test("any bytes are a receipt, a key set and a transparent statement, or a coded error", () => {
  const { r2_at_3: receipt, cose_key_set: set, transparent_s0: transparent } = example();
  const seeds = [receipt.receipt, set, transparent].map(bytesOf);
  const edit = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "remove"));
  const readers = [parseReceipt, parseCoseKeySet, splitTransparent];
  fc.assert(
    fc.property(fc.nat(2), fc.nat(2), fc.array(edit, { maxLength: 3 }), (seed, reader, edits) => {
      let bytes: number[] = [...(seeds[seed] ?? [])];
      for (const [at, value, how] of edits)
        bytes = bytes.toSpliced(
          at % bytes.length,
          how === "insert" ? 0 : 1,
          ...(how === "remove" ? [] : [value]),
        );
      try {
        readers[reader]?.(Uint8Array.from(bytes));
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
      }
    }),
    { numRuns: FUZZ_RUNS },
  );
});
