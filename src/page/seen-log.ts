/**
 * A log as the page sees it: nothing is shown that was not verified here. Its key is pinned at first sight, and kept; the last checkpoint,
 * too, and every later one has to extend it.
 */
import { asHash, type Hash, sameHash, verifyConsistency } from "../../merkle/index.js";
import { parseBase64 } from "../format/base64.js";
import { fromUtf8, utf8 } from "../format/bytes.js";
import type { Checkpoint } from "../format/checkpoint.js";
import { forkEvidence, formatEvidence } from "../format/evidence.js";
import { parsePolicy, type Policy, policyOfKey } from "../format/policy.js";
import { ED25519, parseVerifierKey } from "../format/vkey.js";
import { ProofError } from "../errors.js";
import { LIST_BYTES } from "../index/bits.js";
import { type OpenedList, openedList, readListJwt } from "../status-list/open.js";
import { type Bundle, parseBundleFile } from "../trace/bundle.js";
import { readTraceEntry, type TraceEntry } from "../trace/entry.js";
import { subjectNames } from "../trace/open.js";
import { DSSE_MEDIA_TYPE } from "../statement/statement.js";
import { parseTlogProof, type VerifiedCheckpoint, verifyCheckpoint, verifyEntry } from "../verify/index.js";

/** Two histories, both signed: the file proves it. */
export class Fork extends Error {
  constructor(
    message: string,
    readonly evidence: Uint8Array | null,
  ) {
    super(message);
  }
}

/** The log will not have it: it was not taken in. */
export class Refused extends Error {}

export interface LogAnswer {
  readonly origin: string;
  readonly verifier_keys: readonly string[];
  readonly size: number;
  readonly time: string;
  readonly version: string;
  readonly witnesses_required: string | null;
  readonly cosignatures_renewed_after_s: number | null;
  readonly witnesses: readonly {
    readonly name: string;
    readonly url: string | null;
    readonly size: number;
    readonly cosigned_at: string | null;
    readonly trouble: string | null;
    readonly fork_alarms: number;
    readonly fork_alarm?: {
      readonly first_at: string;
      readonly last_at: string;
      readonly why: string;
    } | null;
  }[];
}

export interface Accepted {
  readonly checkpoint: VerifiedCheckpoint;
  /** The size of the largest that was seen here before. */
  readonly seenBefore: number;
}

const JWT_TYPE = "application/statuslist+jwt";
const STATES: readonly string[] = ["active", "suspended", "revoked", "consumed", "expired", "unknown"];

