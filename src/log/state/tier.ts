/** The risk tier that an entry's action type is registered with: what an operator may demand witnesses by. */
import { firstPlace } from "../admit/places.js";
import { readUint64 } from "../../format/bytes.js";
import { termName } from "../../index/terms.js";
import { valueLinksOf } from "../../record/links.js";
import { optionalString, parseRecord, type Record } from "../../record/record.js";
import { guessForm, parseStatement } from "../../statement/parse.js";
import type { Store } from "../../store/contract.js";
import type { Admitted } from "../admit/admit.js";

export const RISK_TIERS = [0, 1, 2, 3] as const;
export type RiskTier = (typeof RISK_TIERS)[number];

/** "An unregistered action type is judged as tier 3." */
const UNREGISTERED: RiskTier = 3;
const MAX_REGISTRATIONS = 64;

/** The highest tier of the action types that a record is about, itself or by its request; null when it is about none. */
export async function tierOf(store: Store, { recordHash, stored }: Admitted): Promise<RiskTier | null> {
  if (recordHash === null) return null;
  const record = recordIn(stored);
  const request = optionalString(record.value, "request_hash") ?? null;
  const asked = request === null ? null : await recordOf(store, request);
  const names = new Set([record, ...(asked === null ? [] : [asked])].flatMap(actionTypes));
  // A record about a request that nobody has seen is about an action all the same.
  if (names.size === 0) return request === null ? null : UNREGISTERED;
  const tiers = await Promise.all([...names].map((name) => registeredTier(store, name)));
  return highest(tiers);
}

function actionTypes(record: Record): string[] {
  return valueLinksOf(record).flatMap(({ kind, value }) => (kind === "action-type" ? [value] : []));
}

/** The highest that anybody's newest registration says: who owns a contested name is for a trace to find out. */
async function registeredTier(store: Store, name: string): Promise<RiskTier> {
  const term = termName({ field: "defines", value: `action-type:${name}` });
  const rows = await store.rows("term", term, { reverse: true, limit: MAX_REGISTRATIONS });
  // So many that some were not read: no tier is to be had by pushing another one out of sight.
  if (rows.length === MAX_REGISTRATIONS) return UNREGISTERED;
  const newest = new Map<string, RiskTier>();
  for (const { key } of rows) {
    const record = await entryRecord(store, readUint64(key, term.length));
    if (record === null || newest.has(record.issuer)) continue;
    newest.set(record.issuer, RISK_TIERS.find((tier) => tier === record.value["risk_tier"]) ?? UNREGISTERED);
  }
  return newest.size === 0 ? UNREGISTERED : highest([...newest.values()]);
}

function highest(tiers: readonly RiskTier[]): RiskTier {
  return tiers.reduce((most, tier) => (tier > most ? tier : most));
}

async function recordOf(store: Store, id: string): Promise<Record | null> {
  const hash = Buffer.from(id.slice("sha256:".length), "hex");
  const first = await firstPlace(store, hash);
  return first === undefined ? null : entryRecord(store, first);
}

async function entryRecord(store: Store, index: number): Promise<Record | null> {
  const [stored] = await store.entries(index, index + 1);
  return stored === undefined ? null : recordIn(stored);
}

function recordIn(stored: Uint8Array): Record {
  return parseRecord(parseStatement(stored, guessForm(stored)).payload);
}
