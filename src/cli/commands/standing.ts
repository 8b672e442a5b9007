/** `revoke`, `suspend`, `resume`, `consume`, `status`: where a record stands, and changing that. */
import type { FoundEntry, LogClient, RecordStatus } from "../../client/index.js";
import { ProofError, WritError } from "../../errors.js";
import { buildRecord, RecordRef, type RecordType } from "../../record/build.js";
import { RECORD_MEDIA_TYPE } from "../../record/record.js";
import type { JsonObject } from "../../statement/json.js";
import { signDsse } from "../../statement/sign.js";
import { printable } from "../../trace/draw/text.js";
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
import { type NamedSigner, readSigner } from "../key-files.js";
import { REMOTE_OPTIONS, withClient } from "../remote.js";
import { sizeOf } from "./trace.js";

type Action = "revoke" | "suspend" | "resume";
/** The states that each leaves a record in that it worked on. */
const DONE: Readonly<Record<Action, string>> = {
  revoke: "revoked",
  suspend: "suspended",
  resume: "active",
};

const SIGN_OPTIONS = { ...REMOTE_OPTIONS, sign: STRING, id: STRING };

function acting(action: Action, about: string, more: Command["options"] = {}): Command {
  const extra = action === "revoke" ? " [--cascade] [--effective-index INDEX]" : "";
  return {
    usage: `writ ${action} REF --sign FILE --reason TEXT --log URL [--key VKEY] [--id ID]${extra} [--patience SECONDS]`,
    about,
    options: { ...SIGN_OPTIONS, reason: STRING, ...more },
    async run(invocation, voice) {
      const ref = onlyWord(invocation, "reference");
      const reason = required(invocation, "reason");
      const signer = await readSigner(required(invocation, "sign"));
      const effectiveIndex = sizeOf(invocation, "effective-index");
      return withClient(invocation, voice, async (client) => {
        const target = await recordAt(client, ref);
        const { bytes } = buildRecord("revocation", {
          issuer: issuerOf(invocation, signer),
          issued_at: new Date().toISOString(),
          target: new RecordRef(target.type, target.id),
          action,
          reason,
          ...(invocation.flag("cascade") ? { cascade: true } : {}),
          ...(effectiveIndex === undefined ? {} : { effective_index: effectiveIndex }),
        });
        const entry = await client.submit(signDsse(RECORD_MEDIA_TYPE, bytes, signer));
        // A record id that several entries carry is one record: its first entry answers for all.
        const status = await client.status(target.id);
        return outcomeOf(action, target, entry.index, status);
      });
    },
  };
}

export const revoke = acting(
  "revoke",
  "Takes a record back for good: a grant, policy, action type, fact, approval, by its record id, index or entry hash. FILE is the key of whoever may: the authority that granted, the request's delegator as an owner, the record's own issuer, or a registrar. --cascade takes every grant below with it; --effective-index is for a stolen key: the last index it may be believed for (or use writ keys revoke). Exit 1 when it was logged and had no effect.",
  { cascade: FLAG, "effective-index": STRING },
);

export const suspend = acting(
  "suspend",
  "Takes a record back for now; writ resume gives it back. Who may is as for writ revoke.",
);

export const resume = acting(
  "resume",
  "Gives back what was suspended; what was revoked or used up stays so.",
);

export const consume: Command = {
  usage:
    "writ consume GRANT --sign FILE --log URL [--key VKEY] [--id ID] [--tool-call-hash HASH] [--wait witnessed] [--patience SECONDS]",
  about:
    "Uses a grant, once: the log takes it or refuses it at its very place (exit 1 with the reason and the entry that decided). FILE is the key of the executor that the grant names.",
  options: { ...SIGN_OPTIONS, "tool-call-hash": STRING, wait: STRING },
  async run(invocation, voice) {
    const ref = onlyWord(invocation, "grant");
    const signer = await readSigner(required(invocation, "sign"));
    const hash = invocation.text("tool-call-hash");
    const wait = invocation.text("wait");
    if (wait !== undefined && wait !== "witnessed") throw usageError("--wait: want witnessed");
    return withClient(invocation, voice, async (client) => {
      const grant = await recordAt(client, ref);
      if (grant.type !== "capability-grant")
        throw new WritError("USAGE", `want a grant, ${printable(ref)} is of the type ${grant.type}`);
      const { bytes } = buildRecord("consumption", {
        issuer: issuerOf(invocation, signer),
        issued_at: new Date().toISOString(),
        request_hash: new RecordRef("action-request", text(grant.value, "request_hash")),
        capability_hash: new RecordRef("capability-grant", grant.id),
        nonce: text(grant.value, "nonce"),
        executor_id: issuerOf(invocation, signer),
        consumed_at: new Date().toISOString(),
        ...(hash === undefined ? {} : { tool_call_hash: hash }),
      });
      const statement = signDsse(RECORD_MEDIA_TYPE, bytes, signer);
      const entry = await client.submit(statement, { witnessed: wait !== undefined });
      return {
        ok: true,
        text: `consumed ${grant.id} (entry ${entry.index})`,
        json: { capability_hash: grant.id, index: entry.index, record_id: entry.recordId },
      };
    });
  },
};

