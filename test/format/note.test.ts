/** Signed notes, verifier keys, checkpoints and cosignatures: every rule of the specifications, both ways. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { ed25519PublicKey, ed25519Sign } from "#crypto";
import { asHash, emptyRoot } from "../../merkle/index.js";
import { ProofError, WritError } from "../../src/errors.js";
import { concat, utf8 } from "../../src/format/bytes.js";
import { formatCheckpoint, parseCheckpoint } from "../../src/format/checkpoint.js";
import {
  cosignedMessage,
  cosignedText,
  openCheckpoint,
  signCheckpoint,
  verifyLine,
  verifySignatures,
} from "../../src/format/cosignature.js";
import { formatNote, isKeyName, MAX_SIGNATURES, type Note, parseNote } from "../../src/format/note.js";
import {
  formatSigningKey,
  formatVerifierKey,
  parseSigningKey,
  parseVerifierKey,
  signingKey,
  verifierKey,
} from "../../src/format/vkey.js";
import { readVector, without } from "../support/vectors.js";

const refuses = (code: string) => (error: unknown) => error instanceof WritError && error.code === code;

/** The example of c2sp.org/signed-note. */
const EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE =
  "This is an example message.\n\n" +
  "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

const seed = new Uint8Array(32).fill(7);
const log = signingKey("log.example/agents", seed);
const text = formatCheckpoint({ origin: log.name, size: 0, root: emptyRoot(), extensions: [] });

test("the specification's example verifies by its key and is written back byte for byte", () => {
  const note = parseNote(utf8(EXAMPLE));
  assert.equal(note.text, "This is an example message.\n");
  assert.equal(verifySignatures(note, [parseVerifierKey(EXAMPLE_KEY)]).length, 1);
  assert.equal(Buffer.from(formatNote(note)).toString(), EXAMPLE);
  assert.equal(formatVerifierKey(parseVerifierKey(EXAMPLE_KEY)), EXAMPLE_KEY);
});

test("a note's text ends at the last empty line", () => {
  const note = parseNote(utf8(EXAMPLE.replace("message.\n", "message.\n\nwith an empty line\n")));
  assert.equal(note.text, "This is an example message.\n\nwith an empty line\n");
});

test("notes that are not exactly what we would write are refused", () => {
  const line = EXAMPLE.split("\n")[2] ?? "";
  const blob = line.split(" ")[2] ?? "";
  const bad: Readonly<Record<string, string | Uint8Array>> = {
    "no signature": "text\n\n",
    "no empty line": `text\n${line}\n`,
    "no last newline": EXAMPLE.slice(0, -1),
    "a carriage return": EXAMPLE.replace("\n", "\r\n"),
    "a tab in the text": EXAMPLE.replace("an ", "an\t"),
    "a NUL": EXAMPLE.replace("an ", "an\0"),
    "invalid UTF-8": concat(utf8("te\n\n"), Uint8Array.of(0xff), utf8(EXAMPLE)),
    "a hyphen for the dash": EXAMPLE.replace("—", "-"),
    "two spaces": EXAMPLE.replace("foo ", "foo  "),
    "a plus in the name": EXAMPLE.replace("/foo", "/f+o"),
    "a Unicode space in the name": EXAMPLE.replace("/foo", "/f\u00a0o"),
    "an empty name": EXAMPLE.replace("example.com/foo", ""),
    "URL-safe base64": EXAMPLE.replace(blob, Buffer.from(blob, "base64").fill(0xfb).toString("base64url")),
    "unpadded base64": EXAMPLE.replace("aQM=", "aQM"),
    "non-canonical base64": EXAMPLE.replace("aQM=", "aQN="),
    "four bytes of signature": EXAMPLE.replace(blob, "AAAAAA=="),
    "the same key twice": `${EXAMPLE}${line}\n`,
    "a second line that is none": `${EXAMPLE}hello\n`,
    "too many signatures": `t\n\n${Array.from({ length: MAX_SIGNATURES + 1 }, (_, i) => `— n${i} AAAAAAAA\n`).join("")}`,
    "too long": `${"x".repeat(300_000)}\n\n${line}\n`,
  };
  for (const [what, note] of Object.entries(bad)) {
    assert.throws(
      () => parseNote(typeof note === "string" ? utf8(note) : note),
      refuses("NOTE_MALFORMED"),
      what,
    );
  }
});

test("at least 16 signatures are accepted, of keys nobody knows, post-quantum sized", () => {
  const blob = Buffer.alloc(5000, 1).toString("base64");
  const many = `text\n\n${Array.from({ length: 16 }, (_, i) => `— witness${i} ${blob}\n`).join("")}`;
  assert.equal(parseNote(utf8(many)).signatures.length, 16);
});

