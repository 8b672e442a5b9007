/** Trust domains in the table of keys: founding, prefixes, registrars in their own domain, placed parties, what revocations reach. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WritError } from "../../src/errors.js";
import { KeyTable } from "../../src/index/keys.js";
import type { Registration } from "../../src/record/key-record.js";
import type { Signer } from "../../src/statement/sign.js";
import { keyOf, signerOf } from "../support/log.js";

const [logKey, root, deputy, acme, acme2, beta, agent, thief] = Array.from({ length: 8 }, (_, n) =>
  signerOf(keyOf(`k${n}`, n + 1)),
) as [Signer, Signer, Signer, Signer, Signer, Signer, Signer, Signer];
const id = (signer: Signer): string => signer.publicKey.keyId;

function table(rulesVersion = 2): KeyTable {
  return new KeyTable({
    registrars: [root.publicKey],
    logKey: logKey.publicKey,
    policyId: "policy",
    origin: "log.example",
    rulesVersion,
  });
}

let next = 0;
function registration(of: Signer, ids: readonly string[], more: Partial<Registration> = {}): Registration {
  return {
    recordId: `record-${next++}`,
    issuer: "registrar",
    key: of.publicKey,
    roles: ["agent"],
    ids,
    approverRoles: [],
    controlDomain: "somewhere",
    notAfter: Number.POSITIVE_INFINITY,
    replaces: null,
    writerClass: null,
    trustDomain: null,
    idPrefixes: [],
    ...more,
  };
}

/** Registers at `index`, or says with which code it is refused. */
function register(keys: KeyTable, index: number, by: Signer, made: Registration): string {
  try {
    keys.demandRegistrable(made, [id(by)]);
  } catch (error) {
    assert.ok(error instanceof WritError);
    const known = (): boolean[] =>
      made.ids.map((one) => keys.believed(made.key.keyId, one, made.roles, { index: index + 1 }));
    const before = known();
    keys.apply(index, { kind: "register", registration: made, signers: [id(by)] });
    assert.deepEqual(known(), before, "what is refused registers nothing, whoever logs it");
    return error.code;
  }
  keys.apply(index, { kind: "register", registration: made, signers: [id(by)] });
  return "registered";
}

const founding = (of: Signer, domain: string, prefixes: readonly string[]): Registration =>
  registration(of, [`${prefixes[0]}registrar`], {
    roles: ["registrar"],
    trustDomain: domain,
    idPrefixes: prefixes,
  });

function founded(): KeyTable {
  const keys = table();
  assert.equal(register(keys, 1, root, founding(acme, "acme.example", ["acme:", "acme/"])), "registered");
  assert.equal(register(keys, 2, root, founding(beta, "beta.example", ["beta:"])), "registered");
  return keys;
}

test("a name is founded once; prefixes overlap nobody's, nor the log's own name, nor an id that is registered", () => {
  const keys = founded();
  assert.equal(register(keys, 3, root, registration(agent, ["solo"])), "registered");
  const refused: readonly (readonly [string, readonly string[]])[] = [
    ["acme.example", ["other:"]],
    ["log.example", ["other:"]],
    ["new.example", ["acme:payments:"]],
    ["new.example", ["ac"]],
    ["new.example", ["other:", "beta:"]],
    ["new.example", ["sol"]],
    ["new.example", ["log.ex"]],
    ["new.example", ["log.example/"]],
  ];
  for (const [name, prefixes] of refused)
    assert.equal(
      register(keys, 4, root, founding(acme2, name, prefixes)),
      "DOMAIN_TAKEN",
      `${name} ${prefixes.join()}`,
    );
  assert.equal(register(keys, 5, logKey, founding(acme2, "new.example", ["new:"])), "registered");
  assert.equal(keys.domains.of("new:x"), "new.example");
  assert.equal(keys.domains.of("ne"), "log.example");
  assert.equal(keys.domains.firstFounding, 1);
});

test("only a registrar of entry 0, or the log's key, founds; who founds is a registrar beneath the prefixes", () => {
  const keys = founded();
  assert.equal(
    register(keys, 3, root, registration(deputy, ["deputy"], { roles: ["registrar"] })),
    "registered",
  );
  const by = (signer: Signer, issuer: string): string =>
    register(keys, 4, signer, { ...founding(acme2, "new.example", ["new:"]), issuer });
  assert.equal(by(deputy, "deputy"), "ID_OF_ANOTHER_DOMAIN");
  assert.equal(by(acme, "acme:registrar"), "ID_OF_ANOTHER_DOMAIN");
  const elsewhere = registration(acme2, ["other:x"], {
    roles: ["registrar"],
    trustDomain: "new.example",
    idPrefixes: ["new:"],
  });
  assert.equal(register(keys, 4, root, elsewhere), "ID_OF_ANOTHER_DOMAIN");
  const noRegistrar = { ...founding(acme2, "new.example", ["new:"]), roles: ["agent"] };
  assert.equal(register(keys, 4, root, noRegistrar), "RECORD_INVALID");
});

