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
import { keyEventOf, mayBeKeyEvent } from "../index/key-events.js";
import { KeyTable } from "../index/keys.js";
import { type LogPolicy, openLogPolicy } from "../record/log-policy.js";
import { idOf } from "../record/record.js";
import { TYPES } from "../record/types.js";
import { type PublicKey, publicKey } from "../statement/key.js";
import { sha256 } from "#crypto";
import type { Bundle } from "./bundle.js";
import { closureComplaint, closureSigner, openClosure } from "./closure-statement.js";
import {
  isRecordEntry,
  isVerified,
  readTraceEntry,
  type RecordEntry,
  signersOf,
  type TraceEntry,
} from "./entry.js";
import { Graph } from "./graph.js";
import { Memory } from "./memory.js";
import { MemorySource } from "./source.js";
import { fails, type Problem, unknown } from "./verdict.js";
import { walkSync } from "./walk/rounds.js";
import { type Strangers, walkFrom, type WalkResult } from "./walk/walk.js";

export interface OpenedBundle {
  readonly bundle: Bundle;
  /** Null when it could not be trusted: why is among the problems. */
  readonly checkpoint: SeenCheckpoint | null;
  /** Every record, strangers' among them; times only where the log's statement vouches for them. */
  readonly graph: Graph;
  readonly keys: KeyTable;
  readonly policy: LogPolicy;
  /** The entry that was asked for: the first that carries it. */
  readonly subject: TraceEntry;
  readonly bounded: boolean;
  /** Of the checkpoint, of each entry's inclusion, and of the closure statement: any of these, and the file is not verified. */
  readonly problems: readonly Problem[];
  /** Does the log say that this is all? */
  readonly complete: boolean;
  /** Strangers' records that the log says it saw. */
  readonly strangers: Strangers;
}

/** ProofError for a bundle that is not what it says it is. */
export function openBundle(bundle: Bundle, policy: Policy): OpenedBundle {
  const read = entriesIn(bundle);
  const problems: Problem[] = [];
  const checkpoint = checkpointOf(bundle, policy, problems);
  const logKeys = checkpoint?.logKeys ?? policy.logs.map(({ key }) => key);
  const { keys, logPolicy, logKey } = keysOf(read, logKeys, bundle.log);
  const source = new MemorySource(keys.domains);
  for (const entry of read) source.add(entry);
  const subjects = subjectsIn(bundle, read);
  const options = { domains: keys.domains, walk: bundle.walk, ...closureKeyOf(bundle, logKey) };
  const walked = walkSync(walkFrom(subjects, options), (round) => source.answer(round));
  demandClosure(bundle, walked);
  const memory = new Memory<TraceEntry, readonly string[]>();
  const speakers = (entry: TraceEntry): readonly string[] =>
    memory.of(entry, "", () => speakersOf(entry, keys, bundle.asOf));
  demandLinks(bundle, new Graph(walked.nodes, speakers));
  if (checkpoint !== null) problems.push(...inclusionProblems(bundle, checkpoint));
  const word = checkpoint === null ? null : closureWord(bundle, checkpoint, logKey, keys);
  if (typeof word === "string")
    problems.push(fails("COMPLETENESS", [], `the closure statement is not good: ${word}`));
  const complete = word !== null && typeof word !== "string";
  // A time that nothing vouches for is none.
  const nodes = complete
    ? walked.nodes
    : walked.nodes.map(({ entry, mode }) => ({ entry: { ...entry, receivedAt: null }, mode }));
  const graph = new Graph(nodes, speakers);
  const { bounded } = bundle;
  return {
    bundle,
    checkpoint,
    graph,
    keys,
    policy: logPolicy,
    subject:
      graph.nodes.find(({ entry }) => entry.index === subjects[0])?.entry ??
      refuse("the record asked for is not in it"),
    bounded: bounded.nodes || bounded.depth || walked.bounded.nodes || walked.bounded.depth,
    problems,
    complete,
    strangers: complete ? word : walked.strangers,
  };
}

