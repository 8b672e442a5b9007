/** Witnesses and logs of them to test with: keys that never change, checkpoints that grow, folders of their own. */
import { join } from "node:path";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after } from "node:test";
import type { Hono } from "hono";
import type { Hash } from "../../merkle/index.js";
import { utf8 } from "../../src/format/bytes.js";
import { signCheckpoint } from "../../src/format/cosignature.js";
import { formatAddCheckpoint } from "../../src/format/proof-request.js";
import {
  ED25519_COSIGNATURE,
  formatVerifierKey,
  ML_DSA_44,
  type SigningKey,
  signingKey,
} from "../../src/format/vkey.js";
import { createWitnessApp } from "../../witness/app.js";
import { Logs } from "../../witness/logs.js";
import { WitnessState } from "../../witness/state.js";
import { Witness } from "../../witness/witness.js";
import { mth, proof } from "./rfc6962.js";

export const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);

/** A tree of a log that exists nowhere else; `fork` makes it another one from that leaf on. */
export class GrowingLog {
  readonly key: SigningKey;

  constructor(
    name: string,
    private readonly forkAt = Number.POSITIVE_INFINITY,
    n = 1,
  ) {
    this.key = signingKey(name, seed(n));
  }

  private leaf(i: number): Uint8Array {
    return utf8(`${i >= this.forkAt ? "other " : ""}leaf ${i}`);
  }

  private leaves(size: number): Uint8Array[] {
    return Array.from({ length: size }, (_, i) => this.leaf(i));
  }

  root(size: number): Hash {
    return mth(this.leaves(size));
  }

  consistency(from: number, to: number): Hash[] {
    return from === 0 || from === to ? [] : proof(from, this.leaves(to));
  }

  note(size: number, key = this.key): Uint8Array {
    return signCheckpoint({ origin: this.key.name, size, root: this.root(size), extensions: [] }, key);
  }

  /** The body of add-checkpoint. */
  request(from: number, to: number): Uint8Array {
    return formatAddCheckpoint({
      oldSize: from,
      hashes: this.consistency(from, to),
      checkpoint: this.note(to),
    });
  }
}

export interface TestWitness {
  readonly witness: Witness;
  readonly app: Hono;
  readonly folder: string;
  readonly logs: Logs;
  readonly state: WitnessState;
  readonly forks: string[];
}

export const w4 = signingKey("witness.example/w", seed(21), ED25519_COSIGNATURE);
export const w6 = signingKey("witness.example/w", seed(22), ML_DSA_44);

const opened: WitnessState[] = [];
after(async () => {
  for (const state of opened) await state.close().catch(() => {});
});

export async function openWitness(
  list: string,
  {
    keys = [w4],
    folder,
    now = Date.now,
  }: { readonly keys?: readonly SigningKey[]; readonly folder?: string; readonly now?: () => number } = {},
): Promise<TestWitness> {
  const place = folder ?? (await mkdtemp(join(tmpdir(), "writ-witness-")));
  await writeFile(join(place, "logs"), list);
  const logs = new Logs(join(place, "logs"), now);
  await logs.reload();
  const state = await WitnessState.open(join(place, "state"), { create: true });
  const forks: string[] = [];
  opened.push(state);
  const witness = new Witness({ keys, logs, state, now, onFork: (origin) => forks.push(origin) });
  return { witness, app: createWitnessApp(witness), folder: place, logs, state, forks };
}

export function listOf(...logs: readonly SigningKey[]): string {
  return `logs/v0\n${logs.map((key) => `\n${listed(key)}`).join("")}`;
}

/** One log of a list. */
export function listed(key: SigningKey, qpd = 2_000_000_000): string {
  return `vkey ${formatVerifierKey(key)}\nqpd ${qpd}\ncontact somebody\n`;
}

export async function post(app: Hono, path: string, body: Uint8Array | string): Promise<Response> {
  return app.request(path, {
    method: "POST",
    body,
    headers: { "content-length": String(Buffer.byteLength(body)) },
  });
}
