/** Listeners are bounded: a quarter of them for one address, and all together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createApp } from "../../api/app.js";
import { MAX_LISTENERS } from "../../api/events.js";
import { ASKER_SHARE } from "../../src/log/ask/budget.js";
import { logKey, newStore, openLog } from "../support/log.js";

test("4,000 listen at most, 1,000 of one address; who goes makes room", async () => {
  assert.deepEqual([MAX_LISTENERS, MAX_LISTENERS * ASKER_SHARE], [4_000, 1_000]);
  const log = await openLog(await newStore());
  const app = createApp(log, { verifierKeys: [logKey], version: "test" });
  const listen = async (address: string): Promise<Response> =>
    app.request("/v1/events", {}, { incoming: { socket: { remoteAddress: address } } });
  const streams: Response[] = [];
  const fill = async (address: string): Promise<void> => {
    for (let n = 0; n < 1_000; n++) {
      const stream = await listen(address);
      assert.equal(stream.status, 200);
      streams.push(stream);
    }
    const refused = await listen(address);
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /"code":"READERS_BUSY"/);
  };
  for (const n of [1, 2, 3, 4]) await fill(`192.0.2.${n}`);
  assert.equal((await listen("192.0.2.5")).status, 503, "nobody has room");
  await streams.pop()?.body?.cancel();
  const late = await listen("192.0.2.5");
  assert.equal(late.status, 200);
  for (const stream of [...streams, late]) await stream.body?.cancel();
  await log.close();
});
