/**
 * What others hold for the same origin: witnesses (c2sp.org/tlog-witness, monitor retrieval) and mirrors. Each is asked
 * once a pass; whatever it answers is bounded, and nothing of it is believed but what the log has signed.
 */
import { type Dispatcher, request } from "undici";
import { sha256 } from "#crypto";
import { toHex, utf8 } from "../format/bytes.js";
import { MAX_NOTE_BYTES } from "../format/note.js";
import type { Policy } from "../format/policy.js";

export interface Peer {
  /** What a person knows it by. */
  readonly name: string;
  /** Where its checkpoint is. */
  readonly url: string;
  /** The names of the policy's `witness` lines that it is. */
  readonly witnesses: readonly string[];
}

export type PeerAnswer =
  | { readonly kind: "note"; readonly note: Uint8Array }
  /** It holds nothing for this origin. */
  | { readonly kind: "none" }
  | { readonly kind: "failure"; readonly why: string };

const TIMEOUT_MS = 10_000;

/** The witnesses of a policy that have a URL, one each however many keys it has; then the mirrors. */
export function peersOf(origin: string, policy: Policy, mirrors: readonly string[]): Peer[] {
  const byUrl = new Map<string, string[]>();
  for (const { name, url } of policy.witnesses)
    if (url !== null) byUrl.set(url, [...(byUrl.get(url) ?? []), name]);
  const hash = toHex(sha256(utf8(origin)));
  return [
    ...[...byUrl].map(([url, witnesses]) => ({
      name: `witness ${witnesses.join("+")}`,
      url: `${trimmed(url)}/${hash}/checkpoint`,
      witnesses,
    })),
    ...mirrors.map((url) => ({ name: `mirror ${url}`, url: `${trimmed(url)}/checkpoint`, witnesses: [] })),
  ];
}

/** Never throws. */
export async function askPeer({ url }: Peer, dispatcher: Dispatcher): Promise<PeerAnswer> {
  try {
    const { statusCode, body } = await request(url, { dispatcher, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += (chunk as Buffer).length;
      if (length > MAX_NOTE_BYTES) return { kind: "failure", why: "an endless answer" };
      chunks.push(chunk as Buffer);
    }
    if (statusCode === 200) return { kind: "note", note: Buffer.concat(chunks) };
    return statusCode === 404 ? { kind: "none" } : { kind: "failure", why: `status ${statusCode}` };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return { kind: "failure", why: `unreachable ${code}`.trim() };
  }
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, "");
}
