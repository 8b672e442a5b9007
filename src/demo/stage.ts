/**
 * Playing a story: parties with keys of their own, and steps that each become one signed record. A step may refer to any
 * other, also to one that is logged later or never; records are built when they are first referred to.
 */
import { sha256 } from "#crypto";
import { toHex, utf8 } from "../format/bytes.js";
import { type SigningKey, signingKey } from "../format/vkey.js";
import {
  BuiltRecord,
  buildRecord,
  type CommonMembers,
  type RecordMembers,
  RecordRef,
  type RecordType,
} from "../record/build.js";
import { RECORD_MEDIA_TYPE } from "../record/record.js";
import type { Role } from "../record/types.js";
import type { JsonObject } from "../statement/json.js";
import { publicKey, toJwk } from "../statement/key.js";
import { type Signer, secretSigner, signDsse } from "../statement/sign.js";

export interface Party {
  /** Who it signs as. */
  readonly id: string;
  readonly roles: readonly Role[];
  readonly domain: string;
  readonly approverRoles?: readonly string[];
  /** What its key record says that it is. */
  readonly writerClass?: "human" | "agent" | "external-system" | "sensor";
  /** The trust domain that it founds, as its first registrar, with these beginnings of ids. */
  readonly founds?: { readonly domain: string; readonly prefixes: readonly string[] };
  /** The party that registers it; a registrar of the log unless given. */
  readonly registeredBy?: string;
  /** The party whose key it has, under another id or other roles. */
  readonly keyOf?: string;
}

export interface Step {
  readonly name: string;
  readonly type: RecordType;
  /** The name of the party that signs. */
  readonly by: string;
  readonly members: (stage: Stage) => object;
  /** Seconds after the beginning, when it says it was issued. */
  readonly at: number;
  /** When it is logged, if not then. */
  readonly loggedAt?: number;
  /** Parties that only add their names to the envelope. */
  readonly cosigners?: readonly string[];
  /** Built, so that others can name it, and never submitted. */
  readonly withheld?: boolean;
}

/** A step of one type, its members checked by the compiler. */
export function step<T extends RecordType>(
  type: T,
  name: string,
  by: string,
  at: number,
  members: (stage: Stage) => RecordMembers[T] & Partial<CommonMembers>,
): Step {
  return { type, name, by, at, members };
}

export interface Story {
  readonly name: string;
  readonly title: string;
  readonly parties: Readonly<Record<string, Party>>;
  readonly steps: readonly Step[];
  /** The step whose trace is asked for. */
  readonly subject: string;
}

/** Takes a signed statement into a log, `at` so many seconds after the beginning, and says where it stands. */
export type Submit = (statement: Uint8Array, at: number, step?: Step) => Promise<{ readonly index: number }>;

export interface StageSettings {
  /** Milliseconds since 1970: the beginning of the story. */
  readonly start: number;
  /** Sets this playing of the story apart from others in the same log: names and nonces carry it. */
  readonly tag: string;
  /** 32 bytes of key material for each party. */
  readonly seed: (party: string) => Uint8Array;
  readonly registrar: { readonly id: string; readonly signer: Signer };
  readonly logOrigin: string;
}

export class Stage {
  private readonly built = new Map<string, BuiltRecord>();
  private readonly indexes = new Map<string, number>();
  private readonly signers = new Map<string, Signer>();

  constructor(
    private readonly story: Story,
    private readonly settings: StageSettings,
  ) {}

  /** Registers the parties, then logs every step in order. */
  async play(submit: Submit): Promise<void> {
    for (const name of Object.keys(this.story.parties)) {
      // A party that is registered later has a step for it.
      if (this.story.steps.some((one) => one.name === `key:${name}`)) continue;
      const { bytes } = this.record(`key:${name}`);
      const by = this.party(name).registeredBy;
      const signer = by === undefined ? this.settings.registrar.signer : this.signer(by);
      this.indexes.set(
        `key:${name}`,
        (await submit(signDsse(RECORD_MEDIA_TYPE, bytes, signer), REGISTERED_AT)).index,
      );
    }
    for (const one of this.story.steps) {
      if (one.withheld === true) continue;
      const signers = [one.by, ...(one.cosigners ?? [])].map((party) => this.signer(party));
      const statement = signDsse(RECORD_MEDIA_TYPE, this.record(one.name).bytes, ...signers);
      const { index } = await submit(statement, one.loggedAt ?? one.at, one);
      this.indexes.set(one.name, index);
    }
  }

