import { toBase64 } from "#crypto";
import { ProofError, WritError } from "../../errors.js";
import { sameBytes } from "../../format/bytes.js";
import { isJsonObject, parseJson } from "../../statement/json.js";
import type { Policy } from "../../format/policy.js";
import { policyOfKey } from "../../format/policy.js";
import { parseRecord, RECORD_MEDIA_TYPE } from "../../record/record.js";
import type { PublicKey } from "../../statement/key.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import { evaluate } from "../../trace/evaluate.js";
import { claimsOf } from "../../trace/sentence.js";
import type { SeenCheckpoint } from "../../format/trusted.js";
import {
  looksLikeEvidence,
  type PinnedService,
  type ProvenFork,
  splitTransparent,
  trustPolicy,
  type VerifiedEntry,
  verifyEntry,
  verifyEvidence,
  verifySignature,
} from "../../verify/index.js";
import { demandArtifacts } from "../artifact-files.js";
import {
  type Command,
  FLAG,
  type Invocation,
  onlyWord,
  type Outcome,
  required,
  STRING,
  usageError,
} from "../command.js";
import { readBytes } from "../files.js";
import { explained, JUDGE_OPTIONS, JUDGE_USAGE, judgeOptions, verdictOutcome } from "../judging.js";
import { readPublicKey } from "../key-files.js";
import { drawPictures, PICTURE_ABOUT, PICTURE_OPTIONS, PICTURE_USAGE } from "../pictures.js";
import { parseBundleFile } from "../../trace/bundle.js";
import { demandReceipts, type NamedReceipt, outcomeJson, pinnedServices, quoted } from "../receipts.js";
import { verifierKeyOf } from "../remote.js";
import { receiptBeside, receiptFile } from "./receipt.js";

export const verify: Command = {
  usage:
    "writ verify (STATEMENT --proof FILE (--key VKEY | --policy FILE) | STATEMENT [--receipt FILE]… (--keys [URL=]FILE… | --key VKEY) [--all] | EVIDENCE.json | BUNDLE.json " +
    `${PICTURE_USAGE} ${JUDGE_USAGE}` +
    ") [--issuer-key FILE.pub] [--artifact FILE]… | writ verify --explain CODE",
  about:
    "Checks offline that a statement is in a log, or judges a trace bundle: against the log's verifier key (text or file), or a policy of logs and witnesses. Fetches nothing. Of a bundle it says in a sentence what happened, then the verdict with who vouches for it, then what fails and why, then what is unknown; exit 0 only for AUTHORIZED, and for what the --allow- flags name. " +
    PICTURE_ABOUT +
    " --explain says what a code means. EVIDENCE.json, of a monitor or a witness, proves that a log has signed two histories: exit 0 when it does. Without --proof a statement is checked by its receipts, of this log or others: those in it, those named by --receipt, and STATEMENT.receipt beside it. --keys pins the key set of one log (/.well-known/scitt-keys), with URL= for receipts that call it that; one receipt that holds is enough, unless --all wants one of each log; one named by --receipt must hold. --issuer-key checks the statement's own signature; --artifact a file against the digests that the statement names (in-toto subjects, a hash envelope).",
  options: {
    proof: STRING,
    receipt: { type: "string", multiple: true },
    key: STRING,
    keys: { type: "string", multiple: true },
    policy: STRING,
    all: FLAG,
    "issuer-key": STRING,
    artifact: { type: "string", multiple: true },
    ...JUDGE_OPTIONS,
    ...PICTURE_OPTIONS,
    explain: STRING,
  },
  async run(invocation) {
    const code = invocation.text("explain");
    if (code !== undefined) return explained(code);
    const path = onlyWord(invocation, "statement or bundle");
    const file = await readBytes(path);
    const form = formOf(invocation, file);
    demandFitting(invocation, form);
    try {
      return await FORMS[form](invocation, file, path);
    } catch (error) {
      if (error instanceof WritError && error.code === "BUNDLE_MALFORMED")
        return unverified(`${path} is no trace bundle, or was cut: ${error.message}`);
      if (!(error instanceof ProofError)) throw error;
      return unverified(error.message);
    }
  },
};

function unverified(reason: string): Outcome {
  return {
    ok: false,
    text: `NOT_VERIFIED: ${reason}\nThe file is damaged, incomplete, or not of what you trust; that accuses nobody.`,
    json: { verified: false, verdict: "NOT_VERIFIED", reason },
  };
}

/** A statement by its proof file, a statement by receipts, or what is judged as a whole: a bundle, evidence. */
type Form = "proof" | "receipts" | "judged";

const FORMS: Readonly<
  Record<Form, (invocation: Invocation, file: Uint8Array, path: string) => Promise<Outcome>>
> = {
  proof: async (invocation, file) => {
    const proof = await readBytes(required(invocation, "proof"));
    return withChecks(invocation, file, verified(verifyEntry(file, proof, await trustOf(invocation))));
  },
  receipts: async (invocation, file, path) => {
    const services = await pinnedServices(invocation);
    const receipts = await receiptsOf(invocation, path, file);
    return withChecks(invocation, file, byReceipts(file, receipts, services, invocation.flag("all")));
  },
  judged: async (invocation, file) => {
    const policy = await trustOf(invocation);
    if (looksLikeEvidence(file)) return proven(verifyEvidence(file, policy));
    const bundle = parseBundleFile(file);
    const verdict = evaluate(bundle, policy, judgeOptions(invocation));
    const isDrawn = Object.keys(PICTURE_OPTIONS).some((name) => isGiven(invocation, name));
    const tree = await drawPictures(bundle, verdict, policy, invocation);
    return verdictOutcome(verdict, invocation, isDrawn ? tree : undefined);
  },
};

