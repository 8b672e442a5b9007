/**
 * A witness's folder: `witness.key` and `witness-mldsa.key` (0600) with their `.pub`, `logs` (the list), `state` (the
 * journal), `evidence/` (forks that were seen). Nothing of a log's is in it.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "#crypto";
import { WritError } from "../src/errors.js";
import { fromUtf8, toHex } from "../src/format/bytes.js";
import { forkEvidence, formatEvidence } from "../src/format/evidence.js";
import { formatListedLog, formatLogList, parseLogList } from "../src/format/log-list.js";
import {
  ED25519,
  ED25519_COSIGNATURE,
  formatSigningKey,
  formatVerifierKey,
  ML_DSA_44,
  parseSigningKey,
  type SigningKey,
  signingKey,
  type VerifierKey,
} from "../src/format/vkey.js";

/** Which keys a witness has. Both: old clients take the Ed25519 line, new ones the other. */
export type WitnessAlgorithm = "ed25519" | "ml-dsa-44" | "both";

const KEY_FILES = ["witness.key", "witness-mldsa.key"] as const;
const LIST_FILE = "logs";
const STATE_FILE = "state";
const EVIDENCE_FOLDER = "evidence";
/** A log that forks every second must not fill the disk. */
const MAX_EVIDENCE = 1000;

export const listFile = (folder: string): string => join(folder, LIST_FILE);
export const stateFile = (folder: string): string => join(folder, STATE_FILE);

/** Makes a witness in a new or empty folder. LOG_EXISTS when anything is in it. */
export async function initWitness(
  folder: string,
  name: string,
  algorithm: WitnessAlgorithm,
): Promise<SigningKey[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await readdir(folder)).length > 0)
    throw new WritError("LOG_EXISTS", `${folder} is not empty; a witness is made in a new or empty folder`);
  const keys: SigningKey[] = [];
  if (algorithm !== "ml-dsa-44")
    keys.push(await newKey(join(folder, KEY_FILES[0]), name, ED25519_COSIGNATURE));
  if (algorithm !== "ed25519") keys.push(await newKey(join(folder, KEY_FILES[1]), name, ML_DSA_44));
  await writeSynced(listFile(folder), formatLogList([]), 0o644);
  return keys;
}

/** The keys in a witness's folder. LOG_MISSING when there is none, KEY_MALFORMED. */
export async function readKeys(folder: string): Promise<SigningKey[]> {
  const keys: SigningKey[] = [];
  for (const name of KEY_FILES) {
    const text = await readIfThere(join(folder, name));
    if (text !== null) keys.push(cosigner(join(folder, name), text));
  }
  if (keys.length === 0)
    throw new WritError("LOG_MISSING", `there is no witness in ${folder}; writ witness init makes one`);
  return keys;
}

/** Adds a log to the list, whole or not at all. LOG_EXISTS when it is there already, KEY_MALFORMED for a witness's key. */
export async function addLog(folder: string, key: VerifierKey, qpd: number | null): Promise<void> {
  const file = listFile(folder);
  const bytes = await readFile(file).catch(() => {
    throw new WritError("LOG_MISSING", `there is no witness in ${folder}; writ witness init makes one`);
  });
  const text = fromUtf8(bytes) ?? "";
  if (parseLogList(bytes).some((log) => formatVerifierKey(log.key) === formatVerifierKey(key)))
    throw new WritError("LOG_EXISTS", `${key.name} is on the list already`);
  if (key.type === ED25519_COSIGNATURE)
    throw new WritError("KEY_MALFORMED", `${key.name} is the key of a witness, not of a log (type 1 or 6)`);
  const entry = formatListedLog({ key, origin: key.name, qpd, contact: null });
  await replaceSynced(file, `${text.replace(/\n*$/, "\n")}\n${entry}`);
}

/** Keeps the two notes that prove a fork: a file that `writ verify` reads. */
export async function keepEvidence(
  folder: string,
  held: Uint8Array,
  submitted: Uint8Array,
): Promise<string | null> {
  const place = join(folder, EVIDENCE_FOLDER);
  await mkdir(place, { recursive: true });
  if ((await readdir(place)).length >= MAX_EVIDENCE) return null;
  const bytes = formatEvidence(forkEvidence(held, submitted));
  const file = join(place, `fork-${toHex(sha256(bytes)).slice(0, 16)}.json`);
  await writeFile(file, bytes);
  return file;
}

async function newKey(
  file: string,
  name: string,
  type: typeof ED25519_COSIGNATURE | typeof ML_DSA_44,
): Promise<SigningKey> {
  const key = signingKey(name, new Uint8Array(randomBytes(32)), type);
  // Go's tools keep the secret of a cosigner as an ordinary Ed25519 note key; so do we.
  const secret = type === ML_DSA_44 ? key : signingKey(name, key.seed, ED25519);
  await writeSynced(file, `${formatSigningKey(secret)}\n`, 0o600);
  await writeSynced(`${file}.pub`, `${formatVerifierKey(key)}\n`, 0o644);
  return key;
}

function cosigner(file: string, text: string): SigningKey {
  try {
    const key = parseSigningKey(text.trim());
    return key.type === ED25519 ? signingKey(key.name, key.seed, ED25519_COSIGNATURE) : key;
  } catch (error) {
    if (error instanceof WritError) throw new WritError("KEY_MALFORMED", `${file}: ${error.message}`);
    throw error;
  }
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    const why = error instanceof Error ? error.message : String(error);
    throw new WritError("FILE_UNREADABLE", `${file}: ${why}`, {}, { cause: error });
  }
}

async function writeSynced(file: string, text: string, mode: number, flag = "wx"): Promise<void> {
  const handle = await open(file, flag, mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function replaceSynced(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString("hex")}.new`;
  await writeSynced(draft, text, 0o644);
  await rename(draft, file);
}
