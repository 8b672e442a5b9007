/** The baseline of everything that verifies: bare Ed25519 verification by the same library, on all cores at once. */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from "#crypto";

const SECONDS = 3;

/** Verifications a second of all cores together. */
export async function verifyRate(): Promise<number> {
  const rates = Array.from({ length: availableParallelism() }, async () => {
    const worker = new Worker(new URL(import.meta.url));
    return new Promise<number>((resolve, reject) => worker.once("message", resolve).once("error", reject));
  });
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
}

function measure(): number {
  const seed = new Uint8Array(32).fill(1);
  const message = new Uint8Array(500).fill(2);
  const key = ed25519PublicKey(seed);
  const signature = ed25519Sign(message, seed);
  let count = 0;
  const start = performance.now();
  while (performance.now() - start < SECONDS * 1000) {
    for (let i = 0; i < 50; i++)
      if (!ed25519Verify(signature, message, key)) throw new Error("does not verify");
    count += 50;
  }
  return count / SECONDS;
}

if (!isMainThread) parentPort?.postMessage(measure());
