import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asHash,
  type Hash,
  leafHash,
  ProofError,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from "../../merkle/index.js";
import { readJsonVector, without } from "../support/vectors.js";

interface Probe {
  readonly desc: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
  readonly [name: string]: unknown;
}

/** "don't care": what a probe says where a hash does not matter. Any 32 bytes do, the same for the same words. */
const PLACEHOLDER = /^ZG9uJ3QgY2FyZ/;

function hash(text: unknown): Hash {
  const words = typeof text === "string" ? text : "";
  if (PLACEHOLDER.test(words)) return leafHash(Buffer.from(words));
  return asHash(new Uint8Array(Buffer.from(words, "base64")));
}

function hashes(probe: Probe): Hash[] {
  return (probe.proof ?? []).map(hash);
}

function n(value: unknown): number {
  return Number(value);
}

const CHECKS: Readonly<Record<string, (p: Probe) => void>> = {
  inclusion: (p) =>
    verifyInclusion(n(p["leafIdx"]), n(p["treeSize"]), hash(p["leafHash"]), hashes(p), hash(p["root"])),
  consistency: (p) =>
    verifyConsistency(n(p["size1"]), n(p["size2"]), hashes(p), hash(p["root1"]), hash(p["root2"])),
  subtreeinclusion: (p) =>
    verifySubtreeInclusion(
      n(p["leafIdx"]),
      n(p["start"]),
      n(p["end"]),
      hash(p["leafHash"]),
      hashes(p),
      hash(p["root"]),
    ),
  subtreeconsistency: (p) =>
    verifySubtreeConsistency(
      n(p["start"]),
      n(p["end"]),
      n(p["size"]),
      hashes(p),
      hash(p["root1"]),
      hash(p["root2"]),
    ),
};

/** A proof that does not hold, or bytes that are no hash. */
function isRefusal(error: unknown): boolean {
  return error instanceof ProofError || error instanceof RangeError;
}

test("the 518 probes of transparency-dev/merkle are accepted and refused as they say", {
  skip: without("merkle-probes"),
}, () => {
  let count = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    for (const [key, probe] of Object.entries(
      readJsonVector(`merkle-probes/${name}.json`) as Record<string, Probe>,
    )) {
      count++;
      if (probe.wantErr) assert.throws(() => check(probe), isRefusal, `${name} ${key}`);
      else assert.doesNotThrow(() => check(probe), `${name} ${key}`);
    }
  }
  assert.equal(count, 518);
});