/** What each form takes. A check that was asked for and does not fit must not be passed over in silence. */
const FITTING: Readonly<Record<Form, readonly string[]>> = {
  proof: ["proof", "key", "policy", "issuer-key", "artifact"],
  receipts: ["receipt", "key", "keys", "policy", "all", "issuer-key", "artifact"],
  judged: ["key", "policy", ...Object.keys(JUDGE_OPTIONS), ...Object.keys(PICTURE_OPTIONS)],
};

function formOf(invocation: Invocation, file: Uint8Array): Form {
  if (isGiven(invocation, "proof")) return "proof";
  const isAsked = ["receipt", "keys", "all"].some((name) => isGiven(invocation, name));
  return isAsked || looksLikeStatement(file) ? "receipts" : "judged";
}

function demandFitting(invocation: Invocation, form: Form): void {
  const all = new Set(Object.values(FITTING).flat());
  const odd = [...all].find((name) => isGiven(invocation, name) && !FITTING[form].includes(name));
  if (odd === undefined) return;
  const whats = {
    proof: "a statement with --proof",
    receipts: "a statement by receipts",
    judged: "a bundle",
  };
  throw usageError(`--${odd} says nothing of ${whats[form]}`);
}

function isGiven(invocation: Invocation, name: string): boolean {
  return invocation.flag(name) || invocation.texts(name).length > 0;
}

/** An envelope of either form, whatever else is wrong with it. */
function looksLikeStatement(file: Uint8Array): boolean {
  if (file[0] === COSE_TAG) return true;
  try {
    const value = parseJson(file, "ENVELOPE_MALFORMED");
    return isJsonObject(value) && value["payloadType"] !== undefined;
  } catch (error) {
    if (error instanceof WritError) return false;
    throw error;
  }
}

/** The receipts of a statement, each once: named, in it, and beside it. ProofError when there is none. */
async function receiptsOf(invocation: Invocation, path: string, file: Uint8Array): Promise<NamedReceipt[]> {
  const inside = file[0] === COSE_TAG ? splitTransparent(file).receipts : [];
  const named = invocation
    .texts("receipt")
    .map(async (name) => ({ name, bytes: await readBytes(name), isAsked: true }));
  const beside = path === "-" ? null : await receiptBeside(path);
  const all: readonly NamedReceipt[] = [
    ...(await Promise.all(named)),
    ...inside.map((bytes, i) => ({ name: `receipt ${i + 1} in it`, bytes, isAsked: false })),
    ...(beside === null ? [] : [{ name: receiptFile(path), bytes: beside, isAsked: false }]),
  ];
  if (all.length > 0)
    return all.filter(({ bytes }, i) => all.findIndex((one) => sameBytes(one.bytes, bytes)) === i);
  throw new ProofError(
    `there is no receipt: none in ${path}, none named by --receipt, and no ${receiptFile(path)}; or give --proof FILE`,
  );
}

/** The first byte of a COSE_Sign1 with its tag. */
const COSE_TAG = 0xd2;

function byReceipts(
  file: Uint8Array,
  receipts: readonly NamedReceipt[],
  services: readonly PinnedService[],
  all: boolean,
): Verified {
  const { outcomes, lines } = demandReceipts(file, receipts, services, all);
  const trust =
    "a receipt signs a root, and no witness with it: place and size are its own count, and the operator is trusted not to show others another history";
  return {
    text: [...lines, trust].join("\n"),
    json: { verified: true, receipts: outcomes.map(outcomeJson) },
  };
}

interface Verified {
  readonly text: string;
  readonly json: object;
}

/** What else was asked of a statement whose place in a log is proven: who signed it, and what it is about. */
async function withChecks(invocation: Invocation, file: Uint8Array, found: Verified): Promise<Outcome> {
  const keyFile = invocation.text("issuer-key");
  const issuer = keyFile === undefined ? null : (await readPublicKey(keyFile)).key;
  if (issuer !== null) verifySignature(file, issuer);
  const artifacts = await demandArtifacts(file, invocation.texts("artifact"));
  const lines = [
    ...claimLines(file, issuer),
    ...artifacts.map(
      ({ file: of, name }) => `about ${of}${name === null ? "" : `, which it calls ${quoted(name)}`}`,
    ),
  ];
  return {
    ok: true,
    text: [found.text, ...lines].join("\n"),
    json: {
      ...found.json,
      ...(issuer === null ? {} : { signed_by: issuer.keyId }),
      ...(artifacts.length === 0 ? {} : { artifacts }),
    },
  };
}

/** What it says and who signed it, each with whether that was checked. */
function claimLines(file: Uint8Array, issuer: PublicKey | null): string[] {
  const { signatures, contentType, payload } = parseStatement(file, guessForm(file));
  const keys = signatures.map(({ keyId }) => keyId);
  const signed =
    issuer === null
      ? `signed by key ${keys.join(", ")}, says the statement; the signature was not checked (--issuer-key FILE.pub does)`
      : `signed by key ${issuer.keyId}`;
  if (contentType !== RECORD_MEDIA_TYPE) return [signed];
  return [signed, `it claims to be ${claimsOf(parseRecord(payload))}`];
}

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

function verified({ index, checkpoint }: VerifiedEntry): Verified {
  const { origin, size, root, cosigners, witnessed } = checkpoint;
  const names = cosigners.map(({ name }) => name);
  const trust = witnessed
    ? `cosigned by ${names.join(", ")}`
    : "no witness was asked for: the operator is trusted not to show others another history";
  return {
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
