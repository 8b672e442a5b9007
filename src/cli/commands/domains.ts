/** `domains found` and `domains list`: organisations that share a log and do not answer to each other. */
import { registeredKeys } from "../../client/walk.js";
import { utf8 } from "../../format/bytes.js";
import { RECORD_MEDIA_TYPE } from "../../record/record.js";
import { canonicalJson } from "../../statement/jcs.js";
import { toJwk } from "../../statement/key.js";
import { signDsse } from "../../statement/sign.js";
import { type Command, onlyWord, required, STRING, usageError } from "../command.js";
import { readPublicKey, readSigner } from "../key-files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { printable } from "../../trace/draw/text.js";

export const domainsFound: Command = {
  usage:
    "writ domains found NAME --prefix PREFIX… --first FILE.pub --registrar FILE --log URL [--id ID] [--control-domain NAME] [--key VKEY] [--patience SECONDS]",
  about:
    "Founds a trust domain: from now on ids that begin with a PREFIX are NAME's, registered by its own registrars alone, of whom the key in FILE.pub is the first. --registrar is one of the log's own (of entry 0). What its parties say counts in its own actions, and in others' only where an action type trusts NAME. A log of one organisation needs none.",
  options: {
    ...REMOTE_OPTIONS,
    prefix: { type: "string", multiple: true },
    first: STRING,
    registrar: STRING,
    id: STRING,
    "control-domain": STRING,
  },
  async run(invocation, voice) {
    const name = onlyWord(invocation, "name of the domain");
    const prefixes = invocation.texts("prefix");
    if (prefixes.length === 0) throw usageError("--prefix is missing: how do the ids of the domain begin?");
    const { key, keyName } = await readPublicKey(required(invocation, "first"));
    const id = invocation.text("id") ?? keyName;
    if (id === null) throw usageError("--id is missing: as whom does the first registrar sign?");
    if (!prefixes.some((prefix) => id.startsWith(prefix)))
      throw usageError(`--id: want an id that begins with ${prefixes.join(" or ")}, got ${id}`);
    const registrar = await readSigner(required(invocation, "registrar"));
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
        roles: ["registrar"],
        ids: [id],
        control_domain: invocation.text("control-domain") ?? name,
        trust_domain: name,
        id_prefixes: prefixes,
      };
      const entry = await client.submit(signDsse(RECORD_MEDIA_TYPE, utf8(canonicalJson(record)), registrar));
      return {
        ok: true,
        text: `founded ${name} for ids that begin with ${prefixes.join(", ")}; its first registrar is ${id} (entry ${entry.index})`,
        json: {
          domain: name,
          prefixes,
          registrar: id,
          key_id: key.keyId,
          index: entry.index,
          record_id: entry.recordId,
        },
      };
    });
  },
};

export const domainsList: Command = {
  usage: "writ domains list --log URL [--key VKEY] [--patience SECONDS]",
  about:
    "Lists the trust domains of a log, read from its entries, each checked against the log's checkpoint: name, beginnings of ids, first registrar. All other ids are the log's own.",
  options: REMOTE_OPTIONS,
  async run(invocation, voice) {
    if (invocation.words.length > 0) throw usageError("want no words here");
    const keys = await withClient(invocation, voice, (client) =>
      registeredKeys(client, (done, total) => voice.progress("reading entries", done, total)),
    );
    const founded = keys.filter(({ idPrefixes }) => idPrefixes.length > 0);
    const lines = founded.map(({ index, trustDomain, idPrefixes, ids }) =>
      printable([index, trustDomain, idPrefixes.join(","), ids.join(",")].join("  ")),
    );
    return {
      ok: true,
      text: ["entry  domain  prefixes  first registrar", ...lines].join("\n"),
      json: founded.map(({ index, trustDomain, idPrefixes, ids, keyId }) => ({
        domain: trustDomain,
        prefixes: idPrefixes,
        registrar: ids[0],
        key_id: keyId,
        index,
      })),
    };
  },
};