export const status: Command = {
  usage: "writ status REF --log URL [--key VKEY] [--as-of SIZE] [--patience SECONDS]",
  about:
    "Says where a record stands: active, suspended, revoked, consumed, expired or unknown, and which entries decided it, each verified to be in the log. --as-of: as it was before that size. Exit 0 for active only.",
  options: { ...REMOTE_OPTIONS, "as-of": STRING },
  async run(invocation, voice) {
    const ref = onlyWord(invocation, "reference");
    const asOf = sizeOf(invocation, "as-of");
    const found = await withClient(invocation, voice, (client) =>
      client.status(ref, asOf === undefined ? {} : { asOf }),
    );
    return { ok: found.state === "active", text: words(found), json: jsonOf(found) };
  },
};

interface LoggedRecord {
  readonly type: RecordType;
  readonly id: string;
  readonly value: JsonObject;
}

/** The record in an entry, verified; of several entries with one record id, the first. */
async function recordAt(client: LogClient, ref: string): Promise<LoggedRecord> {
  const entry = await firstEntry(client, ref);
  if (entry.record === null || entry.recordId === null)
    throw new WritError("USAGE", `entry ${entry.index} carries no record, so it has no state`);
  return { type: entry.record["type"] as RecordType, id: entry.recordId, value: entry.record };
}

async function firstEntry(client: LogClient, ref: string): Promise<FoundEntry> {
  try {
    return await client.entry(ref);
  } catch (error) {
    const [first] = error instanceof WritError ? (error.facts.indexes ?? []) : [];
    if (first === undefined) throw error;
    const entry = await client.entry(first);
    if (entry.recordId === ref) return entry;
    throw new ProofError(`the log answered ${ref} with another record, ${String(entry.recordId)}`, {
      cause: error,
    });
  }
}

function issuerOf(invocation: Invocation, signer: NamedSigner): string {
  const issuer = invocation.text("id") ?? signer.keyName;
  if (issuer !== null && issuer !== undefined) return issuer;
  throw new WritError("USAGE", "--id is missing: the key file has no name to sign as");
}

function outcomeOf(action: Action, target: LoggedRecord, index: number, found: RecordStatus): Outcome {
  const effective = found.decidedBy.some((one) => one.index === index);
  // A record that was revoked before is revoked all the same; one that is used up cannot be suspended.
  const ok = effective || found.state === DONE[action];
  const note = ok ? "" : "; it had no effect, because the signer may not, or the state is final";
  return {
    ok,
    text: `entry ${index}: ${action} ${target.id}\n${words(found)}${note}`,
    json: {
      index,
      action,
      target: target.id,
      effective: effective || (ok && action === "resume"),
      ...jsonOf(found),
    },
  };
}

function words({ state, decidedBy, asOf }: RecordStatus): string {
  const by = decidedBy.map(({ index, record }) => {
    const [type, issuer, reason] = ["type", "issuer", "reason"].map((name) => {
      const member = record?.[name];
      return typeof member === "string" ? member : null;
    });
    return `entry ${index} (${type ?? "foreign"} by ${issuer ?? "nobody"}${reason === null ? "" : `: ${reason}`})`;
  });
  return printable(`${state} as of ${asOf}${by.length === 0 ? "" : `, by ${by.join(", ")}`}`);
}

function jsonOf({ state, decidedBy, index, asOf }: RecordStatus) {
  return { state, decided_by: decidedBy.map((one) => one.index), entry: index, as_of: asOf };
}

function text(value: JsonObject, name: string): string {
  const found = value[name];
  if (typeof found === "string") return found;
  throw new WritError("RECORD_MALFORMED", `the grant has no ${name}`, { path: name });
}
