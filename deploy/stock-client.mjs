// A stock client of status lists, which knows nothing of this project: `jose` checks the token's signature against the keys at
// the log's URL, `@sd-jwt/jwt-status-list` reads the entry's bits.
//
//     node deploy/stock-client.mjs LOG-URL ENTRY
//
// Exit 0 when the entry is valid, 1 when it is not.
import { getListFromStatusListJWT } from "@sd-jwt/jwt-status-list";
import { createRemoteJWKSet, jwtVerify } from "jose";

const [log, entry] = process.argv.slice(2);
if (log === undefined || !/^\d+$/.test(entry ?? "")) {
  console.error("stock-client: error: want LOG-URL ENTRY");
  process.exit(2);
}
const LIST_ENTRIES = 2 ** 17;
const uri = `${log}/v1/status/lists/${Math.floor(Number(entry) / LIST_ENTRIES)}`;
const response = await fetch(uri, { headers: { accept: "application/statuslist+jwt" } });
if (!response.ok) throw new Error(`${uri} answered ${response.status}`);
const token = await response.text();
await jwtVerify(token, createRemoteJWKSet(new URL(`${log}/.well-known/jwks.json`)), {
  typ: "statuslist+jwt",
  subject: uri,
});
const status = getListFromStatusListJWT(token).getStatus(Number(entry) % LIST_ENTRIES);
console.log(`entry ${entry}: ${["valid", "invalid", "suspended", "consumed"][status]}`);
process.exitCode = status === 0 ? 0 : 1;
