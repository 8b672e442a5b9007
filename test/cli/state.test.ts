/** Where commands keep what they have seen: by the specification of it, and said before anything is sent where it cannot be kept. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { end, freePort, MAIN, run, startLog, temporaryFolder } from "../support/process.js";

test("a state folder that cannot be written, or that is empty or no path, is said first, and the proof is saved all the same", async () => {
  const folder = await temporaryFolder();
  const port = await freePort();
  const log = await startLog(folder, port);
  const at = ["--log", `http://127.0.0.1:${port}`, "--key", join(folder, "log/keys/log.key.pub")];
  const as =
    (state: string) =>
    (...args: readonly string[]) =>
      run(folder, process.execPath, [MAIN, ...args], {
        env: { ...process.env, HOME: folder },
        state,
      });
  const unwritable = as("/dev/null/nowhere");
  await unwritable("keys", "new", "a.key", "--name", "agent://a");
  const registrar = ["--registrar", "log/keys/registrar.key", "--role", "agent"];
  const registered = await unwritable("keys", "register", "a.key.pub", ...registrar, ...at);
  assert.equal(registered.code, 0, registered.stderr);
  assert.match(registered.stderr, /\/dev\/null\/nowhere\/writ cannot be written .*set XDG_STATE_HOME/);
  const foreign = ["--content-type", "text/plain", "--subject", "s", "--cose", "-o", "note.cose"];
  const signed = await unwritable("sign", "log/keys/log.key.pub", "--key", "a.key", ...foreign);
  assert.equal(signed.code, 0, signed.stderr);
  const submitted = await unwritable("submit", "note.cose", ...at);
  assert.equal(submitted.code, 0, submitted.stderr);
  assert.match(await readFile(join(folder, "note.cose.tlog-proof"), "utf8"), /^c2sp\.org\/tlog-proof@v1/);
  for (const state of ["", "rel"]) {
    const got = await as(state)("get", "0", ...at);
    assert.equal(got.code, 0, got.stderr);
    assert.match(
      got.stderr,
      /XDG_STATE_HOME is (empty|no absolute path).* is kept in .*\.local\/state\/writ/,
    );
  }
  const endless = await as("/proc/nowhere")("get", "0", ...at);
  assert.equal(endless.code, 0, endless.stderr);
  assert.match(endless.stderr, /\/proc\/nowhere\/writ cannot be written/);
  const names = await readdir(folder);
  assert.ok(!names.includes("rel") && !names.includes("writ"), names.join(" "));
  assert.equal((await readdir(join(folder, ".local/state/writ"))).length, 1);
  await end(log, "SIGTERM");
});
