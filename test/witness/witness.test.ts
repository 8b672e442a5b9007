/** A witness as logs and strangers meet it: every status, what it holds, and what it never does. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "#crypto";
import { asHash, planSubtreeConsistency } from "../../merkle/index.js";
import { ProofError, WritError } from "../../src/errors.js";
import { formatCheckpoint } from "../../src/format/checkpoint.js";
import { seeCheckpoint } from "../../src/format/trusted.js";
import { concat, toHex, utf8 } from "../../src/format/bytes.js";
import {
  cosign,
  openCheckpoint,
  signCheckpoint,
  signNote,
  verifyLine,
  verifySubtreeLine,
} from "../../src/format/cosignature.js";
import { formatNote, parseNote, parseSignatureLines, withSignatures } from "../../src/format/note.js";
import { formatAddCheckpoint, formatSignSubtree } from "../../src/format/proof-request.js";
import {
  formatSigningKey,
  formatVerifierKey,
  ML_DSA_44,
  type SigningKey,
  signingKey,
} from "../../src/format/vkey.js";
import { MAX_KEPT_SUBTREES, MAX_WAITING_SUBTREES, SubtreeSigner } from "../../witness/subtree-signer.js";
import { lockFolder } from "../../witness/lock.js";
import { WitnessState } from "../../witness/state.js";
import { addLog, initWitness, keepEvidence, readKeys } from "../../witness/folder.js";
import { trustKey, verifyEvidence } from "../../src/verify/index.js";
import { mth } from "../support/rfc6962.js";
import { GrowingLog, listed, listOf, openWitness, post, seed, w4, w6 } from "../support/witness.js";

const log = new GrowingLog("log.example/a");
const text = (note: Uint8Array): string => parseNote(note).text;

async function status(response: Response): Promise<[number, string | undefined]> {
  const type = response.headers.get("content-type") ?? "";
  const body =
    type === "application/problem+json" ? ((await response.json()) as { code: string }).code : undefined;
  return [response.status, body];
}

test("200: one line a key, valid, of this very checkpoint, with the time of now; then from what is held", async () => {
  const now = (): number => 1_700_000_000_000;
  const { app } = await openWitness(listOf(log.key), { keys: [w4, w6], now });
  for (const [from, to] of [
    [0, 3],
    [3, 3],
    [3, 8],
    [8, 300],
  ] as const) {
    const response = await post(app, "/add-checkpoint", log.request(from, to));
    assert.equal(response.status, 200);
    const lines = parseSignatureLines(new Uint8Array(await response.arrayBuffer()));
    assert.equal(lines.length, 2);
    for (const [i, key] of [w4, w6].entries())
      assert.equal(verifyLine(lines[i] ?? assert.fail(), key, text(log.note(to))), 1_700_000_000n);
  }
});

test("the empty tree: its root and no other, and it is held like any other", async () => {
  const { app } = await openWitness(listOf(log.key));
  const other = signCheckpoint({ origin: log.key.name, size: 0, root: log.root(1), extensions: [] }, log.key);
  const wrong = formatAddCheckpoint({ oldSize: 0, hashes: [], checkpoint: other });
  assert.deepEqual(await status(await post(app, "/add-checkpoint", wrong)), [422, "CHECKPOINT_INCONSISTENT"]);
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 0))).status, 200);
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 2))).status, 200);
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 0))).status, 409);
});

test("every refusal: its status, its code, and nothing changes", async () => {
  const { app, state } = await openWitness(listOf(log.key));
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 5))).status, 200);
  const stranger = signingKey("log.example/a", seed(9));
  const unknown = new GrowingLog("log.example/unknown");
  const fork = new GrowingLog("log.example/a", 3);
  const proof = log.consistency(5, 9);
  const add = (oldSize: number, hashes: typeof proof, checkpoint: Uint8Array): Uint8Array =>
    formatAddCheckpoint({ oldSize, hashes, checkpoint });
  const broken = Uint8Array.from(log.note(9));
  broken[broken.length - 10] = broken[broken.length - 10] === 0x41 ? 0x42 : 0x41;
  const lie = parseNote(log.note(9));
  const forged = formatNote({ ...lie, text: lie.text.replace("\n9\n", "\n10\n") });
  const table: Record<string, readonly [Uint8Array | string, number, string | undefined]> = {
    "no bytes": ["", 400, "REQUEST_MALFORMED"],
    "no checkpoint": ["old 5\n\n", 400, "NOTE_MALFORMED"],
    "no signature": [concat(utf8("old 5\n\n"), utf8(text(log.note(9)))), 400, "NOTE_MALFORMED"],
    "a note that is no checkpoint": [
      add(5, [], formatNote({ text: "hello\n", signatures: lie.signatures })),
      400,
      "CHECKPOINT_MALFORMED",
    ],
    "an unknown origin": [unknown.request(0, 2), 404, "ORIGIN_UNKNOWN"],
    "a key that is not trusted": [add(5, proof, log.note(9, stranger)), 403, "CHECKPOINT_UNSIGNED"],
    "a known key, another text": [add(5, proof, forged), 403, "CHECKPOINT_UNSIGNED"],
    "a known key, a broken signature": [add(5, proof, broken), 403, "CHECKPOINT_UNSIGNED"],
    "old beyond the size": [add(9, [], log.note(7)), 400, "REQUEST_MALFORMED"],
    "old is not what is held": [log.request(4, 9), 409, undefined],
    "old 0 and something is held": [log.request(0, 9), 409, undefined],
    "the size shrinks": [add(5, [], log.note(4)), 400, "REQUEST_MALFORMED"],
    "no proof": [add(5, [], log.note(9)), 422, "CHECKPOINT_INCONSISTENT"],
    "a proof too short": [add(5, proof.slice(1), log.note(9)), 422, "CHECKPOINT_INCONSISTENT"],
    "a proof too long": [add(5, [...proof, log.root(1)], log.note(9)), 422, "CHECKPOINT_INCONSISTENT"],
    "the same size with a proof": [add(5, proof, log.note(5)), 422, "CHECKPOINT_INCONSISTENT"],
    "the same size, another root": [add(5, [], fork.note(5)), 422, "CHECKPOINT_INCONSISTENT"],
    "a fork with its own proof": [fork.request(5, 9), 422, "CHECKPOINT_INCONSISTENT"],
    "a fork with our proof": [add(5, proof, fork.note(9)), 422, "CHECKPOINT_INCONSISTENT"],
    "a body of more than 128 KiB": [
      concat(log.request(5, 9), new Uint8Array(128 * 1024)),
      413,
      "BODY_TOO_LARGE",
    ],
  };
  for (const [name, [body, want, code]] of Object.entries(table)) {
    const response = await post(app, "/add-checkpoint", body);
    if (want === 409) {
      assert.equal(response.headers.get("content-type"), "text/x.tlog.size", name);
      assert.equal(await response.clone().text(), "5\n", name);
    }
    assert.deepEqual(await status(response), [want, code], name);
    assert.equal(state.held(log.key.name)?.size, 5, name);
  }
  const [first] = proof;
  for (const [i] of proof.entries()) {
    const changed = proof.map((hash, n) =>
      n === i ? asHash(Uint8Array.from(hash, (byte) => byte ^ 1)) : hash,
    );
    assert.equal((await post(app, "/add-checkpoint", add(5, changed, log.note(9)))).status, 422, `hash ${i}`);
  }
  assert.ok(first);
  assert.equal(
    (await post(app, "/add-checkpoint", log.request(5, 9))).status,
    200,
    "and the right one still goes",
  );
});

test("proof given with old 0 is refused: every tree extends the empty one", async () => {
  const { app } = await openWitness(listOf(log.key));
  const body = formatAddCheckpoint({ oldSize: 0, hashes: [log.root(1)], checkpoint: log.note(5) });
  assert.deepEqual(await status(await post(app, "/add-checkpoint", body)), [422, "CHECKPOINT_INCONSISTENT"]);
});

test("lines of unknown keys are ignored and not kept, the log's second one among them; the known one must be there, and hold", async () => {
  const second = signingKey(log.key.name, seed(8), ML_DSA_44);
  const { app, state } = await openWitness(listOf(log.key));
  const plain = parseNote(log.note(4));
  const strange = cosign(plain.text, signingKey("witness.example/other", seed(7), 4), 5n);
  const both = withSignatures(plain, [strange, cosign(plain.text, second, 5n)]);
  const add = (note: Uint8Array, oldSize = 0): Uint8Array =>
    formatAddCheckpoint({ oldSize, hashes: [], checkpoint: note });
  assert.equal((await post(app, "/add-checkpoint", add(formatNote(both)))).status, 200);
  const kept = state.held(log.key.name)?.note.signatures.map(({ name }) => name);
  assert.deepEqual(kept, ["log.example/a", "witness.example/w"]);
  const only = { text: plain.text, signatures: both.signatures.slice(1) };
  assert.deepEqual(await status(await post(app, "/add-checkpoint", add(formatNote(only), 4))), [
    403,
    "CHECKPOINT_UNSIGNED",
  ]);
  const { signatures } = parseNote(log.note(5));
  const bad = formatNote({ text: plain.text, signatures });
  assert.equal((await post(app, "/add-checkpoint", add(bad, 4))).status, 403);
});

test("two that race: each in its turn, the slower is told the size, nothing rolls back", async () => {
  const { app, state } = await openWitness(listOf(log.key));
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 5))).status, 200);
  const racing = Array.from({ length: 20 }, (_, i) =>
    post(app, "/add-checkpoint", log.request(5, 6 + (i % 7))),
  );
  const answers = await Promise.all(racing);
  const winners = answers.filter(({ status: code }) => code === 200);
  const size = state.held(log.key.name)?.size ?? 0;
  assert.ok(winners.length >= 1);
  for (const answer of answers)
    if (answer.status !== 200) assert.deepEqual([answer.status, await answer.text()], [409, `${size}\n`]);
  assert.equal((await post(app, "/add-checkpoint", log.request(size, size + 4))).status, 200);
});

test("a thousand origins at once share a few syncs, and all are there after a restart", async () => {
  const logs = Array.from({ length: 200 }, (_, i) => new GrowingLog(`log.example/${i}`));
  const opened = await openWitness(listOf(...logs.map(({ key }) => key)));
  const answers = await Promise.all(
    logs.map((one) => post(opened.app, "/add-checkpoint", one.request(0, 3))),
  );
  assert.ok(answers.every(({ status: code }) => code === 200));
  // As after SIGKILL: what the folder holds now, without having been closed.
  const copy = await mkdtemp(join(tmpdir(), "writ-witness-"));
  await cp(opened.folder, copy, { recursive: true });
  const again = await openWitness(listOf(...logs.map(({ key }) => key)), { folder: copy });
  for (const one of logs) {
    assert.equal((await post(again.app, "/add-checkpoint", one.request(0, 4))).status, 409);
    const fork = new GrowingLog(one.key.name, 1);
    assert.equal((await post(again.app, "/add-checkpoint", fork.request(3, 5))).status, 422);
  }
});

test("GET /<hash of the origin>/checkpoint: the newest, with the log's lines and ours; 404 for what was never cosigned", async () => {
  const { app, folder } = await openWitness(listOf(log.key), { keys: [w4, w6] });
  const path = `/${toHex(sha256(utf8(log.key.name)))}/checkpoint`;
  assert.deepEqual(await status(await app.request(path)), [404, "NOT_FOUND"]);
  for (const bad of [
    "/zz/checkpoint",
    `/${"ab".repeat(32)}/checkpoint`,
    `/${toHex(sha256(utf8(log.key.name))).toUpperCase()}/checkpoint`,
  ])
    assert.equal((await app.request(bad)).status, 404, bad);
  await post(app, "/add-checkpoint", log.request(0, 3));
  const answered = await (await post(app, "/add-checkpoint", log.request(3, 6))).text();
  const served = await (await app.request(path)).text();
  assert.ok(served.endsWith(answered), "the very lines that were answered");
  assert.equal(openCheckpoint(utf8(served), log.key).checkpoint.size, 6);
  // After a crash our lines may be gone; what is served then is signed again.
  const copy = await mkdtemp(join(tmpdir(), "writ-witness-"));
  await cp(folder, copy, { recursive: true });
  const again = await openWitness(listOf(log.key), { folder: copy, keys: [w4, w6] });
  const note = parseNote(utf8(await (await again.app.request(path)).text()));
  assert.equal(note.signatures.length, 3);
  for (const [i, key] of [w4, w6].entries())
    verifyLine(note.signatures[i + 1] ?? assert.fail(), key, note.text);
});

test("sign-subtree: a line with timestamp 0 for what is part of a checkpoint that we cosigned", async () => {
  const { app, logs } = await openWitness(listOf(log.key), { keys: [w4, w6] });
  const lines = await (await post(app, "/add-checkpoint", log.request(0, 14))).text();
  const cosigned = concat(log.note(14), utf8(lines));
  const leaves = Array.from({ length: 14 }, (_, i) => utf8(`leaf ${i}`));
  const node = (start: number, end: number) => mth(leaves.slice(start, end));
  const ask = (
    start: number,
    end: number,
    checkpoint = cosigned,
    hash = node(start, Math.min(14, end)),
  ): Uint8Array => {
    let hashes: ReturnType<typeof node>[] = [];
    try {
      hashes = planSubtreeConsistency(start, end, 14).map((range) => node(range.start, range.end));
    } catch {
      // No valid subtree: no proof either.
    }
    return formatSignSubtree({ start, end, hash, hashes, checkpoint });
  };
  for (const [start, end] of [
    [8, 13],
    [0, 14],
    [0, 5],
    [4, 8],
    [13, 14],
  ] as const) {
    const response = await post(app, "/sign-subtree", ask(start, end));
    assert.equal(response.status, 200, `[${start}, ${end})`);
    const [line, ...more] = parseSignatureLines(utf8(await response.text()));
    assert.deepEqual(more, []);
    verifySubtreeLine(line ?? assert.fail(), w6, {
      origin: log.key.name,
      start,
      end,
      hash: node(start, end),
    });
  }
  const table: Record<string, readonly [Uint8Array | string, number]> = {
    "no request": ["x", 400],
    "start not aligned": [ask(3, 8), 400],
    "an empty interval": [ask(4, 4), 400],
    "beyond the checkpoint": [ask(8, 16), 400],
    "another hash": [ask(8, 13, cosigned, node(0, 1)), 422],
    "not cosigned by us": [ask(8, 13, log.note(14)), 403],
    "cosigned, and the text changed": [
      ask(8, 13, utf8(Buffer.from(cosigned).toString().replace("\n14\n", "\n15\n"))),
      403,
    ],
  };
  for (const [name, [body, want]] of Object.entries(table))
    assert.equal((await post(app, "/sign-subtree", body)).status, want, name);
  await writeFile(join((await openWitness(listOf())).folder, "logs"), listOf());
  assert.equal(logs.count, 1);
  const stranger = await openWitness(listOf(), { keys: [w4, w6] });
  assert.equal(
    (await post(stranger.app, "/sign-subtree", ask(8, 13))).status,
    404,
    "an origin that is not known",
  );
  const old = await openWitness(listOf(log.key), { keys: [w4] });
  assert.equal((await post(old.app, "/sign-subtree", ask(8, 13))).status, 404, "without an ML-DSA-44 key");
});

test("a subtree is signed once, in a thread, within a quota of its own; too many at once are told so", async () => {
  const { app } = await openWitness(`logs/v0\n${listed(log.key, 24)}`, { keys: [w6] });
  const lines = await (await post(app, "/add-checkpoint", log.request(0, 14))).text();
  const checkpoint = concat(log.note(14), utf8(lines));
  const leaves = Array.from({ length: 14 }, (_, i) => utf8(`leaf ${i}`));
  const ask = (at: number): Uint8Array =>
    formatSignSubtree({
      start: at,
      end: at + 1,
      hash: mth(leaves.slice(at, at + 1)),
      hashes: planSubtreeConsistency(at, at + 1, 14).map(({ start, end }) => mth(leaves.slice(start, end))),
      checkpoint,
    });
  const first = await (await post(app, "/sign-subtree", ask(0))).text();
  const again = await Promise.all(Array.from({ length: 30 }, () => post(app, "/sign-subtree", ask(0))));
  for (const answer of again) assert.equal(await answer.text(), first, "the very lines: signed once");
  for (let at = 1; at < 10; at++) assert.equal((await post(app, "/sign-subtree", ask(at))).status, 200);
  assert.deepEqual(await status(await post(app, "/sign-subtree", ask(10))), [429, "QUOTA_EXCEEDED"]);
  assert.equal((await post(app, "/sign-subtree", ask(3))).status, 200, "what is signed already");
  assert.equal(
    (await post(app, "/add-checkpoint", log.request(14, 15))).status,
    200,
    "nothing of the log's own was taken",
  );
  const signer = new SubtreeSigner([w6]);
  let spent = 0;
  const many = Array.from({ length: MAX_WAITING_SUBTREES + 2 }, (_, start) =>
    signer.sign({ origin: "x", start, end: start + 1, hash: mth([]) }, () => spent++),
  );
  const fates = await Promise.allSettled(many);
  const refused = fates.flatMap((fate) => (fate.status === "rejected" ? [fate.reason as WritError] : []));
  assert.deepEqual([MAX_WAITING_SUBTREES, MAX_KEPT_SUBTREES], [64, 1024]);
  assert.deepEqual(
    refused.map(({ code }) => code),
    ["QUOTA_EXCEEDED", "QUOTA_EXCEEDED"],
  );
  assert.equal(spent, MAX_WAITING_SUBTREES + 2);
  await signer.close();
});

/** A checkpoint with lines of its own, signed by these keys. */
function extended(size: number, extensions: readonly string[], ...keys: readonly SigningKey[]): Uint8Array {
  const body = formatCheckpoint({ origin: log.key.name, size, root: log.root(size), extensions });
  const lines = keys.map((key) =>
    key.type === ML_DSA_44 ? cosign(body, key, 1n) : (signNote(body, key).signatures[0] ?? assert.fail()),
  );
  return formatNote({ text: body, signatures: lines });
}

