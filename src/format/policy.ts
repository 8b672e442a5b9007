/**
 * Trust policies (c2sp.org/tlog-policy): which logs, which witnesses, and how many of them are enough.
 *
 *     log log.example.org/agents+2c8b52ba+Af…
 *     witness W1 witness.example+c6a7d2f8+BM… https://witness.example/
 *     witness W2 …
 *     group both all W1 W2
 *     quorum both
 *
 * The specification treats the file as octets; names are kept here as the Latin-1 reading of them, so that two
 * names are the same exactly when their octets are.
 */
import { WritError } from "../errors.js";
import { fromUtf8, toHex, utf8 } from "./bytes.js";
import {
  ED25519,
  ED25519_COSIGNATURE,
  formatVerifierKey,
  ML_DSA_44,
  parseVerifierKey,
  type VerifierKey,
} from "./vkey.js";

export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url: string | null;
}

export interface PolicyWitness {
  readonly name: string;
  readonly key: VerifierKey;
  readonly url: string | null;
}

export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}

export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** A witness's or group's name, or null for `quorum none`. */
  readonly quorum: string | null;
}

const MAX_POLICY_BYTES = 1024 * 1024;
const MAX_DEFINITIONS = 1024;

/** The policy in a file. WritError POLICY_MALFORMED with the line number. */
export function parsePolicy(bytes: Uint8Array): Policy {
  if (bytes.length > MAX_POLICY_BYTES) fail(0, `at most ${MAX_POLICY_BYTES} bytes, got ${bytes.length}`);
  const reader = new PolicyReader();
  latin1(bytes)
    .split("\n")
    .forEach((line, i) => reader.line(line, i + 1));
  return reader.finish();
}

/** The policy of a bare key: this log, no witnesses. */
export function policyOfKey(key: VerifierKey): Policy {
  return { logs: [{ key, url: null }], witnesses: [], groups: [], quorum: null };
}

/** The witnesses that have a URL, by it: one with two keys is two lines of one URL. In the order of their first lines. */
export function witnessesByUrl({ witnesses }: Policy): ReadonlyMap<string, readonly PolicyWitness[]> {
  const byUrl = new Map<string, PolicyWitness[]>();
  for (const witness of witnesses)
    if (witness.url !== null) byUrl.set(witness.url, [...(byUrl.get(witness.url) ?? []), witness]);
  return byUrl;
}

/** The policy in our own spelling: logs, witnesses, groups, quorum, single spaces, no comments. */
export function formatPolicy(policy: Policy): Uint8Array {
  const lines = [
    ...policy.logs.map(({ key, url }) => ["log", octets(formatVerifierKey(key)), url]),
    ...policy.witnesses.map(({ name, key, url }) => ["witness", name, octets(formatVerifierKey(key)), url]),
    ...policy.groups.map(({ name, threshold, members }) => ["group", name, threshold, ...members]),
    ["quorum", policy.quorum ?? "none"],
  ];
  const text = lines.map((line) => `${line.filter((word) => word !== null).join(" ")}\n`).join("");
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Is the quorum met when exactly the witnesses in `signed` (names of `witness` lines) have cosigned? */
export function quorumMet(policy: Policy, signed: ReadonlySet<string>): boolean {
  const witnessed = new Set(signed);
  // Groups name only what stands above them, so one pass in order settles them all.
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name);
  }
  return policy.quorum === null || witnessed.has(policy.quorum);
}

class PolicyReader {
  private readonly logs: PolicyLog[] = [];
  private readonly witnesses: PolicyWitness[] = [];
  private readonly groups: PolicyGroup[] = [];
  private readonly names = new Set<string>();
  private readonly members = new Set<string>();
  /** Of logs and of witnesses apart: one that is both has one key in two lines. */
  private readonly keys = { log: new Set<string>(), witness: new Set<string>() };
  private quorum: string | null | undefined;

