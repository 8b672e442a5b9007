import { formatVerifierKey } from "../../format/vkey.js";
import { isKeyName } from "../../format/note.js";
import { utf8 } from "../../format/bytes.js";
import { ROLES } from "../../record/types.js";
import { RECORD_MEDIA_TYPE } from "../../record/record.js";
import { canonicalJson } from "../../statement/jcs.js";
import type { JsonObject } from "../../statement/json.js";
import { toJwk } from "../../statement/key.js";
import { signDsse } from "../../statement/sign.js";
import { registeredKeys } from "../../client/walk.js";
import { WritError } from "../../errors.js";
import { buildRecord, RecordRef } from "../../record/build.js";
import { type Command, FLAG, type Invocation, onlyWord, required, STRING, usageError } from "../command.js";
import { newSigningKey, readPublicKey, readSigner, writeKeyPair } from "../key-files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { printable } from "../../trace/draw/text.js";
import { sizeOf } from "./trace.js";

export const keysNew: Command = {
  usage: "writ keys new FILE --name NAME",
  about: "Makes an Ed25519 key: FILE (secret, 0600) and FILE.pub. NAME is the id that the key will sign for.",
  options: { name: STRING },
  async run(invocation) {
    const file = onlyWord(invocation, "file");
    const name = required(invocation, "name");
    if (!isKeyName(name))
      throw usageError(`--name: want a name without spaces and +, got ${JSON.stringify(name)}`);
    const key = newSigningKey(name);
    await writeKeyPair(file, key);
    const vkey = formatVerifierKey(key);
    return { ok: true, text: vkey, json: { file, public_file: `${file}.pub`, name, verifier_key: vkey } };
  },
};

const roles: ReadonlySet<string> = new Set(ROLES);
const WRITER_CLASSES: readonly string[] = ["human", "agent", "external-system", "sensor"];

export const keysRegister: Command = {
  usage:
    "writ keys register FILE.pub --registrar FILE --id ID… --role ROLE… --log URL [--key VKEY] [--patience SECONDS] [--control-domain NAME] [--writer-class CLASS] [--trust-domain NAME] [--approver-role ROLE…] [--not-after TIME] [--replaces KEYID]",
  about: `Makes a key known to a log: logs a key record signed by a registrar. Roles: ${ROLES.join(", ")}. --id defaults to the name in FILE.pub. --control-domain says under whose operational control the key is, and defaults to the log's own name, which is independent of nobody: for risk tier 3 state one for agent and approvers. --writer-class (${WRITER_CLASSES.join(", ")}) says what the holder is, for keys that write facts. --trust-domain places the holder in a domain that was founded (writ domains), when a registrar of the log registers for it; a log of one organisation needs none.`,
  options: {
    ...REMOTE_OPTIONS,
    registrar: STRING,
    id: { type: "string", multiple: true, more: (word) => !/\.(pub|pem)$/.test(word) },
    role: { type: "string", multiple: true, more: (word) => roles.has(word) },
    "approver-role": { type: "string", multiple: true },
    domain: STRING,
    "control-domain": STRING,
    "trust-domain": STRING,
    "writer-class": STRING,
    "not-after": STRING,
    replaces: STRING,
  },
  async run(invocation, voice) {
    if (invocation.text("domain") !== undefined)
      throw usageError(
        "--domain is called --control-domain now (under whose operational control the key is); --trust-domain is another thing (whose word it is, see writ domains --help)",
      );
    const { key, keyName } = await readPublicKey(onlyWord(invocation, "public key file"));
    const registrar = await readSigner(required(invocation, "registrar"));
    const ids =
      invocation.texts("id").length > 0 ? invocation.texts("id") : keyName === null ? [] : [keyName];
    if (ids.length === 0) throw usageError("--id is missing: which ids may the key sign for?");
    if (invocation.texts("role").length === 0)
      throw usageError(`--role is missing: want one or more of ${ROLES.join(", ")}`);
    const unknown = invocation.texts("role").find((role) => !roles.has(role));
    if (unknown !== undefined)
      throw usageError(`--role: want one or more of ${ROLES.join(", ")}, got ${unknown}`);
    return withClient(invocation, voice, async (client) => {
      const { origin } = await client.checkpoint();
      const record = {
        type: "key",
        v: 1,
        issuer: registrar.keyName ?? origin,
        issued_at: new Date().toISOString(),
        key_id: key.keyId,
        public_key: toJwk(key),
        algorithm: key.algorithm,
        roles: invocation.texts("role"),
        ids,
        control_domain: invocation.text("control-domain") ?? origin,
        ...optional(invocation),
      };
      const entry = await client.submit(signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), registrar));
      return {
        ok: true,
        text: `registered ${key.keyId} for ${ids.join(", ")} as ${invocation.texts("role").join(", ")} (entry ${entry.index})`,
        json: {
          key_id: key.keyId,
          index: entry.index,
          entry_hash: entry.entryHash,
          record_id: entry.recordId,
        },
      };
    });
  },
};

