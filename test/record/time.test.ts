/** One reader of times for records and for questions: RFC 3339 in UTC. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isUtcTime, timeOf } from "../../src/record/time.js";

const YES = [
  "2026-05-01T12:00:00Z",
  "2026-05-01T12:00:00+00:00",
  "2026-05-01T12:00:00.123456789Z",
  "2024-02-29T12:00:00Z",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999Z",
];
const NO = [
  "2026-05-01T12:00:00-00:00",
  "2026-05-01T12:00:00+02:00",
  "2026-05-01t12:00:00z",
  "2026-05-01 12:00:00Z",
  "2026-05-01T12:00Z",
  "2026-02-29T12:00:00Z",
  "2026-05-01T24:00:00Z",
  "2016-12-31T23:59:60Z",
  "2026-05-01T12:00:00.Z",
  "2026-05-01T12:00:00,5Z",
  "+002026-05-01T12:00:00Z",
  "2026-05-01T12:00:00.1234567890Z",
];

test("a time is in UTC, by Z or by +00:00, of a day that there is, and nothing else is one", () => {
  for (const text of YES) assert.ok(isUtcTime(text) && timeOf(text) !== undefined, text);
  for (const text of NO) assert.equal(isUtcTime(text), false, text);
  assert.equal(timeOf("2026-05-01T12:00:00+00:00"), timeOf("2026-05-01T12:00:00Z"));
});
