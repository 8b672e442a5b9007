/** A hostile server: whatever it does to a bundle, the answer is a refusal or a named finding, never AUTHORIZED. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { asHash } from "../../merkle/index.js";
import { wireTransfer } from "../../src/demo/stories.js";
import { ProofError, WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { signCheckpoint } from "../../src/format/cosignature.js";
import { parsePolicy, policyOfKey } from "../../src/format/policy.js";
import { ED25519_COSIGNATURE, formatVerifierKey, signingKey, verifierKey } from "../../src/format/vkey.js";
import { RECORD_MEDIA_TYPE } from "../../src/record/record.js";
import { canonicalJson } from "../../src/statement/jcs.js";
import type { JsonObject } from "../../src/statement/json.js";
import { signDsse } from "../../src/statement/sign.js";
import { type Bundle, type BundleEntry, bundleBytes, parseBundleFile } from "../../src/trace/bundle.js";
import { signClosure } from "../../src/trace/closure-statement.js";
import { PROFILES } from "../../src/trace/context.js";
import { verdictJson } from "../../src/trace/answer.js";
import { evaluate } from "../../src/trace/evaluate.js";
import { keyOf, logKey, ORIGIN, signerOf, stranger } from "../support/log.js";
import { mth, path } from "../support/rfc6962.js";
import { AT, bundleOf, complaints, judge, play, type Played, POLICY } from "../support/story.js";

let played: Played;
let honest: Bundle;

before(async () => {
  played = await play(wireTransfer);
  // One more, so that the tree is larger than the bundle needs.
  await play(wireTransfer, played, "other");
  honest = await bundleOf(played, "receipt");
});

/** "refused", or the codes of what was found with the verdict. */
function outcome(bundle: Bundle, policy = POLICY): string {
  try {
    const verdict = evaluate(parseBundleFile(bundleBytes(bundle)), policy, { at: AT });
    return `${verdict.verdict} ${complaints(verdict).join(" ")}`;
  } catch (error) {
    assert.ok(error instanceof ProofError || error instanceof WritError, String(error));
    return `refused: ${error.message}`;
  }
}

function at(step: string): number {
  const index = honest.entries.findIndex((entry) => entry.index === played.stage.index(step));
  assert.ok(index >= 0, `${step} is in the bundle`);
  return index;
}

function replaced(step: string, make: (entry: BundleEntry) => BundleEntry): Bundle {
  return { ...honest, entries: honest.entries.map((entry, i) => (i === at(step) ? make(entry) : entry)) };
}

test("the honest bundle is AUTHORIZED, and the same whether it went over a file or not", () => {
  assert.equal(outcome(honest), "AUTHORIZED ");
  assert.deepEqual(
    verdictJson(judge(honest)),
    verdictJson(evaluate(parseBundleFile(bundleBytes(honest)), POLICY, { at: AT })),
  );
});

test("every single entry dropped is noticed, links patched up or not: the log has said that it is all", () => {
  for (const gone of honest.entries) {
    const entries = honest.entries.filter(({ index }) => index !== gone.index);
    const links = honest.links.filter(({ from, to }) => from !== gone.index && to !== gone.index);
    for (const cut of [
      { ...honest, entries },
      { ...honest, entries, links },
    ])
      assert.doesNotMatch(outcome(cut), /^(AUTHORIZED|NOT_EXECUTED|RECORDED)/, `entry ${gone.index}`);
  }
});

test("a bundle without the log's word that it is all is never better than not established", () => {
  assert.match(outcome({ ...honest, closure: null }), /^NOT_ESTABLISHED.*COMPLETENESS/);
  const times = honest.entries.map((entry) => ({ ...entry, receivedAt: (entry.receivedAt ?? 0) + 1000 }));
  assert.match(outcome({ ...honest, entries: times }), /^NOT_VERIFIED.*COMPLETENESS/);
  const timeless = honest.entries.map((entry) => ({ ...entry, receivedAt: null }));
  assert.match(outcome({ ...honest, entries: timeless }), /^NOT_VERIFIED.*COMPLETENESS/);
});

test("the notes say whom the verdict had to trust", () => {
  const verdict = judge(honest);
  assert.equal(verdict.witnessed, null);
  assert.equal(verdict.complete, true);
});

