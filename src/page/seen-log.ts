/**
 * A log as the page sees it: nothing is shown that was not verified here. Its key is pinned at first sight, and kept; the last checkpoint,
 * too, and every later one has to extend it.
 */
import { type Hash, verifyConsistency } from "../../merkle/index.js";
import { asHash } from "../../merkle/index.js";
import { parseBase64 } from "../format/base64.js";
import { fromUtf8, utf8 } from "../format/bytes.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { openCheckpoint } from "../format/cosignature.js";
import { forkEvidence, formatEvidence } from "../format/evidence.js";
import { parsePolicy, type Policy, policyOfKey } from "../format/policy.js";
import { parseVerifierKey } from "../format/vkey.js";
import { ProofError } from "../errors.js";
import { type Bundle, parseBundleFile } from "../trace/bundle.js";
import { readTraceEntry, type TraceEntry } from "../trace/entry.js";
import { parseTlogProof, verifyEntry } from "../verify/index.js";

/** Two histories, both signed: the file proves it. */
export class Fork extends Error {
  constructor(
    message: string,
    readonly evidence: Uint8Array | null,
  ) {
    super(message);
  }
}

export interface LogAnswer {
  readonly origin: string;
  readonly verifier_keys: readonly string[];
  readonly size: number;
  readonly time: string;
  readonly version: string;
  readonly witnesses: readonly {
    readonly name: string;
    readonly size: number;
    readonly cosigned_at: string | null;
    readonly trouble: string | null;
    readonly fork_alarms: number;
  }[];
}

export interface Shown {
  readonly checkpoint: Checkpoint;
  readonly note: Uint8Array;
}

export interface SeenEntry {
  readonly entry: TraceEntry;
  readonly hashes: readonly Hash[];
  readonly leafHash: Hash;
  readonly size: number;
  readonly witnessed: boolean;
}

export interface Hit {
  readonly index: number;
  readonly record: { readonly [name: string]: unknown } | null;
  readonly received_at: string;
}

const KEPT = "writ-log ";

export class SeenLog {
  private constructor(
    readonly about: LogAnswer,
    /** The verifier key that is pinned, or the policy that the reader gave. */
    readonly pinned: string,
    readonly policy: Policy,
    readonly isFirstSight: boolean,
  ) {}

  static async open(): Promise<SeenLog> {
    const about = (await json("/v1/log")) as LogAnswer;
    const kept = localStorage.getItem(KEPT + about.origin);
    const told = about.verifier_keys[0] ?? "";
    const pinned = kept ?? told;
    if (kept === null) localStorage.setItem(KEPT + about.origin, told);
    return new SeenLog(about, pinned, policyFrom(pinned), kept === null);
  }

  /** Trusts this from now on: a verifier key, or a policy. */
  pin(text: string): void {
    policyFrom(text);
    localStorage.setItem(KEPT + this.about.origin, text);
  }

  /** The newest checkpoint, which extends the last that was seen here. */
  async checkpoint(): Promise<Shown> {
    const note = await bytes("/checkpoint");
    const log = this.policy.logs[0];
    if (log === undefined) throw new ProofError("no log is pinned");
    const { checkpoint } = openCheckpoint(note, log.key);
    await this.demandOneHistory({ checkpoint, note });
    return { checkpoint, note };
  }

  private async demandOneHistory(now: Shown): Promise<void> {
    const name = `${KEPT}${this.about.origin} checkpoint`;
    const kept = localStorage.getItem(name);
    const log = this.policy.logs[0];
    if (kept !== null && log !== undefined) {
      const before = openCheckpoint(utf8(kept), log.key).checkpoint;
      const [older, newer] =
        before.size <= now.checkpoint.size ? [before, now.checkpoint] : [now.checkpoint, before];
      const same = older.size === newer.size && fromUtf8(older.root) === fromUtf8(newer.root);
      try {
        if (older.size > 0 && !same) await this.demandExtends(older, newer);
      } catch (error) {
        if (!(error instanceof ProofError)) throw error;
        const evidence =
          older.size === newer.size ? formatEvidence(forkEvidence(utf8(kept), now.note)) : null;
        throw new Fork(
          `This log showed you a tree of ${before.size} entries, and shows one of ${now.checkpoint.size} now that is not of the same history: ${error.message}`,
          evidence === null ? null : typeof evidence === "string" ? utf8(evidence) : evidence,
        );
      }
      if (before.size > now.checkpoint.size) return;
    }
    localStorage.setItem(name, fromUtf8(now.note) ?? "");
  }

