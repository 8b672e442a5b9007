/** SCITT on the command line: receipts of several logs in one statement, hash envelopes, and what each mistake is told. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { splitTransparent } from "../../src/statement/transparent.js";
import { end, freePort, type Ran, startLog, temporaryFolder, writ } from "../support/process.js";

/** A log in a folder of its own, with the key `issuer.pem` of another folder registered. */
async function serviceWith(issuerFolder: string) {
  const [folder, port] = [await temporaryFolder(), await freePort()];
  const server = await startLog(folder, port);
  const url = `http://127.0.0.1:${port}`;
  const registered = await writ(
    issuerFolder,
    ...["keys", "register", "issuer.pub.pem", "--registrar", join(folder, "log/keys/registrar.key")],
    ...["--id", "https://issuer.example", "--role", "agent", "--log", url],
  );
  assert.equal(registered.code, 0, registered.stderr);
  const keys = new Uint8Array(await (await fetch(`${url}/.well-known/scitt-keys`)).arrayBuffer());
  const keyFile = join(folder, "keys.cbor");
  await writeFile(keyFile, keys);
  return { url, keyFile, vkey: join(folder, "log/keys/log.key.pub"), stop: () => end(server, "SIGTERM") };
}

async function issuer(kind: "ed25519" | "ec"): Promise<string> {
  const folder = await temporaryFolder();
  const { privateKey, publicKey } =
    kind === "ec" ? generateKeyPairSync("ec", { namedCurve: "P-256" }) : generateKeyPairSync("ed25519");
  await writeFile(join(folder, "issuer.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(folder, "issuer.pub.pem"), publicKey.export({ type: "spki", format: "pem" }));
  return folder;
}

const SIGNED_BY = ["--key", "issuer.pem", "--issuer", "https://issuer.example"];

function says(ran: Ran, code: number, text: RegExp): void {
  assert.equal(ran.code, code, `${ran.stdout}${ran.stderr}`);
  assert.match(ran.stdout + ran.stderr, text);
}

test("one statement, two logs: both receipts in it, each believed by its own pinned keys only", async () => {
  const folder = await issuer("ec");
  const [one, two] = [await serviceWith(folder), await serviceWith(folder)];
  const w = (...args: string[]): Promise<Ran> => writ(folder, ...args);
  await writeFile(join(folder, "sbom.json"), "{}");
  says(
    await w(
      "sign",
      "sbom.json",
      "--cose",
      "--content-type",
      "application/json",
      "--subject",
      "urn:x",
      ...SIGNED_BY,
      "-o",
      "s.cose",
    ),
    0,
    /^sha256:[0-9a-f]{64}/,
  );
  for (const [i, { url, vkey }] of [one, two].entries()) {
    says(await w("submit", "s.cose", "--log", url, "--key", vkey), 0, /logged\t2/);
    says(
      await w("receipt", "s.cose", "--log", url, "--key", vkey, "-o", `r${i}`),
      0,
      /entry 2 in the tree of 3/,
    );
  }
  says(await w("receipt", "attach", "s.cose", "r0", "r1", "-o", "t.cose"), 0, /t\.cose: 2 receipts/);
  says(
    await w("receipt", "extract", "t.cose", "-o", "again.cose"),
    0,
    /t\.cose\.receipt\.1\nt\.cose\.receipt\.2\nagain\.cose/,
  );
  assert.deepEqual(await readFile(join(folder, "again.cose")), await readFile(join(folder, "s.cose")));
  assert.deepEqual(await readFile(join(folder, "t.cose.receipt.2")), await readFile(join(folder, "r1")));

  const pinned = (service: typeof one): string[] => ["--keys", `${service.url}=${service.keyFile}`];
  says(
    await w("verify", "t.cose", ...pinned(one)),
    0,
    /VERIFIED: entry 2 of .*\nnot counted: receipt 2 in it, "it is by no pinned/,
  );
  says(await w("verify", "t.cose", ...pinned(one), ...pinned(two), "--all"), 0, /VERIFIED.*\nVERIFIED/);
  says(await w("verify", "s.cose", "--receipt", "r1", ...pinned(one), ...pinned(two)), 0, /^VERIFIED/);
  says(
    await w("verify", "s.cose", "--receipt", "r1", ...pinned(one), ...pinned(two), "--all"),
    1,
    /NOT_VERIFIED: no receipt by/,
  );
  says(
    await w("verify", "s.cose", "--receipt", "r1", ...pinned(one)),
    1,
    /NOT_VERIFIED: no receipt counts: not counted: r1, "it is by no pinned service/,
  );
  says(
    await w("verify", "t.cose", "--keys", `${one.url}=${two.keyFile}`),
    1,
    /no receipt counts: not counted: receipt 1 in it, "it is by no pinned service: its kid is [0-9a-f]{64}, its issuer http/,
  );
  says(
    await w("verify", "t.cose", "--key", one.vkey, "--issuer-key", "issuer.pub.pem"),
    0,
    /signed by key [0-9a-f]{64}/,
  );
  says(await w("verify", "t.cose", "--key", one.vkey, "--issuer-key", one.vkey), 1, /not signed by key/);
  const json = await w("verify", "t.cose", ...pinned(one), "--json");
  const { verified, receipts } = JSON.parse(json.stdout) as {
    verified: boolean;
    receipts: { outcome: string }[];
  };
  assert.deepEqual([verified, receipts.map(({ outcome }) => outcome)], [true, ["verified", "unknown"]]);

  // Another statement, by the same issuer and with the same receipts beside it.
  says(
    await w(
      "sign",
      "sbom.json",
      "--cose",
      "--content-type",
      "text/plain",
      "--subject",
      "urn:x",
      ...SIGNED_BY,
      "-o",
      "other.cose",
    ),
    0,
    /sha256/,
  );
  says(
    await w("verify", "other.cose", "--receipt", "r0", ...pinned(one)),
    1,
    /of another statement, or has been changed/,
  );
  const bent = await readFile(join(folder, "r0"));
  bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
  await writeFile(join(folder, "bent"), bent);
  says(await w("verify", "s.cose", "--receipt", "bent", ...pinned(one)), 1, /NOT_VERIFIED/);
  says(
    await w("verify", "t.cose", "--receipt", "bent", ...pinned(one)),
    1,
    /NOT_VERIFIED: bent does not hold/,
  );
  await writeFile(join(folder, "empty"), "");
  says(
    await w("verify", "s.cose", "--receipt", "empty", ...pinned(one)),
    1,
    /no receipt counts: not counted: empty, "it is not read/,
  );
  says(
    await w("verify", "t.cose", "--receipt", "empty", ...pinned(one)),
    0,
    /^VERIFIED[^]*not counted: empty, "it is not read/,
  );
  says(await w("receipt", "attach", "s.cose", "empty", "-o", "x"), 1, /RECEIPT_MALFORMED: empty: CBOR/);
  await Promise.all([one.stop(), two.stop()]);
  says(await w("verify", "t.cose", ...pinned(one), ...pinned(two), "--all"), 0, /VERIFIED.*\nVERIFIED/);
});

test("what others wrote is on one line and in quotes; no check that was asked for is passed over", async () => {
  const folder = await issuer("ed25519");
  const { url, vkey, keyFile, stop } = await serviceWith(folder);
  const w = (...args: string[]): Promise<Ran> => writ(folder, ...args);
  await writeFile(join(folder, "x"), "x");
  const forged = "good\nVERIFIED: entry 9 of another\nsigned by key abc";
  const about = ["--cose", "--content-type", "text/plain", "--subject", forged, ...SIGNED_BY];
  says(await w("sign", "x", ...about, "-o", "x.cose"), 0, /sha256/);
  says(await w("submit", "x.cose", "--log", url, "--key", vkey), 0, /logged/);
  says(
    await w("receipt", "x.cose", "--log", url, "--key", vkey, "--attach", "-o", "t.cose"),
    0,
    /t\.cose: entry 2/,
  );
  const verified = await w("verify", "t.cose", "--keys", keyFile);
  const lines = verified.stdout.trimEnd().split("\n");
  // What it says of who signed it, the command says for itself: that nobody checked.
  assert.equal(lines.length, 3, verified.stdout);
  assert.match(
    lines[2] ?? "",
    /^signed by key [0-9a-f]{64}, says the statement; the signature was not checked/,
  );

  const proof = ["--proof", "x.cose.tlog-proof", "--key", vkey];
  const other = ["--issuer-key", vkey];
  says(
    await w("verify", "x.cose", ...proof, "--issuer-key", "issuer.pub.pem"),
    0,
    /^VERIFIED[^]*signed by key/,
  );
  says(
    await w("verify", "x.cose", ...proof, ...other),
    1,
    /^NOT_VERIFIED: the statement is not signed by key/,
  );
  says(
    await w("verify", "x.cose", ...proof, ...other, "--json"),
    1,
    /^\{"verified":false,"verdict":"NOT_VERIFIED","reason":"the statement is not/,
  );
  says(
    await w("verify", "t.cose", "--keys", keyFile, ...other),
    1,
    /^NOT_VERIFIED: the statement is not signed by key/,
  );
  const bent = await readFile(join(folder, "t.cose"));
  bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
  await writeFile(join(folder, "bent.cose"), bent);
  says(await w("verify", "bent.cose", "--keys", keyFile), 1, /^NOT_VERIFIED: receipt 1 in it does not hold/);
  // Anybody can attach a broken one under the log's name: it spoils nothing, unless it was asked for.
  const receipt =
    splitTransparent(await readFile(join(folder, "t.cose"))).receipts[0] ?? assert.fail("a receipt");
  receipt[receipt.length - 1] = (receipt.at(-1) ?? 0) ^ 1;
  await writeFile(join(folder, "junk"), receipt);
  says(await w("receipt", "attach", "t.cose", "junk", "-o", "both.cose"), 0, /2 receipts/);
  says(await w("verify", "both.cose", "--keys", keyFile), 0, /^VERIFIED.*\ndoes not hold: receipt 2 in it/);
  says(
    await w("verify", "both.cose", "--receipt", "junk", "--keys", keyFile),
    1,
    /^NOT_VERIFIED: junk does not hold/,
  );
  says(
    await w("verify", "t.cose", "--receipt", "junk", "--keys", keyFile),
    1,
    /^NOT_VERIFIED: junk does not hold/,
  );
  says(await w("verify", "t.cose", "--keys", `${url}/=${keyFile}`), 0, /^VERIFIED/);

  for (const odd of [["--receipt", "x"], ["--keys", keyFile], ["--all"], ["--at", "2026-01-01T00:00:00Z"]])
    says(
      await w("verify", "x.cose", ...proof, ...odd),
      2,
      new RegExp(`${odd[0]} says nothing of a statement with --proof`),
    );
  await writeFile(join(folder, "bundle.json"), "{}");
  for (const odd of [["--artifact", "x"], other])
    says(
      await w("verify", "bundle.json", "--key", vkey, ...odd),
      2,
      new RegExp(`${odd[0]} says nothing of a bundle`),
    );
  says(
    await w("verify", "t.cose", "--keys", keyFile, "--profile", "tier-2"),
    2,
    /--profile says nothing of a statement by receipts/,
  );
  await stop();
});

test("a hash envelope stands for a file that is larger than an entry may be, and is held against it", async () => {
  const folder = await issuer("ed25519");
  const { url, vkey, stop } = await serviceWith(folder);
  const w = (...args: string[]): Promise<Ran> => writ(folder, ...args);
  await writeFile(join(folder, "model.bin"), new Uint8Array(300_000).fill(5));
  const sign = [
    "sign",
    "model.bin",
    "--cose",
    "--content-type",
    "application/octet-stream",
    "--subject",
    "urn:model",
    ...SIGNED_BY,
  ];
  says(await w(...sign, "-o", "m.cose"), 1, /ENTRY_TOO_LARGE.*--cose --hash/);
  says(await w(...sign, "--hash", "--location", "https://a.example/model.bin", "-o", "m.cose"), 0, /sha256/);
  says(await w("submit", "m.cose", "--log", url, "--key", vkey), 0, /logged/);
  says(await w("receipt", "m.cose", "--log", url, "--key", vkey), 0, /m\.cose\.receipt/);
  says(
    await w("verify", "m.cose", "--key", vkey, "--artifact", "model.bin"),
    0,
    /about model\.bin, which it calls "https:\/\/a\.example\/model\.bin"/,
  );
  says(
    await w("verify", "m.cose", "--proof", "m.cose.tlog-proof", "--key", vkey, "--artifact", "model.bin"),
    0,
    /about model\.bin/,
  );
  await writeFile(join(folder, "model.bin"), new Uint8Array(300_000).fill(6));
  says(
    await w("verify", "m.cose", "--key", vkey, "--artifact", "model.bin"),
    1,
    /NOT_VERIFIED: model\.bin: none of the 1 artifacts/,
  );
  says(
    await w("receipt", "m.cose", "--log", url, "--key", vkey, "--size", "3", "--attach", "-o", "t.cose"),
    0,
    /entry 2 in the tree of 3/,
  );
  says(
    await w("receipt", "m.cose", "--log", url, "--key", vkey, "--size", "2"),
    1,
    /SERVER_REFUSED.*404 Not Found: entry 2 is not in the tree of 2/,
  );
  await stop();
});

test("mistakes are told apart, and what was wanted is said", async () => {
  const folder = await issuer("ed25519");
  const w = (...args: string[]): Promise<Ran> => writ(folder, ...args);
  const all = (cases: readonly (readonly [string[], number, RegExp])[]) =>
    Promise.all(cases.map(async ([args, code, text]) => says(await w(...args), code, text)));
  await writeFile(join(folder, "x"), "x");
  const foreign = ["sign", "x", "--content-type", "text/plain", "--key", "issuer.pem"];
  says(await w("keys", "new", "k", "--name", "log.example"), 0, /^log\.example/);
  says(await w(...foreign, "--cose", "--issuer", "i", "--subject", "s", "-o", "x.cose"), 0, /sha256/);
  await all([
    [[...foreign, "--cose", "--subject", "s"], 2, /--issuer is missing/],
    [[...foreign, "--cose", "--issuer", "i"], 2, /--subject is missing/],
    [[...foreign, "--subject", "s"], 2, /--subject is for COSE/],
    [[...foreign, "--hash"], 2, /--hash is for COSE/],
    [[...foreign, "--cose", "--issuer", "i", "--subject", "s", "--location", "l"], 2, /want --hash/],
    [["sign", "x", "--subject", "s", "--key", "issuer.pem"], 2, /--content-type is missing/],
    [["verify", "x.cose", "--key", "k.pub"], 1, /there is no receipt: none in x\.cose/],
    [["receipt", "x.cose"], 2, /--log/],
    [["receipt", "x.cose", "--log", "http://127.0.0.1:1", "--attach"], 2, /--attach: want -o FILE/],
    [
      ["receipt", "x.cose", "--log", "http://127.0.0.1:1", "--key", "k+00000000+AA", "--patience", "0"],
      1,
      /VKEY_MALFORMED/,
    ],
    [["receipt", "attach", "x.cose", "-o", "y"], 1, /x\.cose\.receipt: no such file/],
    [["receipt", "attach", "x.cose"], 2, /want -o FILE/],
    [["receipt", "extract", "x.cose"], 1, /no receipt in it/],
    [["receipt", "extract", "x"], 1, /ENVELOPE_MALFORMED/],
  ]);
  // A device is written to and never replaced.
  if (existsSync("/dev/full")) {
    says(await w(...foreign, "-o", "/dev/full"), 1, /\/dev\/full: the disk is full/);
    assert.ok(statSync("/dev/full").isCharacterDevice());
  }
  await writeFile(join(folder, "x.cose.receipt"), "junk");
  await all([
    [["verify", "x.cose", "--policy", "x"], 2, /want --key or --keys/],
    [["verify", "x.cose"], 2, /whose receipts are believed/],
    [["verify", "x.cose", "--keys", "x"], 1, /COSE_KEY_MALFORMED/],
    [["verify", "x.cose", "--keys", "missing"], 1, /missing: no such file/],
  ]);
});