test("a registrar registers ids of its own domain and nothing else; further registrars of it too", () => {
  const keys = founded();
  const asAcme = (ids: readonly string[], more: Partial<Registration> = {}): string =>
    register(keys, 3, acme, registration(agent, ids, { issuer: "acme:registrar", ...more }));
  assert.equal(asAcme(["acme:agent"]), "registered");
  assert.equal(asAcme(["acme/agent"], { trustDomain: "acme.example" }), "registered");
  for (const ids of [["beta:agent"], ["agent"], ["acme:agent", "beta:agent"], ["ACME:agent"], ["аcme:agent"]])
    assert.equal(asAcme(ids), "ID_OF_ANOTHER_DOMAIN", ids.join());
  assert.equal(asAcme(["acme:agent"], { trustDomain: "beta.example" }), "ID_OF_ANOTHER_DOMAIN");
  const second = registration(acme2, ["acme:second"], { issuer: "acme:registrar", roles: ["registrar"] });
  assert.equal(register(keys, 4, acme, second), "registered");
  const bySecond = registration(agent, ["acme:other"], { issuer: "acme:second" });
  assert.equal(register(keys, 5, acme2, bySecond), "registered");
  assert.equal(register(keys, 5, root, registration(agent, ["acme:agent"])), "ID_OF_ANOTHER_DOMAIN");
});

test("the operator places a party in a founded domain, and no registrar while it has one of its own", () => {
  const keys = founded();
  const placed = (more: Partial<Registration>): string =>
    register(keys, 3, root, registration(agent, ["acme:placed"], { trustDomain: "acme.example", ...more }));
  assert.equal(placed({}), "registered");
  assert.equal(keys.registrations(id(agent), { index: 9 })[0]?.placed, true);
  assert.equal(placed({ ids: ["beta:placed"] }), "ID_OF_ANOTHER_DOMAIN");
  assert.equal(placed({ trustDomain: "nowhere.example" }), "ID_OF_ANOTHER_DOMAIN");
  assert.equal(placed({ roles: ["registrar"] }), "ID_OF_ANOTHER_DOMAIN");
  // All of them are lost: the log's key names a new one, and that is on record.
  const first = keys.registrations(id(acme), { index: 9 })[0];
  revoke(keys, 4, first?.recordId ?? "", root, "registrar");
  const anew = registration(acme2, ["acme:anew"], { roles: ["registrar"], trustDomain: "acme.example" });
  assert.equal(register(keys, 5, root, anew), "ID_OF_ANOTHER_DOMAIN", "not a mere registrar");
  assert.equal(register(keys, 5, logKey, anew), "registered");
  assert.deepEqual(keys.domains.get("acme.example")?.resets, [5]);
});

function revoke(
  keys: KeyTable,
  index: number,
  target: string,
  by: Signer,
  issuer: string,
  effective: number | null = null,
): void {
  keys.apply(index, {
    kind: "revoke",
    revocation: {
      recordId: `revocation-${next++}`,
      target,
      action: "revoke",
      effectiveIndex: effective,
      issuer,
      signers: [id(by)],
    },
  });
}

test("a key that two domains registered speaks in each for its ids, and each takes back only its own word", () => {
  const keys = founded();
  const inAcme = registration(agent, ["acme:agent"], { issuer: "acme:registrar" });
  const inBeta = registration(agent, ["beta:agent"], { issuer: "beta:registrar" });
  assert.equal(register(keys, 3, acme, inAcme), "registered");
  assert.equal(register(keys, 4, beta, inBeta), "registered");
  const believed = (as: string): boolean => keys.believed(id(agent), as, ["agent"], { index: 99 });
  assert.deepEqual([believed("acme:agent"), believed("beta:agent")], [true, true]);
  revoke(keys, 5, inAcme.recordId, beta, "beta:registrar");
  assert.deepEqual([believed("acme:agent"), believed("beta:agent")], [true, false]);
  // A replacement that another domain claims changes nothing here either.
  const replacing = registration(thief, ["beta:thief"], { issuer: "beta:registrar", replaces: id(agent) });
  assert.equal(register(keys, 6, beta, replacing), "registered");
  assert.equal(believed("acme:agent"), true);
  revoke(keys, 7, inAcme.recordId, acme, "acme:registrar");
  assert.equal(believed("acme:agent"), false);
});

test("the log's own registrars take back registrars of a domain, and its parties only where they placed them", () => {
  const keys = founded();
  const own = registration(agent, ["acme:agent"], { issuer: "acme:registrar" });
  assert.equal(register(keys, 3, acme, own), "registered");
  revoke(keys, 4, own.recordId, root, "registrar");
  assert.equal(keys.believed(id(agent), "acme:agent", ["agent"], { index: 9 }), true);
  const first = keys.registrations(id(acme), { index: 9 })[0];
  revoke(keys, 5, first?.recordId ?? "", root, "registrar");
  assert.equal(keys.believed(id(acme), "acme:registrar", ["registrar"], { index: 9 }), false);
  assert.equal(
    keys.believed(id(agent), "acme:agent", ["agent"], { index: 9 }),
    true,
    "what it had registered stands",
  );
});