test("the same tree in another note: what is answered is what is served afterwards", async () => {
  const { app } = await openWitness(listOf(log.key));
  const path = `/${toHex(sha256(utf8(log.key.name)))}/checkpoint`;
  await post(app, "/add-checkpoint", log.request(0, 5));
  const checkpoint = extended(5, ["extension"], log.key);
  const answer = await post(
    app,
    "/add-checkpoint",
    formatAddCheckpoint({ oldSize: 5, hashes: [], checkpoint }),
  );
  assert.equal(answer.status, 200);
  const served = await (await app.request(path)).text();
  assert.equal(served, `${Buffer.from(checkpoint).toString()}${await answer.text()}`);
});

test("extension lines that no Ed25519 signature covers are refused: an ML-DSA key signs origin, size and root alone", async () => {
  const second = signingKey(log.key.name, seed(33), ML_DSA_44);
  const { app } = await openWitness(listOf(second));
  const ask = async (checkpoint: Uint8Array, oldSize = 0): Promise<Response> =>
    post(app, "/add-checkpoint", formatAddCheckpoint({ oldSize, hashes: [], checkpoint }));
  assert.deepEqual(await status(await ask(extended(5, ["anybody's"], second))), [403, "CHECKPOINT_UNSIGNED"]);
  assert.equal((await ask(extended(5, [], second))).status, 200);
  const policy = trustKey(formatVerifierKey(second));
  assert.throws(() => seeCheckpoint(extended(5, ["anybody's"], second), policy), ProofError);
  assert.throws(() => openCheckpoint(extended(5, ["anybody's"], second), second), ProofError);
  assert.equal(seeCheckpoint(extended(5, [], second), policy).size, 5);
});

