/**
 * Where records stand, as the log answers it: one record with what decided it, and the two bits of all entries a list at
 * a time, now and as of any size or time in the past.
 */
import { WritError } from "../../errors.js";
import { toBase64 } from "#crypto";
import { toHex } from "../../format/bytes.js";
import { LIST_ENTRIES, VALID } from "../../index/bits.js";
import type { KeyTable } from "../../index/keys.js";
import type { Head, Store } from "../../store/contract.js";
import { readStored } from "../admit/admit.js";
import { ByteLru } from "../tree/byte-lru.js";
import { listAsOf, type StatusBits } from "./bits.js";
import type { Published } from "../tree/publish.js";
import { CopyLists } from "./copy-lists.js";
import { standsOn, type RecordStatus, statusOf } from "./status.js";
import type { Sweeps } from "./sweeps.js";

export interface StatusParts {
  readonly store: Store;
  readonly bits: StatusBits;
  /** Null in a raw log, whose entries have no state. */
  readonly admission: { readonly keys: KeyTable; readonly sweeps: Sweeps } | null;
  readonly now: () => number;
  readonly published: () => Published;
  /** Entries that are durable, published or not. */
  readonly durableSize: () => number;
  /** A checkpoint that covers `size`. */
  readonly checkpointOver: (size: number) => Promise<Published>;
}

/** A record's status as of a size, and a checkpoint that covers it. */
export interface StatusAnswer {
  readonly status: RecordStatus;
  readonly asOf: number;
  readonly published: Published;
  /** The entry that was asked about. */
  readonly subject: Pick<Subject, "entryHash" | "leafHash">;
}

/** What never changes about an entry whose status is asked for. */
interface Subject {
  /** `sha256:` and hex. */
  readonly entryHash: string;
  /** Base64. */
  readonly leafHash: string;
  /** Null for what carries no record. */
  readonly recordHash: Uint8Array | null;
  /** Where the record is first, and for a grant where those above it are; null while one of them is missing. */
  readonly positions: readonly number[] | null;
  /** When the first of these grants expires, in milliseconds since 1970. */
  readonly expiry: number;
}

/** One status list: two bits an entry, 32 KiB. */
export interface StatusList {
  readonly bits: Uint8Array;
  /** The size of the log that it is about. */
  readonly size: number;
  /** When the next entry came, if one has: from then on this is the past. */
  readonly until: number | null;
  /** Revocations before this entry have been followed to everything that they take with them. */
  readonly sweptTo: number;
}

const UNKNOWN: RecordStatus = { state: "unknown", decidedBy: [] };
const ACTIVE: RecordStatus = { state: "active", decidedBy: [] };
/** What a subject takes up in memory, about; and what all that are kept may. */
const SUBJECT_BYTES = 500;
const SUBJECTS_BYTES = 16 * 1024 * 1024;

export class Statuses {
  private readonly subjects = new ByteLru<number, Subject>(SUBJECTS_BYTES);

  private readonly copies: CopyLists;

  constructor(private readonly parts: StatusParts) {
    this.copies = new CopyLists(parts.store);
  }

  /**
   * The state of the record in an entry, as of a size (the newest published unless given) and a checkpoint that covers it.
   * Unknown for what carries no record. SIZE_UNPUBLISHED.
   */
  async of(index: number, asOf?: number): Promise<StatusAnswer> {
    const { store, admission, now } = this.parts;
    const published = asOf === undefined ? this.parts.published() : await this.parts.checkpointOver(asOf);
    const size = asOf ?? published.size;
    const subject = await this.subject(index);
    const { recordHash } = subject;
    // What is past is judged by the clock of then: of the moment at which the next entry came.
    const next = asOf === undefined ? null : await store.headOver(size);
    const time = next === null ? now() : next.receivedAt;
    const status =
      recordHash === null || admission === null
        ? UNKNOWN
        : asOf === undefined && this.isUntouched(subject, published, time)
          ? ACTIVE
          : await statusOf(store, admission.keys, recordHash, size, time);
    return { status, asOf: size, published, subject };
  }