test("registrars that register each other make nobody of another domain known", () => {
  const keys = founded();
  const each = (of: Signer, as: string, by: Signer, issuer: string): string =>
    register(keys, 3, by, registration(of, [as], { roles: ["registrar"], issuer }));
  assert.equal(each(acme2, "acme:b", acme, "acme:registrar"), "registered");
  assert.equal(each(acme, "acme:a", acme2, "acme:b"), "registered");
  assert.equal(
    register(keys, 4, acme2, registration(thief, ["beta:x"], { issuer: "acme:b" })),
    "ID_OF_ANOTHER_DOMAIN",
  );
  assert.equal(
    register(keys, 4, acme2, registration(thief, ["beta:x"], { issuer: "beta:registrar" })),
    "registered",
  );
  assert.equal(
    keys.believed(id(thief), "beta:x", ["agent"], { index: 9 }),
    false,
    "who is no registrar of beta registers nobody there",
  );
});

test("a revoked key is registered again by whoever revoked it, or from above", () => {
  const keys = table();
  assert.equal(
    register(keys, 1, root, registration(deputy, ["deputy"], { roles: ["registrar"] })),
    "registered",
  );
  const of = registration(agent, ["agent"]);
  assert.equal(register(keys, 2, root, of), "registered");
  revoke(keys, 3, of.recordId, root, "registrar");
  const again = (by: Signer, issuer: string): string =>
    register(keys, 4, by, registration(agent, ["agent"], { issuer }));
  assert.equal(again(deputy, "deputy"), "KEY_DISTRUSTED");
  assert.equal(again(root, "registrar"), "registered");
  assert.equal(keys.believed(id(agent), "agent", ["agent"], { index: 9 }), true);
});

test("before the second rules there are no domains; from the entry that says so on there are", () => {
  const keys = table(1);
  const early = founding(acme, "acme.example", ["acme:"]);
  assert.equal(register(keys, 1, root, early), "registered");
  assert.equal(keys.domains.firstFounding, null, "what nobody understood founded nothing");
  assert.equal(register(keys, 2, root, registration(agent, ["acme:agent"])), "registered");
  keys.apply(3, { kind: "rules", version: 2, signers: [id(root)] });
  assert.equal(keys.rulesAt(), 1, "only the log's own key says so");
  keys.apply(4, { kind: "rules", version: 2, signers: [id(logKey)] });
  assert.deepEqual([keys.rulesAt(4), keys.rulesAt(5), keys.rulesAt()], [1, 2, 2]);
  assert.equal(
    register(keys, 5, root, founding(acme2, "acme2.example", ["acme:"])),
    "DOMAIN_TAKEN",
    "an id is registered",
  );
  assert.equal(register(keys, 5, root, founding(acme2, "beta.example", ["beta:"])), "registered");
});

test("a key is registered at most a hundred times, and registrars stand at most 32 below one another", () => {
  const keys = founded();
  let by = acme;
  let issuer = "acme:registrar";
  let index = 10;
  for (let depth = 2; depth <= 33; depth++) {
    const below = signerOf(keyOf(`deep${depth}`, 100 + depth));
    const made = registration(below, [`acme:deep${depth}`], { issuer, roles: ["registrar"] });
    assert.equal(
      register(keys, index++, by, made),
      depth <= 32 ? "registered" : "RECORD_INVALID",
      `${depth}`,
    );
    if (depth <= 32) [by, issuer] = [below, `acme:deep${depth}`];
  }
  for (let n = 1; n <= 101; n++) {
    const made = registration(agent, ["acme:agent"], { issuer: "acme:registrar" });
    assert.equal(register(keys, index++, acme, made), n <= 100 ? "registered" : "RECORD_INVALID", `${n}`);
  }
});

test("a hundred registrations in each of 32 layers are judged as one way to the root is", () => {
  const keys = founded();
  const layers = Array.from({ length: 31 }, (_, n) => signerOf(keyOf(`layer${n}`, 150 + n)));
  let index = 10;
  let [by, issuer] = [acme, "acme:registrar"];
  for (const [n, layer] of layers.entries()) {
    const made = { issuer, roles: ["registrar", "approver"] };
    // Not one by one: an event forgets what was judged, and the last question is the one that counts.
    for (let times = 0; times < 100; times++)
      keys.apply(index++, {
        kind: "register",
        registration: registration(layer, [`acme:layer${n}`], made),
        signers: [id(by)],
      });
    [by, issuer] = [layer, `acme:layer${n}`];
  }
  // Without what is remembered this would be 100 to the power of 31 questions.
  assert.equal(keys.believed(id(by), issuer, ["approver"], { index: index + 1 }), true);
  assert.equal(keys.voidedBy(id(by), issuer, ["approver"], index + 1, index + 2), null);
  assert.equal(keys.restsOn(id(by), issuer, new Set([id(acme)]), { index: index + 1 }), true);
});