test("the list is read again without a restart; a bad one is told of and changes nothing; quotas are kept", async () => {
  let now = 0;
  const { app, folder, logs } = await openWitness(listOf(), { now: () => now });
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 2))).status, 404);
  await writeFile(join(folder, "logs"), `logs/v0\n${listed(log.key, 24)}`);
  await logs.reload();
  assert.equal((await post(app, "/add-checkpoint", log.request(0, 2))).status, 200);
  await writeFile(join(folder, "logs"), "logs/v0\nvkey nonsense\n");
  await assert.rejects(
    logs.reload(),
    (error) => error instanceof WritError && error.code === "LOG_LIST_MALFORMED",
  );
  for (let i = 2; i < 11; i++)
    assert.equal((await post(app, "/add-checkpoint", log.request(i, i + 1))).status, 200, `${i}`);
  const over = await post(app, "/add-checkpoint", log.request(11, 12));
  assert.deepEqual(await status(over.clone()), [429, "QUOTA_EXCEEDED"]);
  assert.equal(over.headers.get("retry-after"), "60");
  now += 3_600_000;
  assert.equal((await post(app, "/add-checkpoint", log.request(11, 12))).status, 200, "an hour later");
  now -= 7_200_000;
  const back = await post(app, "/add-checkpoint", log.request(12, 13));
  assert.equal(back.status, 429, "a clock that jumps back gives nothing");
});

