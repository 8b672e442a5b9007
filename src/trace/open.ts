/**
 * Opening a bundle: everything in it that can be recomputed is. What cannot stand at all (an entry that does not belong,
 * links that are not those of the records) is refused; what is wrong with an entry becomes a finding.
 */
import { leafHash, verifyInclusion } from "../../merkle/index.js";
import { ProofError, WritError } from "../errors.js";
import { toHex, utf8 } from "../format/bytes.js";
import type { Policy } from "../format/policy.js";
import { type SeenCheckpoint, seeCheckpoint } from "../format/trusted.js";
import { ED25519, type VerifierKey } from "../format/vkey.js";
import { keyEventOf } from "../index/key-events.js";
import { KeyTable } from "../index/keys.js";
import { openLogPolicy } from "../record/log-policy.js";
import { idOf } from "../record/record.js";
import { TYPES } from "../record/types.js";
import { publicKey } from "../statement/key.js";
import { sha256 } from "#crypto";
import type { Bundle } from "./bundle.js";
import { type ClosureResult, closureOf, walkSync } from "./closure.js";
import { isRecordEntry, readTraceEntry, signersOf, type TraceEntry } from "./entry.js";
import { Graph } from "./graph.js";
import { MemorySource } from "./source.js";
import { fails, type Problem } from "./verdict.js";

export interface OpenedBundle {
  readonly bundle: Bundle;
  /** Null when it could not be trusted: why is among the problems. */
  readonly checkpoint: SeenCheckpoint | null;
  readonly graph: Graph;
  readonly keys: KeyTable;
  /** The entry that was asked for: the first that carries it. */
  readonly subject: TraceEntry;
  readonly bounded: boolean;
  /** Of the checkpoint and of each entry's inclusion. */
  readonly problems: readonly Problem[];
}

/** ProofError for a bundle that is not what it says it is. */
export function openBundle(bundle: Bundle, policy: Policy): OpenedBundle {
  const entries = entriesIn(bundle);
  const source = new MemorySource();
  for (const entry of entries) source.add(entry);
  const subjects = subjectsIn(bundle, entries);
  const closure = walkSync(closureOf(subjects), (round) => source.answer(round));
  demandClosure(bundle, closure);
  const problems: Problem[] = [];
  const checkpoint = checkpointOf(bundle, policy, problems);
  const logKeys = checkpoint?.logKeys ?? policy.logs.map(({ key }) => key);
  const keys = keysOf(entries, logKeys, bundle.log);
  const graph = new Graph(closure.nodes, (entry) => speakersOf(entry, keys, bundle.asOf));
  demandLinks(bundle, graph);
  if (checkpoint !== null) problems.push(...inclusionProblems(bundle, checkpoint));
  const { nodes, depth } = bundle.bounded;
  return {
    bundle,
    checkpoint,
    graph,
    keys,
    subject: source.entry(subjects[0] ?? -1) ?? refuse("the record asked for is not in it"),
    bounded: nodes || depth || closure.bounded.nodes || closure.bounded.depth,
    problems,
  };
}

/** The entries of a bundle as the trace reads them: as bytes, if entry 0 says that the log takes any. */
export function entriesIn(bundle: Bundle): TraceEntry[] {
  const [first] = bundle.entries;
  const policy = first?.index === 0 ? readTraceEntry(0, first.stored, null).record : null;
  const raw = policy?.type === "log-policy" && policy.value["admission"] === "raw";
  return bundle.entries.map(({ index, stored, receivedAt }) =>
    readTraceEntry(index, stored, receivedAt, raw),
  );
}

/** The entries that the subject names: its record id, or the entry hash of foreign content. */
export function subjectsIn({ subject }: Pick<Bundle, "subject">, entries: readonly TraceEntry[]): number[] {
  const byId = entries.filter(({ id }) => id === subject);
  const found =
    byId.length > 0 ? byId : entries.filter(({ stored }) => `sha256:${toHex(sha256(stored))}` === subject);
  if (found.length === 0) refuse(`the record asked for, ${subject}, is not in it`);
  return found.map(({ index }) => index);
}

