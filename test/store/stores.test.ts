/** Every store passes the suite; LevelDB also keeps others out. */
import assert from "node:assert/strict";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WritError } from "../../src/errors.js";
import { LevelStore } from "../../src/store/level.js";
import { MemoryStore } from "../../src/store/memory.js";
import { storeSuite } from "./suite.js";

storeSuite("memory", async () => ({ open: async () => new MemoryStore(), reopen: null }));

storeSuite("LevelDB", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
  const open = () => LevelStore.open(folder);
  return { open, reopen: open };
});

test("LevelDB: a folder that is open is locked to everybody else, and says so", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
  const store = await LevelStore.open(folder);
  await assert.rejects(
    LevelStore.open(folder),
    (error) => error instanceof WritError && error.code === "STORE_LOCKED" && error.message.includes(folder),
  );
  await store.close();
  await (await LevelStore.open(folder)).close();
});