test("two roots of one size, both signed, are proof: kept as a file that verifies", async () => {
  const { app, forks, folder, state } = await openWitness(listOf(log.key));
  await post(app, "/add-checkpoint", log.request(0, 5));
  const fork = new GrowingLog("log.example/a", 3);
  await post(
    app,
    "/add-checkpoint",
    formatAddCheckpoint({ oldSize: 5, hashes: [], checkpoint: fork.note(5) }),
  );
  assert.deepEqual(forks, ["log.example/a"]);
  const held = (state.held("log.example/a") ?? assert.fail()).note;
  const file = await keepEvidence(folder, "log.example/a", held, parseNote(fork.note(5)));
  const proof = await readFile(file ?? assert.fail());
  const { older, newer } = verifyEvidence(proof, trustKey(formatVerifierKey(log.key)));
  assert.deepEqual([older.size, newer.size], [5, 5]);
  assert.equal(
    await keepEvidence(folder, "log.example/a", held, parseNote(fork.note(5))),
    file,
    "the same proof once",
  );
});

test("a state that is lost is not taken for one that never was", async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "writ-witness-")), "w");
  await initWitness(folder, "witness.example/new", "ed25519");
  await (await WitnessState.open(join(folder, "state"))).close();
  await rm(join(folder, "state"));
  const lost = WitnessState.open(join(folder, "state"));
  await assert.rejects(lost, (error) => error instanceof WritError && error.code === "STATE_CORRUPT");
});

