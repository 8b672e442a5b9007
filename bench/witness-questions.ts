/** What witnesses cost: those who wait for them, those who do not, and the witness itself. */
import { mkdtemp, open, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519Verify } from "#crypto";
import {
  cover,
  emptyRange,
  extendRange,
  foldHashes,
  type Hash,
  leafHash,
  nodeHash,
  planConsistency,
  rangeRoot,
} from "../merkle/index.js";
import { utf8 } from "../src/format/bytes.js";
import { signCheckpoint, verifySignatures } from "../src/format/cosignature.js";
import { parseNote } from "../src/format/note.js";
import { parsePolicy } from "../src/format/policy.js";
import { formatAddCheckpoint } from "../src/format/proof-request.js";
import { seeCheckpoint } from "../src/format/trusted.js";
import { formatVerifierKey, signingKey } from "../src/format/vkey.js";
import { closedLoop, openLoop, percentile, renderPost } from "./load.js";
import { demandAll, perSecond, type Question, round, type Row, verifyAnswer, warmUp } from "./questions.js";
import {
  makeFolder,
  registerAgent,
  startServer,
  startWitness,
  statements,
  type Target,
  type WitnessProcess,
} from "./server.js";

interface Setup {
  readonly target: Target;
  readonly policy: string;
  readonly stop: () => Promise<void>;
}

/** A log and three witnesses of it, any two of which are a quorum. */
async function witnessedLog(algorithm: "ed25519" | "both"): Promise<Setup> {
  const folder = await makeFolder("registered");
  // The log's Ed25519 key, as the witness network's lists have one key a log.
  const key = (await readFile(join(folder, "keys/log.key.pub"), "utf8")).trim();
  const list = `logs/v0\n\nvkey ${key}\nqpd 2000000000\ncontact bench\n`;
  const witnesses: WitnessProcess[] = [];
  for (const n of [1, 2, 3]) witnesses.push(await startWitness(`bench.example/w${n}`, algorithm, list));
  const lines = witnesses.map(
    ({ verifierKey, port }, i) => `witness w${i} ${verifierKey} http://127.0.0.1:${port}`,
  );
  const policy = `log ${key}\n${lines.join("\n")}\ngroup g 2 w0 w1 w2\nquorum g\n`;
  const file = join(folder, "policy");
  await writeFile(file, policy);
  const target = await startServer(folder, "--witness-policy", file);
  await registerAgent(target);
  const stop = async (): Promise<void> => {
    await target.stop();
    for (const witness of witnesses) await witness.stop();
  };
  return { target, policy, stop };
}

/** POST ?wait=witnessed at a steady 200/s, 2 of 3 witnesses on the same machine, beside POST without the wait. */
export const witnessed: Question = async () => {
  const rows: Row[] = [];
  for (const algorithm of ["ed25519", "both"] as const) {
    const count = 3_000;
    const signed = statements(2 * count);
    const { target, policy, stop } = await witnessedLog(algorithm);
    const trusted = parsePolicy(utf8(policy));
    await warmUp(target, 3_000);
    const path = "/v1/entries?wait=witnessed";
    const waited = signed.slice(0, count).map((s) => renderPost(path, "application/json", s));
    const proven = signed.slice(count).map((s) => renderPost("/v1/entries", "application/json", s));
    await openLoop(
      target.port,
      statements(400, 50_000_000).map((s) => renderPost(path, "application/json", s)),
      200,
      () => {},
    );
    const plain = await openLoop(target.port, proven, 200, () => {});
    const result = await openLoop(target.port, waited, 200, (i, answer) => {
      if (i % 100 !== 0) return;
      verifyAnswer(target, signed[i] as Uint8Array, answer);
      const { log_checkpoint: note } = JSON.parse(answer.body.toString()) as { log_checkpoint: string };
      if (seeCheckpoint(utf8(note), trusted).quorum !== true) throw new Error("an answer without the quorum");
    });
    demandAll(result, 201, count);
    demandAll(plain, 201, count);
    await stop();
    for (const p of [50, 99])
      rows.push({
        what: `POST ?wait=witnessed at 200/s, 2 of 3 witnesses (${algorithm === "both" ? "Ed25519 and ML-DSA-44" : "Ed25519"}), p${p}`,
        got: `${round(percentile(result.latencies, p))} ms`,
        reach: p === 50 ? "≤ 15 ms" : "≤ 50 ms",
        baseline: `without the wait: ${round(percentile(plain.latencies, p))} ms`,
        ratio: round(percentile(result.latencies, p) / percentile(plain.latencies, p)),
      });
  }
  return rows;
};

const LOGS = 1000;
const ROUNDS = 24;
/** Each log begins with so many entries, of which only the root is made up. */
const BEGINNING = 2 ** 20;

