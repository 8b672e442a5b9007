/** What travels between logs and witnesses: requests, lists of logs, cosignatures of both kinds, evidence. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asHash, emptyRoot, leafHash } from "../../merkle/index.js";
import { ProofError, WritError } from "../../src/errors.js";
import { concat, utf8 } from "../../src/format/bytes.js";
import {
  cosign,
  cosignSubtree,
  signCheckpoint,
  verifyLine,
  verifySubtreeLine,
} from "../../src/format/cosignature.js";
import { forkEvidence, formatEvidence, looksLikeEvidence, parseEvidence } from "../../src/format/evidence.js";
import { formatListedLog, parseLogList } from "../../src/format/log-list.js";
import {
  formatSignatureLine,
  parseNote,
  parseSignatureLines,
  withSignatures,
} from "../../src/format/note.js";
import {
  formatAddCheckpoint,
  formatSignSubtree,
  parseAddCheckpoint,
  parseSignSubtree,
  parseSizeBody,
} from "../../src/format/proof-request.js";
import {
  ED25519_COSIGNATURE,
  formatSigningKey,
  formatVerifierKey,
  ML_DSA_44,
  parseSigningKey,
  type SigningKey,
  parseVerifierKey,
  signingKey,
} from "../../src/format/vkey.js";

const refuses = (code: string) => (error: unknown) => error instanceof WritError && error.code === code;
const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const log = signingKey("log.example/a", seed(1));
const w4 = signingKey("witness.example/w", seed(2), ED25519_COSIGNATURE);
const w6 = signingKey("witness.example/w", seed(3), ML_DSA_44);
const H = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=";
const checkpoint = { origin: log.name, size: 7, root: leafHash(utf8("x")), extensions: [] };
const note = signCheckpoint(checkpoint, log);
const { text } = parseNote(note);

test("add-checkpoint: what is parsed is written back byte for byte", () => {
  for (const [oldSize, count] of [
    [0, 0],
    [20852014, 4],
    [1, 63],
  ] as const) {
    const body = concat(utf8(`old ${oldSize}\n${`${H}\n`.repeat(count)}\n`), note);
    const parsed = parseAddCheckpoint(body);
    assert.deepEqual([parsed.oldSize, parsed.hashes.length], [oldSize, count]);
    assert.deepEqual(Buffer.from(formatAddCheckpoint(parsed)), Buffer.from(body));
  }
});

test("add-checkpoint: everything else is REQUEST_MALFORMED", () => {
  const bad = {
    "no bytes": "",
    "no empty line": "old 1\n",
    "another word": "new 1\n\nx\n",
    "no size": "old\n\nx\n",
    "two sizes": "old 1 2\n\nx\n",
    "a leading zero": "old 01\n\nx\n",
    "a sign": "old -1\n\nx\n",
    "beyond 2^53": "old 9007199254740992\n\nx\n",
    "two spaces": "old  1\n\nx\n",
    "a carriage return": "old 1\r\n\r\nx\n",
    "base64 without padding": `old 1\n${H.slice(0, -1)}\n\nx\n`,
    base64url: `old 1\n${H.replace("+", "-").replace("P", "_")}\n\nx\n`,
    "a hash of 31 bytes": `old 1\n${Buffer.alloc(31).toString("base64")}\n\nx\n`,
    "trailing bits": `old 1\n${H.slice(0, -2)}x=\n\nx\n`,
    "64 hashes": `old 1\n${`${H}\n`.repeat(64)}\nx\n`,
    "an empty proof line": "\n\nold 1\n\nx\n",
  };
  for (const [name, body] of Object.entries(bad))
    assert.throws(() => parseAddCheckpoint(utf8(body)), refuses("REQUEST_MALFORMED"), name);
  assert.throws(() => parseAddCheckpoint(Uint8Array.of(0xff, 0x0a, 0x0a)), refuses("REQUEST_MALFORMED"));
});

test("sign-subtree: there and back, and what is refused", () => {
  const body = concat(utf8(`subtree 8 13\n${H}\n${H}\n${H}\n\n`), note);
  const parsed = parseSignSubtree(body);
  assert.deepEqual([parsed.start, parsed.end, parsed.hashes.length], [8, 13, 2]);
  assert.deepEqual(Buffer.from(formatSignSubtree(parsed)), Buffer.from(body));
  for (const bad of [
    "subtree 8\n",
    "subtree 8 13\n\nx\n",
    `subtree 08 13\n${H}\n\nx\n`,
    `tree 8 13\n${H}\n\nx\n`,
  ])
    assert.throws(() => parseSignSubtree(utf8(bad)), refuses("REQUEST_MALFORMED"), bad);
});

test("the body of a 409 is a size and a newline, and nothing else is", () => {
  assert.equal(parseSizeBody(utf8("20852014\n")), 20852014);
  for (const bad of ["", "1", "01\n", "1\n\n", " 1\n", "-1\n", "x\n"])
    assert.equal(parseSizeBody(utf8(bad)), undefined, bad);
});

test("log lists: the witness network's example, comments, origins of their own", () => {
  const [a, b] = [formatVerifierKey(log), formatVerifierKey(signingKey("bar.org/tlog", seed(4)))];
  const list = parseLogList(
    utf8(
      `#\n# List: x\n#\nlogs/v0\n\n# 1st\nvkey ${a}\nqpd 86400\ncontact https://c\n\n  vkey ${b}\norigin go.example - 26057\nqpd 24\ncontact sysadmin (at) bar.org\n`,
    ),
  );
  assert.deepEqual(
    list.map(({ origin, qpd, contact }) => [origin, qpd, contact]),
    [
      ["log.example/a", 86400, "https://c"],
      ["go.example - 26057", 24, "sysadmin (at) bar.org"],
    ],
  );
  const again = parseLogList(utf8(`logs/v0\n\n${list.map(formatListedLog).join("\n")}`));
  assert.deepEqual(again, list);
  assert.deepEqual(parseLogList(utf8("logs/v0\n")), []);
});

test("log lists: what is wrong is refused with its line", () => {
  const vkey = formatVerifierKey(log);
  const other = { key: signingKey("bar.org/tlog", seed(4)), origin: "x", qpd: 1, contact: "c" };
  const whole = formatListedLog({ ...other, key: log, origin: log.name });
  const bad: readonly (readonly [string, RegExp])[] = [
    ["", /no logs\/v0 line/],
    ["logs/v1\n", /line 1/],
    [`vkey ${vkey}\n`, /line 1/],
    ["logs/v0\nqpd 3\n", /line 2: want a vkey line/],
    ["logs/v0\nvkey x\n", /line 2/],
    [`logs/v0\nvkey ${formatVerifierKey(w4)}\n`, /line 2: a log's key has type 1 or 6/],
    [`logs/v0\n${whole}${whole}`, /line 7: the key of .* listed twice/],
    [`logs/v0\n${whole}${formatListedLog({ ...other, origin: log.name })}`, /line 8: the origin .* one vkey/],
    [`logs/v0\nvkey ${vkey}\n`, /line 2: want qpd/],
    [`logs/v0\nvkey ${vkey}\ncontact c\nqpd 3\n`, /line 3: want qpd.*in this order/],
    [`logs/v0\nvkey ${vkey}\nqpd 3\n`, /line 3: want contact/],
    [`logs/v0\nvkey ${vkey}\nqpd 3\ncontact\n`, /line 4: contact/],
    [`logs/v0\nvkey ${vkey}\nqpd 3\norigin x\ncontact c\n`, /line 4: want contact/],
    [`logs/v0\n${whole}bastion https://b/\n`, /line 5: want a vkey line/],
    [`logs/v0\nvkey ${vkey}\nqpd 03\ncontact c\n`, /line 3: qpd/],
    [`logs/v0\nvkey ${vkey}\nqpd 2147483648\ncontact c\n`, /line 3: qpd/],
    [`logs/v0\nvkey ${vkey}\nqpd 0.5\ncontact c\n`, /line 3: qpd/],
    [`logs/v0\nvkey ${vkey}\nqpd 0\n`, /line 3: qpd/],
    [`logs/v0\nvkey ${vkey}\nqpd many\n`, /line 3: qpd/],
    [`logs/v0\nvkey ${vkey}\norigin \n`, /line 3: not an origin/],
    [`logs/v0\nvkey ${vkey}\norigin ${"x".repeat(256)}\n`, /line 3: not an origin/],
  ];
  for (const [text_, message] of bad)
    assert.throws(
      () => parseLogList(utf8(text_)),
      (error) => refuses("LOG_LIST_MALFORMED")(error) && message.test((error as Error).message),
      JSON.stringify(text_.slice(0, 40)),
    );
});

test("a log's own ML-DSA line may have timestamp 0, a witness's may not", () => {
  const signed = parseNote(signCheckpoint(checkpoint, log));
  const { origin, size, root } = checkpoint;
  const zero = (key: SigningKey) => cosignSubtree({ origin, start: 0, end: size, hash: root }, key);
  const own = signingKey(origin, seed(34), ML_DSA_44);
  assert.equal(verifyLine(zero(own), own, signed.text), 0n);
  const witness = signingKey("witness.example/w", seed(35), ML_DSA_44);
  assert.throws(() => verifyLine(zero(witness), witness, signed.text), /timestamp 0 is not valid/);
});

test("cosignatures of both kinds verify, have the sizes of the specification, and are bound to text, time and name", () => {
  const other = parseNote(signCheckpoint({ ...checkpoint, size: 8 }, log)).text;
  for (const [key, bytes] of [
    [w4, 76],
    [w6, 2432],
  ] as const) {
    const line = cosign(text, key, 1_700_000_000n);
    assert.equal(line.keyId.length + line.signature.length, bytes);
    assert.equal(verifyLine(line, key, text), 1_700_000_000n);
    assert.throws(() => verifyLine(line, key, other), ProofError);
    const later = Uint8Array.from(line.signature);
    later[7] = (later[7] ?? 0) ^ 1;
    assert.throws(() => verifyLine({ ...line, signature: later }, key, text), ProofError, "another time");
    const zero = Uint8Array.from(line.signature);
    zero.fill(0, 0, 8);
    assert.throws(() => verifyLine({ ...line, signature: zero }, key, text), ProofError, "no time");
    const far = Uint8Array.from(line.signature);
    far[0] = 0x80;
    assert.throws(() => verifyLine({ ...line, signature: far }, key, text), ProofError, "beyond 2^63 - 1");
    assert.throws(
      () => verifyLine({ ...line, signature: line.signature.subarray(0, 8) }, key, text),
      ProofError,
    );
    for (const time of [0n, -1n, 2n ** 63n]) assert.throws(() => cosign(text, key, time), RangeError);
  }
  assert.equal(parseNote(note).signatures[0]?.signature.length, 64);
  const renamed = { ...w6, name: "witness.example/v" };
  assert.throws(
    () => verifyLine(cosign(text, w6, 5n), renamed, text),
    ProofError,
    "the name is signed (type 6)",
  );
  assert.throws(() => cosign(text, log, 5n), RangeError, "a log's key of type 1 does not cosign");
});

test("subtree cosignatures: timestamp 0, of type 6 only, bound to every number", () => {
  const subtree = { origin: log.name, start: 8, end: 13, hash: leafHash(utf8("s")) };
  const line = cosignSubtree(subtree, w6);
  assert.deepEqual([...line.signature.subarray(0, 8)], [0, 0, 0, 0, 0, 0, 0, 0]);
  verifySubtreeLine(line, w6, subtree);
  for (const change of [
    { start: 0 },
    { end: 12 },
    { origin: "log.example/b" },
    { hash: asHash(new Uint8Array(32)) },
  ])
    assert.throws(() => verifySubtreeLine(line, w6, { ...subtree, ...change }), ProofError);
  assert.throws(() => cosignSubtree(subtree, w4), RangeError);
  // A checkpoint's cosignature is not one of the subtree [0, size): it carries a time.
  const whole = { origin: log.name, start: 0, end: 7, hash: checkpoint.root };
  assert.throws(() => verifySubtreeLine(cosign(text, w6, 5n), w6, whole), ProofError);
});

test("signature lines on their own, and put under a note: a newer line of a key takes the place of the older", () => {
  const lines = [cosign(text, w4, 5n), cosign(text, w6, 5n)];
  const bytes = utf8(lines.map(formatSignatureLine).join(""));
  assert.deepEqual(parseSignatureLines(bytes).length, 2);
  assert.deepEqual(parseSignatureLines(new Uint8Array(0)), []);
  for (const bad of ["x\n", "— w AAAA", formatSignatureLine(lines[0] ?? assert.fail()).repeat(2)])
    assert.throws(() => parseSignatureLines(utf8(bad)), refuses("NOTE_MALFORMED"), bad);
  const once = withSignatures(parseNote(note), lines);
  const twice = withSignatures(once, [cosign(text, w4, 6n)]);
  assert.deepEqual([once.signatures.length, twice.signatures.length], [3, 3]);
  assert.equal(verifyLine(twice.signatures[1] ?? assert.fail(), w4, text), 6n);
});

test("secret keys of every type come back; a wrong type byte or length does not", () => {
  for (const key of [log, w4, w6]) {
    assert.equal(formatSigningKey(parseSigningKey(formatSigningKey(key))), formatSigningKey(key));
    assert.deepEqual(
      parseVerifierKey(formatVerifierKey(key)).publicKey.length,
      key.type === ML_DSA_44 ? 1312 : 32,
    );
  }
  const [head] = formatSigningKey(w4).split(/\+(?=[^+]*$)/);
  for (const material of [Buffer.alloc(33, 2), Buffer.alloc(34, 1), Buffer.alloc(32, 4)])
    assert.throws(() => parseSigningKey(`${head}+${material.toString("base64")}`), refuses("VKEY_MALFORMED"));
});

test("evidence: there and back; what is not of its shape is refused", () => {
  const proof = {
    kind: "fork",
    older: note,
    newer: note,
    prefixRoot: emptyRoot(),
    hashes: [emptyRoot()],
  } as const;
  assert.deepEqual(formatEvidence(parseEvidence(formatEvidence(proof))), formatEvidence(proof));
  assert.equal(parseEvidence(formatEvidence(forkEvidence(note, note))).prefixRoot, null);
  assert.ok(looksLikeEvidence(formatEvidence(proof)));
  assert.ok(!looksLikeEvidence(utf8('{"format":"writ-trace/1"}')));
  const shape = JSON.parse(Buffer.from(formatEvidence(proof)).toString()) as Record<string, unknown>;
  for (const change of [
    { format: "writ-evidence/2" },
    { kind: "rollback" },
    { older: 1 },
    { newer: null },
    { hashes: "x" },
    { hashes: ["x"] },
    { prefix_root: "x" },
    { hashes: Array(200).fill(H) },
  ])
    assert.throws(
      () => parseEvidence(utf8(JSON.stringify({ ...shape, ...change }))),
      refuses("EVIDENCE_MALFORMED"),
      JSON.stringify(change).slice(0, 40),
    );
  for (const bytes of ["", "[]", "null", "{"])
    assert.throws(() => parseEvidence(utf8(bytes)), refuses("EVIDENCE_MALFORMED"));
});
