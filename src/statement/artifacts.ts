/**
 * What a foreign statement is about, by digest: the subjects of an in-toto Statement (in-toto/attestation, spec/v1,
 * statement.md and digest_set.md), and the payload that a COSE hash envelope stands for (RFC 9995).
 *
 *     {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "app", "digest": {"sha256": "5891b5…"}}], …}
 */
import { WritError } from "../errors.js";
import { toHex } from "../format/bytes.js";
import { DIGESTS } from "./digests.js";
import { isJsonObject, type Json, type JsonObject, parseJson } from "./json.js";
import type { Statement } from "./statement.js";

const IN_TOTO_MEDIA_TYPE = "application/vnd.in-toto+json";

export interface Artifact {
  /** As the statement calls it; null when it does not. */
  readonly name: string | null;
  /** Lower-case hex by algorithm, `sha256` and the like. */
  readonly digests: ReadonlyMap<string, string>;
}

/** None for a statement that names no artifact, or names them in a way that is not the specification's. */
export function artifactsOf(statement: Statement): Artifact[] {
  const { hashed, payload, contentType } = statement;
  if (hashed !== null) {
    const algorithm = DIGESTS.get(hashed.algorithm)?.name;
    if (algorithm === undefined) return [];
    return [{ name: hashed.location, digests: new Map([[algorithm, toHex(payload)]]) }];
  }
  return contentType === IN_TOTO_MEDIA_TYPE ? subjectsIn(payload) : [];
}

function subjectsIn(payload: Uint8Array): Artifact[] {
  const statement = readJson(payload);
  const subjects = isJsonObject(statement) ? statement["subject"] : undefined;
  return Array.isArray(subjects) ? (subjects as readonly Json[]).flatMap((one) => artifactIn(one) ?? []) : [];
}

/** Foreign content is logged whether it is what it says or not; what cannot be read names nothing. */
function readJson(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, "ENVELOPE_INVALID");
  } catch (error) {
    if (error instanceof WritError) return null;
    throw error;
  }
}

function artifactIn(subject: Json): Artifact | undefined {
  if (!isJsonObject(subject) || !isJsonObject(subject["digest"])) return undefined;
  const digests = digestsIn(subject["digest"]);
  const name = subject["name"];
  return digests.size === 0 ? undefined : { name: typeof name === "string" ? name : null, digests };
}

function digestsIn(set: JsonObject): Map<string, string> {
  const pairs = Object.entries(set).flatMap(([algorithm, value]) =>
    typeof value === "string" && value !== "" ? [[algorithm, value.toLowerCase()] as const] : [],
  );
  return new Map(pairs);
}
