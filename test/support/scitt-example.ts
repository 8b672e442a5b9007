/**
 * The worked SCITT example, made here from its two seeds: three statements, their tree, receipts, a transparent statement, a
 * key set, all as hex. Where the shared vectors are, a test holds it against them byte for byte.
 */
import assert from "node:assert/strict";
import { ed25519PublicKey, ed25519Sign } from "#crypto";
import { asHash, leafHash, nodeHash } from "../../merkle/index.js";
import { fromHex, utf8 } from "../../src/format/bytes.js";
import { encodeCbor } from "../../src/statement/cbor.js";
import { formatCoseKeySet } from "../../src/statement/cose-key.js";
import { publicKey } from "../../src/statement/key.js";
import {
  formatConsistencyReceipt,
  formatInclusionReceipt,
  ReceiptHeaders,
  receiptMessage,
} from "../../src/statement/receipt.js";
import { formatSign1, sigStructure } from "../../src/statement/sign1.js";
import { attachReceipts } from "../../src/statement/transparent.js";

export const EXAMPLE_LOG = "https://log.example";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const [issuerSeed, serviceSeed] = [new Uint8Array(32).fill(0x11), new Uint8Array(32).fill(0x22)];

function keyOf(seed: Uint8Array) {
  return publicKey("Ed25519", ed25519PublicKey(seed)) ?? assert.fail("a key");
}

function statement(n: number): Uint8Array {
  const header = encodeCbor(
    new Map<unknown, unknown>([
      [1, -8],
      [3, "application/json"],
      [4, fromHex(keyOf(issuerSeed).keyId)],
      [
        15,
        new Map([
          [1, "https://issuer.example"],
          [2, `urn:example:action:${n}`],
        ]),
      ],
    ]),
  );
  const payload = utf8(`{"n":${n}}`);
  return formatSign1(header, payload, ed25519Sign(sigStructure(header, payload), issuerSeed));
}

export function example() {
  const service = keyOf(serviceSeed);
  const statements = [0, 1, 2].map(statement);
  const [l0, l1, l2] = statements.map(leafHash);
  assert.ok(l0 && l1 && l2);
  const roots = [l0, nodeHash(l0, l1), nodeHash(nodeHash(l0, l1), l2)] as const;
  const headers = new ReceiptHeaders(service.keyId, EXAMPLE_LOG);
  const sign = (header: Uint8Array, size: number): Uint8Array =>
    ed25519Sign(receiptMessage(header, asHash(roots[size - 1] ?? l0)), serviceSeed);
  const inclusion = (index: number, size: number, hashes: (typeof l0)[]): string => {
    const header = headers.about(`urn:example:action:${index}`);
    return hex(formatInclusionReceipt(header, { index, size, hashes }, sign(header, size)));
  };
  const consistency = (from: number, hashes: (typeof l0)[]): string => {
    const header = headers.about(EXAMPLE_LOG);
    return hex(formatConsistencyReceipt(header, { from, to: 3, hashes }, sign(header, 3)));
  };
  const [s0, s1, s2] = statements.map((one) => ({
    signed_statement: hex(one),
    leaf_hash: hex(leafHash(one)),
  }));
  assert.ok(s0 && s1 && s2);
  const r0AtThree = inclusion(0, 3, [l1, l2]);
  return {
    ts_seed: hex(serviceSeed),
    ts_pk: hex(service.bytes),
    ts_kid: service.keyId,
    cose_key_set: hex(formatCoseKeySet([service])),
    s0,
    s1,
    s2,
    roots: roots.map(hex),
    r0_at_1: { receipt: inclusion(0, 1, []) },
    r0_at_3: { receipt: r0AtThree },
    r2_at_3: { receipt: inclusion(2, 3, [roots[1]]) },
    c1_3: { receipt: consistency(1, [l1, l2]) },
    c2_3: { receipt: consistency(2, [l2]) },
    transparent_s0: hex(
      attachReceipts(statements[0] ?? new Uint8Array(0), [fromHex(r0AtThree) ?? new Uint8Array(0)]),
    ),
  };
}
