/** Every store passes the suite; LevelDB also keeps others out. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Level } from "level";
import { asHash } from "../../merkle/index.js";
import { WritError } from "../../src/errors.js";
import { LevelStore } from "../../src/store/level.js";
import { MemoryStore } from "../../src/store/memory.js";
import { storeSuite } from "./suite.js";

storeSuite("memory", async () => ({ open: async () => new MemoryStore(), reopen: null }));

storeSuite("LevelDB", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
  return { open: () => LevelStore.open(folder, { create: true }), reopen: () => LevelStore.open(folder) };
});

test("LevelDB: a folder that is open is locked to everybody else, and says so", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
  const store = await LevelStore.open(folder, { create: true });
  await assert.rejects(
    LevelStore.open(folder),
    (error) => error instanceof WritError && error.code === "STORE_LOCKED" && error.message.includes(folder),
  );
  await store.close();
  await (await LevelStore.open(folder)).close();
});

test("LevelDB: a commit that vanished from the middle is missed at the next open", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
  const store = await LevelStore.open(folder, { create: true });
  for (let size = 0; size < 5; size++) {
    const head = { size: size + 1, root: asHash(new Uint8Array(32)), receivedAt: size };
    await store.commit({ expectedSize: size, head, entries: [Uint8Array.of(size)], tiles: [], rows: [] });
  }
  await store.close();
  await (await LevelStore.open(folder)).close();
  const raw = new Level<Uint8Array, Uint8Array>(folder, { keyEncoding: "view", valueEncoding: "view" });
  await raw.del(Uint8Array.of(0x68, 0, 0, 0, 0, 0, 0, 0, 3));
  await raw.close();
  await assert.rejects(
    LevelStore.open(folder),
    (error) => error instanceof WritError && error.code === "STORE_CORRUPT",
  );
});

test("LevelDB: opening never makes a database, making never takes over one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
  const failed = (code: string) => (error: unknown) => error instanceof WritError && error.code === code;
  await assert.rejects(LevelStore.open(folder), failed("STORE_CORRUPT"));
  await (await LevelStore.open(folder, { create: true })).close();
  await assert.rejects(LevelStore.open(folder, { create: true }), failed("STORE_FAILED"));
});

test("LevelDB: a table that is cut short, and a file that is gone, are told by name, with what to do", async () => {
  for (const damage of ["cut", "CURRENT", "MANIFEST"]) {
    const folder = await mkdtemp(join(tmpdir(), "writ-store-"));
    const store = await LevelStore.open(folder, { create: true });
    for (let n = 0; n < 3; n++)
      await store.putRows(
        Array.from({ length: 200 }, (_, i) => ({
          table: "state" as const,
          key: Uint8Array.of(n, i),
          value: new Uint8Array(randomBytes(60_000)),
        })),
      );
    await store.close();
    // What is in the write-ahead log becomes a table when it is opened again.
    await (await LevelStore.open(folder)).close();
    const files = await readdir(folder);
    const tables = files.filter((name) => name.endsWith(".ldb"));
    assert.ok(tables.length > 0, "there is a table to cut");
    for (const name of damage === "cut" ? tables : files.filter((one) => one.startsWith(damage)))
      if (damage === "cut") await truncate(join(folder, name), (await stat(join(folder, name))).size - 50);
      else await rm(join(folder, name));
    const read = async (): Promise<void> => {
      const opened = await LevelStore.open(folder);
      try {
        await opened.rows("state", new Uint8Array(0));
      } finally {
        await opened.close();
      }
    };
    await assert.rejects(
      read,
      (error) =>
        error instanceof WritError &&
        error.code === "STORE_CORRUPT" &&
        /(?:\.ldb|CURRENT|MANIFEST-\d+) is damaged or missing .*restore the newest backup/.test(
          error.message,
        ),
      damage,
    );
  }
});