test("a line is ours only if name and key id match; a known key that fails spoils the note", () => {
  const key = parseVerifierKey(EXAMPLE_KEY);
  const note = parseNote(utf8(EXAMPLE));
  const [line] = note.signatures;
  assert.ok(line);
  const other = parseVerifierKey(formatVerifierKey(verifierKey("example.com/bar", 1, key.publicKey)));
  assert.deepEqual(verifySignatures(note, [other]), []);
  assert.deepEqual(
    verifySignatures({ ...note, signatures: [{ ...line, name: "example.com/bar" }] }, [key]),
    [],
  );
  assert.throws(() => verifySignatures({ ...note, text: "This is another message.\n" }, [key]), ProofError);
});

test("verifier keys: bad names, ids, types, lengths and unsound keys are refused", () => {
  const material = Buffer.concat([Buffer.of(1), Buffer.from(log.publicKey)]).toString("base64");
  const [name, id] = formatVerifierKey(log).split("+");
  assert.equal(formatVerifierKey(parseVerifierKey(`${name}+${id}+${material}`)), formatVerifierKey(log));
  const small = verifyingText("small.example", Buffer.alloc(32));
  for (const bad of [
    "",
    "a+b",
    `${name}+${id}`,
    `${name}+00000000+${material}`,
    `${name}+${id?.toUpperCase()}X+${material}`,
    `+${id}+${material}`,
    `a b+${id}+${material}`,
    `${name}+${id}+${material.slice(0, -1)}`,
    `${name}+${id}+Ag==`,
    small,
  ]) {
    assert.throws(() => parseVerifierKey(bad), refuses("VKEY_MALFORMED"), bad);
  }
});

function verifyingText(name: string, key: Uint8Array): string {
  return `${name}+00000000+${Buffer.concat([Buffer.of(1), Buffer.from(key)]).toString("base64")}`;
}

test("signing keys read back; their text is in no error", () => {
  const secret = formatSigningKey(log);
  assert.equal(formatSigningKey(parseSigningKey(secret)), secret);
  assert.match(secret, /^PRIVATE\+KEY\+log\.example\/agents\+[0-9a-f]{8}\+A/);
  for (const bad of [
    secret.slice(8),
    secret.replace("agents", "agentz"),
    secret.slice(0, -4),
    `${secret}AAAA`,
  ]) {
    assert.throws(
      () => parseSigningKey(bad),
      (error) => refuses("VKEY_MALFORMED")(error) && !String(error).includes(secret.slice(-20)),
    );
  }
});

test("key names: no Unicode spaces, no plus, no control characters, not empty", () => {
  for (const good of ["a", "log.example/agents", "agent://acme/buyer", "ü"]) assert.ok(isKeyName(good), good);
  for (const bad of ["", "a b", "a+b", "a\u2003b", "a\u0085b", "a\nb", "\u3000"])
    assert.ok(!isKeyName(bad), JSON.stringify(bad));
});

