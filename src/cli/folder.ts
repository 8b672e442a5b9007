/**
 * A log's folder: `keys/` (log.key, log-mldsa.key, registrar.key and their .pub) and `db/`. It is made beside its place and renamed into
 * it, so that there is a whole log or none, whatever interrupts the making.
 */
import { mkdir, mkdtemp, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { isMissing, syncFolder } from "../durable.js";
import { WritError } from "../errors.js";
import { ML_DSA_44, type SigningKey } from "../format/vkey.js";
import { createLog } from "../log/open.js";
import { type Admission, isOrigin, signLogPolicy } from "../record/log-policy.js";
import { type PublicKey, publicKey } from "../statement/key.js";
import { type Signer, secretSigner } from "../statement/sign.js";
import { LevelStore } from "../store/level.js";
import { unreadable } from "./files.js";
import { newSigningKey, readPublicKey, readSigningKey, writeKeyPair } from "./key-files.js";

export const DEFAULT_FOLDER = "writ-data";

export function keyFile(folder: string, name: "log" | "log-mldsa" | "registrar"): string {
  return join(folder, "keys", `${name}.key`);
}

function databaseFolder(folder: string): string {
  return join(folder, "db");
}

/** Makes a log. LOG_EXISTS when anything is in the folder already. */
export async function initFolder(
  folder: string,
  origin: string,
  admission: Admission,
  now: Date,
): Promise<SigningKey> {
  if (!isOrigin(origin)) {
    throw new WritError(
      "USAGE",
      `--origin: want a name such as log.example.org/agents (no space, no +, at most 255 bytes), got ${JSON.stringify(origin)}`,
    );
  }
  const place = resolve(folder);
  if (await holdsAnything(place))
    throw new WritError("LOG_EXISTS", `${folder} is not empty; a log is made in a new or empty folder`);
  const draft = await draftFolder(place);
  try {
    const key = await fillFolder(draft, origin, admission, now);
    await moveInto(draft, place);
    return key;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function draftFolder(place: string): Promise<string> {
  try {
    await mkdir(dirname(place), { recursive: true });
    return await mkdtemp(join(dirname(place), `.${basename(place)}-`));
  } catch (error) {
    throw unreadable(place, error);
  }
}

async function fillFolder(
  folder: string,
  origin: string,
  admission: Admission,
  now: Date,
): Promise<SigningKey> {
  const key = newSigningKey(origin);
  const registrar = newSigningKey(`${origin}/registrar`);
  await mkdir(join(folder, "keys"), { mode: 0o700 });
  await writeKeyPair(keyFile(folder, "log"), key);
  await writeKeyPair(keyFile(folder, "log-mldsa"), newSigningKey(origin, ML_DSA_44));
  await writeKeyPair(keyFile(folder, "registrar"), registrar);
  const policy = { origin, admission, registrars: [signerOf(registrar).publicKey] };
  const statement = signLogPolicy(policy, now.toISOString(), signerOf(key));
  const store = await LevelStore.open(databaseFolder(folder), { create: true });
  try {
    await createLog(store, statement, key, now.getTime());
  } finally {
    await store.close();
  }
  return key;
}

/** Is there a log in the folder? */
export async function holdsLog(folder: string): Promise<boolean> {
  return (await names(folder)).includes("keys");
}

/** The key of a log, whether the log is running or not. */
export async function logKeyOf(folder: string): Promise<SigningKey> {
  return readSigningKey(keyFile(folder, "log"));
}

/** The store and key of a log's folder. LOG_MISSING when there is none. */
export async function openFolder(folder: string): Promise<{ store: LevelStore; key: SigningKey }> {
  if (!(await holdsLog(folder)))
    throw new WritError("LOG_MISSING", `there is no log in ${folder}; writ init makes one`);
  const key = await logKeyOf(folder);
  return { store: await LevelStore.open(databaseFolder(folder)), key };
}

/**
 * The log's second key, whose line is under what goes to the witnesses. Logs made before there was one get it now: it is
 * new, so nobody can have relied on another.
 */
export async function mlDsaKey(folder: string, log: SigningKey): Promise<SigningKey> {
  const file = keyFile(folder, "log-mldsa");
  if (!(await names(join(folder, "keys"))).includes("log-mldsa.key"))
    await writeKeyPair(file, newSigningKey(log.name, ML_DSA_44));
  const key = await readSigningKey(file);
  if (key.name === log.name && key.type === ML_DSA_44) return key;
  throw new WritError("LOG_KEY_MISMATCH", `${file}: want an ML-DSA-44 key named ${log.name}`);
}

/**
 * The keys of logs that stood under this one's URL before it (`keys/past/*.pub`): a log cannot change its key, so whoever has
 * to begins a new one, and the receipts of the old one go on to verify by the key set of the new.
 */
export async function pastKeys(folder: string): Promise<PublicKey[]> {
  const place = join(folder, "keys", "past");
  const files = (await names(place)).filter((name) => name.endsWith(".pub")).toSorted();
  const keys = await Promise.all(files.map((name) => readPublicKey(join(place, name))));
  return keys.map(({ key }) => key);
}

function signerOf(key: SigningKey): Signer {
  const known = publicKey("Ed25519", key.publicKey);
  if (known === undefined) throw new RangeError("a key that was just made is sound");
  return secretSigner(known, key.seed);
}

async function holdsAnything(folder: string): Promise<boolean> {
  return (await names(folder)).length > 0;
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(folder, error);
  }
}

async function moveInto(draft: string, place: string): Promise<void> {
  // An empty folder may stand in the place, such as the mount point of a volume's subfolder.
  await rmdir(place).catch(() => {});
  await syncFolder(join(draft, "keys"));
  await rename(draft, place);
  await syncFolder(dirname(place));
}
