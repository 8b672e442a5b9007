/** Files that the reader has, judged by a key that the reader gives: with or without a log, and nothing leaves the page. */
import { fromUtf8, sameBytes } from "../format/bytes.js";
import type { Policy } from "../format/policy.js";
import { ED25519 } from "../format/vkey.js";
import { ProofError } from "../errors.js";
import { guessForm, parseStatement } from "../statement/parse.js";
import { serviceOfKey } from "../statement/verify-receipt.js";
import { isRecordEntry, readTraceEntry } from "../trace/entry.js";
import { claimsOf } from "../trace/sentence.js";
import {
  judgeReceipt,
  looksLikeEvidence,
  parseBundleFile,
  splitTransparent,
  verifyEntry,
  verifyEvidence,
} from "../verify/index.js";
import { element, list, reasonOf } from "./dom.js";
import { judge } from "./judging.js";
import { policyFrom } from "./seen-log.js";
import { verdictView } from "./verdict-view.js";

const PROOF = "c2sp.org/tlog-proof@";
/** What a file may have: a bundle is 16 MiB at most. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;
const MAX_FILES = 65;

/** `pinned`: what is trusted unless the reader says otherwise. */
export function fileView(pinned: string): HTMLElement[] {
  const key = element("textarea", {
    rows: "3",
    id: "file-key",
    "aria-label": "a verifier key, or a policy",
    spellcheck: "false",
  }) as HTMLTextAreaElement;
  key.value = pinned;
  const input = element("input", {
    type: "file",
    id: "file",
    multiple: "",
    "aria-label": "a trace bundle, evidence, or a statement with its proof or receipts",
  }) as HTMLInputElement;
  const result = element("div", { id: "file-result", role: "status" });
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    if (files.length === 0) return;
    result.replaceChildren("Verifying…");
    readAll(files)
      .then(async (read) => judged(read, policyFrom(key.value)))
      .catch((error: unknown) => element("p", { class: "again bad" }, `✗ ${reasonOf(error)}`))
      .then(
        (shown) => result.replaceChildren(shown),
        () => {},
      );
  });
  return [
    element(
      "p",
      {},
      "A trace bundle; evidence of a fork; or a statement with its proof or its receipts, in it or as further files. It is judged in this page; nothing leaves it.",
    ),
    element("label", {}, "By what you trust ", key),
    element("label", {}, "The file, or the files that belong together ", input),
    result,
  ];
}

async function readAll(files: readonly File[]): Promise<Uint8Array[]> {
  if (files.length > MAX_FILES || files.some(({ size }) => size > MAX_FILE_BYTES))
    throw new Error(`want at most ${MAX_FILES} files of ${MAX_FILE_BYTES} bytes`);
  return Promise.all(files.map(async (file) => new Uint8Array(await file.arrayBuffer())));
}

/** What files prove, by what the reader trusts. */
async function judged(files: readonly Uint8Array[], policy: Policy): Promise<HTMLElement> {
  const proofs = files.filter((file) => fromUtf8(file.subarray(0, PROOF.length)) === PROOF);
  const [first, ...others] = files.filter((file) => !proofs.includes(file));
  if (first === undefined)
    throw new ProofError("a proof says nothing without the statement that it is of: add it");
  const [proof] = proofs;
  if (proof !== undefined) return proven(first, proof, policy);
  if (isStatement(first)) return receipted([first, ...others], policy);
  if (!looksLikeEvidence(first)) {
    const bundle = parseBundleFile(first);
    return verdictView(bundle, await judge(first, policy, Date.now()), true);
  }
  const { log: origin, older, newer } = verifyEvidence(first, policy);
  const said = `✗ Proven: ${origin} has signed two histories, of ${older.size} and of ${newer.size} entries.`;
  return element("p", { class: "again bad" }, said);
}

function isStatement(file: Uint8Array): boolean {
  try {
    parseStatement(file, guessForm(file));
    return true;
  } catch {
    return false;
  }
}

function proven(statement: Uint8Array, proof: Uint8Array, policy: Policy): HTMLElement {
  const { index, checkpoint, entry } = verifyEntry(statement, proof, policy);
  const { origin, size, witnessed } = checkpoint;
  const said = `✓ Proven: it is entry ${index} of ${origin}, in the tree of ${size} that was signed${witnessed ? ", and witnesses cosigned" : "; the operator vouches alone"}.`;
  return element("div", {}, element("p", { class: "again good" }, said), contentOf(entry, index));
}

/** By receipts, in it or beside it: one that holds is enough, and one that is of something else says so. */
function receipted(files: readonly Uint8Array[], policy: Policy): HTMLElement {
  const [statement = new Uint8Array(0), ...beside] = files;
  const inside = guessForm(statement) === "cose" ? splitTransparent(statement).receipts : [];
  const services = policy.logs
    .filter(({ key }) => key.type === ED25519)
    .map(({ key }) => serviceOfKey(key.publicKey));
  const receipts = [...inside, ...beside.filter((one) => !sameBytes(one, statement))];
  const outcomes = receipts.map((receipt) => judgeReceipt(statement, receipt, services));
  const held = outcomes.flatMap((one) => (one.outcome === "verified" ? [one.receipt] : []));
  const [best] = held;
  const lines = outcomes.map((one, i) =>
    one.outcome === "verified"
      ? `receipt ${i + 1}: holds`
      : `receipt ${i + 1}: ${one.outcome === "invalid" ? "✗" : "?"} ${one.reason}`,
  );
  const origin = policy.logs[0]?.key.name ?? "";
  const isGood = best !== undefined && !outcomes.some(({ outcome }) => outcome === "invalid");
  return element(
    "div",
    {},
    isGood
      ? element(
          "p",
          { class: "again good" },
          `✓ Proven: it is in ${origin}, by its own count entry ${best.index} of ${best.size}. A receipt has no witness: the operator vouches alone.`,
        )
      : element(
          "p",
          { class: "again bad" },
          receipts.length === 0
            ? "? A statement, and nothing that proves it is in a log: add its proof or its receipt."
            : "✗ Not proven.",
        ),
    list(lines),
    contentOf(parseStatement(statement, guessForm(statement)).stored, 0),
  );
}

function contentOf(stored: Uint8Array, index: number): HTMLElement {
  const entry = readTraceEntry(index, stored, null);
  return element(
    "div",
    {},
    element("p", {}, isRecordEntry(entry) ? claimsOf(entry.record) : "Foreign content."),
    element("p", { class: "note" }, "Whose key signed it is not judged here: a trace does that."),
    element(
      "pre",
      {},
      isRecordEntry(entry) ? JSON.stringify(entry.record.value, null, 2) : (fromUtf8(stored) ?? "bytes"),
    ),
  );
}
