/** Proof files and policies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leafHash } from "../../merkle/index.js";
import { WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { formatPolicy, parsePolicy, quorumMet } from "../../src/format/policy.js";
import { formatTlogProof, parseTlogProof } from "../../src/format/tlog-proof.js";
import {
  ED25519,
  ED25519_COSIGNATURE,
  ML_DSA_44,
  formatVerifierKey,
  signingKey,
  verifierKey,
} from "../../src/format/vkey.js";

const refuses = (code: string) => (error: unknown) => error instanceof WritError && error.code === code;

function vkey(name: string, n: number, type: 1 | 4 = ED25519_COSIGNATURE): string {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, n + 1);
  return formatVerifierKey(verifierKey(name, type, signingKey(name, seed).publicKey));
}

const LOG = vkey("log.example", 0, ED25519);
const [W1 = "", W2 = "", W3 = ""] = [1, 2, 3].map((n) => vkey(`w${n}.example`, n));

test("policies: the specification's shape, comments, tabs and nested groups", () => {
  const policy = parsePolicy(
    utf8(
      `# ours\n\nlog ${LOG}\thttps://log.example/\n  witness X1 ${W1}\nwitness X2 ${W2} https://w2.example/\nwitness Y ${W3}\n\t# more\ngroup X 2 X1 X2\ngroup all-of-it all X Y\nquorum all-of-it\n`,
    ),
  );
  assert.deepEqual(
    policy.logs.map(({ url }) => url),
    ["https://log.example/"],
  );
  assert.deepEqual(
    policy.witnesses.map(({ name, url }) => [name, url]),
    [
      ["X1", null],
      ["X2", "https://w2.example/"],
      ["Y", null],
    ],
  );
  assert.equal(quorumMet(policy, new Set(["X1", "X2", "Y"])), true);
  for (const signed of [[], ["X1", "Y"], ["X1", "X2"], ["Y"], ["all-of-it-not"]])
    assert.equal(quorumMet(policy, new Set(signed)), false);
  const written = formatPolicy(policy);
  assert.deepEqual(parsePolicy(written), policy);
  assert.deepEqual(formatPolicy(parsePolicy(written)), written);
});

test("policies: any, all, k, a lone witness, none", () => {
  const base = `log ${LOG}\nwitness A ${W1}\nwitness B ${W2}\n`;
  const met = (rest: string, ...signed: string[]) =>
    quorumMet(parsePolicy(utf8(base + rest)), new Set(signed));
  assert.equal(met("group g any A B\nquorum g\n", "B"), true);
  assert.equal(met("group g any A B\nquorum g\n"), false);
  assert.equal(met("group g all A B\nquorum g\n", "B"), false);
  assert.equal(met("group g 1 A\nquorum g\n", "A"), true);
  assert.equal(met("quorum A\n", "A"), true);
  assert.equal(met("quorum A\n", "B"), false);
  assert.equal(met("quorum none\n"), true);
  assert.equal(parsePolicy(utf8("quorum none\n")).logs.length, 0);
});

test("policies: 32 of each and a UTF-8 name that is not the Kelvin sign's twin", () => {
  const lines: string[] = [];
  for (let i = 0; i < 32; i++)
    lines.push(
      `log ${vkey(`l${i}.example`, 100 + i, ED25519)}`,
      `witness w${i} ${vkey(`w${i}.example`, 200 + i)}`,
    );
  for (let i = 0; i < 32; i++) lines.push(`group g${i} any w${i}`);
  lines.push("quorum g31");
  assert.equal(parsePolicy(utf8(`${lines.join("\n")}\n`)).groups.length, 32);
  const kelvin = parsePolicy(utf8(`witness K ${W1}\nwitness \u212a ${W2}\nquorum \u212a\n`));
  assert.equal(kelvin.witnesses.length, 2);
});

test("policies: each broken rule is refused with its line", () => {
  const base = `log ${LOG}\nwitness A ${W1}\nwitness B ${W2}\n`;
  for (const bad of [
    "",
    base,
    `${base}quorum A\nquorum A\n`,
    `${base}quorum C\n`,
    `quorum A\n${base}`,
    `${base}witness A ${W3}\nquorum none\n`,
    `${base}witness C ${W1}\nquorum none\n`,
    `log ${LOG}\nlog ${LOG}\nquorum none\n`,
    `${base}group A any B\nquorum none\n`,
    `${base}group g any C\nquorum g\n`,
    `${base}group g any\nquorum g\n`,
    `${base}group g 0 A\nquorum g\n`,
    `${base}group g 3 A B\nquorum g\n`,
    `${base}group g 01 A\nquorum g\n`,
    `${base}group g some A\nquorum g\n`,
    `${base}group g any A A\nquorum g\n`,
    `${base}group g any A\ngroup h any A\nquorum g\n`,
    `${base}group none any A\nquorum none\n`,
    `${base}group g any none\nquorum g\n`,
    `${base}witness none ${W3}\nquorum none\n`,
    `${base}vitness C ${W3}\nquorum none\n`,
    `${base}quorum none # why\n`,
    `${base}\rquorum none\n`,
    `${base}\0quorum none\n`,
    `witness A ${vkey("w", 9, ED25519)}\nquorum none\n`,
    `log ${W1}\nquorum none\n`,
    `witness A ${W1} url more\nquorum none\n`,
    `witness A nonsense\nquorum none\n`,
    `quorum\n`,
  ]) {
    assert.throws(() => parsePolicy(utf8(bad)), refuses("POLICY_MALFORMED"), JSON.stringify(bad));
  }
});

const note = utf8("log.example\n3\nAAAA\n\n— log.example AAAAAAAA\n");
const [a, b] = [leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))];

test("proof files: with and without extra, with and without hashes, both ways", () => {
  for (const extra of [null, Uint8Array.of(1, 2, 3), new Uint8Array(0)]) {
    for (const hashes of [[], [a], [a, b]]) {
      const bytes = formatTlogProof({ extra, index: 7, hashes, checkpoint: note });
      const parsed = parseTlogProof(bytes);
      assert.equal(parsed.index, 7);
      assert.equal(parsed.hashes.length, hashes.length);
      assert.deepEqual(Buffer.from(formatTlogProof(parsed)), Buffer.from(bytes));
    }
  }
});

test("proof files that are not exactly what we would write are refused", () => {
  const good = Buffer.from(
    formatTlogProof({ extra: Uint8Array.of(1), index: 7, hashes: [a], checkpoint: note }),
  ).toString();
  const hash = Buffer.from(a).toString("base64");
  for (const bad of [
    "",
    good.replace("@v1", "@v2"),
    good.replace("index 7", "index 07"),
    good.replace("index 7", "index -7"),
    good.replace("index 7", "index 9007199254740992"),
    good.replace("index 7\n", ""),
    good.replace("extra AQ==", "extra AR=="),
    good.replace("extra AQ==\n", "extra AQ==\nextra AQ==\n"),
    good.replace(hash, hash.slice(0, -1)),
    good.replace(hash, "AAAA"),
    good.replace(hash, ` ${hash}`),
    good.replace("\n\n", "\n"),
    good.replace("\n", "\r\n"),
    good.slice(0, good.indexOf("\n\n") + 2),
    good.replace(`${hash}\n`, `${hash}\n`.repeat(64)),
  ]) {
    assert.throws(
      () => parseTlogProof(utf8(bad)),
      refuses("PROOF_MALFORMED"),
      JSON.stringify(bad.slice(0, 120)),
    );
  }
});

test("policies as an editor may leave them: a carriage return and a byte order mark are told by name; one key may be a log's and a witness's", () => {
  const said = (bytes: Uint8Array): string => {
    try {
      parsePolicy(bytes);
      return "";
    } catch (error) {
      return String(error);
    }
  };
  assert.match(said(utf8("quorum none\r\n")), /line 1: a carriage return/);
  assert.match(said(utf8("\ufeffquorum none\n")), /line 1: a byte order mark/);
  const both = signingKey("both.example", new Uint8Array(32).fill(44), ML_DSA_44);
  const line = formatVerifierKey(both);
  assert.equal(parsePolicy(utf8(`log ${line}\nwitness W ${line}\nquorum W\n`)).witnesses.length, 1);
  assert.match(said(utf8(`witness W ${line}\nwitness V ${line}\nquorum W\n`)), /listed twice/);
});