  private async demandExtends(older: Checkpoint, newer: Checkpoint): Promise<void> {
    const answer = (await json(`/v1/consistency?from=${older.size}&to=${newer.size}`)) as {
      readonly hashes: readonly string[];
    };
    const hashes = answer.hashes.map((text) => asHash(parseBase64(text) ?? new Uint8Array(0)));
    verifyConsistency(older.size, newer.size, hashes, older.root, newer.root);
  }

  /** An entry, by its index, and the proof that it is there. ProofError. */
  async entry(index: number): Promise<SeenEntry> {
    const answer = (await json(`/v1/entries/${index}`)) as {
      readonly index: number;
      readonly statement: string;
      readonly received_at: string;
    };
    const stored = parseBase64(answer.statement) ?? new Uint8Array(0);
    const proof = await bytes(`/v1/entries/${index}/proof`);
    const verified = verifyEntry(stored, proof, this.policy);
    if (verified.index !== index)
      throw new ProofError(`asked for entry ${index}, got the proof of ${verified.index}`);
    const { hashes } = parseTlogProof(proof);
    const { size, witnessed } = verified.checkpoint;
    const entry = readTraceEntry(index, stored, Date.parse(answer.received_at));
    return { entry, hashes, leafHash: verified.leafHash, size, witnessed };
  }

  async bundle(id: string, asOf?: number): Promise<{ readonly bundle: Bundle; readonly file: Uint8Array }> {
    const file = await bytes(
      `/v1/traces/${encodeURIComponent(id)}${asOf === undefined ? "" : `?as_of=${asOf}`}`,
    );
    return { bundle: parseBundleFile(file), file };
  }

  /** What the log says is there: each of it is verified when it is looked at. */
  async search(
    query: URLSearchParams,
  ): Promise<{ readonly entries: readonly Hit[]; readonly next: string | null }> {
    return (await json(`/v1/search?${query.toString()}`)) as {
      readonly entries: readonly Hit[];
      readonly next: string | null;
    };
  }

  /** Who relied on something, as the log says, nearest first. */
  async impact(ref: string): Promise<readonly Hit[]> {
    const lines = (await (await get(`/v1/impact/${encodeURIComponent(ref)}`)).text()).split("\n");
    return lines.flatMap((line) => {
      if (line === "") return [];
      const { index, type, issuer } = JSON.parse(line) as {
        readonly index?: number;
        readonly type?: string;
        readonly issuer?: string;
      };
      return index === undefined ? [] : [{ index, record: { type, issuer }, received_at: "" }];
    });
  }

  /** The indexes that a reference names. */
  async find(ref: string): Promise<number | null> {
    const response = await fetch(`v1/entries/${encodeURIComponent(ref)}`);
    if (!response.ok) return null;
    return ((await response.json()) as { readonly index: number }).index;
  }

  async status(index: number): Promise<string> {
    const { state, decided_by: by = [] } = (await json(`/v1/entries/${index}/status`)) as {
      readonly state: string;
      readonly decided_by?: readonly number[];
    };
    return by.length === 0 ? state : `${state}, by ${by.map((one) => `#${one}`).join(", ")}`;
  }
}

/** A verifier key, or a policy. WritError. */
export function policyFrom(text: string): Policy {
  return /^\s*(?:(?:log|witness|group|quorum)\s|#)/m.test(text)
    ? parsePolicy(utf8(`${text.trim()}\n`))
    : policyOfKey(parseVerifierKey(text.trim()));
}

async function get(path: string): Promise<Response> {
  // Beside the page, whatever path it stands under.
  const response = await fetch(path.replace(/^\//, ""));
  if (!response.ok)
    throw new Error(
      `the log answers ${response.status} to ${path}: ${(await response.text()).slice(0, 300)}`,
    );
  return response;
}

async function json(path: string): Promise<unknown> {
  return (await get(path)).json();
}

async function bytes(path: string): Promise<Uint8Array> {
  return new Uint8Array(await (await get(path)).arrayBuffer());
}
