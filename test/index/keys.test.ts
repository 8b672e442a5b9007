/** Who is believed, at which index, as of which size: registration, replacement, revocation, and stolen registrars. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyTable, type KeyRevocation } from "../../src/index/keys.js";
import type { Registration } from "../../src/record/key-record.js";
import type { Signer } from "../../src/statement/sign.js";
import { keyOf, signerOf } from "../support/log.js";

const [logKey, root, deputy, agent, thief] = [1, 2, 3, 4, 5].map((n) => signerOf(keyOf(`k${n}`, n))) as [
  Signer,
  Signer,
  Signer,
  Signer,
  Signer,
];
const id = (signer: Signer): string => signer.publicKey.keyId;

function table(): KeyTable {
  return new KeyTable({
    registrars: [root.publicKey],
    logKey: logKey.publicKey,
    policyId: "policy",
    origin: "log",
    rulesVersion: 2,
  });
}

function register(
  keys: KeyTable,
  index: number,
  of: Signer,
  by: Signer,
  more: Partial<Registration> = {},
): void {
  const registration: Registration = {
    recordId: `record-${index}`,
    issuer: by === deputy ? "deputy" : "root",
    key: of.publicKey,
    roles: ["agent"],
    ids: ["agent"],
    approverRoles: [],
    controlDomain: "acme",
    notAfter: Number.POSITIVE_INFINITY,
    replaces: null,
    writerClass: null,
    trustDomain: null,
    idPrefixes: [],
    ...more,
  };
  keys.apply(index, { kind: "register", registration, signers: [id(by)] });
}

function revoke(
  keys: KeyTable,
  index: number,
  target: string,
  by: Signer,
  more: Partial<KeyRevocation> = {},
): void {
  const revocation: KeyRevocation = {
    recordId: `revocation-${index}`,
    target,
    action: "revoke",
    effectiveIndex: null,
    issuer: by === deputy ? "deputy" : "root",
    signers: [id(by)],
    ...more,
  };
  keys.apply(index, { kind: "revoke", revocation });
}

const standing = (keys: KeyTable, of: Signer, index: number, asOf?: number): string =>
  keys.standing(id(of), "agent", ["agent"], asOf === undefined ? { index } : { index, asOf });

test("a key is believed after its registration, for its ids and roles alone", () => {
  const keys = table();
  register(keys, 5, agent, root);
  assert.equal(standing(keys, agent, 5), "unknown", "not at its own registration");
  assert.equal(standing(keys, agent, 6), "believed");
  assert.equal(keys.standing(id(agent), "another", ["agent"], { index: 6 }), "role-missing");
  assert.equal(keys.standing(id(agent), "agent", ["owner"], { index: 6 }), "role-missing");
  assert.equal(standing(keys, thief, 6), "unknown");
  assert.equal(standing(keys, agent, 9, 5), "unknown", "as of a size before it was registered");
});

test("a registration by somebody who is no registrar counts for nothing", () => {
  const keys = table();
  register(keys, 5, agent, root);
  register(keys, 6, thief, agent, { issuer: "agent" });
  assert.equal(standing(keys, thief, 7), "distrusted");
});

test("revoked, a key is not believed from there on; with effective_index, from after that; suspended, until resumed", () => {
  const keys = table();
  register(keys, 5, agent, root);
  revoke(keys, 20, "record-5", root, { action: "suspend" });
  revoke(keys, 30, "record-5", root, { action: "resume" });
  assert.deepEqual(
    [19, 20, 21, 30, 31].map((index) => standing(keys, agent, index)),
    ["believed", "believed", "distrusted", "distrusted", "believed"],
  );
  revoke(keys, 40, "record-5", root, { effectiveIndex: 35 });
  assert.deepEqual(
    [35, 36, 41].map((index) => standing(keys, agent, index)),
    ["believed", "distrusted", "distrusted"],
  );
  assert.equal(
    standing(keys, agent, 36, 40),
    "believed",
    "before the revocation was logged, nobody could know",
  );
  register(keys, 50, agent, root);
  assert.equal(standing(keys, agent, 51), "believed", "registered anew");
  assert.equal(standing(keys, agent, 45), "distrusted");
});

test("a revoked key cannot clear or condemn itself, and an agent cannot revoke another's", () => {
  const keys = table();
  register(keys, 3, deputy, root, { roles: ["registrar"], ids: ["deputy"] });
  register(keys, 5, agent, root);
  revoke(keys, 7, "record-3", deputy, { effectiveIndex: 0 });
  assert.ok(keys.believed(id(deputy), "deputy", ["registrar"], { index: 8 }), "not by itself");
  revoke(keys, 9, "record-5", agent, { issuer: "agent" });
  assert.equal(standing(keys, agent, 10), "believed");
});

test("replaced, the old key ends and the new one begins; also a registrar of the policy, by its own hand", () => {
  const keys = table();
  register(keys, 5, agent, root);
  register(keys, 8, thief, root, { replaces: id(agent) });
  assert.deepEqual(
    [standing(keys, agent, 8), standing(keys, agent, 9), standing(keys, thief, 9)],
    ["believed", "distrusted", "believed"],
  );
  register(keys, 10, deputy, root, { roles: ["registrar"], ids: ["deputy"], replaces: id(root) });
  assert.ok(!keys.believed(id(root), "root", ["registrar"], { index: 11 }));
  assert.ok(keys.believed(id(deputy), "deputy", ["registrar"], { index: 11 }));
  assert.equal(
    standing(keys, thief, 11),
    "believed",
    "what the old registrar did while it was one still counts",
  );
});

test("a stolen deputy: the root takes it back to before the theft, and what it did since falls away", () => {
  const keys = table();
  register(keys, 3, deputy, root, { roles: ["registrar"], ids: ["deputy"] });
  register(keys, 5, agent, deputy);
  // The thief has the deputy's key from here on.
  register(keys, 20, thief, deputy);
  revoke(keys, 21, "record-5", deputy);
  assert.deepEqual([standing(keys, thief, 22), standing(keys, agent, 22)], ["believed", "distrusted"]);
  revoke(keys, 30, "record-3", root, { effectiveIndex: 19 });
  assert.deepEqual([standing(keys, thief, 22), standing(keys, agent, 22)], ["distrusted", "believed"]);
  assert.equal(standing(keys, thief, 22, 30), "believed", "as it was known then");
});

test("a stolen root: the log's own key takes back the registrars of the policy, and is itself beyond them", () => {
  const keys = table();
  register(keys, 5, agent, root);
  register(keys, 20, thief, root);
  register(keys, 21, deputy, root, { roles: ["registrar"], ids: ["deputy"] });
  revoke(keys, 22, "policy", deputy);
  assert.ok(keys.believed(id(root), "root", ["registrar"], { index: 23 }), "not by one that it made itself");
  revoke(keys, 30, "policy", logKey, { effectiveIndex: 10 });
  assert.ok(!keys.believed(id(root), "root", ["registrar"], { index: 31 }));
  assert.deepEqual([standing(keys, agent, 31), standing(keys, thief, 31)], ["believed", "distrusted"]);
  register(keys, 32, thief, root);
  assert.equal(standing(keys, thief, 33), "distrusted");
  register(keys, 34, deputy, logKey, { roles: ["registrar"], ids: ["deputy"] });
  assert.ok(keys.believed(id(deputy), "deputy", ["registrar"], { index: 35 }));
});

test("a key past its not_after is not believed, whatever was remembered before", () => {
  const keys = table();
  register(keys, 5, agent, root, { notAfter: 1000 });
  const at = (time: number) =>
    keys.standing(id(agent), "agent", ["agent"], { index: Number.POSITIVE_INFINITY, time });
  assert.deepEqual(
    [at(999), at(1000), at(1001), at(1002)],
    ["believed", "believed", "distrusted", "distrusted"],
  );
});

test("two who revoke each other are settled by the order of the log", () => {
  const keys = table();
  register(keys, 3, deputy, root, { roles: ["registrar"], ids: ["deputy"] });
  register(keys, 4, thief, root, { roles: ["registrar"], ids: ["root"] });
  revoke(keys, 10, "record-3", thief);
  revoke(keys, 11, "record-4", deputy);
  assert.ok(!keys.believed(id(deputy), "deputy", ["registrar"], { index: 12 }));
  assert.ok(keys.believed(id(thief), "root", ["registrar"], { index: 12 }));
});

test("many registrars who all take one another back cost no more than their number", () => {
  const keys = table();
  const many = Array.from({ length: 12 }, (_, n) => signerOf(keyOf(`r${n}`, 100 + n)));
  many.forEach((one, n) => register(keys, 10 + n, one, root, { roles: ["registrar"], ids: [`r${n}`] }));
  let index = 100;
  for (const action of ["suspend", "resume"] as const)
    for (const [n, by] of many.entries())
      for (const of of many.keys())
        if (of !== n) revoke(keys, index++, `record-${10 + of}`, by, { action, issuer: `r${n}` });
  const began = performance.now();
  for (const [n, one] of many.entries()) keys.standing(id(one), `r${n}`, ["registrar"], { index });
  assert.ok(performance.now() - began < 2000);
});

test("the same registration or revocation in another envelope changes nothing", () => {
  const keys = table();
  register(keys, 5, agent, root);
  revoke(keys, 7, "record-5", root, { recordId: "first", action: "suspend" });
  revoke(keys, 8, "record-5", root, { recordId: "second", action: "resume" });
  revoke(keys, 9, "record-5", root, { recordId: "third", action: "suspend" });
  revoke(keys, 10, "record-5", root, { recordId: "second", action: "resume" });
  register(keys, 11, agent, root, { recordId: "record-5" });
  assert.equal(standing(keys, agent, 12), "distrusted");
});
