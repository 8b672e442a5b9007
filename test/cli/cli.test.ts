/** The command line as a newcomer uses it: the README's session as pasted, and what each mistake is told. */
import assert from "node:assert/strict";
import { chmod, cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { factMembers } from "../support/log.js";
import { end, freePort, MAIN, PROJECT, run, startLog, temporaryFolder, writ } from "../support/process.js";
import { readmeBlock } from "../support/readme.js";

/** Where a newcomer stands: a log that runs, and a shell in which the README's text is pasted. */
async function newcomer() {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  await symlink(join(folder, "log"), join(folder, "writ-data"));
  const shell = (text: string) =>
    run(folder, "bash", [
      "-euc",
      `npx() { shift; '${process.execPath}' '${MAIN}' "$@"; }\n${text.replaceAll("127.0.0.1:6962", `127.0.0.1:${port}`)}`,
    ]);
  return { folder, port, log, shell };
}

test("the README's first session works when pasted, and its proof verifies with the server stopped", async () => {
  const { port, log, shell } = await newcomer();
  const session = await readmeBlock("session");
  const online = await shell(session);
  assert.equal(online.code, 0, online.stderr);
  assert.match(online.stdout, /request\.dsse\tlogged\t2\tsha256:[0-9a-f]{64}\trequest\.dsse\.tlog-proof/);
  const requests = (await readmeCurls()).replaceAll("$LOG", `http://127.0.0.1:${port}`);
  const curls = await shell(requests);
  assert.equal(curls.code, 0, curls.stderr);
  assert.equal(await end(log, "SIGTERM"), 0);
  const offline = await shell(`${session.split("\n")[0]}\n${await readmeBlock("session-offline")}`);
  assert.equal(offline.code, 0, offline.stderr);
  assert.match(
    offline.stdout,
    /^VERIFIED: entry 2 of localhost\/writ, under the checkpoint of 3 entries\nno witness.*\nsigned by key [0-9a-f]{64}, says the statement; the signature was not checked .*\nit claims to be a record of type action-request by agent:\/\/acme\/buyer, action wire\.transfer, .*\nclean: 3 entries\n$/,
  );
});

test("the README's second session: a wire transfer traced, verified offline, then broken and caught", async () => {
  const { folder, log, shell } = await newcomer();
  const first = (await readmeBlock("session")).split("\ncat >")[0] ?? "";
  const blocks = await Promise.all(["session-trace", "session-verdict", "session-caught"].map(readmeBlock));
  const { code, stdout, stderr } = await shell([first, ...blocks].join("\n"));
  assert.equal(code, 1, stderr);
  assert.match(
    stdout,
    /\nacme:\/\/payments did wire\.transfer with amount "41872\.14 USD" on vendor "acme-supplies"[^\n]*\nAUTHORIZED \(risk tier 2[^\n]*the operator vouched alone; complete up to \d+ entries\)\n[^]*└─ ✓ #\d+ execution-receipt executed {2}acme:\/\/payments/,
  );
  assert.match(stdout, /\nVIOLATION \([^\n]*\)\nwhat fails:\n[^]*FAIL NONCE_REUSED: 2 uses of a grant for 1/);
  assert.match(await readFile(join(folder, "trace.svg"), "utf8"), /^<svg /);
  assert.equal(await end(log, "SIGTERM"), 0);
  const key = `VKEY=$(cat writ-data/keys/log.key.pub)`;
  const verified = await shell(`${key}\n${await readmeBlock("session-verdict")}`);
  assert.equal(verified.code, 0, verified.stderr);
  assert.match(verified.stdout, /\nAUTHORIZED \([^\n]*\)\n\d+ PASS, 0 FAIL, 0 UNKNOWN/);
  const bundle = await readFile(join(folder, "bundle.json"), "utf8");
  await writeFile(join(folder, "bundle.json"), bundle.replace('"index":0,', '"index":1,'));
  const tampered = await shell(`${key}\n${await readmeBlock("session-verdict")}`);
  assert.deepEqual([tampered.code, tampered.stdout.includes("AUTHORIZED")], [1, false]);
});

test("the README's fifth session: signed, registered, attested, and verified by receipts with the server stopped", async () => {
  const { port, log, shell } = await newcomer();
  const first = (await readmeBlock("session")).split("\ncat >")[0] ?? "";
  const online = await shell([first, await readmeBlock("session-scitt")].join("\n"));
  assert.equal(online.code, 0, online.stderr);
  assert.match(online.stdout, /sbom\.transparent\.cose: 1 receipt\n/);
  assert.match(online.stdout, /#3 {2}foreign .*\n1 found; complete up to size 4\n$/);
  assert.equal(await end(log, "SIGTERM"), 0);
  const offline = await shell(await readmeBlock("session-scitt-offline"));
  assert.equal(offline.code, 0, offline.stderr);
  const name = `http://127\\.0\\.0\\.1:${port}`;
  assert.match(
    offline.stdout,
    new RegExp(
      `^VERIFIED: entry 2 of "${name}", in its tree of 3 entries; about "pkg:npm/shop@1\\.2\\.3"\n.*\nsigned by key `,
    ),
  );
  assert.match(
    offline.stdout,
    /\nVERIFIED: entry 3 of [^\n]*\n[^\n]*\n[^\n]*signature was not checked[^\n]*\nabout sbom\.json, which it calls "sbom\.json"\n$/,
  );
  const changed = await shell(await readmeBlock("session-scitt-changed"));
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /^NOT_VERIFIED: sbom\.json: none of the 1 artifacts/);
});

async function readmeCurls(): Promise<string> {
  const readme = await readFile(join(PROJECT, "README.md"), "utf8");
  const examples = /## Over HTTP\n\n```sh\n([^]*?)```/.exec(readme)?.[1] ?? assert.fail("no examples");
  return [...examples.matchAll(/^curl .*$/gm)]
    .map(([line]) => line.replace("curl ", "curl -sSf "))
    .join("\n");
}

test("init refuses to overwrite; secrets are 0600; serve refuses a second process and another log's key", async () => {
  const folder = await temporaryFolder();
  const made = await writ(folder, "init", "log", "--origin", "log.example/one");
  assert.match(made.stdout, /^log\.example\/one\+[0-9a-f]{8}\+A/);
  assert.equal(made.stdout.trim(), (await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim());
  for (const [file, mode] of [
    ["log.key", 0o600],
    ["registrar.key", 0o600],
    ["log.key.pub", 0o644],
  ] as const) {
    assert.equal((await stat(join(folder, "log/keys", file))).mode & 0o777, mode, file);
  }
  const again = await writ(folder, "init", "log", "--origin", "log.example/two");
  assert.deepEqual([again.code, again.stdout], [1, ""]);
  assert.match(again.stderr, /^writ: error: LOG_EXISTS: /);

  const port = await freePort();
  const first = await startLog(folder, port);
  const second = await writ(folder, "serve", "log", "--listen", `127.0.0.1:${await freePort()}`);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /STORE_LOCKED: another process has the log in log\/db open/);
  const fsck = await writ(folder, "fsck", "log");
  assert.match(fsck.stderr, /STORE_LOCKED/);
  assert.equal(await end(first, "SIGTERM"), 0);

  await writ(folder, "init", "other", "--origin", "log.example/one");
  await cp(join(folder, "other/keys/log.key"), join(folder, "log/keys/log.key"));
  const wrong = await writ(folder, "serve", "log", "--listen", `127.0.0.1:${port}`);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /LOG_KEY_MISMATCH/);
  assert.doesNotMatch(wrong.stderr, /PRIVATE/);
});