test("the same question again and again costs no disk, no memory and no quota", async () => {
  const list = `logs/v0\n${listed(log.key, 24)}`;
  const { app, folder, state } = await openWitness(list);
  await post(app, "/add-checkpoint", log.request(0, 5));
  const size = (await stat(join(folder, "state"))).size;
  for (let n = 0; n < 300; n++) {
    assert.equal((await post(app, "/add-checkpoint", log.request(5, 5))).status, 200);
    assert.equal((await post(app, "/add-checkpoint", log.request(3, 4))).status, 409);
  }
  assert.equal((await stat(join(folder, "state"))).size, size);
  assert.equal((await post(app, "/add-checkpoint", log.request(5, 6))).status, 200);
  await state.close();
  assert.ok((await stat(join(folder, "state"))).size < size + 4 * 1024);
});

test("one process a folder, for as long as it lives", async () => {
  const place = join(await mkdtemp(join(tmpdir(), "writ-witness-")), "lock");
  const unlock = await lockFolder(place);
  await assert.rejects(
    lockFolder(place),
    (error) => error instanceof WritError && error.code === "STORE_LOCKED",
  );
  await unlock();
  await (await lockFolder(place))();
  // What cannot be locked at all is not taken by anybody.
  await assert.rejects(
    lockFolder("/dev/null/lock"),
    (error) => error instanceof WritError && error.code === "FILE_UNREADABLE",
  );
});

