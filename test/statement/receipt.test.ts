/** Receipts and transparent statements: byte for byte the worked example, and every hash, number and label refused when it is another. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ed25519Sign } from "#crypto";
import { asHash, consistencyRoot, type Hash, inclusionRoot, leafHash } from "../../merkle/index.js";
import { WritError } from "../../src/errors.js";
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
import { attachReceipts, splitTransparent } from "../../src/statement/transparent.js";
import { FUZZ_RUNS } from "../support/runs.js";
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

test("a receipt that is not one is refused with what was wanted", skip, () => {
  const { receipt } = golden().r0_at_3;
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

test("any bytes are a receipt, a key set and a transparent statement, or a coded error", skip, () => {
  const { r2_at_3: receipt, cose_key_set: set, transparent_s0: transparent } = golden();
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