  /**
   * Most records are as good as on the first day, and the bits in memory say so: no need to read what would say the same.
   * What is in memory is what is durable; where less is published, it is read.
   */
  private isUntouched({ positions, expiry }: Subject, published: Published, time: number): boolean {
    const { bits, admission, durableSize } = this.parts;
    if (positions === null || time > expiry || admission?.keys.hasBackdated !== false) return false;
    return published.size === durableSize() && positions.every((position) => bits.get(position) === VALID);
  }

  private async subject(index: number): Promise<Subject> {
    const known = this.subjects.get(index);
    if (known !== undefined) return known;
    const { store, admission } = this.parts;
    const [stored] = await store.entriesAt([index]);
    if (stored === undefined)
      throw new WritError("STORE_CORRUPT", `entry ${index} is missing; run writ fsck`);
    const { entryHash, leafHash, recordHash } = readStored(stored, admission === null);
    const chain = recordHash === null ? null : await standsOn(store, recordHash);
    const subject: Subject = {
      entryHash: `sha256:${toHex(entryHash)}`,
      leafHash: toBase64(leafHash),
      recordHash,
      positions: chain?.positions ?? null,
      expiry: chain?.expiry ?? 0,
    };
    // While a grant above it is missing, this may still change.
    if (subject.positions !== null || recordHash === null) this.subjects.set(index, subject, SUBJECT_BYTES);
    return subject;
  }

  /** How many lists the published entries fill, at least one. */
  get listCount(): number {
    return Math.max(1, Math.ceil(this.parts.published().size / LIST_ENTRIES));
  }

  /**
   * What `list` would answer has changed when `version` has; `urgent` is the same without consumptions, which may wait a
   * moment to be shown.
   */
  versions(k: number): { readonly version: string; readonly urgent: string } {
    const { bits, published, admission } = this.parts;
    const { changes, urgent, last, lastUrgent } = bits.changesIn(k);
    const { size } = published();
    // A list also says how far revocations have been followed.
    const pending = `${admission?.sweeps.pendingFrom}/${bits.sweepPages}`;
    // What is durable shows once it is published.
    return {
      version: `${changes}/${Math.min(size, last + 1)}/${pending}`,
      urgent: `${urgent}/${Math.min(size, lastUrgent + 1)}/${pending}`,
    };
  }

  /** List `k` by everything published; null when no entry is in it. */
  async list(k: number): Promise<StatusList | null> {
    if (k >= this.listCount) return null;
    return this.listAt(k, this.parts.published().size, null);
  }

  /** List `k` as it was at a time; null when no entry was in it yet, and for a time that has not been. */
  async listWhen(k: number, time: number): Promise<StatusList | null> {
    const { published, now } = this.parts;
    if (time > Math.max(now(), published().receivedAt)) return null;
    const found = await this.headWhen(time);
    if (found === null || k * LIST_ENTRIES >= found.head.size) return null;
    return this.listAt(k, found.head.size, found.next?.receivedAt ?? null);
  }

  private async listAt(k: number, size: number, until: number | null): Promise<StatusList> {
    const { store, bits, published, admission } = this.parts;
    const sweptTo = Math.min(size, admission?.sweeps.pendingFrom ?? size);
    // What is in memory is what is durable, which may be more than is published.
    const isNow = (): boolean => size === published().size && size === this.parts.durableSize();
    const copies = isNow() ? await this.copies.below(k, size) : [];
    const list = isNow() ? bits.list(k, copies) : await listAsOf(store, k, size, { copies: this.copies });
    return { bits: list, size, until, sweptTo };
  }

  /** The last published head that was there at a time, and the one after it. */
  private async headWhen(time: number): Promise<{ head: Head; next: Head | null } | null> {
    const { store, published } = this.parts;
    const { size } = published();
    // The first entry that came later, by halving: the clock of the heads never goes back.
    let [low, high] = [0, size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const head = await store.headOver(middle);
      if (head === null || head.receivedAt > time) high = middle;
      else low = head.size;
    }
    if (low === 0) return null;
    const head = await store.headOver(low - 1);
    const next = low < size ? await store.headOver(low) : null;
    return head === null ? null : { head, next };
  }
}
