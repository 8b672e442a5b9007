/** The journal: what was acknowledged is there after any crash; what was damaged is never passed over in silence. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WritError } from "../../src/errors.js";
import { utf8 } from "../../src/format/bytes.js";
import { Journal } from "../../witness/journal.js";

const refuses = (code: string) => (error: unknown) => error instanceof WritError && error.code === code;

/** What stands before the bytes of a record that is alone in its batch. */
const HEAD = 4 + 8 + 4 + 4 + 32 + 4;

async function place(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), "writ-journal-")), "state");
}

async function read(path: string): Promise<string[]> {
  const found: string[] = [];
  const journal = await Journal.open(
    path,
    (body) => found.push(Buffer.from(body).toString()),
    () => [],
    { create: true },
  );
  await journal.close();
  return found;
}

async function write(path: string, ...records: readonly string[]): Promise<void> {
  const journal = await Journal.open(
    path,
    () => {},
    () => [],
    { create: true },
  );
  await Promise.all(records.map((record) => journal.append(utf8(record))));
  await journal.close();
}

test("records come back in order, over several lives", async () => {
  const path = await place();
  await write(path, "one", "two");
  await write(path, "", "three");
  assert.deepEqual(await read(path), ["one", "two", "", "three"]);
});

test("cut anywhere: whole records stay, the torn one goes, and the next is written in its place", async () => {
  const path = await place();
  await write(path, "first", "second");
  const whole = await readFile(path);
  // Two that were given at once: the first is written alone, the second in the next batch.
  const boundary = HEAD + "first".length;
  for (let length = 0; length <= whole.length; length++) {
    await writeFile(path, whole.subarray(0, length));
    const want = length === whole.length ? ["first", "second"] : length >= boundary ? ["first"] : [];
    assert.deepEqual(await read(path), want, `cut at ${length}`);
    await write(path, "next");
    assert.deepEqual(await read(path), [...want, "next"], `cut at ${length}, written on`);
  }
});

test("space that was never filled at the end is no damage", async () => {
  const path = await place();
  await write(path, "first");
  await appendFile(path, new Uint8Array(4096));
  assert.deepEqual(await read(path), ["first"]);
});

test("a byte changed anywhere but in the last batch is refused", async () => {
  const path = await place();
  await write(path, "first");
  await write(path, "second");
  await write(path, "third");
  const whole = await readFile(path);
  const last = whole.length - (HEAD + "third".length);
  for (let at = 0; at < last; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 0x01;
    await writeFile(path, changed);
    await assert.rejects(read(path), refuses("STATE_CORRUPT"), `byte ${at}`);
  }
});

test("what is cut off is told, in bytes; what is whole is not", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "writ-journal-")), "state");
  const cuts: number[] = [];
  const options = { create: true, onCut: (bytes: number) => cuts.push(bytes) };
  const open = async () =>
    Journal.open(
      path,
      () => {},
      () => [],
      options,
    );
  const journal = await open();
  await journal.append(Uint8Array.of(1, 2, 3));
  await journal.close();
  await (await open()).close();
  assert.deepEqual(cuts, []);
  await appendFile(path, "WRJ1 torn");
  await (await open()).close();
  assert.deepEqual(cuts, [9]);
});

test("a batch that is blank or torn at the end is no damage, a blank one in the middle is", async () => {
  const path = await place();
  await write(path, "first");
  const one = (await readFile(path)).length;
  await write(path, "second");
  await write(path, "third");
  const whole = await readFile(path);
  const blank = Buffer.from(whole).fill(0, one, 2 * one + 1);
  await writeFile(path, blank);
  await assert.rejects(read(path), refuses("STATE_CORRUPT"));
  await writeFile(path, Buffer.from(whole).fill(0, whole.length - 40));
  assert.deepEqual(await read(path), ["first", "second"]);
});

test("two writers of one file: the one that comes second to write ends, before anything is acknowledged", async () => {
  const path = await place();
  await write(path, "first");
  const a = await Journal.open(
    path,
    () => {},
    () => [],
    { create: true },
  );
  const b = await Journal.open(
    path,
    () => {},
    () => [],
    { create: true },
  );
  await a.append(utf8("by a"));
  await assert.rejects(b.append(utf8("by b")), refuses("STORE_LOCKED"));
  await assert.rejects(b.append(utf8("by b again")), refuses("STORE_LOCKED"), "and takes nothing more");
  await a.append(utf8("by a again"));
  await a.close();
  await b.close();
  assert.deepEqual(await read(path), ["first", "by a", "by a again"]);
});

test("a file that was cut under our hands ends the writer", async () => {
  const path = await place();
  const journal = await Journal.open(
    path,
    () => {},
    () => [],
    { create: true },
  );
  await journal.append(utf8("first"));
  await truncate(path, 10);
  await assert.rejects(journal.append(utf8("second")), refuses("STORE_LOCKED"));
  await journal.close();
});

test("a long journal is replaced by a short one that says the same, and goes on", async () => {
  const path = await place();
  const held = new Map<string, string>();
  const snapshot = (): Uint8Array[] => [...held.values()].map(utf8);
  const journal = await Journal.open(path, () => {}, snapshot, { create: true });
  const filler = "x".repeat(200_000);
  for (let i = 0; i < 120; i++) {
    const record = `${i % 5} ${i} ${filler}`;
    held.set(String(i % 5), record);
    await journal.append(utf8(record));
  }
  await journal.close();
  assert.ok((await readFile(path)).length < 16 * 1024 * 1024, "it was replaced");
  const last = new Map((await read(path)).map((record) => [record[0], record.split(" ")[1]]));
  assert.deepEqual(
    [...last].toSorted(([a = ""], [b = ""]) => Number(a) - Number(b)),
    [
      ["0", "115"],
      ["1", "116"],
      ["2", "117"],
      ["3", "118"],
      ["4", "119"],
    ],
  );
});
