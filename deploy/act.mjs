// The smallest gateway there is: asks for leave to do what terms.json says under a grant, then does it (a line a second) until
// it is over or somebody takes the grant back, and writes down what became of it.
//
//     node deploy/act.mjs LOG-URL VKEY KEY-FILE GRANT TERMS.json [SECONDS]
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { noteSigner } from "writ/client";
import { Gateway } from "writ/gateway";

const [url, trust, keyFile, grant, termsFile, seconds = "60"] = process.argv.slice(2);
if (termsFile === undefined) {
  console.error("act: error: want LOG-URL VKEY KEY-FILE GRANT TERMS.json [SECONDS]");
  process.exit(2);
}
const signer = noteSigner(await readFile(keyFile, "utf8"));
const { action_type, target, parameters } = JSON.parse(await readFile(termsFile, "utf8"));
const gateway = await Gateway.open({ url, trust, executor: signer.name, signer, folder: "gateway-data" });
await gateway.ready();
const digest = (text) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
// The hash of a call covers something that differs from call to call.
const permit = await gateway.authorize(grant, { action_type, target, parameters }, digest(randomUUID()));
console.log(`acting: the use of the grant is entry ${permit.consumption?.index}`);

let outcome = "executed";
for (let second = 0; second < Number(seconds); second++) {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000);
    permit.signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
  });
  if (!permit.signal.aborted) continue;
  console.log(`stopped: ${permit.signal.reason.code}: ${permit.signal.reason.message}`);
  outcome = "partial";
  break;
}
const { delivered } = await gateway.record(permit, { outcome, postcondition_hashes: { seen: digest("what was seen") } });
console.log(`the receipt is entry ${(await delivered).index}`);
await gateway.close();
process.exitCode = outcome === "executed" ? 0 : 1;