  line(line: string, number: number): void {
    // "the allowed octet values are 0x09 (tab), 0x0A (newline), 0x20-0x7E, and 0x80-0xFF"
    if (/[^\t\x20-\x7e\x80-\xff]/.test(line))
      fail(
        number,
        line.endsWith("\r") ? "a carriage return: a line ends with a line feed alone" : "a control character",
      );
    if (number === 1 && line.startsWith("\xef\xbb\xbf"))
      fail(number, "a byte order mark; want the first line without one");
    const words = line.split(/[ \t]+/).filter((word) => word !== "");
    const [keyword, ...rest] = words;
    if (keyword === undefined || keyword.startsWith("#")) return;
    if (this.names.size + this.logs.length > MAX_DEFINITIONS)
      fail(number, `more than ${MAX_DEFINITIONS} definitions`);
    if (keyword === "log") this.log(rest, number);
    else if (keyword === "witness") this.witness(rest, number);
    else if (keyword === "group") this.group(rest, number);
    else if (keyword === "quorum") this.setQuorum(rest, number);
    else fail(number, `unknown keyword ${JSON.stringify(keyword)}; want log, witness, group or quorum`);
  }

  finish(): Policy {
    if (this.quorum === undefined) fail(0, "no quorum line");
    return { logs: this.logs, witnesses: this.witnesses, groups: this.groups, quorum: this.quorum };
  }

  private log(words: readonly string[], number: number): void {
    const [vkey, url = null] = words;
    if (vkey === undefined || words.length > 2) fail(number, "want log <vkey> [<url>]");
    const key = this.key("log", vkey, number);
    if (key.type === ED25519_COSIGNATURE) fail(number, "a log's key has type 1 or 6, not 4");
    this.logs.push({ key, url });
  }

  private witness(words: readonly string[], number: number): void {
    const [name, vkey, url = null] = words;
    if (name === undefined || vkey === undefined || words.length > 3)
      fail(number, "want witness <name> <vkey> [<url>]");
    this.define(name, number);
    const key = this.key("witness", vkey, number);
    if (key.type === ED25519) fail(number, `a witness's key has type 4 or ${ML_DSA_44}, not 1`);
    this.witnesses.push({ name, key, url });
  }

  private group(words: readonly string[], number: number): void {
    const [name, count, ...members] = words;
    if (name === undefined || count === undefined || members.length === 0) {
      fail(number, "want group <name> any|all|<k> <member>…");
    }
    for (const member of members) this.take(member, number);
    this.define(name, number);
    this.groups.push({ name, threshold: parseThreshold(count, members.length, number), members });
  }

  private setQuorum(words: readonly string[], number: number): void {
    const [name] = words;
    if (name === undefined || words.length !== 1) fail(number, "want quorum <name>|none");
    if (this.quorum !== undefined) fail(number, "a second quorum line");
    if (name !== "none" && !this.names.has(name)) fail(number, `${show(name)} is not defined above`);
    this.quorum = name === "none" ? null : name;
  }

  /** "Witnesses and groups share a single namespace." */
  private define(name: string, number: number): void {
    if (name === "none") fail(number, "the name none is reserved");
    if (this.names.has(name)) fail(number, `${show(name)} is defined twice`);
    this.names.add(name);
  }

  /** "Each defined name can be listed as a group member at most once." */
  private take(member: string, number: number): void {
    if (!this.names.has(member)) fail(number, `${show(member)} is not defined above`);
    if (this.members.has(member)) fail(number, `${show(member)} is a member twice`);
    this.members.add(member);
  }

  /** "Two vkeys are considered duplicate if they wrap the same underlying public key." */
  private key(of: "log" | "witness", text: string, number: number): VerifierKey {
    let key: VerifierKey;
    try {
      key = parseVerifierKey(fromUtf8(Uint8Array.from(text, (char) => char.charCodeAt(0))) ?? "");
    } catch (error) {
      if (error instanceof WritError) fail(number, error.message);
      throw error;
    }
    const id = toHex(key.publicKey);
    if (this.keys[of].has(id)) fail(number, `the public key of ${key.name} is listed twice`);
    this.keys[of].add(id);
    return key;
  }
}

function parseThreshold(word: string, members: number, number: number): number {
  if (word === "any") return 1;
  if (word === "all") return members;
  const k = /^[1-9][0-9]{0,6}$/.test(word) ? Number(word) : 0;
  if (k < 1 || k > members) fail(number, `want any, all or a number from 1 to ${members}, got ${show(word)}`);
  return k;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** A text's UTF-8 octets, read as Latin-1. */
function octets(text: string): string {
  return latin1(utf8(text));
}

/** An octet name as a person wrote it. */
function show(name: string): string {
  return JSON.stringify(fromUtf8(Uint8Array.from(name, (char) => char.charCodeAt(0))) ?? name);
}

function fail(line: number, why: string): never {
  throw new WritError("POLICY_MALFORMED", line === 0 ? `policy: ${why}` : `policy line ${line}: ${why}`);
}
