import { toBase64 } from "#crypto";
import { ProofError } from "../../errors.js";
import type { Policy } from "../../format/policy.js";
import { policyOfKey } from "../../format/policy.js";
import { evaluate } from "../../trace/evaluate.js";
import type { SeenCheckpoint } from "../../format/trusted.js";
import {
  looksLikeEvidence,
  type ProvenFork,
  trustPolicy,
  type VerifiedEntry,
  verifyEntry,
  verifyEvidence,
} from "../../verify/index.js";
import { type Command, type Invocation, onlyWord, STRING, usageError } from "../command.js";
import { readBytes } from "../files.js";
import { JUDGE_OPTIONS, judgeOptions, verdictOutcome } from "../judging.js";
import { verifierKeyOf } from "../remote.js";

export const verify: Command = {
  usage:
    "writ verify (STATEMENT --proof FILE | EVIDENCE.json | BUNDLE.json [--at TIME] [--profile NAME] [--allow-exceptions]) (--key VKEY | --policy FILE)",
  about:
    "Checks offline that a statement is in a log, or judges a trace bundle: against the log's verifier key (text or file), or a policy of logs and witnesses. Fetches nothing. A bundle's verdict comes first, then what fails and why, then what is unknown; exit 0 only for AUTHORIZED (and with an exception when --allow-exceptions). EVIDENCE.json, of a monitor or a witness, proves that a log has signed two histories: exit 0 when it does.",
  options: { proof: STRING, key: STRING, policy: STRING, ...JUDGE_OPTIONS },
  async run(invocation) {
    const file = await readBytes(onlyWord(invocation, "statement or bundle"));
    const proofFile = invocation.text("proof");
    const proof = proofFile === undefined ? null : await readBytes(proofFile);
    const policy = await trustOf(invocation);
    try {
      if (proof !== null) return verified(verifyEntry(file, proof, policy));
      if (looksLikeEvidence(file)) return proven(verifyEvidence(file, policy));
      return verdictOutcome(evaluate(file, policy, judgeOptions(invocation)), invocation);
    } catch (error) {
      if (!(error instanceof ProofError)) throw error;
      return {
        ok: false,
        text: `NOT VERIFIED: ${error.message}`,
        json: { verified: false, reason: error.message },
      };
    }
  },
};

async function trustOf(invocation: Invocation): Promise<Policy> {
  const key = invocation.text("key");
  const policy = invocation.text("policy");
  if ((key === undefined) === (policy === undefined))
    throw usageError("want either --key VKEY or --policy FILE");
  return key === undefined
    ? trustPolicy(await readBytes(policy ?? ""))
    : policyOfKey(await verifierKeyOf(key));
}

function proven({ log, older, newer }: ProvenFork): { ok: true; text: string; json: object } {
  const side = ({ size, root }: SeenCheckpoint): object => ({ size, root: toBase64(root) });
  const sizes =
    older.size === newer.size
      ? `two trees of ${older.size} entries with different roots`
      : `a tree of ${newer.size} entries that does not begin with the tree of ${older.size} it signed before`;
  return {
    ok: true,
    text: `MISBEHAVIOUR PROVEN: ${log} has signed two histories: ${sizes}`,
    json: { misbehaviour: "fork", log, older: side(older), newer: side(newer) },
  };
}

function verified({ index, checkpoint }: VerifiedEntry): { ok: true; text: string; json: object } {
  const { origin, size, root, cosigners, witnessed } = checkpoint;
  const names = cosigners.map(({ name }) => name);
  const trust = witnessed
    ? `cosigned by ${names.join(", ")}`
    : "no witness was asked for: the operator is trusted not to show others another history";
  return {
    ok: true,
    text: `VERIFIED: entry ${index} of ${origin}, under the checkpoint of ${size} entries\n${trust}`,
    json: {
      verified: true,
      log: origin,
      index,
      tree_size: size,
      root: toBase64(root),
      cosigned_by: names,
      witnessed,
    },
  };
}
