/** The gate's part about grants: what is known of each, and what it is when it arrives below others. */
import { type GrantFacts, grantRow, poolOf, readGrant, readUse } from "../../index/grants.js";
import { toHex } from "../../format/bytes.js";
import { REVOKED } from "../../index/bits.js";
import type { KeyTable } from "../../index/keys.js";
import { bornRevoked } from "../../index/state.js";
import type { Row } from "../../store/contract.js";
import type { Admitted } from "../admit/admit.js";
import { placed } from "../admit/rows.js";
import type { Effects } from "./effects.js";
import { hashOf, hexOf } from "./entry-names.js";
import { type KnownStates, readEntry } from "./known-states.js";
import { childRow } from "./sweeps.js";
import type { Uses } from "./uses.js";

export class Grants {
  constructor(
    private readonly keys: KeyTable,
    private readonly known: KnownStates,
    private readonly uses: Uses,
    private readonly effects: Effects,
  ) {}

  /** The grants that are used, those above grants that arrive, and grants of which a further entry comes. */
  askedAbout(uses: readonly Admitted[], granted: readonly Admitted[]): Uint8Array[] {
    return [
      ...uses.map(({ facts }) => readUse(facts).grant),
      ...granted.flatMap((grant) => this.read(grant, 0).parent ?? []),
      ...granted.map(hashOf).filter((hash) => this.known.grant(toHex(hash)) !== null),
    ];
  }

  /** The grants of a batch, by the hash of their records. */
  among(granted: readonly Admitted[]): ReadonlyMap<string, GrantFacts> {
    return new Map(granted.map((entry) => [hexOf(entry), this.read(entry, 0)]));
  }

  /** A grant is at its place. `mayBeRevoked`: is anything in its batch about who signed what? */
  apply(entry: Admitted, index: number, mayBeRevoked: boolean): Row[] {
    const hash = hexOf(entry);
    // The first entry that carries the grant is the grant; the same record by another signer changes nothing.
    const known = this.known.grant(hash);
    const row = this.rowOf(entry, index);
    const grant = known ?? readGrant(row);
    if (known !== null) return [];
    const rows = grant.parent === null ? [] : [childRow(grant.parent, index, hashOf(entry))];
    this.known.addGrant(hash, grant);
    if (mayBeRevoked) this.known.addSigned(hash, { ...readEntry(entry.stored), index });
    rows.push({ table: "grant", key: hashOf(entry), value: row });
    rows.push(...this.uses.limit(toHex(poolOf(grant.request, grant.domain)), grant.maxUses, index));
    const by = this.known.cascadeAbove(grant);
    if (by === null) {
      // Nobody looks so far up: it cannot be used, and no list may call it valid.
      if (this.known.isTooDeep(grant)) this.effects.bits(index, REVOKED);
      return rows;
    }
    // Those below it may have come before it.
    this.effects.sweep({ at: index, kind: "grants-below", of: hash, from: 0 });
    return [...rows, ...this.effects.change(hash, index, bornRevoked(by))];
  }

  private rowOf({ facts, issuer }: Admitted, index: number): Uint8Array {
    return placed(grantRow(facts, this.keys.domains.of(issuer ?? "")), index);
  }

  private read(entry: Admitted, index: number): GrantFacts {
    return readGrant(this.rowOf(entry, index));
  }
}
