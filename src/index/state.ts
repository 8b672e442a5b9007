/**
 * The state of a record: how often it was used, and which entry revoked or suspended it. A new state is a new row; the
 * old ones stay, so that the state as of any earlier size is the last row before it.
 */
import { concat, readUint64, uint64 } from "../format/bytes.js";
import type { RevocationAction } from "../record/revocation.js";

export interface RecordState {
  /** Uses of this grant and of all grants below it. */
  readonly uses: number;
  /** Indexes of the entries that decided; null where nothing did. */
  readonly lastUse: number | null;
  readonly revokedBy: number | null;
  readonly suspendedBy: number | null;
  /** The revocation that takes all grants below this one with it. */
  readonly cascadeBy: number | null;
}

export const UNTOUCHED: RecordState = {
  uses: 0,
  lastUse: null,
  revokedBy: null,
  suspendedBy: null,
  cascadeBy: null,
};

/** uses (8) ‖ for each of the four, the index plus one (8), or 0 */
export function encodeState({ uses, lastUse, revokedBy, suspendedBy, cascadeBy }: RecordState): Uint8Array {
  return concat(
    uint64(uses),
    ...[lastUse, revokedBy, suspendedBy, cascadeBy].map((index) => uint64(index === null ? 0 : index + 1)),
  );
}

export function decodeState(row: Uint8Array): RecordState {
  const at = (offset: number): number | null => {
    const n = readUint64(row, offset);
    return n === 0 ? null : n - 1;
  };
  return {
    uses: readUint64(row, 0),
    lastUse: at(8),
    revokedBy: at(16),
    suspendedBy: at(24),
    cascadeBy: at(32),
  };
}

export function used(state: RecordState, index: number): RecordState {
  return { ...state, uses: state.uses + 1, lastUse: index };
}

/** A use is given back: what it was for failed. */
export function givenBack(state: RecordState): RecordState {
  return { ...state, uses: Math.max(0, state.uses - 1) };
}

/** `revoke` is final; `suspend` and `resume` are not. */
export function acted(
  state: RecordState,
  action: RevocationAction,
  index: number,
  cascade = false,
): RecordState {
  if (action === "revoke") {
    const cascadeBy = state.cascadeBy ?? (cascade ? index : null);
    return { ...state, revokedBy: state.revokedBy ?? index, cascadeBy };
  }
  if (action === "suspend") return { ...state, suspendedBy: state.suspendedBy ?? index };
  return { ...state, suspendedBy: null };
}

/** The state of a grant that comes when one above it is revoked with all below it: it was never good. */
export function bornRevoked(by: number): RecordState {
  return { ...UNTOUCHED, revokedBy: by, cascadeBy: by };
}
