/** The six questions for each fact that the action rested on, answered from links alone; and how far it can be relied on. */
import { objectMember } from "../record/links.js";
import { type Case, firstAnchor } from "./case.js";
import { confirmations, isIndependent } from "./checks/confirmation.js";
import { citedBy, factsFor } from "./checks/evidence.js";
import { type TrustState, trustOf } from "./checks/trust.js";
import { type RecordEntry, signersOf } from "./entry.js";
import { textMember } from "./graph.js";

export interface Provenance {
  readonly name: string;
  readonly hash: string;
  /** The fact's entry; null when nothing resolves the hash. */
  readonly fact: number | null;
  /** Who wrote it. */
  readonly writer: {
    readonly id: string;
    readonly writerClass: string;
    readonly signers: readonly string[];
  } | null;
  /** Under which authority: the grant that its writing was done by, and who gave it. */
  readonly authority: { readonly grant: number; readonly issuer: string } | null;
  /** Under which policy: entries that define it. */
  readonly policy: { readonly digest: string; readonly entries: readonly number[] } | null;
  /** On what evidence: the hashes that the writing action named. */
  readonly evidence: Readonly<Record<string, string>>;
  /** Was the write backed by a receipt? */
  readonly receipt: number | null;
  /** Facts by others that took its place since. */
  readonly changedBy: readonly number[];
  /** Independent confirmations before its use. */
  readonly confirmedBy: readonly number[];
  readonly trust: TrustState;
}

export function provenanceOf(one: Case): Provenance[] {
  const { index } = firstAnchor(one);
  return citedBy(one).map(({ name, hash }) => {
    const fact = factsFor(hash, index, one.context).at(-1);
    return fact === undefined ? unresolved(name, hash) : answered(name, hash, fact, one);
  });
}

function answered(name: string, hash: string, fact: RecordEntry, one: Case): Provenance {
  const { graph } = one.context;
  const anchor = firstAnchor(one);
  const { value } = fact.record;
  const receipt = graph.record(textMember(value, "via_receipt"));
  const grant = graph.record(textMember(receipt?.record.value ?? {}, "capability_hash"));
  const request = graph.record(textMember(receipt?.record.value ?? {}, "request_hash"));
  const digest = textMember(value, "policy_digest");
  return {
    name,
    hash,
    fact: fact.index,
    writer: {
      id: textMember(value, "writer_id") ?? "",
      writerClass: textMember(value, "writer_class") ?? "",
      signers: signersOf(fact),
    },
    authority: grant === undefined ? null : { grant: grant.index, issuer: grant.record.issuer },
    policy: digest === undefined ? null : { digest, entries: policiesOf(digest, one) },
    evidence: textsOf(objectMember(request?.record.value ?? {}, "evidence_hashes")),
    receipt: receipt?.index ?? null,
    changedBy: graph
      .naming(fact.id, "supersedes", "fact")
      .filter(
        ({ record }) => record.issuer !== fact.record.issuer && record.value["subject"] === value["subject"],
      )
      .map(({ index }) => index),
    confirmedBy: confirmations(fact, anchor, one)
      .filter((other) => isIndependent(other, fact, one))
      .map(({ index }) => index),
    trust: trustOf(fact, anchor, one),
  };
}

function unresolved(name: string, hash: string): Provenance {
  return {
    name,
    hash,
    fact: null,
    writer: null,
    authority: null,
    policy: null,
    evidence: {},
    receipt: null,
    changedBy: [],
    confirmedBy: [],
    trust: "unknown",
  };
}

function policiesOf(digest: string, { context }: Case): number[] {
  return context.graph
    .all("policy")
    .filter(({ record }) => record.value["policy_digest"] === digest)
    .map(({ index }) => index);
}

function textsOf(hashes: { readonly [name: string]: unknown }): Record<string, string> {
  return Object.fromEntries(
    Object.entries(hashes).flatMap(([name, hash]) => (typeof hash === "string" ? [[name, hash]] : [])),
  );
}
