/** The browser's rooms on the browser's half of the crypto seam: the same tests, run with the condition `portable`. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PROJECT, run } from "./support/process.js";

test("merkle, formats and statements pass their tests without libsodium and node:crypto", async () => {
  const files = ["merkle", "format", "statement"].flatMap((room) =>
    readdirSync(join(PROJECT, "dist/test", room))
      .filter((name) => name.endsWith(".test.js") && name !== "tree.test.js")
      .map((name) => join(PROJECT, "dist/test", room, name)),
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { code, stdout } = await run(
    PROJECT,
    process.execPath,
    ["--conditions=portable", "--test", ...files],
    { env },
  );
  assert.equal(code, 0, stdout);
  assert.match(stdout, /# pass [1-9]\d*\n# fail 0/);
});
