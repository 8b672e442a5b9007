/** SCRAPI: its four operations, each status and title, on the router's own failures too; and the receipts that come out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256, toHex } from "#crypto";
import { conciseOf } from "../../api/concise.js";
import { WritError } from "../../src/errors.js";
import { isPlaced } from "../../src/log/log.js";
import { REGISTRATION_RULES } from "../../src/record/registration.js";
import { concat, utf8 } from "../../src/format/bytes.js";
import { formatCoseKey, formatCoseKeySet, parseCoseKeySet } from "../../src/statement/cose-key.js";
import { parseReceipt } from "../../src/statement/receipt.js";
import { signDsse } from "../../src/statement/sign.js";
import { formatSign1, sigStructure } from "../../src/statement/sign1.js";
import { attachReceipts, splitTransparent } from "../../src/statement/transparent.js";
import {
  serviceOfKeySet,
  verifyConsistencyReceipt,
  verifyReceipt,
} from "../../src/statement/verify-receipt.js";
import { coseHeader, type Label } from "../support/cose-header.js";
import {
  agent,
  cose,
  dsse,
  keyOf,
  logKey,
  newStore,
  openLog,
  record,
  signerOf,
  stranger,
} from "../support/log.js";
import {
  appOf,
  bytesOf,
  es256Issuer,
  foreign,
  ISSUER,
  ours,
  post,
  problemOf,
  scittLog,
  URL_OF_LOG,
} from "../support/scitt.js";

const idOf = (statement: Uint8Array): string => toHex(sha256(statement));

test("POST /entries: 201, the receipt, and one Location for the same statement; by keys of every kind", async () => {
  const { log, app } = await scittLog();
  const statements = [
    foreign(utf8("hello")),
    foreign(utf8("hello"), { signer: es256Issuer }),
    cose(record({ n: 1 })).bytes,
    foreign(new Uint8Array(0)),
  ];
  for (const statement of statements) {
    for (const type of [
      "application/cose",
      'Application/COSE; cose-type="cose-sign1"',
      "application/scitt-statement+cose",
    ]) {
      const response = await post(app, statement, { "content-type": type });
      assert.equal(response.status, 201);
      assert.equal(response.headers.get("content-type"), "application/cose");
      assert.equal(response.headers.get("location"), `${URL_OF_LOG}/entries/${idOf(statement)}`);
      const receipt = await bytesOf(response);
      const { index, size, issuer } = verifyReceipt(statement, receipt, [ours]);
      assert.equal(issuer, URL_OF_LOG);
      assert.deepEqual(
        [size, toHex((await log.read.entry(index)).stored)],
        [log.published.size, toHex(statement)],
      );
    }
  }
  assert.equal(log.published.size, 3 + statements.length, "each once, however often it came");
  await log.close();
});

test("POST /entries: −8 and −19 are the same Ed25519; ES256 of either s is taken", async () => {
  const { log, app } = await scittLog();
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  for (const [alg, signer] of [
    [-8, agent],
    [-19, agent],
    [-7, es256Issuer],
  ] as const) {
    const header = coseHeader({ alg, keyId: signer.publicKey.keyId });
    const signature = signer.sign(sigStructure(header, utf8("x")));
    assert.equal((await post(app, formatSign1(header, utf8("x"), signature))).status, 201, `alg ${alg}`);
    if (alg !== -7) continue;
    const high = order - BigInt(`0x${toHex(signature.subarray(32))}`);
    const twin = concat(signature.subarray(0, 32), Buffer.from(high.toString(16).padStart(64, "0"), "hex"));
    assert.equal((await post(app, formatSign1(header, utf8("x"), twin))).status, 201, "the high s");
  }
  await log.close();
});

test("what is beside the signature is not kept: a transparent statement registers as the statement it is of", async () => {
  const { log, app } = await scittLog();
  const statement = foreign(utf8("hello"));
  const first = await post(app, statement);
  const receipt = await bytesOf(first);
  const transparent = attachReceipts(statement, [receipt]);
  const second = await post(app, transparent);
  assert.equal(second.headers.get("location"), first.headers.get("location"));
  const fresh = await bytesOf(second);
  assert.equal(
    verifyReceipt(transparent, fresh, [ours]).index,
    verifyReceipt(statement, receipt, [ours]).index,
  );
  const { receipts } = splitTransparent(attachReceipts(transparent, [fresh, receipt]));
  assert.deepEqual(receipts.map(toHex), [toHex(receipt)], "under the same tree it is the same receipt");
  await log.close();
});

test("GET /entries/{id}: a fresh receipt under the newest checkpoint, and under any published size", async () => {
  const { log, app } = await scittLog();
  const statement = foreign(utf8("first"));
  const { index } = verifyReceipt(statement, await bytesOf(await post(app, statement)), [ours]);
  for (let n = 0; n < 5; n++) await post(app, foreign(utf8(`more ${n}`)));
  const path = `/entries/${idOf(statement)}`;
  const newest = await app.request(path);
  assert.equal(newest.status, 200);
  assert.equal(newest.headers.get("location"), `${URL_OF_LOG}${path}`);
  assert.equal(newest.headers.get("cache-control"), "no-cache");
  assert.equal(verifyReceipt(statement, await bytesOf(newest), [ours]).size, log.published.size);
  for (let size = index + 1; size <= log.published.size; size++) {
    const response = await app.request(`${path}?size=${size}`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("cache-control") ?? "", /immutable/);
    assert.equal(response.headers.get("vary"), "accept");
    const verified = verifyReceipt(statement, await bytesOf(response), [ours]);
    assert.deepEqual([verified.index, verified.size], [index, size]);
  }
  await log.submit([
    { bytes: foreign(utf8("two")), form: "cose" },
    { bytes: foreign(utf8("at once")), form: "cose" },
  ]);
  const between = await app.request(`${path}?size=${log.published.size - 1}`);
  assert.equal(between.status, 404, "no checkpoint had that size");
  assert.match((await problemOf(between)).detail, /never had the size/);
  const other = await app.request(path, { headers: { accept: "application/scitt-receipt+cose" } });
  assert.equal(other.headers.get("content-type"), "application/scitt-receipt+cose");
  const lenient = await app.request(path, { headers: { accept: "application/cbor" } });
  assert.equal(lenient.headers.get("content-type"), "application/cose");
  const head = await app.request(path, { method: "HEAD" });
  assert.deepEqual([head.status, (await bytesOf(head)).length], [200, 0]);
  for (const [query, status, title] of [
    [`?size=${index}`, 404, "Not Found"],
    ["?size=99", 404, "Not Found"],
    ["?size=x", 400, "Malformed request"],
    ["?siz=3", 400, "Malformed request"],
  ] as const) {
    const response = await app.request(path + query);
    assert.equal(response.status, status, query);
    assert.equal((await problemOf(response)).title, title, query);
  }
  await log.close();
});

test("records in DSSE, foreign DSSE and the policy itself have receipts too, about what they are about", async () => {
  const { log, app } = await scittLog();
  const inTrace = dsse(record({ trace_id: "wire-1" }));
  const alone = dsse(record({ n: 2 }));
  const text = { bytes: signDsse("text/plain", utf8("x"), agent), form: "dsse" } as const;
  const { results } = await log.submit([inTrace, alone, text]);
  assert.ok(results.every(isPlaced));
  const policy = (await log.read.entry(0)).stored;
  const cases = [
    [inTrace.bytes, "wire-1"],
    [alone.bytes, (await log.read.entry(4)).recordId],
    [text.bytes, `sha256:${idOf(text.bytes)}`],
    [policy, (await log.read.entry(0)).recordId],
  ] as const;
  for (const [statement, subject] of cases) {
    const receipt = await bytesOf(await app.request(`/entries/${idOf(statement)}`));
    assert.equal(verifyReceipt(statement, receipt, [ours]).subject, subject);
  }
  const said = JSON.parse(Buffer.from((await log.read.entry(0)).record ?? []).toString()) as Record<
    string,
    unknown
  >;
  assert.deepEqual(said["rules"], REGISTRATION_RULES);
  assert.equal(said["receipt_key"], signerOf(logKey).publicKey.keyId);
  await log.close();
});

test("every refusal has its status and title, and names the rule of the policy that it is by", async () => {
  const { log, app } = await scittLog();
  const good = foreign(utf8("x"));
  const header = (...labels: Label[]): Uint8Array => coseHeader({ keyId: agent.publicKey.keyId }, ...labels);
  const signed = (protectedBytes: Uint8Array, payload: Uint8Array | null = utf8("x")): Uint8Array =>
    formatSign1(
      protectedBytes,
      payload,
      agent.sign(sigStructure(protectedBytes, payload ?? new Uint8Array(0))),
    );
  const bent = good.slice();
  bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
  const cases: readonly (readonly [
    string,
    Uint8Array,
    number,
    string,
    keyof typeof REGISTRATION_RULES | null,
  ])[] = [
    ["nothing", new Uint8Array(0), 400, "Malformed request", "encoding"],
    ["one byte", Uint8Array.of(0xd2), 400, "Malformed request", "encoding"],
    ["JSON", utf8("{}"), 400, "Malformed request", "encoding"],
    ["another tag", concat(Uint8Array.of(0xd1), good.subarray(1)), 400, "Malformed request", "encoding"],
    ["no tag", good.subarray(1), 400, "Malformed request", "encoding"],
    ["more", concat(good, Uint8Array.of(0)), 400, "Malformed request", "encoding"],
    ["nested arrays", new Uint8Array(10_000).fill(0x81), 400, "Malformed request", "encoding"],
    [
      "a huge map",
      Uint8Array.of(0xd2, 0x84, 0x40, 0xba, 0xff, 0xff, 0xff, 0xff),
      400,
      "Malformed request",
      "encoding",
    ],
    ["detached", signed(header(), null), 400, "Payload Missing", "envelope"],
    [
      "no signature",
      formatSign1(header(), utf8("x"), new Uint8Array(0)),
      400,
      "Confirmation Missing",
      "signature",
    ],
    ["ES384", signed(header([1, -35])), 400, "Bad Signature Algorithm", "algorithm"],
    ["the other algorithm", signed(header([1, -7])), 400, "Bad Signature Algorithm", "algorithm"],
    [
      "x5chain",
      signed(header([33, utf8("cert")])),
      400,
      "X.509 (x5chain, x5t) Not Supported",
      "certificates",
    ],
    [
      "x5t",
      signed(header([34, [-16, utf8("hash")]])),
      400,
      "X.509 (x5chain, x5t) Not Supported",
      "certificates",
    ],
    ["unknown crit", signed(header([2, [99]])), 400, "Rejected", "envelope"],
    ["receipt under the signature", signed(header([394, [utf8("r")]])), 400, "Rejected", "envelope"],
    ["old claims", signed(header([13, new Map()])), 400, "Rejected", "envelope"],
    ["an unknown key", foreign(utf8("x"), { signer: stranger }), 400, "Rejected", "known-key"],
    ["a bent signature", bent, 400, "Rejected", "signature"],
    [
      "another issuer's record",
      cose(record({ n: 9 }), agent, "agent://other").bytes,
      400,
      "Rejected",
      "record",
    ],
    [
      "not its role",
      cose(record({ issuer: "agent://other", agent_id: "agent://other" }), agent, "agent://other").bytes,
      400,
      "Rejected",
      "role",
    ],
    ["no record", cose(utf8("[]")).bytes, 400, "Rejected", "record"],
    ["a record against its rules", cose(record({ requested_at: 5 })).bytes, 400, "Rejected", "record"],
    ["too large", foreign(new Uint8Array(70_000)), 413, "Content Too Large", "size"],
    ["far too large", new Uint8Array(200_000), 413, "Content Too Large", "size"],
  ];
  const before = log.published.size;
  for (const [what, body, status, title, rule] of cases) {
    const response = await post(app, body);
    assert.equal(response.status, status, what);
    const problem = await problemOf(response);
    assert.equal(problem.title, title, `${what}: ${problem.detail}`);
    if (rule !== null)
      assert.match(problem.detail, new RegExp(`rule ${rule} of the registration policy`), what);
  }
  assert.equal(log.published.size, before);
  await log.close();
});

test("a revoked key's foreign statements are refused, as its records are", async () => {
  const { log, app } = await scittLog();
  const statement = foreign(utf8("after"));
  const { results } = await log.submit([
    dsse(
      record({
        type: "revocation",
        issuer: "log.example/test/registrar",
        target: (await log.read.entry(1)).recordId,
        action: "revoke",
        reason: "stolen",
      }),
      signerOf(keyOf("log.example/test/registrar", 2)),
    ),
  ]);
  assert.ok(results.every(isPlaced), JSON.stringify(results));
  const problem = await problemOf(await post(app, statement));
  assert.equal(problem.title, "Rejected");
  assert.match(problem.detail, /revoked.*rule standing/);
  // Of several signers one that stands is enough, as for records.
  const both = { bytes: signDsse("text/plain", utf8("x"), agent, es256Issuer), form: "dsse" } as const;
  const alone = { bytes: signDsse("text/plain", utf8("x"), agent), form: "dsse" } as const;
  const after = await log.submit([both, alone]);
  assert.deepEqual(
    after.results.map((result) => (isPlaced(result) ? "logged" : result.code)),
    ["logged", "KEY_DISTRUSTED"],
  );
  await log.close();
});

test("a key that is taken back while its statement waits is not believed any more", async () => {
  const { log } = await scittLog();
  const registrar = signerOf(keyOf("log.example/test/registrar", 2));
  const revocation = record({
    type: "revocation",
    issuer: "log.example/test/registrar",
    target: (await log.read.entry(1)).recordId,
    action: "revoke",
    reason: "stolen",
  });
  // One request: both are judged by the keys as they were before it.
  const { results } = await log.submit([
    dsse(revocation, registrar),
    { bytes: foreign(utf8("x")), form: "cose" },
  ]);
  assert.deepEqual(
    results.map((result) => (isPlaced(result) ? "logged" : result.code)),
    ["logged", "KEY_DISTRUSTED"],
  );
  await log.close();
});

test("DSSE by ES256 has the low s, and is told so; COSE may have either", async () => {
  const { log } = await scittLog();
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const envelope = JSON.parse(Buffer.from(signDsse("text/plain", utf8("x"), es256Issuer)).toString()) as {
    signatures: { keyid: string; sig: string }[];
  };
  const [signature] = envelope.signatures;
  const low = Buffer.from(signature?.sig ?? "", "base64");
  const high = (order - BigInt(`0x${low.subarray(32).toString("hex")}`)).toString(16).padStart(64, "0");
  const sig = Buffer.concat([low.subarray(0, 32), Buffer.from(high, "hex")]).toString("base64");
  const bytes = utf8(JSON.stringify({ ...envelope, signatures: [{ ...signature, sig }] }));
  const { results } = await log.submit([{ bytes, form: "dsse" }]);
  const [refusal] = results;
  assert.ok(refusal !== undefined && !isPlaced(refusal));
  assert.deepEqual([refusal.code, /high s/.test(refusal.message)], ["SIGNATURE_INVALID", true]);
  await log.close();
});

test("every refusal by the policy is 400 on these paths, whatever it is elsewhere", () => {
  for (const [code, status, title, rule] of [
    ["GRANT_USED", 400, "Rejected", "single-use"],
    ["USE_REPEATED", 400, "Rejected", "single-use"],
    ["RECORD_INVALID", 400, "Rejected", "record"],
    ["KEY_DISTRUSTED", 400, "Rejected", "standing"],
    ["ROLE_MISSING", 400, "Rejected", "role"],
    ["REF_AMBIGUOUS", 400, "Rejected", null],
    ["POOL_FULL", 429, "Too Many Requests", null],
    ["STORE_FAILED", 503, "Service Unavailable", null],
    ["STORE_CORRUPT", 500, "Internal Server Error", null],
  ] as const) {
    const concise = conciseOf(new WritError(code, "a secret path of the operator"));
    assert.deepEqual([concise.status, concise.title], [status, title], code);
    assert.equal(/rule ([a-z-]+) of the registration policy/.exec(concise.detail)?.[1] ?? null, rule, code);
    if (status >= 500) assert.ok(!concise.detail.includes("secret"), code);
  }
  assert.equal(conciseOf(new Error("x")).status, 500);
});

test("sizes: payloads that make statements of 65,535 bytes are taken, of 65,536 refused", async () => {
  const { log, app } = await scittLog();
  const overhead = foreign(new Uint8Array(60_000)).length - 60_000;
  for (const [size, status] of [
    [65_535, 201],
    [65_536, 413],
  ] as const) {
    const statement = foreign(new Uint8Array(size - overhead).fill(size % 251));
    assert.equal(statement.length, size);
    const response = await post(app, statement);
    assert.equal(response.status, status);
    if (status === 201) assert.ok(verifyReceipt(statement, await bytesOf(response), [ours]));
    else assert.equal((await problemOf(response)).title, "Content Too Large");
  }
  await log.close();
});

test("the router's own failures have concise problem bodies on these paths, and JSON everywhere else", async () => {
  const { log, app } = await scittLog();
  const ask = (path: string, init: RequestInit = {}) => app.request(path, init);
  const unknown = "ab".repeat(32);
  const cases: readonly (readonly [string, RequestInit, number, string])[] = [
    ["/entries", {}, 405, "Method Not Allowed"],
    ["/entries", { method: "DELETE" }, 405, "Method Not Allowed"],
    [`/entries/${unknown}`, { method: "PUT" }, 405, "Method Not Allowed"],
    ["/.well-known/scitt-keys", { method: "POST" }, 405, "Method Not Allowed"],
    ["/entries/", {}, 404, "Not Found"],
    [`/entries/${unknown}/more`, {}, 404, "Not Found"],
    ["/.well-known/scitt-keys/a/b", {}, 404, "Not Found"],
    [`/entries/${unknown}`, {}, 404, "Not Found"],
    ["/entries/x", {}, 400, "Invalid locator"],
    [`/entries/${unknown.toUpperCase()}`, {}, 400, "Invalid locator"],
    [`/entries/${unknown}?x=1`, {}, 400, "Malformed request"],
    [`/entries/${unknown}`, { headers: { accept: "text/html" } }, 406, "Not Acceptable"],
    ["/.well-known/scitt-keys/AAAA", {}, 404, "No such key"],
    ["/.well-known/scitt-keys/***", {}, 404, "No such key"],
    ["/.well-known/scitt-keys", { headers: { accept: "text/html" } }, 406, "Not Acceptable"],
    [
      "/entries",
      { method: "POST", body: "{}", headers: { "content-type": "application/json" } },
      415,
      "Unsupported Media Type",
    ],
    ["/entries", { method: "POST", body: "{}" }, 415, "Unsupported Media Type"],
    ["/entries?wait=witnessed", { method: "POST", body: "{}" }, 400, "Malformed request"],
  ];
  for (const [path, init, status, title] of cases) {
    const response = await ask(path, init);
    assert.equal(response.status, status, path);
    assert.equal((await problemOf(response)).title, title, path);
  }
  const elsewhere = await ask("/entriesx");
  assert.equal(elsewhere.headers.get("content-type"), "application/problem+json");
  const allowed = await ask("/entries", { method: "OPTIONS" });
  assert.deepEqual([allowed.status, allowed.headers.get("allow")], [204, "POST, OPTIONS"]);
  await log.close();
});

test("a full pool is 429 with Retry-After; a log that ends is 503", async () => {
  const { log, app } = await scittLog({ pool: { entries: 1, bytes: 1_000_000 } });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => post(app, foreign(utf8(`${i}`)))));
  const full = answers.find(({ status }) => status !== 201);
  assert.ok(full);
  assert.deepEqual([full.status, full.headers.get("retry-after")], [429, "1"]);
  assert.equal((await problemOf(full)).title, "Too Many Requests");
  await log.close();
  const down = await post(app, foreign(utf8("late")));
  assert.deepEqual([down.status, down.headers.get("retry-after")], [503, "1"]);
  assert.equal((await problemOf(down)).title, "Service Unavailable");
});

test("the keys: the log's own and those of logs before it, as a set and one by one", async () => {
  const past = signerOf(keyOf("log.example/before", 77)).publicKey;
  const { log, app } = await scittLog({}, { pastKeys: [past] });
  const own = signerOf(logKey).publicKey;
  const set = await app.request("/.well-known/scitt-keys");
  assert.equal(set.headers.get("content-type"), "application/cbor");
  const body = await bytesOf(set);
  assert.deepEqual(Buffer.from(body), Buffer.from(formatCoseKeySet([own, past])));
  for (const key of [own, past]) {
    const kid = Buffer.from(key.keyId, "hex").toString("base64url");
    const one = await app.request(`/.well-known/scitt-keys/${kid}`);
    assert.equal(one.status, 200);
    const bytes = await bytesOf(one);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(formatCoseKey(key)));
    assert.equal(parseCoseKeySet(bytes)[0]?.key.keyId, key.keyId, "a single key can be pinned too");
  }
  const statement = foreign(utf8("x"));
  const receipt = await bytesOf(await post(app, statement));
  assert.ok(verifyReceipt(statement, receipt, [serviceOfKeySet(body, URL_OF_LOG)]));
  assert.throws(() => verifyReceipt(statement, receipt, [serviceOfKeySet(body, "https://other.example")]));
  await log.close();
});

test("GET /v1/consistency as a receipt: from a root that one holds to a newer one that the log signs", async () => {
  const { log, app } = await scittLog();
  for (let n = 0; n < 6; n++) await post(app, foreign(utf8(`${n}`)));
  const { size, root } = log.published;
  for (let from = 1; from <= size; from++) {
    const response = await app.request(`/v1/consistency?from=${from}&to=${size}`, {
      headers: { accept: "application/cose" },
    });
    assert.equal(response.status, 200);
    const receipt = await bytesOf(response);
    const older = (await log.view.checkpointAt(from))?.root ?? assert.fail("unpublished");
    const newer = verifyConsistencyReceipt(receipt, { size: from, root: older }, [ours]);
    assert.deepEqual([newer.size, toHex(newer.root)], [size, toHex(root)]);
    assert.deepEqual(parseReceipt(receipt).subject, URL_OF_LOG);
    if (from < size)
      assert.throws(
        () => verifyConsistencyReceipt(receipt, { size: from, root }, [ours]),
        /computed root|signed by/,
      );
  }
  const refused = await app.request("/v1/consistency?from=0&to=3", {
    headers: { accept: "application/cose" },
  });
  assert.equal(refused.status, 400);
  await log.close();
});

test("an in-toto statement is found by the digests of its subjects, and a hash envelope by its payload", async () => {
  const { log, app } = await scittLog();
  const [sha, sha512] = ["ab".repeat(32), "cd".repeat(64)];
  const inToto = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      { name: "app", digest: { sha256: sha.toUpperCase(), sha512 } },
      { name: "odd", digest: { sha256: 5 } },
      "no subject",
      { name: "lib", digest: { gitCommit: "0123" } },
    ],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {},
  };
  const envelope = signDsse("application/vnd.in-toto+json", utf8(JSON.stringify(inToto)), agent);
  const broken = signDsse("application/vnd.in-toto+json", utf8("{"), agent);
  await log.submit([
    { bytes: envelope, form: "dsse" },
    { bytes: broken, form: "dsse" },
  ]);
  const find = async (query: string): Promise<number[]> => {
    const response = await app.request(`/v1/search?${query}`);
    const { entries } = (await response.json()) as { entries: { index: number }[] };
    return entries.map(({ index }) => index);
  };
  for (const digest of [`sha256:${sha}`, `sha512:${sha512}`, "gitCommit:0123"])
    assert.deepEqual(await find(`digest=${digest}`), [3], digest);
  assert.deepEqual(await find(`digest=sha256:${"00".repeat(32)}`), []);
  assert.deepEqual(await find("content_type=application/vnd.in-toto%2Bjson"), [3, 4]);
  const statement = foreign(utf8("x"), { subject: "urn:example:found" });
  await post(app, statement);
  assert.deepEqual(await find("subject=urn:example:found"), [5]);
  assert.deepEqual(await find(`issuer=${ISSUER}`), [], "an iss that nobody checked is no issuer");
  await log.close();
});

test("a raw log gives receipts of what it has, and registers no statements", async () => {
  const log = await openLog(await newStore("raw"));
  const app = appOf(log);
  await log.submitRaw([utf8("anything")]);
  const receipt = await bytesOf(await app.request(`/entries/${idOf(utf8("anything"))}`));
  assert.equal(verifyReceipt(utf8("anything"), receipt, [ours]).index, 1);
  const response = await post(app, foreign(utf8("x")));
  assert.equal(response.status, 404);
  assert.equal((await problemOf(response)).title, "Not Found");
  await log.close();
});