test("paths and methods: what there is, and a problem body for what there is not", async () => {
  const { app } = await openWitness(listOf(log.key));
  assert.match(await (await app.request("/")).text(), /witness\.example\/w\+/);
  assert.equal(await (await app.request("/healthz")).text(), "ok\n");
  const wrong = await app.request("/add-checkpoint");
  assert.equal(wrong.headers.get("allow"), "POST");
  assert.deepEqual(await status(wrong), [405, "METHOD_NOT_ALLOWED"]);
  assert.deepEqual(await status(await post(app, "/elsewhere", "x")), [404, "NOT_FOUND"]);
});

test("a folder: keys of one name, 0600, never overwritten; logs are added once", async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "writ-witness-")), "w");
  const keys = await initWitness(folder, "witness.example/new", "both");
  assert.deepEqual(
    keys.map(({ type }) => type),
    [4, 6],
  );
  assert.deepEqual((await readKeys(folder)).map(formatSigningKey), keys.map(formatSigningKey));
  await assert.rejects(
    initWitness(folder, "x", "both"),
    (error) => error instanceof WritError && error.code === "LOG_EXISTS",
  );
  await addLog(folder, log.key, { qpd: 86_400, contact: "ops@log.example" });
  await assert.rejects(
    addLog(folder, log.key, { qpd: 1, contact: "x" }),
    (error) => error instanceof WritError && error.code === "LOG_EXISTS",
  );
  assert.match(
    await readFile(join(folder, "logs"), "utf8"),
    /^logs\/v0\n\nvkey log\.example\/a\+\S+\nqpd 86400\ncontact ops@log\.example\n$/,
  );
  await assert.rejects(
    readKeys(join(folder, "..")),
    (error) => error instanceof WritError && error.code === "LOG_MISSING",
  );
});