/** The signers that are believed for what an entry says; all of them when none is, which the signature check tells. */
function speakersOf(entry: TraceEntry, keys: KeyTable, asOf: number): readonly string[] {
  const signers = signersOf(entry);
  const rules = entry.record === null ? undefined : TYPES.get(entry.record.type);
  if (entry.record === null || rules === undefined) return signers;
  const { issuer } = entry.record;
  const { index } = entry;
  const believed = signers.filter((signer) => keys.believed(signer, issuer, rules.roles, { index, asOf }));
  return believed.length > 0 ? believed : signers;
}

/** "Exactly this and nothing else": the walk over the bundle's own entries reaches every one of them. */
function demandClosure({ entries }: Bundle, { nodes }: ClosureResult): void {
  const reached = new Set(nodes.map(({ entry }) => entry.index));
  const stray = entries.find(({ index }) => !reached.has(index));
  if (stray !== undefined) refuse(`entry ${stray.index} is no part of this trace`);
  if (!reached.has(0)) refuse("entry 0, the log's policy, is missing");
}

/** Links and missing links are for readers; they must be those of the records. */
function demandLinks({ links, notFound }: Bundle, graph: Graph): void {
  const text = (value: readonly object[]): string =>
    value
      .map((one) => JSON.stringify(Object.entries(one)))
      .toSorted()
      .join("\n");
  if (text(links) !== text(graph.links())) refuse("its links are not those of its records");
  if (text(notFound) !== text(graph.missing()))
    refuse("what it says was not found is not what its records miss");
}

function checkpointOf(bundle: Bundle, policy: Policy, problems: Problem[]): SeenCheckpoint | null {
  const invalid = (why: string): null => {
    problems.push(fails("CHECKPOINT_INVALID", [], why));
    return null;
  };
  let checkpoint: SeenCheckpoint;
  try {
    checkpoint = seeCheckpoint(utf8(bundle.checkpoint), policy);
  } catch (error) {
    if (error instanceof ProofError || error instanceof WritError) return invalid(error.message);
    throw error;
  }
  if (checkpoint.origin !== bundle.log)
    return invalid(`the checkpoint is of ${checkpoint.origin}, the bundle says ${bundle.log}`);
  if (bundle.asOf > checkpoint.size)
    return invalid(`the bundle is as of ${bundle.asOf}, its checkpoint only of ${checkpoint.size} entries`);
  return checkpoint;
}

function inclusionProblems({ entries }: Bundle, { size, root }: SeenCheckpoint): Problem[] {
  return entries.flatMap((entry): Problem[] => {
    try {
      verifyInclusion(entry.index, size, leafHash(entry.stored), entry.hashes, root);
      return [];
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      return [
        fails(
          "NOT_INCLUDED",
          [entry],
          `entry ${entry.index} is not in the tree of the checkpoint: ${error.message}`,
        ),
      ];
    }
  });
}

/** Who is believed, as far as the bundle's own records say. ProofError unless entry 0 is the policy of that log. */
function keysOf(entries: readonly TraceEntry[], logKeys: readonly VerifierKey[], origin: string): KeyTable {
  const [first] = entries;
  const key = logKeys.find(({ name, type }) => name === origin && type === ED25519);
  if (first === undefined || key === undefined)
    return refuse(`${origin} is not a log whose Ed25519 key you trust`);
  const policy = openLogPolicy(first.stored, key);
  const keys = new KeyTable({
    registrars: policy.registrars,
    logKey: publicKey("Ed25519", key.publicKey) ?? null,
    policyId: idOf(policy.record),
  });
  for (const entry of entries) {
    if (!isRecordEntry(entry) || entry.index === 0) continue;
    const event = keyEvent(entry, keys);
    if (event !== undefined) keys.apply(entry.index, event);
  }
  return keys;
}

function keyEvent(entry: TraceEntry, keys: KeyTable) {
  try {
    return isRecordEntry(entry) ? keyEventOf(entry.record, signersOf(entry), keys) : undefined;
  } catch (error) {
    // A key record that no log would have admitted registers nothing; its signature or inclusion fails.
    if (error instanceof WritError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function refuse(why: string): never {
  throw new ProofError(`the bundle is not sound: ${why}`);
}
