/** What a round of witnessing is made of: the witnesses as they stand, one checkpoint, and the lines that came back under it. */
import { ProofError } from "../../errors.js";
import { verifySignatures } from "../../format/cosignature.js";
import { formatNote, type Note, parseNote, type SignatureLine, withSignatures } from "../../format/note.js";
import { type Policy, type PolicyWitness, quorumMet, witnessesByUrl } from "../../format/policy.js";
import type { Published } from "../tree/publish.js";
import type { WitnessAlarm, WitnessRecord } from "./witness-memory.js";

/** One URL: a witness, with one key or two. */
export interface Endpoint {
  readonly url: string;
  readonly witnesses: readonly PolicyWitness[];
  /** The newest size that it is known to have cosigned for us. */
  size: number;
  busy: boolean;
  /** Since the last time that all was well. */
  failures: number;
  /** On the monotonic clock, milliseconds. */
  retryAt: number;
  cosignedAt: number | null;
  trouble: string | null;
  alarm: WitnessAlarm | null;
}

export interface Round {
  readonly published: Published;
  /** What goes to the witnesses: the text and the log's own lines, nobody else's. */
  readonly sent: Uint8Array;
  /** The same, with the lines of the witnesses as they come. */
  note: Note;
  /** Names of the policy's witnesses. */
  readonly signed: Set<string>;
  /** Names of the keys whose lines are under it from an earlier round. */
  readonly before: readonly string[];
  readonly asked: Set<Endpoint>;
  /** Requests under way. */
  pending: number;
  /** Does it meet the quorum; or, where none is asked for, has anybody answered? */
  met: boolean;
}

/**
 * A round for a checkpoint; `own`: the log's further lines under it. One more of the same checkpoint renews the lines that it has
 * (`before`), each by the next of the same key.
 */
export function roundOf(
  published: Published,
  own: readonly SignatureLine[],
  before: Published | null = null,
): Round {
  const note = withSignatures(parseNote(published.checkpoint), own);
  const again = before?.size === published.size ? before : null;
  return {
    published,
    sent: formatNote(note),
    note: again === null ? note : withSignatures(parseNote(again.checkpoint), note.signatures),
    before: again?.cosignedBy ?? [],
    signed: new Set(),
    asked: new Set(),
    pending: 0,
    met: false,
  };
}

/** A kept checkpoint with its cosigners, if it meets the quorum of the policy as it is today. */
export function stillWitnessed(kept: Published, policy: Policy): Published | null {
  if (policy.quorum === null) return null;
  const note = parseNote(kept.checkpoint);
  try {
    const keys = verifySignatures(
      note,
      policy.witnesses.map(({ key }) => key),
    ).map(({ key }) => key);
    const signed = new Set(policy.witnesses.filter(({ key }) => keys.includes(key)).map(({ name }) => name));
    return quorumMet(policy, signed) ? { ...kept, cosignedBy: namesOf(policy, signed) } : null;
  } catch (error) {
    if (error instanceof ProofError) return null;
    throw error;
  }
}

/** The names of the keys that signed. A witness with two keys is one witness. */
function namesOf({ witnesses }: Policy, signed: ReadonlySet<string>): string[] {
  return [...new Set(witnesses.filter(({ name }) => signed.has(name)).map(({ key }) => key.name))];
}

/** The witnesses of a policy that have a URL, with what is remembered of them. */
export function endpointsOf(policy: Policy, record: WitnessRecord): Endpoint[] {
  return [...witnessesByUrl(policy)].map(([url, ours]) => {
    const kept = record.witnesses.find((one) => one.url === url);
    return {
      url,
      witnesses: ours,
      size: kept?.size ?? 0,
      busy: false,
      failures: 0,
      retryAt: 0,
      cosignedAt: null,
      trouble: null,
      alarm: kept?.alarm ?? null,
    };
  });
}

/** The round's checkpoint with the lines it has. */
export function publishedOf({ published, note, signed, before }: Round, policy: Policy): Published {
  if (signed.size === 0 && before.length === 0) return published;
  const checkpoint = formatNote(note);
  const text = new TextDecoder().decode(checkpoint);
  const cosignedBy = [...new Set([...namesOf(policy, signed), ...before])];
  return { ...published, checkpoint, text, cosignedBy };
}