test("a port that is taken is said so, before anything else goes wrong", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  await writ(folder, "init", "two", "--origin", "log.example/two");
  const taken = await writ(folder, "serve", "two", "--listen", `127.0.0.1:${port}`);
  assert.match(taken.stderr, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
  assert.equal(taken.code, 1);
  assert.equal((await writ(folder, "fsck", "two")).stdout, "clean: 1 entries\n");
  await end(log, "SIGTERM");
});

test("folders, standard input, records with a key, ES256 in PEM: submit takes them all and saves the proofs", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub"];
  const registrar = ["--registrar", "log/keys/registrar.key"];
  await writ(folder, "keys", "new", "a.key", "--name", "agent://a");
  const spread = await writ(
    folder,
    "keys",
    "register",
    "a.key.pub",
    "--id",
    "agent://a",
    "agent://b",
    "--role",
    "agent",
    "recorder",
    ...registrar,
    ...at,
  );
  assert.match(spread.stdout, /for agent:\/\/a, agent:\/\/b as agent, recorder \(entry 1\)/);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeFile(join(folder, "es.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeFile(join(folder, "es.pub.pem"), publicKey.export({ type: "spki", format: "pem" }));
  assert.equal(
    (
      await writ(
        folder,
        "keys",
        "register",
        "es.pub.pem",
        "--id",
        "agent://es",
        "--role",
        "agent",
        ...registrar,
        ...at,
      )
    ).code,
    0,
  );

  await mkdir(join(folder, "records"));
  for (let n = 0; n < 30; n++)
    await writeFile(join(folder, `records/r${n}.json`), JSON.stringify({ ...factMembers, n }));
  const many = await writ(folder, "submit", "records", "--sign", "a.key", "--json", ...at);
  assert.equal(many.code, 0, many.stderr);
  const results = JSON.parse(many.stdout) as { index: number; proof: string; new: boolean }[];
  assert.deepEqual(
    results.map(({ index }) => index).toSorted((a, b) => a - b),
    Array.from({ length: 30 }, (_, i) => 3 + i),
  );
  assert.equal(
    (await readdir(join(folder, "records"))).filter((name) => name.endsWith(".tlog-proof")).length,
    30,
  );

  await writeFile(join(folder, "es.json"), JSON.stringify({ ...factMembers, issuer: "agent://es" }));
  for (const [out, cose] of [
    ["es.dsse", []],
    ["es.cose", ["--cose"]],
  ] as const) {
    assert.equal((await writ(folder, "sign", "es.json", "--key", "es.pem", "-o", out, ...cose)).code, 0);
    assert.equal((await writ(folder, "submit", out, ...at)).code, 0);
    const verified = await writ(
      folder,
      "verify",
      out,
      "--proof",
      `${out}.tlog-proof`,
      "--key",
      "log/keys/log.key.pub",
      "--json",
    );
    assert.equal((JSON.parse(verified.stdout) as { verified: boolean }).verified, true);
  }
  const lines = (await Promise.all(["es.dsse"].map((file) => readFile(join(folder, file), "utf8")))).join(
    "\n",
  );
  const piped = await run(folder, process.execPath, [MAIN, "submit", "-", "--out", "proofs", ...at], {
    input: `${lines}\n`,
  });
  assert.match(piped.stdout, /standard input\talready there\t/);
  assert.equal((await readdir(join(folder, "proofs"))).length, 1);

  const listed = await writ(folder, "keys", "list", "--json", ...at);
  assert.deepEqual(
    (JSON.parse(listed.stdout) as { algorithm: string }[]).map(({ algorithm }) => algorithm),
    ["Ed25519", "Ed25519", "ES256"],
  );
  const raw = await run(folder, "bash", [
    "-c",
    `'${process.execPath}' '${MAIN}' get 33 --raw ${at.join(" ")} 2>/dev/null | cmp - es.dsse`,
  ]);
  assert.equal(raw.code, 0);
  await writ(folder, "prove", "34", "-o", "p.tlog-proof", ...at);
  assert.equal(
    (await writ(folder, "verify", "es.cose", "--proof", "p.tlog-proof", "--key", "log/keys/log.key.pub"))
      .code,
    0,
  );
  await writeFile(
    join(folder, "policy.txt"),
    `log ${(await readFile(join(folder, "log/keys/log.key.pub"), "utf8")).trim()}\nquorum none\n`,
  );
  assert.equal(
    (await writ(folder, "verify", "es.cose", "--proof", "p.tlog-proof", "--policy", "policy.txt")).code,
    0,
  );
  const wrong = await writ(folder, "verify", "es.dsse", "--proof", "p.tlog-proof", "--policy", "policy.txt");
  assert.deepEqual([wrong.code, wrong.stdout.startsWith("NOT_VERIFIED")], [1, true]);
  assert.equal(
    (await writ(folder, "fsck", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub")).stdout,
    "clean: 35 entries\n",
  );
  assert.equal(await end(log, "SIGTERM"), 0);
  assert.equal((await writ(folder, "fsck", "log")).stdout, "clean: 35 entries\n");
});

test("mistakes are told apart: 2 for usage, 1 for no, 3 where nobody could be asked; results on stdout, the rest on stderr", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "bad.json"), '{"type":"fact","type":"fact"}');
  await writeFile(join(folder, "not.key"), "PRIVATE+KEY+a+00000000+AAAA");
  await writ(folder, "keys", "new", "a.key", "--name", "agent://a");
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["frobnicate"], 2, /there is no verb "frobnicate"/],
    [["init", "x"], 2, /--origin is missing/],
    [["init", "x", "--origin", "a b"], 2, /want a name such as/],
    [["init", "x", "--origin", "o", "--admission", "open"], 2, /registered or raw/],
    [["init", "x", "y", "--origin", "o"], 2, /want one folder, got 2/],
    [["serve", "--listen", "nonsense"], 2, /HOST:PORT/],
    [["serve", "--colour"], 2, /--colour/],
    [["get", "1", "--log", "notaurl"], 2, /want http:/],
    [["get", "1", "--log", "http://127.0.0.1:1", "--patience", "abc"], 2, /--patience/],
    [
      [
        "keys",
        "register",
        "a.key.pub",
        "--registrar",
        "a.key",
        "--role",
        "king",
        "--log",
        "http://127.0.0.1:1",
      ],
      2,
      /got king/,
    ],
    [["keys", "new", "a.key", "--name", "b"], 1, /FILE_UNREADABLE: a\.key\.pub: exists already/],
    [["keys", "new", "b.key", "--name", "b c"], 2, /without spaces/],
    [["sign", "nothing.json", "--key", "a.key"], 1, /nothing\.json: no such file/],
    [["sign", "bad.json", "--key", "a.key"], 1, /RECORD_MALFORMED: .*twice/],
    [["sign", "bad.json", "--key", "not.key"], 1, /KEY_MALFORMED/],
    [["hooks", "add", "https://me:secret@hooks.example/"], 2, /no user name or password/],
    [["submit"], 2, /want at least one file/],
    [
      ["get", "1", "--log", "http://127.0.0.1:1", "--key", "a.key.pub", "--patience", "0"],
      3,
      /SERVER_UNREACHABLE/,
    ],
    [["verify", "bad.json", "--proof", "bad.json"], 2, /either --key VKEY or --policy FILE/],
    [["verify", "bad.json", "--proof", "bad.json", "--key", "a.key.pub"], 1, /PROOF_MALFORMED/],
    [["fsck", "nowhere"], 3, /LOG_MISSING: there is no log in nowhere/],
  ];
  for (const [args, code, said] of cases) {
    const { stdout, stderr, code: got } = await writ(folder, ...args);
    assert.deepEqual([got, stdout], [code, ""], `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, said, args.join(" "));
    assert.doesNotMatch(stderr, /\n\s+at /, "no stack");
  }
  const help = await writ(folder, "--help");
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  for (const verb of ["init", "serve", "keys register", "sign", "submit", "get", "prove", "verify", "fsck"])
    assert.match(help.stdout, new RegExp(`writ ${verb}`));
});

test("one bad line or file is reported and holds nothing else back", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub"];
  await writ(folder, "keys", "new", "a.key", "--name", "agent://a");
  await writ(
    folder,
    "keys",
    "register",
    "a.key.pub",
    "--role",
    "recorder",
    "--registrar",
    "log/keys/registrar.key",
    ...at,
  );
  const [one, two] = [1, 2].map((n) => JSON.stringify({ ...factMembers, n }));
  const lines = `${one}\n{"type":"fact",\n\n${two}\n`;
  const piped = await run(
    folder,
    process.execPath,
    [MAIN, "submit", "-", "--sign", "a.key", "--json", ...at],
    { input: lines },
  );
  assert.equal(piped.code, 1);
  const results = JSON.parse(piped.stdout) as { name: string; index?: number; refused?: { code: string } }[];
  assert.deepEqual(
    results.map(({ name, index, refused }) => [name, index ?? refused?.code]),
    [
      ["line 1", 2],
      ["line 4", 3],
      ["line 2", "ENVELOPE_MALFORMED"],
    ],
  );
  await end(log, "SIGTERM");
});

test("fsck of a folder minds the pinned key", async () => {
  const folder = await temporaryFolder();
  await writ(folder, "init", "log", "--origin", "log.example/one");
  await writ(folder, "init", "other", "--origin", "log.example/one");
  assert.equal((await writ(folder, "fsck", "log", "--key", "log/keys/log.key.pub")).code, 0);
  const wrong = await writ(folder, "fsck", "log", "--key", "other/keys/log.key.pub");
  assert.deepEqual([wrong.code, wrong.stdout], [1, ""]);
  assert.match(wrong.stderr, /LOG_KEY_MISMATCH/);
  assert.match((await writ(folder, "fsck", "log", "--key", "nonsense")).stderr, /nonsense: no such file/);
});

test("a damaged or older database is refused, not written over: the log never goes on behind what it has signed", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub"];
  let log = await startLog(folder, port);
  await writ(folder, "keys", "new", "a.key", "--name", "agent://a");
  await end(log, "SIGTERM");
  await cp(join(folder, "log/db"), join(folder, "older"), { recursive: true });
  log = await startLog(folder, port);
  await writ(
    folder,
    "keys",
    "register",
    "a.key.pub",
    "--role",
    "agent",
    "--registrar",
    "log/keys/registrar.key",
    ...at,
  );
  await end(log, "SIGTERM");

  await cp(join(folder, "log"), join(folder, "rolled"), { recursive: true });
  await rm(join(folder, "rolled/db"), { recursive: true });
  await cp(join(folder, "older"), join(folder, "rolled/db"), { recursive: true });
  const rolled = await writ(folder, "serve", "rolled", "--listen", `127.0.0.1:${port}`);
  assert.deepEqual(
    [rolled.code, /has signed a checkpoint of 2 entries, and the database holds 1/.test(rolled.stderr)],
    [1, true],
  );
  assert.match((await writ(folder, "fsck", "rolled")).stdout, /NOT CLEAN[^]*has signed a checkpoint of 2/);

  await rm(join(folder, "log/db/CURRENT"));
  const before = (await readdir(join(folder, "log/db"))).toSorted();
  for (const verb of [
    ["fsck", "log"],
    ["serve", "log"],
  ]) {
    const refused = await writ(folder, ...verb);
    assert.deepEqual(
      [refused.code, /STORE_CORRUPT: \S*db\/CURRENT is damaged or missing/.test(refused.stderr)],
      [1, true],
      refused.stderr,
    );
    assert.doesNotMatch(refused.stderr, /\n\s+at /);
  }
  const after = (await readdir(join(folder, "log/db"))).toSorted();
  assert.deepEqual(
    after.filter((name) => /ldb|MANIFEST/.test(name)),
    before.filter((name) => /ldb|MANIFEST/.test(name)),
    "nothing was deleted",
  );
});

test("the packed package, put into an empty folder, is a working command and typed imports", async () => {
  const folder = await temporaryFolder();
  const packed = await run(PROJECT, "npm", [
    "pack",
    "--ignore-scripts",
    "--pack-destination",
    folder,
    "--json",
  ]);
  const [{ filename, files }] = JSON.parse(packed.stdout) as [
    { filename: string; files: { path: string }[] },
  ];
  assert.ok(
    files.every(({ path }) => !/^(src|test|bench|dist\/test|dist\/bench)\//.test(path)),
    "no sources, tests or benchmarks",
  );
  await mkdir(join(folder, "node_modules"));
  assert.equal((await run(folder, "tar", ["xzf", filename])).code, 0);
  await run(folder, "mv", ["package", "node_modules/writ"]);
  for (const name of await readdir(join(PROJECT, "node_modules"))) {
    if (name !== "writ")
      await symlink(join(PROJECT, "node_modules", name), join(folder, "node_modules", name)).catch(() => {});
  }
  const bin = join(folder, "node_modules/writ/dist/src/cli/main.js");
  await chmod(bin, 0o755);
  assert.match((await run(folder, bin, ["--version"])).stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal((await run(folder, bin, ["init", "log", "--origin", "packed.example"])).code, 0);
  assert.equal((await run(folder, bin, ["fsck", "log"])).stdout, "clean: 1 entries\n");
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  const uses = `import { LogClient, type LoggedEntry } from "writ/client";
import { trustKey, verifyEntry } from "writ/verify";
import { leafHash, type Hash } from "writ/merkle";
const hash: Hash = leafHash(new Uint8Array(1));
const use = async (client: LogClient): Promise<LoggedEntry> => client.submit(hash);
console.log(typeof use, typeof trustKey, typeof verifyEntry);
`;
  const compile = async (file: string, text: string): Promise<number> => {
    await writeFile(join(folder, file), text);
    const options = ["--module", "nodenext", "--target", "es2022", "--strict", "--types", "node"];
    return (await run(folder, join(PROJECT, "node_modules/.bin/tsc"), [...options, file])).code;
  };
  assert.equal(await compile("use.ts", uses), 0);
  assert.notEqual(
    await compile("misuse.ts", `${uses}const wrong: number = hash;`),
    0,
    "the types are there, and say no",
  );
  const ran = await run(folder, process.execPath, ["use.js"]);
  assert.equal(ran.stdout, "function function function\n");
});
