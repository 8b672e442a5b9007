/** In-toto: an envelope of our own making, checked in, from the file to the log and to the artifact that it is about. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { demandArtifacts } from "../../src/cli/artifact-files.js";
import { ProofError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { isPlaced } from "../../src/log/log.js";
import { signCose, signDsse } from "../../src/statement/sign.js";
import { formatSign1, sigStructure } from "../../src/statement/sign1.js";
import { artifactsOf, matchArtifact, verifySignature } from "../../src/verify/index.js";
import { coseHeader } from "../support/cose-header.js";
import { agent, logWithAgent, stranger } from "../support/log.js";
import { PROJECT } from "../support/process.js";

const file = (): Promise<Uint8Array> => readFile(join(PROJECT, "test/data/provenance.dsse.json"));
const inToto = (payload: unknown): Uint8Array =>
  signDsse("application/vnd.in-toto+json", utf8(JSON.stringify(payload)), agent);

test("the checked-in envelope is logged, by the key that signed it and no other", async () => {
  const log = await logWithAgent();
  const { results } = await log.submit([{ bytes: await file(), form: "dsse" }]);
  assert.ok(results.every(isPlaced));
  verifySignature(await file(), agent.publicKey);
  const statement = await file();
  assert.throws(() => verifySignature(statement, stranger.publicKey), ProofError);
  await log.close();
});

test("a statement's own signature: by that key, by its algorithm, and not bent, in either form", () => {
  const cose = signCose("text/plain", utf8("x"), { issuer: "i", subject: "s", issuedAt: 1 }, agent);
  const dsse = signDsse("text/plain", utf8("x"), agent);
  verifySignature(cose, agent.publicKey);
  verifySignature(dsse, agent.publicKey);
  const bent = cose.slice();
  bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
  const swapped = utf8(
    Buffer.from(dsse)
      .toString()
      .replace(/"sig":"(.)/, (_, first) => `"sig":"${first === "A" ? "B" : "A"}`),
  );
  // The header says ES256, under the kid of an Ed25519 key.
  const header = coseHeader({ alg: -7, keyId: agent.publicKey.keyId });
  const misnamed = formatSign1(header, utf8("x"), agent.sign(sigStructure(header, utf8("x"))));
  for (const statement of [bent, swapped, misnamed])
    assert.throws(() => verifySignature(statement, agent.publicKey), /does not verify/);
  assert.throws(() => verifySignature(cose, stranger.publicKey), /is not signed by key/);
});

test("its subjects are held against files, by content and never by name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-test-"));
  const path = (name: string): string => join(folder, name);
  await writeFile(path("renamed"), "the artifact\n");
  await writeFile(path("artifact.txt"), "the artifact, changed\n");
  const statement = await file();
  assert.deepEqual(await demandArtifacts(statement, [path("renamed")]), [
    { file: path("renamed"), name: "artifact.txt" },
  ]);
  await assert.rejects(
    demandArtifacts(statement, [path("renamed"), path("artifact.txt")]),
    (error) => error instanceof ProofError && /artifact\.txt: none of the 2 artifacts/.test(error.message),
  );
  await assert.rejects(demandArtifacts(statement, [path("missing")]), /no such file/);
});

test("an artifact matches by every digest that can be compared, and by one at least", () => {
  const digests = { sha256: "aa", sha384: "bb", sha512: "cc" };
  const subject = (digest: object): Uint8Array => inToto({ subject: [{ name: "x", digest }] });
  for (const digest of [
    { sha256: "AA" },
    { sha512: "cc" },
    { sha256: "aa", sha512: "cc" },
    { sha256: "aa", gitCommit: "1" },
  ])
    assert.equal(matchArtifact(artifactsOf(subject(digest)), digests).name, "x", JSON.stringify(digest));
  for (const digest of [
    { sha256: "ab" },
    { sha256: "aa", sha512: "cd" },
    { gitCommit: "aa" },
    { md5: "aa" },
    {},
  ])
    assert.throws(
      () => matchArtifact(artifactsOf(subject(digest)), digests),
      ProofError,
      JSON.stringify(digest),
    );
});

test("what is no in-toto statement names no artifact, and is logged all the same", async () => {
  const log = await logWithAgent();
  for (const payload of [
    {},
    [],
    { subject: {} },
    { subject: [1, null, { name: "x" }, { digest: [] }, { digest: { sha256: "" } }] },
    "text",
  ]) {
    assert.deepEqual(artifactsOf(inToto(payload)), [], JSON.stringify(payload));
    const { results } = await log.submit([{ bytes: inToto(payload), form: "dsse" }]);
    assert.ok(results.every(isPlaced));
  }
  assert.deepEqual(artifactsOf(signDsse("text/plain", utf8("x"), agent)), []);
  await log.close();
});

test("a statement of very many subjects is logged, and found by the first 1,024 of their digests", async () => {
  const log = await logWithAgent();
  const subject = Array.from({ length: 1_500 }, (_, i) => ({ digest: { a: String(i) } }));
  const { results } = await log.submit([{ bytes: inToto({ subject }), form: "dsse" }]);
  assert.ok(results.every(isPlaced));
  const find = async (digest: string): Promise<number> => {
    const terms = [{ field: "digest", value: digest } as const];
    return (await log.queries.search({ terms, order: "asc", limit: 10 })).entries.length;
  };
  assert.deepEqual(await Promise.all(["a:0", "a:1023", "a:1024"].map(find)), [1, 1, 0]);
  await log.close();
});
