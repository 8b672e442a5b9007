/** The two implementations of the crypto seam agree on every input we know of; the edge vectors decide the rule. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import * as native from "../src/crypto/node.js";
import * as portable from "../src/crypto/portable.js";
import { fromDer, hasLowS } from "../src/statement/es256.js";
import { RUNS } from "./support/runs.js";
import { readJsonVector, without } from "./support/vectors.js";

interface EdgeVector {
  readonly number: number;
  readonly key: string;
  readonly sig: string;
  readonly msg: string;
  readonly flags: readonly string[] | null;
}

/** What libsodium's rule refuses: the rest of the flags only say what is odd about a signature that it may accept. */
const FATAL = [
  "low_order_R",
  "low_order_A",
  "non_canonical_A",
  "non_canonical_R",
  "low_order_residue",
  "reencoded_k",
];

test("Ed25519: native and portable give one answer on every edge vector, and it is the rule's", {
  skip: without("ed25519-edge"),
}, () => {
  const vectors = readJsonVector("ed25519-edge/ed25519vectors.json") as EdgeVector[];
  assert.equal(vectors.length, 914);
  let accepted = 0;
  for (const { number, key, sig, msg, flags } of vectors) {
    const [k, s, m] = [Buffer.from(key, "hex"), Buffer.from(sig, "hex"), Buffer.from(msg)];
    const verdict = native.ed25519Verify(s, m, k);
    assert.equal(portable.ed25519Verify(s, m, k), verdict, `vector ${number}`);
    assert.equal(portable.ed25519KeyIsSound(k), native.ed25519KeyIsSound(k), `key of vector ${number}`);
    if ((flags ?? []).some((flag) => FATAL.includes(flag)))
      assert.equal(verdict, false, `vector ${number} ${flags?.join(" ")}`);
    // A key of small or mixed order is refused at registration, whatever its signatures look like.
    if (flags?.includes("low_order_component_A"))
      assert.equal(native.ed25519KeyIsSound(k), false, `key of vector ${number}`);
    if (verdict) accepted++;
  }
  assert.equal(accepted, 43);
});

test("Ed25519: both sign alike, verify each other, and refuse every flipped bit", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(511),
      (seed, message, bit) => {
        const key = native.ed25519PublicKey(seed);
        assert.deepEqual(portable.ed25519PublicKey(seed), key);
        const signature = native.ed25519Sign(message, seed);
        assert.deepEqual(portable.ed25519Sign(message, seed), signature);
        const bad = signature.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        for (const { ed25519Verify } of [native, portable]) {
          assert.equal(ed25519Verify(signature, message, key), true);
          assert.equal(ed25519Verify(bad, message, key), false);
          assert.equal(ed25519Verify(signature.subarray(1), message, key), false);
          assert.equal(ed25519Verify(signature, message, key.subarray(1)), false);
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test("ES256: both accept either s, sign with the low one, and agree on what is a key", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = publicKey.export({ format: "jwk" });
  const key = Buffer.concat([Buffer.from(jwk.x ?? "", "base64url"), Buffer.from(jwk.y ?? "", "base64url")]);
  const secret = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const message = Buffer.from("pay Acme");
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  for (let i = 0; i < 16; i++) {
    const signature = sign("sha256", message, { key: privateKey, dsaEncoding: "ieee-p1363" });
    const s = BigInt(`0x${signature.subarray(32).toString("hex")}`);
    const twin = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from((order - s).toString(16).padStart(64, "0"), "hex"),
    ]);
    assert.notEqual(hasLowS(signature), hasLowS(twin));
    for (const { es256Verifier } of [native, portable]) {
      const verify = es256Verifier(key);
      assert.equal(verify?.(signature, message), true);
      assert.equal(verify?.(twin, message), true);
      assert.equal(verify?.(Buffer.alloc(64), message), false);
      assert.equal(verify?.(signature.subarray(1), message), false);
    }
    assert.equal(hasLowS(native.es256Sign(message, secret)), true);
    const der = fromDer(sign("sha256", message, { key: privateKey, dsaEncoding: "der" }));
    assert.ok(der !== undefined && hasLowS(der));
    assert.equal(native.es256Verifier(key)?.(der, message), true);
  }
  for (const { es256Sign, es256Verifier, es256PublicKey } of [native, portable]) {
    assert.deepEqual(Buffer.from(es256PublicKey(secret)), key);
    assert.equal(native.es256Verifier(key)?.(es256Sign(message, secret), message), true);
    for (const bad of [Buffer.alloc(64), Buffer.alloc(63), Buffer.alloc(64, 0xff), key.subarray(0, 63)]) {
      assert.equal(es256Verifier(bad), undefined);
    }
  }
});

test("hashing and encoding: the two halves of the seam and the textbook agree", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ unit: "grapheme" }), (bytes, text) => {
      const want = createHash("sha256").update(bytes).digest();
      for (const half of [native, portable]) {
        assert.deepEqual(Buffer.from(half.sha256(bytes)), want);
        const out = new Uint8Array(40);
        half.sha256Into(bytes, out, 5);
        assert.deepEqual(Buffer.from(out.subarray(5, 37)), want);
        assert.equal(half.toHex(bytes), Buffer.from(bytes).toString("hex"));
        assert.equal(half.toBase64(bytes), Buffer.from(bytes).toString("base64"));
        assert.deepEqual(Buffer.from(half.fromBase64(half.toBase64(bytes))), Buffer.from(bytes));
        assert.deepEqual(Buffer.from(half.fromHex(half.toHex(bytes))), Buffer.from(bytes));
        assert.deepEqual(Buffer.from(half.utf8(text)), Buffer.from(text));
      }
    }),
    { numRuns: RUNS },
  );
});