/** The strangers that a good closure statement names; why it is not good, as a sentence; null where there is none. */
function closureWord(
  bundle: Bundle,
  { root }: SeenCheckpoint,
  logKey: PublicKey,
  keys: KeyTable,
): Strangers | string | null {
  if (bundle.closure === null) return null;
  try {
    const closure = openClosure(bundle.closure, logKey, keys, bundle.asOf);
    if (typeof closure === "string") return closure;
    const entries = bundle.entries.map(({ index, receivedAt }) => ({ index, receivedAt: receivedAt ?? -1 }));
    return closureComplaint(closure, { ...bundle, root, entries }) ?? closure.strangers;
  } catch (error) {
    if (error instanceof WritError) return error.message;
    throw error;
  }
}

function closureKeyOf({ closure }: Bundle, logKey: PublicKey): { closureKey?: string } {
  const signer = closure === null ? undefined : closureSigner(closure);
  return signer === undefined || signer === logKey.keyId ? {} : { closureKey: signer };
}

/** UNKNOWN where nobody says that a file is all there is. */
export function completenessProblems({ complete, bundle, problems }: OpenedBundle): Problem[] {
  if (complete || problems.some(({ code }) => code === "COMPLETENESS")) return [];
  const why =
    bundle.walk === 1
      ? "the file is of an older form, without the log's word that it is all: ask the log again"
      : "the file lacks the log's word that it is all: what bears on it may have been left out";
  return [unknown("COMPLETENESS", [], why)];
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

/** What its subject may be called: the record's id, and index and hash of each entry in the bundle that carries it. ProofError. */
export function subjectNames(bundle: Bundle): string[] {
  const entries = entriesIn(bundle);
  const places = new Set(subjectsIn(bundle, entries));
  const carrying = entries.filter(({ index }) => places.has(index));
  const names = carrying.flatMap(({ index, stored }) => [String(index), `sha256:${toHex(sha256(stored))}`]);
  return [bundle.subject, ...names];
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
function demandClosure({ entries }: Bundle, { nodes }: WalkResult): void {
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
function keysOf(
  entries: readonly TraceEntry[],
  logKeys: readonly VerifierKey[],
  origin: string,
): { readonly keys: KeyTable; readonly logPolicy: LogPolicy; readonly logKey: PublicKey } {
  const [first] = entries;
  const key = logKeys.find(({ name, type }) => name === origin && type === ED25519);
  const logKey = key === undefined ? undefined : publicKey("Ed25519", key.publicKey);
  if (first === undefined || key === undefined || logKey === undefined)
    return refuse(`${origin} is not a log whose Ed25519 key you trust`);
  const logPolicy = openLogPolicy(first.stored, key);
  const keys = new KeyTable({
    registrars: logPolicy.registrars,
    logKey,
    policyId: idOf(logPolicy.record),
    origin,
    rulesVersion: logPolicy.rulesVersion,
  });
  for (const entry of entries) {
    if (!isRecordEntry(entry) || entry.index === 0) continue;
    const event = keyEvent(entry, keys);
    if (event !== undefined) keys.apply(entry.index, event);
  }
  return { keys, logPolicy, logKey };
}

function keyEvent(entry: TraceEntry, keys: KeyTable) {
  try {
    if (!isRecordEntry(entry) || !mayBeKeyEvent(entry.record.type)) return undefined;
    const event = keyEventOf(entry.record, signersOf(entry), keys);
    // What nobody signed makes nobody known.
    return event !== undefined && isSigned(entry, keys) ? event : undefined;
  } catch (error) {
    // A key record that no log would have admitted registers nothing; its signature or inclusion fails.
    if (error instanceof WritError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function isSigned({ statement, index }: RecordEntry, keys: KeyTable): boolean {
  const checked = statement.signatures.flatMap((signature) => {
    const known = keys.known(signature.keyId, index);
    return known === undefined ? [] : [isVerified(statement, signature, known.key)];
  });
  // Who is not known adds a name and nothing else.
  return checked.length > 0 && checked.every(Boolean);
}

function refuse(why: string): never {
  throw new ProofError(`the bundle is not sound: ${why}`);
}
