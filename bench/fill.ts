/**
 * Fills a raw log to a size, in process: the sequencer and the store without HTTP. Prints, as JSON, the seconds that the
 * appends of the first and the last stretch took.
 */
import { readSigningKey } from "../src/cli/key-files.js";
import { openLog } from "../src/log/open.js";
import { LevelStore } from "../src/store/level.js";

const [folder = "", sizeText = "0"] = process.argv.slice(2);
const size = Number(sizeText);
const GROUP = 500;
const STRETCH = 100_000;
/** Groups kept waiting, so that the sequencer always has its next batch. */
const AHEAD = 8;
const ENTRY_BYTES = 256;

const key = await readSigningKey(`${folder}/keys/log.key`);
const log = await openLog(await LevelStore.open(`${folder}/db`), { key });
const first = await stretch();
const last = { seconds: Number.NaN, from: 0 };
while (log.published.size < size) {
  const from = log.published.size;
  Object.assign(last, { seconds: await stretch(), from });
  if (process.stderr.isTTY) process.stderr.write(`\rfilling ${log.published.size}/${size}`);
}
await log.close();
process.stdout.write(`${JSON.stringify({ first, last: last.seconds, lastFrom: last.from })}\n`);

async function stretch(): Promise<number> {
  const start = performance.now();
  let next = log.published.size;
  const end = next + Math.min(STRETCH, Math.max(GROUP, size - next));
  const feed = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next += GROUP;
      await log.submitRaw(Array.from({ length: Math.min(GROUP, end - from) }, (_, i) => entry(from + i)));
    }
  };
  await Promise.all(Array.from({ length: AHEAD }, feed));
  return (performance.now() - start) / 1000;
}

function entry(n: number): Uint8Array {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  // Different and not compressible to nothing: a multiplicative hash of the number, spread over the entry.
  for (let i = 0; i < ENTRY_BYTES; i += 4)
    bytes.writeUInt32LE(Math.imul(n * 64 + i + 1, 2_654_435_761) >>> 0, i);
  return bytes;
}