function evidenceOf(older: Uint8Array, newer: Uint8Array): Uint8Array {
  const evidence: string | Uint8Array = formatEvidence(forkEvidence(older, newer));
  return typeof evidence === "string" ? utf8(evidence) : evidence;
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

/** By the address of the page, which nobody but its reader chooses. */
const KEPT = `writ ${location.origin}${location.pathname}`;

export class SeenLog {
  private constructor(
    readonly about: LogAnswer,
    /** The verifier key that is pinned, or the policy that the reader gave. */
    readonly pinned: string,
    readonly policy: Policy,
    readonly isFirstSight: boolean,
  ) {}

  /** ProofError when it calls itself something else than the key that is pinned. */
  static async open(): Promise<SeenLog> {
    const about = (await json("/v1/log")) as LogAnswer;
    const kept = localStorage.getItem(KEPT);
    const pinned = kept ?? about.verifier_keys[0] ?? "";
    // Before it is kept: what cannot be read would stand in the way for good.
    const policy = policyFrom(pinned);
    const seen = new SeenLog(about, pinned, policy, kept === null);
    if (kept === null) localStorage.setItem(KEPT, pinned);
    return seen;
  }

  /** The name in the key that is pinned: what a log calls itself is its own word. */
  get name(): string {
    return this.policy.logs[0]?.key.name ?? "";
  }

  /** Trusts this from now on: a verifier key, or a policy. */
  pin(text: string): void {
    policyFrom(text);
    localStorage.setItem(KEPT, text);
    localStorage.removeItem(`${KEPT} checkpoint`);
  }

  /** What the log says of itself now; nothing of it is proven. */
  async told(): Promise<LogAnswer> {
    return (await json("/v1/log")) as LogAnswer;
  }

  /** A status list: two bits for each of 131,072 entries, signed by the log's key. ProofError; WritError for what another signed. */
  async statusList(k: number): Promise<OpenedList & { readonly expiresAt: number }> {
    const key = this.policy.logs.find((one) => one.key.type === ED25519)?.key;
    if (key === undefined) throw new Error("what is trusted here has no Ed25519 key of the log");
    const read = readListJwt(await bytes(`/v1/status/lists/${k}`, JWT_TYPE), key);
    if (!read.uri.endsWith(`/v1/status/lists/${k}`))
      throw new ProofError(`asked for list ${k}, got ${read.uri}`);
    return { ...openedList(read, await inflated(read.lst)), expiresAt: read.expiresAt };
  }

  /** Hands in a signed statement: the index that the log says it has. Refused when it will not have it. */
  async submit(statement: Uint8Array): Promise<number> {
    const response = await fetch("v1/entries", {
      method: "POST",
      headers: { "content-type": DSSE_MEDIA_TYPE },
      body: statement as Uint8Array<ArrayBuffer>,
    });
    const text = await response.text();
    if (response.status >= 400 && response.status < 500)
      throw new Refused(`the log refuses it, ${response.status}: ${text.slice(0, 500)}`);
    const { index } = JSON.parse(text) as { readonly index?: number };
    if (response.ok && Number.isSafeInteger(index) && index !== undefined) return index;
    throw new Error(`the log answers ${response.status}: ${text.slice(0, 300)}`);
  }

  /** The newest checkpoint: by the policy's quorum, and of one history with the last that was seen here. */
  async checkpoint(): Promise<Accepted> {
    return this.accept(await bytes("/checkpoint"));
  }

  /** A checkpoint, wherever it came with. ProofError, Fork. */
  private async accept(note: Uint8Array): Promise<Accepted> {
    const checkpoint = verifyCheckpoint(note, this.policy);
    const place = `${KEPT} checkpoint`;
    const kept = localStorage.getItem(place);
    if (kept === null) {
      localStorage.setItem(place, fromUtf8(note) ?? "");
      return { checkpoint, seenBefore: 0 };
    }
    const before = verifyCheckpoint(utf8(kept), this.policy);
    try {
      await this.demandOneHistory(before, checkpoint);
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      throw new Fork(
        `This log showed you a tree of ${before.size} entries, and shows one of ${checkpoint.size} now that is not of the same history: ${error.message}`,
        before.size === checkpoint.size ? evidenceOf(utf8(kept), note) : null,
      );
    }
    if (checkpoint.size > before.size) localStorage.setItem(place, fromUtf8(note) ?? "");
    return { checkpoint, seenBefore: before.size };
  }

  private async demandOneHistory(a: Checkpoint, b: Checkpoint): Promise<void> {
    const [older, newer] = a.size <= b.size ? [a, b] : [b, a];
    if (older.size === 0) return;
    if (older.size === newer.size) {
      if (!sameHash(older.root, newer.root)) throw new ProofError("another root of one size");
      return;
    }
    const answer = (await json(`/v1/consistency?from=${older.size}&to=${newer.size}`)) as {
      readonly hashes: readonly string[];
    };
    const hashes = answer.hashes.map((text) => {
      const hash = parseBase64(text);
      if (hash?.length !== 32) throw new Error("its consistency proof is no list of hashes");
      return asHash(hash);
    });
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
    await this.accept(parseTlogProof(proof).checkpoint);
    if (verified.index !== index)
      throw new ProofError(`asked for entry ${index}, got the proof of ${verified.index}`);
    const { hashes } = parseTlogProof(proof);
    const { size, witnessed } = verified.checkpoint;
    const entry = readTraceEntry(index, stored, Date.parse(answer.received_at));
    return { entry, hashes, leafHash: verified.leafHash, size, witnessed };
  }

  /** The trace of this record, and of no other; as of now unless told. ProofError, Fork. */
  async bundle(id: string, asOf?: number): Promise<{ readonly bundle: Bundle; readonly file: Uint8Array }> {
    const file = await bytes(
      `/v1/traces/${encodeURIComponent(id)}${asOf === undefined ? "" : `?as_of=${asOf}`}`,
    );
    const bundle = parseBundleFile(file);
    const { seenBefore } = await this.accept(utf8(bundle.checkpoint));
    if (!subjectNames(bundle).includes(id))
      throw new ProofError(`asked for the trace of ${id}, got that of ${bundle.subject}`);
    const least = asOf ?? seenBefore;
    if (bundle.asOf < least || (asOf !== undefined && bundle.asOf !== asOf))
      throw new ProofError(`wanted it as of ${least} entries, got it as of ${bundle.asOf}`);
    return { bundle, file };
  }

  /** What the log says is there: each of it is verified when it is looked at. */
  async search(
    query: URLSearchParams,
  ): Promise<{ readonly entries: readonly Hit[]; readonly next: string | null }> {
    const { entries, next } = (await json(`/v1/search?${query.toString()}`)) as {
      readonly entries: readonly Partial<Hit>[];
      readonly next?: unknown;
    };
    // No more than was asked for, and none that is no answer.
    const most = Number(query.get("limit") ?? 100);
    return {
      entries: entries.slice(0, most).flatMap(({ index, record, received_at }) =>
        Number.isSafeInteger(index) && index !== undefined
          ? [
              {
                index,
                record: record ?? null,
                received_at: typeof received_at === "string" ? received_at : "",
              },
            ]
          : [],
      ),
      next: typeof next === "string" ? next : null,
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

  /** Where a record stands now, and the entries that decided it, as the log says. */
  async status(index: number): Promise<{ readonly state: string; readonly by: readonly number[] }> {
    const { state, decided_by: by = [] } = (await json(`/v1/entries/${index}/status`)) as {
      readonly state: string;
      readonly decided_by?: readonly number[];
    };
    if (!STATES.includes(state)) throw new Error("no state that there is");
    return { state, by };
  }
}

/** A verifier key, or a policy. WritError. */
export function policyFrom(text: string): Policy {
  return /^\s*(?:(?:log|witness|group|quorum)\s|#)/m.test(text)
    ? parsePolicy(utf8(`${text.trim()}\n`))
    : policyOfKey(parseVerifierKey(text.trim()));
}

/** zlib, as long as a list is and no longer; null when it is no such thing. */
async function inflated(lst: Uint8Array): Promise<Uint8Array | null> {
  const source = new Blob([lst as Uint8Array<ArrayBuffer>]).stream();
  const out = new Uint8Array(LIST_BYTES);
  let length = 0;
  try {
    const reader = source.pipeThrough(new DecompressionStream("deflate")).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return length === LIST_BYTES ? out : null;
      if (length + value.length > LIST_BYTES) return null;
      out.set(value, length);
      length += value.length;
    }
  } catch {
    return null;
  }
}

async function get(path: string, accept = "*/*"): Promise<Response> {
  // Beside the page, whatever path it stands under.
  const response = await fetch(path.replace(/^\//, ""), { headers: { accept } });
  if (!response.ok)
    throw new Error(
      `the log answers ${response.status} to ${path}: ${(await response.text()).slice(0, 300)}`,
    );
  return response;
}

async function json(path: string): Promise<unknown> {
  return (await get(path)).json();
}

async function bytes(path: string, accept?: string): Promise<Uint8Array> {
  return new Uint8Array(await (await get(path, accept)).arrayBuffer());
}
