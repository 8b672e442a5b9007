/**
 * A witness's folder: `witness.key` and `witness-mldsa.key` (0600) with their `.pub`, `logs` (the list), `state` (the
 * journal), `evidence/` (forks that were seen). Nothing of a log's is in it.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "#crypto";
import { WritError } from "../src/errors.js";
import { concat, toHex, utf8 } from "../src/format/bytes.js";
import { forkEvidence, formatEvidence } from "../src/format/evidence.js";
import { formatNote, type Note } from "../src/format/note.js";
import { formatListedLog, formatLogList, type ListedLog, parseLogList } from "../src/format/log-list.js";
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
import { readList } from "./logs.js";

/** Which keys a witness has. Both: old clients take the Ed25519 line, new ones the other. */
export type WitnessAlgorithm = "ed25519" | "ml-dsa-44" | "both";

const KEY_FILES = ["witness.key", "witness-mldsa.key"] as const;
const LIST_FILE = "logs";
const STATE_FILE = "state";
const LOCK_FOLDER = "lock";
const EVIDENCE_FOLDER = "evidence";
/** Of each origin: a log that forks every second must not fill the disk, nor take others' place. */
const MAX_EVIDENCE = 100;

export const listFile = (folder: string): string => join(folder, LIST_FILE);
export const stateFile = (folder: string): string => join(folder, STATE_FILE);
export const lockPath = (folder: string): string => join(folder, LOCK_FOLDER);

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
  // Empty and there: a state that is lost later is not taken for one that never was.
  await writeSynced(stateFile(folder), "", 0o600);
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

/** Adds a log to the list. LOG_EXISTS when it is there already, KEY_MALFORMED for a witness's key. */
export async function addLog(
  folder: string,
  key: VerifierKey,
  { qpd, contact }: Pick<ListedLog, "qpd" | "contact">,
): Promise<void> {
  const file = listFile(folder);
  const bytes = await readFile(file).catch(() => {
    throw new WritError("LOG_MISSING", `there is no witness in ${folder}; writ witness init makes one`);
  });
  const listed = await readList(file);
  const there = listed.find((log) => log.origin === key.name);
  if (there !== undefined) {
    const which = formatVerifierKey(there.key) === formatVerifierKey(key) ? "" : ", with another key";
    throw new WritError(
      "LOG_EXISTS",
      `${key.name} is on the list already${which}; to change it, edit ${file}`,
    );
  }
  if (key.type === ED25519_COSIGNATURE)
    throw new WritError("KEY_MALFORMED", `${key.name} is the key of a witness, not of a log (type 1 or 6)`);
  const entry = utf8(`\n${formatListedLog({ key, origin: key.name, qpd, contact })}`);
  // What is written must be read again, by a witness that is running.
  parseLogList(concat(bytes, entry));
  // Appended, not replaced: two who add at once both have their log on the list.
  const handle = await open(file, "a");
  try {
    await handle.appendFile(entry);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Keeps the two notes that prove a fork: a file that `writ verify` reads. */
export async function keepEvidence(
  folder: string,
  origin: string,
  held: Note,
  submitted: Note,
): Promise<string | null> {
  const place = join(folder, EVIDENCE_FOLDER);
  await mkdir(place, { recursive: true });
  const prefix = `fork-${hex16(origin)}-`;
  // Named by what was signed twice, not by when: the same fork is one file.
  const name = `${prefix}${hex16(held.text)}-${hex16(submitted.text)}.json`;
  const there = (await readdir(place)).filter((one) => one.startsWith(prefix));
  if (!there.includes(name) && there.length >= MAX_EVIDENCE) return null;
  const file = join(place, name);
  await writeFile(file, formatEvidence(forkEvidence(formatNote(held), formatNote(submitted))));
  return file;
}

function hex16(text: string): string {
  return toHex(sha256(utf8(text))).slice(0, 16);
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