test("entries swapped, added, duplicated, out of order, moved", async () => {
  const other = await bundleOf(played, "receipt");
  const foreign = await bundleOf(
    { ...played, stage: (await play(wireTransfer, played, "third")).stage },
    "receipt",
  );
  const stray = foreign.entries.at(-1) as BundleEntry;
  const [first, second, third] = honest.entries as [BundleEntry, BundleEntry, BundleEntry];
  const cases: Readonly<Record<string, Bundle>> = {
    "one twice": { ...honest, entries: [...honest.entries, honest.entries.at(-1) as BundleEntry] },
    "out of order": { ...honest, entries: [first, third, second, ...honest.entries.slice(3)] },
    "a real entry of another trace": {
      ...other,
      asOf: foreign.asOf,
      checkpoint: foreign.checkpoint,
      entries: [...other.entries, stray],
    },
    "two statements exchanged": {
      ...honest,
      entries: honest.entries.map((entry, i) =>
        i === at("finance-approval")
          ? { ...entry, stored: (honest.entries[at("treasury-approval")] as BundleEntry).stored }
          : i === at("treasury-approval")
            ? { ...entry, stored: (honest.entries[at("finance-approval")] as BundleEntry).stored }
            : entry,
      ),
    },
  };
  for (const [what, bundle] of Object.entries(cases))
    assert.doesNotMatch(outcome(bundle), /^AUTHORIZED/, what);
  assert.match(
    outcome({ ...honest, entries: honest.entries.slice(1) }),
    /refused/,
    "without the log's policy",
  );
});

test("proofs of another size, hashes changed, another log's checkpoint, none at all", async () => {
  const earlier = await bundleOf(played, "receipt", played.stage.index("seal") + 1);
  const [, second] = honest.entries as [BundleEntry, BundleEntry];
  assert.match(outcome({ ...honest, entries: earlier.entries }), /NOT_INCLUDED/);
  assert.match(
    outcome({ ...honest, checkpoint: earlier.checkpoint, asOf: earlier.asOf }),
    /NOT_INCLUDED|refused/,
  );
  const flipped = second.hashes.map((hash, i) =>
    i === 0 ? asHash(Uint8Array.from(hash, (byte) => byte ^ 1)) : hash,
  );
  assert.match(
    outcome({
      ...honest,
      entries: honest.entries.map((entry) => (entry === second ? { ...entry, hashes: flipped } : entry)),
    }),
    /^NOT_VERIFIED .*NOT_INCLUDED/,
  );
  const note = (key: typeof logKey, name: string, size: number): string => {
    const made = signCheckpoint(
      { origin: name, size, root: asHash(new Uint8Array(32)), extensions: [] },
      key,
    );
    return Buffer.from(made).toString();
  };
  assert.match(
    outcome({ ...honest, checkpoint: note(keyOf("log.example/other", 7), "log.example/other", 100) }),
    /CHECKPOINT_INVALID/,
  );
  assert.match(outcome({ ...honest, checkpoint: note(keyOf(ORIGIN, 7), ORIGIN, 100) }), /CHECKPOINT_INVALID/);
  assert.match(outcome({ ...honest, checkpoint: note(logKey, ORIGIN, 1000) }), /NOT_INCLUDED/);
  assert.match(outcome({ ...honest, checkpoint: "" }), /CHECKPOINT_INVALID/);
  assert.match(outcome({ ...honest, asOf: 1_000_000 }), /CHECKPOINT_INVALID/);
  assert.match(outcome({ ...honest, log: "log.example/other" }), /refused|CHECKPOINT_INVALID/);
  assert.match(
    outcome(honest, policyOfKey(keyOf(ORIGIN, 7))),
    /refused|CHECKPOINT_INVALID/,
    "another key pinned",
  );
});

/** A log that lies: the same log with another statement at a step's place, and everything signed by its own key. */
async function lyingLog(step: string, make: (stored: Uint8Array) => Uint8Array): Promise<Bundle> {
  const changed = played.stage.index(step);
  const size = honest.asOf;
  const stored = await Promise.all(
    Array.from({ length: size }, (_, index) => played.log.read.statement(index)),
  );
  stored[changed] = make(stored[changed] as Uint8Array);
  const root = mth(stored);
  const entries = honest.entries.map((entry) => ({
    ...entry,
    stored: stored[entry.index] as Uint8Array,
    hashes: path(entry.index, stored),
  }));
  const times = entries.map(({ index, receivedAt }) => ({ index, receivedAt: receivedAt ?? 0 }));
  const closure = {
    walk: 2,
    subject: honest.subject,
    asOf: size,
    root,
    entries: times,
    strangers: NO_STRANGERS,
    bounded: honest.bounded,
  };
  return {
    ...honest,
    entries,
    checkpoint: Buffer.from(
      signCheckpoint({ origin: ORIGIN, size, root, extensions: [] }, logKey),
    ).toString(),
    closure: signClosure(closure, signerOf(logKey)),
  };
}

const NO_STRANGERS = { indexes: [], more: false };

