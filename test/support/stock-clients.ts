/** Stock clients of status lists: independent libraries, unmodified, that know nothing of this log but its URL and its key. */
import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { DataIntegrityProof } from "@digitalbazaar/data-integrity";
import { driver } from "@digitalbazaar/did-method-key";
import { from } from "@digitalbazaar/ed25519-multikey";
import { createVerifyCryptosuite } from "@digitalbazaar/eddsa-jcs-2022-cryptosuite";
import { verifyCredential } from "@digitalbazaar/vc";
import { checkStatus } from "@digitalbazaar/vc-bitstring-status-list";
import { CoseKey, Sign1 } from "@owf/cose";
import { StatusListCwt } from "@owf/token-status-list";
import { digest, generateSalt } from "@sd-jwt/crypto-nodejs";
import { getListFromStatusListJWT } from "@sd-jwt/jwt-status-list";
import { SDJwtVcInstance } from "@sd-jwt/sd-jwt-vc";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";

/** GET: of an app in this process, or over the network. */
export type Fetch = (url: string, headers?: Readonly<Record<string, string>>) => Promise<Response>;

async function jwks(fetch: Fetch, base: string): Promise<JSONWebKeySet> {
  return (await (await fetch(`${base}/.well-known/jwks.json`)).json()) as JSONWebKeySet;
}

export interface Token {
  readonly status: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** `jose` for the signature and the claims, `@sd-jwt/jwt-status-list` for the bits. */
export async function readJwt(
  fetch: Fetch,
  base: string,
  uri: string,
  place: number,
  at?: Date,
): Promise<Token> {
  const asked = at === undefined ? uri : `${uri}?time=${Math.floor(at.getTime() / 1000)}`;
  const response = await fetch(asked, { accept: "application/statuslist+jwt" });
  assert.equal(response.status, 200, await response.clone().text());
  assert.equal(response.headers.get("content-type"), "application/statuslist+jwt");
  const jwt = await response.text();
  const { payload } = await jwtVerify(jwt, createLocalJWKSet(await jwks(fetch, base)), {
    typ: "statuslist+jwt",
    algorithms: ["EdDSA"],
    issuer: base,
    subject: uri,
    requiredClaims: ["iat", "exp", "ttl", "status_list"],
    ...(at === undefined ? {} : { currentDate: at }),
  });
  return { status: getListFromStatusListJWT(jwt).getStatus(place), claims: payload };
}

/** `@owf/cose` and `@owf/token-status-list`. */
export async function readCwt(fetch: Fetch, base: string, uri: string, place: number): Promise<number> {
  const response = await fetch(uri, { accept: "application/statuslist+cwt" });
  assert.equal(response.headers.get("content-type"), "application/statuslist+cwt");
  const bytes = new Uint8Array(await response.arrayBuffer());
  const [jwk] = (await jwks(fetch, base)).keys;
  assert.ok(jwk !== undefined);
  const sign1 = Sign1.decode(bytes);
  assert.equal(sign1.signatureAlgorithmName, "EdDSA");
  assert.equal(sign1.protectedHeaders.headers.get(16), "application/statuslist+cwt");
  const isSigned = await sign1.verifySignature(
    { key: CoseKey.fromJwk(jwk) },
    {
      getPublicKey: async () => {
        throw new Error("no x5chain");
      },
      verify: async (input: { sign1: Sign1 }) =>
        verify(
          null,
          input.sign1.toBeSigned,
          createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: jwk.x ?? "" }, format: "jwk" }),
          input.sign1.signature,
        ),
    },
  );
  assert.equal(isSigned, true);
  const { payload } = StatusListCwt.fromToken(bytes);
  assert.equal(payload.subject, uri);
  return payload.statusList.getStatus(place);
}

/** `@sd-jwt/sd-jwt-vc`: does the credential hold? The library's own words when it does not. */
export async function checkSdJwt(
  fetch: Fetch,
  base: string,
  credential: string,
  issuerKey: Uint8Array,
  currentDate?: number,
): Promise<string> {
  const verifier = (x: string) => (data: string, signature: string) =>
    verify(
      null,
      Buffer.from(data),
      createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }),
      Buffer.from(signature, "base64url"),
    );
  const [listKey] = (await jwks(fetch, base)).keys;
  const instance = new SDJwtVcInstance({
    verifier: verifier(Buffer.from(issuerKey).toString("base64url")),
    statusVerifier: verifier(listKey?.x ?? ""),
    hasher: digest,
    hashAlg: "sha-256",
    saltGenerator: generateSalt,
    statusListFetcher: async (uri: string) =>
      (await fetch(uri, { accept: "application/statuslist+jwt" })).text(),
  });
  try {
    await instance.verify(credential, currentDate === undefined ? {} : { currentDate });
    return "valid";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const didKeys = driver();
didKeys.use({ multibaseMultikeyHeader: "z6Mk", fromMultibase: from });

/** `@digitalbazaar/vc` with the bitstring status list of the same house: the purposes whose bit is set. */
export async function checkCredential(fetch: Fetch, credential: object, now?: Date): Promise<string[]> {
  const documentLoader = async (url: string) => ({
    contextUrl: null,
    documentUrl: url,
    document: url.startsWith("did:key:")
      ? await didKeys.get({ url })
      : ((await (await fetch(url)).json()) as object),
  });
  const suite = [new DataIntegrityProof({ cryptosuite: createVerifyCryptosuite() })];
  const result = await verifyCredential({
    credential,
    suite,
    documentLoader,
    // The log signs the list, the authority the credential: both are trusted here.
    checkStatus: (options: object) => checkStatus({ ...options, verifyMatchingIssuers: false }),
    ...(now === undefined ? {} : { now }),
  });
  assert.ok(result.verified, JSON.stringify(result.error ?? result.statusResult?.error));
  return (result.statusResult?.results ?? [])
    .filter(({ status }) => status)
    .map(({ credentialStatus }) => credentialStatus.statusPurpose);
}