/** add-checkpoint of a thousand logs, each synced before it is answered. */
export const cosigning: Question = async () => {
  const keys = Array.from({ length: LOGS }, (_, i) => {
    const seed = new Uint8Array(32);
    new DataView(seed.buffer).setUint32(0, i + 1);
    return signingKey(`bench.example/log/${i}`, seed);
  });
  const list = `logs/v0\n${keys.map((key) => `\nvkey ${formatVerifierKey(key)}\nqpd 2000000000\ncontact bench\n`).join("")}`;
  const witness = await startWitness("bench.example/w", "ed25519", list);
  const tree = new Beginning();
  const requests: Buffer[] = [];
  const notes: Uint8Array[] = [];
  for (let n = 0; n < ROUNDS; n++)
    for (const key of keys) {
      const checkpoint = signCheckpoint(
        { origin: key.name, size: BEGINNING + n, root: tree.root(n), extensions: [] },
        key,
      );
      const oldSize = n === 0 ? 0 : BEGINNING + n - 1;
      const hashes = n === 0 ? [] : tree.consistency(n - 1, n);
      notes.push(checkpoint);
      requests.push(
        renderPost("/add-checkpoint", "text/plain", formatAddCheckpoint({ oldSize, hashes, checkpoint })),
      );
    }
  await closedLoop(witness.port, requests.slice(0, LOGS), 64, () => {});
  const before = await bareRate(notes.slice(0, 1500), keys[0] as (typeof keys)[number]);
  const timed = requests.slice(LOGS);
  const result = await closedLoop(witness.port, timed, 64, (_, answer) => {
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body.toString()}`);
  });
  const after = await bareRate(notes.slice(0, 1500), keys[0] as (typeof keys)[number]);
  await witness.stop();
  const [rate, bare] = [perSecond(timed.length, result), (before + after) / 2];
  return [
    {
      what: `add-checkpoint, ${LOGS} logs, 64 connections, each synced`,
      got: `${round(rate)}/s, p50 ${round(percentile(result.latencies, 50))} ms`,
      reach: "≥ 2,000/s",
      baseline: `verify and fsync, one at a time: ${round(bare)}/s`,
      ratio: round(rate / bare),
    },
  ];
};

/** Verifying a signature and syncing a line to a file, one after another. */
async function bareRate(notes: readonly Uint8Array[], key: ReturnType<typeof signingKey>): Promise<number> {
  const file = await open(join(await mkdtemp(join(tmpdir(), "writ-bench-")), "bare"), "a");
  const note = parseNote(notes[0] ?? new Uint8Array(0));
  const [line] = note.signatures;
  if (line === undefined || verifySignatures(note, [key]).length !== 1) throw new Error("the note is signed");
  const text = utf8(note.text);
  const start = performance.now();
  for (const bytes of notes) {
    if (!ed25519Verify(line.signature, text, key.publicKey)) throw new Error("does not verify");
    await file.appendFile(bytes);
    await file.datasync();
  }
  const rate = (notes.length * 1000) / (performance.now() - start);
  await file.close();
  return rate;
}

/** A tree whose first 2^20 leaves are one hash, and which grows behind it. */
class Beginning {
  private readonly left = leafHash(utf8("the beginning"));

  root(n: number): Hash {
    return n === 0 ? this.left : nodeHash(this.left, this.right(0, n));
  }

  consistency(from: number, to: number): Hash[] {
    return planConsistency(BEGINNING + from, BEGINNING + to).map(({ start, end }) =>
      start === 0 ? this.left : this.right(start - BEGINNING, end - BEGINNING),
    );
  }

  private right(start: number, end: number): Hash {
    const leaf = (i: number): Hash => leafHash(utf8(`leaf ${i}`));
    return foldHashes(
      cover(start, end).map(({ level, index }) => {
        const [first, width] = [index * 2 ** level, 2 ** level];
        return rangeRoot(
          extendRange(
            emptyRange(),
            Array.from({ length: width }, (_, i) => leaf(first + i)),
          ),
        );
      }),
    );
  }
}

/** Single POSTs of those who do not wait, with witnesses and without, turn about. */
export const unwaited: Question = async () => {
  const [count, turns] = [15_000, 3];
  const rates = { on: [] as number[], off: [] as number[] };
  for (let turn = 0; turn < turns; turn++)
    for (const which of ["off", "on"] as const) {
      const folder = which === "off" ? await makeFolder("registered") : "";
      const plain = which === "off" ? await startServer(folder) : null;
      if (plain !== null) await registerAgent(plain);
      const setup = which === "on" ? await witnessedLog("ed25519") : null;
      const target = plain ?? setup?.target;
      if (target === undefined) throw new Error("a log");
      await warmUp(target, 5_000);
      const requests = statements(count).map((s) => renderPost("/v1/entries", "application/json", s));
      const result = await closedLoop(target.port, requests, 128, () => {});
      demandAll(result, 201, count);
      rates[which].push(perSecond(count, result));
      await (setup === null ? plain?.stop() : setup.stop());
    }
  const median = (list: readonly number[]): number =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
  const [on, off] = [median(rates.on), median(rates.off)];
  return [
    {
      what: "single POSTs without the wait, 3 witnesses cosigning on the same two cores",
      got: `${round(on)}/s`,
      reach: "≥ 0.9",
      baseline: `without witnesses: ${round(off)}/s`,
      ratio: round(on / off),
    },
  ];
};