function optional(invocation: Invocation): JsonObject {
  const approverRoles = invocation.texts("approver-role");
  const notAfter = invocation.text("not-after");
  const replaces = invocation.text("replaces");
  const writerClass = invocation.text("writer-class");
  const trustDomain = invocation.text("trust-domain");
  if (writerClass !== undefined && !WRITER_CLASSES.includes(writerClass))
    throw usageError(`--writer-class: want one of ${WRITER_CLASSES.join(", ")}, got ${writerClass}`);
  return {
    ...(writerClass === undefined ? {} : { writer_class: writerClass }),
    ...(trustDomain === undefined ? {} : { trust_domain: trustDomain }),
    ...(replaces === undefined ? {} : { replaces }),
    ...(approverRoles.length > 0 ? { approver_roles: approverRoles } : {}),
    ...(notAfter === undefined ? {} : { not_after: notAfter }),
  };
}

export const keysRevoke: Command = {
  usage:
    "writ keys revoke KEYID --registrar FILE --reason TEXT --log URL [--key VKEY] [--effective-index INDEX] [--suspend | --resume] [--patience SECONDS]",
  about:
    "Takes a key back: from here on, or, for a stolen key, from the entry after INDEX, the last it is believed for. --suspend takes it back for now, --resume gives it back. A registrar of the log's own policy is taken back with the log's key (keys/log.key) as --registrar, all that the policy names at once.",
  options: {
    ...REMOTE_OPTIONS,
    registrar: STRING,
    reason: STRING,
    "effective-index": STRING,
    suspend: FLAG,
    resume: FLAG,
  },
  async run(invocation, voice) {
    const keyId = onlyWord(invocation, "key id");
    const registrar = await readSigner(required(invocation, "registrar"));
    const reason = required(invocation, "reason");
    const effectiveIndex = sizeOf(invocation, "effective-index");
    const [suspend, resume] = [invocation.flag("suspend"), invocation.flag("resume")];
    if (suspend && resume) throw usageError("want --suspend or --resume, not both");
    return withClient(invocation, voice, async (client) => {
      const known = await registeredKeys(client, (done, total) =>
        voice.progress("reading entries", done, total),
      );
      const target = known.findLast((one) => one.keyId === keyId);
      if (target === undefined)
        throw new WritError("KEY_UNKNOWN", `no key ${keyId} is registered in this log`);
      const { bytes } = buildRecord("revocation", {
        issuer: registrar.keyName ?? (await client.checkpoint()).origin,
        issued_at: new Date().toISOString(),
        target: new RecordRef("key", target.recordId),
        action: suspend ? "suspend" : resume ? "resume" : "revoke",
        reason,
        ...(effectiveIndex === undefined ? {} : { effective_index: effectiveIndex }),
      });
      const entry = await client.submit(signDsse(RECORD_MEDIA_TYPE, bytes, registrar));
      const done = suspend ? "suspended" : resume ? "resumed" : "revoked";
      return {
        ok: true,
        text: `${done} ${keyId} (entry ${entry.index})`,
        json: { key_id: keyId, index: entry.index, record_id: entry.recordId },
      };
    });
  },
};

export const keysList: Command = {
  usage: "writ keys list --log URL [--key VKEY] [--patience SECONDS]",
  about: "Lists the keys that a log knows, read from its entries, each checked against the log's checkpoint.",
  options: REMOTE_OPTIONS,
  async run(invocation, voice) {
    if (invocation.words.length > 0) throw usageError("want no words here");
    const keys = await withClient(invocation, voice, (client) =>
      registeredKeys(client, (done, total) => voice.progress("reading entries", done, total)),
    );
    const lines = keys.map(({ keyId, algorithm, ids, roles: may, index }) =>
      printable([index, keyId, algorithm, may.join(","), ids.join(",")].join("  ")),
    );
    return {
      ok: true,
      text: ["entry  key id  algorithm  roles  ids", ...lines].join("\n"),
      json: keys.map(({ keyId, recordId, ...rest }) => ({ key_id: keyId, record_id: recordId, ...rest })),
    };
  },
};
