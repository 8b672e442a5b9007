/**
 * What others hold for the same origin: witnesses (c2sp.org/tlog-witness, monitor retrieval) and mirrors. Each is asked
 * once a pass; whatever it answers is bounded, and nothing of it is believed but what the log has signed.
 */
import { type Dispatcher, request } from "undici";
import { WritError } from "../errors.js";
import { collect } from "../format/bytes.js";
import { MAX_NOTE_BYTES } from "../format/note.js";
import { type Policy, witnessesByUrl } from "../format/policy.js";
import { heldCheckpointUrl } from "../format/proof-request.js";

export interface Peer {
  /** What a person knows it by. */
  readonly name: string;
  /** Where its checkpoint is. */
  readonly url: string;
  /** The names of the policy's `witness` lines that it is. */
  readonly witnesses: readonly string[];
  /** Where its tiles are; a witness has none. */
  readonly tiles: string | null;
}

export type PeerAnswer =
  | { readonly kind: "note"; readonly note: Uint8Array }
  /** It holds nothing for this origin. */
  | { readonly kind: "none" }
  | { readonly kind: "failure"; readonly why: string };

const TIMEOUT_MS = 10_000;
const MAX_TILE_BYTES = 8192;

/**
 * The witnesses of a policy that have a URL, one each however many keys it has; then the mirrors. `at`: where a witness shows what it
 * holds, by its name in the policy, if not where it takes checkpoints.
 */
export function peersOf(
  origin: string,
  policy: Policy,
  mirrors: readonly string[],
  at: ReadonlyMap<string, string> = new Map(),
): Peer[] {
  const witnesses = policy.witnesses.map((one) => ({ ...one, url: at.get(one.name) ?? one.url }));
  return [
    ...[...witnessesByUrl({ ...policy, witnesses })].map(([url, lines]) => {
      const names = lines.map(({ name }) => name);
      return {
        name: `witness ${names.join("+")}`,
        url: heldCheckpointUrl(url, origin),
        witnesses: names,
        tiles: null,
      };
    }),
    ...mirrors.map((url) => ({
      name: `mirror ${url}`,
      url: `${trimmed(url)}/checkpoint`,
      witnesses: [],
      tiles: trimmed(url),
    })),
  ];
}

/** Never throws. */
export async function askPeer({ url }: Peer, dispatcher: Dispatcher): Promise<PeerAnswer> {
  try {
    const { status, body } = await get(url, dispatcher, MAX_NOTE_BYTES);
    if (status === 200) return { kind: "note", note: body };
    return status === 404 ? { kind: "none" } : { kind: "failure", why: `status ${status}` };
  } catch (error) {
    return { kind: "failure", why: error instanceof Error ? error.message : String(error) };
  }
}

/** A tile of a mirror. SERVER_UNREACHABLE for whatever goes wrong. */
export async function fetchFromPeer(url: string, dispatcher: Dispatcher): Promise<Uint8Array> {
  let why: string;
  try {
    const { status, body } = await get(url, dispatcher, MAX_TILE_BYTES);
    if (status === 200) return body;
    why = `status ${status}`;
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  throw new WritError("SERVER_UNREACHABLE", `${url}: ${why}`);
}

async function get(
  url: string,
  dispatcher: Dispatcher,
  maxBytes: number,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  const { statusCode, body } = await request(url, { dispatcher, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const bytes = await collect(body, maxBytes);
  if (bytes === null) throw new Error("an endless answer");
  return { status: statusCode, body: bytes };
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, "");
}