test("a log that lies: a statement that is broken, signed by another, by nobody known, by a key without the role", async () => {
  const payload = (stored: Uint8Array): JsonObject => {
    const envelope = JSON.parse(Buffer.from(stored).toString()) as { payload: string };
    return JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as JsonObject;
  };
  const signed = (members: JsonObject, signer = played.stage.signer("agent")): Uint8Array =>
    signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(members)), signer);
  assert.equal(outcome(await lyingLog("receipt", (stored) => stored)), "AUTHORIZED ");
  const broken = await lyingLog("receipt", (stored) => {
    const envelope = JSON.parse(Buffer.from(stored).toString()) as { signatures: { sig: string }[] };
    for (const signature of envelope.signatures) signature.sig = Buffer.alloc(64, 1).toString("base64");
    return utf8(JSON.stringify(envelope));
  });
  assert.match(outcome(broken), /^VIOLATION .*SIGNATURE_INVALID/);
  const elsewhere = replaced("receipt", (entry) => ({ ...entry, stored: signed(payload(entry.stored)) }));
  assert.match(outcome(elsewhere), /^NOT_VERIFIED .*NOT_INCLUDED|^refused/);
  const byStranger = await lyingLog("receipt", (stored) => signed(payload(stored), stranger));
  assert.match(outcome(byStranger), /KEY_UNKNOWN|refused/);
  const byAgent = await lyingLog("receipt", (stored) => signed(payload(stored)));
  assert.match(outcome(byAgent), /ROLE_MISSING|refused/);
});

test("a forged key record makes nobody known who was not", () => {
  const forged = replaced("key:executor", (entry) => {
    const key = JSON.parse(
      Buffer.from(
        (JSON.parse(Buffer.from(entry.stored).toString()) as { payload: string }).payload,
        "base64",
      ).toString(),
    ) as JsonObject;
    return {
      ...entry,
      stored: signDsse(
        RECORD_MEDIA_TYPE,
        utf8(canonicalJson({ ...key, roles: ["executor", "agent"] })),
        stranger,
      ),
    };
  });
  assert.doesNotMatch(outcome(forged), /^AUTHORIZED/);
});

test("an index that lies: links made up or left out, missing ones made up or hidden, bounds claimed", () => {
  const [link] = honest.links;
  assert.ok(link);
  assert.match(outcome({ ...honest, links: honest.links.slice(1) }), /refused/);
  assert.match(outcome({ ...honest, links: [...honest.links, { ...link, to: 0 }] }), /refused/);
  assert.match(
    outcome({
      ...honest,
      notFound: [{ from: link.from, member: "request_hash", value: `sha256:${"0".repeat(64)}` }],
    }),
    /refused/,
  );
  assert.match(
    outcome({ ...honest, bounded: { nodes: true, depth: false } }),
    /NOT_VERIFIED FAIL COMPLETENESS/,
  );
  assert.match(outcome({ ...honest, subject: `sha256:${"0".repeat(64)}` }), /refused/);
});

test("without the quorum that the policy asks for, a tier-3 action is not established; a lower tier does not ask", () => {
  const witness = signingKey("witness.example", new Uint8Array(32).fill(77));
  const vkey = formatVerifierKey(verifierKey("witness.example", ED25519_COSIGNATURE, witness.publicKey));
  const policy = parsePolicy(utf8(`log ${formatVerifierKey(logKey)}\nwitness W ${vkey}\nquorum W\n`));
  assert.match(outcome(honest, policy), /^NOT_ESTABLISHED UNKNOWN UNWITNESSED$/);
  const verdict = evaluate(honest, policy, { at: AT, profile: PROFILES[0] as (typeof PROFILES)[number] });
  assert.ok(verdict.findings.some(({ check, outcome: of }) => check === "verified" && of === "PASS"));
});

test("a stricter profile judges by a higher tier, and is named in the verdict", () => {
  const verdict = judge(honest, AT, PROFILES[3]);
  assert.deepEqual([verdict.tier, verdictJson(verdict).profile], [3, "tier-3"]);
});

test("what is no bundle is refused with the path: cut short, deep, huge, of another shape", () => {
  const bytes = bundleBytes(honest);
  const refused = (input: Uint8Array): string => {
    try {
      evaluate(input, POLICY, { at: AT });
      return "taken";
    } catch (error) {
      assert.ok(error instanceof WritError && error.code === "BUNDLE_MALFORMED", String(error));
      return error.message;
    }
  };
  for (const length of [0, 1, 100, bytes.length - 3])
    assert.notEqual(refused(bytes.slice(0, length)), "taken");
  assert.match(refused(utf8("[".repeat(100_000))), /levels/);
  assert.match(refused(new Uint8Array(65 * 1024 * 1024)), /at most/);
  const text = Buffer.from(bytes).toString();
  assert.match(refused(utf8(text.replace('"index":', '"index":"x","i":'))), /entries\[0\]/);
  assert.match(refused(utf8(text.replace("writ-trace/2", "writ-trace/9"))), /format/);
  const many = JSON.stringify({
    ...JSON.parse(text),
    entries: Array.from({ length: 2601 }, (_, index) => ({ index })),
  });
  assert.match(refused(utf8(many)), /at most 2060/);
});
