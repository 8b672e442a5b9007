/** What a person asks of a verdict on the command line: words, codes, exit codes, domains, digests. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { essayWire } from "../../src/demo/essay.js";
import { drop, edit, subject, withhold } from "../../src/demo/changes.js";
import type { Change } from "../../src/demo/changes.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import { formatBundleFile } from "../../src/trace/bundle.js";
import { CODES } from "../../src/trace/codes.js";
import { logKey } from "../support/log.js";
import { end, freePort, startLog, temporaryFolder, writ } from "../support/process.js";
import { bundleOf, play } from "../support/story.js";

const KEY = ["--key", formatVerifierKey(logKey)];
let folder = "";

before(async () => {
  folder = await temporaryFolder();
});

/** The bundle of a story, in a file. */
async function bundle(file: string, ...changes: readonly Change[]): Promise<string> {
  const story = changes.reduce((one, change) => change(one), essayWire);
  const played = await play(story);
  const text = formatBundleFile(await bundleOf(played, story.subject));
  await writeFile(join(folder, file), text);
  await played.log.close();
  return text;
}

/** Tier 0: somebody did something that nobody asked for and nobody decided. */
const light: readonly Change[] = [
  edit("type", () => ({
    risk_tier: 0,
    required_approvals: undefined,
    independent_confirmation: undefined,
    evidence_types: undefined,
  })),
  edit("request", () => ({ required_approvals: undefined, constraints: {}, evidence_hashes: undefined })),
  withhold("decision", "grant"),
  drop("approval", "consumption"),
  edit("receipt", () => ({ capability_hash: null })),
];

test("a verdict is a sentence, a word with its qualifiers, and what is wrong; the exit code is 0 for what was allowed", async () => {
  const good = await bundle("good.json");
  const fine = await writ(folder, "verify", "good.json", ...KEY);
  assert.equal(fine.code, 0, fine.stdout);
  assert.match(
    fine.stdout,
    /^adapter:bank did wire\.transfer[^\n]*41872\.14 USD[^\n]*\nAUTHORIZED \(risk tier 3[^\n]*the operator vouched alone; complete up to \d+ entries/,
  );
  assert.doesNotMatch(fine.stdout, /not asked/);
  const checks = await writ(folder, "verify", "good.json", ...KEY, "--checks");
  assert.match(checks.stdout, /delegation/);
  assert.ok(checks.stdout.length > fine.stdout.length);

  await bundle(
    "refused.json",
    drop("consumption", "receipt"),
    edit("decision", () => ({ decision: "deny" })),
    withhold("grant"),
    subject("request"),
  );
  assert.equal((await writ(folder, "verify", "refused.json", ...KEY)).code, 1);
  const refused = await writ(folder, "verify", "refused.json", ...KEY, "--allow-not-executed");
  assert.deepEqual([refused.code, /\nNOT_EXECUTED \(/.test(refused.stdout)], [0, true], refused.stdout);

  await bundle("light.json", ...light);
  assert.equal((await writ(folder, "verify", "light.json", ...KEY)).code, 1);
  const recorded = await writ(folder, "verify", "light.json", ...KEY, "--allow-recorded");
  assert.deepEqual([recorded.code, /\nRECORDED \(/.test(recorded.stdout)], [0, true], recorded.stdout);

  // Whoever has the file cannot make anybody look guilty by damaging it.
  for (const [file, text] of [
    ["cut.json", good.slice(0, good.length / 2)],
    ["time.json", good.replace(/"received_at":"[^"]*"/, '"received_at":"2026-05-01T00:00:00.000Z"')],
    ["empty.json", ""],
  ] as const) {
    await writeFile(join(folder, file), text);
    const damaged = await writ(folder, "verify", file, ...KEY);
    assert.equal(damaged.code, 1, file);
    assert.doesNotMatch(damaged.stdout, /VIOLATION|AUTHORIZED/, file);
    assert.match(damaged.stdout, /NOT_VERIFIED/, file);
    assert.match(damaged.stdout, /accuses nobody/, file);
  }
});

test("every code has a sentence that is told; what is none is told which there are", async () => {
  for (const code of ["WITHDRAWN_BEFORE_USE", "NO_STANDING", "NOT_EXECUTED"]) {
    const told = await writ(folder, "verify", "--explain", code);
    assert.equal(told.code, 0, told.stderr);
    assert.match(told.stdout, /^[A-Z_]+: [A-Z][^\n]{20,}\.\n/);
  }
  for (const sentence of Object.values(CODES))
    assert.ok(sentence.length > 20 && sentence.endsWith("."), sentence);
  const none = await writ(folder, "verify", "--explain", "WORSE");
  assert.deepEqual(
    [none.code, /want a code or a verdict, got WORSE; there are .*NO_STANDING/.test(none.stderr)],
    [2, true],
  );
});

test("a digest is spelled as records spell it", async () => {
  await writeFile(join(folder, "x"), "x");
  const one = await writ(folder, "digest", "x");
  assert.equal(one.stdout, "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n");
  assert.equal((await writ(folder, "digest")).code, 2);
  assert.equal((await writ(folder, "digest", "nothing-here")).code, 1);
});

test("a second organisation on a log: founded, listed, registering its own and nobody else's", async () => {
  const port = await freePort();
  const log = await startLog(folder, port);
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", "log/keys/log.key.pub"];
  const w = (...args: string[]) => writ(folder, ...args);
  for (const [file, name] of [
    ["theirs", "acme:registrar"],
    ["agent", "acme:agent"],
    ["other", "beta:agent"],
  ] as const)
    assert.equal((await w("keys", "new", `${file}.key`, "--name", name)).code, 0);
  const found = [
    "domains",
    "found",
    "acme.example",
    "--first",
    "theirs.key.pub",
    "--registrar",
    "log/keys/registrar.key",
    ...at,
  ];
  assert.deepEqual((await w(...found)).code, 2, "without a prefix");
  const founded = await w(...found, "--prefix", "acme:");
  assert.equal(founded.code, 0, founded.stderr);
  assert.match(
    founded.stdout,
    /^founded acme\.example for ids that begin with acme:; its first registrar is acme:registrar \(entry 1\)\n$/,
  );
  const again = await w(...found, "--prefix", "acme:");
  assert.deepEqual([again.code, /DOMAIN_TAKEN/.test(again.stderr + again.stdout)], [1, true]);
  assert.match(
    (await w("domains", "list", ...at)).stdout,
    /\n1 {2}acme\.example {2}acme: {2}acme:registrar\n$/,
  );

  const register = (file: string, by: string, ...more: string[]) =>
    w("keys", "register", `${file}.key.pub`, "--registrar", by, "--role", "agent", ...more, ...at);
  assert.equal((await register("agent", "theirs.key")).code, 0);
  const beyond = await register("other", "theirs.key");
  assert.deepEqual([beyond.code, /ID_OF_ANOTHER_DOMAIN/.test(beyond.stderr + beyond.stdout)], [1, true]);
  const from = await register("agent", "log/keys/registrar.key");
  assert.deepEqual([from.code, /ID_OF_ANOTHER_DOMAIN/.test(from.stderr + from.stdout)], [1, true]);
  const old = await register("other", "log/keys/registrar.key", "--domain", "acme-finance");
  assert.deepEqual([old.code, /--control-domain[^]*--trust-domain/.test(old.stderr)], [2, true], old.stderr);
  const plain = await register(
    "other",
    "log/keys/registrar.key",
    "--control-domain",
    "beta-finance",
    "--writer-class",
    "agent",
  );
  assert.equal(plain.code, 0, plain.stderr);
  assert.equal(await end(log, "SIGTERM"), 0);
});
