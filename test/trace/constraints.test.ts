/** Typed constraints, kind by kind: what satisfies them, and what is as tight. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compareAmounts, parseAmount } from "../../src/trace/amount.js";
import {
  additions,
  differences,
  isAsTight,
  loosened,
  readConstraint,
  satisfies,
} from "../../src/trace/constraints.js";
import type { Json, JsonObject } from "../../src/statement/json.js";
import { RUNS } from "../support/runs.js";

const SATISFIED: readonly (readonly [string, Json, JsonObject, string])[] = [
  ["amount_max", "100.00 USD", { amount: "100 USD" }, "satisfied"],
  ["amount_max", "100.00 USD", { amount: "100.01 USD" }, "violated"],
  ["amount_max", "100.00 USD", { amount: "99 EUR" }, "violated"],
  ["amount_max", "100.00 USD", { amount: "much" }, "unknown"],
  ["amount_max", "100.00 USD", { amount: 99 }, "unknown"],
  ["amount_max", "100.00 USD", { amount: "-1 USD" }, "violated"],
  ["amount_max", "100.00 USD", { amounts: ["1 USD", "99.00 USD"] }, "satisfied"],
  ["amount_max", "100.00 USD", { amounts: ["1 USD", "100.00 USD"] }, "unchecked"],
  ["amount_max", "100.00 USD", { payments: [{ amount: "60 USD" }, { amount: "60 USD" }] }, "unchecked"],
  ["amount_max", "100.00 USD", { amount: "1 USD", inner: { deep: { amount: "101 USD" } } }, "violated"],
  ["amount_max", "100.00 USD", { amounts: ["1 USD", "100.10 USD"] }, "violated"],
  ["amount_max", "100.00 USD", { amounts: { a: "1 USD", b: ["2 USD"] } }, "satisfied"],
  ["amount_max", "100.00 USD", {}, "absent"],
  ["amount_max", "100.00 USD", { amounts: [] }, "absent"],
  ["max_rows", 10, { rows: 10 }, "satisfied"],
  ["max_rows", 10, { rows: { a: 4, b: 5 } }, "satisfied"],
  ["max_rows", 10, { rows: { a: 4, b: 7 } }, "unchecked"],
  ["max_rows", 10, { rows: { a: 4, b: 11 } }, "violated"],
  ["max_recipients", 2, { recipients: ["a", "b"] }, "satisfied"],
  ["max_recipients", 2, { recipients: ["a", "b", "c"] }, "violated"],
  ["max_recipients", 2, { recipients: [["a", "b"], ["c"]] }, "violated"],
  ["max_recipients", 2, { recipients: [{ name: "a", mail: "b" }] }, "satisfied"],
  ["max_recipients", 2, { recipients: ["a", 1] }, "unknown"],
  ["max_recipients", 2, { recipients: [] }, "satisfied"],
  ["max_rows", 10, { rows: 10.5 }, "violated"],
  ["min_rows", 10, { rows: 9 }, "violated"],
  ["rows_min", 10, { rows: 10 }, "satisfied"],
  ["environment_allowlist", ["staging"], { environment: "staging" }, "satisfied"],
  ["environment_allowlist", ["staging"], { environments: ["staging", "production"] }, "violated"],
  ["environment_denylist", ["production"], { environment: "production" }, "violated"],
  ["environment_denylist", ["production"], { environment: "staging" }, "satisfied"],
  ["environment_denylist", ["production"], { environment: " PRODUCTION " }, "violated"],
  ["environment_denylist", ["production"], { environment: "ｐｒｏｄｕｃｔｉｏｎ" }, "violated"],
  ["environment_allowlist", ["staging"], { environment: "Staging" }, "violated"],
  ["path_prefix", "/srv/a", { path: "/srv/a/../b" }, "unknown"],
  ["path_prefix", "/srv/a", { path: "/srv/a/./b" }, "unknown"],
  ["path_prefix", "/srv/a", { path: "/srv/a//b" }, "unknown"],
  ["path_prefix", "/srv/a", { path: "/srv/a/%2e%2e/b" }, "unknown"],
  ["path_prefix", "/srv/a", { path: "/srv/a\\..\\b" }, "unknown"],
  ["path_prefix", "/srv/.", { path: "/srv/.." }, "unknown"],
  ["path_prefix", "/srv/a/", { path: "/srv/a/b.c/" }, "satisfied"],
  ["url_prefix", "https://", { url: "https://x.example/a" }, "satisfied"],
  ["table_prefix", "tmp_", { tables: ["tmp_a", "tmp_b"] }, "satisfied"],
  ["table_prefix", "tmp_", { tables: ["tmp_a", "orders"] }, "violated"],
  ["table_prefix", "tmp_", { table: 5 }, "violated"],
  ["invoice_pattern_must_match", "^PO-", { invoice: "PO-4812" }, "satisfied"],
  ["invoice_pattern_must_match", "^PO-", { invoice: "XPO-4812" }, "violated"],
];

test("what satisfies a constraint", () => {
  for (const [name, value, place, want] of SATISFIED)
    assert.equal(
      satisfies(readConstraint(name, value), [place]),
      want,
      `${name} ${JSON.stringify(value)} on ${JSON.stringify(place)}`,
    );
  assert.equal(
    satisfies(readConstraint("amount_max", "5 USD"), [{ amount: "6 USD" }, { amount: "4 USD" }]),
    "violated",
    "parameters come before target",
  );
});

test("the first row that fits counts, and what fits none is unknown", () => {
  const kinds: readonly (readonly [string, Json, string])[] = [
    ["amount_max", "lots", "unknown"],
    ["amount_max", "1e5 USD", "unknown"],
    ["amount_max", ["1 USD"], "unknown"],
    ["payee_allowlist", "acme", "unknown"],
    ["x_prefix", 5, "unknown"],
    ["x_pattern_must_match", "^PO-[0-9]+$", "unknown"],
    ["x_pattern_must_match", "PO-", "unknown"],
    ["x_pattern_must_match", "^a.b", "unknown"],
    ["not_after", "tomorrow", "unknown"],
    ["not_after", "2026-05-01T12:00:00Z", "time"],
    ["backup_required", true, "duty"],
    ["backup_required", false, "duty"],
    ["backup_required", "yes", "unknown"],
    ["sanctions_check", true, "duty"],
    ["operator_must_confirm", true, "duty"],
    ["mood", "good", "unknown"],
    ["max_required", 5, "bound"],
  ];
  for (const [name, value, kind] of kinds) assert.equal(readConstraint(name, value).kind, kind, name);
});

test("as tight, or not", () => {
  const cases: readonly (readonly [string, Json, Json, boolean])[] = [
    ["amount_max", "100 USD", "100.00 USD", true],
    ["amount_max", "100 USD", "99.99 USD", true],
    ["amount_max", "100 USD", "100.01 USD", false],
    ["amount_max", "100 USD", "5 EUR", false],
    ["min_rows", 5, 6, true],
    ["min_rows", 5, 4, false],
    ["x_allowlist", ["a", "b"], ["a"], true],
    ["x_allowlist", ["a"], ["a", "b"], false],
    ["x_denylist", ["a"], ["a", "b"], true],
    ["x_denylist", ["a", "b"], ["a"], false],
    ["x_prefix", "tmp_", "tmp_x", true],
    ["x_prefix", "tmp_", "tmp", false],
    ["not_after", "2026-05-01T12:00:00Z", "2026-05-01T11:00:00Z", true],
    ["not_before", "2026-05-01T12:00:00Z", "2026-05-01T11:00:00Z", false],
    ["backup_required", true, true, true],
    ["backup_required", true, false, false],
    ["backup_required", false, true, true],
    ["x_denylist", ["A"], [" a"], true],
    ["mood", { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ["mood", "good", "better", false],
  ];
  for (const [name, parent, child, want] of cases)
    assert.equal(
      isAsTight(name, parent, child),
      want,
      `${name}: ${JSON.stringify(parent)} → ${JSON.stringify(child)}`,
    );
});

test("a child that lacks a constraint, or fixes another value, has widened its parent", () => {
  assert.deepEqual(loosened({ max_x: 5 }, { max_x: 4, mood: "any" }), []);
  assert.deepEqual(loosened({ max_x: 5, callback_required: false }, {}), ["constraint max_x is gone"]);
  assert.deepEqual(loosened({ max_x: 5 }, { max_x: 6 }), ["constraint max_x is not as tight"]);
  assert.deepEqual(differences("parameter", { region: ["eu", "us"] }, { region: "eu", more: 1 }, true), []);
  assert.deepEqual(differences("parameter", { region: "eu" }, { region: "us" }, true), [
    'parameter region differs: "us" instead of "eu"',
  ]);
  assert.equal(differences("parameter", { region: ["eu"] }, { region: ["eu", "us"] }, true).length, 1);
  assert.deepEqual(differences("parameter", { region: "eu" }, {}, true), ["parameter region is gone"]);
  assert.deepEqual(differences("parameter", { amount: "5 USD" }, { amount: "5.00 USD" }, true), []);
  assert.deepEqual(
    additions("target", (name) => name === "a", { a: 1, b: 2 }),
    ["target b was added"],
  );
});

test("amounts are exact decimals: they order as their whole cents do, whatever the zeros", () => {
  const cents = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
  const text = (n: bigint, zeros: number): string => {
    const digits = (n < 0n ? -n : n).toString().padStart(3, "0");
    return `${n < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}${"0".repeat(zeros)} USD`;
  };
  fc.assert(
    fc.property(cents, cents, fc.nat(5), fc.nat(5), (a, b, i, j) => {
      const [left, right] = [parseAmount(text(a, i)), parseAmount(text(b, j))];
      assert.ok(left && right);
      assert.equal(Math.sign(compareAmounts(left, right) ?? Number.NaN), a < b ? -1 : a > b ? 1 : 0);
    }),
    { numRuns: RUNS },
  );
  for (const none of [
    "",
    "5",
    "USD",
    "5USD",
    "05 USD",
    "5. USD",
    ".5 USD",
    "5 USD ",
    "+5 USD",
    "5,00 USD",
    "1e3 USD",
    "5  USD",
    "NaN USD",
  ])
    assert.equal(parseAmount(none), undefined, none);
});
