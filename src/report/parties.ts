/** The parties of a bundle: each key that is registered in it, for whom, as what, and by whom. */
import { objects } from "../record/links.js";
import { fromJwk } from "../statement/key.js";
import type { Bundle } from "../trace/bundle.js";
import { isRecordEntry, type RecordEntry, signersOf } from "../trace/entry.js";
import { textMember } from "../trace/graph.js";
import { entriesIn } from "../trace/open.js";
import { moment } from "../trace/draw/card.js";
import { strings } from "../record/links.js";

export interface Party {
  readonly ids: readonly string[];
  readonly roles: readonly string[];
  readonly keyId: string;
  /** By whom, where and when, in words. */
  readonly registered: string;
  /** Its trust domain and control domain, in words. */
  readonly belongs: string;
}

export function partiesOf(bundle: Bundle): Party[] {
  const records = entriesIn(bundle).filter(isRecordEntry);
  const names = new Map<string, string>();
  for (const { record } of records)
    for (const jwk of objects(record.value["registrars"])) {
      const key = fromJwk(jwk);
      if (key !== undefined) names.set(key.keyId, "a registrar that the log's own policy names (#0)");
    }
  return records.flatMap((entry) => {
    if (entry.record.type !== "key") return [];
    const party = partyOf(entry, names);
    names.set(party.keyId, party.ids.join(", "));
    return [party];
  });
}

function partyOf(entry: RecordEntry, names: ReadonlyMap<string, string>): Party {
  const { value, issuer } = entry.record;
  const by = signersOf(entry).map((signer) => names.get(signer) ?? `key ${signer.slice(0, 16)}…`);
  const when = entry.receivedAt === null ? "" : `, logged ${moment(entry.receivedAt)}`;
  const domains = [
    textMember(value, "trust_domain") ?? "the log's own trust domain",
    `control domain ${textMember(value, "control_domain") ?? "not stated"}`,
  ];
  return {
    ids: strings(value["ids"]),
    roles: strings(value["roles"]),
    keyId: textMember(value, "key_id") ?? "",
    registered: `${by.join(", ")}, as ${issuer}, in #${entry.index}${when}`,
    belongs: domains.join(", "),
  };
}
