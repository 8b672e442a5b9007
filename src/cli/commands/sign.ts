import { fromUtf8, utf8 } from "../../format/bytes.js";
import {
  checkRecord,
  parseRecord,
  recordIdOf,
  RECORD_MEDIA_TYPE,
  stringMember,
} from "../../record/record.js";
import { TYPES } from "../../record/types.js";
import { canonicalJson } from "../../statement/jcs.js";
import { isJsonObject, type JsonObject, parseJson } from "../../statement/json.js";
import { signCose, signDsse } from "../../statement/sign.js";
import { WritError } from "../../errors.js";
import { type Command, FLAG, type Invocation, onlyWord, required, STRING, type Voice } from "../command.js";
import { readBytes, writeWhole } from "../files.js";
import { type NamedSigner, readSigner } from "../key-files.js";
import { setMembers } from "../set-members.js";
import { isForeign, type Signed, signForeign } from "../sign-foreign.js";

export const sign: Command = {
  usage:
    "writ sign (RECORD.json | --type TYPE [--set NAME=TEXT | NAME:=JSON]… | FILE --content-type TYPE [--subject TEXT] [--issuer ID] [--hash [--location URL]]) --key FILE [--cose] [-o STATEMENT]",
  about:
    "Signs a record (a file, or - for standard input) as a DSSE envelope, or as COSE. With --type the record is made of --set members, in a file's or nobody's place: target.vendor=acme sets a member of a member, := takes JSON, and a time may be now, +600s or -600s. The record is written in RFC 8785 form; v, issuer, issued_at and the member that must equal the issuer are filled in where they are missing. Its rules are checked before it is signed. With --content-type FILE is anything, and is signed as it is: as DSSE (an in-toto statement, say), or with --cose as a SCITT statement about --subject by --issuer (the name of the key, unless given); --hash signs the SHA-256 of FILE in its place (RFC 9995), so that it may be large, and stay where it is.",
  options: {
    key: STRING,
    cose: FLAG,
    type: STRING,
    set: { type: "string", multiple: true, more: (word) => /^[^=]+=/.test(word) },
    "content-type": STRING,
    subject: STRING,
    issuer: STRING,
    hash: FLAG,
    location: STRING,
    output: { type: "string", short: "o" },
  },
  async run(invocation, voice) {
    const signer = await readSigner(required(invocation, "key"));
    const { statement, id } = isForeign(invocation)
      ? await signForeign(invocation, signer)
      : signRecord(await recordBytes(invocation), signer, invocation.flag("cose"), voice);
    const output = invocation.text("output");
    if (output === undefined)
      return {
        ok: true,
        text: statement,
        json: { ...id, statement: Buffer.from(statement).toString("base64") },
      };
    await writeWhole(output, statement);
    return { ok: true, text: Object.values(id).join(), json: { ...id, file: output } };
  },
};

/** The record in the file, with what `--type` and `--set` say put into it. */
async function recordBytes(invocation: Invocation): Promise<Uint8Array> {
  const type = invocation.text("type");
  const settings = invocation.texts("set");
  if (type === undefined && settings.length === 0) return readBytes(onlyWord(invocation, "record"));
  const given =
    invocation.words.length === 0
      ? {}
      : parseJson(await readBytes(onlyWord(invocation, "record")), "RECORD_MALFORMED");
  if (!isJsonObject(given)) throw new WritError("RECORD_MALFORMED", "record: want a JSON object");
  const record = type === undefined ? given : { ...given, type };
  return utf8(canonicalJson(setMembers(record, settings, Date.now())));
}

/** The signed statement of a record given as JSON. RECORD_MALFORMED, RECORD_INVALID. */
export function signRecord(bytes: Uint8Array, signer: NamedSigner, cose: boolean, voice: Voice): Signed {
  const given = parseJson(bytes, "RECORD_MALFORMED");
  if (!isJsonObject(given)) throw new WritError("RECORD_MALFORMED", "record: want a JSON object");
  const payload = utf8(canonicalJson(completed(given, signer.keyName, voice)));
  const record = parseRecord(payload);
  checkRecord(record);
  const id = { record_id: recordIdOf(payload) };
  if (!cose) return { statement: signDsse(RECORD_MEDIA_TYPE, payload, signer), id };
  const subject = record.traceId ?? id.record_id;
  const issuedAt = Math.floor(Date.parse(stringMember(record.value, "issued_at")) / 1000);
  const claims = { issuer: record.issuer, subject, issuedAt };
  return { statement: signCose(RECORD_MEDIA_TYPE, payload, claims, signer), id };
}

function completed(record: JsonObject, keyName: string | null, voice: Voice): JsonObject {
  const defaults = {
    v: 1,
    issued_at: new Date().toISOString(),
    ...(keyName === null ? {} : { issuer: keyName }),
  };
  const { type } = record;
  const signsAs = typeof type === "string" ? TYPES.get(type)?.signsAs : undefined;
  const issuer = record["issuer"] ?? keyName;
  const all = signsAs === undefined || issuer === null ? defaults : { ...defaults, [signsAs]: issuer };
  const missing = Object.entries(all).filter(([name]) => record[name] === undefined);
  for (const [name, value] of missing) voice.say(`filled in ${name}: ${JSON.stringify(value)}`);
  return { ...record, ...Object.fromEntries(missing) };
}

/** Is this JSON a record rather than a statement? A record has a `type`, an envelope has a `payload`. */
export function looksLikeRecord(bytes: Uint8Array): boolean {
  if (fromUtf8(bytes)?.trimStart().startsWith("{") !== true) return false;
  try {
    const value = parseJson(bytes, "RECORD_MALFORMED");
    return isJsonObject(value) && value["payload"] === undefined && value["type"] !== undefined;
  } catch (error) {
    if (error instanceof WritError) return false;
    throw error;
  }
}
