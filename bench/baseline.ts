/** Baselines over HTTP: the framework that answers an empty POST, and a handler that only writes and syncs. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import { Level } from "level";
import { listen } from "../api/server.js";

const app = new Hono();
app.post("/empty", async (c) => {
  await c.req.arrayBuffer();
  return new Response("1", { headers: { "content-type": "text/plain" } });
});

app.get("/bytes/:n", (c) => {
  const body = "x".repeat(Number(c.req.param("n")));
  return new Response(body, { headers: { "content-type": "text/plain" } });
});

const db = new Level<string, Uint8Array>(mkdtempSync(join(tmpdir(), "writ-baseline-")), {
  valueEncoding: "view",
});
let n = 0;
app.post("/write", async (c) => {
  await db.put(String(n++), new Uint8Array(await c.req.arrayBuffer()), { sync: true });
  return new Response("1", { headers: { "content-type": "text/plain" } });
});

const server = await listen(app, "127.0.0.1", 0);
process.stderr.write(`the baseline is up at http://127.0.0.1:${server.port}\n`);
process.once("SIGTERM", () => process.exit(0));