  /** A party's key, for what it signs outside the log. */
  key(party: string): SigningKey {
    return signingKey(this.party(party).id, this.settings.seed(party));
  }

  /** A reference to a step's record, or with `key:` to a party's registration. */
  ref<T extends RecordType>(type: T, name: string): RecordRef<T> {
    return new RecordRef(type, this.record(name).id);
  }

  id(name: string): string {
    return this.record(name).id;
  }

  /** The `key` record that made a party known. */
  registration(party: string): Uint8Array {
    return this.record(`key:${party}`).bytes;
  }

  /** A step's record with other members, under no name: not logged, and nobody's to refer to. */
  variant<T extends RecordType = RecordType>(name: string, members: object): BuiltRecord<T> {
    const found = this.find(name);
    return buildRecord(found.type, { ...this.membersOf(found), ...members } as never) as BuiltRecord<T>;
  }

  /** Where a step that was logged already stands. */
  index(name: string): number {
    const index = this.indexes.get(name);
    if (index === undefined) throw new RangeError(`${name} is not logged yet`);
    return index;
  }

  /** Seconds after the beginning, as RFC 3339. */
  time(seconds: number): string {
    return new Date(this.settings.start + seconds * 1000).toISOString();
  }

  /** The hash of something outside the log: a document, a tool call. */
  hash(of: string): string {
    return `sha256:${toHex(sha256(utf8(`${this.settings.tag}/${of}`)))}`;
  }

  /** A name of this playing's own. */
  own(name: string): string {
    return this.settings.tag === "" ? name : `${name}.${this.settings.tag}`;
  }

  get origin(): string {
    return this.settings.logOrigin;
  }

  party(name: string): Party {
    const party = this.story.parties[name];
    if (party === undefined) throw new RangeError(`there is no party ${name}`);
    return party;
  }

  signer(party: string): Signer {
    if (party === "registrar") return this.settings.registrar.signer;
    const known = this.signers.get(party);
    if (known !== undefined) return known;
    const { id, keyOf } = this.party(party);
    if (keyOf !== undefined) return this.signer(keyOf);
    const { publicKey: bytes, seed } = signingKey(id, this.settings.seed(party));
    const key = publicKey("Ed25519", bytes);
    if (key === undefined) throw new RangeError("a sound key");
    const signer = secretSigner(key, seed);
    this.signers.set(party, signer);
    return signer;
  }

  /** The bytes of a step's record: for a step that is withheld, to be logged later. */
  bytes(name: string): Uint8Array {
    return this.record(name).bytes;
  }

  /** The members of a step's record. */
  value(name: string): JsonObject {
    return this.record(name).value;
  }

  private record(name: string): BuiltRecord {
    const known = this.built.get(name);
    if (known !== undefined) return known;
    const isStep = this.story.steps.some((one) => one.name === name);
    const made =
      name.startsWith("key:") && !isStep ? this.register(name.slice("key:".length)) : this.build(name);
    this.built.set(name, made);
    return made;
  }

  private build(name: string): BuiltRecord {
    const found = this.find(name);
    return buildRecord(found.type, this.membersOf(found) as never);
  }

  private find(name: string): Step {
    const found = this.story.steps.find((one) => one.name === name);
    if (found === undefined) throw new RangeError(`there is no step ${name}`);
    return found;
  }

  private membersOf({ by, at, members }: Step): object {
    const issuer = by === "registrar" ? this.settings.registrar.id : this.party(by).id;
    return { issuer, issued_at: this.time(at), ...members(this) };
  }

  /** The members of a party's `key` record. */
  registrationOf(name: string): RecordMembers["key"] & Pick<CommonMembers, "issuer" | "issued_at"> {
    const { id, roles, domain, approverRoles = [], writerClass, founds, registeredBy } = this.party(name);
    const key = this.signer(name).publicKey;
    return {
      issuer: registeredBy === undefined ? this.settings.registrar.id : this.party(registeredBy).id,
      issued_at: this.time(REGISTERED_AT),
      key_id: key.keyId,
      public_key: toJwk(key),
      algorithm: "Ed25519",
      roles,
      ids: [id],
      control_domain: domain,
      ...(approverRoles.length > 0 ? { approver_roles: approverRoles } : {}),
      ...(writerClass === undefined ? {} : { writer_class: writerClass }),
      ...(founds === undefined ? {} : { trust_domain: founds.domain, id_prefixes: founds.prefixes }),
    };
  }

  private register(name: string): BuiltRecord {
    return buildRecord("key", this.registrationOf(name));
  }
}

/** Seconds after the beginning when parties are registered. */
const REGISTERED_AT = -90_000;
