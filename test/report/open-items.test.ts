/** What is open: each kind, when it begins and when it ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  findOpenItems,
  type Found,
  isOfKind,
  isOverdue,
  MAX_ASKED,
  MAX_OF_TYPE,
  openItems,
  whatToDo,
} from "../../src/report/open-items.js";

const NOW = Date.parse("2026-05-02T00:00:00Z");
const PAST_LONG = "2026-05-01T20:00:00Z";
const [PAST, FUTURE] = ["2026-05-01T23:59:59Z", "2026-05-02T00:00:01Z"];

function exception(index: number, more: object = {}): Found {
  return {
    index,
    value: {
      type: "exception",
      owner: "user://acme/risk",
      check: "EVIDENCE_STALE",
      reason: "feed down",
      expires_at: FUTURE,
      ...more,
    },
  };
}

function rules(index: number, issuer: string, more: object = {}): Found {
  return {
    index,
    value: {
      type: "action-type",
      issuer,
      action_type: "wire.transfer",
      owner: issuer,
      escalation_path: ["x"],
      conflict_rule: "deny",
      test_suite_digest: "a",
      receipt_schema_digest: "b",
      ...more,
    },
  };
}

function kinds(...found: readonly Found[]): string[] {
  return openItems(found, NOW).map(({ kind, index }) => `${index} ${kind}`);
}

test("an exception is open until it expires, and due for review from its date on", () => {
  assert.deepEqual(kinds(exception(1)), ["1 exception open"]);
  assert.deepEqual(kinds(exception(1, { review_due: FUTURE })), ["1 exception open"]);
  assert.deepEqual(kinds(exception(1, { review_due: PAST })), ["1 review due"]);
  assert.deepEqual(kinds(exception(1, { expires_at: PAST, review_due: PAST })), ["1 exception expired"]);
  const [open] = openItems([exception(1)], NOW);
  assert.ok(open !== undefined && !isOverdue(open));
  assert.equal(whatToDo(open), `excuses EVIDENCE_STALE until ${FUTURE}; owner user://acme/risk: feed down`);
});

test("rules: the last word of each owner counts; what it leaves open is named; two owners contest", () => {
  assert.deepEqual(kinds(rules(1, "a", { owner: "" }), rules(2, "a")), []);
  const incomplete = openItems([rules(1, "a"), rules(2, "a", { owner: "", escalation_path: [] })], NOW);
  assert.deepEqual(
    incomplete.map((item) => whatToDo(item)),
    ["the rules of wire.transfer leave open owner, escalation_path; by a"],
  );
  const contested = openItems([rules(1, "a"), rules(2, "b")], NOW);
  assert.deepEqual(
    contested.map(({ kind, index }) => `${index} ${kind}`),
    ["2 rules contested", "1 rules contested"],
  );
  // Anybody may write some: it is shown, and makes nothing overdue.
  assert.ok(!contested.some(isOverdue));
  // What one record decides is not taken on anybody's word.
  assert.equal(isOfKind("rules incomplete", rules(1, "a").value, NOW), false);
  assert.equal(isOfKind("exception expired", exception(1).value, NOW), false);
  assert.equal(isOfKind("exception open", exception(1).value, NOW), true);
  assert.equal(isOfKind("use without a receipt", exception(1).value, NOW), false);
});

test("a review is overdue until the next one; a use is open until a receipt tells of it", () => {
  const review = (index: number, due: string): Found => ({
    index,
    value: { type: "strategy-receipt", issuer: "r", objective: "less fraud", next_review_due: due },
  });
  assert.deepEqual(kinds(review(1, PAST)), ["1 review due"]);
  assert.deepEqual(kinds(review(1, PAST), review(2, FUTURE)), []);
  const use = (index: number, nonce: string): Found => ({
    index,
    value: { type: "consumption", capability_hash: "g", nonce, executor_id: "e", consumed_at: PAST_LONG },
  });
  const receipt = (index: number, more: object): Found => ({
    index,
    value: { type: "execution-receipt", capability_hash: "g", executor_id: "e", ...more },
  });
  assert.deepEqual(kinds(use(1, "n"), use(2, "m"), receipt(3, { nonce: "n" })), ["2 use without a receipt"]);
  assert.deepEqual(kinds(use(1, "n"), receipt(3, {})), []);
  // A stranger's receipt tells of nothing; a use of a minute ago may be under way.
  assert.deepEqual(kinds(use(1, "n"), receipt(3, { executor_id: "mallory" })), ["1 use without a receipt"]);
  const young = use(1, "n");
  assert.deepEqual(kinds({ ...young, value: { ...young.value, consumed_at: PAST } }), []);
  // Receipts beyond those that were looked at may tell of older uses: nothing is said of them.
  const many = Array.from({ length: MAX_OF_TYPE }, (_, i) => receipt(10 + i, { nonce: `other ${i}` }));
  assert.deepEqual(kinds(use(1, "n"), use(5000, "m"), ...many), ["5000 use without a receipt"]);
});

test("what was taken back is not open, and uncovers what it stood before; a log of any size is asked so much and no more", async () => {
  const found = [rules(1, "a", { owner: "" }), rules(2, "a"), exception(3), rules(4, "b")];
  const asked: number[] = [];
  const items = await findOpenItems(
    {
      search: async (type) => ({ found: found.filter(({ value }) => value["type"] === type), next: null }),
      state: async (index) => {
        asked.push(index);
        return [2, 3, 4].includes(index) ? "revoked" : "active";
      },
    },
    NOW,
  );
  assert.deepEqual(
    items.map(({ kind, index }) => `${index} ${kind}`),
    ["1 rules incomplete"],
  );
  assert.equal(new Set(asked).size, asked.length, "each is asked once");

  let [pages, states] = [0, 0];
  const endless = await findOpenItems(
    {
      search: async (type, limit, cursor) => {
        pages++;
        const from = Number(cursor ?? 1e9);
        const page = Array.from({ length: limit }, (_, i) => exception(from - i));
        return {
          found: type === "exception" ? page : [],
          next: type === "exception" ? `${from - limit}` : null,
        };
      },
      state: async () => {
        states++;
        return states < 50 ? "revoked" : "active";
      },
    },
    NOW,
  );
  assert.equal(endless.length, MAX_OF_TYPE - 49);
  assert.equal(states, MAX_ASKED);
  assert.equal(pages, 2 + 4);

  // One that always has another page, and nothing on it; and one that answers more than was asked for.
  pages = 0;
  const state = async (): Promise<string> => "active";
  const empty = async (): Promise<{ found: Found[]; next: string }> => {
    pages++;
    return { found: [], next: "more" };
  };
  assert.deepEqual(await findOpenItems({ search: empty, state }, NOW), []);
  assert.equal(pages, 5 * 8);
  const huge = Array.from({ length: 300_000 }, (_, i) => exception(i));
  const all = await findOpenItems({ search: async () => ({ found: huge, next: null }), state }, NOW);
  assert.ok(all.length <= 5 * MAX_OF_TYPE);
});
