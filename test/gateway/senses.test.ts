/** When a gateway knows nothing, why, and that it comes back by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_BOUNDS } from "../../src/gateway/bounds.js";
import { Senses } from "../../src/gateway/senses.js";

const BOUNDS = { ...DEFAULT_BOUNDS, silenceMs: 3_000, checkpointMs: 5_000, witnessMs: 15_000 };

function senses() {
  const clock = { wall: 1_000_000, steady: 0 };
  const made = new Senses(BOUNDS, { wall: () => clock.wall, steady: () => clock.steady });
  const pass = (ms: number): void => {
    clock.wall += ms;
    clock.steady += ms;
  };
  const beat = (size = 1, witnessedSize: number | null = null): void => {
    made.heard();
    made.beat({ size, witnessedSize, time: clock.wall });
  };
  const reason = (): string => (made.health.live ? "live" : made.health.reason);
  return { made, clock, pass, beat, reason };
}

test("before anything was heard nothing is known", () => {
  const { reason, made, beat } = senses();
  assert.equal(reason(), "CONNECTING");
  made.heard();
  assert.equal(reason(), "CONNECTING", "an event alone says nothing of the log");
  beat();
  assert.equal(reason(), "live");
});

test("silence, and the end of it", () => {
  const { reason, beat, pass } = senses();
  beat();
  pass(3_000);
  assert.equal(reason(), "live");
  pass(1);
  assert.equal(reason(), "STREAM_SILENT");
  beat();
  assert.equal(reason(), "live");
});

test("events without a sound checkpoint are not enough for long", () => {
  const { reason, made, beat, pass } = senses();
  beat();
  for (let i = 0; i < 5; i++) {
    pass(1_001);
    made.heard();
  }
  assert.equal(reason(), "CHECKPOINT_STALE");
  made.unsound("another history");
  assert.equal(reason(), "CHECKPOINT_INVALID");
  assert.throws(() => made.demandLive(), {
    code: "GATEWAY_UNSURE",
    facts: { reason: "CHECKPOINT_INVALID" },
    message: /another history/,
  });
  beat();
  assert.equal(reason(), "live");
});

test("a clock that jumps is not believed until it agrees with the log's; one that stays wrong is not believed at all", () => {
  for (const jump of [3_600_000, -3_600_000]) {
    const { reason, made, clock, beat, pass } = senses();
    beat();
    clock.wall += jump;
    assert.equal(reason(), "CLOCK_JUMPED");
    // The log's clock did not jump with it.
    made.heard();
    made.beat({ size: 1, witnessedSize: null, time: clock.wall - jump });
    assert.equal(reason(), "CLOCK_JUMPED");
    clock.wall -= jump;
    pass(1_000);
    beat();
    assert.equal(reason(), "live");
  }
});

test("clocks that differ by more than the bound", () => {
  const { reason, made, clock } = senses();
  made.heard();
  made.beat({ size: 1, witnessedSize: null, time: clock.wall - 10_001 });
  assert.equal(reason(), "CLOCK_SKEWED");
  made.beat({ size: 1, witnessedSize: null, time: clock.wall - 9_999 });
  assert.equal(reason(), "live");
});

test("the quorum may lag for so long; a busy log whose newest size is never witnessed is well all the same", () => {
  const { reason, beat, pass } = senses();
  for (let size = 10; size < 60; size++) {
    beat(size, size - 5);
    pass(1_000);
    assert.equal(reason(), "live", `size ${size}`);
  }
  for (let i = 0; i < 15; i++) {
    beat(100 + i, 59);
    pass(1_000);
  }
  assert.equal(reason(), "live");
  pass(1_001);
  beat(200, 59);
  assert.equal(reason(), "QUORUM_MISSING");
  beat(200, 200);
  assert.equal(reason(), "live");
});

test("an idle log that is witnessed stays well for ever", () => {
  const { reason, beat, pass } = senses();
  for (let i = 0; i < 1_000; i++) {
    beat(7, 7);
    pass(1_000);
  }
  assert.equal(reason(), "live");
});