test("checkpoints: size 0 from birth; extension lines of others are kept; ours have none", () => {
  assert.equal(text, "log.example/agents\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
  assert.deepEqual(parseCheckpoint(`${text}ext one\next two\n`).extensions, ["ext one", "ext two"]);
  assert.equal(formatCheckpoint(parseCheckpoint(`${text}ext one\n`)), `${text}ext one\n`);
});

test("checkpoints that are not exactly what we would write are refused", () => {
  const [origin, size, root] = text.split("\n");
  for (const bad of [
    "",
    `${origin}\n${size}\n`,
    text.slice(0, -1),
    `\n${size}\n${root}\n`,
    `${"x".repeat(256)}\n${size}\n${root}\n`,
    `${origin}\n00\n${root}\n`,
    `${origin}\n-1\n${root}\n`,
    `${origin}\n1e3\n${root}\n`,
    `${origin}\n+1\n${root}\n`,
    `${origin}\n 1\n${root}\n`,
    `${origin}\n9007199254740992\n${root}\n`,
    `${origin}\n18446744073709551615\n${root}\n`,
    `${origin}\n0\n${root?.slice(0, -1)}\n`,
    `${origin}\n0\nAAAA\n`,
    `${text}\n`,
    `${text}\nafter\n`,
  ]) {
    assert.throws(() => parseCheckpoint(bad), refuses("CHECKPOINT_MALFORMED"), JSON.stringify(bad));
  }
});

test("a log's checkpoint opens by its key; another origin, key or text does not", () => {
  const signed = signCheckpoint(parseCheckpoint(text), log);
  assert.equal(openCheckpoint(signed, log).checkpoint.size, 0);
  assert.throws(() => openCheckpoint(signed, signingKey("log.example/other", seed)), ProofError);
  assert.throws(
    () =>
      openCheckpoint(
        signed,
        signingKey(
          log.name,
          seed.map((b) => b + 1),
        ),
      ),
    ProofError,
  );
  assert.throws(
    () => openCheckpoint(utf8(Buffer.from(signed).toString().replace("\n0\n", "\n1\n")), log),
    ProofError,
  );
});

function cosigned(
  name: string,
  type: 4 | 6,
  publicKey: Uint8Array,
  time: bigint,
  signature: Uint8Array,
): { note: Note; key: ReturnType<typeof verifierKey> } {
  const key = verifierKey(name, type, publicKey);
  const stamp = new Uint8Array(8);
  new DataView(stamp.buffer).setBigUint64(0, time);
  return {
    key,
    note: { text, signatures: [{ name, keyId: key.keyId, signature: concat(stamp, signature) }] },
  };
}

test("0x04: an Ed25519 cosignature covers time and text; time 0 and times past 2^63 − 1 are refused", () => {
  const publicKey = ed25519PublicKey(seed);
  const at = (time: bigint) =>
    cosigned("w.example", 4, publicKey, time, ed25519Sign(cosignedText(time, text), seed));
  const { note, key } = at(1679315147n);
  assert.equal(verifySignatures(note, [key])[0]?.time, 1679315147n);
  assert.equal(formatNote(note).length - utf8(`${text}\n— w.example \n`).length, 104, "76 bytes in base64");
  assert.throws(() => verifySignatures({ ...note, text: text.replace("0", "1") }, [key]), ProofError);
  for (const bad of [0n, 2n ** 63n]) {
    const odd = at(bad);
    assert.throws(() => verifySignatures(odd.note, [odd.key]), /timestamp/);
  }
  const [line] = note.signatures;
  assert.ok(line);
  assert.throws(
    () => verifyLine({ ...line, signature: line.signature.subarray(0, 8) }, key, text),
    ProofError,
  );
});

test("0x06: an ML-DSA-44 cosignature covers cosigner, time, origin, size and root", () => {
  const { publicKey, secretKey } = ml_dsa44.keygen(seed);
  const { origin, size, root } = parseCheckpoint(text);
  const message = cosignedMessage({
    cosigner: "pq.example",
    time: 9n,
    origin,
    start: 0,
    end: size,
    hash: root,
  });
  assert.equal(Buffer.from(message.subarray(0, 12)).toString("latin1"), "subtree/v1\n\0");
  assert.equal(message.length, 12 + 1 + 10 + 8 + 1 + origin.length + 8 + 8 + 32);
  const { note, key } = cosigned("pq.example", 6, publicKey, 9n, ml_dsa44.sign(message, secretKey));
  assert.equal(verifySignatures(note, [key])[0]?.time, 9n);
  assert.equal((note.signatures[0]?.signature.length ?? 0) + 4, 2432);
  assert.throws(
    () => verifySignatures({ ...note, text: text.replace("agents", "agentz") }, [key]),
    ProofError,
  );
  const renamed = verifierKey("other.example", 6, publicKey);
  const [line] = note.signatures;
  assert.ok(line);
  assert.throws(
    () => verifyLine({ ...line, name: renamed.name, keyId: renamed.keyId }, renamed, text),
    ProofError,
  );
  assert.throws(
    () => verifyLine({ ...line, signature: line.signature.subarray(0, 100) }, key, text),
    ProofError,
  );
});

test("a subtree that does not begin at 0 has timestamp 0", () => {
  const hash = asHash(new Uint8Array(32));
  assert.throws(
    () => cosignedMessage({ cosigner: "c", time: 1n, origin: "o", start: 4, end: 8, hash }),
    RangeError,
  );
  assert.ok(cosignedMessage({ cosigner: "c", time: 0n, origin: "o", start: 4, end: 8, hash }));
});

test("the tessera log's checkpoints parse and are written back", { skip: without("tessera-log") }, () => {
  for (let size = 0; size <= 15; size++) {
    const bytes = readVector(`tessera-log/checkpoint.${size}`);
    const note = parseNote(new Uint8Array(bytes));
    assert.equal(parseCheckpoint(note.text).size, size);
    assert.deepEqual(Buffer.from(formatNote(note)), bytes);
    assert.equal(formatCheckpoint(parseCheckpoint(note.text)), note.text);
  }
});
