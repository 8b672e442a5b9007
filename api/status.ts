/** `GET /v1/entries/{ref}/status`: where a record stands, with the proofs of the entries that say so. */
import type { Hono } from "hono";
import { toBase64 } from "#crypto";
import type { Hash } from "../merkle/index.js";
import type { Log } from "../src/log/log.js";
import { inclusionProof, quoteCheckpoint } from "./answers.js";
import { negotiate } from "./negotiate.js";
import { query, sizeParam } from "./params.js";
import { indexesOf } from "./refs.js";

const HEADERS = {
  "content-type": "application/json",
  "access-control-allow-origin": "*",
};

export function statusRoutes(app: Hono, log: Log): void {
  // Costs at worst the 32 grants above a grant, with the state of each, and two proofs of 63 hashes.
  app.get("/v1/entries/:ref/status", async (c) => {
    const { as_of: text } = query(c, ["as_of"]);
    negotiate(c.req.header("accept"), ["application/json"]);
    const asked = sizeParam(text, "as_of");
    const [index] = await indexesOf(log, c.req.param("ref"));
    const { status, asOf, published, subject } = await log.statuses.of(index, asked);
    const { state, decidedBy } = status;
    const proof = async (of: number): Promise<readonly Hash[]> => log.read.inclusion(of, published.size);
    const deciding: string[] = [];
    for (const one of decidedBy) {
      const stored = await log.read.statement(one);
      deciding.push(
        `{"statement":"${toBase64(stored)}","inclusion_proof":${inclusionProof(one, published.size, await proof(one))}}`,
      );
    }
    // As of a size before it, there is nothing to prove.
    const own =
      index < published.size
        ? `{"entry_hash":"${subject.entryHash}","leaf_hash":"${subject.leafHash}","inclusion_proof":${inclusionProof(index, published.size, await proof(index))}}`
        : "null";
    const body =
      `{"state":"${state}","decided_by":${JSON.stringify(decidedBy)},"as_of":${asOf},"log_checkpoint":${quoteCheckpoint(published)},` +
      `"cosigned_by":${JSON.stringify(published.cosignedBy)},"index":${index},"entry":${own},"deciding":[${deciding.join(",")}]}`;
    return new Response(body, { headers: HEADERS });
  });
}
